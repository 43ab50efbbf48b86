# A client that knows nothing but what sslpolicy.client_settings() has told.
#
# It has a folder of its own, and in it the files that the rows speak of: the CA
# of sslpolicy.server_ca(), and a certificate that the test's CA has signed from
# the request that the openssl command, run by a shell as it stands, has made.
package SSLPolicy::Client;

use strict;
use warnings;
use Exporter qw(import);
use File::Copy ();
use File::Path qw(make_path);
use IPC::Run ();
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(settings_of value note_of problems run_in spew new_client
  by_environment by_conninfo gets_in);

my $folders = PostgreSQL::Test::Utils::tempdir('clients');
my $clients = 0;

# The rows for a role, a list of hashes.  Options: user (app), db (postgres),
# address (127.0.0.1), no_db, no_address.
sub settings_of
{
	my ($server, %opt) = @_;
	my $role = $server->literal('"' . (($opt{user} // 'app') =~ s/"/""/gr) . '"');
	my $call = join ', ', $role,
	  $opt{no_db} ? 'NULL' : $server->literal($opt{db} // 'postgres'),
	  $opt{no_address} ? 'NULL' : $server->literal($opt{address} // '127.0.0.1');
	return JSON::PP::decode_json(
		$server->sql("SELECT coalesce(json_agg(s), '[]') FROM sslpolicy.client_settings($call) s"));
}

sub row
{
	my ($rows, $setting) = @_;
	return (grep { $_->{setting} eq $setting } @$rows)[0];
}

# The value of the first row of this name, as bytes; undef if there is none.
sub value
{
	my $row = row(@_);
	return undef unless $row && defined $row->{value};
	my $value = $row->{value};
	utf8::encode($value);
	return $value;
}

sub note_of
{
	my $row = row(@_);
	return $row ? $row->{note} // '' : undef;
}

sub problems { return map { $_->{value} } grep { $_->{setting} eq 'problem' } @{ $_[0] } }

sub spew
{
	my ($file, $text) = @_;
	open my $fh, '>:raw', $file or die "$file: $!";
	print $fh $text;
	close $fh;
	return;
}

# Run a command in a folder, with nothing of the tester's in the environment.
sub run_in
{
	my ($folder, $env, @command) = @_;
	my ($in, $out, $err) = ('', '', '');
	local %ENV = %ENV;
	delete @ENV{ grep { /^PG(?!_REGRESS|_CONFIG)|^OPENSSL_CONF$/ } keys %ENV };
	$ENV{HOME} = "$folder/nobody";
	$ENV{PGCONNECT_TIMEOUT} = 60;
	$ENV{$_} = $env->{$_} for keys %$env;
	my $ok = IPC::Run::run([@command], '<', \$in, '>', \$out, '2>', \$err,
		init => sub { chdir $folder or die "$folder: $!" });
	chomp $out;
	return { ok => $ok ? 1 : 0, out => $out, err => $err };
}

# Do what the rows say: { folder, env, conninfo }.  Options:
#	days     validity of the certificate (30)
#	issuer   its CA (root)
#	folder   of another client, whose certificate and key to take
#	host     what a person would write where the rows say HOST, or nothing
sub new_client
{
	my ($server, $rows, $name, %opt) = @_;
	my $folder = "$folders/" . ++$clients;
	make_path($folder);
	my %env = map { $_->{setting} => value($rows, $_->{setting}) }
	  grep { $_->{setting} =~ /^(?:PG|OPENSSL_CONF$)/ && defined $_->{value} } @$rows;
	my $conninfo = value($rows, 'conninfo');

	spew("$folder/$env{PGSSLROOTCERT}", $server->sql('SELECT sslpolicy.server_ca()') . "\n")
	  if $env{PGSSLROOTCERT};
	spew("$folder/$env{OPENSSL_CONF}", value($rows, 'openssl_conf_file')) if $env{OPENSSL_CONF};
	if ($opt{folder})
	{
		File::Copy::copy("$opt{folder}/$_", "$folder/$_") or die $! for $env{PGSSLCERT}, $env{PGSSLKEY};
	}
	elsif ($env{PGSSLCERT})
	{
		certify($server, $rows, $name, $folder, $env{PGSSLCERT}, %opt);
	}
	chmod oct(value($rows, 'key_permissions')), "$folder/$env{PGSSLKEY}" if $env{PGSSLKEY};
	if ($opt{host})
	{
		$env{PGHOST} = $opt{host};
		$conninfo =~ s/host=\S+/host=$opt{host}/;
	}
	return { folder => $folder, env => \%env, conninfo => $conninfo };
}

sub certify
{
	my ($server, $rows, $name, $folder, $file, %opt) = @_;
	my $issuer = $opt{issuer} // $server->certs->get('root');
	my $made = run_in($folder, {}, 'sh', '-c', value($rows, 'openssl'));
	ok($made->{ok}, "$name: the openssl command runs") or diag(value($rows, 'openssl'), $made->{err});
	my $signed = run_in($folder, {}, 'openssl', 'x509', '-req', '-in', 'postgresql.csr',
		'-CA', $issuer->{cert}, '-CAkey', $issuer->{key}, '-copy_extensions', 'copy',
		'-days', $opt{days} // 30, '-out', 'signed.pem');
	$signed->{ok} or die $signed->{err};
	spew("$folder/$file",
		join '', map { slurp_file($_) } "$folder/signed.pem", $opt{issuer} ? $issuer->{chain} : ());
	return;
}

# Log in with the environment, changed by %change (undef: without).
sub by_environment
{
	my ($client, %change) = @_;
	my %env = (%{ $client->{env} }, %change);
	delete $env{$_} for grep { !defined $env{$_} } keys %env;
	return run_in($client->{folder}, \%env, 'psql', '-XqAt', '-c', 'SELECT session_user');
}

# The same with the connection string alone; OPENSSL_CONF is no part of it.
sub by_conninfo
{
	my ($client) = @_;
	my %env = map { $_ => $client->{env}{$_} } grep { $_ eq 'OPENSSL_CONF' } keys %{ $client->{env} };
	return run_in($client->{folder}, \%env, 'psql', '-XqAt', '-d', $client->{conninfo}, '-c', 'SELECT session_user');
}

# Both must succeed as this user.
sub gets_in
{
	my ($client, $user, $name) = @_;
	my $by_env = by_environment($client);
	is($by_env->{out}, $user, "$name: let in by the environment") or diag($by_env->{err}, explain($client->{env}));
	my $by_conninfo = by_conninfo($client);
	is($by_conninfo->{out}, $user, "$name: let in by the connection string") or diag($by_conninfo->{err}, $client->{conninfo});
	return;
}

1;
