# Replication connections meet policies as well.
#
# 1. physical replication (replication=true): labels of the role and of groups,
#    default_policy and minimum_policy bind; it has no database, so that no
#    label of a database does, even if the client names one
# 2. logical replication (replication=database): the label of its database
#    binds, and that of another database does not
# 3. database=replication matches physical replication and nothing else;
#    database=NAME matches logical replication of that database
# 4. groups and databases do not bind superusers and reserved roles here either
# 5. pg_basebackup, pg_receivewal and pg_recvlogical are refused and let in
# 6. both kinds are in sslpolicy.sessions, a physical one without a database
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Server;

my $server =
  SSLPolicy::Server->new('replication', init => { allows_streaming => 'logical' });
my $certs = $server->certs;
$certs->client('rep', issuer => 'root', subject => '/CN=rep');
$certs->client('bob', issuer => 'root', subject => '/CN=bob', key_name => 'rep');
$server->start;
$server->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE rep LOGIN REPLICATION; CREATE ROLE boss LOGIN SUPERUSER;
CREATE ROLE grp; GRANT grp TO rep, boss;
CREATE DATABASE db1; CREATE DATABASE replication;
SQL

my %plain = (sslmode => 'disable');
my %tls = (sslmode => 'require');
my %cert = (cert => 'rep');

# each kind of connection to each database that matters
my %kind = (
	physical => { extra => 'replication=true', sql => 'IDENTIFY_SYSTEM' },
	'physical naming db1' => { extra => 'replication=true', db => 'db1', sql => 'IDENTIFY_SYSTEM' },
	'physical naming replication' =>
	  { extra => 'replication=true', db => 'replication', sql => 'IDENTIFY_SYSTEM' },
	logical => { extra => 'replication=database', db => 'db1', sql => 'IDENTIFY_SYSTEM' },
	'logical elsewhere' => { extra => 'replication=database', sql => 'IDENTIFY_SYSTEM' },
	'logical of replication' =>
	  { extra => 'replication=database', db => 'replication', sql => 'IDENTIFY_SYSTEM' },
	ordinary => { db => 'db1' },
	'ordinary of replication' => { db => 'replication' });

# What becomes of a connection: "in", or the requirements it has not met.
sub outcome
{
	my ($kind, %to) = @_;
	my $result = $server->login(user => 'rep', %{ $kind{$kind} }, %to);
	if ($result->{ok} && $kind !~ /ordinary/)
	{
		like($result->{out}, qr/^\d+\|\d+\|/, "$kind: IDENTIFY_SYSTEM answers");
	}
	diag($result->{err}) if !$result->{ok} && !$result->{failed};
	return $result->{ok} ? 'in' : $result->{failed};
}

# Policies in force, then rows of connection and outcome.
sub check
{
	my ($name, $labels, $settings, @rows) = @_;
	$server->label(
		role => { rep => $labels->{role}, boss => undef, grp => $labels->{group} },
		database => { db1 => $labels->{database} });
	$server->set(%$settings) if %$settings;
	for (@rows)
	{
		my ($kind, $to, $expect) = @$_;
		my $how = join ' ', map { "$_=$to->{$_}" } sort keys %$to;
		is(outcome($kind, %$to), $expect, "$name: $kind, $how: $expect");
	}
	$server->set(map { $_ => undef } keys %$settings) if %$settings;
	return;
}

check('no policy', {}, {}, map { [ $_, \%plain, 'in' ] } sort keys %kind);

# 1, 2: where labels bind
check('label of the role', { role => 'sslmode=verify-full' }, {},
	map { ([ $_, \%plain, 'sslmode cn' ], [ $_, { cert => 'bob' }, 'cn' ], [ $_, \%cert, 'in' ]) }
	  qw(physical logical ordinary));
check('label of a group', { group => 'sslmode=require' }, {},
	map { ([ $_, \%plain, 'sslmode' ], [ $_, \%tls, 'in' ]) } qw(physical logical ordinary));
check('label of a database', { database => 'sslmode=require' }, {},
	[ 'physical', \%plain, 'in' ],
	[ 'physical naming db1', \%plain, 'in' ],
	[ 'logical', \%plain, 'sslmode' ],
	[ 'logical', \%tls, 'in' ],
	[ 'logical elsewhere', \%plain, 'in' ]);
check('default_policy', {}, { 'sslpolicy.default_policy' => 'sslmode=require' },
	map { ([ $_, \%plain, 'sslmode' ], [ $_, \%tls, 'in' ]) } qw(physical logical));
check('default_policy, label of the role', { role => 'sslmode=prefer' },
	{ 'sslpolicy.default_policy' => 'sslmode=require' },
	[ 'physical', \%plain, 'in' ], [ 'logical', \%plain, 'in' ]);

# 3: the match key database
check('minimum_policy for physical replication', {},
	{ 'sslpolicy.minimum_policy' => 'database=replication sslmode=verify-ca; sslmode=prefer' },
	[ 'physical', \%tls, 'sslmode' ],
	[ 'physical', \%cert, 'in' ],
	[ 'physical naming db1', \%tls, 'sslmode' ],
	(map { [ $_, \%plain, 'in' ] } 'logical', 'logical of replication', 'ordinary of replication'));
check('minimum_policy for a database called replication', {},
	{ 'sslpolicy.minimum_policy' => "database='replication' sslmode=reject; sslmode=prefer" },
	[ 'logical of replication', \%plain, 'sslmode' ],
	[ 'ordinary of replication', \%plain, 'sslmode' ],
	[ 'physical', \%plain, 'in' ],
	[ 'physical naming replication', \%plain, 'in' ]);
check('rule for a database', { role => 'database=db1 sslmode=require; sslmode=prefer' }, {},
	[ 'logical', \%plain, 'sslmode' ],
	[ 'logical', \%tls, 'in' ],
	[ 'logical elsewhere', \%plain, 'in' ],
	[ 'physical', \%plain, 'in' ],
	[ 'physical naming db1', \%plain, 'in' ]);

# 4: superusers and reserved roles
check('superuser', { group => 'sslmode=reject', database => 'sslmode=reject' }, {},
	[ 'physical', { user => 'boss', %plain }, 'in' ],
	[ 'logical', { user => 'boss', %plain }, 'in' ]);
check('reserved role', { group => 'sslmode=reject', database => 'sslmode=reject' },
	{ 'sslpolicy.reserved_roles' => 'rep' },
	[ 'physical', \%plain, 'in' ],
	[ 'logical', \%plain, 'in' ]);

# the log tells physical replication from a database
my $offset = $server->log_offset;
$server->label(role => { rep => 'sslmode=reject', grp => undef }, database => { db1 => undef });
outcome($_, %plain) for 'physical', 'physical naming db1', 'logical of replication';
my @refused = $server->log_since($offset) =~ /Refused: role="rep" database=(\S+) /g;
is_deeply(\@refused, [ '[replication]', '[replication]', '"replication"' ],
	'the log says [replication] for physical replication, and the name of a database in quotes');

# 5: the tools
my $folder = PostgreSQL::Test::Utils::tempdir('replication_tools');
my %tool = (
	pg_basebackup => [ '-D', "$folder/backup", '-X', 'none', '-c', 'fast', '--no-sync', '--no-manifest' ],
	pg_receivewal => [ '-D', $folder, '--create-slot', '--slot', 'received' ],
	pg_recvlogical => [ '--create-slot', '--slot', 'decoded', '--plugin', 'pgoutput' ]);
$server->label(role => { rep => 'sslmode=verify-full' });
for my $tool (sort keys %tool)
{
	my %to = (user => 'rep', db => $tool eq 'pg_recvlogical' ? 'db1' : '');
	my @command = ($tool, @{ $tool{$tool} }, '-d');
	my ($out, $err);
	ok( !IPC::Run::run([ @command, $server->conninfo(%to, cert => 'bob') ],
			'>', \$out, '2>', \$err),
		"$tool is refused");
	like($err, qr/does not meet its TLS policy: the certificate does not name the role\nDETAIL:  Not met: cn\b/, "$tool says why");
	ok(IPC::Run::run([ @command, $server->conninfo(%to, %cert) ], '>', \$out, '2>', \$err),
		"$tool is let in")
	  or diag($err);
}
ok(-e "$folder/backup/PG_VERSION", 'the backup is there');
is($server->sql('SELECT slot_name, slot_type FROM pg_replication_slots ORDER BY 1'),
	"decoded|logical\nreceived|physical", 'the slots are there');

# 6: the view
my $physical = $server->background(user => 'rep', db => 'db1', %cert, extra => 'replication=true');
my $logical = $server->background(user => 'rep', db => 'db1', %cert, extra => 'replication=database');
my $session = 'SELECT usename, datname, client_addr, ssl, version, client_dn, verified, auth_method, compliant'
  . " FROM sslpolicy.sessions WHERE client_addr IS NOT NULL ORDER BY datname NULLS FIRST";
is($server->sql($session),
	join("\n", map { "rep|$_|127.0.0.1|t|TLSv1.3|CN=rep|t|trust|t" } '', 'db1'),
	'sessions shows a walsender without a database, and one with');
is($server->sql("SELECT a.backend_type FROM sslpolicy.sessions s JOIN pg_stat_activity a USING (pid) WHERE s.usename = 'rep'"),
	"walsender\nwalsender", 'their process ids are those of walsenders');
$_->quit for $physical, $logical;
ok( $server->node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM sslpolicy.sessions WHERE usename = 'rep'"),
	'both leave the view when they end');

$server->stop;
done_testing();
