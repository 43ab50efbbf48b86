# A server without sslpolicy does what the other tests have one with it do: TLS
# logins with and without certificates, refusals, labels aside, reloads, a
# background worker of its own.  For valgrind/run.sh, to compare.
use strict;
use warnings;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('plain', preload => 'pg_prewarm',
	hba => [ 'hostssl all certuser all cert', 'host all pwuser all scram-sha-256' ]);
$server->certs->client($_, issuer => 'root', subject => "/CN=$_") for qw(app certuser);
$server->start;
$server->sql(q{CREATE ROLE app LOGIN; CREATE ROLE certuser LOGIN; CREATE ROLE pwuser LOGIN PASSWORD 's3cret-word';
	CREATE ROLE grp; GRANT grp TO app});
for my $extra ('', 'ssl_max_protocol_version=TLSv1.2')
{
	ok($server->login(cert => 'app', extra => $extra)->{ok}, "TLS $extra");
}
ok($server->login(sslmode => 'disable')->{ok}, 'plain text');
ok($server->login(user => 'certuser', cert => 'certuser')->{ok}, 'by certificate');
ok(!$server->login(user => 'certuser', cert => 'app')->{ok}, 'by that of another');
ok($server->login(user => 'pwuser', env => { PGPASSWORD => 's3cret-word' })->{ok}, 'by password');
ok(!$server->login(user => 'pwuser', env => { PGPASSWORD => 'wrong' })->{ok}, 'by a wrong one');
my $session = $server->background(cert => 'app');
$server->set(log_min_messages => 'warning');
$server->sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app';
	SELECT pg_log_backend_memory_contexts(pg_backend_pid())});
eval { $session->quit };
$server->restart;
ok($server->login(cert => 'app')->{ok}, 'after a restart');
$server->stop;
done_testing();
