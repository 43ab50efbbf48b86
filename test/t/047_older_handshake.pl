# A client that shakes hands, and gives its password only when other TLS material is
# in force: what counts is what is in force when it is let in.
#
# Each with TLS 1.2 and 1.3:
# 1. its CA has been removed, by remove_ca(), by another ssl_ca_file: refused, whatever
#    sslpolicy.enforcement says, and noted once
# 2. its certificate is revoked by ssl_crl_file by now: refused
# 3. a reload that changes nothing for it, one that fails, no certificate: let in
# 4. files that the server does not have in force, or ssl is off: refused
# 5. the policies are asked about the chain that verifies it now
# 6. the material changes behind the check: the session is ended
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;
use SSLPolicy::Stalled;

my $server = SSLPolicy::Server->new('older', conf => "sslpolicy.recheck_policy = terminate\nssl_min_protocol_version = TLSv1.2\n",
	hba => [ 'hostssl all bob,plain all password' ]);
my ($certs, $node) = ($server->certs, $server->node);
my $dir = $certs->{dir};
$certs->ca('old', subject => '/CN=Old CA');
$certs->intermediate('old_sub', issuer => 'old', subject => '/CN=Old Sub CA');
$certs->client('bob', issuer => 'old', subject => '/CN=bob');
$certs->client('bob_sub', issuer => 'old_sub', subject => '/CN=bob');
# of the same name and key, as a CA is renewed
$certs->ca('renewed', subject => '/CN=Old CA', key_name => 'old');

# the files that the server reads, and what is in them
my ($cas, $crls) = ("$dir/cas.crt", "$dir/core.crl");
sub pems { return join '', map { slurp_file("$dir/$_.crt") } @_ }
sub cas_are { write_file($cas, pems(@_)); return }
cas_are('root', 'old');
write_file($crls, make_crl($certs, 'root', 1) . make_crl($certs, 'old', 1) . make_crl($certs, 'old_sub', 1) . make_crl($certs, 'root', 1));
$node->append_conf('postgresql.conf', "ssl_ca_file = '$cas'\n");
$server->start;
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE ROLE bob LOGIN PASSWORD 'secret'; CREATE ROLE plain LOGIN PASSWORD 'secret'});
$server->label(role => { bob => 'sslmode=verify-full' });
my $own = $node->data_dir . '/sslpolicy';
-d $own or mkdir $own, 0700 or die "$own: $!";

# The server has loaded its files, or failed to.
sub reload
{
	my (%opt) = @_;
	my $before = $server->sql('SELECT max(generation) FROM sslpolicy.material_status') || 0;
	my $offset = $server->log_offset;
	$server->sql('SELECT pg_reload_conf()');
	if ($opt{fails})
	{
		$server->wait_for_log(qr/SSL configuration was not reloaded/, $offset);
	}
	else
	{
		$node->poll_query_until('postgres', "SELECT max(generation) > $before FROM sslpolicy.material_status") or die 'not loaded';
	}
	return;
}
sub back
{
	cas_are('root', 'old');
	$server->set(ssl => 'on', ssl_ca_file => $cas, ssl_crl_file => '', 'sslpolicy.enforcement' => undef);
	is($server->sql(q{SELECT coalesce(error, 'ok') FROM sslpolicy.reload()}), 'ok', 'as before');
	return;
}

my $refused = 'client certificate of role "bob" is not accepted any more: CAs or certificate revocation lists have changed since the TLS handshake';
my %versions = ('TLS 1.2' => '-tls1_2', 'TLS 1.3' => '-tls1_3');

# A client stalls, something is done, it gives its password.
sub across
{
	my ($name, $expected, $done, %opt) = @_;
	for my $version (sort keys %versions)
	{
		$server->sql('SELECT sslpolicy.reset_statistics()');
		my $client = stalled($server, user => 'bob', version => $versions{$version}, cert => 'bob', %opt);
		my $offset = $server->log_offset;
		$done->();
		is(password($client), $expected, "$name, $version");
		my $log = $server->log_since($offset);
		if ($opt{source})
		{
			like($client->{out}, qr/\0C28000\0.*\0HConnect again\. /s, "$name, $version: what the client is told");
			unlike($client->{out}, $opt{why}, "$name, $version: it is not told why");
			like($log, qr/DETAIL:  Refused: role="bob" .* subject="CN=bob" .*; by the TLS material that came into force after the TLS handshake: .*$opt{why}/, "$name, $version: the log says why");
			$node->poll_query_until('postgres', q(SELECT count(*) > 0 FROM sslpolicy.rejections));
			is($server->sql('SELECT count(*), sum(count), min(source) FROM sslpolicy.rejections'), "1|1|$opt{source}", "$name, $version: noted once");
			is($server->sql(q(SELECT refused, allowed FROM sslpolicy.statistics WHERE role = 'bob')), '1|0', "$name, $version: counted once");
		}
		leave($client);
		back();
	}
	return;
}

###############################################################################
# 1. The CA has been removed

my $print = $certs->get('old')->{fingerprint};
my $gone = qr/unable to get (?:local )?issuer certificate|self-signed certificate/;
my %removed = (source => 'server', why => $gone);
across('remove_ca', $refused, sub { is($server->sql("SELECT installed FROM sslpolicy.remove_ca('$print', force => true)"), 't', 'removed') }, %removed);
across('a reload', $refused, sub { cas_are('root'); reload() }, %removed);
across('several reloads', $refused, sub { cas_are('root'); reload() for 1 .. 3 }, %removed);
across('another ssl_ca_file', $refused, sub { $server->set(ssl_ca_file => "$dir/root.crt"); reload() }, %removed);
across("enforcement=$_", $refused, do { my $e = $_; sub { cas_are('root'); $server->set('sslpolicy.enforcement' => $e); reload() } }, %removed) for 'log', 'off';
across('a chain that the client has sent', $refused, sub { cas_are('root'); reload() }, %removed, cert => 'bob_sub');
across('a role without a policy', 'client certificate of role "plain" is not accepted any more: CAs or certificate revocation lists have changed since the TLS handshake', sub { cas_are('root'); reload() }, user => 'plain');

###############################################################################
# 2. Revoked

write_file("$dir/revoked.crl", make_crl($certs, 'root', 2) . make_crl($certs, 'old', 2, revoked => ['bob']));
across('a CRL that is new', $refused, sub { $server->set(ssl_crl_file => "$dir/revoked.crl"); reload() }, source => 'revocation', why => qr/certificate revoked/);
write_file("$dir/lacking.crl", make_crl($certs, 'root', 2));
across('a CRL that is missing', $refused, sub { $server->set(ssl_crl_file => "$dir/lacking.crl"); reload() }, source => 'server', why => qr/unable to get certificate CRL/);
$server->set(ssl_crl_file => $crls);
reload();
{
	my $client = stalled($server, user => 'bob', version => '-tls1_3', cert => 'bob');
	write_file($crls, slurp_file("$dir/revoked.crl"));
	reload();
	is(password($client), $refused, 'a CRL that has changed in its file');
	leave($client);
}
back();

###############################################################################
# 3. Who is let in

across('nothing was done', 'in', sub { });
across('a reload that changes nothing', 'in', sub { reload() });
across('a reload that changes nothing, a chain that the client has sent', 'in', sub { reload() }, cert => 'bob_sub');
across('another CA is added', 'in', sub { $certs->ca('more', subject => '/CN=More'); cas_are('root', 'old', 'more'); reload() });
across('its certificate is not revoked', 'in', sub { write_file($crls, make_crl($certs, 'root', 1) . make_crl($certs, 'old', 1)); $server->set(ssl_crl_file => $crls); reload() });
across('a reload that fails', 'in', sub { write_file($cas, pems('root') . "-----BEGIN CERTIFICATE-----\nAAAA\n"); reload(fails => 1) });
across('a file that is changed, and not loaded', 'in', sub { cas_are('root') });
across('no certificate', 'in', sub { cas_are('root'); reload() }, cert => undef, user => 'plain');

###############################################################################
# 4. What is in force cannot be told from the files

across('a load that took, and one that fails', $refused, sub { reload(); write_file($cas, 'nothing'); reload(fails => 1) },
	source => 'server', why => qr/the server could not load its TLS files as they are now/);
across('a load that took, and the file is changed since', $refused, sub { reload(); write_file($cas, pems('root') . "-----BEGIN CERTIFICATE-----\nAAAA\n") },
	source => 'server', why => qr/could not load root certificate file/);
across('ssl is off', $refused, sub { $server->set(ssl => 'off') }, source => 'server', why => qr/ssl is off/);
across('ssl is off, and on again', 'in', sub { $server->set(ssl => 'off'); $server->set(ssl => 'on') });
across('ssl is off, and on without the CA', $refused, sub { $server->set(ssl => 'off'); cas_are('root'); $server->set(ssl => 'on') }, %removed);

###############################################################################
# 5. The chain that is in force

my $new_print = $certs->get('renewed')->{fingerprint};
for my $policy ([ $print, qr/^connection of role "bob" does not meet its TLS policy: the CA of the certificate is not accepted$/ ], [ $new_print, qr/^in$/ ])
{
	my ($fingerprint, $expected) = @$policy;
	$server->label(role => { bob => "ca_fingerprint=$fingerprint cn=bob" });
	my $client = stalled($server, user => 'bob', version => '-tls1_3', cert => 'bob');
	cas_are('root', 'renewed');
	reload();
	like(password($client), $expected, 'a renewed CA: the policy is asked about the chain that is verified now');
	is($server->sql(q(SELECT ca_fingerprint_sha256, compliant FROM sslpolicy.sessions WHERE usename = 'bob')), "$new_print|t", 'and so is what is shown') if $fingerprint eq $new_print;
	leave($client);
	back();
}
$server->label(role => { bob => 'sslmode=verify-full' });

###############################################################################
# 6. Between the check and the session

for my $point ('login_found', 'login_admitted')
{
	for my $stale (0, 1)
	{
		my $client = stalled($server, user => 'bob', version => '-tls1_3', cert => 'bob');
		# so that it was verified again, by what is not in force any more either
		reload() if $stale;
		append_to_file("$own/stop.$point", '');
		give_password($client);
		until (-e "$own/at.$point") { $client->{run}->pump_nb; usleep(10_000) }
		cas_are('root');
		reload();
		unlink "$own/at.$point" or die $!;
		ok(is_ended($client), "$point: material that comes into force behind the check ends the session" . ($stale ? ', after another reload' : ''));
		is($server->sql(q(SELECT reasons FROM sslpolicy.ended_sessions ORDER BY at DESC LIMIT 1)),
			'{"sslmode=verify-full (policy of role \"bob\", rule 1; the CA of the certificate is not in force any more)"}', "$point: and the note says why");
		back();
	}
}

unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
