# The table of logins: every key at its boundary, every source of policies, in
# IPv4, IPv6 and Unix sockets, on a real server with real certificates.  The same
# table asks sslpolicy.explain() beforehand and, of who is let in,
# sslpolicy.explain_session() afterwards: both must agree with the login.
use strict;
use warnings;
use Test::More;
use SSLPolicy::LoginCases;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('login_table');
SSLPolicy::LoginCases::prepare($server);
$server->certs->client('certuser', issuer => 'root', subject => '/CN=certuser');
$server->start;
SSLPolicy::LoginCases::setup_roles($server);
$server->sql('CREATE EXTENSION sslpolicy');
for my $db ('db1', 'replication')
{
	$server->sql('CREATE EXTENSION sslpolicy; GRANT EXECUTE ON FUNCTION sslpolicy.explain_session TO PUBLIC', $db);
}
$server->sql('GRANT EXECUTE ON FUNCTION sslpolicy.explain_session TO PUBLIC');

# What explain() says: "in", "blocked", or the requirements that are not met, each
# once, as the client is told.
sub explained
{
	my @rows = map { [ split /\|/, $_, 3 ] } split /\n/, $_[0];
	my $verdict = pop @rows;
	my @failed;

	return 'no verdict' if $verdict->[0] ne 'verdict';
	return 'in' if $verdict->[1] eq 't';
	return 'not known' if $verdict->[1] ne 'f';
	for my $row (@rows)
	{
		next if $row->[1] ne 'f' || $row->[2] =~ /\(action=log\)$/;
		return 'blocked' if $row->[2] =~ /is blocked$/;
		my $key = $row->[0] =~ s/,//gr;
		push @failed, $key unless grep { $_ eq $key } @failed;
	}
	return "@failed";
}

my $session_sql = 'SELECT requirement, ok, required FROM sslpolicy.explain_session(pg_backend_pid())';

SSLPolicy::LoginCases::try_cases(
	$server,
	sub {
		my ($case, $name) = @_;
		my $offset = $server->log_offset;
		is(explained($server->sql(SSLPolicy::LoginCases::explain_sql($server, $case))),
			$case->{expect}, "$name: explain")
		  if ($case->{to}{host} // '') ne 'local' && ($case->{to}{sslmode} // '') !~ /prefer|allow/;
		my $result = $server->login(%{ $case->{to} }, sql => $session_sql);
		is(SSLPolicy::LoginCases::outcome($result), $case->{expect}, $name) or diag($result->{err});
		is(explained($result->{out}), 'in', "$name: explain_session") if $result->{ok};

		return if $case->{expect} eq 'in' && !$case->{logged};
		my $log = $server->log_since($offset);
		if (my $regex = $case->{log} // $case->{logged})
		{
			like($log, $regex, "$name: log");
		}
		# no value that a policy requires goes to the client
		unlike($result->{err}, qr/required:|rule \d/, "$name: nothing of the policy for the client");
	});
$server->stop;
done_testing();
