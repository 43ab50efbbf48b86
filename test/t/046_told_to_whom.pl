# What is told of files to whom: who may name a file in a setting (GRANT ALTER SYSTEM)
# and see what the server makes of it learns nothing of files that PostgreSQL would not
# show him.
#
# Whatever a path leads to that is of no use (nothing, a folder, a private key, a file
# that cannot be read, or one of something else), each view and function tells such a
# role the same, word for word; and a superuser why.
#
# 1. sslpolicy.crl_file and ssl_crl_file, ssl_ca_file: files
# 2. sslpolicy.crl_dir and ssl_crl_dir: folders
# 3. what is of use is shown, but no name in a folder
# 4. private keys and their permissions
use strict;
use warnings;
use Digest::SHA ();
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('told', conf => "log_statement = none\n");
my ($certs, $node) = ($server->certs, $server->node);
my ($dir, $data) = ($certs->{dir}, $node->data_dir);
$certs->client('app', issuer => 'root');
$server->start;
$server->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE probe LOGIN; CREATE ROLE app LOGIN; GRANT pg_monitor TO probe;
GRANT ALTER SYSTEM ON PARAMETER sslpolicy.crl_file, sslpolicy.crl_dir, ssl_crl_file, ssl_crl_dir, ssl_ca_file, ssl_cert_file, ssl_key_file TO probe;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sslpolicy TO probe;
GRANT EXECUTE ON FUNCTION pg_reload_conf() TO probe;
SQL
$server->label(role => { app => 'sslmode=verify-ca' });

# what is not for the role, in a folder in which the server cannot make files
my $secret = "$dir/secret";
mkdir $secret or die;
write_file("$secret/id_rsa", slurp_file("$dir/app.key"));
write_file("$secret/closed", slurp_file("$dir/root.crt"));
write_file("$secret/diary.txt", "dear diary\n");
write_file("$secret/damaged", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n");
write_file("$secret/empty", '');
mkdir "$secret/folder" or die;
mkdir "$secret/full" or die;
write_file("$secret/full/$_", "nothing\n") for qw(alice.pem bob.crl);
mkdir "$secret/shut" or die;
write_file("$secret/shut/carol.crl", make_crl($certs, 'root', 1));
chmod 0000, "$secret/closed", "$secret/shut";
chmod 0500, $secret;

# What a role sees of each of some statements, in a session of its own: rows, and
# whatever else the client is sent.
sub ask_all
{
	my ($user, %sql) = @_;
	my ($out, $err) = ('', '');
	my @names = sort keys %sql;
	my $script = join '', map { "\\echo =$_=\n\\warn =$_=\n$sql{$_};\n" } @names;
	IPC::Run::run([ 'psql', '-XqAt', '-h', $node->host, '-p', $node->port, '-U', $user, '-d', 'postgres' ],
		'<', \"SET client_min_messages = log;\n\\set VERBOSITY verbose\n$script", '>', \$out, '2>', \$err);
	my %seen;
	for my $stream ($out, $err =~ s/^LOCATION:.*\n//mgr)
	{
		my (undef, @parts) = split /^=([^=\n]+)=\n/m, $stream;
		while (my ($name, $text) = splice @parts, 0, 2) { $seen{$name} .= $text // '' }
	}
	return \%seen;
}

sub ask { my ($user, $sql) = @_; return ask_all($user, it => $sql)->{it} }

my $crl = make_crl($certs, 'root', 7);
my $app = slurp_file("$dir/app.crt");
my %channels = (
	'crls' => 'TABLE sslpolicy.crls',
	'certificates' => 'TABLE sslpolicy.certificates',
	'material_status' => 'SELECT kind, path, sha256, last_error FROM sslpolicy.material_status',
	'material_history' => 'TABLE sslpolicy.material_history',
	'lint' => q{SELECT regexp_replace(l::text, '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d]*[+-]\d+', 'TIME', 'g') FROM sslpolicy.lint() l},
	'verify_certificate' => "SELECT ok, error FROM sslpolicy.verify_certificate(\$\$$app\$\$)",
	'explain' => "SELECT requirement, actual, ok FROM sslpolicy.explain('app', 'postgres', '192.0.2.1', true, certificate => \$\$$app\$\$)",
	'revoked' => q{SELECT * FROM sslpolicy.revoked(1, 'O=Acme,CN=Test Root')},
	'install_crl' => "SELECT installed, affected, warnings FROM sslpolicy.install_crl(\$\$$crl\$\$, dry_run => true)",
	'client_settings' => q{SELECT * FROM sslpolicy.client_settings('app')},
	'client_bundle' => q{SELECT sslpolicy.client_bundle('app')},
	'version' => 'SELECT * FROM sslpolicy.version()');

my $says = qr/No such file|Permission denied|[Ii]s a directory|Not a directory|regular file|no start line|PRIVATE KEY|private key file|(?<!in )PEM|asn1|ASN\.1|holds no|there is no CRL in|damaged|could not (?:open|read|create|access|write|load (?!its TLS files|this material))|group or world|alice|bob|carol|diary|\.sslpolicy\.tmp/;

# All that a role is told while a setting has a value.
sub told
{
	my ($user, $setting, $path) = @_;
	my %told;
	ask('probe', "ALTER SYSTEM SET $setting = '$path'");
	# whether the server was told to load it shows as well; then it is in force, whatever it is
	my $generation = 'SELECT max(generation) FROM sslpolicy.material_status';
	%told = %{ ask_all($user, '1' => $generation, '2 reload' => 'SELECT loaded, error FROM sslpolicy.reload()', '3' => $generation,
		'4 by force' => 'SELECT loaded, error FROM sslpolicy.reload(force => true)') };
	$told{'reload: loads'} = delete($told{3}) - delete($told{1});
	$told{'reload'} = delete $told{'2 reload'};
	$told{'reload by force'} = delete $told{'4 by force'};
	$node->poll_query_until('postgres', "SELECT current_setting('$setting') = '$path'") or die;
	%told = (%told, %{ ask_all($user, %channels) });
	$server->sql("ALTER SYSTEM RESET $setting; SELECT sslpolicy.reload(force => true)");
	$node->poll_query_until('postgres', "SELECT current_setting('$setting') <> '$path'") or die;
	return { map { $_ => $told{$_} =~ s/\Q$path\E/PATH/gr } keys %told };
}

sub same
{
	my ($setting, @what) = @_;
	my %of = map { $_ => told('probe', $setting, "$secret/$_") } @what;
	for my $channel (sort keys %{ $of{ $what[0] } })
	{
		is($of{$_}{$channel}, $of{ $what[0] }{$channel}, "$setting, $channel: $_ is as $what[0]") for @what[ 1 .. $#what ];
		unlike($of{ $what[0] }{$channel}, $says, "$setting, $channel: it does not say what it is") if $channel !~ /^client_/;
	}
	return $of{ $what[0] };
}

my @files = qw(missing id_rsa closed diary.txt damaged empty folder missing/file full);

subtest 'sslpolicy.crl_file' => sub {
	my $told = same('sslpolicy.crl_file', @files);
	like($told->{crls}, qr/^PATH\|.*\|f\|file "PATH" cannot be used$/m, 'the view has the path as the setting has it');
	is($told->{'reload: loads'}, 0, 'it is not loaded without force');
	like($told->{reload}, qr/^f\|file "PATH" cannot be used$/m, 'and reload() says so');
	like($told->{install_crl}, qr/ERROR:  42501: file "PATH" cannot be replaced\nDETAIL:  Callers who are not superusers can replace a file only if/, 'an installation says what it would replace');
	like($told->{lint}, qr/crl_not_in_force.*file ""?"?PATH""?"? cannot be used/, 'and lint()');

	my $offset = $server->log_offset;
	my $superuser = told($server->sql('SELECT current_user'), 'sslpolicy.crl_file', "$secret/closed");
	like($superuser->{$_}, qr/Permission denied/, "a superuser is told by $_") for 'crls', 'lint', 'reload', 'reload by force', 'install_crl';
	$offset = $server->log_offset;
	told('probe', 'sslpolicy.crl_file', "$secret/closed");
	like($server->log_since($offset), qr/LOG:  could not open file "\Q$secret\E\/closed": Permission denied\n.*DETAIL:  The caller was told: file/, 'the log has what the caller of reload() was not told');
	like($server->log_since($offset), qr/ERROR:  file "\Q$secret\E\/closed" cannot be replaced\n.*DETAIL:  It cannot be read as PEM: could not open file "\Q$secret\E\/closed": Permission denied/, 'and that of an installation');
	done_testing();
};

subtest 'ssl_crl_file' => sub {
	my $told = same('ssl_crl_file', qw(missing id_rsa closed diary.txt folder));
	like($told->{crls}, qr/file "PATH" cannot be used/, 'the view has the path');
	like($told->{material_status}, qr/^crl\|PATH\|\|the server log says why$/m, 'neither what it is, nor its SHA-256');
	done_testing();
};

subtest 'ssl_ca_file' => sub {
	my $told = same('ssl_ca_file', qw(missing id_rsa closed diary.txt damaged folder));
	is($told->{'reload: loads'}, 0, 'it is not loaded without force');
	like($told->{verify_certificate}, qr/^f\|a file of the TLS settings cannot be used$/m, 'said of certificates, too');
	done_testing();
};

subtest 'ssl_cert_file' => sub {
	same('ssl_cert_file', qw(missing id_rsa closed folder));
	same('ssl_key_file', qw(missing closed diary.txt));
	done_testing();
};

my @folders = qw(missing full shut id_rsa diary.txt missing/folder);

subtest 'sslpolicy.crl_dir' => sub {
	my $told = same('sslpolicy.crl_dir', @folders);
	is($told->{'reload: loads'}, 0, 'it is not loaded without force');
	like($told->{crls}, qr/^PATH\|.*\|f\|a file of sslpolicy\.crl_dir or sslpolicy\.crl_file cannot be used$/m, 'no name');
	my $superuser = told($server->sql('SELECT current_user'), 'sslpolicy.crl_dir', "$secret/full");
	like($superuser->{$_}, qr/alice\.pem/, "a superuser is told by $_") for 'crls', 'lint', 'reload by force';
	done_testing();
};

subtest 'ssl_crl_dir' => sub {
	my $told = same('ssl_crl_dir', @folders);
	like($told->{crls}, qr/^PATH\|.*\|f\|a file of this directory cannot be used$/m, 'no name');
	my $superuser = told($server->sql('SELECT current_user'), 'ssl_crl_dir', "$secret/full");
	like($superuser->{crls}, qr/alice\.pem.*bob\.crl|bob\.crl.*alice\.pem/s, 'a superuser sees the files');
	done_testing();
};

subtest 'what is of use' => sub {
	my $good = "$dir/good";
	mkdir $good or die;
	write_file("$good/surname.crl", make_crl($certs, 'root', 7));
	my $told = told('probe', 'sslpolicy.crl_dir', $good);
	is($told->{reload}, "t|\n", 'a folder of CRLs is loaded');
	like($told->{crls}, qr/^PATH\|O=Acme,CN=Test Root\|7\|.*\|t\|$/m, 'its CRLs are shown');
	unlike(join('', values %$told), qr/surname/, 'but not their names');
	$told = told('probe', 'sslpolicy.crl_file', "$good/surname.crl");
	is($told->{reload}, "t|\n", 'so is a file');
	like($told->{crls}, qr/^PATH\|O=Acme,CN=Test Root\|7\|.*\|t\|$/m, 'which the setting names');
	my $sha = Digest::SHA::sha256_hex(slurp_file("$good/surname.crl"));
	like($told->{material_status}, qr/^crl\|PATH\|$sha\|/m, 'with its SHA-256');
	like($told->{material_status}, qr/^server\|\Q$dir\E\/server\.crt\|[0-9a-f]{64}\|/m, 'as of the others');
	my ($hash) = `openssl crl -in $good/surname.crl -hash -noout` =~ /(\w+)/;
	rename "$good/surname.crl", "$good/$hash.r0" or die;
	write_file("$good/other.txt", 'x');
	$told = told('probe', 'ssl_crl_dir', $good);
	like($told->{crls}, qr/^PATH\|O=Acme,CN=Test Root\|7\|.*\|t\|$/m, 'CRLs of ssl_crl_dir are shown');
	unlike(join('', values %$told), qr/other\.txt|\Q$hash\E/, 'but no names');
	done_testing();
};

subtest 'private keys' => sub {
	my $lint = q{SELECT object, finding FROM sslpolicy.lint() WHERE code = 'key_readable_by_others'};
	write_file("$dir/mixed.crt", slurp_file("$dir/root.crt"), slurp_file("$dir/app.key"));
	chmod 0644, "$dir/mixed.crt" or die;
	$server->set(ssl_ca_file => "$dir/mixed.crt");
	like($server->sql($lint), qr/mixed\.crt.*holds a private key/, 'a superuser is told of a key in a file of CAs');
	is(ask('probe', $lint), '', 'others are not');
	$server->set(ssl_ca_file => "$dir/root.crt");
	chmod 0644, "$dir/server.key" or die;
	like(ask('probe', $lint), qr/^file "\Q$dir\E\/server\.key"\|/m, 'everybody is told of the server\'s own key, whose permissions have changed');
	chmod 0600, "$dir/server.key" or die;
	write_file("$secret/../open.key", slurp_file("$dir/app.key"));
	chmod 0644, "$dir/open.key" or die;
	ask('probe', "ALTER SYSTEM SET ssl_key_file = '$dir/open.key'");
	ask('probe', 'SELECT sslpolicy.reload(force => true)');
	is(ask('probe', $lint), '', 'but not of a file that the server has not loaded');
	like($server->sql($lint), qr/open\.key/, 'of which a superuser is');
	done_testing();
};

chmod 0700, $secret, "$secret/shut", "$secret/closed";
done_testing();
