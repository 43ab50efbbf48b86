# The table of logins: every key at its boundary, every source of policies, in
# IPv4, IPv6 and Unix sockets, on a real server with real certificates.
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

my %previous;
for my $group (SSLPolicy::LoginCases::groups($server))
{
	my %settings = (%previous, %{ $group->{settings} });
	$server->set(%settings) if %settings;
	%previous = map { $_ => undef } keys %{ $group->{settings} };

	for my $case (@{ $group->{cases} })
	{
		my $name = "$group->{name}: $case->{name}";
		my $user = $case->{user} // 'app';
		my $offset = $server->log_offset;

		$server->label(
			role => {
				$user => $case->{role},
				grp => $case->{group},
				grp2 => $case->{group2},
				lgrp => $case->{login_group}
			},
			database => { db1 => $case->{database} });
		my $result = $server->login(%{ $case->{to} });
		my $got = $result->{ok} ? 'in' : $result->{failed};
		$got = 'blocked' if $result->{err} =~ /is blocked/;
		is($got, $case->{expect}, $name) or diag($result->{err});
		$server->label(role => { $user => undef }) if $user ne 'app';

		next if $case->{expect} eq 'in' && !$case->{logged};
		my $log = $server->log_since($offset);
		if (my $regex = $case->{log} // $case->{logged})
		{
			like($log, $regex, "$name: log");
		}
		# no value that a policy requires goes to the client
		unlike($result->{err}, qr/required:|rule \d/, "$name: nothing of the policy for the client");
	}
}
$server->stop;
done_testing();
