# What can be done by whoever may install TLS material, and by whoever gets hold of
# backups.  SECURITY.md names these tests.
#
# 1. a grantee of the installation functions: paths, symbolic links, modes of files
# 2. the same: input that is made to be expensive; also what pg_monitor may verify
# 3. the same: whose certificates, whose keys
# 4. backups: base backups, dumps, WAL, and files of the data directory
use strict;
use warnings;
use File::Find ();
use IPC::Run ();
use MIME::Base64 qw(decode_base64 encode_base64);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use SSLPolicy::Certs::DER qw(parse seq tlv);
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $preload = -e (run_command([ $ENV{PG_CONFIG} // 'pg_config', '--pkglibdir' ]))[0] . '/pg_stat_statements.so' ?
  'sslpolicy, pg_stat_statements' : 'sslpolicy';
my $server = SSLPolicy::Server->new('material', preload => $preload,
	init => { allows_streaming => 1, extra => ['-g'] },
	conf => "log_statement = all\nlog_min_duration_statement = 0\ntrack_activities = on\n");
my ($certs, $node) = ($server->certs, $server->node);
my ($dir, $data) = ($certs->{dir}, $node->data_dir);
$certs->client('app', issuer => 'root');
$server->start;
$server->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE installer LOGIN; CREATE ROLE monitor LOGIN; CREATE ROLE app LOGIN; CREATE ROLE reader LOGIN;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sslpolicy TO installer;
GRANT pg_monitor TO monitor; GRANT pg_read_server_files TO reader;
SQL
$server->sql('CREATE EXTENSION pg_stat_statements') if $preload =~ /statements/;

sub as
{
	my ($user, $sql, %opt) = @_;
	my ($out, $err) = ('', '');
	$sql = "SET statement_timeout = '5s';\n$sql" if $opt{bounded};
	IPC::Run::run([ 'psql', '-XqAt', '-d', $server->conninfo(user => $user, sslmode => 'require') ],
		'<', \"$sql;\n", '>', \$out, '2>', \$err);
	return "$out$err";
}

sub pem { return "-----BEGIN $_[0]-----\n" . encode_base64($_[1]) . "-----END $_[0]-----\n" }

sub der_of
{
	my ($file) = @_;
	my ($base64) = slurp_file($file) =~ /-----BEGIN [^-]+-----(.*?)-----END/s;
	return decode_base64($base64);
}

# Every file of the data directory that is not PostgreSQL's own business.
sub files
{
	my %files;
	File::Find::find({ no_chdir => 1, wanted => sub {
		return if !-f $_ || m{^\Q$data\E/(?:base|global|pg_\w+)/|postmaster|\.sslpolicy\.tmp$};
		$files{ s{^\Q$data\E/}{}r } = join ' ', (stat _)[ 2, 7 ];
	} }, $data);
	return \%files;
}

###############################################################################
# 1. Paths, symbolic links, modes

my $ca = slurp_file("$dir/root.crt");
write_file("$data/a_ca.pem", $ca);
write_file("$data/a_key.pem", slurp_file("$dir/app.key"));

subtest 'a grantee of the installation functions: no argument is a path' => sub {
	my $before = files();
	for my $path ("$data/a_ca.pem", 'a_ca.pem', "file://$data/a_ca.pem", '../../../etc/passwd', '/etc/passwd', '~/x', '| id', '/dev/zero', "$data/a_key.pem")
	{
		my $p = $server->literal($path);
		my %calls = (
			"install_ca($p)" => qr/no certificate in the text/, "add_ca($p)" => qr/no certificate in the text/,
			"remove_ca($p)" => qr/not a SHA-256 fingerprint/, "install_crl($p\::text)" => qr/no CRL in the text/,
			"install_crl($p\::bytea)" => qr/no CRL in the text|invalid input syntax/, "install_server_certificate($p)" => qr/no certificate in the text/,
			"install_server_certificate(\$\$$ca\$\$, $p)" => qr/private key cannot be used: there is none in the text/,
			"rollback($p)" => qr/unknown kind/, "create_server_key($p, NULL)" => qr/invalid subject/,
			"create_server_key('CN=x', ARRAY[$p])" => qr/invalid name/, "create_server_key('CN=x', NULL, $p)" => qr/unknown type of key/,
			"verify_certificate($p)" => qr/no certificate in the text/, "explain('app', certificate => $p)" => qr/no certificate in the text/,
			"revoked(1, $p)" => qr/^\|\|\|$/, "client_settings('app', $p)" => qr/does not exist/);
		for my $call (sort keys %calls)
		{
			like(as('installer', "SELECT * FROM sslpolicy.$call"), $calls{$call}, $call =~ s/-----.*-----/.../sr);
		}
	}
	is_deeply(files(), $before, 'no file has come, gone or changed its size');
	done_testing();
};

subtest 'a grantee of the installation functions: symbolic links and modes' => sub {
	my $target = "$dir/someone_elses";
	write_file($target, 'untouched');
	symlink $target, "$dir/root.crt.sslpolicy.tmp" or die $!;
	symlink $target, "$dir/root.crt.old.sslpolicy.tmp" or die $!;
	$certs->ca('second');
	like(as('installer', "SELECT installed FROM sslpolicy.add_ca(\$\$" . slurp_file("$dir/second.crt") . "\$\$)"), qr/^t$/m, 'a CA is added');
	is(slurp_file($target), 'untouched', 'nothing is written through a link that lies where the new file comes');
	ok(!-l "$dir/root.crt.sslpolicy.tmp", 'the link is gone');
	is((stat "$dir/root.crt")[2] & 07777, 0600, 'the file is the server\'s alone');
	is((stat "$data/sslpolicy")[2] & 07777, 0700, 'so is the directory, although the group may read the others');
	is((stat $_)[2] & 07777, 0600, s/.*\///r . ' too') for glob "$data/sslpolicy/*";
	done_testing();
};

###############################################################################
# 2. Input that is made to be expensive

# the app's certificate, with other content: a list of DER elements of the TBS
sub forged
{
	my ($change) = @_;
	my ($body) = parse(der_of("$dir/app.crt"));
	my ($tbs, $rest) = parse($body);
	my @elements;
	while (length $tbs)
	{
		my (undef, $after) = parse($tbs);
		push @elements, substr $tbs, 0, length($tbs) - length $after;
		$tbs = $after;
	}
	$change->(\@elements);
	return pem('CERTIFICATE', seq(seq(@elements), $rest));
}

# a CRL of this CA with such an extension, signed by nobody
sub forged_crl
{
	my ($number) = @_;
	my $crl = der_of(do { write_file("$dir/some.crl", make_crl($certs, 'root', 1)); "$dir/some.crl" });
	my ($body) = parse($crl);
	my ($tbs, $rest) = parse($body);
	my $extensions = tlv(0xa0, seq(seq(tlv(0x06, "\x55\x1d\x14"), tlv(0x04, tlv(0x02, $number)))));
	$tbs =~ s/\xa0.{1,40}\z//s or die 'no extensions';
	return pem('X509 CRL', seq(seq($tbs, $extensions), $rest));
}

my $ed = $certs->ca('tiny', subject => '/CN=x', key => 'ED25519');
$certs->intermediate('inner', issuer => 'tiny', subject => '/CN=x', key => 'ED25519');
my $inner = der_of("$dir/inner.crt");
sub crowd { return join '', slurp_file("$dir/tiny.crt"), map { pem('CERTIFICATE', substr($inner, 0, -8) . pack 'Q', $_ * 7919) } 1 .. $_[0] }

my %bombs = (
	'a serial of 700 kB' => forged(sub { $_[0][1] = tlv(0x02, "\x7f" . "\xa5" x 700_000) }),
	'a subject of 700 kB' => forged(sub { $_[0][5] = seq(tlv(0x31, seq(tlv(0x06, "\x55\x04\x03"), tlv(0x0c, 'x' x 300_000)))) }),
	'20,000 CNs' => forged(sub { $_[0][5] = seq((tlv 0x31, seq(tlv(0x06, "\x55\x04\x03"), tlv(0x0c, 'x'))) x 20_000) }),
	'50,000 subject alternative names' => forged(sub { $_[0][-1] = tlv(0xa3, seq(seq(tlv(0x06, "\x55\x1d\x11"), tlv(0x04, seq(tlv(0x82, 'x') x 50_000))))) }),
	'nested 20,000 deep' => pem('CERTIFICATE', do { my $x = ''; $x = seq($x) for 1 .. 20_000; $x }),
	'a length that is not there' => pem('CERTIFICATE', "\x30\x84\x7f\xff\xff\xff" . 'x' x 1000),
	'999 CAs of one name' => crowd(999),
	'3,000 CAs of one name' => crowd(3000),
	'20,000 empty blocks' => pem('CERTIFICATE', '') x 20_000,
	'two megabytes of nothing' => 'x' x 2_000_000,
	'two megabytes of a first line' => '-----BEGIN CERTIFICATE' . '-' x 2_000_000,
	'a CRL number of 700 kB' => forged_crl("\x7f" . "\xa5" x 700_000),
	'a key behind 2^31 rounds' => pem('ENCRYPTED PRIVATE KEY', seq(seq(tlv(0x06, "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d"),
		seq(seq(tlv(0x06, "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c"), seq(tlv(0x04, 'saltsalt'), tlv(0x02, "\x7f\xff\xff\xff"))),
			seq(tlv(0x06, "\x60\x86\x48\x01\x65\x03\x04\x01\x2a"), tlv(0x04, 'x' x 16)))), tlv(0x04, 'x' x 64))));

my $server_chain = slurp_file("$dir/server.crt");
subtest 'input that is made to be expensive: an end within its time, and no memory to speak of' => sub {
	for my $what (sort keys %bombs)
	{
		my $bomb = "\$\$$bombs{$what}\$\$";
		for my $case (
			[ 'installer', "install_ca($bomb, dry_run => true)" ], [ 'installer', "install_crl($bomb\::text, dry_run => true)" ],
			[ 'installer', "install_server_certificate($bomb, dry_run => true)" ], [ 'installer', "install_server_certificate(\$\$$server_chain\$\$, $bomb, dry_run => true)" ],
			[ 'installer', "explain('app', certificate => $bomb)" ], [ 'monitor', "verify_certificate($bomb)" ])
		{
			my ($user, $call) = @$case;
			my $name = "$what: " . ($call =~ /^(\w+\((?:\$\$-----BEGIN CERT.*?, \$\$)?)/s)[0] =~ s/\(.+/, as the key/sr =~ s/\($//r;
			my $start = time;
			my $result = as($user, "SELECT pg_backend_pid() AS pid \\gset\n\\setenv PID :pid\nSELECT 1 FROM sslpolicy.$call;\n\\! grep VmHWM /proc/\$PID/status\n", bounded => 1);
			# far less than what it would take, far more than statement_timeout
			cmp_ok(time - $start, '<', 30, "$name ends");
			like($result, qr/^(?:1$|ERROR:)/m, "$name, with an answer") or diag(substr $result, 0, 300);
			my ($peak) = $result =~ /VmHWM:\s+(\d+) kB/;
			note("$name: $peak kB");
			cmp_ok($peak, '<', 250_000, "$name, in no more than 250 MB");
			unlike($result, qr/out of memory|server closed/, "$name, and the server goes on");
		}
	}
	ok($server->login(cert => 'app')->{ok}, 'clients log in as before');
	done_testing();
};

###############################################################################
# 3. Whose certificates, whose keys

# (whom a CA may not let in: 014, 6)
subtest 'a grantee of the installation functions: keys come in, and none comes out' => sub {
	my $request = as('installer', q(SELECT sslpolicy.create_server_key('CN=db.example.com', ARRAY['dns:localhost', 'ip:127.0.0.1'])));
	like($request, qr/BEGIN CERTIFICATE REQUEST/, 'a request comes out');
	unlike($request, qr/PRIVATE KEY/, 'and no key');
	my $pending = slurp_file("$data/sslpolicy/pending.key");
	$certs->server('other', issuer => 'root');
	my $key = slurp_file("$dir/other.key");
	my ($secret) = $key =~ /-----\n(.{40})/;
	my ($pending_secret) = $pending =~ /-----\n(.{40})/;
	my $offset = $server->log_offset;
	my $chain = slurp_file("$dir/other.crt");
	like(as('installer', "SELECT installed FROM sslpolicy.install_server_certificate(\$\$$chain\$\$, \$\$$key\$\$)"), qr/^t$/m, 'a key is given');
	like(as('installer', 'SELECT * FROM sslpolicy.material_history; TABLE sslpolicy.certificates; SELECT sslpolicy.server_ca()'), qr/BEGIN CERTIFICATE/, 'certificates are shown');
	$server->sql('CHECKPOINT; SELECT pg_switch_wal()');
	my %places = (
		'the log' => scalar $server->log_since($offset),
		'pg_stat_activity' => $server->sql('SELECT string_agg(query, chr(10)) FROM pg_stat_activity'),
		'pg_stat_statements' => $preload =~ /statements/ ? $server->sql('SELECT string_agg(query, chr(10)) FROM pg_stat_statements') : '',
		'the views' => as('installer', 'TABLE sslpolicy.material_history; TABLE sslpolicy.certificates; TABLE sslpolicy.material_status; SELECT sslpolicy.server_ca()'),
		'the WAL' => join('', map { slurp_file($_) } glob "$data/pg_wal/0*"),
		'pg_dumpall' => scalar `pg_dumpall -d '@{[ $node->connstr('postgres') ]}'`);
	for my $place (sort keys %places)
	{
		for my $what ([ 'the key that was given', $secret ], [ 'the key that is pending', $pending_secret ])
		{
			ok(index($places{$place}, $what->[1]) < 0, "$place: without $what->[0]");
		}
	}
	like($places{'pg_stat_statements'}, qr/install_server_certificate\(\$1/, 'pg_stat_statements has the statement') if $preload =~ /statements/;
	done_testing();
};

# All private keys of some kinds, and all ways in which one gets into a statement.
my %kinds = (
	'PKCS#8' => "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048",
	'PKCS#1' => "openssl genrsa -traditional 2048",
	'PKCS#8 of EC' => "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
	'SEC 1' => "openssl ecparam -genkey -noout -name secp384r1",
	'Ed25519' => "openssl genpkey -algorithm ED25519",
	'PKCS#8, encrypted' => "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass pass:secret",
	'PKCS#1, encrypted' => "openssl genrsa -traditional -aes256 -passout pass:secret 2048");
my %ways = (
	'as it is' => sub { "\$\$$_[0]\$\$" },
	'with \n' => sub { "E'" . ($_[0] =~ s/\n/\\n/gr) . "'" },
	'with \r\n' => sub { "E'" . ($_[0] =~ s/\n/\\r\\n/gr) . "'" },
	'with \\\\n' => sub { "'" . ($_[0] =~ s/\n/\\\\n/gr) . "'" },
	'with CRLF' => sub { "'" . ($_[0] =~ s/\n/\r\n/gr) . "'" },
	'with blanks' => sub { "'" . ($_[0] =~ s/\n/ /gr) . "'" },
	'without line breaks' => sub { "'" . ($_[0] =~ s/\n//gr) . "'" },
	'indented' => sub { "'" . ($_[0] =~ s/^/\t  /gmr) . "'" },
	'put together' => sub { join " || E'\\n' || ", map { "'$_'" } split /\n/, $_[0] },
	'put together with chr()' => sub { join ' || chr(10) || ', map { "'$_'" } split /\n/, $_[0] },
	'put together by concat_ws()' => sub { "concat_ws(E'\\n', " . join(', ', map { "'$_'" } split /\n/, $_[0]) . ')' },
	'continued' => sub { join "\n", map { "'$_\\n'" } split /\n/, $_[0] },
	'without END' => sub { "'" . ($_[0] =~ s/\n-----END.*//sr) . "'" },
	'cut' => sub { "'" . substr($_[0], 0, length($_[0]) - 70) . "...'" },
	'with a damaged character' => sub { "'" . ($_[0] =~ s/(.{100,110}[A-Za-z])\w(?=\w{5})/$1:/sr) . "'" },
	'without a character' => sub { "'" . ($_[0] =~ s/(.{100,110}\w)\w(?=\w{5})/$1/sr) . "'" },
	'without half a line' => sub { "'" . ($_[0] =~ s/(\n\S{64}\n\S{30})\S{20}/$1/r) . "'" });
sub show { return $_[0] =~ s/[^\n]{60,}/.../gr }

subtest 'what is kept out of the log is the key, and nothing else' => sub {
	for my $kind (sort keys %kinds)
	{
		my $key = `$kinds{$kind} 2>/dev/null` or die $kind;
		# what of a line is left does harm if it is more than a few characters
		my @parts = map { unpack '(A16)*', $_ } grep { !/-----|:/ } split /\n/, $key;
		for my $how (sort keys %ways)
		{
			my $offset = $server->log_offset;
			as('installer', 'SELECT * FROM sslpolicy.install_server_certificate($$$$, ' . $ways{$how}->($key) . ') /* then */');
			my $log = $server->log_since($offset);
			# of one that is encrypted with headers, the line that is short is the last
			my @seen = grep { length == 16 && index($log, $_) >= 0 } @parts;
			is(scalar @seen, 0, "$kind $how: nothing of it is in the log") or diag(show($log), "seen: @seen");
			like($log, qr{/\* then \*/}, "$kind $how: what is behind it is");
		}
	}
	my $head = 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7';
	my %shown = (
		"/* PRIVATE KEY----- */ SELECT 'one thing'" => 'one thing',
		"SELECT 'PRIVATE KEY-----', 'another thing'" => 'another thing',
		"-- -----BEGIN PRIVATE KEY-----\nSELECT 'a third thing'" => 'a third thing',
		"--PRIVATE KEY-----\nSELECT\nrolname\nFROM\npg_roles" => "SELECT\n\trolname\n\tFROM\n\tpg_roles",
		"-- -----BEGIN PRIVATE KEY-----$head\nSELECT\nrolname\nFROM\npg_roles" => "SELECT\n\trolname\n\tFROM\n\tpg_roles",
		"/*-----BEGIN PRIVATE KEY-----\n$head*/ SELECT rolname FROM pg_roles" => 'SELECT rolname FROM pg_roles',
		"/*-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n*/SELECT\nrolname\nFROM\npg_roles" => "SELECT\n\trolname\n\tFROM\n\tpg_roles",
		"SELECT 1 AS \"-----BEGIN PRIVATE KEY-----$head\" FROM pg_roles" => 'FROM pg_roles',
		"SELECT '-----BEGIN CERTIFICATE-----', 'MIIEvQIBADANBgkqhkiG9w0B'" => 'MIIEvQIBADANBgkqhkiG9w0B',
		"SELECT '-----BEGIN PRIVATE KEY-----', 'customersandtheirmoney'" => 'customersandtheirmoney');
	for my $sql (sort keys %shown)
	{
		my $offset = $server->log_offset;
		as('app', $sql);
		like($server->log_since($offset), qr/statement: .*\Q$shown{$sql}\E/s, 'what only looks like a key hides no statement: ' . ($sql =~ s/\n/ /gr));
	}
	# errors have their STATEMENT
	my $offset = $server->log_offset;
	as('app', "SELECT 'PRIVATE KEY-----' FROM nothing_of_that_name");
	like($server->log_since($offset), qr/STATEMENT: .*nothing_of_that_name/, 'nor that of an error');
	done_testing();
};

###############################################################################
# 4. Backups

subtest 'backups: what is in them' => sub {
	$server->label(role => { app => 'sslmode=verify-full' }, database => { postgres => 'sslmode=prefer' });
	$server->login(cert => 'app');
	as('installer', q(SELECT sslpolicy.create_server_key('CN=db.example.com', NULL)));
	my $dump = `pg_dumpall -d '@{[ $node->connstr('postgres') ]}'`;
	like($dump, qr/SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=verify-full'/, 'dumps: policies');
	unlike($dump, qr/BEGIN [A-Z ]*(?:KEY|CERTIFICATE|CRL)/, 'dumps: no material');
	$node->backup('stolen');
	my $backup = $node->backup_dir . '/stolen';
	# by design: PostgreSQL copies its whole data directory
	like(slurp_file("$backup/sslpolicy/server.pem"), qr/PRIVATE KEY/, 'base backups: the key of the server, if it was installed by SQL');
	like(slurp_file("$backup/sslpolicy/pending.key"), qr/PRIVATE KEY/, 'base backups: and the one that is pending');
	my @keys = grep { -f && slurp_file($_) =~ /PRIVATE KEY/ } glob "$backup/sslpolicy/*";
	cmp_ok(scalar @keys, '>', 2, 'base backups: and versions of before');
	is((stat $_)[2] & 07777, 0600, s/.*\///r . ': for its owner alone') for @keys;
	my $wal = join '', map { slurp_file($_) } glob "$data/pg_wal/0*";
	like($wal, qr/sslmode=verify-full/, 'WAL: policies');
	unlike($wal, qr/PRIVATE KEY/, 'WAL: no key');
	done_testing();
};

subtest 'files of the data directory: for whom' => sub {
	my $copy = "CREATE TEMP TABLE t (line text); COPY t FROM '$data/sslpolicy/server.pem'; SELECT * FROM t";
	like(as('reader', $copy), qr/PRIVATE KEY/, 'pg_read_server_files reads them (by design)');
	$server->label(role => { app => undef });
	for my $user (qw(app monitor installer))
	{
		like(as($user, $copy), qr/ERROR: .*pg_read_server_files/s, "$user does not");
		like(as($user, q(SELECT pg_read_file('sslpolicy/server.pem'))), qr/permission denied/, "$user does not by a function, either");
		like(as($user, q(COPY (SELECT 1) TO '/tmp/x')), qr/ERROR: .*pg_write_server_files/s, "$user writes none");
	}
	done_testing();
};

subtest 'what we log ourselves is never masked, and has no key' => sub {
	my $key = slurp_file("$dir/other.key") =~ s/\n//gr;
	my @names = map { substr $_, 0, 63 } 'PRIVATE KEY-----', "-----BEGIN PRIVATE KEY-----MIIEvQIBADANBgkqhkiG9w0BAQEFAASC";
	for my $name (@names)
	{
		my $offset = $server->log_offset;
		$server->label(role => { app => "sslmode=verify-full cn='$name' cn=boss" });
		like($server->log_since($offset), qr/is \[sslmode=verify-full cn='.*PRIVATE KEY.*' cn=boss\]/, 'a policy of this name is logged whole');
		$offset = $server->log_offset;
		ok(!$server->login(user => 'app', cert => 'app', sslmode => 'require', db => $name)->{ok}, 'a database of this name');
		my $fingerprint = $certs->get('app')->{fingerprint};
		like($server->log_since($offset), qr/Refused:.*fingerprint=$fingerprint/, 'hides no fingerprint');
	}
	my $offset = $server->log_offset;
	$server->sql("SECURITY LABEL FOR sslpolicy ON ROLE app IS 'cn=''@{[ $key ]}'' cn=app'");
	my ($line) = $server->log_since($offset) =~ /(TLS policy of role "app" changed.*)/;
	like($line, qr/\*{100}.* cn=app\]/, 'a key in a policy is masked, and the rest of the policy is not');
	$server->label(role => { app => undef });
	done_testing();
};

unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
