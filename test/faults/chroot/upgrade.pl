# pg_upgrade from PostgreSQL 15 to a later version, see upgrade.sh.
#
# 1. without sslpolicy preloaded in the new cluster pg_upgrade fails at the first
#    policy, and says why; the old cluster is as it was. It is not asked whether
#    the old one preloads it
# 2. preloaded in the new one, every policy arrives, of roles, groups, databases and
#    of the databases postgres and template1, to the byte, and binds from the first
#    login on, also through a membership without INHERIT; the extension, what was
#    granted on it and what depends on it work
#    So do the CAs, CRLs and blocked certificates of every node, which the new cluster puts
#    in place of the CA that it was started with
# 3. settings, TLS files and history do not arrive; copied they work; tables that the
#    old server has kept are not read
# 4. the same with --link, and policies that refuse everybody get in nobody's way
use strict;
use warnings;
use File::Copy qw(copy);
use File::Path qw(remove_tree);
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl);
use SSLPolicy::Server;

my $to = $ENV{UPGRADE_TO} or die 'run this by test/faults/run.sh';
my %bin = map { $_ => "/usr/lib/postgresql/$_/bin" } 15, $to;
my $work = PostgreSQL::Test::Utils::tempdir('upgrade');
my %plain = (sslmode => 'disable', extra => 'gssencmode=disable');

my $old = SSLPolicy::Server->new('old', node => { install_path => '/usr/lib/postgresql/15' }, conf => "ssl_ca_file = 'ca.crt'\n");
my $certs = $old->certs;
$certs->ca('second', subject => '/CN=Second Root');
$certs->client('app_second', issuer => 'second', subject => '/CN=app');
$certs->client($_, issuer => 'root', subject => '/CN=app') for qw(app revoked blocked);
copy("$certs->{dir}/root.crt", $old->node->data_dir . '/ca.crt') or die;
$certs->server('installed', issuer => 'root');
$old->start;
like($old->sql('SHOW server_version'), qr/^15\./, 'from 15');
$old->sql($_) for 'CREATE EXTENSION sslpolicy', 'CREATE DATABASE shop';
$old->sql('CREATE EXTENSION sslpolicy; CREATE VIEW mine AS SELECT pid, ssl FROM sslpolicy.sessions', 'shop');
$old->sql(<<'SQL');
CREATE ROLE app LOGIN; CREATE ROLE free LOGIN; CREATE ROLE dba LOGIN; CREATE ROLE "we'ird ""name" LOGIN;
CREATE ROLE crowd; CREATE ROLE member LOGIN; CREATE ROLE without_inherit LOGIN NOINHERIT;
GRANT crowd TO member, without_inherit;
GRANT EXECUTE ON FUNCTION sslpolicy.set_policy TO dba;
SQL
$old->label(
	role => { app => 'sslmode=verify-full', crowd => 'sslmode=require', q(we'ird "name) => q(cn='it\'s' dn='CN=a\\\\,b'),
		dba => 'address=127.0.0.1 sslmode=prefer; sslmode=reject' },
	database => { shop => 'min_protocol=TLSv1.3', postgres => 'sslmode=prefer', template1 => 'sslmode=reject' });
$old->set('sslpolicy.blocked_fingerprints' => 'ab' x 32);
is($old->sql('SELECT installed FROM sslpolicy.install_server_certificate('
	  . join(', ', map { $old->literal(slurp_file("$certs->{dir}/installed.$_")) } qw(crt key)) . ')'), 't', 'a server certificate is installed');
is($old->login(user => 'free', %plain)->{ok}, 1, 'somebody logs in');
$old->sql('SELECT sslpolicy.set_ca(' . $old->literal(slurp_file("$certs->{dir}/root.crt") . slurp_file("$certs->{dir}/second.crt")) . ')');
$old->sql('SELECT sslpolicy.set_crl(' . $old->literal(make_crl($certs, 'root', 1, revoked => ['revoked']) . make_crl($certs, 'second', 1)) . ')');
$old->sql("SELECT sslpolicy.block_certificate('" . $certs->get('blocked')->{fingerprint} . "')");
my $states = q{SELECT string_agg(kind || ' ' || state, ', ' ORDER BY kind) FROM sslpolicy.wait_for_nodes('60s')};
is($old->sql($states), 'ca in force, crl in force', 'CAs and CRLs of every node');

my $stored = q{SELECT objtype, objname, label FROM pg_seclabels WHERE provider = 'sslpolicy' ORDER BY objtype COLLATE "C", objname COLLATE "C"};
my $history = q{SELECT at, kind, version, action, installed_by, state, sha256, kept FROM sslpolicy.material_history WHERE kind = 'server' ORDER BY at, version};
my $of_nodes = q{SELECT provider, label FROM pg_shseclabel WHERE provider LIKE 'sslpolicy\_%' ORDER BY provider};
my ($labels, $installed, $material) = map { $old->sql($_) } $stored, $history, $of_nodes;
is(scalar(split /\n/, $labels), 7, 'policies of roles and databases');
is(join(' ', $material =~ /^(sslpolicy_\w+)/mg), 'sslpolicy_blocked sslpolicy_ca sslpolicy_crl', 'and what every node has');
$old->stop;

my $count = 0;

# A new cluster, and pg_upgrade into it; returns it, whether that worked, and what
# was said and logged.
sub upgrade
{
	my (%opt) = @_;
	my $new = SSLPolicy::Server->new('new' . ++$count, preload => $opt{preload} // 'sslpolicy', conf => $opt{conf});
	# one set of certificates for all
	$new->{certs} = $certs;
	$new->node->append_conf('postgresql.conf', join '', map { "ssl_$_->[0]_file = '$certs->{dir}/$_->[1]'\n" }
		  [ cert => 'server.crt' ], [ key => 'server.key' ]);
	# not the CAs of the old one
	$new->node->append_conf('postgresql.conf', "ssl_ca_file = 'ca.crt'\n");
	copy("$certs->{dir}/root.crt", $new->node->data_dir . '/ca.crt') or die;
	$old->node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'" . ($opt{old_preload} // 'sslpolicy') . "'");
	my ($in, $out) = ('', '');
	my $folder = "$work/$count";
	mkdir $folder or die;
	my $ok = IPC::Run::run(
		[ "$bin{$to}/pg_upgrade", '-b', $bin{15}, '-B', $bin{$to}, '-d', $old->node->data_dir, '-D', $new->node->data_dir,
			'-p', $old->node->port, '-P', $new->node->port, '-s', $folder, @{ $opt{options} // [] } ],
		'<', \$in, '>&', \$out, init => sub { chdir $folder or die });
	my $log = join '', map { slurp_file($_) } glob $new->node->data_dir . '/pg_upgrade_output.d/*/log/*';
	return ($new, $ok, $out . $log);
}

# 1
for my $before ('sslpolicy', '')
{
	my $name = 'preloaded in the ' . ($before ? 'old cluster only' : 'neither');
	my ($new, $ok, $said) = upgrade(preload => '', old_preload => $before);
	ok(!$ok, "$name: pg_upgrade fails");
	like($said, qr/security label provider "sslpolicy" is not loaded/, "$name: and says why") or diag(substr $said, -3000);
	$new->node->clean_node;
}
my ($checked, $compatible) = upgrade(preload => '', options => ['--check']);
ok($compatible, 'which pg_upgrade --check has not noticed');
$checked->node->clean_node;
$old->node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "'sslpolicy'");
$old->start;
is($old->sql($stored), $labels, 'the old cluster is as it was');
is($old->login(%plain)->{failed}, 'sslmode cn', 'and enforces');
$old->stop;

# The first logins to a new cluster, and everything else that has arrived.
sub check
{
	my ($new, $name) = @_;
	$new->start;
	is($new->login(%plain)->{failed}, 'sslmode cn', "$name, the first login: a policy refuses");
	is($new->sql($of_nodes), $material, "$name: CAs, CRLs and blocked certificates of every node are the same to the byte");
	is($new->sql($states), 'ca in force, crl in force', "$name: and in force");
	is($new->login(cert => $_)->{ok}, 1, "$name: a policy lets in, $_") for qw(app app_second);
	like($new->login(cert => 'revoked')->{err}, qr/certificate revoked/, "$name: what is revoked is refused");
	like($new->login(cert => 'blocked')->{err}, qr/blocked on every node/, "$name: and what is blocked");
	is($new->login(user => $_, %plain)->{failed}, 'sslmode', "$name: the policy of a group, $_") for qw(member without_inherit);
	is($new->login(user => 'free', db => 'shop', sslmode => 'require', extra => 'ssl_max_protocol_version=TLSv1.2')->{failed},
		'min_protocol', "$name: of a database");
	is($new->login(user => 'free', db => 'template1', %plain)->{failed}, 'sslmode', "$name: of template1");
	is($new->login(user => 'free', %plain)->{ok}, 1, "$name: none where there was none");
	is($new->sql($stored), $labels, "$name: all policies are the same to the byte");
	like($new->sql('SHOW server_version'), qr/^$to\D/, "$name: to $to");
	is($new->sql('SELECT count(*) FROM sslpolicy.check_all() WHERE error IS NOT NULL'), 0, "$name: check_all()");
	like($new->sql(q{SELECT note FROM sslpolicy.version() WHERE item = 'SQL objects'}), qr/^they fit/, "$name: the extension fits");
	is($new->sql('SELECT count(*) > 0 FROM mine', 'shop'), 't', "$name: what depends on it works");
	is($new->sql("SELECT has_function_privilege('dba', 'sslpolicy.set_policy(regrole, text, boolean)', 'EXECUTE'), has_function_privilege('free', 'sslpolicy.set_policy(regrole, text, boolean)', 'EXECUTE')"),
		't|f', "$name: what was granted on it is");
	return;
}

# 2
my ($new, $ok, $said) = upgrade(old_preload => '');
ok($ok, 'preloaded in the new cluster only: pg_upgrade works') or diag(substr $said, -3000);
copy($old->node->data_dir . '/pg_stat/sslpolicy.stat', $new->node->data_dir . '/pg_stat/') or die;
check($new, 'upgraded');
$new->sql(q{SELECT sslpolicy.set_policy('app', 'sslmode=require')});
is($new->login(%plain)->{failed}, 'sslmode', 'a policy can be changed');
$new->label(role => { app => undef });
is($new->login(%plain)->{ok}, 1, 'and removed');

# 3
my $log = slurp_file($new->node->logfile);
note($_) for $log =~ /(.*sslpolicy\.stat.*)/g;
like($log, qr/sslpolicy\.stat/, 'tables that another version has kept are not read, and the log says so');
is($new->sql('SHOW sslpolicy.blocked_fingerprints'), '', 'settings have not arrived');
is($new->sql(q{SELECT count(*) FROM sslpolicy.material_history WHERE kind = 'server'}), 0, 'nor has the history');
$new->stop;
for my $what ('sslpolicy', 'postgresql.auto.conf')
{
	remove_tree($new->node->data_dir . "/$what");
	system('cp', '-a', $old->node->data_dir . "/$what", $new->node->data_dir) == 0 or die;
}
$new->start;
is($new->sql('SHOW sslpolicy.blocked_fingerprints'), 'ab' x 32, 'copied: the settings');
is($new->sql($states), 'ca in force, crl in force', 'copied: what every node has is in force');
is($new->sql($history), $installed, 'copied: the history');
is($new->sql(q{SELECT subject_dn, in_force FROM sslpolicy.certificates WHERE kind = 'server' AND position = 1}), 'CN=installed|t', 'copied: the server certificate is in force');
is($new->sql(q{SELECT installed FROM sslpolicy.rollback('server', force => true)}), 't', 'and can be rolled back');
$new->stop;
$new->node->clean_node;

# 4
($new, $ok, $said) = upgrade(options => ['--link'], conf => "sslpolicy.minimum_policy = 'sslmode=reject'\nsslpolicy.default_policy = 'sslmode=reject'\n");
ok($ok, 'with --link, preloaded in both, and with policies that refuse everybody') or diag(substr $said, -3000);
$new->node->adjust_conf('postgresql.conf', "sslpolicy.${_}_policy", "''") for qw(minimum default);
check($new, 'linked');
unlike(slurp_file($new->node->logfile), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$new->stop;
done_testing();
