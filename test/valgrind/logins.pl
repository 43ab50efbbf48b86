# Logins and the worker's passes on a server under valgrind.  Without the SQL
# objects of sslpolicy, since CREATE EXTENSION alone takes a minute there: what
# runs in every login and in the worker is the library.
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::LoginCases;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('logins', conf => "sslpolicy.recheck_policy = terminate\n");
my $node = $server->node;
SSLPolicy::LoginCases::prepare($server);
$server->certs->client('certuser', issuer => 'root', subject => '/CN=certuser');
my $crl_path = PostgreSQL::Test::Utils::tempdir() . '/crl.pem';
$server->start;
SSLPolicy::LoginCases::setup_roles($server);

# The worker's passes: each ends a session, by a label, a membership, the minimum,
# and a CRL, of which the second is not taken.
sub ends
{
	my ($cause, %opt) = @_;
	my $session = $server->background(cert => 'app', %{ $opt{to} // {} });
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	chomp $pid;
	$opt{do}->();
	ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), "$cause ends a session");
	eval { $session->quit };
	$opt{undo}->();
	return;
}
ends('a label',
	do => sub { $server->label(role => { app => 'cn=bob' }) },
	undo => sub { $server->label(role => { app => undef, grp => 'sslmode=disable' }); $server->sql('REVOKE grp FROM app') });
ends('a membership',
	do => sub { $server->sql('GRANT grp TO app') },
	undo => sub { $server->label(role => { grp => undef }) });
ends('the minimum',
	do => sub { $server->set('sslpolicy.minimum_policy' => 'sslmode=reject') },
	undo => sub { $server->set('sslpolicy.minimum_policy' => undef) });
write_file($crl_path, make_crl($server->certs, 'root', 1));
$server->set('sslpolicy.crl_file' => $crl_path);
$node->poll_query_until('postgres', q{SELECT (pg_stat_file('sslpolicy/crl.index', true)).size IS NOT NULL}) or die 'no index';
my $offset = $server->log_offset;
write_file($crl_path, "nothing of a CRL\n");
$server->wait_for_log(qr/CRLs of sslpolicy\.crl_file and crl_dir are not in force/, $offset);
ends('a CRL',
	do => sub { write_file($crl_path, make_crl($server->certs, 'root', 3, revoked => ['app'], fill => 100)) },
	undo => sub { ok(!$server->login(cert => 'app')->{ok}, 'and keeps others out'); $server->set('sslpolicy.crl_file' => undef) });

SSLPolicy::LoginCases::try_cases(
	$server,
	sub {
		my ($case, $name) = @_;
		my $result = $server->login(%{ $case->{to} });
		is(SSLPolicy::LoginCases::outcome($result), $case->{expect}, $name) or diag($result->{err});
	});
$server->stop;
done_testing();
