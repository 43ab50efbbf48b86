# Replicated material after crashes, failovers and restores.
#
# 1. kill -9 of the applying process and of the postmaster, at each step on a standby
# 2. VACUUM FREEZE and FULL of the catalog apply nothing; a prepared transaction
# 3. a node that was down during a revocation
# 4. copies: pg_basebackup, restores to before and after a change
# 5. promotion with the record received and not replayed; pg_rewind
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $primary = SSLPolicy::Server->new('primary', init => { allows_streaming => 1, has_archiving => 1 },
	conf => "ssl_ca_file = 'ca.crt'\nmax_prepared_transactions = 2\nwal_log_hints = on\nwal_keep_size = 128MB\nwal_retrieve_retry_interval = 100\nrestart_after_crash = on\n");
my $certs = $primary->certs;
my $dir = $certs->{dir};
$certs->ca('new', subject => '/CN=New Root');
$certs->client($_, issuer => 'root', subject => "/CN=$_") for qw(app bob);
write_file($primary->node->data_dir . '/ca.crt', slurp_file("$dir/root.crt"));
$primary->start;
$primary->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE bob LOGIN');
my $standby = $primary->standby('standby');
$standby->start;

sub pem { return join '', map { slurp_file("$dir/$_.crt") } @_ }
my $number = 0;
my @revoked;
sub await { my ($what, $test) = @_; for (1 .. 6000) { return 1 if $test->(); select undef, undef, undef, 0.01 } die "gave up waiting for $what" }
sub in_force
{
	my ($server, $wanted, $kinds) = @_;
	return $server->node->poll_query_until('postgres', "SELECT bool_and(state = 'in force') AND count(*) = 2 FROM sslpolicy.nodes WHERE is_self"
		  . ($wanted ? " AND (kind <> 'crl' OR wanted = '$wanted')" : ''));
}
# the label of the CRLs, as it is set on a server
sub set_crl
{
	my ($server) = @_;
	$server->sql("SELECT sslpolicy.set_crl('" . make_crl($certs, 'root', ++$number, revoked => \@revoked) . "')");
	return wanted($server);
}
sub wanted { return $_[0]->sql(q{SELECT encode(sha256(convert_to(label, 'UTF8')), 'hex') FROM pg_shseclabel WHERE provider = 'sslpolicy_crl'}) }
sub bob { my ($server) = @_; my $login = $server->login(cert => 'bob', user => 'bob', sslmode => 'require'); return $login->{ok} ? 'in' : $login->{err} =~ /revoked/ ? 'revoked' : $login->{err} }

$primary->sql("SELECT sslpolicy.set_ca('" . pem('root') . "')");
my $wanted = set_crl($primary);
ok(in_force($primary), 'in force on the primary');
ok(in_force($standby, $wanted), 'and on the standby');

# 1
my $own = $standby->node->data_dir . '/sslpolicy';
my $turn = 0;
for my $victim ('process', 'postmaster')
{
	for my $step (qw(written started renamed in_place reloaded recorded))
	{
		append_to_file("$own/stop.$step", '');
		@revoked = $turn++ % 2 ? () : ('bob');
		$wanted = set_crl($primary);
		await("step $step", sub { -e "$own/at.$step" });
		my $pid = $standby->sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy apply'});
		if ($victim eq 'process')
		{
			kill 'KILL', $pid;
			await('the crash', sub { !kill 0, $pid });
			unlink "$own/at.$step";
			$standby->node->poll_query_until('postgres', 'SELECT true') or die;
		}
		else
		{
			$standby->node->kill9;
			kill 'KILL', $pid;
			unlink "$own/at.$step";
			await('the end', sub { !kill 0, $pid });
			$standby->node->start;
		}
		ok(in_force($standby, $wanted), "$victim killed at $step: in force afterwards");
		is(bob($standby), @revoked ? 'revoked' : 'in', "$victim killed at $step: who is let in");
		is(join(' ', glob("$own/*.tmp " . $standby->node->data_dir . '/*.tmp')), '', "$victim killed at $step: nothing is left");
	}
}

# 2
my $generations = sub { return join ' ', map { $_->sql(q{SELECT max(generation) FROM sslpolicy.material_status}) } $primary, $standby };
my $before = $generations->();
$primary->sql($_) for 'VACUUM FREEZE pg_shseclabel', 'VACUUM FULL pg_shseclabel';
$primary->node->wait_for_catchup($standby->node);
# that nothing happens takes time to see
$_->sql('SELECT pg_sleep(1.5)') for $primary, $standby;
is($generations->(), $before, 'VACUUM FREEZE and FULL lead to nothing');
@revoked = ('bob');
$wanted = set_crl($primary);
ok(in_force($_, $wanted), "a change after that: $_->{name}") for $primary, $standby;
is(bob($_), 'revoked', "revoked: $_->{name}") for $primary, $standby;
@revoked = ();
$primary->sql("BEGIN; SELECT sslpolicy.set_crl('" . make_crl($certs, 'root', ++$number) . "'); PREPARE TRANSACTION 'one'");
is(wanted($primary), $wanted, 'a prepared transaction has not happened yet');
is(bob($primary), 'revoked', 'nor changed who is let in');
$primary->sql("COMMIT PREPARED 'one'");
$wanted = wanted($primary);
ok(in_force($_, $wanted), "committed: $_->{name}") for $primary, $standby;
is(bob($_), 'in', "it holds: $_->{name}") for $primary, $standby;

# 3
$standby->stop;
@revoked = ('bob');
$wanted = set_crl($primary);
$standby->start;
ok(in_force($standby, $wanted), 'a node that was down during a revocation');
is(bob($standby), 'revoked', 'knows it');

# 4
my $name = 'base';
$primary->node->backup($name);
my $copy = bless { node => PostgreSQL::Test::Cluster->new('copy'), name => 'copy', certs => $certs }, 'SSLPolicy::Server';
$copy->node->init_from_backup($primary->node, $name);
write_file($copy->node->data_dir . '/ca.crt', pem('new'));
$copy->start;
ok(in_force($copy, $wanted), 'a copy in another folder mends a file of other CAs');
is(slurp_file($copy->node->data_dir . '/ca.crt'), slurp_file($primary->node->data_dir . '/ca.crt'), 'which is the same now');
is(bob($copy), 'revoked', 'and has the CRL');
$copy->stop;

my $to_before = $primary->sql('SELECT pg_current_wal_insert_lsn()');
@revoked = ();
my $later = set_crl($primary);
my $to_after = $primary->sql('SELECT pg_current_wal_insert_lsn()');
$primary->sql('SELECT pg_switch_wal(); CHECKPOINT');
in_force($primary, $later);
for ([ before => $to_before, $wanted, 'revoked' ], [ after => $to_after, $later, 'in' ])
{
	my ($which, $lsn, $label, $outcome) = @$_;
	my $restored = bless { node => PostgreSQL::Test::Cluster->new("restored_$which"), name => $which, certs => $certs }, 'SSLPolicy::Server';
	$restored->node->init_from_backup($primary->node, $name, has_restoring => 1, standby => 0);
	$restored->node->append_conf('postgresql.conf', "recovery_target_lsn = '$lsn'\nrecovery_target_inclusive = on\nrecovery_target_action = promote\narchive_mode = off");
	$restored->start;
	$restored->node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die;
	is(wanted($restored), $label, "restored to $which the change");
	ok(in_force($restored, $label), "$which: in force");
	is(bob($restored), $outcome, "$which: who is let in");
	$restored->stop;
}

# 5
in_force($standby, $later);
$standby->sql('SELECT pg_wal_replay_pause()');
$standby->node->poll_query_until('postgres', q{SELECT pg_get_wal_replay_pause_state() = 'paused'}) or die;
@revoked = ('bob');
$wanted = set_crl($primary);
my $lsn = $primary->sql('SELECT pg_current_wal_flush_lsn()');
$standby->node->poll_query_until('postgres', "SELECT pg_last_wal_receive_lsn() >= '$lsn'") or die;
is(wanted($standby), $later, 'received and not replayed');
is(bob($standby), 'in', 'nor in force');
$primary->stop('immediate');
$standby->node->promote;
ok(in_force($standby, $wanted), 'after promotion it is');
is(bob($standby), 'revoked', 'the node that is the primary now refuses');

# the old primary, down during another change, comes back as a standby
@revoked = ('app');
$wanted = set_crl($standby);
$standby->sql('CHECKPOINT');
$primary->start;
$primary->sql('CREATE TABLE diverged()');
$primary->stop;
my $old = $primary->node->data_dir;
my $conf = slurp_file("$old/postgresql.conf");
my $auto = slurp_file("$old/postgresql.auto.conf");
command_ok([ 'pg_rewind', '-D', $old, '--source-server', $standby->node->connstr('postgres') . ' user=' . getpwuid $> ], 'pg_rewind');
write_file("$old/postgresql.conf", $conf);
write_file("$old/postgresql.auto.conf", $auto);
$primary->node->enable_streaming($standby->node);
$primary->start;
ok(in_force($primary, $wanted), 'the rewound primary has what is replicated now');
is(bob($primary), 'in', 'bob may again');
like($primary->login(cert => 'app', sslmode => 'require')->{err}, qr/revoked/, 'app may not');

for ($primary, $standby)
{
	unlike(slurp_file($_->node->logfile), qr/PANIC|TRAP|signal 11|signal 6/, "$_->{name}: nothing crashed by itself");
	$_->stop;
}
done_testing();
