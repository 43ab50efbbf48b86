# The server's own certificate is no client's when it comes from the server's own
# machine: whoever has the server connect to itself (dblink, postgres_fdw, CREATE
# SUBSCRIPTION) can name its files in sslcert and sslkey.
#
# 1. the pair in force: whatever a policy asks for, and what client, log and DBA are
#    told; other certificates from the same address are let in
# 2. pairs that are kept, that wait, that are not loaded yet, and that have gone
# 3. addresses
# 4. standbys on the same machine replicate with it
# 5. by dblink
# 6. lint() and install_server_certificate() say when a certificate would do for a
#    client
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('own',
	init => { allows_streaming => 1 },
	hba => ['hostssl all secret all scram-sha-256']);
my ($certs, $node) = ($server->certs, $server->node);
my ($dir, $data) = ($certs->{dir}, $node->data_dir);

# as most CAs issue them: for servers and for clients
$certs->server($_, issuer => 'root', eku => undef, subject => '/CN=app') for qw(server second third fourth pair);
$certs->intermediate('inner', issuer => 'root');
$certs->server('chained', issuer => 'inner', eku => undef, subject => '/CN=app', key => 'RSA:2048');
$certs->server('proper', issuer => 'root');
$certs->client($_, issuer => 'root', subject => '/CN=app') for qw(app other);
$server->start;
$server->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE app LOGIN SUPERUSER; CREATE ROLE rep LOGIN REPLICATION; CREATE ROLE free LOGIN;
CREATE ROLE secret LOGIN PASSWORD 'stolen'; CREATE ROLE mallory LOGIN;
SQL
$server->label(role => { app => 'sslmode=verify-ca', rep => 'sslmode=verify-ca', secret => 'sslmode=verify-ca' });

# a pair as libpq is given it: one file with both, or two
sub pair { my ($cert, $key) = @_; return { chain => $cert, key => $key // $cert } }

sub outcome
{
	my ($pair, %opt) = @_;
	my $login = $server->login(sslmode => 'require', cert => $pair, %opt);
	return $login->{ok} ? 'in' : $login->{failed} || $login->{err};
}

sub refused { my ($pair, $name, %opt) = @_; return is(outcome($pair, %opt), 'certificate', $name) }
sub let_in { my ($pair, $name, %opt) = @_; return is(outcome($pair, %opt), 'in', $name) }

sub install
{
	my ($name, $more) = @_;
	my $pem = join '', map { slurp_file("$dir/$_") } "$name.chain.crt";
	my $key = slurp_file("$dir/$name.key");
	return $server->sql("SELECT installed FROM sslpolicy.install_server_certificate(\$\$$pem\$\$, \$\$$key\$\$, force => true" . ($more // '') . ')');
}

my $own = pair("$dir/server.crt", "$dir/server.key");

subtest 'the pair in force' => sub {
	for my $policy ('sslmode=verify-ca', 'sslmode=verify-full', 'cn=app', 'sslmode=require', 'sslmode=prefer', 'min_protocol=TLSv1.2')
	{
		$server->label(role => { app => $policy });
		refused($own, "$policy from 127.0.0.1");
		refused($own, "$policy from ::1", host => '::1');
		let_in('app', "$policy: another certificate from 127.0.0.1");
		let_in('app', "$policy: and from ::1", host => '::1');
	}
	let_in($own, 'nothing applies, nothing is asked', user => 'free');
	$server->label(role => { app => 'sslmode=reject' });
	is(outcome($own), 'certificate sslmode', 'all that is not met is told');
	$server->label(role => { app => 'sslmode=disable' });
	is(outcome($own), 'certificate sslmode', 'of sslmode=disable, too');
	is(outcome(undef, sslmode => 'disable'), 'in', 'which is met without TLS');
	$server->label(role => { app => 'sslmode=verify-ca' });

	my $offset = $server->log_offset;
	my $login = $server->login(cert => $own);
	like($login->{err}, qr/connection of role "app" does not meet its TLS policy: the certificate is the server's own, and comes from the server's own machine\nDETAIL:  Not met: certificate \(the certificate is the server's own, and comes from the server's own machine\)\.\nHINT:  Give this client a certificate and key of its own/,
		'what the client is told');
	like($server->log_since($offset), qr/Refused: role="app" .*subject="CN=app".*required: from the server's own machine, a certificate other than the server's \(policy of role "app", rule 1\)\./,
		'what the log says');
	is($server->sql('SELECT source, reasons FROM sslpolicy.rejections ORDER BY at DESC LIMIT 1'),
		q(policy|{"from the server's own machine, a certificate other than the server's (policy of role \"app\", rule 1)"}), 'what sslpolicy.rejections has');

	my $pem = $server->literal(slurp_file("$dir/server.crt"));
	my $explain = sub { my ($more, $certificate) = @_; return $server->sql("SELECT string_agg(concat_ws('/', requirement, required, actual) || '=' || coalesce(ok::text, '?'), E'\\n') FROM sslpolicy.explain('app', 'postgres', ssl => true, certificate => " . ($certificate // $pem) . ", $more) WHERE requirement <> 'sslmode'") };
	is($explain->("address => '127.0.0.1'"), <<'ROWS' =~ s/\n\z//r, 'what explain says of it');
certificate/from the server's own machine, a certificate other than the server's/a certificate with a key of the server's=false
verdict/refused=false
ROWS
	like($explain->("address => '::ffff:127.0.0.1'"), qr/verdict.refused=false/, 'also of an IPv4 address as IPv6 has it');
	is($explain->("address => '192.0.2.1'"), 'verdict/let in=true', 'not of one from another machine');
	like($explain->('address => NULL'), qr/^certificate.*=\?\nverdict=\?$/s, 'of one from somewhere it is not known');
	is($explain->("address => '127.0.0.1'", $server->literal(slurp_file("$dir/app.crt"))), 'verdict/let in=true', 'and not of another one');
	done_testing();
};

subtest 'a session that is there, under sslpolicy.enforcement = log' => sub {
	$server->set('sslpolicy.enforcement' => 'log');
	my $offset = $server->log_offset;
	my $session = $server->background(cert => $own, sslmode => 'require');
	my $pid = $session->query('SELECT pg_backend_pid()');
	like($server->log_since($offset), qr/would be refused by TLS policy.*a certificate other than the server's/s, 'is logged');
	is($server->sql("SELECT compliant FROM sslpolicy.sessions WHERE pid = $pid"), 'f', 'and does not comply');
	is($server->sql("SELECT string_agg(requirement, ',' ORDER BY requirement) FROM sslpolicy.explain_session($pid) WHERE NOT ok"), 'certificate', 'explain_session says why');
	like($server->sql("SELECT ok, reasons FROM sslpolicy.recheck(dry_run => true) WHERE pid = $pid"), qr/^f\|.*a certificate other than/, 'so does recheck');
	like($server->sql("SELECT string_agg(DISTINCT reasons::text, ' ') FROM sslpolicy.preview_role_policy('app', 'sslmode=require')"), qr/a certificate other than/, 'and a preview');
	$server->set('sslpolicy.enforcement' => undef, 'sslpolicy.recheck_policy' => 'terminate');
	ok($node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM sslpolicy.sessions WHERE pid = $pid)"), 'it is ended when policies are enforced');
	eval { $session->quit };
	$server->set('sslpolicy.recheck_policy' => undef);
	done_testing();
};

subtest 'pairs that were, and that will be' => sub {
	# what libpq reads before the server removes it
	my %saved;
	my $save = sub { my ($file) = @_; write_file("$dir/saved.$file", slurp_file("$data/sslpolicy/$file")); chmod 0600, "$dir/saved.$file"; return $saved{$file} = pair("$dir/saved.$file") };

	is(install('second'), 't', 'the first installation');
	refused(pair("$data/sslpolicy/server.pem"), 'the one in force');
	refused(pair("$data/sslpolicy/server.1.pem"), 'the one that was found');
	refused($own, 'by its old files, too');
	$save->('server.1.pem');
	is(install('third'), 't', 'the second');
	refused(pair("$data/sslpolicy/server.2.pem"), 'the one of before is kept');
	refused(pair("$data/sslpolicy/server.3.pem"), 'and the new one');
	ok(!-e "$data/sslpolicy/server.1.pem", 'the one of before that has gone');
	refused($saved{'server.1.pem'}, 'but a client that has just read it is refused');
	is(install('chained'), 't', 'a certificate of an intermediate CA, with an RSA key');
	refused(pair("$data/sslpolicy/server.pem"), 'with its chain');
	refused(pair("$dir/chained.chain.crt", "$dir/chained.key"), 'from other files');
	is($server->sql(q(SELECT installed FROM sslpolicy.rollback('server', force => true))), 't', 'going back');
	refused(pair("$dir/$_.chain.crt", "$dir/$_.key"), "$_ is kept or in force") for qw(third chained);

	is(install('fourth', ', dry_run => true'), 'f', 'a dry run');
	refused(pair("$dir/fourth.crt", "$dir/fourth.key"), 'a client may have read what it had written for a moment');

	write_file("$dir/pending.csr", $server->sql(q{SELECT sslpolicy.create_server_key('CN=app', NULL)}) . "\n");
	write_file("$dir/pending.crt", scalar `openssl x509 -req -in $dir/pending.csr -CA $dir/root.crt -CAkey $dir/root.key -CAcreateserial -days 30 2>$dir/openssl.log`);
	refused(pair("$dir/pending.crt", "$data/sslpolicy/pending.key"), 'the key that waits for its certificate');

	# the settings are of our making since the first installation
	write_file("$dir/hand.key", slurp_file("$dir/pair.key"));
	chmod 0600, "$dir/hand.key";
	write_file("$dir/hand.crt", slurp_file("$dir/pair.crt"));
	$server->set(ssl_cert_file => "$dir/hand.crt", ssl_key_file => "$dir/hand.key");
	refused(pair("$dir/pair.crt", "$dir/pair.key"), 'two files');
	$certs->server('renewed', issuer => 'root', eku => undef, subject => '/CN=app');
	let_in(pair("$dir/renewed.crt", "$dir/renewed.key"), 'a certificate that is not the server\'s yet');
	write_file("$dir/hand.crt", slurp_file("$dir/renewed.crt"));
	write_file("$dir/hand.key", slurp_file("$dir/renewed.key"));
	refused(pair("$dir/renewed.crt", "$dir/renewed.key"), 'is refused once it lies there, although the server has not loaded it');
	refused(pair("$dir/pair.crt", "$dir/pair.key"), 'so is the one that is in force');

	# a key with a passphrase; and a certificate behind an encrypted key, in one file
	system("openssl pkey -in $dir/pair.key -aes128 -passout pass:secret -out $dir/locked.key 2>$dir/openssl.log; chmod 600 $dir/locked.key") == 0 or die;
	write_file("$dir/locked.pem", slurp_file("$dir/pair.crt"), slurp_file("$dir/locked.key"));
	chmod 0600, "$dir/locked.pem";
	$certs->server('sealed', issuer => 'root', eku => undef, subject => '/CN=app', key => 'RSA:2048');
	system("openssl rsa -in $dir/sealed.key -aes128 -traditional -passout pass:secret -out $dir/sealed.enc 2>$dir/openssl.log; chmod 600 $dir/sealed.enc") == 0 or die;
	write_file("$data/sslpolicy/server.99.pem", slurp_file("$dir/sealed.enc"), slurp_file("$dir/sealed.crt"));
	chmod 0600, "$data/sslpolicy/server.99.pem";
	refused(pair("$data/sslpolicy/server.99.pem"), 'a version whose key has a passphrase, and headers', extra => 'sslpassword=secret');
	unlink "$data/sslpolicy/server.99.pem";
	$server->set(ssl_passphrase_command => 'echo secret', ssl_passphrase_command_supports_reload => 'on',
		ssl_cert_file => "$dir/locked.pem", ssl_key_file => "$dir/locked.pem");
	refused(pair("$dir/pair.crt", "$dir/locked.key"), 'a key with a passphrase in force', extra => 'sslpassword=secret');

	$node->restart;
	refused(pair("$dir/pair.crt", "$dir/pair.key"), 'after a restart: in force');
	refused(pair("$data/sslpolicy/server.3.pem"), 'kept');
	refused(pair("$dir/pending.crt", "$data/sslpolicy/pending.key"), 'waiting');
	let_in($saved{'server.1.pem'}, 'what has gone for good is a certificate as any other');
	let_in('other', 'and so is another');
	$server->set(ssl_cert_file => "$dir/server.crt", ssl_key_file => "$dir/server.key", ssl_passphrase_command => undef);
	done_testing();
};

subtest 'more keys than there is room for' => sub {
	for my $i (1 .. 70)
	{
		$certs->server("many$i", issuer => 'root', eku => undef, subject => '/CN=app') if $i < 3;
		write_file("$data/sslpolicy/server.1$i.pem", slurp_file("$dir/" . ($i < 3 ? "many$i" : 'pair') . '.crt'));
	}
	# certificates of keys that differ, without the time that it takes to make them
	for my $i (3 .. 70)
	{
		my $key = `openssl genpkey -algorithm ED25519 2>$dir/openssl.log`;
		write_file("$data/sslpolicy/server.1$i.pem", $key);
	}
	refused(pair("$dir/many$_.crt", "$dir/many$_.key"), "key $_ of 70") for 1, 2, 1;
	refused($own, 'the one in force');
	let_in('app', 'a client with another one');
	unlink glob "$data/sslpolicy/server.1??.pem $data/sslpolicy/server.1?.pem";
	refused($own, 'the one in force, when they have gone');
	let_in('app', 'a client with another one');
	done_testing();
};

subtest 'the other addresses of the machine' => sub {
	my ($address) = grep { /\A\d+\.\d+\.\d+\.\d+\z/ } split ' ', `hostname -I 2>$dir/hostname.log`;
	plan skip_all => 'this machine has no other address' unless $address;
	$node->append_conf('postgresql.conf', "listen_addresses = '*'");
	$node->restart;
	refused($own, 'one of an interface', host => $address);
	let_in('app', 'another certificate from there', host => $address);
	refused($own, '127.0.0.2', host => '127.0.0.2');
	my $pem = $server->literal(slurp_file("$dir/server.crt"));
	is($server->sql("SELECT ok FROM sslpolicy.explain('app', 'postgres', '$address', true, certificate => $pem) WHERE requirement = 'certificate'"), 'f', 'known without a connection');
	done_testing();
};

subtest 'replication' => sub {
	is(outcome($own, user => 'rep', extra => 'replication=true', sql => 'IDENTIFY_SYSTEM'), 'in', 'physical: as a standby on the same machine');
	refused($own, 'logical: as a subscription', user => 'rep', extra => 'replication=database', sql => 'IDENTIFY_SYSTEM');
	refused($own, 'an ordinary session', user => 'rep');
	my $standby = $server->standby('beside');
	my $upstream = $server->conninfo(user => 'rep', cert => $own) =~ s/'/''/gr =~ s/dbname=\S+ //r;
	$standby->node->append_conf('postgresql.conf', "primary_conninfo = '$upstream'");
	$standby->start;
	$server->sql('CREATE TABLE t AS SELECT 1 AS a');
	$node->wait_for_catchup($standby->node);
	is($standby->sql('SELECT a FROM t'), 1, 'a standby with the same certificate replicates');
	is($server->sql(q(SELECT s.verified, s.compliant FROM sslpolicy.sessions s JOIN pg_stat_replication r USING (pid))), 't|t', 'and complies');
	is($standby->login(sslmode => 'require', cert => $own)->{failed}, 'certificate', 'on the standby it is the server\'s own, too');
	$standby->stop;
	done_testing();
};

subtest 'dblink' => sub {
	plan skip_all => 'dblink is not installed' unless $server->sql(q(SELECT count(*) FROM pg_available_extensions WHERE name = 'dblink'));
	$server->sql('CREATE EXTENSION dblink');
	# a server that keeps its pair where core looks for it
	write_file("$data/$_", slurp_file("$dir/$_")) for 'server.crt', 'server.key';
	chmod 0600, "$data/server.key";
	$server->set(ssl_cert_file => 'server.crt', ssl_key_file => 'server.key');
	my $there = sub {
		my ($more) = @_;
		my $login = $server->login(user => 'mallory', sslmode => 'require', sql => "SELECT * FROM dblink('host=127.0.0.1 port=" . $node->port
			  . " dbname=postgres user=secret password=stolen sslmode=require $more', 'SELECT session_user::text') t(a text)");
		return $login->{out} || $login->{err};
	};
	like($there->('sslcert=server.crt sslkey=server.key'), qr/Not met: certificate \(/, 'with the pair in force');
	like($there->('sslcert=sslpolicy/server.3.pem sslkey=sslpolicy/server.3.pem'), qr/Not met: certificate \(/, 'with a version that is kept');
	like($there->('sslcert=invalid'), qr/Not met: sslmode \(/, 'without one');
	is($there->("sslcert=$dir/app.crt sslkey=$dir/app.key"), 'secret', 'with one of a client');
	$server->set(ssl_cert_file => "$dir/server.crt", ssl_key_file => "$dir/server.key");
	done_testing();
};

subtest 'a certificate that would do for a client' => sub {
	my $finding = sub { $server->sql(q(SELECT severity, object, finding ~ 'client', remedy ~ 'extendedKeyUsage = serverAuth alone' FROM sslpolicy.lint() WHERE code = 'server_certificate_for_clients')) };
	my $warned = sub {
		my ($name) = @_;
		my ($pem, $key) = (slurp_file("$dir/$name.chain.crt"), slurp_file("$dir/$name.key"));
		return $server->sql("SELECT warnings FROM sslpolicy.install_server_certificate(\$\$$pem\$\$, \$\$$key\$\$, dry_run => true, force => true)");
	};
	my $with = sub { my ($name) = @_; $server->set(ssl_cert_file => "$dir/$name.chain.crt", ssl_key_file => "$dir/$name.key"); return };
	is($finding->(), 'warning|server certificate "CN=app"|t|t', 'lint() finds one without extended key usage');
	like($warned->('second'), qr/the server would accept certificate .* from clients, too: have one issued with extendedKeyUsage = serverAuth alone/, 'installing one warns');
	like($warned->('chained'), qr/the server would accept certificate .* from clients/, 'one of an intermediate CA, too');
	unlike($warned->('proper'), qr/as a client's/, 'not one for servers alone');
	$with->('chained');
	is($finding->(), 'warning|server certificate "CN=app"|t|t', 'lint() finds one with a chain');
	$certs->server('both', issuer => 'root', eku => [qw(serverAuth clientAuth)]);
	$with->('both');
	is($finding->(), 'warning|server certificate "CN=both"|t|t', 'and one for both');
	$with->('proper');
	is($finding->(), '', 'not one for servers alone');
	$certs->ca('elsewhere');
	$certs->server('foreign', issuer => 'elsewhere', eku => undef);
	$with->('foreign');
	is($finding->(), '', 'nor one of a CA that verifies no clients');
	done_testing();
};

done_testing();
