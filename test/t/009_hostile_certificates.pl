# Certificates that somebody made to be misread, each presented in a real
# handshake.  For each: is it let in where it should be and refused where it
# should not, and do the views and the log show it whole, in one line?
#
# 1. several CNs, none, empty subject, 4 kB DN, one long value
# 2. BMPString, UTF8String, T61String, bytes that are no UTF-8
# 3. NUL and control characters in CN and SAN
# 4. a hundred SANs; 20-byte, negative and zero serials; X.509 v1
# 5. a CA's own certificate, a self-signed leaf that is trusted
# 6. databases in LATIN1 and SQL_ASCII show them without an error (core itself
#    refuses a subject that its encoding cannot express, so a SAN is shown)
use strict;
use warnings;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('hostile');
my $certs = $server->certs;
my $root = $certs->get('root');
my %how = (issuer => $root);

my @cases = (
	# name, options, role, policy, expectation, client_cn, client_dn (undef: not compared)
	[ 'several CNs, the first is the role', { subject => [ [ CN => 'app' ], [ CN => 'evil' ] ] }, 'cn=app', 'cn', '', 'CN=evil,CN=app' ],
	[ 'several CNs, the last is the role', { subject => [ [ CN => 'evil' ], [ CN => 'app' ] ] }, 'sslmode=verify-full', 'cn', '', 'CN=app,CN=evil' ],
	[ 'several CNs, both are the role', { subject => [ [ CN => 'app' ], [ CN => 'app' ] ] }, 'sslmode=verify-full', 'cn', '', 'CN=app,CN=app' ],
	[ 'several CNs, by regex', { subject => [ [ CN => 'app' ], [ CN => 'app' ] ] }, 'cn=/^.*$', 'cn', '', undef ],
	[ 'several CNs, by dn', { subject => [ [ CN => 'evil' ], [ CN => 'app' ] ] }, 'dn=CN=app,CN=evil', 'in', '', undef ],
	[ 'two CNs in one RDN', { subject => [ [ CN => 'app', CN => 'evil' ] ] }, 'sslmode=verify-full', 'cn', '', undef ],
	[ 'no CN', { subject => '/O=app' }, 'sslmode=verify-full', 'cn', '', 'O=app' ],
	[ 'no CN, by dn', { subject => '/O=app' }, 'dn=O=app', 'in', '', 'O=app' ],
	[ 'empty subject', { subject => [] }, 'sslmode=verify-full', 'cn', '', '' ],
	[ 'empty subject, any dn by regex', { subject => [] }, 'dn=/^.*$', 'in', '', '' ],
	[ 'empty subject, by san', { subject => [], san => ['uri:x:app'] }, 'san=uri:x:%u', 'in', '', '' ],
	[ 'DN of 4 kB', { subject => [ [ CN => 'app' ], map { [ OU => sprintf '%064d', $_ ] } 1 .. 64 ] }, 'sslmode=verify-full', 'in', 'app', undef, 4300 ],
	[ 'CN of 5,000 characters', { subject => [ [ CN => 'x' x 5000 ] ] }, 'cn=/^x*$', 'in', 'x' x 5000, undef, 5003 ],
	[ 'CN of 64 characters of which 63 are the role', { subject => [ [ CN => 'app' . 'x' x 61 ] ] }, 'sslmode=verify-full', 'cn', 'app' . 'x' x 61, undef ],

	[ 'UTF8String', { subject => [ [ CN => "caf\x{e9}" ] ] }, "cn=caf\xc3\xa9", 'in', "caf\xc3\xa9", "CN=caf\xc3\xa9" ],
	[ 'BMPString', { subject => [ [ CN => { bmp => "caf\x{e9}" } ] ] }, "cn=caf\xc3\xa9", 'core', undef, undef ],
	[ 'T61String is read as Latin-1', { subject => [ [ CN => { t61 => "caf\xe9" } ] ] }, "cn=caf\xc3\xa9", 'in', "caf\xc3\xa9", "CN=caf\xc3\xa9" ],
	[ 'bytes that are no UTF-8', { subject => [ [ CN => { ia5 => "app\xff\xc0\x80" } ] ] }, 'sslmode=verify-full', 'cn', '', 'CN=#1606617070FFC080' ],
	[ 'BMPString in O', { subject => [ [ O => { bmp => "\x{4e2d}" } ], [ CN => 'app' ] ] }, 'sslmode=verify-full', 'in', 'app', "CN=app,O=\xe4\xb8\xad" ],

	[ 'NUL in the CN', { subject => [ [ CN => "app\0evil" ] ] }, 'sslmode=verify-full', 'core', undef, undef ],
	[ 'line break in the CN', { subject => [ [ CN => "app\nLOG:  forged \e[2J" ] ] }, 'sslmode=verify-full', 'cn', 'app\0ALOG:  forged \1B[2J', undef ],
	[ 'backslash and digits in the CN are not an escape', { subject => [ [ CN => 'caf\C3\A9' ] ] }, "cn=caf\xc3\xa9", 'cn', 'caf\5CC3\5CA9', undef ],
	[ 'NUL in a SAN', { subject => '/CN=x', san => ["dns:app\0.evil.com"] }, 'san=dns:app', 'san', 'x', undef ],
	[ 'NUL in a SAN, by regex', { subject => '/CN=x', san => ["uri:app\0"] }, 'san=uri:/^app$', 'san', 'x', undef ],
	[ 'line break in a SAN', { subject => '/CN=x', san => ["uri:app\nLOG:  forged"] }, 'san=uri:app', 'san', 'x', undef ],
	[ 'UTF-8 in a SAN', { subject => '/CN=app', san => ["uri:x:\xe4\xb8\xad"] }, "san=uri:x:\xe4\xb8\xad", 'san', 'app', undef ],
	[ 'IP SAN of a wrong length', { subject => '/CN=x', san => [ [ rawip => "\1\2\3" ] ] }, 'san=ip:1.2.3.0', 'san', 'x', undef ],
	[ 'comma and quote in the CN', { subject => [ [ CN => 'app",O=Acme' ] ] }, 'dn=CN=app,O=Acme', 'dn', 'app",O=Acme', 'CN=app\",O=Acme' =~ s/,/\\,/r ],

	[ 'a hundred SANs, the last one counts', { subject => '/CN=x', san => [ map { "dns:h$_.example.com" } 1 .. 100 ] }, 'san=dns:h100.example.com', 'in', 'x', undef ],
	[ 'serial of 20 bytes', { subject => '/CN=app', serial => '0x' . 'ff' x 20 }, 'sslmode=verify-full', 'in', 'app', undef ],
	[ 'negative serial', { subject => '/CN=app', serial => '-0x' . 'ab' x 20 }, 'sslmode=verify-full', 'in', 'app', undef ],
	[ 'serial 0', { subject => '/CN=app', serial => '0' }, 'sslmode=verify-full', 'in', 'app', undef ],
	[ 'X.509 v1', { subject => '/CN=app', version => 1 }, 'sslmode=verify-full', 'in', 'app', 'CN=app' ],
	[ 'a trusted self-signed leaf is its own CA', { issuer => 'self', subject => '/CN=app' }, 'sslmode=verify-full', 'in', 'app', 'CN=app' ],
	[ 'RSA', { subject => '/CN=app', key => 'RSA:2048' }, 'sslmode=verify-full', 'in', 'app', undef ],
	[ 'Ed25519', { subject => '/CN=app', key => 'ED25519' }, 'sslmode=verify-full', 'in', 'app', undef ]);

my %made;
for my $i (0 .. $#cases)
{
	my %options = (%how, %{ $cases[$i][1] });
	$options{key_name} = 'case0' if $i > 0 && !$options{key};
	$made{$i} = $certs->client("case$i", %options);
}
my ($self) = grep { $cases[$_][0] =~ /self-signed/ } 0 .. $#cases;
$certs->bundle('trusted.crt', 'root', "case$self");
$server->node->append_conf('postgresql.conf', "ssl_ca_file = '$certs->{dir}/trusted.crt'");
$server->start;
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE shown LOGIN');

for my $i (0 .. $#cases)
{
	my ($name, undef, $policy, $expect, $cn, $dn, $length) = @{ $cases[$i] };
	my $cert = $made{$i};
	my $offset = $server->log_offset;
	$server->label(role => { app => $policy });
	my $result = $server->login(sslmode => 'require', cert => "case$i");

	if ($expect eq 'core')
	{
		ok(!$result->{ok}, "$name: refused");
		like($server->log_since($offset), qr/embedded null/, "$name: by core itself");
		next;
	}
	is($result->{ok} ? 'in' : $result->{failed}, $expect, "$name: $policy") or diag($result->{err});
	unlike($server->log_since($offset), qr/^(?!\d{4}-|\t)/m, "$name: the log has no forged line");
	unlike($server->log_since($offset), qr/[\x00-\x08\x0b-\x1f\x7f]/, "$name: the log has no control character");
	if ($expect ne 'in')
	{
		like($server->log_since($offset), qr/subject=".*" issuer="O=Acme,CN=Test Root" serial=\Q$cert->{serial}\E fingerprint=$cert->{fingerprint}/,
			"$name: the log tells which certificate it was");
	}

	# the views, by a role that may come in
	my $columns = 'client_serial, fingerprint_sha256, length(client_dn), client_cn';
	my $sql = "SELECT $columns FROM sslpolicy.connection() UNION ALL SELECT $columns FROM sslpolicy.sessions WHERE pid = pg_backend_pid()";
	$result = $server->login(user => 'shown', sslmode => 'require', cert => "case$i", sql => $sql);
	my ($connection, $session) = split /\n/, $result->{out};
	is($connection, $session, "$name: connection() and sessions agree") or diag($result->{err});
	my ($serial, $fingerprint, $dn_length, $shown_cn) = split /\|/, $connection // '', 4;
	is($serial, $cert->{serial}, "$name: serial");
	is($fingerprint, $cert->{fingerprint}, "$name: fingerprint");
	is($shown_cn, $cn, "$name: CN as shown");
	cmp_ok($dn_length, '>=', $length, "$name: DN is not truncated") if $length;
	is($server->login(user => 'shown', sslmode => 'require', cert => "case$i", sql => 'SELECT client_dn FROM sslpolicy.connection()')->{out}, $dn, "$name: DN as shown")
	  if defined $dn;
}

# 6
$server->sql("CREATE DATABASE latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'; CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'");
for my $db (qw(latin1 ascii))
{
	$server->sql('CREATE EXTENSION sslpolicy', $db);
	my %case = map { $cases[$_][0] => "case$_" } 0 .. $#cases;
	my $show = sub {
		my ($column, $case) = @_;
		my $result = $server->login(user => 'shown', db => $db, sslmode => 'require', cert => $case{$case},
			env => { PGCLIENTENCODING => $db eq 'ascii' ? 'SQL_ASCII' : 'UTF8' },
			sql => "SELECT $column FROM sslpolicy.sessions WHERE pid = pg_backend_pid()");
		return $result->{ok} ? $result->{out} : $result->{err};
	};
	is($show->('client_dn', 'UTF8String'), "CN=caf\xc3\xa9", "$db: a name that the encoding has");
	is($show->('client_sans[1]', 'UTF-8 in a SAN'), $db eq 'ascii' ? "baduri:x:\xe4\xb8\xad" : 'baduri:x:\E4\B8\AD',
		"$db: a name that it has not stays escaped");
}

unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
