# What a client is told to set, is all that it needs.
#
# 1. For each sslmode and each key of policies, from every source of policies: a
#    client that knows nothing but the rows of client_settings() (environment
#    variables as they stand, files as the rows say, a certificate from the
#    openssl command as it stands) is let in, by the environment, by each connection
#    string of libpq and by the file of client_bundle(); and it is not, if it leaves
#    out what it was told.
# 2. Names that hold anything are quoted right for the environment, the
#    connection string, URLs, programs, ODBC and the shell; so are directories.
# 3. The bundle: what a shell that sources it has set and written, and what not.
# 4. Nothing that the client can do: reject, contradictions, ssl off.
# 5. What depends on what was not given.
# 6. Privileges, errors, encodings.
use strict;
use warnings;
use File::Spec ();
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Client;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('client_settings',
	conf => "ssl_min_protocol_version = 'TLSv1.2'\n",
	hba => [ 'hostssl all certuser all cert', 'hostssl all mapuser all cert map=m' ]);
my $node = $server->node;
my $certs = $server->certs;
my $root = $certs->get('root');
my $dir = $certs->{dir};
my $int = $certs->intermediate('int', issuer => $root, subject => '/CN=Test Intermediate');
open my $ident, '>>', $node->data_dir . '/pg_ident.conf' or die $!;
print $ident "m bob mapuser\n";
close $ident;
$server->start;
$server->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE app LOGIN; CREATE ROLE certuser LOGIN; CREATE ROLE mapuser LOGIN;
CREATE ROLE grp; CREATE ROLE grp2; GRANT grp2 TO grp; GRANT grp TO app;
CREATE DATABASE db1;
SQL

###############################################################################
# 1

my $fp_int = $int->{fingerprint};

# name, what is set, what must be told, and what must not be left out
my @cases = (
	{ name => 'no policy', expect => { authentication => 'one-way', PGSSLMODE => 'verify-full', policy_sslmode => 'allow', PGSSLCERT => undef, PGGSSENCMODE => undef } },
	{ name => 'allow', role => 'sslmode=allow', expect => { authentication => 'one-way', PGSSLMODE => 'verify-full' } },
	{ name => 'prefer', role => 'sslmode=prefer', expect => { authentication => 'one-way', PGSSLMODE => 'verify-full', policy_sslmode => 'prefer' } },
	{ name => 'disable', role => 'sslmode=disable', expect => { authentication => 'none by TLS', PGSSLMODE => 'disable', policy_sslmode => 'disable', PGSSLROOTCERT => undef, PGSSLMINPROTOCOLVERSION => undef },
		without => { PGSSLMODE => 'require' }, failed => 'sslmode' },
	{ name => 'require', role => 'sslmode=require', expect => { authentication => 'one-way', PGSSLMODE => 'verify-full', policy_sslmode => 'require', PGGSSENCMODE => 'disable', PGSSLCERT => undef, openssl => undef },
		without => { PGSSLMODE => 'disable' }, failed => 'sslmode' },
	{ name => 'verify-ca', role => 'sslmode=verify-ca', expect => { authentication => 'two-way', policy_sslmode => 'verify-ca', PGSSLMODE => 'verify-full', PGSSLCERT => 'DIR/postgresql.crt', PGSSLKEY => 'DIR/postgresql.key', PGSSLROOTCERT => 'DIR/root.crt', PGSSLCRL => undef, key_permissions => '0600', ca => 'O=Acme,CN=Test Root' },
		without => { PGSSLCERT => 'none' }, failed => 'sslmode' },
	{ name => 'verify-full', role => 'sslmode=verify-full', expect => { policy_sslmode => 'verify-full', common_name => 'app', subject => 'CN=app' },
		without => { PGSSLCERT => 'none' }, failed => 'sslmode, cn' },
	{ name => 'cert', user => 'certuser', role => 'sslmode=cert', expect => { policy_sslmode => 'cert', common_name => 'certuser' },
		without => { PGSSLCERT => 'none' } },
	{ name => 'cert behind a map', user => 'mapuser', role => 'sslmode=cert cn=bob', expect => { common_name => 'bob' },
		without => { PGSSLCERT => 'none' } },
	{ name => 'min_protocol', role => 'min_protocol=TLSv1.3', expect => { PGSSLMINPROTOCOLVERSION => 'TLSv1.3', java_protocols => 'TLSv1.3', java_ciphers => undef, authentication => 'one-way' },
		without => { PGSSLMINPROTOCOLVERSION => 'TLSv1.2', PGSSLMAXPROTOCOLVERSION => 'TLSv1.2' }, failed => 'min_protocol' },
	{ name => 'min_protocol below the default of libpq', role => 'min_protocol=TLSv1', expect => { PGSSLMINPROTOCOLVERSION => 'TLSv1.2' } },
	{ name => 'cipher of TLS 1.3', role => 'cipher=TLS_AES_128_GCM_SHA256', expect => { cipher => 'TLS_AES_128_GCM_SHA256', PGSSLMINPROTOCOLVERSION => 'TLSv1.3', OPENSSL_CONF => 'DIR/openssl.cnf' },
		without => { OPENSSL_CONF => undef }, failed => 'cipher' },
	{ name => 'cipher of TLS 1.2', role => 'cipher=ECDHE-ECDSA-AES128-GCM-SHA256', expect => { PGSSLMAXPROTOCOLVERSION => 'TLSv1.2', PGSSLMINPROTOCOLVERSION => 'TLSv1.2', java_ciphers => 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', java_protocols => 'TLSv1.2' },
		without => { OPENSSL_CONF => undef, PGSSLMAXPROTOCOLVERSION => undef }, failed => 'cipher' },
	{ name => 'ciphers of both', role => 'cipher=ECDHE-ECDSA-AES128-GCM-SHA256 cipher=TLS_AES_128_GCM_SHA256', expect => { PGSSLMAXPROTOCOLVERSION => undef, java_ciphers => 'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_AES_128_GCM_SHA256', java_protocols => 'TLSv1.2,TLSv1.3' } },
	{ name => 'ciphers that two policies accept', role => 'cipher=TLS_AES_128_GCM_SHA256 cipher=TLS_AES_256_GCM_SHA384', group => 'cipher=TLS_CHACHA20_POLY1305_SHA256 cipher=TLS_AES_128_GCM_SHA256',
		expect => { cipher => 'TLS_AES_128_GCM_SHA256' }, without => { OPENSSL_CONF => undef }, failed => 'cipher' },
	{ name => 'cn', role => 'cn=alice cn=bob', expect => { common_name => 'alice' } },
	{ name => 'cn by regex that the role matches', role => 'cn=/^a(p+)$', expect => { common_name => 'app' } },
	{ name => 'dn', role => q{dn='CN=x,UID=7+OU=DB\\\\, West,O=Acm\\\\C3\\\\A9'}, expect => { common_name => 'x' } },
	{ name => 'dn with %u', role => q{dn='CN=%u,O=a/b \\\\+ c'}, expect => { subject => 'CN=app,O=a/b \+ c' } },
	{ name => 'san dns', role => 'san=dns:%u.example.com', expect => { subject_alt_name => 'dns:app.example.com', common_name => 'app' } },
	{ name => 'san email', role => 'san=email:app@Example.com', expect => { subject_alt_name => 'email:app@Example.com' } },
	{ name => 'san uri', role => 'san=uri:spiffe://bank/db/%u', expect => { subject_alt_name => 'uri:spiffe://bank/db/app' } },
	{ name => 'san uri that would be read differently', role => q{'san=uri:x://a,b;c $d ${e} #f "g" copy' } =~ s/^'san=/san='/r, expect => {} },
	{ name => 'san ip', role => 'san=ip:10.1.2.3', expect => { subject_alt_name => 'ip:10.1.2.3' } },
	{ name => 'san ip of IPv6', role => 'san=ip:2001:db8::1', expect => { subject_alt_name => 'ip:2001:db8::1' } },
	{ name => 'san upn', role => 'san=upn:%u@corp.example', expect => { subject_alt_name => 'upn:app@corp.example', common_name => 'app' } },
	{ name => 'san upn outside ASCII', role => "san='upn:b\xc3\xb6b, x\@corp'", expect => { subject_alt_name => "upn:b\xc3\xb6b, x\@corp" } },
	{ name => 'san upn and dns, each of which must hold', role => 'sslmode=verify-full', group => 'san=upn:app@corp', group2 => 'san=dns:app', expect => {} },
	{ name => 'cn or san: the shorter request', role => 'cn=nobody san=uri:x', expect => { common_name => 'nobody', subject_alt_name => undef } },
	{ name => 'names of groups, each of which must hold', role => 'sslmode=verify-full', group => 'cn=bob', group2 => 'san=dns:bob',
		expect => { common_name => 'bob', subject_alt_name => 'dns:bob' } },
	{ name => 'names of the role replace those of its group', role => 'cn=bob', group => 'cn=alice', expect => { common_name => 'bob' } },
	{ name => 'issuer', role => q{issuer='CN=Test Intermediate'}, issuer => $int, expect => { ca => 'issuer=CN=Test Intermediate' },
		wrong => {}, failed => 'issuer' },
	{ name => 'ca_fingerprint', role => "ca_fingerprint=$fp_int", issuer => $int, expect => { ca => "ca_fingerprint=$fp_int" },
		wrong => {}, failed => 'ca_fingerprint' },
	{ name => 'max_lifetime', role => 'sslmode=verify-full max_lifetime=24h', days => 1, expect => { max_lifetime => '1d' },
		wrong => { days => 2 }, failed => 'max_lifetime' },
	{ name => 'the shortest max_lifetime', role => 'max_lifetime=90d', group => 'max_lifetime=1d', days => 1, expect => { max_lifetime => '1d' } },
	{ name => 'on_expiry', role => 'sslmode=verify-full on_expiry=end', expect => { on_expiry => 'end' } },
	{ name => 'a group', group => 'sslmode=verify-full', expect => { authentication => 'two-way', common_name => 'app' }, without => { PGSSLCERT => 'none' }, failed => 'sslmode, cn' },
	{ name => 'a group of a group', group2 => 'min_protocol=TLSv1.3', expect => { PGSSLMINPROTOCOLVERSION => 'TLSv1.3' } },
	{ name => 'a database', db => 'db1', database => 'sslmode=verify-ca', expect => { authentication => 'two-way', PGDATABASE => 'db1' }, without => { PGSSLCERT => 'none' }, failed => 'sslmode' },
	{ name => 'the policy of another database', database => 'sslmode=reject', expect => { authentication => 'one-way' } },
	{ name => 'the default policy', settings => { 'sslpolicy.default_policy' => 'cn=%u-client' }, expect => { common_name => 'app-client' }, without => { PGSSLCERT => 'none' }, failed => 'sslmode, cn' },
	{ name => 'the minimum policy', settings => { 'sslpolicy.minimum_policy' => 'min_protocol=TLSv1.3' }, role => 'sslmode=verify-full', expect => { PGSSLMINPROTOCOLVERSION => 'TLSv1.3', common_name => 'app' } },
	{ name => 'all of them', settings => { 'sslpolicy.minimum_policy' => 'min_protocol=TLSv1.3' }, role => 'san=uri:spiffe://x/%u', group => "ca_fingerprint=$fp_int", group2 => 'max_lifetime=1d',
		database => 'cipher=TLS_AES_128_GCM_SHA256', db => 'db1', days => 1, issuer => $int, expect => { authentication => 'two-way' }, without => { OPENSSL_CONF => undef }, failed => 'cipher' },
	{ name => 'the rule for the address', role => 'address=127.0.0.1 sslmode=verify-full; sslmode=reject', expect => { common_name => 'app', PGHOST => '127.0.0.1' } },
	{ name => 'the rule for another address', role => 'address=127.0.0.1 sslmode=verify-full; sslmode=disable', address => '::1', expect => { PGSSLMODE => 'disable' } },
	{ name => 'IPv6', role => 'sslmode=verify-full', address => '::1', expect => { PGHOST => '::1' } },
	{ name => 'a rule that only logs', role => 'sslmode=verify-full action=log; sslmode=require', expect => { authentication => 'one-way' }, note => [ authentication => qr/action=log ask for more.*sslmode=verify-full; cn=app/ ] },
	{ name => 'enforcement off', role => 'sslmode=verify-full', settings => { 'sslpolicy.enforcement' => 'off' }, expect => { authentication => 'two-way' }, note => [ authentication => qr/sslpolicy\.enforcement is off/ ] });

my %previous;
for my $case (@cases)
{
	my $name = $case->{name};
	my $user = $case->{user} // 'app';
	my %settings = (%previous, %{ $case->{settings} // {} });
	$server->set(%settings) if %settings;
	%previous = map { $_ => undef } keys %{ $case->{settings} // {} };
	$server->label(role => { $user => $case->{role}, grp => $case->{group}, grp2 => $case->{group2} },
		database => { db1 => $case->{database} });

	my $rows = settings_of($server, user => $user, db => $case->{db}, address => $case->{address});
	my %told = map { $_ => value($rows, $_) } keys %{ $case->{expect} };
	is_deeply([ grep { !defined $_->{value} || !defined $_->{note} } @$rows ], [], "$name: nothing is NULL");
	s{\A/.*/}{DIR/} for grep { defined } values %told;
	is_deeply(\%told, $case->{expect}, "$name: what is told");
	is_deeply([ problems($rows) ], [], "$name: no problem");
	like(note_of($rows, $case->{note}[0]), $case->{note}[1], "$name: note") if $case->{note};

	my $client = new_client($server, $rows, $name, days => $case->{days}, issuer => $case->{issuer});
	gets_in($client, $user, $name);

	my $wrong = $case->{without} ? by_environment($client, %{ $case->{without} }) :
	  $case->{wrong} ? by_environment(new_client($server, $rows, $name, %{ $case->{wrong} })) : undef;
	if ($wrong)
	{
		is($wrong->{ok}, 0, "$name: refused without it");
		my ($failed) = $wrong->{err} =~ /Not met: (.*)\./;
		is(($failed // '') =~ s/ \([^)]*\)//gr, $case->{failed}, "$name: for that reason") if $case->{failed};
	}
	$server->label(role => { $user => undef });
}
$server->set(%previous) if %previous;
$server->label(role => { grp => undef, grp2 => undef }, database => { db1 => undef });

# the certificate itself
$server->label(role => { app => 'sslmode=verify-full' });
my $first = new_client($server, settings_of($server), 'fingerprint');
my $fingerprint = $certs->fingerprint("$first->{folder}/postgresql.crt");
$server->label(role => { app => "fingerprint=$fingerprint" });
my $rows = settings_of($server);
is(value($rows, 'fingerprint'), "fingerprint=$fingerprint", 'fingerprint: which certificate');
gets_in(new_client($server, $rows, 'fingerprint', folder => $first->{folder}), 'app', 'fingerprint');
like(by_environment(new_client($server, $rows, 'fingerprint'))->{err}, qr/Not met: fingerprint/, 'fingerprint: another certificate is refused');

# permissions
$server->label(role => { app => 'sslmode=verify-full' });
my $open = new_client($server, settings_of($server), 'permissions');
chmod 0644, "$open->{folder}/postgresql.key";
is(by_environment($open)->{ok}, 0, 'permissions: libpq refuses a key that others may read');

# one's own
my $own = $server->login(user => 'app', cert => { chain => "$first->{folder}/postgresql.crt", key => "$first->{folder}/postgresql.key" },
	sql => q{SELECT string_agg(setting || '=' || value, E'\n' ORDER BY setting) FROM sslpolicy.client_settings() WHERE setting IN ('PGUSER', 'PGDATABASE', 'PGHOST', 'common_name')});
is($own->{out}, "PGDATABASE=postgres\nPGHOST=127.0.0.1\nPGUSER=app\ncommon_name=app", 'one\'s own settings') or diag($own->{err});
$server->sql('CREATE EXTENSION sslpolicy', 'db1');
is($server->sql("SELECT value FROM sslpolicy.client_settings() WHERE setting = 'PGDATABASE'", 'db1'), 'db1', 'one\'s own settings on a Unix socket');

###############################################################################
# 2

sub url_decode
{
	my ($text) = @_;
	return $text =~ s/%([0-9A-F]{2})/chr hex $1/ger;
}

# a string of a program, as bytes
my $string = qr/"(?:[^"\\]|\\.)*"/;
sub program_string
{
	my ($rows, $setting, $where) = @_;
	my ($text) = value($rows, $setting) =~ $where;
	$text = JSON::PP->new->utf8->allow_nonref->decode($text);
	utf8::encode($text);
	return $text;
}

# what psqlODBC makes of a connection string, for libpq: it takes off the braces of Pqopt
# alone, and other values end at the first semicolon
sub of_odbc
{
	my ($text) = @_;
	my %keyword = (Servername => 'host', Port => 'port', Database => 'dbname', Uid => 'user', SSLmode => 'sslmode');
	$text =~ s/\ADriver=\{PostgreSQL Unicode\};// or return 'no driver';
	my $pqopt = $text =~ s/Pqopt=\{((?:[^}]|\}\})*)\};\z// ? $1 =~ s/\}\}/}/gr : '';
	return join ' ', $pqopt, map { my ($k, $v) = split /=/, $_, 2; "$keyword{$k}='" . ($v =~ s/([\\'])/\\$1/gr) . "'" } split /;/, $text;
}

my @hostile = (
	'x y', q{o'neill}, q{a"b}, 'a\\b', '\\', 'a;b', 'a&b=c?d#e', '100%', '%41', 'a/b', 'a+b', 'a,b=c',
	'$(touch pwned)', '`touch pwned`', "new\nline", "tab\there", '-leading', '~root', "caf\xc3\xa9", 'x; {y} [z]', '}', 'x}};y',
	"\xf0\x9f\x90\x98", '<script>', '#x', ' space ', "it's \$HOME \"quoted\" \\' end", 'CN=admin', '*', '!!', "quote'", "a'; rm -rf x; '");
# PostgreSQL 19 has no such names
@hostile = grep { !/\n/ } @hostile if $server->sql('SHOW server_version_num') >= 190000;
my $before = 'previous';
$server->sql("CREATE ROLE $before LOGIN; CREATE DATABASE $before");
for my $role (@hostile)
{
	my $ident = '"' . ($role =~ s/"/""/gr) . '"';
	my $shown = $role =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
	$server->sql("ALTER ROLE $before RENAME TO $ident; ALTER DATABASE $before RENAME TO $ident");
	$before = $ident;
	$server->label(role => { $role => 'sslmode=verify-full' });
	my $told = settings_of($server, user => $role, db => $role);
	is(value($told, 'PGUSER'), $role, "[$shown]: PGUSER");
	is(value($told, 'PGDATABASE'), $role, "[$shown]: PGDATABASE");
	my $client = new_client($server, $told, "[$shown]");
	gets_in($client, $role, "[$shown]", [ 'dash', '-eu' ], ['bash']);

	my ($host, $port, $db, $parameters) = value($told, 'jdbc_url') =~ m{\Ajdbc:postgresql://([\d.]+):(\d+)/([\w.~%-]*)\?([\w.~%&=/-]+)\z};
	my %parameter = map { my ($k, $v) = split /=/; $k => url_decode($v) } split /&/, $parameters // '';
	is_deeply({ host => $host, port => $port, db => url_decode($db // ''), %parameter },
		{ host => '127.0.0.1', port => $node->port, db => $role, user => $role, sslmode => 'verify-full',
			sslrootcert => "$client->{folder}/root.crt", sslcert => "$client->{folder}/postgresql.crt", sslkey => "$client->{folder}/postgresql.pk8" },
		"[$shown]: JDBC URL");

	my $db_url = value($told, 'uri');
	is(value($told, 'go'), $db_url, "[$shown]: Go");
	is(program_string($told, 'asyncpg', qr/await asyncpg\.connect\((.*)\)/), "$db_url&ssl_min_protocol_version=TLSv1.2", "[$shown]: asyncpg");
	is(program_string($told, 'psycopg', qr/psycopg\.connect\((.*)\)/), value($told, 'conninfo'), "[$shown]: psycopg");
	is(program_string($told, 'node_postgres', qr/, $_: ($string)/), $role, "[$shown]: node-postgres, $_") for qw(database user);
	$client->{odbc} = of_odbc(value($told, 'odbc'));
	is(by_conninfo($client, 'odbc')->{out}, $role, "[$shown]: ODBC") or diag(value($told, 'odbc'));

	# in an alternative name as well; of these only a user principal name is not ASCII
	my $ascii = $role !~ /[^\x00-\x7f]/;
	my $san = $ascii ? 'uri:spiffe://x/%u' : 'upn:%u@x';
	$server->label(role => { $role => "san=uri:spiffe://x/%u san=$san" });
	my $uri = new_client($server, settings_of($server, user => $role), "[$shown] as $san");
	is(by_environment($uri)->{out}, $role, "[$shown] as $san: let in");
	ok(!-e "$_->{folder}/pwned", "[$shown]: the shell ran nothing of it") for $client, $uri;
}

# directories
$server->label(role => { app => 'sslmode=verify-full' });
my $told;
my $below = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir('directories'));
for my $directory ('x y', q{o'neill}, q{a"b}, 'a\\b', '%41', '%', '$HOME', '`touch pwned`', 'a&b=c?d#e', 'a+b', ' x ', "caf\xc3\xa9", '~', '-x', '{a};b', '*')
{
	my $shown = "directory [$directory]" =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
	$told = settings_of($server, directory => "$below/$directory/.postgresql/");
	my $client = new_client($server, $told, $shown);
	is($client->{folder}, "$below/$directory/.postgresql", "$shown: below it");
	gets_in($client, 'app', $shown);
	my %got = map { url_decode($_) } value($told, 'jdbc_url') =~ /(sslrootcert|sslcert|sslkey)=([^&]*)/g;
	is_deeply(\%got, { sslrootcert => "$client->{folder}/root.crt", sslcert => "$client->{folder}/postgresql.crt", sslkey => "$client->{folder}/postgresql.pk8" }, "$shown: JDBC URL");
	is(program_string($told, 'psycopg', qr/connect\((.*)\)/), value($told, 'conninfo'), "$shown: psycopg");
	is(program_string($told, 'node_postgres', qr/ca: fs\.readFileSync\(($string)\)/), "$client->{folder}/root.crt", "$shown: node-postgres");
	$client->{odbc} = of_odbc(value($told, 'odbc'));
	is(by_conninfo($client, 'odbc')->{out}, 'app', "$shown: ODBC");
}
is(value(settings_of($server, directory => $_->[0]), 'PGSSLKEY'), "$_->[1]postgresql.key", "directory $_->[0]")
  for [ '/', '/' ], [ '/etc//', '/etc/' ], [ 'C:\\ssl\\pg', 'C:\\ssl\\pg\\' ], [ 'C:\\ssl\\', 'C:\\ssl\\' ], [ 'd:/ssl', 'd:/ssl/' ];
is($server->sql(q{SELECT value FROM sslpolicy.client_settings('app') WHERE setting = 'PGSSLCERT'}), '/etc/ssl/postgresql/postgresql.crt', 'the directory by default');
is($server->sql(q{SET ROLE app; SET SESSION AUTHORIZATION app; SELECT value FROM sslpolicy.client_settings() WHERE setting = 'PGSSLCERT'}), '/etc/ssl/postgresql/postgresql.crt', 'one\'s own directory by default');

# an IPv6 address is in brackets
like(value(settings_of($server, address => '::1'), 'uri'), qr{^postgresql://app\@\[::1\]:\d+/postgres\?sslmode=verify-full&}, 'URL with an IPv6 address');
gets_in(new_client($server, settings_of($server, address => '::1'), 'IPv6'), 'app', 'IPv6');

# pgJDBC cannot verify a server by its IPv6 address
like(value(settings_of($server, address => '::1'), 'jdbc_url'), qr{^jdbc:postgresql://\[::1\]:\d+/postgres\?user=app&sslmode=verify-ca&}, 'JDBC URL with an IPv6 address');

# the key for Java
$rows = settings_of($server);
my $pk8 = new_client($server, $rows, 'PKCS#8');
ok(run_in($dir, {}, 'sh', '-c', value($rows, 'openssl_pkcs8'))->{ok}, 'PKCS#8: the command runs');
ok(run_in($pk8->{folder}, {}, 'openssl', 'pkey', '-inform', 'DER', '-in', 'postgresql.pk8', '-noout')->{ok}, 'PKCS#8: it makes a key in DER');

###############################################################################
# 3. The bundle as a file that a shell sources

$server->label(role => { app => 'sslmode=verify-full cipher=TLS_AES_128_GCM_SHA256' });
$rows = settings_of($server);
my $bundle = value($rows, '(bundle)');
unlike($bundle, qr/PRIVATE KEY/, 'bundle: no key');
my @ours = $bundle =~ /sslpolicy_save (\S+)/g;
is(scalar @ours, 2, 'bundle: it writes two files');
like($_, qr/\Asslpolicy-[0-9a-f]{16}\.(?:crt|cnf)\z/, 'bundle: under a name of its own') for @ours;

# Source it in a new home, which a function has changed; what the shell says, what it has
# set, and what lies in ~/.postgresql.
my $show = 'echo "status $?"; env | grep -E "^(PG(HOST|PORT|DATABASE|USER|SSL|GSS)|OPENSSL_CONF)" | sort';
my $homes = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir('homes'));
my $home_number = 0;
sub sourced
{
	my ($shell, $change, %opt) = @_;
	my $home = "$homes/" . ++$home_number;
	mkdir $home or die $!;
	spew("$home/bundle.sh", $opt{bundle} // $bundle);
	$change->($home) if $change;
	my $result = run_in($home, { HOME => $home, PG_REGRESS => undef, %{ $opt{env} // {} } }, @$shell, '-c', ($opt{before} // '') . '. ./bundle.sh; ' . ($opt{after} // $show));
	return { %$result, home => $home, files => join(' ', sort map { s{.*/}{}r } glob("$home/.postgresql/*")) };
}
my @shells = ([ 'dash' ], [ 'bash' ], [ 'dash', '-eu' ], [ 'bash', '-eu' ], [ 'bash', '--posix' ], [ 'dash', '-C' ]);
my $mine = sub { my ($file) = @_; return sub { mkdir "$_[0]/.postgresql" or die $!; spew("$_[0]/.postgresql/$file", "mine\n") } };
for my $shell (@shells)
{
	my $name = "bundle in @$shell";
	my $first = sourced($shell);
	is($first->{files}, join(' ', sort @ours), "$name: its files alone");
	is($first->{err}, '', "$name: nothing is said");
	is(sprintf('%o', (stat "$first->{home}/.postgresql")[2] & 07777), '700', "$name: the folder");
	my %env = map { split /=/, $_, 2 } grep { /=/ } split /\n/, $first->{out};
	my %want = map { $_->{setting} => value($rows, $_->{setting}) } grep { $_->{setting} =~ /^(?:PG|OPENSSL_CONF$)/ } @$rows;
	$want{PGSSLROOTCERT} = "$first->{home}/.postgresql/" . (grep { /crt/ } @ours)[0];
	$want{OPENSSL_CONF} = "$first->{home}/.postgresql/" . (grep { /cnf/ } @ours)[0];
	$want{$_->[0]} = "$first->{home}/.postgresql/postgresql.$_->[1]" for [ PGSSLCERT => 'crt' ], [ PGSSLKEY => 'key' ];
	is_deeply(\%env, \%want, "$name: the environment is that of the rows");
	like($first->{out}, qr/^status 0$/m, "$name: status");

	my $twice = sourced($shell, undef, after => ". ./bundle.sh; $show");
	is($twice->{out} =~ s/\Q$twice->{home}/$first->{home}/gr, $first->{out}, "$name: twice is the same");
	is($twice->{err}, '', "$name: twice, nothing is said");
	my $left = sourced($shell, undef, before => 'set >before; ', after => 'set >after');
	my %names = map { my $file = $_; $file => { map { /^(\w+)=/ ? ($1 => 1) : () } split /\n/, slurp_file("$left->{home}/$file") } } qw(before after);
	is_deeply([ grep { !$names{before}{$_} && !exists $want{$_} && !/^(?:_|BASH_LINENO|PIPESTATUS)$/ } sort keys %{ $names{after} } ], [], "$name: no variable is left over");
	unlike(slurp_file("$left->{home}/after"), qr/sslpolicy_/, "$name: no function either");

	my $beside = sourced($shell, $mine->('root.crt'));
	is(slurp_file("$beside->{home}/.postgresql/root.crt"), "mine\n", "$name: root.crt is unchanged");
	like($beside->{out}, qr/^PGUSER=app$/m, "$name: beside a root.crt");

	my $stops = "@$shell" =~ /-eu/;
	my $nothing = sub {
		my ($result, $why, $what) = @_;
		is($result->{out}, $stops ? '' : 'status 1', "$name: $what: nothing is set" . ($stops ? ', the shell stops' : ''));
		like($result->{err}, qr/^sslpolicy: .*$why; nothing was set$/m, "$name: $what: it says so");
		return $result;
	};
	for my $file (@ours)
	{
		my $foreign = $nothing->(sourced($shell, $mine->($file)), 'already exists, and is not the file to be written', "another $file");
		is(slurp_file("$foreign->{home}/.postgresql/$file"), "mine\n", "$name: another $file: it stays");
		my $link = $nothing->(sourced($shell, sub { mkdir "$_[0]/.postgresql"; symlink "$_[0]/target", "$_[0]/.postgresql/$file" or die $! }),
			'already exists, and is not the file to be written', "$file is a dangling link");
		ok(!-e "$link->{home}/target", "$name: $file is a dangling link: nothing is written through it");
		$nothing->(sourced($shell, sub { mkdir "$_[0]/.postgresql"; spew("$_[0]/target", "mine\n"); symlink "$_[0]/target", "$_[0]/.postgresql/$file" or die $! }),
			'already exists, and is not the file to be written', "$file is a link");
	}
	$nothing->(sourced($shell, undef, env => { HOME => '' }), 'HOME is not set to an absolute path', 'an empty HOME');
	$nothing->(sourced($shell, undef, before => 'unset HOME; '), 'HOME is not set to an absolute path', 'no HOME');
	$nothing->(sourced($shell, undef, env => { HOME => 'here' }), 'HOME is not set to an absolute path', 'a relative HOME');
	$nothing->(sourced($shell, undef, env => { HOME => "$homes/none" }), 'could not create \S+', 'a HOME that is not there');
	$nothing->(sourced($shell, sub { mkdir "$_[0]/.postgresql"; chmod 0500, "$_[0]/.postgresql" }), 'could not write into \S+', 'a folder that cannot be written');
	$nothing->(sourced($shell, sub { spew("$_[0]/.postgresql", '') }), 'could not create \S+', 'a file in the place of the folder');
}

# what another bundle has set does not stay
$server->label(role => { app => 'sslmode=disable' });
my $after = sourced(['dash'], undef, after => ". ./other.sh; $show", before => "cat >other.sh <<'EOF'\n" . value(settings_of($server), '(bundle)') . "\nEOF\n");
is($after->{out}, "status 0\nPGDATABASE=postgres\nPGHOST=127.0.0.1\nPGPORT=" . $node->port . "\nPGSSLMODE=disable\nPGUSER=app", 'bundle: after another one');
$server->label(role => { app => 'sslmode=reject' });
my $rejected = sourced(['dash'], undef, bundle => value(settings_of($server), '(bundle)'));
is($rejected->{out}, 'status 1', 'bundle: reject sets nothing');
like($rejected->{err}, qr/sslmode=reject.*\nsslpolicy: nothing was set$/, 'bundle: reject, and why');

###############################################################################
# 4

my $err;
sub told_problem
{
	my ($name, $policies, $regex, %opt) = @_;
	$server->label(role => { app => $policies->{role}, grp => $policies->{group} }, database => { db1 => $policies->{database} });
	my $told = settings_of($server, %opt);
	like(join("\n", problems($told)), $regex, "$name: told");
	return $told;
}
$told = told_problem('reject', { role => 'sslmode=reject' }, qr/sslmode=reject: no connection/);
is(value($told, 'conninfo'), undef, 'reject: no settings');
is(value($told, 'policy_sslmode'), 'reject', 'reject: the mode');
told_problem('reject by a group', { role => 'sslmode=prefer', group => 'sslmode=reject' }, qr/policy of role "grp"/);
told_problem('disable and require', { role => 'sslmode=disable', group => 'sslmode=require' }, qr/sslmode=require \(policy of role "grp", rule 1\)/);
told_problem('ciphers that nothing is common to', { role => 'cipher=TLS_AES_128_GCM_SHA256', group => 'cipher=TLS_AES_256_GCM_SHA384' }, qr/cipher=/);
told_problem('an old cipher and a new protocol', { role => 'cipher=ECDHE-RSA-AES128-GCM-SHA256 min_protocol=TLSv1.3' }, qr/min_protocol=TLSv1\.3/);
$told = told_problem('names that no certificate has together', { role => 'sslmode=verify-full', group => 'cn=bob' }, qr/^$/);
is(value($told, 'common_name'), 'bob', 'names of one group');
$server->sql("UPDATE pg_shseclabel SET label = 'nonsense' WHERE objoid = 'grp'::regrole");
like(join("\n", problems(settings_of($server))), qr/a policy that can be read/, 'a policy that cannot be read: told');
$told = told_problem('a regex that nothing is known to match', { role => 'cn=/^x[0-9]+$' }, qr/^$/);
is(value($told, 'openssl'), undef, 'a regex: no command');
is(value($told, 'names'), 'cn=/^x[0-9]+$', 'a regex: what to choose');
$server->label(role => { grp => 'cn=alice', grp2 => 'cn=bob', app => 'sslmode=verify-full' });
like(value(settings_of($server), 'names'), qr/cn=alice; and cn=bob/, 'two names that exclude each other: both are told');
$server->label(role => { grp => undef, grp2 => undef, app => q{dn='CN=x,OU=DB+UID=7'} });
is(value(settings_of($server), 'openssl'), undef, 'a DN that no certificate prints like that: no command');
$server->label(role => { app => 'sslmode=verify-ca' });

$server->set(ssl_ca_file => '');
like(join("\n", problems(settings_of($server))), qr/ssl_ca_file on the server is empty/, 'no ssl_ca_file: told');
$server->set(ssl_ca_file => "$dir/root.crt", ssl => 'off');
like(join("\n", problems(settings_of($server))), qr/TLS is required, but ssl is off/, 'ssl off: told');
(undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT sslpolicy.server_ca()");
like($err, qr/ERROR:  55000: ssl is off/, 'ssl off: server_ca');
$server->label(role => { app => undef });
$told = settings_of($server);
is(value($told, 'PGSSLMODE'), 'prefer', 'ssl off: what works');
is_deeply([ problems($told) ], [], 'ssl off: no problem without a policy');
gets_in(new_client($server, $told, 'ssl off', host => '127.0.0.1'), 'app', 'ssl off');
$server->set(ssl => 'on', ssl_max_protocol_version => 'TLSv1.2');
$server->label(role => { app => 'min_protocol=TLSv1.3' });
like(join("\n", problems(settings_of($server))), qr/ssl_max_protocol_version on the server is TLSv1\.2/, 'ssl_max_protocol_version: told');
$server->set(ssl_max_protocol_version => undef);

###############################################################################
# 5

$server->label(role => { app => 'address=10.0.0.0/8 sslmode=require; database=db1 min_protocol=TLSv1.3; sslmode=verify-full' });
$told = settings_of($server, no_address => 1, no_db => 1);
is(value($told, 'authentication'), 'two-way', 'not given: the strictest certificate');
is(value($told, 'PGSSLMINPROTOCOLVERSION'), 'TLSv1.3', 'not given: the strictest protocol');
like(note_of($told, 'authentication'), qr/Depends on the client's address or the database.*sslmode=require.*min_protocol=TLSv1\.3.*cn=app/, 'not given: told');
like(note_of($told, 'authentication'), qr/policies of databases are not looked at/, 'not given: databases');
is_deeply([ problems($told) ], [], 'not given: no problem');
is(value($told, 'PGDATABASE'), undef, 'not given: no database');
unlike(value($told, 'conninfo'), qr/dbname/, 'not given: none in the connection string');
my $strict = new_client($server, $told, 'not given');
$strict->{env}{PGDATABASE} = $strict->{database} = 'db1';
$strict->{$_} .= ' dbname=db1' for qw(conninfo conninfo_without_paths);
$strict->{uri} =~ s{\?}{/db1?};
gets_in($strict, 'app', 'not given: the strictest');
$server->label(role => { app => "database=replication sslmode=verify-full; sslmode=reject" });
$told = settings_of($server, db => '');
is(value($told, 'common_name'), 'app', 'physical replication: its rule');
like(value($told, 'conninfo'), qr/ replication=true /, 'physical replication: the connection string');
$server->label(role => { app => 'address=10.0.0.0/8 sslmode=require; database=db1 min_protocol=TLSv1.3; sslmode=verify-full' });
$told = settings_of($server, address => '10.1.1.1');
is(value($told, 'authentication'), 'one-way', 'given: what applies');
unlike(note_of($told, 'authentication'), qr/Depends/, 'given: nothing depends');
is(value(settings_of($server, db => 'db1'), 'PGSSLMINPROTOCOLVERSION'), 'TLSv1.3', 'given: the rule of a database');
$server->label(role => { app => 'address=10.0.0.0/8 sslmode=disable; sslmode=require' });
isnt(join("\n", problems(settings_of($server, no_address => 1))), '', 'rules that exclude each other: told');
$server->label(role => { app => undef });

###############################################################################
# 6

$server->sql('CREATE ROLE stranger LOGIN; CREATE ROLE helper LOGIN; CREATE ROLE boss LOGIN SUPERUSER; '
	  . 'GRANT EXECUTE ON FUNCTION sslpolicy.client_settings(regrole, name, inet, text) TO helper');
sub as
{
	my ($user, $sql) = @_;
	return $server->login(user => $user, sslmode => 'require', sql => $sql);
}
is(as('stranger', q{SELECT value FROM sslpolicy.client_settings() WHERE setting = 'PGUSER'})->{out}, 'stranger', 'everybody: one\'s own settings');
like(as('stranger', 'SELECT sslpolicy.client_bundle()')->{out}, qr/export PGUSER=stranger$/m, 'everybody: one\'s own bundle');
like(as('stranger', q{SELECT sslpolicy.client_bundle('stranger')})->{err}, qr/permission denied for function client_bundle/, 'not granted: the bundle of a role');
like(as('stranger', 'SELECT sslpolicy.server_ca()')->{out}, qr/BEGIN CERTIFICATE/, 'everybody: server_ca');
is(as('stranger', 'SELECT count(*) > 0 FROM sslpolicy.version()')->{out}, 't', 'everybody: version');
is(as('stranger', 'SELECT count(*) > 0 FROM sslpolicy.check_all()')->{out}, 't', 'everybody: check_all');
like(as('stranger', q{SELECT * FROM sslpolicy.client_settings('stranger')})->{err}, qr/permission denied for function client_settings/, 'not granted: even for oneself by name');
like(as('stranger', q{SELECT * FROM sslpolicy.client_settings('app', 'postgres', '::1')})->{err}, qr/permission denied/, 'not granted: others');
is(as('helper', q{SELECT value FROM sslpolicy.client_settings('app') WHERE setting = 'PGUSER'})->{out}, 'app', 'granted: others');
for my $bad (
	[ q{NULL::regrole}, '22004', 'role must not be null' ],
	[ q{'app', 'nowhere'}, '3D000', 'database "nowhere" does not exist' ],
	[ q{'app', NULL, '10.0.0.0/8'}, '22023', 'address must be that of a client' ],
	[ q{'app', directory => NULL}, '22004', 'directory must not be null' ],
	(map { [ "'app', directory => $_", '22023', 'directory must be an absolute path\nDETAIL:  The path must begin' ] }
		q{''}, q{'relative'}, q{'~/x'}, q{'C:x'}, q{'C:'}, q{E'/a\\nb'}, q{E'/a\\x7f'}),
	[ q{'nobody'}, '42704', 'role "nobody" does not exist' ],
	[ q{12345::regrole}, '42704', 'role with OID 12345 does not exist|invalid role OID' ])
{
	(undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT * FROM sslpolicy.client_settings($bad->[0])");
	like($err, qr/ERROR:  $bad->[1]: (?:$bad->[2])/, "client_settings($bad->[0])");
	next if $bad->[0] =~ /directory/;
	(undef, undef, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT sslpolicy.client_bundle($bad->[0])");
	like($err, qr/ERROR:  $bad->[1]: (?:$bad->[2])/, "client_bundle($bad->[0])");
}

# a name that is no UTF-8
$server->sql(q{CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0});
$server->sql('CREATE EXTENSION sslpolicy', 'latin');
$server->sql(q{SET client_encoding = 'UTF8'; CREATE ROLE "caf} . "\xc3\xa9" . q{" LOGIN}, 'latin');
is($server->sql(q{SELECT value FROM sslpolicy.client_settings((SELECT oid FROM pg_roles WHERE rolname LIKE 'caf%')::regrole) WHERE setting IN ('problem', 'PGUSER') AND note LIKE '%UTF-8%' AND value LIKE 'PGUSER%'}, 'latin'),
	'PGUSER cannot be shown', 'a role name that is no UTF-8: told');
(undef, undef, $err) = $node->psql('latin', q{\set VERBOSITY verbose
SELECT sslpolicy.client_bundle((SELECT oid FROM pg_roles WHERE rolname LIKE 'caf%')::regrole)});
like($err, qr/ERROR:  22021: the settings cannot be shown\nDETAIL:.*is not valid UTF-8/, 'a role name that is no UTF-8: no bundle');
$server->sql('DROP DATABASE latin');

$server->stop;
done_testing();
