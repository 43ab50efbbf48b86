# sslpolicy.lint(): each finding on a server that has the fault, and none on one
# that has not.
#
# 1. a table of faults: before and after each the server is in order, and with it
#    lint() finds this and nothing else
# 2. who may call it; 1,000 roles; names in other encodings
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('lint',
	conf => "sslpolicy.recheck_policy = terminate\nsslpolicy.minimum_policy = 'sslmode=require'\n");
my ($certs, $node) = ($server->certs, $server->node);
my $dir = $certs->{dir};
my $data = $node->data_dir;
my $day = 24 * 3600;

$certs->ca('other', subject => '/CN=Other Root');
$certs->ca('soonca', subject => '/CN=Soon Root', days => 10);
$certs->ca('oldca', subject => '/CN=Old Root', not_before => time - 90 * $day, not_after => time - $day);
$certs->ca('aged', subject => '/CN=Test Root/O=Acme', key_name => 'root', not_before => time - 90 * $day, not_after => time - $day);
$certs->ca('absent', subject => '/CN=Absent Root');
$certs->intermediate('orphan', issuer => 'absent', subject => '/CN=Orphan');
$certs->intermediate('inner', issuer => 'root', subject => '/CN=Inner');
$certs->intermediate('innermost', issuer => 'inner', subject => '/CN=Innermost');
$certs->client('app', issuer => 'root', subject => '/CN=app');
$certs->server('soon', issuer => 'root', days => 10);
$certs->server('expired', issuer => 'root', not_before => time - 90 * $day, not_after => time - $day);
$certs->server('future', issuer => 'root', not_before => time + 5 * $day, days => 90);
$certs->server('nosan', issuer => 'root', san => ['email:root@example.com']);
$certs->server('selfsigned', issuer => 'self');
$certs->server('anybody', issuer => 'root', eku => undef);
$certs->server('clientonly', issuer => 'root', eku => ['clientAuth']);
rename "$dir/selfsigned.crt", "$dir/ssl-cert-snakeoil.pem" or die;
symlink "$dir/ssl-cert-snakeoil.pem", "$dir/default.crt" or die;
write_file("$dir/selfsigned.crt", slurp_file("$dir/ssl-cert-snakeoil.pem"));
write_file("$dir/both.pem", slurp_file("$dir/server.crt"), slurp_file("$dir/server.key"));
chmod 0644, "$dir/both.pem" or die;
$certs->bundle("$_->[0].crt", 'root', @$_[ 1 .. $#$_ ])
  for ['two', 'other'], ['withsoon', 'soonca'], ['withold', 'oldca'], ['withaged', 'aged'],
  ['withapp', 'app'], ['withorphan', 'orphan'], ['withinner', 'inner'], ['withchain', 'innermost', 'inner'];
my $ca_path = $certs->bundle('trusted.crt', 'root');
write_file("$dir/root.crl", make_crl($certs, 'root', 5, days => 90));
write_file("$dir/two.crl", map { make_crl($certs, $_, 5, days => 90) } qw(root other));
write_file("$dir/soon.crl", make_crl($certs, 'root', 5, days => 10));
write_file("$dir/old.crl", make_crl($certs, 'root', 5, next => time - 100));
write_file("$dir/big.crl", make_crl($certs, 'root', 5, days => 90, fill => 10_001));
write_file("$dir/delta.crl", make_crl($certs, 'root', 5, days => 90), make_crl($certs, 'root', 6, days => 90, delta => 5));
write_file("$dir/garbage.crl", "garbage\n");

my @good_hba = ('local all all trust', 'hostssl all all all scram-sha-256 clientcert=verify-ca');

# pg_hba.conf, as lint() reads it: on disk.  It does not come into force, so that
# nothing here locks the test out; and it looks as old as if it had.
sub hba
{
	my (@lines) = @_;
	write_file("$data/pg_hba.conf", map { "$_\n" } @lines);
	utime time - 3600, time - 3600, "$data/pg_hba.conf" or die;
	return;
}

sub codes { return $server->sql(q{SELECT coalesce(string_agg(code, ' ' ORDER BY code COLLATE "C"), '') FROM sslpolicy.lint()}) }
sub all { return $server->sql('SELECT * FROM sslpolicy.lint()') }
sub reload { return $server->sql(q{SELECT coalesce(error, 'ok') FROM sslpolicy.reload()}) }

# helpers for the table: what to do, and to undo
sub settings
{
	my (%settings) = @_;
	my %before;
	return (
		sub {
			%before = map { $_ => $server->sql("SHOW $_") } keys %settings;
			$server->set(%settings);
		},
		sub {
			$server->sql("ALTER SYSTEM RESET $_") for keys %settings;
			$server->sql('SELECT pg_reload_conf()');
			for my $name (keys %settings)
			{
				$node->poll_query_until('postgres', "SELECT current_setting('$name') = " . $server->literal($before{$name})) or die;
			}
		});
}
sub cas { return settings(ssl_ca_file => "$dir/$_[0].crt") }
sub server_certificate { return settings(ssl_cert_file => "$dir/$_[0].crt", ssl_key_file => "$dir/" . ($_[1] // $_[0]) . '.key') }
sub sql { my ($do, $undo) = @_; return (sub { $server->sql($do) }, sub { $server->sql($undo) }) }
sub app { my ($policy) = @_; return (sub { $server->label(role => { app => $policy }) }, sub { $server->label(role => { app => 'sslmode=verify-full' }) }) }
sub line_of_conf
{
	my ($line) = @_;
	return (
		sub { append_to_file("$data/postgresql.conf", "$line\n") },
		sub { write_file("$data/postgresql.conf", slurp_file("$data/postgresql.conf") =~ s/\Q$line\E\n//r) });
}
sub lines { my (@lines) = @_; return (sub { hba(@lines) }, sub { hba(@good_hba) }) }
sub both
{
	my @steps = @_;
	return (sub { $steps[0]->(); $steps[2]->() }, sub { $steps[3]->(); $steps[1]->() });
}

$node->append_conf('postgresql.conf', "ssl_ca_file = '$ca_path'\nallow_system_table_mods = on\n");
write_file("$data/pg_hba.conf", map { "$_\n" } @good_hba);
$server->start;
hba(@good_hba);
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN REPLICATION; CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor;
	CREATE ROLE plain LOGIN; CREATE DATABASE shop});
$server->label(role => { app => 'sslmode=verify-full' });

# 1.  name, codes, what the findings say, how to do it and undo it
my $root_dn = 'O=Acme,CN=Test Root';
my $zeros = '00' x 32;
my @faults = (
	['ssl off', 'ssl_off', qr/Policies: setting sslpolicy.minimum_policy, role "app"/, settings(ssl => 'off')],
	['no ssl_ca_file', 'ca_file_missing', qr/^error.*Policies: role "app"\./m, settings(ssl_ca_file => '')],
	['a stored policy that cannot be read', 'policy_unreadable', qr/^error\|policy_unreadable\|role "app"\|/m,
		sub { $server->sql(q{UPDATE pg_shseclabel SET label = 'sslmode=perfer' WHERE objoid = 'app'::regrole}) }, (app('x'))[1]],

	# pg_hba.conf
	['a broken line', 'hba_broken', qr/There are errors in pg_hba\.conf, line 3:/, lines(@good_hba, 'nonsense secret=word')],
	['a host line', 'hba_without_tls', qr/^warning\|hba_without_tls\|pg_hba\.conf, line 2\|.*Roles: "app", "monitor", "plain" and \d+ more\./m,
		lines($good_hba[0], 'host all all all scram-sha-256', $good_hba[1])],
	['a host line with passwords in clear text', 'hba_without_tls', qr/line 2\|.*method ldap the password has crossed.*Roles: "app"\.\|Put a hostnossl line with reject before it/,
		lines($good_hba[0], 'hostnossl shop app 10.0.0.0/8 ldap ldapserver=localhost ldapprefix=cn=', $good_hba[1])],
	['a host line for replication', 'hba_without_tls', qr/Roles: "app", "[^"]+"\./,
		lines($good_hba[0], 'host replication all 10.0.0.0/8 scram-sha-256', $good_hba[1])],
	['no clientcert', 'hba_without_certificate', qr/^info\|.*line 2\|.*Roles: "app"\./m, lines($good_hba[0], 'hostssl all all all scram-sha-256')],
	['no clientcert, where the database asks for a certificate', 'hba_without_certificate', qr/line 2\|.*Roles: "app", "monitor", "plain"\./,
		both(sql(q{SECURITY LABEL FOR sslpolicy ON DATABASE shop IS 'sslmode=verify-ca'}, q{SECURITY LABEL FOR sslpolicy ON DATABASE shop IS NULL}),
			lines($good_hba[0], 'hostssl all all all scram-sha-256'))],
	['sslmode=cert without a cert line', 'cert_without_hba_line', qr/^error\|cert_without_hba_line\|policies of roles\|.*Roles: "app"\./m, app('sslmode=cert')],
	['sslmode=cert with one that is never reached', 'cert_without_hba_line', qr/Roles: "app"\./,
		both(app('sslmode=cert'), lines(@good_hba, 'hostssl all app all cert'))],
	['sslmode=cert with one for other names', 'cert_without_hba_line', qr/Roles: "app"\./,
		both(app('sslmode=cert'), lines($good_hba[0], 'hostssl all /^pp all cert', $good_hba[1]))],
	['sslmode=cert with one for other addresses', 'cert_without_hba_line', qr/Roles: "app"\./,
		both(app('address=10.0.0.0/8 sslmode=cert; sslmode=verify-full'), lines($good_hba[0], 'hostssl all app 192.168.0.0/16 cert', $good_hba[1]))],
	['no local line', 'no_way_back', qr/\|pg_hba\.conf\|No local line/, lines($good_hba[1])],
	['a local line that rejects', 'no_way_back', qr/No local line/, lines('local all all reject', @good_hba)],
	['a changed pg_hba.conf', 'hba_not_loaded', qr/./, sub { utime time + 60, time + 60, "$data/pg_hba.conf" }, (lines())[1]],

	# names
	['a database that is not', 'database_unknown', qr/database "nowhere"\|.*Policies: role "app"\./, app('database=nowhere sslmode=verify-ca; sslmode=verify-full')],
	['an issuer that is not', 'issuer_unknown', qr/^warning.*issuer=CN=Nobody/m, app('issuer=CN=Nobody')],
	['one of two issuers', 'issuer_unknown', qr/^info.*issuer=CN=Nobody/m, app("issuer=CN=Nobody issuer='$root_dn'")],
	['a CA fingerprint that is not', 'ca_fingerprint_unknown', qr/^warning.*ca_fingerprint=$zeros/m, app("ca_fingerprint=$zeros")],
	['a reserved role that is not', 'reserved_role_unknown', qr/role "gone"/, settings('sslpolicy.reserved_roles' => 'gone, app')],
	['an issuer by its DN alone', 'issuer_by_dn_only', qr/trusts 2 CAs.*Policies: role "app"\./, both(cas('two'), app("issuer='$root_dn'"))],
	['a cipher that is not offered', 'cipher_not_offered', qr/^error/m,
		both(settings(ssl_ciphers => 'ECDHE-ECDSA-AES256-GCM-SHA384'), app('cipher=ECDHE-ECDSA-AES128-GCM-SHA256'))],
	['ciphers that are older than the TLS version', 'cipher_too_old', qr/^error.*Policies: role "app"/m,
		app('min_protocol=TLSv1.3 cipher=ECDHE-RSA-AES256-GCM-SHA384')],
	['a TLS version that is not offered', 'protocol_not_offered', qr/at most TLSv1.2/, both(settings(ssl_max_protocol_version => 'TLSv1.2'), app('min_protocol=TLSv1.3'))],

	# roles
	['a policy of a predefined role', 'predefined_role', qr/^warning\|predefined_role\|role "pg_monitor"\|/m,
		sql(q{SECURITY LABEL FOR sslpolicy ON ROLE pg_monitor IS 'sslmode=prefer'}, q{SECURITY LABEL FOR sslpolicy ON ROLE pg_monitor IS NULL})],
	['a policy that binds nobody', 'policy_binds_nobody', qr/Roles: "idle"\./,
		sql(q{CREATE ROLE idle; SECURITY LABEL FOR sslpolicy ON ROLE idle IS 'sslmode=require'}, 'DROP ROLE idle')],
	['a policy of a login role with members', 'members_not_bound', qr/^info.*Roles: "lead"\./m,
		sql(q{CREATE ROLE lead LOGIN; CREATE ROLE led LOGIN IN ROLE lead; SECURITY LABEL FOR sslpolicy ON ROLE lead IS 'sslmode=verify-ca'}, 'DROP ROLE led; DROP ROLE lead')],
	['a policy that binds only a superuser', 'policy_binds_nobody', qr/Roles: "idle"\./,
		sql(q{CREATE ROLE idle; CREATE ROLE root SUPERUSER LOGIN IN ROLE idle; SECURITY LABEL FOR sslpolicy ON ROLE idle IS 'sslmode=require'}, 'DROP ROLE root; DROP ROLE idle')],
	['a superuser without policy', 'superuser_without_policy', qr/Roles: "[^"]+"\./, settings('sslpolicy.minimum_policy' => '')],

	# the server's certificate
	['a server certificate that expires soon', 'server_certificate_expiring', qr/CN=soon.*less than 30 days/, server_certificate('soon')],
	['one that has expired', 'server_certificate_expired', qr/^error.*CN=expired/m, server_certificate('expired')],
	['one that is not valid yet', 'server_certificate_not_yet_valid', qr/^error/m, server_certificate('future')],
	['one without SAN', 'server_certificate_without_san', qr/CN=nosan/, server_certificate('nosan')],
	['one for clients', 'server_certificate_for_clients server_certificate_wrong_purpose', qr/^error/m, server_certificate('clientonly')],
	['one that clients could use', 'server_certificate_for_clients', qr/^warning\|[^|]*\|server certificate "CN=anybody"\|.*\|.*extendedKeyUsage = serverAuth alone/m, server_certificate('anybody')],
	['a self-signed one', 'server_certificate_self_signed', qr/CN=selfsigned/, server_certificate('selfsigned')],
	['the one of the distribution', 'server_certificate_default', qr/^warning/m, server_certificate('default', 'selfsigned')],
	['a key that others can read', 'files_not_loadable key_readable_by_others', qr/file "[^"]*server\.key"\|.*0644/,
		sub { chmod 0644, "$dir/server.key" }, sub { chmod 0600, "$dir/server.key" }],
	['a key in a file that others can read', 'key_readable_by_others', qr/both\.pem"\|ssl_cert_file is/, settings(ssl_cert_file => "$dir/both.pem")],

	# CAs
	['a CA that expires soon', 'ca_expiring', qr/CN=Soon Root.*less than 30 days/, cas('withsoon')],
	['one that has expired', 'ca_expired', qr/^error.*CN=Old Root/m, cas('withold')],
	['one that has expired, and was renewed', 'ca_expired', qr/^info.*Test Root/m, cas('withaged')],
	['one that is none', 'ca_is_no_ca', qr/CN=app/, cas('withapp')],
	['one without its root', 'ca_verifies_nobody', qr/CN=Orphan/, cas('withorphan')],

	# CRLs
	['a CRL of a stranger', 'crl_issuer_unknown', qr/CRL of "CN=Other Root"/, settings(ssl_crl_file => "$dir/two.crl")],
	['a CA without CRL', 'ca_without_crl', qr/^error.*CN=Other Root/m, both(cas('two'), settings(ssl_crl_file => "$dir/root.crl"))],
	['a CA without CRL of ours', 'ca_without_crl', qr/^error.*CN=Other Root.*sslpolicy\.crl_file/m, both(cas('two'), own_crl('root'))],
	['a CRL that expires soon', 'crl_expiring', qr/CRL of "$root_dn".*less than 30 days/, settings(ssl_crl_file => "$dir/soon.crl")],
	['one of ours', 'crl_expiring', qr/CRL of "$root_dn"/, own_crl('soon')],
	['a CRL that has expired', 'crl_expired', qr/^error/m, settings(ssl_crl_file => "$dir/old.crl")],
	['a big CRL', 'big_crl_file', qr/big\.crl"\|It lists 10001/, settings(ssl_crl_file => "$dir/big.crl")],
	['a delta CRL', 'crl_unusable', qr/^warning.*CRL of "$root_dn".*delta/m, settings(ssl_crl_file => "$dir/delta.crl")],
	['CRLs of ours that cannot be read', 'crl_not_in_force', qr/^error.*garbage\.crl/m, own_crl('garbage')],

	# settings
	['TLS below 1.2', 'old_tls_allowed', qr/TLSv1\.1/, settings(ssl_min_protocol_version => 'TLSv1.1')],
	['ciphers that do not encrypt', 'null_ciphers', qr/^error.*Ciphers: NULL-SHA256\./m, settings(ssl_ciphers => 'HIGH:!aNULL:NULL-SHA256')],
	['ciphers without a certificate', 'anonymous_ciphers', qr/^error.*ADH/m, settings(ssl_ciphers => 'HIGH')],
	['broken ciphers', 'null_ciphers weak_ciphers', qr/^warning\|weak_ciphers.*NULL-MD5/m, settings(ssl_ciphers => 'HIGH:!aNULL:NULL-MD5')],
	['enforcement log', 'enforcement_log', qr/^warning/m, settings('sslpolicy.enforcement' => 'log')],
	['enforcement off', 'enforcement_off', qr/^error/m, settings('sslpolicy.enforcement' => 'off')],
	['under log nobody is locked out', 'ca_file_missing enforcement_log', qr/^warning\|ca_file_missing/m, settings('sslpolicy.enforcement' => 'log', ssl_ca_file => '')],
	['recheck_policy log', 'recheck_policy_log', qr/^info/m, settings('sslpolicy.recheck_policy' => 'log')],
	['recheck_policy off', 'recheck_policy_off', qr/^info/m, settings('sslpolicy.recheck_policy' => 'off')],
	['and on_expiry=end', 'recheck_policy_off', qr/^warning.*on_expiry=end/m, both(settings('sslpolicy.recheck_policy' => 'off'), app('sslmode=verify-full on_expiry=end'))],
	['recheck_revoked log', 'recheck_revoked_log', qr/^info/m, settings('sslpolicy.recheck_revoked' => 'log')],
	['recheck_revoked off', 'recheck_revoked_off', qr/^warning/m, settings('sslpolicy.recheck_revoked' => 'off', 'sslpolicy.blocked_fingerprints' => $zeros)],
	['logged parse trees', 'log_keeps_keys', qr/Settings: debug_print_parse\./, sql('ALTER ROLE plain SET debug_print_parse = on', 'ALTER ROLE plain RESET ALL')],

	# files and what is in force
	['a changed CA file', 'file_not_in_force', qr/trusted\.crt/, ca_file('two', 0)],
	['a CA file that is not loaded', 'files_not_loadable reload_failed', qr/^error\|reload_failed.*could not load root certificate file/m, ca_file('garbage', 1)],
	['settings that are not loaded', 'setting_not_in_force', qr/setting ssl_ca_file\|.*two\.crt" *, and "[^"]*trusted/,
		sql("ALTER SYSTEM SET ssl_ca_file = '$dir/two.crt'", 'ALTER SYSTEM RESET ssl_ca_file')],
	['a broken postgresql.conf', 'configuration_broken', qr/syntax error/, line_of_conf('nonsense')],
	map({ my ($what, $line, $text) = @$_;
		[$what, 'setting_rejected', $text, line_of_conf($line)] }
		['a policy in postgresql.conf that is none', "sslpolicy.minimum_policy = 'sslmode=requir'",
			qr/^error\|setting_rejected\|\S*postgresql\.conf, line \d+\|The value of "sslpolicy\.minimum_policy" is not accepted.*does not start/m],
		['a setting that there is not', "sslpolicy.minimumpolicy = 'sslmode=require'",
			qr/There is no setting "sslpolicy\.minimumpolicy".*name ~ '\^sslpolicy'/],
		['a value of a setting of the server', 'work_mem = foo', qr/The value of "work_mem" is not accepted/],
		['one whose name has capitals', "timezone = 'Foo/Bar'", qr/The value of "timezone" is not accepted/]),
	['no pg_hba.conf', qr/^(check_failed|hba_broken)$/, qr/\|pg_hba\.conf\|/, sub { unlink "$data/pg_hba.conf" or die }, (lines())[1]],
);
write_file("$dir/garbage.crt", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");

# the worker reads CRLs of ours in its own time, but at once for a reload
sub own_crl
{
	my ($do, $undo) = settings('sslpolicy.crl_file' => "$dir/$_[0].crl");
	return (sub { $do->(); reload() }, $undo);
}

sub ca_file
{
	my ($name, $signal) = @_;
	return (
		sub {
			my $attempts = $server->sql('SELECT last_failed_load FROM sslpolicy.material_status LIMIT 1');
			write_file($ca_path, slurp_file("$dir/$name.crt"));
			return if !$signal;
			$server->sql('SELECT pg_reload_conf()');
			$node->poll_query_until('postgres', "SELECT coalesce(last_failed_load::text, '') <> '$attempts' FROM sslpolicy.material_status LIMIT 1") or die;
		},
		sub { write_file($ca_path, slurp_file("$dir/root.crt")); reload() });
}

is(all(), '', 'nothing is wrong');
for my $fault (@faults)
{
	my ($name, $codes, $text, $do, $undo) = @$fault;
	$do->();
	ref $codes ? like(codes(), $codes, $name) : is(codes(), $codes, $name) or diag all();
	like(all(), $text, "$name: what it says");
	$undo->();
	is(all(), '', "$name: and not without it");
}

# what is in order
for my $case (
	['sslmode=cert with its line', both(app('sslmode=cert'), lines($good_hba[0], 'hostssl all app all cert', $good_hba[1]))],
	['only some addresses ask for it', both(app('address=10.0.0.0/8 sslmode=cert; sslmode=verify-full'), lines($good_hba[0], 'hostssl all app 10.1.0.0/16 cert', $good_hba[1]))],
	# up to 15 these are names
	($server->node->pg_version >= 16 ?
		(['sslmode=cert with a line for a regular expression', both(app('sslmode=cert'), lines($good_hba[0], 'hostssl "/^.*$" /^ap all cert', $good_hba[1]))]) : ()),
	['a host line for those who may', both(settings('sslpolicy.minimum_policy' => 'address=10.0.0.0/8 sslmode=prefer; sslmode=require'),
		both(app('address=10.0.0.0/8 sslmode=prefer; sslmode=verify-full'), lines($good_hba[0], 'host all all 10.1.0.0/16 scram-sha-256', $good_hba[1])))],
	['a host line behind one that rejects', lines($good_hba[0], 'hostnossl all all all reject', 'host all monitor,plain all scram-sha-256', 'hostssl all all all scram-sha-256 clientcert=verify-ca')],
	['an issuer that is there', both(cas('two'), app("issuer='$root_dn' ca_fingerprint=" . $certs->get('root')->{fingerprint}))],
	['an issuer of one hierarchy', both(cas('withinner'), app("issuer=CN=Inner"))],
	['CAs below each other, in any order', both(cas('withchain'), app("issuer=CN=Innermost"))],
	['a database that is there', app('database=shop sslmode=verify-ca; sslmode=verify-full')],
	['CRLs', settings(ssl_crl_file => "$dir/root.crl")],
	['CRLs of ours', own_crl('root')],
	['crl_missing = accept', both(both(cas('two'), settings('sslpolicy.crl_missing' => 'accept')), own_crl('root'))],
	['days', both(both(settings('sslpolicy.lint_server_days' => 9), server_certificate('soon')), both(both(settings('sslpolicy.lint_ca_days' => 9), cas('withsoon')), settings('sslpolicy.lint_crl_days' => 9)))],
	['days of a CRL', both(settings('sslpolicy.lint_crl_days' => 9), settings(ssl_crl_file => "$dir/soon.crl"))],
	['a group of a group with a member', sql(q{CREATE ROLE busier; CREATE ROLE busy IN ROLE busier ROLE plain; SECURITY LABEL FOR sslpolicy ON ROLE busier IS 'sslmode=require'}, 'DROP ROLE busy; DROP ROLE busier')],
	['a group with a member', sql(q{CREATE ROLE busy ROLE plain; SECURITY LABEL FOR sslpolicy ON ROLE busy IS 'sslmode=require'}, 'DROP ROLE busy')],
	['a superuser who cannot come by TCP', both(settings('sslpolicy.minimum_policy' => ''), lines($good_hba[0], 'hostssl all app,plain,monitor all scram-sha-256 clientcert=verify-ca'))],
	['a policy of a login role whose only member is a superuser', sql(q{CREATE ROLE lead LOGIN; CREATE ROLE led SUPERUSER LOGIN IN ROLE lead; SECURITY LABEL FOR sslpolicy ON ROLE lead IS 'sslmode=verify-ca'}, 'DROP ROLE led; DROP ROLE lead')],
	['a value that wants a restart', line_of_conf('max_connections = 77')],
	['a value of which only a database can tell', line_of_conf("default_tablespace = 'nowhere'")],
	['log_statement', settings(log_statement => 'all')])
{
	my ($name, $do, $undo) = @$case;
	$do->();
	is(all(), '', "in order: $name");
	$undo->();
}
is(all(), '', 'and in the end');

# the worker: core starts it again, unless the postmaster is held up
{
	my $session = $node->background_psql('postgres');
	$session->query(q{SELECT count(*) FROM sslpolicy.lint()});
	my $postmaster = (split /\n/, slurp_file("$data/postmaster.pid"))[0];
	kill 'STOP', $postmaster;
	my $codes = $session->query(q{
		SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'sslpolicy' \g /dev/null
		DO $$ BEGIN FOR i IN 1 .. 600 LOOP
			PERFORM pg_stat_clear_snapshot();
			EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'sslpolicy');
			PERFORM pg_sleep(0.1);
		END LOOP; END $$;
		SELECT string_agg(severity || code, ',') FROM sslpolicy.lint()});
	kill 'CONT', $postmaster;
	like($codes, qr/^errorworker_not_running$/m, 'no worker');
	$session->quit;
	$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'sslpolicy'}) or die;
	is(all(), '', 'a worker');
}

# 2
is(($node->psql('postgres', 'SELECT count(*) FROM sslpolicy.lint()', extra_params => [ '-U', 'monitor' ]))[1], '0', 'pg_monitor may call it');
like(($node->psql('postgres', 'SELECT count(*) FROM sslpolicy.lint()', extra_params => [ '-U', 'app' ]))[2], qr/permission denied for function lint/, 'others may not');
hba('local all all trust', 'hostssl all all all ldap ldapserver=x "ldapbindpasswd=hush" nonsense=hush', 'host all all all password', 'hush');
$server->label(role => { app => 'database=nowhere sslmode=cert; sslmode=cert' });
my $of_superuser = all();
is(($node->psql('postgres', 'SELECT * FROM sslpolicy.lint()', extra_params => [ '-U', 'monitor' ]))[1], $of_superuser, 'and sees all of it');
unlike($of_superuser, qr/hush/, 'but nothing that stands in files');

# a caller's own objects lead nobody astray
is(($node->psql('postgres', q{
	CREATE TEMP TABLE pg_authid (oid int, rolname text);
	CREATE TEMP VIEW pg_hba_file_rules AS SELECT 1/0 AS line_number;
	SET search_path = pg_temp, pg_catalog;
	SELECT * FROM sslpolicy.lint()}, extra_params => [ '-U', 'monitor' ]))[1], $of_superuser, 'whatever the search path');

hba($good_hba[0], 'host all all all scram-sha-256');
$server->sql(q{DO $$ BEGIN FOR i IN 1 .. 1000 LOOP
	EXECUTE format('CREATE ROLE many_%s LOGIN', i);
	EXECUTE format('CREATE ROLE idle_%s', i);
	EXECUTE format('SECURITY LABEL FOR sslpolicy ON ROLE many_%s IS %L', i, format('database=nowhere%s sslmode=verify-ca; sslmode=cert issuer=CN=Nobody', i));
	EXECUTE format('SECURITY LABEL FOR sslpolicy ON ROLE idle_%s IS %L', i, 'sslmode=require');
END LOOP; END $$});
my %rows = map { split /\|/ } split /\n/, $server->sql('SELECT code, count(*) FROM sslpolicy.lint() GROUP BY 1');
is_deeply(\%rows, { hba_without_tls => 1, cert_without_hba_line => 1, policy_binds_nobody => 1, issuer_unknown => 1, database_unknown => 25 },
	'1,000 roles and as many names give few rows') or diag all();
like(all(), qr/hba_without_tls.*Roles: "app", "many_1", "many_10" and 1\d\d\d more\./, 'which say how many there are');
like(all(), qr/database_unknown.*\(And 976 more like this one\.\)/, 'also of names');
like(all(), qr/policy_binds_nobody.*Roles: "idle_1", "idle_2", "idle_3" and 997 more\./, 'and whom policies bind');

# Whom each of them binds is that role's own: of members directly and by another group, a superuser,
# a reserved role, and groups that can log in themselves.
$server->set('sslpolicy.reserved_roles' => 'many_4, many_6');
$server->sql(q{
	GRANT idle_1 TO many_1; GRANT idle_2 TO idle_1;
	CREATE ROLE many_root LOGIN SUPERUSER; GRANT idle_3 TO many_root; GRANT idle_4 TO many_4;
	GRANT many_5 TO many_1; GRANT many_7 TO many_6; GRANT many_8 TO many_root;
	GRANT idle_9 TO many_9; GRANT many_9 TO idle_10; GRANT idle_10 TO many_10});
like(all(), qr/policy_binds_nobody.*Roles: "idle_3", "idle_4", "idle_5" and 993 more\./, 'directly, and by another group');
like(all(), qr/members_not_bound.*Roles: "many_5", "many_9"\./, 'members of roles that can log in');
$server->sql('ALTER SYSTEM RESET sslpolicy.reserved_roles');
$server->sql('SELECT pg_reload_conf()');

# names that this database's encoding cannot express
$server->sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'");
$server->sql(qq{CREATE ROLE "\xc3\xa9t\xc3\xa9"; SECURITY LABEL FOR sslpolicy ON ROLE "\xc3\xa9t\xc3\xa9" IS 'sslmode=require'});
is($server->sql('CREATE EXTENSION sslpolicy; SELECT count(*) > 0 FROM sslpolicy.lint()', 'latin'), 't', 'names of other encodings do no harm');

done_testing();
