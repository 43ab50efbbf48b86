# What an attacker can do who has nothing but the network, and one with a
# certificate.  SECURITY.md names these tests; attackers inside the server are in
# 040_attackers_roles.pl and 039_attackers_material.pl.
#
# pg_hba.conf lets everybody in by trust: what keeps them out is sslpolicy.
#
# 1. network only: startup packets of all kinds, TLS handshakes of all kinds,
#    cancel requests, a flood
# 2. a revoked certificate, a blocked one
# 3. certificates with names that mean harm
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('outside', init => { allows_streaming => 1 },
	conf => "max_connections = 40\nssl_min_protocol_version = TLSv1.2\n");
my ($certs, $node) = ($server->certs, $server->node);
my $dir = $certs->{dir};
$certs->client('app', issuer => 'root');
$server->start;
$server->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE app LOGIN; CREATE ROLE repl LOGIN REPLICATION; CREATE ROLE plain LOGIN; CREATE ROLE "app " LOGIN;
SELECT format('CREATE ROLE %I LOGIN', repeat('a', 63)) \gexec
SQL
my $strict = 'sslmode=verify-full min_protocol=TLSv1.3';
$server->label(role => { app => $strict, repl => $strict, 'a' x 63 => $strict });

###############################################################################
# 1. Network only

my ($ssl_request, $gss_request) = map { pack 'NN', 8, $_ } 80877103, 80877104;
my $let_in = "R\0\0\0\x08\0\0\0\0";    # AuthenticationOk
my $ready = qr{Z\x00\x00\x00\x05I\z};

sub startup
{
	my ($version, @parameters) = @_;
	my $body = pack('N', $version) . join('', map { "$_\0" } @parameters) . "\0";
	return pack('N', 4 + length $body) . $body;
}

sub raw
{
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $node->port, Timeout => 60) // die $!;
}

# Send packets one after the other, with what the server says to each but the
# last; then everything until it is ready for queries or hangs up.
sub converse
{
	my (@packets) = @_;
	my $socket = raw();
	my $reply = '';
	local $SIG{PIPE} = 'IGNORE';
	for my $i (0 .. $#packets)
	{
		syswrite $socket, $packets[$i];
		sysread $socket, $reply, 1, length $reply if $i < $#packets;
	}
	# so that a server that waits for more need not do so until authentication_timeout
	shutdown $socket, 1;
	while ($reply !~ $ready)
	{
		IO::Select->new($socket)->can_read($PostgreSQL::Test::Utils::timeout_default) or die 'the server says nothing';
		sysread $socket, $reply, 65536, length $reply or last;
	}
	close $socket;
	return $reply;
}

my $v3 = 3 << 16;
my @as_app = (user => 'app', database => 'postgres');
like(converse(startup($v3, user => 'plain', database => 'postgres')), qr/^\Q$let_in\E.*$ready/s,
	'startup packets: a role without a policy is let in');
subtest 'startup packets: none brings a role past its policy' => sub {
	my %packets = (
		'plain text' => [ startup($v3, @as_app) ],
		'protocol 2' => [ pack('NN', 296, 2 << 16) . pack('a64 a32 a64 a64 a64', 'postgres', 'app', '', '', '') ],
		'protocol 2, a modern packet' => [ startup(2 << 16, @as_app) ],
		'protocol 3.2' => [ startup($v3 | 2, @as_app) ],
		'protocol 3.9999' => [ startup($v3 | 9999, @as_app) ],
		'protocol 4' => [ startup(4 << 16, @as_app) ],
		'protocol 0' => [ startup(0, @as_app) ],
		'an extension of the protocol' => [ startup($v3, @as_app, '_pq_.sslpolicy' => 'off') ],
		'enforcement in options' => [ startup($v3, @as_app, options => '-c sslpolicy.enforcement=off') ],
		'enforcement in options, escaped' => [ startup($v3, @as_app, options => '-csslpolicy.enforcement\\=off') ],
		'enforcement in capitals' => [ startup($v3, @as_app, 'SSLPOLICY.ENFORCEMENT' => 'off') ],
		'reserved_roles' => [ startup($v3, @as_app, 'sslpolicy.reserved_roles' => 'app') ],
		'library in options' => [ startup($v3, @as_app, options => '-c shared_preload_libraries=') ],
		'session_authorization' => [ startup($v3, @as_app, session_authorization => 'plain') ],
		'role' => [ startup($v3, @as_app, role => 'plain') ],
		'ignore_system_indexes' => [ startup($v3, @as_app, options => '-P') ],
		'single user, bootstrap, binary upgrade' => [ startup($v3, @as_app, options => '-b --single --boot') ],
		'physical replication' => [ startup($v3, user => 'repl', replication => 'true') ],
		'physical replication with a database' => [ startup($v3, user => 'repl', database => 'nowhere', replication => 'on') ],
		'logical replication' => [ startup($v3, user => 'repl', database => 'postgres', replication => 'database') ],
		'replication for a role without REPLICATION' => [ startup($v3, @as_app, replication => 'true') ],
		'user twice' => [ startup($v3, user => 'plain', @as_app) ],
		'user twice, the other way round' => [ startup($v3, user => 'app', user => 'app', database => 'plain', database => 'postgres') ],
		'no database' => [ startup($v3, user => 'app') ],
		'a database that is not there' => [ startup($v3, user => 'app', database => 'nowhere') ],
		'something behind its end' => [ startup($v3, @as_app) . startup($v3, user => 'plain') ],
		'TLS asked for, and left' => [ $ssl_request, startup($v3, @as_app) ],
		'TLS asked for, the packet in the same write' => [ $ssl_request . startup($v3, @as_app) ],
		'TLS asked for twice' => [ $ssl_request, $ssl_request . startup($v3, @as_app) ],
		'GSS asked for, then plain text' => [ $gss_request, startup($v3, @as_app) ],
		'GSS asked for, the packet in the same write' => [ $gss_request . startup($v3, @as_app) ],
		'GSS, then TLS, then plain text' => [ $gss_request, $ssl_request, startup($v3, @as_app) ],
		'a name that is cut to that of a role' => [ startup($v3, user => 'a' x 9000, database => 'postgres') ],
		'a packet that is too long' => [ startup($v3, @as_app, application_name => 'x' x 10_000) ],
		'a packet of no length' => [ pack 'N', 0 ],
		'a length that is negative' => [ pack('N', 0xffffffff) . startup($v3, @as_app) ],
		'a length that is too short' => [ pack('NN', 8, $v3) . join "\0", @as_app, '', '' ]);
	for my $what (sort keys %packets)
	{
		my $reply = converse(@{ $packets{$what} });
		ok(index($reply, $let_in) < 0, "$what: not let in");
	}
	done_testing();
};

# What other names come to: PostgreSQL has decided on the role before the policy is
# looked for, so it is the role's own.
subtest 'startup packets: names that PostgreSQL reads otherwise' => sub {
	like(converse(startup($v3, user => 'app ', database => 'postgres')), $ready, 'a trailing space makes another role, with a policy of its own or none');
	my $reply = converse(startup($v3, user => "plain\0app", database => 'postgres'));
	ok(index($reply, $let_in) < 0, 'a NUL ends the name, and the packet makes no sense then');
	like(converse(startup($v3, user => 'app', user => 'plain', database => 'postgres')), $ready, 'of two users the last one counts');
	is($server->sql(q(SELECT string_agg(DISTINCT usename, ',') FROM sslpolicy.sessions WHERE client_addr IS NOT NULL)), '', 'nobody is left');
	$server->label(database => { postgres => 'sslmode=require' });
	$reply = converse(startup($v3, user => 'plain'));
	like($reply, qr/\0C3D000\0Mdatabase "plain" does not exist\0/, 'without a database it is the one named like the role, which is not there');
	ok(index($reply, $let_in) < 0, 'and that is said before anybody is let in');
	ok(index(converse(startup($v3, user => 'plain', database => 'postgres' . "\0")), $let_in) < 0, 'a database with a policy, an empty parameter behind it');
	$server->label(database => { postgres => undef });
	done_testing();
};

# TLS

# openssl s_client against the server; returns what it prints
sub s_client
{
	my ($input, @options) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'openssl', 's_client', '-starttls', 'postgres', '-connect', '127.0.0.1:' . $node->port, '-CAfile', "$dir/root.crt", @options ],
		'<', \$input, '>', \$out, '2>', \$err, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return "$out$err";
}

subtest 'TLS: a session is not resumed, with or without a ticket' => sub {
	for my $version ('-tls1_2', '-tls1_3')
	{
		my $file = "$dir/session$version";
		my @cert = ('-cert', "$dir/app.crt", '-key', "$dir/app.key");
		# until the server hangs up, since what could be resumed comes after the handshake
		my $nobody = startup($v3, user => 'nobody', database => 'postgres');
		my $first = s_client($nobody, $version, @cert, '-ign_eof', '-sess_out', $file);
		like($first, qr/^New, TLSv1/m, "$version: a handshake with a certificate");
		unlike($first, qr/TLS session ticket:/, "$version: no ticket is handed out") if $version eq '-tls1_2';
		if (-s $file)
		{
			my $second = s_client($nobody, $version, '-ign_eof', '-sess_in', $file);
			like($second, qr/^New, TLSv1/m, "$version: resuming it is a new handshake") or diag($second);
			unlike($second, qr/^Reused, /m, "$version: it is not resumed");
		}
		else
		{
			pass("$version: there is nothing to resume");
		}
	}
	done_testing();
};

subtest 'TLS: no renegotiation' => sub {
	my $output = s_client("R\n", '-tls1_2', '-cert', "$dir/app.crt", '-key', "$dir/app.key");
	like($output, qr/RENEGOTIATING/, 'the client asks for it');
	like($output, qr/no renegotiation/i, 'the server does not');
	done_testing();
};

subtest 'TLS: what is below the policy is not let in' => sub {
	my %cases = (
		'no TLS' => [ 'sslmode min_protocol cn', sslmode => 'disable', cert => undef ],
		'TLS 1.2' => [ 'min_protocol', extra => 'ssl_max_protocol_version=TLSv1.2' ],
		'no certificate' => [ 'sslmode cn', cert => undef ]);
	$cases{'TLS at once, no certificate'} = [ 'sslmode cn', cert => undef, extra => 'sslnegotiation=direct' ] if $node->pg_version->major >= 17;
	for my $what (sort keys %cases)
	{
		my ($failed, %how) = @{ $cases{$what} };
		is($server->login(sslmode => 'require', cert => 'app', %how)->{failed}, $failed, $what);
	}
	ok($server->login(cert => 'app')->{ok}, 'who meets it comes in');
	done_testing();
};

# Cancel requests carry a secret instead of a login, so no policy can apply to
# them.  That they come in plain text is PostgreSQL's.
subtest 'cancel requests: nothing without the secret' => sub {
	my $session = $server->background(sslmode => 'require', cert => 'app');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	my $out = $session->query_until(qr/begun/, "\\echo begun\nSELECT pg_sleep(3600);\n");
	$node->poll_query_until('postgres', "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $pid") or die 'it does not sleep';
	for my $key (0, 1, 0x7fffffff, 0xffffffff)
	{
		my $socket = raw();
		syswrite $socket, pack 'NNNN', 16, 80877102, $pid, $key;
		sysread $socket, my $nothing, 1;    # until it has been looked at
		close $socket;
	}
	is($server->sql("SELECT state FROM pg_stat_activity WHERE pid = $pid"), 'active', 'wrong secrets cancel nothing');
	$server->sql("SELECT pg_terminate_backend($pid, 60000)");
	eval { $session->quit };
	done_testing();
};

subtest 'a flood of refused connections: no slot stays taken, memory stays, others come in' => sub {
	$server->login(user => 'plain', sslmode => 'disable');
	my $worker = $server->sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'");
	my $rss = sub { slurp_file("/proc/$worker/status") =~ /^VmRSS:\s+(\d+)/m; return $1 };
	my $round = sub {
		my @sockets;
		for (1 .. 100)
		{
			my $socket = raw();
			syswrite $socket, startup($v3, @as_app);
			push @sockets, $socket;
			next if @sockets < 20;
			for (splice @sockets) { 1 while sysread $_, my $answer, 8192; close $_ }
		}
	};
	$round->();
	my $before = $rss->();
	$round->() for 1 .. 4;
	cmp_ok($rss->(), '<', $before + 4096, 'the worker does not grow');
	ok($server->login(user => 'plain', sslmode => 'disable')->{ok}, 'others come in');
	$node->poll_query_until('postgres', q(SELECT count(*) = 0 FROM sslpolicy.sessions WHERE client_addr IS NOT NULL)) or die;
	is($server->sql(q(SELECT sum(count) >= 500 FROM sslpolicy.rejections WHERE role = 'app' AND source = 'policy')), 't', 'each was counted, in few rows');
	cmp_ok($server->sql(q(SELECT count(*) FROM sslpolicy.rejections)), '<=', 40, 'few rows');
	done_testing();
};

###############################################################################
# 2. A revoked certificate, a blocked one

$certs->client('stolen', issuer => 'root', subject => '/CN=app');
$certs->client('same_key', issuer => 'root', subject => '/CN=app', key_name => 'stolen');
write_file("$dir/own.crl", make_crl($certs, 'root', 1, revoked => ['stolen']));
$server->set('sslpolicy.crl_file' => "$dir/own.crl");
# without a certificate there is nothing to be revoked, so it waits for nothing
$node->poll_query_until('postgres', 'SELECT bool_and(in_force) FROM sslpolicy.crls') or die 'the CRL is not in force';

subtest 'a revoked certificate opens nothing, however it is presented' => sub {
	for my $user (qw(app plain repl nobody))
	{
		for my $db (qw(postgres template1 nowhere))
		{
			for my $extra ('', 'replication=true', 'replication=database')
			{
				my $result = $server->login(user => $user, db => $db, sslmode => 'require', cert => 'stolen', extra => $extra, sql => 'IDENTIFY_SYSTEM');
				ok(!$result->{ok} && $result->{err} =~ /client certificate of role "$user" is revoked/, "$user, $db, $extra") or diag($result->{err});
			}
		}
	}
	$server->set('sslpolicy.enforcement' => 'off');
	like($server->login(user => 'plain', sslmode => 'require', cert => 'stolen')->{err}, qr/is revoked/, 'also with enforcement = off');
	$server->set('sslpolicy.enforcement' => undef);
	done_testing();
};

subtest 'what a revoked certificate does not keep anybody from' => sub {
	ok($server->login(user => 'plain', sslmode => 'require')->{ok}, 'not presented, it keeps nobody out of a role that needs none');
	ok($server->login(cert => 'same_key')->{ok}, 'another certificate of the same key is another certificate');
	$server->set('sslpolicy.blocked_fingerprints' => $certs->get('same_key')->{fingerprint});
	like($server->login(cert => 'same_key')->{err}, qr/is in sslpolicy\.blocked_fingerprints/, 'until it is blocked as well');
	ok($server->login(cert => 'app')->{ok}, 'certificates that are neither go on');
	$server->set('sslpolicy.blocked_fingerprints' => undef);
	done_testing();
};

###############################################################################
# 3. Certificates with names that mean harm (more of them: 009)

subtest 'names that mean harm, in certificates' => sub {
	my %subjects = (
		bidi => "app\x{202e}gnp.exe\x{202c}",
		lookalike => "\x{430}pp",
		nbsp => "app\x{a0}",
		zero_width => "a\x{200b}pp",
		upper => 'APP',
		percent_u => '%u',
		regex => '/^.*$',
		quotes => q{app' OR ''='},
		newline => "app\nLOG:  forged",
		long => 'app' . 'x' x 60);
	for my $name (sort keys %subjects)
	{
		$certs->client($name, issuer => 'root', subject => [ [ CN => $subjects{$name} ] ], san => [ 'dns:app', 'email:app@example.com' ]);
		my $offset = $server->log_offset;
		my $result = $server->login(cert => $name);
		is($result->{failed}, 'cn', "$name: is not app");
		my $log = $server->log_since($offset);
		like($log, qr/subject="[ -~]*" .*required: cn=app/, "$name: the log has it in ASCII, in its line");
		unlike($log, qr/^LOG:  forged|[^\n\t -~]/m, "$name: and nothing else in it");
		unlike($result->{err}, qr/[^\n\t -~]/, "$name: nor has the client's message");
	}
	done_testing();
};

unlike($server->log_since(0), qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
