# A client that shakes hands, and then waits with its password: openssl's s_client,
# and the few messages of the protocol that it takes.
package SSLPolicy::Stalled;

use strict;
use warnings;
use Exporter qw(import);
use IPC::Run ();
use PostgreSQL::Test::Utils;

our @EXPORT = qw(stalled give_password password leave is_ended);

# A client that has shaken hands and is asked for its password in clear text.
# Options:
#	user     app
#	cert     name of its certificate, which it sends with its intermediates
#	version  of TLS, as -tls1_2
#	host     the host that it asks for
sub stalled
{
	my ($server, %opt) = @_;
	my @options = $opt{version} // ();
	my $cert = $opt{cert} && $server->certs->get($opt{cert});
	push @options, '-cert', $cert->{cert}, '-key', $cert->{key}, '-cert_chain', $cert->{chain} if $cert;
	push @options, '-servername', $opt{host} if $opt{host};
	my $body = pack('N', 3 << 16) . join('', map { "$_\0" } 'user', $opt{user} // 'app', 'database', 'postgres') . "\0";
	my $self = { in => pack('N', 4 + length $body) . $body, out => '', err => '' };
	$self->{run} = IPC::Run::start([ 'openssl', 's_client', '-quiet', '-starttls', 'postgres', '-connect', '127.0.0.1:' . $server->node->port, @options ],
		'<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err}, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$self->{run}->pump until $self->{out} =~ /^R\0\0\0\x08\0\0\0\x03/;
	$self->{out} = '';
	return $self;
}

sub give_password
{
	my ($client) = @_;
	my $secret = "secret\0";
	$client->{in} .= 'p' . pack('N', 4 + length $secret) . $secret;
	return;
}

# It gives the password: 'in', or the server's message.
sub password
{
	my ($client) = @_;
	give_password($client);
	eval { $client->{run}->pump until $client->{out} =~ /Z\0\0\0\x05I|^E.{4}.*\0\0\z/s };
	# the session can have been ended since
	return 'in' if $client->{out} =~ /Z\0\0\0\x05I/;
	return $client->{out} =~ /\0M([^\0]*)\0/ ? $1 : "nothing: $client->{out}$client->{err}";
}

sub leave { my ($client) = @_; $client->{run}->kill_kill; return }

# A session that was let in is told to end.
sub is_ended
{
	my ($client) = @_;
	eval { $client->{run}->pump until $client->{out} =~ /terminating connection/ };
	my $ended = $client->{out} =~ /terminating connection/;
	leave($client);
	return $ended;
}

1;
