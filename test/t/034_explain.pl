# explain, explain_session, effective_policy and preview: what the DBA asks before
# somebody is refused.  (That explain agrees with the login is in 001.)
use strict;
use warnings;
use Test::More;
use SSLPolicy::LoginCases;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('explain');
SSLPolicy::LoginCases::prepare($server);
$server->start;
SSLPolicy::LoginCases::setup_roles($server);
$server->sql('CREATE EXTENSION sslpolicy');
my $fp = $server->certs->get('root')->{fingerprint};

sub pem { return $server->literal(PostgreSQL::Test::Utils::slurp_file($server->certs->get($_[0])->{chain})) }

# Rows "source/rule/requirement/required=ok", with ? for what is not known.
sub rows_of
{
	my ($args, $function) = @_;
	return $server->sql("SELECT concat_ws('/', source, rule, requirement, required) || '='
		|| coalesce(ok::text, '?') FROM sslpolicy." . ($function // 'explain') . "($args)");
}

sub verdict
{
	my ($args) = @_;
	return $server->sql("SELECT coalesce(ok::text, '?') || ':' || coalesce(actual, '?')
		FROM sslpolicy.explain($args) WHERE requirement = 'verdict'");
}

sub fails
{
	my ($sql, $state, $like, $name) = @_;
	my ($out, $err) = ('', '');
	$server->node->psql('postgres', $sql, stderr => \$err, on_error_stop => 0,
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	like($err, qr/$state.*$like/s, $name);
	return;
}

subtest 'nothing applies' => sub {
	is(rows_of("'app'"), 'sslpolicy.enforcement/verdict=true', 'the verdict alone');
	is($server->sql("SELECT count(*) FROM sslpolicy.effective_policy('app')"), 0, 'no policy');
};

$server->label(
	role => {
		app => 'address=10.0.0.0/8 sslmode=require; sslmode=verify-full min_protocol=TLSv1.3',
		grp => 'sslmode=verify-ca action=log; sslmode=require',
		grp2 => "ca_fingerprint=$fp"
	},
	database => { db1 => 'sslmode=require' });

subtest 'what is not given is not known' => sub {
	is(rows_of("'app'"), <<"ROWS" =~ s/\n\z//r, 'neither is the rule that decides');
role "app"/1/sslmode/sslmode=require (if this applies)=true
role "app"/2/sslmode/sslmode=verify-full (if this applies)=?
role "app"/2/min_protocol/min_protocol=TLSv1.3 (if this applies)=?
role "app"/2/cn/cn=app (if this applies)=?
role "grp" (by membership)/1/sslmode/sslmode=verify-ca (action=log)=?
role "grp" (by membership)/2/sslmode/sslmode=require=true
role "grp2" (by membership in "grp")/1/sslmode/sslmode=verify-ca=?
role "grp2" (by membership in "grp")/1/ca_fingerprint/ca_fingerprint=$fp=?
database/policy/the policy of the database, if it has one (databases that have one: 1) (if this applies)=?
sslpolicy.enforcement/verdict=?
ROWS
	is(verdict("'app', ssl => false"), 'false:refused', 'whichever rule decides, and whatever else');
	is(verdict("'app', 'postgres', '127.0.0.1', certificate => ''"), 'false:refused', 'no certificate');
	is(verdict("'app', 'postgres', '127.0.0.1', true, 'TLSv1.3'"), '?:?', 'the certificate is missing');
	is(verdict("'app', 'postgres', '127.0.0.1', true, 'TLSv1.3', certificate => " . pem('app')),
		'true:let in', 'all that is asked for is given');
	is(verdict("'app', 'postgres', NULL, true, 'TLSv1.3', certificate => " . pem('app')),
		'true:let in', 'either rule is met');
	is(verdict("'app', 'postgres', NULL, true, 'TLSv1.2', certificate => " . pem('app')),
		'?:?', 'one is, one is not');
	is(verdict("'app', NULL, '10.1.1.1', true, 'TLSv1.3', certificate => " . pem('app')),
		'?:?', 'the database may have a policy');
	is(verdict("'app', 'postgres', '127.0.0.1', NULL, 'TLSv1.3', certificate => " . pem('app')),
		'?:?', 'whether TLS is used is not known');
	is(verdict("'app', 'postgres', '10.0.0.1', ssl => NULL, certificate => ''"), 'false:refused', 'no certificate, with TLS or without');
	$server->label(database => { db1 => undef });
	is(verdict("'app', NULL, '10.1.1.1', true, 'TLSv1.3', certificate => " . pem('app')),
		'true:let in', 'no database has a policy');
	$server->label(database => { db1 => 'sslmode=require' });
	is($server->sql("SELECT count(*) FROM sslpolicy.explain(current_user::text::regrole) WHERE source = 'database'"), 0,
		'databases do not bind superusers');
};

subtest 'actual' => sub {
	my $rows = $server->sql("SELECT requirement || '=' || actual
		FROM sslpolicy.explain('app', 'postgres', '127.0.0.1', true, 'TLSv1.2', 'ECDHE-RSA-AES256-GCM-SHA384', "
		  . pem('bob') . ", 'trust') WHERE source LIKE 'role \"app\"%' OR requirement = 'ca_fingerprint'");
	is($rows, "sslmode=TLS, verified client certificate, authenticated by trust\n"
		  . "min_protocol=TLSv1.2\ncn=cn=bob\nca_fingerprint=$fp", 'what was found');
	$server->label(role => { app => "sslmode=cert dn='CN=x' san=uri:spiffe://bank/db/%u max_lifetime=1h on_expiry=end issuer='O=Acme,CN=x'" });
	$rows = $server->sql("SELECT requirement || '=' || actual
		FROM sslpolicy.explain('app', 'postgres', '127.0.0.1', certificate => " . pem('san') . ") WHERE source = 'role \"app\"'");
	like($rows, qr{^issuer=O=Acme,CN=Test Root$}m, 'issuer');
	like($rows, qr{^max_lifetime=\d+d( \d+(h|min|s))*, beyond the grace of 5min$}m, 'lifetime');
	like($rows, qr{^on_expiry=valid until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$}m, 'end');
	like($rows, qr{^dn, san=dn=CN=x, san=dns:App\.Example\.COM, .*san=uri:spiffe://bank/db/app}m, 'names');
	is(verdict("'app', 'postgres', '127.0.0.1', certificate => " . pem('san') . ", auth_method => 'cert'"),
		'false:refused', 'one of these is not met');
	$server->label(role => { app => 'sslmode=verify-full on_expiry=end' });
	is(verdict("'app', 'postgres', '127.0.0.1', certificate => " . pem('app')), 'true:let in', 'today');
	is(verdict("'app', 'postgres', '127.0.0.1', at => '2199-01-01', certificate => " . pem('app')),
		'false:refused', 'when it has expired');
	like(rows_of("'app', 'postgres', '127.0.0.1', at => '2199-01-01', certificate => " . pem('app')),
		qr/^ssl_ca_file\/certificate\/accepted by the server=false$/m, 'by the server itself');
	like(rows_of("'app', 'postgres', '127.0.0.1', certificate => " . pem('app_other')),
		qr/verdict=false$/, 'of another CA that the server trusts');
};

subtest 'settings' => sub {
	$server->set('sslpolicy.enforcement' => 'log');
	is(verdict("'app', 'postgres', '127.0.0.1', ssl => false"), 'true:let in and logged (sslpolicy.enforcement = log)', 'log');
	$server->set('sslpolicy.enforcement' => 'off');
	is(verdict("'app', 'postgres', '127.0.0.1', ssl => false"), 'true:let in (sslpolicy.enforcement = off)', 'off');
	$server->set('sslpolicy.blocked_fingerprints' => $server->certs->get('app')->{fingerprint});
	is(verdict("'app', 'postgres', '127.0.0.1', certificate => " . pem('app')), 'false:refused', 'blocked, whatever enforcement says');
	is(verdict("'app', 'postgres', '127.0.0.1'"), '?:?', 'it may be blocked');
	is(verdict("'app', 'postgres', '127.0.0.1', certificate => " . pem('bob')), 'true:let in (sslpolicy.enforcement = off)', 'another is not');
	$server->set('sslpolicy.enforcement' => undef, 'sslpolicy.blocked_fingerprints' => undef);
	$server->set('sslpolicy.minimum_policy' => 'sslmode=require', 'sslpolicy.default_policy' => 'min_protocol=TLSv1.3');
	like(rows_of("'bob'"), qr/^sslpolicy\.minimum_policy\/1\/sslmode.*=true\nsslpolicy\.default_policy\/1\/sslmode.*=true\nsslpolicy\.default_policy\/1\/min_protocol.*=\?$/m, 'settings are sources');
	$server->set('sslpolicy.minimum_policy' => undef, 'sslpolicy.default_policy' => undef);
};

subtest 'effective_policy' => sub {
	$server->label(role => { app => 'address=10.0.0.0/8 sslmode=require; sslmode=verify-full min_protocol=TLSv1.3' });
	my $policy = sub {
		$server->sql("SELECT concat_ws('/', source, rule, requirement, required, action, coalesce(decides::text, '?')) FROM sslpolicy.effective_policy($_[0])");
	};
	is($policy->("'app', 'db1', '10.2.3.4'"), <<"ROWS" =~ s/\n\z//r, 'everything is given');
role "app"/1/sslmode/sslmode=require/reject/true
role "grp" (by membership)/1/sslmode/sslmode=verify-ca/log/true
role "grp" (by membership)/2/sslmode/sslmode=require/reject/true
role "grp2" (by membership in "grp")/1/sslmode/sslmode=verify-ca/reject/true
role "grp2" (by membership in "grp")/1/ca_fingerprint/ca_fingerprint=$fp/reject/true
database "db1"/1/sslmode/sslmode=require/reject/true
ROWS
	like($policy->("'app'"), qr{^role "app"/1/sslmode/sslmode=require/reject/\?\nrole "app"/2/sslmode/sslmode=verify-full/reject/\?$}m, 'the address is not');
	my $own = $server->login(sslmode => 'require', user => 'bob', sql => 'SELECT * FROM sslpolicy.effective_policy()');
	is($own->{out}, '', 'of one\'s own role: none');
	$own = $server->login(cert => 'app', sql => 'SELECT source, requirement FROM sslpolicy.effective_policy()');
	like($own->{out}, qr/^role "app"\|cn$/m, 'of one\'s own role, by the address of the connection');
	unlike($own->{out}, qr/sslmode=require$/m, 'and no other rule');
};

subtest 'explain_session' => sub {
	my $session = $server->background(cert => 'app', sslmode => 'require');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	like(rows_of($pid, 'explain_session'), qr/verdict=true$/, 'complies');
	$server->label(role => { app => 'cn=other' });
	like(rows_of($pid, 'explain_session'), qr/^role "app"\/1\/cn\/cn=other=false\n.*verdict=false$/ms, 'would not be let in now');
	$session->quit;
	fails('SELECT * FROM sslpolicy.explain_session(0)', '42704', 'no session with PID 0', 'no such session');
	like($server->sql('SELECT actual FROM sslpolicy.explain_session(pg_backend_pid())'),
		qr/^let in: no policy applies$/, 'by a Unix socket');
};

subtest 'errors' => sub {
	my $x = "SELECT * FROM sslpolicy.explain('app', ";
	fails("SELECT * FROM sslpolicy.explain('nobody')", '42704', 'role "nobody" does not exist', 'role');
	fails("SELECT * FROM sslpolicy.explain(NULL)", '22004', 'role must not be null', 'no role');
	fails("SELECT * FROM sslpolicy.explain(4711::oid::regrole)", '42704', '', 'a role that is gone');
	fails("$x 'nodb')", '3D000', 'database "nodb" does not exist', 'database');
	fails("$x address => '10.0.0.0/8')", '22023', 'not a network', 'network');
	fails("$x tls_version => 'TLSv1.4')", '22023', 'invalid tls_version "TLSv1\.4".*Accepted', 'version');
	fails("$x cipher => 'FOO')", '22023', 'no cipher "FOO"', 'cipher');
	fails("$x certificate => 'x')", '22023', 'no certificate in the text', 'certificate');
	fails("$x auth_method => 'x')", '22023', 'invalid auth_method', 'method');
	fails("$x ssl => false, tls_version => 'TLSv1.3')", '22023', 'without TLS', 'contradiction');
	fails("$x at => NULL)", '22004', 'at must not be null', 'time');
	is(verdict("'app', '', '127.0.0.1', ssl => false, certificate => ''"), 'false:refused', 'physical replication');
};

subtest 'preview' => sub {
	$server->label(role => { app => undef, grp => undef, grp2 => undef }, database => { db1 => undef });
	$server->login(user => 'bob', sslmode => 'disable');
	$server->login(user => 'app', sslmode => 'disable', db => 'db1') for 1 .. 3;
	$server->login(user => 'app', cert => 'app');
	my $session = $server->background(user => 'app', cert => 'bob');
	my $preview = sub {
		$server->sql("SELECT concat_ws('/', kind, role, database, host(address), count, client_dn, verdict, refused_now, reasons)
			FROM sslpolicy.preview_$_[0] ORDER BY kind, role, client_dn");
	};

	is($preview->("role_policy('app', 'sslmode=require')"),
		'login/app/db1/127.0.0.1/3/refused/f/{"sslmode=require (policy of role \"app\", rule 1)"}', 'a recent login');
	is($preview->("role_policy('app', 'sslmode=verify-full')") =~ s/\{.*?\}//gr, <<'ROWS' =~ s/\n\z//r, 'a live session, which is a recent login too');
login/app/postgres/127.0.0.1/1/CN=bob/refused/f/
login/app/db1/127.0.0.1/3/refused/f/
session/app/postgres/127.0.0.1/1/CN=bob/refused/f/
ROWS
	is($preview->("role_policy('grp2', 'sslmode=require')"),
		'login/app/db1/127.0.0.1/3/refused/f/{"sslmode=require (policy of role \"grp2\", rule 1)"}', 'policy of a group');
	is($preview->("database_policy('db1', 'sslmode=require')") =~ s/\{.*//r, 'login/app/db1/127.0.0.1/3/refused/f/', 'policy of a database');
	is($preview->("default_policy('sslmode=require')") =~ s/\{.*?\}//gr, "login/app/db1/127.0.0.1/3/refused/f/\nlogin/bob/postgres/127.0.0.1/1/refused/f/", 'default policy');
	is($preview->("default_policy(NULL)"), '', 'none');
	is($preview->("role_policy('bob', 'sslmode=prefer')"), '', 'nobody');
	$server->label(role => { app => 'sslmode=verify-full' });
	is($preview->("role_policy('bob', 'sslmode=prefer')"), '', 'who is refused for another reason is no news');
	is($preview->("role_policy('app', 'sslmode=require')") =~ s/\{.*//r, 'login/app/db1/127.0.0.1/3/refused/t/', 'refused already');
	is($preview->("role_policy('app', NULL)"), '', 'removal');
	is($server->sql("SELECT policy FROM sslpolicy.policies"), 'sslmode=verify-full', 'nothing has been set');
	$session->quit;
	fails("SELECT * FROM sslpolicy.preview_role_policy('app', 'sslmode=perfer')", '22023', 'Perhaps you meant "prefer"', 'not a policy');
	fails("SELECT * FROM sslpolicy.preview_role_policy(NULL, 'sslmode=prefer')", '22004', 'role must not be null', 'no role');
	fails("SELECT * FROM sslpolicy.preview_role_policy(4711::oid::regrole, 'sslmode=prefer')", '42704', '', 'a role that is gone');
	fails("SELECT * FROM sslpolicy.preview_database_policy('nodb', 'sslmode=prefer')", '3D000', '', 'no such database');
	fails("SELECT * FROM sslpolicy.preview_database_policy('db1', 'cn=x')", '22023', '', 'no names in policies of databases');
	$server->sql('DROP ROLE bob');
	is($preview->("default_policy('sslmode=require')"), '', 'a role that is gone');
};

subtest 'a certificate that was cut is not known' => sub {
	$server->certs->client('long', issuer => 'root', subject => '/CN=app',
		san => [ map { 'dns:' . ('x' x 50) . "$_.example.com" } 1 .. 200 ], key_name => 'app');
	$server->label(role => { app => undef });
	$server->login(user => 'app', cert => 'long');
	my $one = sub {
		$server->sql("SELECT verdict, reasons FROM sslpolicy.preview_role_policy('app', '$_[0]') WHERE client_dn = 'CN=app'");
	};
	like($one->('san=dns:' . ('x' x 50) . '199.example.com'), qr/^unknown\|.*not known/, 'a name that it had');
	is($one->('cn=app'), '', 'a name that was kept');
	is($one->('sslmode=verify-ca max_lifetime=1s') =~ s/\|.*//r =~ s/\n.*//sr, 'refused', 'what is no name');
};

subtest 'privileges' => sub {
	my @functions = ("explain('app')", 'explain_session(1)', "effective_policy('app')",
		"preview_role_policy('app', NULL)", "preview_database_policy('db1', NULL)", 'preview_default_policy(NULL)');
	$server->sql('CREATE ROLE ordinary LOGIN; CREATE ROLE monitor LOGIN IN ROLE pg_monitor; CREATE ROLE granted LOGIN;
		GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sslpolicy TO granted');
	for my $f (@functions)
	{
		for my $user ('ordinary', 'monitor')
		{
			my $r = $server->login(user => $user, sslmode => 'disable', sql => "SELECT * FROM sslpolicy.$f");
			like($r->{err}, qr/permission denied for function/, "$user: $f");
		}
		my $r = $server->login(user => 'granted', sslmode => 'disable', sql => "SELECT count(*) FROM sslpolicy.$f");
		unlike($r->{err}, qr/permission denied/, "granted: $f");
	}
	my $r = $server->login(user => 'ordinary', sslmode => 'disable', sql => 'SELECT count(*) FROM sslpolicy.effective_policy()');
	is($r->{out}, 0, 'one\'s own policy is for everybody');
};
$server->stop;
done_testing();
