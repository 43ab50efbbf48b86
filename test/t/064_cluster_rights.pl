# CAs and CRLs of every node: who may set them, the statement by hand, and dumps.
#
# 1. grantees
# 2. private keys
# 3. texts that are too long
# 4. SECURITY LABEL by hand
# 5. dumps
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('rights', conf => "log_statement = all\nssl_ca_file = 'ca.crt'\n");
my ($certs, $node) = ($server->certs, $server->node);
my $dir = $certs->{dir};
my $root = $certs->get('root');
$certs->ca('new', subject => '/CN=New Root');
$certs->client($_, issuer => $root, subject => "/CN=$_") for qw(app boss chief);
$certs->client('boss_new', issuer => 'new', subject => '/CN=boss');
system('cp', "$dir/root.crt", $node->data_dir . '/ca.crt') == 0 or die 'no copy of the CA';
$server->start;
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE boss LOGIN; CREATE ROLE chief LOGIN SUPERUSER');
my $owner = $server->sql('SELECT quote_ident(rolname) FROM pg_authid WHERE oid = 10');

sub pem { return join '', map { slurp_file("$dir/$_.crt") } @_ }
sub crl { my ($ca, $number, @revoked) = @_; return make_crl($certs, $ca, $number, revoked => \@revoked) }
sub states { return $server->sql(q{SELECT string_agg(state, ' ' ORDER BY kind) FROM sslpolicy.wait_for_nodes('60s')}) }
sub labels { return $server->sql(q{SELECT string_agg(provider, ' ' ORDER BY provider) FROM pg_shseclabel WHERE provider LIKE 'sslpolicy\_%'}) }

# SQL that must fail: its SQLSTATE and text
sub failure
{
	my ($sql, $where) = @_;
	my ($rc, undef, $err) = ($where // $node)->psql('postgres', "\\set VERBOSITY verbose\n$sql", on_error_stop => 1);
	return $rc == 0 ? 'no error' : $err;
}
sub as_boss { return $server->login(user => 'boss', sslmode => 'require', sql => $_[0]) }
sub by_hand
{
	my ($kind, $text) = @_;
	return "SECURITY LABEL FOR sslpolicy_$kind ON ROLE $owner IS " . (defined $text ? "'$text'" : 'NULL');
}

###############################################################################
# 1

my ($root_pem, $crl) = (pem('root'), crl(root => 1));
my @calls = ("set_ca('$root_pem')", "set_crl('$crl')", 'wait_for_nodes()');
like(as_boss("SELECT sslpolicy.$_")->{err}, qr/permission denied for function/, 'not everybody: ' . s/\(.*//sr) for @calls;
like(as_boss('SELECT * FROM sslpolicy.nodes')->{err}, qr/permission denied/, 'nor the view');
$server->sql('GRANT EXECUTE ON FUNCTION sslpolicy.set_ca(text, boolean), sslpolicy.set_crl(text, boolean), sslpolicy.wait_for_nodes, sslpolicy.rollback TO boss');
like(as_boss("SELECT sslpolicy.set_ca('$root_pem')")->{err}, qr/must be superuser to set the CAs of every node/, 'set_ca(): not by a grantee');
like(as_boss("SELECT sslpolicy.set_$_(NULL)")->{err}, qr/must be superuser to end the replication/, "set_$_(NULL): not by a grantee") for qw(ca crl);
like(as_boss("BEGIN; CREATE TEMP TABLE t (); SELECT sslpolicy.set_crl('$crl'); COMMIT")->{err}, qr/permission denied to call set_crl\(\) in a transaction that has changed something/, 'set_crl(): not after another change');
my $result = as_boss("SELECT sslpolicy.set_crl('$crl')");
ok($result->{ok}, 'set_crl() by a grantee') or diag($result->{err});
is(states(), 'local in force', 'is in force');
like(as_boss(q{SELECT sslpolicy.rollback('crl', force => true)})->{err}, qr/must be superuser|permission denied to go back/, 'rollback(): not by a grantee');
is($server->sql(qq{SELECT count(*) FROM sslpolicy.set_ca('$root_pem')}), 1, 'set_ca() by a superuser');
like(as_boss(q{SELECT sslpolicy.rollback('ca', force => true)})->{err}, qr/must be superuser to roll back replicated TLS material "ca"$/m, 'nor of CAs');
# a CRL that expires keeps a superuser out who has logged in by it
ok($server->login(cert => 'chief', user => 'chief', sslmode => 'require')->{ok}, 'a superuser logs in with a certificate');
is(states(), 'in force in force', 'both are in force');

###############################################################################
# 2

my $key = slurp_file("$dir/root.key");
my ($secret) = $key =~ /-----BEGIN[^\n]*\n(.{40})/;
my $offset = $server->log_offset;
for my $sql ((map { ("SELECT sslpolicy.set_$_('$key')", by_hand($_, $key)) } qw(ca crl)),
	"SELECT sslpolicy.set_ca('$root_pem$key')", by_hand(ca => "$root_pem$key"), by_hand(crl => "$crl$key"))
{
	my $error = failure($sql);
	like($error, qr/ERROR:  22023: there is a private key in the text/, 'refused: ' . substr($sql, 0, 33));
	unlike($error =~ s/^LINE.*//mr, qr/\Q$secret/, 'and not in the error');
}
unlike($server->log_since($offset), qr/\Q$secret/, 'no key is in the log');
unlike($server->sql('SELECT label FROM pg_shseclabel'), qr/PRIVATE/, 'nor in the catalog');
is($server->sql(q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%} . $secret . q{%' AND pid <> pg_backend_pid()}), 0, 'nor in pg_stat_activity');

###############################################################################
# 3

my $long = q{'-----BEGIN X509 CRL-----' || repeat(repeat('A', 64) || E'\n', 90000) || '-----END X509 CRL-----'};
like(failure("DO \$\$ BEGIN EXECUTE 'SECURITY LABEL FOR sslpolicy_crl ON ROLE $owner IS ' || quote_literal($long); END \$\$"),
	qr/ERROR:  54000: the text is too long to be replicated\n.*HINT:  Copy the list to every node as a file/s, 'by hand: too long');
my $large = make_crl($certs, 'root', 2, fill => 170_000);
write_file($node->data_dir . '/large.pem', $large);
cmp_ok(length $large, '>', 5 * 1024 * 1024, 'a CRL of more than 5 MB');
like(failure(q{SELECT sslpolicy.set_crl(pg_read_file('large.pem'))}), qr/ERROR:  54000: the CRLs are too large to be replicated\n.*HINT:  Copy the list to every node as a file, and set sslpolicy\.crl_file to its name/s, 'set_crl(): too long');
is(states(), 'in force in force', 'nothing has changed');

###############################################################################
# 4

$server->sql('GRANT ' . $owner . ' TO boss');
$server->sql('ALTER ROLE boss CREATEROLE');
like(as_boss(by_hand(ca => undef))->{err}, qr/must be superuser/, 'by hand: only superusers') ;
$server->sql("REVOKE $owner FROM boss; ALTER ROLE boss NOCREATEROLE");
for my $kind (qw(ca crl))
{
	my $text = $kind eq 'ca' ? $root_pem : $crl;
	like(failure("SECURITY LABEL FOR sslpolicy_$kind ON ROLE app IS '$text'"), qr/ERROR:  42809: /, "$kind, by hand: on no other role");
	like(failure("SECURITY LABEL FOR sslpolicy_$kind ON DATABASE postgres IS '$text'"), qr/ERROR:  42809: /, "$kind, by hand: on no database");
	like(failure(by_hand($kind, $_)), qr/ERROR:  22023: /, "$kind, by hand: no garbage") for '', 'garbage', slurp_file("$dir/crl.cnf") =~ s/'//gr, $kind eq 'ca' ? $crl : $root_pem;
	my $other = $kind eq 'ca' ? pem('new') : crl(root => 5);
	like(failure(by_hand($kind, $other)), qr/ERROR:  55006: .*would replace what is replicated now, on every node.*HINT:  Use sslpolicy\.set_$kind\(\)\. .*--no-security-labels/s, "$kind, by hand: does not replace what is in the catalog");
	my $same = $server->sql("SELECT label FROM pg_shseclabel WHERE provider = 'sslpolicy_$kind'");
	is(failure(by_hand($kind, $same)), 'no error', "$kind, by hand: the same is fine");
}
is(states(), 'in force in force', 'all is as it was');
$server->sql(by_hand($_)) for qw(ca crl);
is(states(), 'local local', 'removed by hand');
like(failure(by_hand(ca => pem('new'))), qr/ERROR:  55006: .*in ssl_ca_file, on every node/s, 'does not replace what is in the file');
like(failure(by_hand(crl => crl(root => 5))), qr/ERROR:  55006: .*would replace the CRLs of this node/s, 'nor CRLs');
is(failure(by_hand(ca => $root_pem)), 'no error', 'the same as in the file is fine');
is(failure(by_hand(crl => $crl)), 'no error', 'also CRLs');
is(states(), 'in force in force', 'and in force');

###############################################################################
# 5

my $globals = PostgreSQL::Test::Utils::tempdir() . '/globals.sql';
my $all = "$globals.all";
$node->command_ok([ 'pg_dumpall', '-g', '-f', $globals, '-d', $node->connstr('postgres') ], 'pg_dumpall -g');
$node->command_ok([ 'pg_dumpall', '-f', $all, '-d', $node->connstr('postgres') ], 'pg_dumpall');
my $text = slurp_file($globals);
like($text, qr/^SECURITY LABEL FOR '?sslpolicy_$_'? ON ROLE /m, "has the label: $_") for qw(ca crl);
sub restore { my ($into, $file) = @_; return (run_command([ 'psql', '-X', '-d', $into->connstr('postgres'), '-f', $file ]))[1] }
my @errors = grep { /ERROR/ && !/already exists/ } split /\n/, restore($node, $globals);
is("@errors", '', 'back into the same cluster');
my $version = $server->sql(q{SELECT string_agg(md5(label), ' ' ORDER BY provider) FROM pg_shseclabel});
for my $file ($globals, $all)
{
	my $fresh = SSLPolicy::Server->new($file eq $all ? 'whole' : 'globals', conf => "ssl_ca_file = 'ca.crt'\n");
	write_file($fresh->node->data_dir . '/ca.crt', '');
	$fresh->node->append_conf('postgresql.conf', "ssl_ca_file = ''");
	$fresh->start;
	my $said = restore($fresh->node, $file);
	@errors = grep { /ERROR/ && !/already exists/ } split /\n/, $said;
	is("@errors", '', 'into a fresh cluster');
	is($fresh->sql(q{SELECT string_agg(md5(label), ' ' ORDER BY provider) FROM pg_shseclabel}), $version, 'with these labels');
	$fresh->sql('CREATE EXTENSION IF NOT EXISTS sslpolicy');
	is($fresh->sql(q{SELECT string_agg(state || coalesce(detail, ''), ' ' ORDER BY kind) FROM sslpolicy.wait_for_nodes('60s')}), 'in force in force', 'which are in force there');
	is($fresh->login(cert => $certs->get("app"), sslmode => "require")->{ok}, 1, 'and clients log in');
	$fresh->stop;
}
# another cluster has material of its own
my $staging = SSLPolicy::Server->new('staging', conf => "ssl_ca_file = '$dir/new.crt'\n");
$staging->start;
like(restore($staging->node, $globals), qr/security label of provider "sslpolicy_ca" would replace other TLS material/, 'not into a cluster that has another CA');
is($staging->sql(q{SELECT count(*) FROM pg_shseclabel WHERE provider = 'sslpolicy_ca'}), 0, 'which keeps it');
$staging->stop;
# a bootstrap superuser of another name
my $renamed = SSLPolicy::Server->new('renamed', conf => "ssl_ca_file = 'ca.crt'\n");
write_file($renamed->node->data_dir . '/ca.crt', '');
$renamed->node->append_conf('postgresql.conf', "ssl_ca_file = ''");
$renamed->start;
$renamed->sql('CREATE ROLE other LOGIN SUPERUSER');
$renamed->node->safe_psql('postgres', "ALTER ROLE $owner RENAME TO dba", extra_params => [ '-U', 'other' ]);
sub restore_as_dba { my ($file) = @_; return (run_command([ 'psql', '-X', '-U', 'dba', '-d', $renamed->node->connstr('postgres'), '-f', $file ]))[1] }
my $labels = "SELECT count(*) FROM pg_shseclabel WHERE provider IN ('sslpolicy_ca', 'sslpolicy_crl')";
my $said = restore_as_dba($globals);
is(scalar(() = $said =~ /ERROR:  .*bootstrap superuser/g), 2, 'where the bootstrap superuser has another name: refused') or diag($said);
is($renamed->node->safe_psql('postgres', $labels, extra_params => [ '-U', 'dba' ]), 0, 'no label');
write_file("$globals.renamed", $text =~ s/^(SECURITY LABEL FOR '?sslpolicy_\w+'? ON ROLE )\S+/${1}dba/gmr);
unlike(restore_as_dba("$globals.renamed"), qr/ERROR:  (?!.*already exists)/, 'with the name of this cluster: restored');
is($renamed->node->safe_psql('postgres', $labels, extra_params => [ '-U', 'dba' ]), 2, 'with its labels');
$renamed->stop;
# lists expire
my $late = $server->sql(q{SELECT sslpolicy.set_crl(NULL)});
unlink $server->sql('SHOW ssl_crl_file');
$server->set(ssl_crl_file => '');
is(failure(by_hand(crl => make_crl($certs, 'root', 1, next => time - 60))), 'no error', 'a dump with a list that has expired is restored');
like($server->sql(q{SELECT state || ' ' || detail FROM sslpolicy.wait_for_nodes('60s') WHERE kind = 'crl'}), qr/^failed .*expired/, 'and fails to be applied, for that reason');

$server->stop;
done_testing();
