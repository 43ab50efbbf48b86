# Policies mean what is written: single attributes of the subject, the case of names,
# backslashes, and DNs as other programs write them.
#
# 1. uid and email are names, ou and o requirements; logins, explain(), what is asked of a
#    certificate, and live sessions say the same
# 2. ignore_case=on: no certificate names two roles
# 3. what would mean something else is refused when it is set, by each way there is; what
#    is stored is read, denies, and is found by lint(); the server starts with it
# 4. lint() finds patterns that what stands in another attribute matches
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('attributes', conf => "sslpolicy.recheck_policy = terminate\n");
my $certs = $server->certs;
my %subject = (
	uid => [ [ O => 'Acme' ], [ OU => 'Finance' ], [ UID => 'bob' ], [ CN => 'x' ] ],
	twice => [ [ UID => 'bob' ], [ UID => 'bob' ] ],
	email => [ [ O => 'Acme' ], [ OU => 'West' ], [ OU => 'Finance' ], [ CN => 'bob' ], [ emailAddress => 'Bob@Acme.Example' ] ],
	spoof => [ [ O => 'x,CN=bob' ], [ CN => 'nobody' ] ],
	spoof_uid => [ [ O => 'x,UID=bob,OU=Finance' ], [ CN => 'nobody' ] ],
	cn => [ [ OU => 'West' ], [ CN => 'bob' ] ],
	upper => [ [ CN => 'BOB' ] ],
	plain => [ [ CN => 'alice' ], [ O => 'Acme' ], [ C => 'DE' ] ],
	lost => [ [ CN => 'CORPalice' ] ],
	windows => [ [ CN => 'CORP\\alice' ] ]);
my @key;
for my $name (sort keys %subject)
{
	$certs->client($name, issuer => 'root', subject => $subject{$name}, @key);
	@key = (key_name => $name) unless @key;
}
$server->start;
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE bob LOGIN; CREATE ROLE "Bob" LOGIN; CREATE ROLE "BOB" LOGIN');

sub login_of
{
	my ($user, $cert) = @_;
	my $login = $server->login(user => $user, sslmode => 'require', cert => $cert);
	return $login->{ok} ? 'in' : $login->{failed};
}

# 1
for my $case (
	[ 'uid=%u', { uid => 'in', twice => 'uid', spoof_uid => 'uid', cn => 'uid' } ],
	[ 'email=Bob@Acme.Example', { email => 'in', uid => 'email' } ],
	[ 'email=/^Bob@.*$', { email => 'in' } ],
	[ 'cn=%u ou=Finance', { email => 'in', cn => 'ou', spoof_uid => 'ou cn' } ],
	[ 'uid=%u o=Acme ou=Finance', { uid => 'in', twice => 'ou o uid' } ],
	[ 'ou=West', { email => 'in', cn => 'in', uid => 'ou' } ])
{
	my ($policy, $expected) = @$case;
	$server->sql("SELECT sslpolicy.set_policy('bob', '$policy')");
	for my $cert (sort keys %$expected)
	{
		is(login_of('bob', $cert), $expected->{$cert}, "$policy: $cert");
		my $pem = slurp_file($certs->get($cert)->{chain});
		is($server->sql("SELECT ok FROM sslpolicy.explain('bob', 'postgres', '127.0.0.1', ssl => true, tls_version => 'TLSv1.3', cipher => 'TLS_AES_256_GCM_SHA384', auth_method => 'trust', certificate => '$pem') WHERE requirement = 'verdict'"),
			$expected->{$cert} eq 'in' ? 't' : 'f', 'explain() says the same');
	}
}
is($server->sql("SELECT actual FROM sslpolicy.explain('bob', 'postgres', '127.0.0.1', ssl => true, certificate => '" . slurp_file($certs->get('email')->{chain}) . "') WHERE requirement = 'ou'"),
	'ou=Finance, ou=West', 'and what was found');
$server->sql(q{SELECT sslpolicy.set_policy('bob', 'uid=%u ou=Finance o=Acme')});
is($server->sql(q{SELECT value FROM sslpolicy.client_settings('bob') WHERE setting = 'subject'}), 'UID=bob,CN=bob,OU=Finance,O=Acme',
	'a request asks for what is demanded');
is($server->sql(q{SELECT uid, ou, o, ignore_case FROM sslpolicy.policies WHERE object_name = 'bob'}), '{%u}|{Finance}|{Acme}|f', 'columns');

# a live session has them, too
my $session = $server->background(user => 'bob', sslmode => 'require', cert => 'uid');
my $pid = $session->query('SELECT pg_backend_pid()');
is($server->sql("SELECT compliant FROM sslpolicy.sessions WHERE pid = $pid"), 't', 'a session complies');
$server->sql(q{SELECT sslpolicy.set_policy('bob', 'uid=%u ou=Finance ou=West')});
$server->sql('SELECT count(*) FROM sslpolicy.recheck()');
is($server->sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid"), '1', 'and goes on while it does');
$server->sql(q{SELECT sslpolicy.set_policy('bob', 'uid=%u ou=West')});
ok($server->node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'it ends when it does not');
eval { $session->quit };

# 2
for my $role (qw(bob Bob BOB))
{
	$server->sql(qq{SELECT sslpolicy.set_policy('"$role"', 'cn=%u ignore_case=on')});
	is(login_of($role, 'upper'), $role eq 'bob' ? 'in' : 'cn', "CN=BOB as $role");
	is(login_of($role, 'cn'), $role eq 'bob' ? 'in' : 'cn', "CN=bob as $role");
}

# 3
sub refused
{
	my ($sql) = @_;
	my ($ret, $out, $err) = $server->node->psql('postgres', $sql);
	return $ret ? $err : 'taken';
}
for my $case (
	[ q{cn=CORP\alice}, qr/single backslash in a value of "cn".*Write it twice/s ],
	[ q{uid=CORP\alice}, qr/single backslash in a value of "uid"/ ],
	[ q{ou=a\b}, qr/single backslash in a value of "ou"/ ],
	[ q{san=uri:x:\alice}, qr/single backslash in a value of "san"/ ],
	[ q{dn=/C=DE/O=Acme/CN=alice}, qr/RFC 2253, in which certificates are compared, it is dn=CN=alice,O=Acme,C=DE\./ ],
	[ q{issuer=/C=DE/O=Acme/CN=alice}, qr/it is issuer=CN=alice,O=Acme,C=DE\./ ],
	[ q{dn='E=a@b, CN=alice, S=x, OID.2.5.4.10=y'}, qr/it is dn=emailAddress=a\@b,CN=alice,ST=x,O=y\./ ],
	[ q{issuer=cn=alice}, qr/it is issuer=CN=alice\./ ],
	[ q{issuer=CN=alice,}, qr/it is issuer=CN=alice\./ ],
	[ q{issuer==}, qr/invalid value "="/ ],
	[ q{dn='O="Acme, Inc."'}, qr/it is dn='O=Acme\\\\, Inc\.'\./ ])
{
	my ($policy, $expected) = @$case;
	my $literal = $server->literal($policy);
	like(refused("SELECT sslpolicy.check_policy($literal)"), $expected, "check_policy: $policy");
	like(refused("SELECT sslpolicy.set_policy('bob', $literal)"), $expected, 'set_policy');
	like(refused("SECURITY LABEL FOR sslpolicy ON ROLE bob IS $literal"), $expected, 'SECURITY LABEL');
	like(refused("ALTER SYSTEM SET sslpolicy.default_policy = $literal"), $expected, 'ALTER SYSTEM');
}
$server->sql(q{SELECT sslpolicy.set_policy('bob', $$cn='CORP\\\\alice'$$)});
is(login_of('bob', 'windows'), 'in', 'CORP\\alice');
is(login_of('bob', 'lost'), 'cn', 'CORPalice is another');
for my $case ([ q{dn=E=a@b,cn=bob}, 'upper' ], [ q{cn=%u issuer=cn=root}, 'cn' ], [ q{cn=x\y}, 'cn' ])
{
	my ($policy, $cert) = @$case;
	$server->sql(q{SELECT sslpolicy.set_policy('bob', 'sslmode=require')});
	$server->sql('UPDATE pg_shseclabel SET label = ' . $server->literal($policy) . q{ WHERE objoid = 'bob'::regrole});
	is($server->sql(q{SELECT count(*) FROM sslpolicy.policies WHERE object_name = 'bob' AND error IS NULL}), '1', "stored, $policy is read");
	isnt(login_of('bob', $cert), 'in', 'and denies');
	is($server->sql(q{SELECT severity, object FROM sslpolicy.lint() WHERE code = 'policy_misspelt'}), 'warning|role "bob"', 'lint() finds it');
}
$server->sql(q{SECURITY LABEL FOR sslpolicy ON ROLE bob IS NULL});
$server->node->append_conf('postgresql.conf', q{sslpolicy.default_policy = 'cn=CORP\\\\alice dn=cn=bob'});
$server->restart;
is(login_of('bob', 'cn'), 'cn dn', 'the server starts with a setting that is stored');
like($server->sql(q{SELECT object, finding FROM sslpolicy.lint() WHERE code = 'policy_misspelt'}), qr/setting sslpolicy\.default_policy.*single backslash/, 'and lint() finds it');
$server->node->append_conf('postgresql.conf', q{sslpolicy.default_policy = ''});
$server->restart;

# 4
my $unsafe = q{dn='/^(.*,)?CN=%u(,.*)?$'};
$server->label(role => { bob => $unsafe });
is(login_of('bob', 'spoof'), 'in', 'a pattern takes what stands in O for the CN');
is($server->sql(q{SELECT severity, object FROM sslpolicy.lint() WHERE code = 'dn_pattern_not_safe'}), 'warning|' . $unsafe =~ s/'//gr, 'lint() finds it');
for my $safe (q{dn='/^([^,\\\\\\\\]*,)?CN=%u(,.*)?$'}, 'cn=%u')
{
	$server->label(role => { bob => $safe });
	isnt(login_of('bob', 'spoof'), 'in', "$safe does not");
	is($server->sql(q{SELECT count(*) FROM sslpolicy.lint() WHERE code = 'dn_pattern_not_safe'}), '0', 'nor does lint() find fault with it');
}

done_testing();
