# What must not be had by being refused, or by logging in, again and again: passwords
# in pg_hba.conf, and the place of what concerns others.
use strict;
use warnings;
use IO::Socket::INET;
use Test::More;
use SSLPolicy::Server;

my ($version) = qx("$ENV{PG_CONFIG}" --version) =~ /(\d+)/;
my $has_radius = $version < 19;
my $server = SSLPolicy::Server->new('hostile',
	init => { extra => [ '--encoding=SQL_ASCII', '--locale=C' ] },
	conf => "sslpolicy.max_rejections = 40\nsslpolicy.max_recent_logins = 40\n",
	hba => [
		'host all ldapuser all ldap ldapserver=127.0.0.1 ldapport=1 ldapbasedn="dc=x" ldapbinddn="cn=a" ldapbindpasswd=TOPSECRET',
		# PostgreSQL 19 has no RADIUS any more
		$has_radius ? 'host all raduser all radius radiusservers=127.0.0.1 radiusports=1 radiussecrets=TOPSECRET' : (),
		'host all pwuser all scram-sha-256',
		'host all rejected all reject'
	]);
my $node = $server->node;
$server->start;
$server->sql(<<"SQL");
CREATE EXTENSION sslpolicy;
CREATE ROLE app LOGIN; CREATE ROLE victim LOGIN; CREATE ROLE ldapuser LOGIN; CREATE ROLE raduser LOGIN;
CREATE ROLE pwuser LOGIN PASSWORD 'x'; CREATE ROLE rejected LOGIN; CREATE ROLE monitor LOGIN IN ROLE pg_monitor;
CREATE ROLE "g\xe9"; GRANT "g\xe9" TO app;
CREATE DATABASE utf8 TEMPLATE template0 ENCODING UTF8 LOCALE 'C';
SQL
$server->sql('CREATE EXTENSION sslpolicy', 'utf8');
$server->label(role => { victim => 'sslmode=verify-full' });

sub monitor
{
	my ($sql) = @_;
	my $r = $server->login(user => 'monitor', sslmode => 'require', sql => $sql);
	diag($r->{err}) if $r->{err};
	return $r->{out};
}

# Come from an address as a role, by plain text, until the server hangs up or is
# ready for queries.
sub come
{
	my ($address, $user) = @_;
	my $socket = IO::Socket::INET->new(LocalAddr => $address, PeerAddr => '127.0.0.1', PeerPort => $node->port) or die "$address: $!";
	my $body = pack('N', 3 << 16) . join('', map { "$_\0" } user => $user, database => 'postgres') . "\0";
	my $answer = '';
	$socket->syswrite(pack('N', 4 + length $body) . $body);
	while ($answer !~ /Z\x00\x00\x00\x05I\z/s)
	{
		last unless $socket->sysread($answer, 8192, length $answer);
	}
	$socket->syswrite("X\0\0\0\4");
	close $socket;
	return;
}

my @outside = ('ldapuser', $has_radius ? 'raduser' : ());
for my $user (@outside, 'pwuser')
{
	my $r = $server->login(user => $user, sslmode => 'disable', env => { PGPASSWORD => 'wrong' });
	ok(!$r->{ok}, "$user is refused");
}
like(monitor("SELECT reasons FROM sslpolicy.rejections WHERE role = 'pwuser'"),
	qr/password authentication failed.*Connection matched.*scram-sha-256/s, 'which line of pg_hba.conf it was');
for my $user (@outside)
{
	like(monitor("SELECT reasons FROM sslpolicy.rejections WHERE role = '$user'"), qr/failed/, "$user: noted");
}
is(monitor("SELECT count(*) FROM sslpolicy.rejections r WHERE r::text LIKE '%SECRET%' OR r::text LIKE '%ldap%basedn%'"), 0,
	'and nothing of what stands in it');

$server->login(user => 'victim', sslmode => 'disable');
my $others = "SELECT count(*) FROM sslpolicy.rejections WHERE role IN ('victim', 'ldapuser', 'pwuser')";
is(monitor($others), 3, 'before the flood');
come("127.0.1.$_", 'rejected') for 1 .. 60;
is(monitor($others), 3, 'refusals of one role do not push out those of others');
cmp_ok(monitor("SELECT count(*) FROM sslpolicy.rejections WHERE role = 'rejected'"), '<=', 20, 'and have a table of their own');
come("127.0.2.$_", 'app') for 1 .. 60;
come('127.0.3.1', 'monitor');
is(monitor("SELECT count(*) > 0 FROM sslpolicy.recent_logins WHERE role = 'monitor' AND address <> '127.0.0.1'"), 't', 'a login is noted');
come("127.0.4.$_", 'app') for 1 .. 60;
is(monitor("SELECT count(*) > 0 FROM sslpolicy.recent_logins WHERE role = 'monitor' AND address = '127.0.3.1'"), 't', 'logins of one role do not push it out');
cmp_ok(monitor("SELECT count(*) FROM sslpolicy.recent_logins WHERE role = 'app'"), '<=', 40, 'the table stays as large as it is');

# a name that is no text in the encoding of the database at hand
my $group = $server->sql("SELECT oid FROM pg_roles WHERE rolname = 'g\xe9'");
my $preview = "SELECT reasons::text FROM sslpolicy.preview_role_policy($group\::oid::regrole, 'sslmode=require')";
is($server->sql("SELECT count(convert_to(t, 'LATIN1')) > 0 FROM ($preview) AS q(t)", 'utf8'),
	't', 'reasons are text of the database');
$server->stop;
done_testing();
