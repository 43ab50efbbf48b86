# What the server could not replace, or not put back as it is, is found out before
# anything is touched; the error says whose it is, and what is needed.
#
# For each kind of material:
# 1. a file that the server may read and not write, and one of another user
# 2. a folder that it may not write to, directly and behind a link; a link to nothing
# 3. postgresql.auto.conf, where a setting has to change
# 4. who is no superuser is not told
# 5. what is put back is the very file that was there, with its mode
# 6. material_history and lint() tell what was installed from what is in place: a file
#    that something else has replaced, an earlier one, a data directory that was restored
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

plan skip_all => 'root may write everything' if $> == 0;

my $server = SSLPolicy::Server->new('not_ours', conf => "restart_after_crash = on\n");
my ($node, $certs) = ($server->node, $server->certs);
my $dir = $certs->{dir};
$certs->client('app', issuer => 'root', subject => '/CN=app');
sub pem { my ($name) = @_; return slurp_file("$dir/$name") }

# all that is replaced lies in a folder of its own, next to nothing else
my $folder = "$dir/place";
mkdir $folder or die $!;
write_file("$folder/ca.crt", pem('root.crt'));
write_file("$folder/server.pem", pem('server.crt') . pem('server.key'));
chmod 0600, "$folder/server.pem";
write_file("$folder/core.crl", make_crl($certs, 'root', 1));
write_file("$folder/own.crl", make_crl($certs, 'root', 1));
$node->append_conf('postgresql.conf', <<"CONF");
ssl_ca_file = '$folder/ca.crt'
ssl_cert_file = '$folder/server.pem'
ssl_key_file = '$folder/server.pem'
ssl_crl_file = '$folder/core.crl'
CONF
# a server to which a file can belong to root
system("gcc -shared -fPIC -O1 -Wall -Werror -o $dir/owner.so test/modules/owner.c -ldl") == 0 or die 'owner does not compile';
sub start
{
	local $ENV{LD_PRELOAD} = join ':', grep { defined && length } $ENV{LD_PRELOAD}, "$dir/owner.so";
	$server->start;
	return;
}
start();
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE boss SUPERUSER LOGIN; CREATE ROLE installer LOGIN');
$server->sql('GRANT USAGE ON SCHEMA sslpolicy TO installer; GRANT EXECUTE ON FUNCTION sslpolicy.add_ca TO installer');

my ($me) = getpwuid $>;
my $own_folder = $node->data_dir . '/sslpolicy';
# never what is in place already
my $crl = 1;
my $n = 0;
sub more_ca { $n++; $certs->ca("more$n", subject => "/CN=More CA $n"); return pem("more$n.crt") }
sub next_certificate { $n++; $certs->server("next$n", issuer => 'root'); return pem("next$n.crt") . "', private_key => '" . pem("next$n.key") }
my %kinds = (
	'ca.crt' => [ 'ssl_ca_file', sub { my ($more) = @_; return "add_ca('" . more_ca() . "'$more)" } ],
	'server.pem' => [ 'ssl_cert_file', sub { my ($more) = @_; return "install_server_certificate('" . next_certificate() . "', force => true$more)" } ],
	'core.crl' => [ 'ssl_crl_file', sub { my ($more) = @_; return "install_crl('" . make_crl($certs, 'root', ++$crl) . "'$more)" } ],
	'own.crl' => [ 'sslpolicy.crl_file', sub { my ($more) = @_; return "install_crl('" . make_crl($certs, 'root', ++$crl) . "'$more)" } ]);

# An installation: 'installed', or its error with all that is said.
sub try
{
	my ($call, %opt) = @_;
	my ($code, $out, $err) = $node->psql('postgres', "SELECT installed FROM sslpolicy.$call",
		extra_params => [ '-v', 'VERBOSITY=verbose', '-d', $server->conninfo(user => 'boss', host => 'local', sslmode => 'prefer', %opt) ]);
	return $code ? $err : $out eq 't' ? 'installed' : 'only tried';
}

# Everything in the folder: names, inodes, modes, times and content.
sub state_of_folder
{
	return join "\n", map { my @s = lstat; join ' ', $_, @s[ 1, 2, 4, 7, 9 ], -l ? readlink : -r ? unpack('%32C*', slurp_file($_)) : 'unreadable' } sort glob "$folder/* $folder/.??* $dir/elsewhere/*";
}
sub generation { return $server->sql('SELECT max(generation) FROM sslpolicy.material_status') }
sub history { return $server->sql('SELECT count(*) FROM sslpolicy.material_history') }

# It fails, saying this; nothing was touched, nothing is put back, and nobody reloads.
sub refused
{
	my ($name, $call, @said) = @_;
	for my $more ('', ', dry_run => true')
	{
		my ($state, $generation, $history, $offset) = (state_of_folder(), generation(), history(), $server->log_offset);
		my $error = try($call->($more));
		like($error, $_, "$name$more: $_") for qr/42501: file "[^"]*" cannot be replaced/, @said;
		unlike($error . $server->log_since($offset), qr/could not put back|reloading configuration/, "$name$more: nothing to put back");
		is(state_of_folder(), $state, "$name$more: the folder is as it was");
		is(generation() . ' ' . history(), "$generation $history", "$name$more: and so is the server");
	}
	return;
}

for my $file (sort keys %kinds)
{
	my ($setting, $call) = @{ $kinds{$file} };
	my $path = "$folder/$file";
	$server->set('sslpolicy.crl_file' => "$folder/own.crl", ssl_crl_file => '') if $file eq 'own.crl';
	my $belongs = qr/belongs to user "\Q$me\E" and group "[^"]*", with mode/;

	# 1
	for my $mode (0400, 0440)
	{
		chmod $mode, $path;
		refused(sprintf('%s with mode %04o', $file, $mode), $call, qr/It $belongs 0\d+, and the server cannot write it: Permission denied\./,
			qr/HINT: .*user "\Q$me\E" own and write the file, or set \Q$setting\E to another file/);
	}
	chmod 0600, $path;

	write_file("$path.foreign", '');
	refused("$file of another user", $call, qr/It belongs to user "root" .*could not put it back like that\./);
	unlink "$path.foreign" or die $!;

	# 2
	chmod 0500, $folder;
	refused("$file in a folder that is not to be written", $call, qr/cannot write to folder "\Q$folder\E": Permission denied\. The folder $belongs 0500; the server runs as user "\Q$me\E"\./,
		qr/HINT: .*set \Q$setting\E to a file elsewhere/);
	chmod 0700, $folder;

	mkdir "$dir/elsewhere";
	rename $path, "$dir/elsewhere/$file" or die $!;
	symlink "$dir/elsewhere/$file", $path or die $!;
	chmod 0500, "$dir/elsewhere";
	refused("$file that leads into such a folder", $call, qr/cannot write to folder "\Q$dir\E\/elsewhere": Permission denied\./);
	chmod 0700, "$dir/elsewhere";
	chmod 0400, "$dir/elsewhere/$file";
	refused("$file that leads to a file that is not to be written", $call, qr/the server cannot write it: Permission denied\./);
	chmod 0600, "$dir/elsewhere/$file";
	is(try($call->('')), 'installed', "$file that leads to a file of ours");
	ok(-l $path, "$file stays a link");
	unlink $path;
	rename "$dir/elsewhere/$file", $path or die $!;

	# 5
	chmod 0640, $path;
	my @before = stat $path;
	append_to_file("$own_folder/fail.in_place", '');
	like(try($call->('')), qr/failed at in_place/, "$file: an installation that fails");
	unlink "$own_folder/fail.in_place";
	is(join(' ', (stat $path)[ 1, 2, 4, 5, 7, 9 ]), join(' ', @before[ 1, 2, 4, 5, 7, 9 ]), "$file: what is put back is the file that was there");
	chmod 0600, $path;
	is(try($call->('')), 'installed', "$file: and then one that does not");
	is((stat $path)[2] & 07777, 0600, "$file: only the server may read what is installed");
}

# 2. a link to nothing
{
	rename "$folder/own.crl", "$folder/away" or die $!;
	symlink "$folder/nothing.crl", "$folder/own.crl" or die $!;
	like(try($kinds{'own.crl'}[1]->('')), qr/ERROR/, 'a link to nothing is refused');
	ok(-l "$folder/own.crl" && !-e "$folder/nothing.crl", 'and left alone');
	rename "$folder/away", "$folder/own.crl" or die $!;
}

# 3
$server->set('sslpolicy.crl_file' => undef);
for my $setting (qw(ssl_cert_file ssl_key_file)) { $server->set($setting => $setting =~ /cert/ ? "$dir/server.crt" : "$dir/server.key") }
my $auto = $node->data_dir . '/postgresql.auto.conf';
chmod 0400, $auto;
refused('postgresql.auto.conf that is not to be written', $kinds{'server.pem'}[1], qr/file "\Q$auto\E" cannot be replaced/, qr/mode 0400; the server runs as user "\Q$me\E": Permission denied/,
	qr/HINT: .*A setting has to change with this installation/);
chmod 0600, $auto;

# 4
chmod 0400, "$folder/ca.crt";
my $error = try($kinds{'ca.crt'}[1]->(''), user => 'installer');
like($error, qr/a file that a setting names cannot be used/, 'no superuser: it cannot be used');
unlike($error, qr/mode|\Q$me\E" and|Permission denied/, 'and that is all that is told');
chmod 0600, "$folder/ca.crt";

# 6
sub in_place { return $server->sql(q(SELECT coalesce(string_agg(kind || version, ' ' ORDER BY kind, version), '') FROM sslpolicy.material_history WHERE in_place)) }
sub found { return $server->sql(q(SELECT coalesce(string_agg(severity || ' ' || object, E'\n'), '') FROM sslpolicy.lint() WHERE code = 'file_not_as_installed')) }
$server->set(ssl_cert_file => "$folder/server.pem", ssl_key_file => "$folder/server.pem", ssl_crl_file => "$folder/core.crl");
my %last;
for my $file (sort grep { $_ ne 'own.crl' } keys %kinds)
{
	is(try($kinds{$file}[1]->('')), 'installed', "$file: the one before");
	copy_file("$folder/$file", "$folder/$file.before");
	is(try($kinds{$file}[1]->('')), 'installed', "$file: the last one");
	copy_file("$folder/$file", "$folder/$file.last");
}
sub copy_file { my ($from, $to) = @_; write_file($to, slurp_file($from)); chmod 0600, $to; return }
my $all = in_place();
like($all, qr/\Aca\d+ crl\d+ server\d+\z/, 'of each kind what was installed last is in place');
is($server->sql(q(SELECT count(*) FROM (SELECT in_place, lead(1) OVER (PARTITION BY kind ORDER BY version) AS later FROM sslpolicy.material_history WHERE state = 'installed') h WHERE in_place <> (later IS NULL))), 0, 'and nothing else');
is(found(), '', 'lint() finds nothing');
for my $file (sort grep { $_ ne 'own.crl' } keys %kinds)
{
	my $path = "$folder/$file";
	my ($kind) = $file =~ /^(ca|server)/ ? $1 : 'crl';
	copy_file("$path.before", $path);
	my ($one) = grep { /^$kind/ } split / /, in_place();
	my ($n) = $all =~ /$kind(\d+)/;
	is($one, $kind . ($n - 1), "$file: the one before is in place");
	is(found(), "warning file \"$path\"", "$file: lint() warns of it");
	write_file($path, slurp_file("$path.last") . "\n");
	chmod 0600, $path;
	is((grep { /^$kind/ } split / /, in_place()), 0, "$file: none of the history is in place");
	is(found(), "info file \"$path\"", "$file: lint() says that another program has changed it");
	is($server->sql("SELECT installed FROM sslpolicy.rollback('$kind', force => true)"), 't', "$file: as the remedy says");
	is(in_place(), $all, "$file: what was installed last is in place again");
	is(found(), '', "$file: and lint() finds nothing");
}

# the history of the past, with the files of today, and the reverse
{
	copy_file("$own_folder/history", "$folder/history.past");
	is(try($kinds{'ca.crt'}[1]->('')), 'installed', 'an installation that a restored history does not know');
	my $later = in_place();
	copy_file("$own_folder/history", "$folder/history.now");
	copy_file("$folder/history.past", "$own_folder/history");
	$server->restart;
	unlike(in_place(), qr/ca/, 'what is in place is none of the history');
	is(found(), "info file \"$folder/ca.crt\"", 'and lint() says so');
	copy_file("$folder/history.now", "$own_folder/history");
	$server->restart;
	is(in_place(), $later, 'with its own history it is the last one');
	is(found(), '', 'and lint() finds nothing, after a restart');
}

unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
