# What a client that is refused reads.  Many drivers show only the message, so it has the
# reason; DETAIL and HINT say the rest.
#
# 1. each reason, with its hint
# 2. of several reasons, which one is in the message
# 3. sslmode=prefer and allow
# 4. a server that asks for no certificate
# 5. a blocked certificate: the same words at login and afterwards
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('reasons',
	conf => "log_error_verbosity = verbose\nsslpolicy.recheck_policy = terminate\nssl_min_protocol_version = 'TLSv1.2'\n",
	hba => ['hostssl all certuser all cert']);
my ($certs, $node) = ($server->certs, $server->node);
my $dir = $certs->{dir};
my $root = $certs->get('root');
my $int = $certs->intermediate('int', issuer => $root, subject => '/CN=Test Intermediate');
$certs->client($_, issuer => $root, subject => "/CN=$_") for qw(app bob);
$certs->client('app_int', issuer => $int, subject => '/CN=app');
$certs->client('two', issuer => $root, subject => [ [ CN => 'app' ], [ CN => 'bob' ] ]);
$certs->client('long', issuer => $root, subject => '/CN=app', not_before => time - 86400, not_after => time + 364 * 86400);
$server->start;
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE certuser LOGIN; CREATE DATABASE db1; CREATE ROLE grp; GRANT grp TO app');

# Message, details and hint of a refusal; each attempt of libpq has its own.
sub refusals
{
	my %opt = @_;
	my $login = $server->login(sslmode => 'require', %opt);
	return ('in') if $login->{ok};
	my @refusals;
	for (split /^/, $login->{err})
	{
		push @refusals, { message => $1 } if /FATAL:  (.*)/;
		$refusals[-1]{ lc $1 } = $2 if @refusals && /^(DETAIL|HINT):  (.*)/;
	}
	return @refusals;
}

my %plain = (sslmode => 'disable');
my %old = (extra => 'ssl_max_protocol_version=TLSv1.2', env => { PGSSLMINPROTOCOLVERSION => 'TLSv1.2' });
my $other = qr/^Set sslcert and sslkey on the client to a certificate that has been issued for this role, and its key\.$/;

###############################################################################
# 1

# policy, login, the reason in the message, DETAIL, HINT
my @cases = (
	['sslmode=require', {%plain}, 'TLS is not in use', 'sslmode (TLS is not in use)', qr/^Set sslmode=require or stronger/],
	['sslmode=disable', {}, 'TLS is in use', 'sslmode (TLS is in use)', qr/^Set sslmode=disable on the client\./],
	['sslmode=reject', {}, 'no connection is accepted', 'sslmode (no connection is accepted)', qr/^No client setting changes this/],
	['sslmode=verify-ca', {}, 'no client certificate', 'sslmode (the client presented no certificate)', qr/^Set sslcert and sslkey .*Java and Go send one only if its chain ends at a CA that the server names\. So check that this server's CA has issued it, and that the client's file has every intermediate CA\.$/],
	['sslmode=verify-full', {}, 'no client certificate', 'sslmode (the client presented no certificate), cn', qr/^Set sslcert and sslkey /],
	['sslmode=verify-full', {%plain}, 'TLS is not in use', 'sslmode (TLS is not in use), cn', qr/^Set sslmode=require or stronger/],
	['sslmode=verify-full', { cert => 'bob' }, 'the certificate does not name the role', 'cn (the certificate does not name the role)', $other],
	['sslmode=verify-full', { cert => 'two' }, 'the certificate has several CNs and does not name the role', 'cn (the certificate has several CNs and does not name the role)', $other],
	['san=dns:app.example.com', { cert => 'app' }, 'the certificate does not name the role', 'san (the certificate does not name the role)', $other],
	['uid=app email=app@x', { cert => 'app' }, 'the certificate does not name the role', 'uid, email (the certificate does not name the role)', $other],
	['sslmode=cert', { cert => 'app' }, 'not logged in by certificate', 'sslmode (not logged in by certificate)', qr/^The line of pg_hba\.conf that matches this connection must use the method cert; ask the database administrator\.$/],
	['sslmode=cert', {}, 'no client certificate', 'sslmode (the client presented no certificate)', qr/^Set sslcert and sslkey /],
	['min_protocol=TLSv1.3', {%old}, 'TLS version too old', 'min_protocol', qr/^Let the client use a newer TLS version \(libpq: ssl_max_protocol_version; Java: jdk\.tls\.client\.protocols; /],
	['cipher=TLS_AES_128_CCM_SHA256', {}, 'cipher not accepted', 'cipher', qr/^The server chooses among the ciphers .* Java: jdk\.tls\.client\.cipherSuites; Node\.js: ciphers of ssl; .* libpq has no setting of its own, but reads .* OPENSSL_CONF names\.$/],
	['min_protocol=TLSv1.3 cipher=TLS_AES_128_GCM_SHA256', {%plain}, 'TLS is not in use', 'sslmode (TLS is not in use), min_protocol, cipher', qr/^Set sslmode=require or stronger/],
	['fingerprint=' . '0' x 64, { cert => 'app' }, 'the fingerprint of the certificate is not accepted', 'fingerprint', $other],
	['issuer=CN=Nobody', { cert => 'app' }, 'the CA of the certificate is not accepted', 'issuer', $other],
	['ca_fingerprint=' . '0' x 64, { cert => 'app' }, 'the CA of the certificate is not accepted', 'ca_fingerprint', $other],
	['ou=db', { cert => 'app' }, 'the ou of the certificate is not accepted', 'ou', $other],
	['o=Acme', { cert => 'app' }, 'the o of the certificate is not accepted', 'o', $other],
	['max_lifetime=30d', { cert => 'long' }, 'the certificate is valid for 365d, but at most 30d plus 1h 5min of grace is allowed', 'max_lifetime (the certificate is valid for 365d, but at most 30d plus 1h 5min of grace is allowed)', qr/valid for a shorter time/]);
for (@cases)
{
	my ($policy, $login, $reason, $detail, $hint) = @$_;
	$server->label(role => { app => $policy });
	my @refusals = refusals(%$login);
	my $name = join ' ', $policy, map { "$_=$login->{$_}" } grep { $_ ne 'env' } sort keys %$login;
	is(scalar @refusals, 1, "$name: refused");
	is($refusals[0]{message}, qq{connection of role "app" does not meet its TLS policy: $reason}, "$name: message");
	is($refusals[0]{detail}, "Not met: $detail.", "$name: detail");
	like($refusals[0]{hint}, $hint, "$name: hint");
}
my @codes = $server->log_since(0) =~ /FATAL:  (\w+): connection of role/g;
is_deeply(\@codes, [ ('28000') x @cases ], 'the SQLSTATE of each');

###############################################################################
# 2

sub message_is
{
	my ($reason, $name, %opt) = @_;
	is((refusals(%opt))[0]{message}, qq{connection of role "app" does not meet its TLS policy: $reason}, $name);
	return;
}
$server->label(role => { app => 'sslmode=verify-full', grp => 'sslmode=reject' });
message_is('no connection is accepted', 'what no client setting can change comes first', %plain);
$server->label(role => { grp => 'min_protocol=TLSv1.3' });
message_is('the certificate does not name the role', 'else the first: of its own policy', cert => 'bob', %old);
$server->sql(q{UPDATE pg_shseclabel SET label = 'sslmode=perfer' WHERE objoid = 'grp'::regrole});
message_is('the policy cannot be read', 'a policy that cannot be read comes before all', %plain);
$server->sql(q{UPDATE pg_shseclabel SET label = 'min_protocol=TLSv1.3' WHERE objoid = 'grp'::regrole});
for (['sslmode=verify-ca', {%old}, 'no client certificate', qr/^Set sslcert and sslkey/], ['sslmode=disable', {%old}, 'TLS is in use', qr/^Set sslmode=disable/], ['sslmode=prefer', {%old}, 'TLS version too old', qr/^Let the client use a newer/])
{
	my ($policy, $login, $reason, $hint) = @$_;
	$server->label(role => { app => $policy });
	my ($refusal) = refusals(%$login);
	is($refusal->{message}, qq{connection of role "app" does not meet its TLS policy: $reason}, "$policy, and a group asks for TLSv1.3: the message");
	like($refusal->{hint}, $hint, "$policy, and a group asks for TLSv1.3: the hint says the same");
}
$server->sql(q{UPDATE pg_shseclabel SET label = 'sslmode=prefer' WHERE objoid = 'grp'::regrole});
$server->label(role => { app => 'sslmode=reject action=log; sslmode=require', grp => undef });
message_is('TLS is not in use', 'a rule that only logs is no reason', %plain);

###############################################################################
# 3

$server->label(role => { app => 'sslmode=verify-ca' });
my @attempts = refusals(sslmode => 'prefer');
is_deeply([ map { $_->{message} =~ s/.*: //r } @attempts ], [ 'no client certificate', 'TLS is not in use' ], 'prefer: both attempts, each with its reason');
like($attempts[1]{hint}, qr/If sslmode is set to prefer, the first attempt used TLS and may have been refused for another reason, which sslmode=require shows\.$/, 'and the second says so');
$server->label(role => { app => 'sslmode=disable' });
@attempts = refusals(sslmode => 'allow', db => 'db1');
is($attempts[0], 'in', 'allow: plain text is let in');
$server->label(role => { app => undef }, database => { db1 => 'address=10.0.0.0/8 sslmode=allow; sslmode=reject' });
@attempts = refusals(sslmode => 'allow', db => 'db1');
is_deeply([ map { $_->{message} =~ s/.*: //r } @attempts ], [ ('no connection is accepted') x 2 ], 'allow: both attempts');
$server->label(database => { db1 => undef });

###############################################################################
# 4

$server->label(role => { app => 'sslmode=verify-ca' });
$server->set(ssl_ca_file => '');
is($server->sql('SELECT loaded FROM sslpolicy.reload()'), 't', 'ssl_ca_file is empty');
my ($refusal) = refusals(cert => 'app');
is($refusal->{message}, 'connection of role "app" does not meet its TLS policy: no client certificate', 'no certificate is asked for: the message');
is($refusal->{hint}, 'The server asks no client for a certificate, because its ssl_ca_file is empty; ask the database administrator.', 'the hint names the cause');
$server->set(ssl_ca_file => "$dir/root.crt");
is($server->sql('SELECT loaded FROM sslpolicy.reload()'), 't', 'as before');
is((refusals(cert => 'app'))[0], 'in', 'and certificates are asked for');
$server->label(role => { app => undef });

###############################################################################
# 5

for (['the certificate', 'app', $certs->get('app'), 'is in sslpolicy.blocked_fingerprints'],
	['a CA', 'app_int', $int, 'was verified by a CA that is in sslpolicy.blocked_fingerprints'])
{
	my ($name, $cert, $blocked, $words) = @$_;
	my $session = $server->background(cert => $cert, sslmode => "require");
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	my $offset = $server->log_offset;
	$server->sql('SELECT sslpolicy.reset_statistics()');
	$server->set('sslpolicy.blocked_fingerprints' => $blocked->{fingerprint});
	my ($login) = refusals(cert => $cert);
	is($login->{message}, qq{client certificate of role "app" $words}, "$name is blocked: at login");
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM sslpolicy.ended_sessions WHERE pid = $pid AND reasons = '{client certificate $words}'"), "$name is blocked: in ended_sessions");
	is($server->sql("SELECT DISTINCT source, reasons[1] FROM sslpolicy.rejections ORDER BY source"), "blocked|client certificate $words\nrecheck|client certificate $words", "$name is blocked: in rejections");
	my $log = $server->log_since($offset);
	like($log, qr/FATAL:  28000: client certificate of role "app" \Q$words\E\n/, "$name is blocked: in the log");
	like($log, qr/LOG:  00000: session of role "app" \(PID $pid\) ended: its client certificate \Q$words\E\n.*DETAIL:  Session: role="app".*; client certificate \Q$words\E; changed: [\w ,]*settings[\w ,]*\./, "$name is blocked: the session in the log");
	unlike($log, qr/required: .*blocked/, "$name is blocked: nothing says the opposite");
	is($server->sql("SELECT actual FROM sslpolicy.explain('app', certificate => pg_read_file('$dir/$cert.crt') || pg_read_file('$dir/int.crt')) WHERE requirement = 'fingerprint'"), "client certificate $words", "$name is blocked: in explain()");
	eval { $session->quit };
	$server->set('sslpolicy.blocked_fingerprints' => undef);
}

$server->stop;
done_testing();
