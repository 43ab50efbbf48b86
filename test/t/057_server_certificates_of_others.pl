# Certificates as public CAs, renewal programs and other people's PKI make them.
#
# 1. a server certificate whose signature has no digest: SCRAM fails in libpq
# 2. CAs that verify no client
# 3. many CAs, some of them expired, as in a bundle of public roots
# 4. chains with cross-signed and expired CAs
# 5. settings as the next reload will find them: a mistake that is still in force, and has
#    been corrected; one that is yet to come
# 6. keys with a passphrase
# 7. the order of CAs, by which OpenSSL chooses among those of one name
# 8. roots that strict clients refuse
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('others');
my ($certs, $node) = ($server->certs, $server->node);
my ($dir, $data) = ($certs->{dir}, $node->data_dir);
my $day = 24 * 3600;
# so that it can be changed
my $ca_path = $certs->bundle('trusted.crt', 'root');
$node->append_conf('postgresql.conf', "ssl_ca_file = '$ca_path'");
$certs->client('app', issuer => 'root', subject => '/CN=app');
$server->start;
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN PASSWORD 'secret'});

sub pem { return join '', map { slurp_file("$dir/$_.crt") } @_ }

# The error of a call, or its row.
sub try
{
	my ($call, $columns) = @_;
	my (undef, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\nSELECT " . ($columns // 'installed, warnings::text') . " FROM sslpolicy.$call;");
	return $err . $out;
}

# Install a server's certificate with the rest of its chain.
sub install
{
	my ($name, $chain, $more) = @_;
	return try("install_server_certificate(\$\$@{[ pem($name, @{ $chain // [] }) ]}\$\$, \$\$@{[ slurp_file($certs->get($name)->{key}) ]}\$\$" . ($more // '') . ')');
}

sub reload { return $server->sql('SELECT loaded, error FROM sslpolicy.reload()') }
sub findings { return $server->sql("SELECT severity, object, finding FROM sslpolicy.lint() WHERE code = '$_[0]'") }

sub trust
{
	my (@names) = @_;
	$certs->bundle('trusted.crt', @names);
	is(reload(), 't|', "trusted: @names");
	return;
}

subtest 'signatures without a digest' => sub {
	my $login = sub {
		my ($binding) = @_;
		return $server->login(user => 'app', sslmode => 'require', env => { PGPASSWORD => 'secret' }, extra => "channel_binding=$binding sslrootcert=none");
	};
	$server->set_hba('hostssl all app all scram-sha-256');
	$certs->ca('edca', key => 'ED25519', subject => '/CN=Ed CA');
	$certs->ca('ed4ca', key => 'ED448', subject => '/CN=Ed4 CA');
	$certs->ca('rsaca', key => 'RSA:2048', subject => '/CN=RSA CA');
	$certs->intermediate('inner', issuer => 'edca', subject => '/CN=Inner');
	$certs->server('byed', issuer => 'edca', subject => '/CN=byed');
	$certs->server('byed4', issuer => 'ed4ca', subject => '/CN=byed4');
	$certs->server('byinner', issuer => 'inner', subject => '/CN=byinner');
	$certs->server('edkey', issuer => 'root', key => 'ED25519', subject => '/CN=edkey');
	$certs->server('bypss', issuer => 'rsaca', key => 'RSA:2048', subject => '/CN=bypss');
	system("openssl req -new -key $dir/bypss.key -subj /CN=bypss -out $dir/bypss.csr 2>/dev/null && echo subjectAltName=DNS:localhost,IP:127.0.0.1 >$dir/bypss.ext"
		  . " && echo extendedKeyUsage=serverAuth >>$dir/bypss.ext && openssl x509 -req -in $dir/bypss.csr -CA $dir/rsaca.crt -CAkey $dir/rsaca.key -CAcreateserial -days 90"
		  . " -sigopt rsa_padding_mode:pss -extfile $dir/bypss.ext -out $dir/bypss.crt 2>/dev/null") == 0 or die 'no certificate signed with RSA-PSS';

	for my $case ([ byed => 'edca', 'ED25519' ], [ byed4 => 'ed4ca', 'ED448' ])
	{
		my ($name, $ca, $algorithm) = @$case;
		like(install($name, [$ca], ', dry_run => true'), qr/^f\|.*certificate \\"CN=$name\\": it is signed with $algorithm, an algorithm without a digest for channel binding: password logins by SCRAM fail in libpq/, "$algorithm: a dry run says so");
		like(install($name, [$ca]), qr/^t\|.*is signed with $algorithm, an algorithm without a digest/, "$algorithm: it is installed with a warning");
		like($login->('prefer')->{err}, qr/could not find digest/, "$algorithm: which is true");
		ok($login->('disable')->{ok}, "$algorithm: without channel binding a password is enough");
		like(findings('server_certificate_without_digest'), qr/^error\|server certificate "CN=$name"\|For SCRAM, it is signed with $algorithm, /, "$algorithm: lint finds it");
	}
	$server->set_hba('hostssl all app all trust');
	like(findings('server_certificate_without_digest'), qr/^warning\|/, 'no line asks for a password: a warning');
	$server->set_hba('hostssl all app all scram-sha-256');

	for my $case ([ byinner => [ 'inner', 'edca' ], 'Ed25519 further up' ], [ edkey => [], 'an Ed25519 key' ], [ bypss => ['rsaca'], 'RSA-PSS' ])
	{
		my ($name, $chain, $title) = @$case;
		my $result = install($name, $chain);
		like($result, qr/^t\|/, "$title: installed");
		unlike($result, qr/digest/, "$title: without a warning");
		ok($login->($_)->{ok}, "$title: a password with channel_binding=$_") for qw(prefer require);
		is(findings('server_certificate_without_digest'), '', "$title: lint finds nothing");
	}
	$server->set_hba;
	like(install('server'), qr/^t\|/, 'back');
};

subtest 'CAs that verify no client' => sub {
	trust('root');
	$certs->ca('servers', subject => '/CN=Servers', eku => ['serverAuth']);
	$certs->intermediate('below', issuer => 'servers', subject => '/CN=Below');
	$certs->intermediate('sub', issuer => 'root', subject => '/CN=Sub', eku => ['serverAuth']);
	$certs->ca('bothca', subject => '/CN=Both', eku => [ 'serverAuth', 'clientAuth' ]);
	$certs->client('app_of_' . $_, issuer => $_, subject => '/CN=app') for qw(servers below sub bothca);
	my $warning = sub { qr/CA \\"CN=$_[0]\\" verifies no client: its extended key usage, or that of a CA above it, lacks clientAuth/ };
	for my $case ([ 'serverAuth alone', 'servers', 'Servers' ], [ 'an intermediate', 'sub', 'Sub' ], [ 'below one', 'below', 'Below', 'servers' ])
	{
		my ($title, $name, $cn, @more) = @$case;
		my $text = pem($name, @more);
		like(try("add_ca(\$\$$text\$\$, dry_run => true)"), $warning->($cn), "$title: add_ca warns");
		like(try("install_ca(\$\$@{[ pem('root') ]}$text\$\$, dry_run => true)"), $warning->($cn), "$title: so does install_ca");
		trust('root', $name, @more);
		my $login = $server->login(user => 'app', cert => "app_of_$name");
		like($login->{err}, qr/alert unsupported certificate/, "$title: it is true");
		like(findings('ca_verifies_nobody'), qr/^warning\|CA "CN=$cn"\|.*lacks clientAuth\./m, "$title: lint finds it");
	}
	like(try("install_ca(\$\$@{[ pem('servers') ]}\$\$, force => true)"), qr/22023: no usable CA would remain/, 'such a CA alone is refused');
	trust('root');
	unlike(try("add_ca(\$\$@{[ pem('bothca') ]}\$\$, dry_run => true)"), qr/verifies no client/, 'with clientAuth: no warning');
	trust('root', 'bothca');
	ok($server->login(user => 'app', cert => 'app_of_bothca')->{ok}, 'and its clients come in');
	is(findings('ca_verifies_nobody'), '', 'and lint finds nothing');
	# one that signs for itself, and is no CA, goes on to be let in
	$certs->client('lone', issuer => 'self', subject => '/CN=app');
	trust('root', 'lone');
	my $session = $server->background(user => 'app', cert => 'lone');
	is(try("add_ca(\$\$@{[ pem('bothca') ]}\$\$)", 'installed, affected'), 't|[]', 'a certificate that is its own root is not affected');
	$session->quit;
	trust('root');
};

subtest 'many CAs' => sub {
	my @names = map { "public$_" } 1 .. 9;
	$certs->ca($_, subject => "/CN=$_") for @names;
	$certs->ca('public1new', subject => '/CN=public1', key_name => 'public1', days => 800);
	$certs->ca('old', subject => '/CN=Old', not_before => time - 90 * $day, not_after => time - $day);
	$server->label(role => { app => 'sslmode=verify-full' });
	trust('root', @names[ 0 .. 7 ], 'old');
	is(findings('many_cas_unpinned'), '', 'nine that serve, and one that has expired: not many');
	like(findings('ca_expired'), qr/^error\|CA "CN=Old"/, 'an expired one among few is an error');
	trust('root', @names[ 0 .. 7 ], 'public1new');
	is(findings('many_cas_unpinned'), '', 'a renewed one counts once');
	trust('root', @names, 'old');
	is(findings('many_cas_unpinned'), 'warning|setting ssl_ca_file|The server trusts 10 CAs: each of them can issue a certificate for any role that no ca_fingerprint pins. Roles: "app".', 'ten are many');
	like(findings('ca_expired'), qr/^warning\|CA "CN=Old"/, 'and an expired one is no error');
	my $pin = $certs->get('root')->{fingerprint};
	for my $case (
		[ 'no certificate is asked for', 'sslmode=require', 0 ],
		[ 'pinned', "sslmode=verify-full ca_fingerprint=$pin", 0 ],
		[ 'pinned by the certificate', "sslmode=verify-ca fingerprint=$pin", 0 ],
		[ 'pinned in each rule that lets somebody in', "address=10.0.0.0/8 sslmode=reject; sslmode=verify-ca ca_fingerprint=$pin", 0 ],
		[ 'pinned in one of two rules', "address=10.0.0.0/8 sslmode=verify-ca; sslmode=verify-ca ca_fingerprint=$pin", 1 ],
		[ 'pinned by a rule that only logs', "sslmode=verify-ca ca_fingerprint=$pin action=log; sslmode=verify-ca", 1 ])
	{
		my ($title, $policy, $found) = @$case;
		$server->label(role => { app => $policy });
		is(findings('many_cas_unpinned') ne '' ? 1 : 0, $found, $title);
	}
	$server->label(role => { app => undef });
	is(findings('many_cas_unpinned'), '', 'no policy');
	$server->set_hba('hostssl all app all scram-sha-256 clientcert=verify-ca');
	like(findings('many_cas_unpinned'), qr/Roles: "app"\.$/, 'no policy, and a line that asks for a certificate');
	$server->label(role => { app => "sslmode=verify-ca ca_fingerprint=$pin" });
	is(findings('many_cas_unpinned'), '', 'the same with a policy that pins');
	$server->set_hba;
	$server->label(role => { app => undef });

	# roots of the system's store: a folder of our own in its place
	mkdir "$dir/system" or die;
	chomp(my $hash = `openssl x509 -in $dir/old.crt -noout -subject_hash`);
	write_file("$dir/system/$hash.0", pem('old'));
	{
		local $ENV{SSL_CERT_DIR} = "$dir/system";
		$node->restart;
	}
	trust('root', 'old');
	like(findings('ca_expired'), qr/^info\|CA "CN=Old"/, 'an expired root of the system is no error either');
	$node->restart;
	like(findings('ca_expired'), qr/^error\|CA "CN=Old"/, 'but one that is not there');
	trust('root');
};

# x1 has signed itself; d3, which has expired, has signed x1x for the same key; r3 is theirs.
$certs->ca('x1', subject => '/CN=X1', days => 900);
$certs->ca('d3', subject => '/CN=D3', not_before => time - 9000 * $day, not_after => time - 30 * $day);
$certs->intermediate('x1x', issuer => 'd3', subject => '/CN=X1', key_name => 'x1', days => 300);
$certs->intermediate('x1old', issuer => 'd3', subject => '/CN=X1', key_name => 'x1', not_before => time - 900 * $day, not_after => time - 10 * $day);
$certs->intermediate('r3', issuer => 'x1', subject => '/CN=R3');
$certs->server('leaf', issuer => 'r3', subject => '/CN=leaf');

subtest 'cross-signed chains' => sub {
	my $in_place = sub {
		my @sent = slurp_file("$data/sslpolicy/server.pem") =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n)/sg;
		return join ' ', map { my $pem = $_; (grep { pem($_) eq $pem } qw(leaf r3 r3other x1 x1x x1old d3))[0] // '?' } @sent;
	};
	$certs->ca('far', subject => '/CN=Far');
	$certs->intermediate('r3other', issuer => 'far', subject => '/CN=R3', key_name => 'r3');
	trust('root', 'x1');
	for my $case (
		[ [qw(r3)], 'leaf r3', 'without the root' ],
		[ [qw(x1 r3)], 'leaf r3 x1', 'with the root, in any order' ],
		[ [qw(r3 x1x)], 'leaf r3 x1x', 'cross-signed by an expired root, and the root itself trusted' ],
		[ [qw(r3 x1x d3)], 'leaf r3 x1x', 'with the expired root', 'CN=D3' ],
		[ [qw(r3 x1old)], 'leaf r3', 'with a cross-signed certificate that has expired', 'CN=X1' ],
		[ [qw(r3other r3)], 'leaf r3', 'with another issuer that leads nowhere', 'CN=R3' ],
		[ [qw(r3 r3other)], 'leaf r3', 'the same behind it', 'CN=R3' ])
	{
		my ($chain, $sent, $title, $left_out) = @$case;
		my $result = install('leaf', $chain);
		like($result, qr/^t\|/, $title);
		is($in_place->(), $sent, "$title: what is sent");
		if ($left_out) { like($result, qr/certificate \\"$left_out\\" (?:is not valid now|does not belong to the chain) and is left out/, "$title: a warning") }
		else { unlike($result, qr/left out/, "$title: nothing is left out") }
		my $client = $server->login(user => 'app', extra => "sslrootcert=$dir/x1.crt");
		ok($client->{ok}, "$title: a client that has the root comes in") or diag $client->{err};
	}
	# what another program has put there
	write_file("$data/sslpolicy/server.pem", pem(qw(leaf r3 x1old)), slurp_file($certs->get('leaf')->{key}));
	chmod 0600, "$data/sslpolicy/server.pem";
	like(findings('server_certificate_expired'), qr/^warning\|server certificate "CN=X1"\|.*another path/, 'lint: an expired certificate in the chain, and another path');
	trust('root');
	like(findings('server_certificate_expired'), qr/^error\|server certificate "CN=X1"\|/, 'lint: and no other path');
	# and none that leads to a trusted root
	like(install('leaf', [qw(r3)]), qr/the chain is not complete: the certificate of "CN=X1" is missing/, 'no root: it is missing');
	like(install('leaf', []), qr/the chain is not complete: the certificate of "CN=R3" is missing/, 'no intermediate: it is missing');
	like(install('leaf', [qw(r3 x1x)]), qr/the chain is not complete: the certificate of "CN=D3" is missing/, 'a root that is nowhere is missing');
	like(install('leaf', [qw(r3 x1x d3)]), qr/22023: certificate "CN=D3" expired on /, 'an expired root in the text has expired');
	like(install('leaf', [qw(r3 x1old)]), qr/22023: certificate "CN=X1" expired on /, 'so has an intermediate');
	trust('root', 'd3');
	like(install('leaf', [qw(r3 x1x)]), qr/22023: certificate "CN=D3" expired on /, 'an expired root in ssl_ca_file has expired, and is not missing');
	trust('root', 'x1x', 'd3');
	like(install('leaf', [qw(r3)]), qr/the certificate of "CN=X1" is missing/, 'clients do not have the intermediates of ssl_ca_file');
	trust('root');
	like(install('server'), qr/^t\|/, 'back');
};

# By ALTER SYSTEM, and without a reload.
sub configure
{
	my (%settings) = @_;
	$server->sql(defined $settings{$_} ? "ALTER SYSTEM SET $_ = '$settings{$_}'" : "ALTER SYSTEM RESET $_") for sort keys %settings;
	return;
}
sub lint_of { return $server->sql("SELECT severity, code, object, finding FROM sslpolicy.lint() WHERE $_[0]") }

write_file("$dir/dh512.pem", <<'PEM');
-----BEGIN DH PARAMETERS-----
MEYCQQCeRMesL44vjwWOS0VI8NOTmMAxOC9v0H52mKIXrxteLdTDk9l+MsQ3+UCX
+/QIKUyp+uSfOg0ZQmY5F33B9bGXAgEC
-----END DH PARAMETERS-----
PEM

subtest 'settings of the next reload' => sub {
	for my $case (
		[ ssl_ciphers => 'NONSENSE', qr/could not set the cipher list "NONSENSE"/ ],
		[ ssl_ecdh_curve => 'nonsense', qr/could not set "nonsense", which is ssl_ecdh_curve/ ],
		[ ssl_max_protocol_version => 'TLSv1.1', qr/ssl_min_protocol_version is higher than ssl_max_protocol_version/ ],
		[ ssl_dh_params_file => "$dir/dh512.pem", qr/could not set the DH parameters of file "[^"]*dh512.pem": dh key too small/ ],
		[ ssl_cert_file => "$dir/missing.crt", qr/could not load server certificate file "[^"]*missing.crt"/ ])
	{
		my ($name, $wrong, $message) = @$case;
		my $add = "add_ca(\$\$@{[ pem('root') ]}\$\$, dry_run => true)";
		my $before = $name eq 'ssl_cert_file' ? "$data/sslpolicy/server.pem" : undef;
		my $reset = $before // undef;
		# yet to come
		configure($name => $wrong);
		like(reload(), qr/^f\|.*$message/, "$name: reload() does not have it loaded");
		like(lint_of("code = 'files_not_loadable'"), qr/^error\|.*$message.*a restart would fail/, "$name: lint says so");
		like(lint_of("code = 'setting_not_in_force'"), qr/setting $name\|/, "$name: and that it is not in force");
		# in force: the load has failed
		my $offset = $server->log_offset;
		$server->set($name => $wrong);
		$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM sslpolicy.lint() WHERE code = 'reload_failed' AND severity = 'error'") or die;
		like(lint_of("code = 'files_not_loadable'"), qr/^error\|.*$message/, "$name: in force, lint goes on to say so");
		# corrected in the file: nothing sticks to what is in force
		configure($name => $reset);
		is(lint_of(q{finding ~ 'would (fail|not start)' OR code IN ('check_failed', 'files_not_loadable')}), '', "$name: corrected, lint claims nothing any more");
		like(lint_of("code = 'reload_failed'"), qr/^warning\|.*it could load them\.$/, "$name: but that the last load has failed");
		like(try($add), qr/^f\|/, "$name: an installation is judged by the correction");
		is(reload(), 't|', "$name: and reload() loads it");
		is(lint_of(q{code IN ('reload_failed', 'setting_not_in_force')}), '', "$name: all is well again");
	}
	# what is found about files and settings is found before a reload, and not after a correction
	for my $case (
		[ old_tls_allowed => { ssl_min_protocol_version => 'TLSv1' } ],
		[ anonymous_ciphers => { ssl_ciphers => 'aNULL' } ],
		[ server_certificate_self_signed => { ssl_cert_file => "$dir/lone.crt", ssl_key_file => "$dir/lone.key" } ],
		[ ca_expired => { ssl_ca_file => "$dir/old.crt" } ])
	{
		my ($code, $settings) = @$case;
		my %back = map { $_ => $server->sql("SHOW $_") } keys %$settings;
		is(findings($code), '', "$code: not yet");
		configure(%$settings);
		isnt(findings($code), '', "$code: found before the reload");
		configure(%back);
		is(findings($code), '', "$code: and not when it has been taken back");
	}
	# values in another spelling are no difference
	configure(ssl_prefer_server_ciphers => 'yes', ssl_passphrase_command_supports_reload => 'false');
	is(lint_of(q{code = 'setting_not_in_force'}), '', 'another spelling of the same value');
	configure(ssl_passphrase_command => 'echo geheim');
	my $finding = lint_of(q{code = 'setting_not_in_force'});
	like($finding, qr/setting ssl_passphrase_command\|/, 'a passphrase command that is not in force');
	unlike($finding, qr/geheim/, 'is not shown');
	configure(ssl_prefer_server_ciphers => undef, ssl_passphrase_command_supports_reload => undef, ssl_passphrase_command => undef);
};

subtest 'passphrases' => sub {
	my $asked = "$dir/asked";
	my $command = "$dir/passphrase";
	write_file($command, "#!/bin/sh\necho >>$asked\n[ ! -e $dir/hang ] || exec sleep 1000\ncat $dir/phrase\n");
	chmod 0755, $command;
	write_file("$dir/phrase", "geheim\n");
	my $times = sub { return -e $asked ? scalar(() = slurp_file($asked) =~ /\n/g) : 0 };
	system("openssl pkey -in $dir/server.key -aes256 -passout pass:geheim -out $dir/locked.key && chmod 600 $dir/locked.key") == 0 or die;
	$server->sql('CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor');
	my $add = sub { return try("add_ca(\$\$@{[ pem('x1') ]}\$\$" . ($_[0] // '') . ')') };
	my $claims = sub { return lint_of(q{finding ~ 'a restart would fail' OR code IN ('check_failed')}) };

	# no command
	configure(ssl_cert_file => "$dir/server.crt", ssl_key_file => "$dir/locked.key");
	like(reload(), qr/^f\|.*has a passphrase, and ssl_passphrase_command is not set/, 'no command: reload()');
	like(lint_of("code = 'files_not_loadable'"), qr/^error.*a restart would ask for the passphrase at the terminal\./, 'no command: lint');
	is($claims->(), '', 'no command: a restart can work');

	# at a start alone
	configure(ssl_passphrase_command => $command);
	like(reload(), qr/^f\|.*has a passphrase, and ssl_passphrase_command_supports_reload is off: a reload keeps what the server loaded before, and only a restart loads/, 'at a start alone: reload()');
	like($add->(', dry_run => true'), qr/F0000: the server could not load this material\nDETAIL:  private key file .*only a restart loads/, 'at a start alone: an installation');
	is($claims->(), '', 'at a start alone: lint does not say that a restart would fail');
	like(lint_of("code = 'files_need_restart'"), qr/^warning\|/, 'but that only a restart loads the files');
	is($times->(), 0, 'nobody has asked for the passphrase');
	$node->restart;
	is($times->(), 1, 'the restart has');
	ok($server->login(user => 'app')->{ok}, 'and works');
	is($claims->(), '', 'after it: lint does not say that a restart would fail');
	like(lint_of("code = 'files_need_restart'"), qr/^warning\|/, 'after it: only a restart loads changed files');
	is($node->safe_psql('postgres', q{SELECT code FROM sslpolicy.lint() WHERE code LIKE 'files_%'}, extra_params => [ '-U', 'monitor' ]), 'files_need_restart', 'members of pg_monitor see that, too');

	# at a reload, too
	configure(ssl_passphrase_command_supports_reload => 'on');
	is(lint_of(q{code IN ('files_not_loadable', 'files_need_restart', 'check_failed')}), '', 'at a reload, too: lint finds nothing, as the file has it');
	is(reload(), 't|', 'at a reload, too: reload()');
	is($times->(), 2, 'only the server has asked, and once');
	my $before = $times->();
	like($add->(', dry_run => true'), qr/^f\|/, 'a dry run');
	is(lint_of(q{code IN ('files_not_loadable', 'files_need_restart', 'check_failed', 'handshake_fails')}), '', 'lint');
	is($times->(), $before, 'neither asks');
	like($add->(), qr/^t\|/, 'an installation');
	ok($server->login(user => 'app')->{ok}, 'the server serves');
	like(try("rollback('ca')"), qr/^t\|/, 'and back');
	write_file("$dir/hang");
	is(lint_of(q{code IN ('files_not_loadable', 'check_failed')}), '', 'a command that would hang does not keep lint');
	unlink "$dir/hang" or die;
	# one that gives another passphrase: the server says so, and keeps what it has
	write_file("$dir/phrase", "falsch\n");
	like(reload(), qr/^f\|/, 'a wrong passphrase: not loaded');
	like($add->(), qr/F0000: the server did not load the new material, and the old one was put back/, 'nor by an installation, which is put back');
	ok($server->login(user => 'app')->{ok}, 'the server goes on as before');
	write_file("$dir/phrase", "geheim\n");
	is(lint_of(q{code = 'reload_failed' AND severity = 'error'}), '', 'corrected: lint does not say that the server would not start');
	is(reload(), 't|', 'and reload() loads it');
	# a file that only speaks of it
	write_file("$dir/said.key", "This key is not ENCRYPTED\n", "garbage\n");
	chmod 0600, "$dir/said.key";
	configure(ssl_key_file => "$dir/said.key");
	like(reload(), qr/^f\|could not load private key file/, 'a broken key file is not taken for one with a passphrase');
	configure(ssl_cert_file => "$data/sslpolicy/server.pem", ssl_key_file => "$data/sslpolicy/server.pem", ssl_passphrase_command => undef, ssl_passphrase_command_supports_reload => undef);
	is(reload(), 't|', 'back');
};

subtest 'the order of CAs' => sub {
	my $ca = sub { my ($call, @names) = @_; return "$call(\$\$@{[ pem(@names) ]}\$\$" };
	my $in_file = sub { my %at; my $text = slurp_file("$dir/trusted.crt"); return join ' ', sort { index($text, pem($a)) <=> index($text, pem($b)) } grep { index($text, pem($_)) >= 0 } @_ };
	$certs->client('xapp', issuer => 'x1', subject => '/CN=app');
	$certs->ca('twin', subject => '/CN=X1');    # the same name, another key
	$certs->client('bare', issuer => 'x1', subject => '/CN=app');
	my $opens = sub { return $server->login(user => 'app', cert => 'xapp')->{ok} };
	trust('root', 'x1');
	my $session = $server->background(user => 'app', cert => 'xapp');
	# what is in place comes first
	is(try($ca->('install_ca', qw(root x1x d3 x1)) . ')', 'installed, affected'), 't|[]', 'a cross-signed copy before the CA in place: installed');
	is($in_file->(qw(x1x x1)), 'x1 x1x', 'behind it');
	ok($opens->(), 'and its clients still come in');
	is(try($ca->('install_ca', qw(root x1)) . ')', 'installed, affected'), 't|[]', 'back');
	is(try($ca->('install_ca', qw(twin root x1)) . ')', 'installed, affected'), 't|[]', 'a new key of the same name before the CA in place: installed');
	is($in_file->(qw(twin x1)), 'x1 twin', 'behind it');
	ok($opens->(), 'and its clients still come in');
	$session->quit;

	# a version in which the order is wrong, from somebody else's hand
	for my $case ([ 'a path that ends at an expired root', [qw(root x1x d3 x1)], qr/in this order of the CAs OpenSSL takes a path that fails: certificate has expired \("CN=D3"\)/ ],
		[ 'another key of the same name', [qw(root twin x1)], qr/in this order of the CAs OpenSSL takes another CA of the name "CN=X1" for its issuer/ ])
	{
		my ($title, $order, $reason) = @$case;
		trust(@$order);
		like(try($ca->('add_ca', 'public1') . ')'), qr/^t\|/, "$title: in place, and added to");
		like(try($ca->('install_ca', 'root', 'x1') . ')'), qr/^t\|/, "$title: put in order");
		$session = $server->background(user => 'app', cert => 'xapp');
		my $before = slurp_file("$dir/trusted.crt");
		like(try("rollback('ca')"), qr/55006.*1 live session.*$reason/s, "$title: rollback names the session");
		is(slurp_file("$dir/trusted.crt"), $before, "$title: and changes nothing");
		ok($opens->(), "$title: its clients come in");
		like(try("rollback('ca', dry_run => true, force => true)", "affected->0->>'reason'"), $reason, "$title: with force it is in affected");
		$session->quit;
	}
	trust('root');
};

subtest 'strict clients' => sub {
	is(findings('server_chain_not_strict'), '', 'a root with keyUsage: nothing');
	# as "openssl req -x509" makes a root
	system("openssl req -new -x509 -days 900 -nodes -newkey rsa:2048 -subj /CN=Lax -keyout $dir/lax.key -out $dir/lax.crt 2>/dev/null") == 0 or die;
	$certs->server('strictless', issuer => 'root', subject => '/CN=localhost');
	system("openssl req -new -key $dir/strictless.key -subj /CN=localhost -out $dir/strictless.csr 2>/dev/null && printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\\nextendedKeyUsage=serverAuth\\nauthorityKeyIdentifier=keyid\\n' >$dir/strictless.ext"
		  . " && openssl x509 -req -in $dir/strictless.csr -CA $dir/lax.crt -CAkey $dir/lax.key -CAcreateserial -days 90 -extfile $dir/strictless.ext -out $dir/strictless.crt 2>/dev/null") == 0 or die;
	my ($text, $key) = (pem(qw(strictless lax)), slurp_file("$dir/strictless.key"));
	like(try("install_server_certificate(\$\$$text\$\$, \$\$$key\$\$)"), qr/^t\|/, 'a root without keyUsage: installed');
	my $strict = `openssl verify -x509_strict -CAfile $dir/lax.crt $dir/strictless.crt 2>&1`;
	like($strict, qr/CA cert does not include key usage extension/, 'openssl verify -x509_strict refuses it');
	like(findings('server_chain_not_strict'), qr/^info\|server certificate "CN=localhost"\|.*CA cert does not include key usage extension \(CN=Lax\)\. Python/, 'and lint says so');
	like(install('server'), qr/^t\|/, 'back');
	is(findings('server_chain_not_strict'), '', 'nothing again');
};

unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
