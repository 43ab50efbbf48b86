# CRLs that sslpolicy checks itself: crashes in the middle of a build, a standby
# with CRLs of its own, and the loading of changed TLS files without being told.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('crls', init => { allows_streaming => 1 }, conf => "restart_after_crash = on\n");
my $certs = $server->certs;
my $node = $server->node;
my $own = PostgreSQL::Test::Utils::tempdir();
my $crl_path = "$own/revoked.pem";
$certs->client($_, issuer => 'root', subject => '/CN=app') for qw(app app2);
my $ca_path = $certs->bundle('trusted.crt', 'root');
$node->append_conf('postgresql.conf', "sslpolicy.crl_file = '$crl_path'\nssl_ca_file = '$ca_path'");
sub crl { my ($number, @revoked) = @_; return make_crl($certs, 'root', $number, revoked => \@revoked) }
write_file($crl_path, crl(1));
$server->start;
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN});
my $data = $node->data_dir . '/sslpolicy';
my $worker = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'};

sub refusal { my ($s, $cert) = @_; return $s->login(cert => $cert, user => 'app', sslmode => 'require')->{err} }
sub in_force
{
	my ($s, $number) = @_;
	return $s->node->poll_query_until('postgres', "SELECT count(*) = 1 FROM sslpolicy.crls WHERE in_force AND crl_number = $number");
}
sub await_file
{
	my ($path) = @_;
	for (1 .. 1000 * ($ENV{PG_TEST_TIMEOUT_DEFAULT} // 180) / 10)
	{
		return 1 if -e $path;
		select undef, undef, undef, 0.01;
	}
	return 0;
}

ok(in_force($server, 1), 'the first CRL');

my $number = 1;
for my $victim ('worker', 'postmaster')
{
	$number++;
	append_to_file("$data/stop.index_written", '');
	write_file($crl_path, crl($number, 'app'));
	ok(await_file("$data/at.index_written"), "$victim: a new index is written, and not in force yet");
	is(refusal($server, 'app2'), '', "$victim: logins go on");
	if ($victim eq 'worker')
	{
		my $pid = $server->sql($worker);
		unlink "$data/at.index_written";
		kill 'KILL', $pid;
		$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM ($worker) w WHERE pid <> $pid") or die;
	}
	else
	{
		unlink "$data/at.index_written";
		$node->kill9;
		# what the postmaster leaves behind goes by itself
		for (1 .. 1000)
		{
			last if run_log([ 'pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile, '-o', '--cluster-name=crls', 'start' ]);
			select undef, undef, undef, 0.1;
		}
		$node->_update_pid(1);
	}
	ok(in_force($server, $number), "$victim: the new one is in force after the crash");
	ok(!-e "$data/crl.index.sslpolicy.tmp", "$victim: nothing is left");
	like(refusal($server, 'app'), qr/is revoked/, "$victim: one is revoked");
	is(refusal($server, 'app2'), '', "$victim: the other is not");
	write_file($crl_path, crl(++$number));
	ok(in_force($server, $number), "$victim: and on");
}

# a shutdown while the index is written stops at once
append_to_file("$data/stop.index_written", '');
write_file($crl_path, crl(++$number));
ok(await_file("$data/at.index_written"), 'while an index is written');
$server->stop('fast');
unlink "$data/at.index_written";
ok(1, 'the server stops');
$server->start;
ok(in_force($server, $number), 'and takes it when it is started');

# a standby has files of its own
my $standby = $server->standby('crls_standby');
my $standby_crl = "$own/standby.pem";
write_file($standby_crl, crl(100, 'app2'));
$standby->node->append_conf('postgresql.conf', "sslpolicy.crl_file = '$standby_crl'");
$standby->start;
ok(in_force($standby, 100), 'the CRL of the standby');
is(refusal($server, 'app2'), '', 'does not bind the primary');
like(refusal($standby, 'app2'), qr/is revoked/, 'but the standby');
my $session = $standby->background(cert => 'app', sslmode => 'require');
my $pid = $session->query_safe('SELECT pg_backend_pid()');
chomp $pid;
write_file($standby_crl, crl(101, 'app', 'app2'));
ok($standby->node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'a session of the standby is ended');
eval { $session->quit };
$standby->node->promote;
write_file($standby_crl, crl(102));
ok(in_force($standby, 102), 'a CRL after promotion');
is(refusal($standby, 'app'), '', 'which lets both in');
$standby->stop;

# auto_reload
my $generation = sub { $server->sql(q{SELECT max(generation) FROM sslpolicy.material_status}) };
$certs->ca('second', subject => '/CN=Second');
$certs->client('client2', issuer => 'second', subject => '/CN=app');
$server->set('sslpolicy.crl_file' => '');
my $offset = $server->log_offset;
my $before = $generation->();
my $trusted = slurp_file($ca_path);
write_file($ca_path, $trusted, slurp_file("$certs->{dir}/second.crt"));
$server->sql(q{SELECT sslpolicy.recheck()});
unlike(refusal($server, 'client2'), qr/^$/, 'auto_reload is off');
$server->set('sslpolicy.auto_reload' => 'on');
# what is there when the worker first looks counts as known
my $logged = 0;
for my $try (1 .. 100)
{
	write_file($ca_path, "garbage $try");
	for (1 .. 30)
	{
		last if $logged = $server->log_since($offset) =~ /LOG:  changed TLS files are not loaded: /;
		select undef, undef, undef, 0.1;
	}
	last if $logged;
}
ok($logged, 'a bad file is logged');
is($generation->(), $before + 1, 'and left alone: only the settings were reloaded');
$offset = $server->log_offset;
write_file($ca_path, $trusted, slurp_file("$certs->{dir}/second.crt"), "\n");
$server->wait_for_log(qr/LOG:  TLS files have changed, and are loaded/, $offset);
ok($node->poll_query_until('postgres', "SELECT bool_and(in_force) AND count(*) = 2 FROM sslpolicy.certificates WHERE kind = 'ca'"), 'auto_reload loads changed files');
is(refusal($server, 'client2'), '', 'for new clients');

done_testing();
