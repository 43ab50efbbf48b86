# A client that knows nothing but what sslpolicy.client_settings() has told.
#
# It has a folder of its own, which it has named, and in it the files that the rows
# speak of: the CA of sslpolicy.server_ca(), and a certificate that the test's CA has
# signed from the request that the openssl command, run by a shell as it stands, has
# made.  The folder is where libpq looks by itself if HOME is the one above it; HOME is
# that for the strings without paths alone.
package SSLPolicy::Client;

use strict;
use warnings;
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Copy ();
use File::Path qw(make_path);
use File::Spec ();
use IPC::Run ();
use JSON::PP ();
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(settings_of value note_of problems run_in spew new_client
  by_environment by_conninfo by_bundle gets_in);

my $folders = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir('clients'));
my $clients = 0;

# The rows for a role, a list of hashes.  Options: user (app), db (postgres),
# address (127.0.0.1), no_db, no_address, directory (a new one).  One row is not of
# sslpolicy.client_settings(): (bundle), which sslpolicy.client_bundle() has told.
sub settings_of
{
	my ($server, %opt) = @_;
	my $role = $server->literal('"' . (($opt{user} // 'app') =~ s/"/""/gr) . '"');
	my $call = join ', ', $role,
	  $opt{no_db} ? 'NULL' : $server->literal($opt{db} // 'postgres'),
	  $opt{no_address} ? 'NULL' : $server->literal($opt{address} // '127.0.0.1');
	my $directory = $server->literal($opt{directory} // "$folders/" . ++$clients . '/.postgresql');
	my $rows = JSON::PP::decode_json(
		$server->sql("SELECT coalesce(json_agg(s), '[]') FROM sslpolicy.client_settings($call, $directory) s"));
	push @$rows, { setting => '(bundle)', note => '',
		value => JSON::PP->new->utf8->allow_nonref->decode($server->sql("SELECT to_json(sslpolicy.client_bundle($call))")) };
	return $rows;
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
	$ENV{$_} = $env->{$_} for grep { defined $env->{$_} } keys %$env;
	my $ok = IPC::Run::run([@command], '<', \$in, '>', \$out, '2>', \$err,
		init => sub { chdir $folder or die "$folder: $!" });
	chomp $out;
	return { ok => $ok ? 1 : 0, out => $out, err => $err };
}

# Do what the rows say.  Options:
#	days     validity of the certificate (30)
#	issuer   its CA (root)
#	folder   of another client, whose certificate and key to take
#	host     what a person would write where the rows say HOST
sub new_client
{
	my ($server, $rows, $name, %opt) = @_;
	my %env = map { $_->{setting} => value($rows, $_->{setting}) }
	  grep { $_->{setting} =~ /^(?:PG|OPENSSL_CONF$)/ } @$rows;
	my ($file) = grep { defined } @env{qw(PGSSLROOTCERT PGSSLCERT OPENSSL_CONF)};
	my $folder = $file ? dirname($file) : "$folders/" . ++$clients;
	make_path($folder);

	spew($env{PGSSLROOTCERT}, $server->sql('SELECT sslpolicy.server_ca()') . "\n")
	  if $env{PGSSLROOTCERT};
	spew($env{OPENSSL_CONF}, value($rows, 'openssl_conf_file')) if $env{OPENSSL_CONF};
	if ($opt{folder})
	{
		File::Copy::copy("$opt{folder}/postgresql.$_", "$folder/postgresql.$_") or die $! for qw(crt key);
	}
	elsif ($env{PGSSLCERT})
	{
		certify($server, $rows, $name, $folder, $env{PGSSLCERT}, %opt);
	}
	chmod oct(value($rows, 'key_permissions')), $env{PGSSLKEY} if $env{PGSSLKEY};
	my %strings = map { $_ => value($rows, $_) } qw(conninfo conninfo_without_paths uri);
	if ($opt{host})
	{
		$_ =~ s/\bHOST\b/$opt{host}/ for $env{PGHOST}, values %strings;
	}
	return { folder => $folder, env => \%env, %strings, bundle => value($rows, '(bundle)'), host => $opt{host} };
}

sub certify
{
	my ($server, $rows, $name, $folder, $file, %opt) = @_;
	my $issuer = $opt{issuer} // $server->certs->get('root');
	# where it is run makes no difference
	my $made = run_in($folders, {}, 'sh', '-c', value($rows, 'openssl'));
	ok($made->{ok}, "$name: the openssl command runs") or diag(value($rows, 'openssl'), $made->{err});
	my $signed = run_in($folder, {}, 'openssl', 'x509', '-req', '-in', 'postgresql.csr',
		'-CA', $issuer->{cert}, '-CAkey', $issuer->{key}, '-copy_extensions', 'copy',
		'-days', $opt{days} // 30, '-out', 'signed.pem');
	$signed->{ok} or die $signed->{err};
	spew($file,
		join '', map { slurp_file($_) } "$folder/signed.pem", $opt{issuer} ? $issuer->{chain} : ());
	return;
}

# Log in with the environment, changed by %change (undef: without).
sub by_environment
{
	my ($client, %change) = @_;
	my %env = (%{ $client->{env} }, %change);
	delete $env{$_} for grep { !defined $env{$_} } keys %env;
	return run_in($folders, \%env, 'psql', '-XqAt', '-c', 'SELECT session_user');
}

# The same with one string alone (conninfo, conninfo_without_paths, uri); OPENSSL_CONF
# is no part of it.
sub by_conninfo
{
	my ($client, $row) = @_;
	$row //= 'conninfo';
	my %env = map { $_ => $client->{env}{$_} } grep { $_ eq 'OPENSSL_CONF' } keys %{ $client->{env} };
	$env{HOME} = dirname($client->{folder}) if $row =~ /without_paths/;
	return run_in($folders, \%env, 'psql', '-XqAt', '-d', $client->{$row}, '-c', 'SELECT session_user');
}

# The same with the file of client_bundle(), sourced by a shell whose options these are,
# in a HOME that holds the certificate and its key.
sub by_bundle
{
	my ($client, @shell) = @_;
	my $home = "$folders/" . ++$clients;
	make_path("$home/.postgresql", { mode => oct 700 });
	for my $file (grep { -e "$client->{folder}/$_" } 'postgresql.crt', 'postgresql.key')
	{
		File::Copy::copy("$client->{folder}/$file", "$home/.postgresql/$file") or die $!;
		chmod 0600, "$home/.postgresql/$file";
	}
	spew("$home/bundle.sh", $client->{bundle});
	my $by = run_in($home, { HOME => $home, PGHOST => $client->{host}, PGDATABASE => $client->{database} },
		@shell, '-c', '. ./bundle.sh; psql -XqAt -c "SELECT session_user"');
	$by->{pwned} = -e "$home/pwned";
	return $by;
}

# All must succeed as this user; the bundle in these shells, or in one of two by turns.
my @shells = ([ 'dash', '-eu' ], ['bash']);
my $turn = 0;
sub gets_in
{
	my ($client, $user, $name, @in) = @_;
	@in = $shells[ $turn++ % @shells ] unless @in;
	my $by_env = by_environment($client);
	is($by_env->{out}, $user, "$name: let in by the environment") or diag($by_env->{err}, explain($client->{env}));
	for my $row (qw(conninfo conninfo_without_paths uri))
	{
		my $by = by_conninfo($client, $row);
		is($by->{out}, $user, "$name: let in by $row") or diag($by->{err}, $client->{$row});
	}
	for my $shell (@in)
	{
		my $by = by_bundle($client, @$shell);
		is($by->{out}, $user, "$name: let in by the bundle in @$shell") or diag($by->{err}, $client->{bundle});
		ok(!$by->{pwned}, "$name: the bundle ran nothing of it in @$shell");
	}
	return;
}

1;
