# The table of logins: policies and a connection, and what comes of it.
#
# Whoever uses it prepares a server with prepare() and setup_roles(), and gives
# try_cases() what to do for each case: usually to log in.
#
# A group:	{ name, settings => { setting => value }, cases => [...] }
# A case:	{ name,
#			  role, group, group2, login_group, database => policy texts,
#			  to => { user, db, host, sslmode, cert, extra, env },
#			  expect => 'in' or the failed requirements, as the client sees them,
#			  log => regex for the log line of a refusal (optional) }
#
# The login role is app unless "to" says otherwise.  It is a member of the
# NOLOGIN roles grp and (through it) grp2, and of the LOGIN role lgrp.
package SSLPolicy::LoginCases;

use strict;
use warnings;

my $DAY = 86400;

# Make the certificates and roles that the table speaks of.  The server must
# not run yet; call setup_roles() once it does.
sub prepare
{
	my ($server) = @_;
	my $certs = $server->certs;
	my $root = $certs->get('root');
	my $int = $certs->intermediate('int', issuer => $root, subject => '/CN=Test Intermediate/O=Acme');
	my $other = $certs->ca('other', subject => '/CN=Other Root/O=Acme');
	my $twin = $certs->ca('twin', subject => '/CN=Test Root/O=Acme');

	$certs->client('app', issuer => $root, subject => '/CN=app');
	my %key = (key_name => 'app');
	$certs->client('bob', issuer => $root, subject => '/CN=bob', %key);
	$certs->client('App', issuer => $root, subject => '/CN=App', %key);
	$certs->client('app_int', issuer => $int, subject => '/CN=app', %key);
	$certs->client('app_other', issuer => $other, subject => '/CN=app', %key);
	$certs->client('app_twin', issuer => $twin, subject => '/CN=app', %key);
	$certs->client('dn', issuer => $root, subject => '/O=Acme/OU=DB, West/CN=x', %key);
	$certs->client('dn_utf8', issuer => $root, subject => [ [ O => "Acm\x{e9}" ], [ CN => 'app' ] ], %key);
	$certs->client('cn_utf8', issuer => $root, subject => [ [ CN => "caf\x{e9}" ] ], %key);
	$certs->client('san', issuer => $root, subject => '/CN=x', %key,
		san => [
			'dns:App.Example.COM', 'dns:*.wild.example.com', 'email:app@Example.com',
			'uri:spiffe://bank/db/app', 'ip:10.1.2.3', 'ip:2001:db8::1'
		]);
	$certs->client('attributes', issuer => $root, %key,
		subject => [ [ O => 'Acme' ], [ OU => 'West' ], [ OU => 'Finance' ], [ UID => 'app' ], [ emailAddress => 'app@acme.example' ], [ CN => 'APP' ] ]);
	$certs->client('two_uids', issuer => $root, subject => [ [ UID => 'app' ], [ UID => 'app' ] ], %key);
	$certs->client('within', issuer => $root, subject => [ [ O => 'x,UID=app,OU=Finance' ], [ CN => 'x' ] ], %key);
	$certs->client('a.b', issuer => $root, subject => '/CN=a.b', %key);
	$certs->client('axb', issuer => $root, subject => '/CN=axb', %key);
	my $start = time - 3600;
	$certs->client("life$_", issuer => $root, subject => '/CN=app', %key,
		not_before => $start, not_after => $start + $_)
	  for $DAY, $DAY + 3900, $DAY + 3901;
	$certs->client("life$_", issuer => $root, subject => '/CN=app', %key,
		not_before => $start + 3540, not_after => $start + 3540 + $_)
	  for 3900, 3901;
	$certs->bundle('trusted.crt', 'root', 'other', 'twin');
	$server->node->append_conf('postgresql.conf',
		"ssl_ca_file = '$certs->{dir}/trusted.crt'\nssl_min_protocol_version = 'TLSv1.2'\n");
	$server->set_hba(
		'hostssl all certuser all cert',
		'hostssl all mapuser all cert map=m',
		'host all pwuser all scram-sha-256');
	open my $ident, '>>', $server->node->data_dir . '/pg_ident.conf' or die $!;
	print $ident "m bob mapuser\n";
	close $ident;
	return;
}

sub setup_roles
{
	my ($server) = @_;
	$server->sql(<<'SQL');
CREATE ROLE app LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE "App" LOGIN;
CREATE ROLE "a.b" LOGIN; CREATE ROLE certuser LOGIN; CREATE ROLE mapuser LOGIN;
CREATE ROLE pwuser LOGIN PASSWORD 's3cret-word';
CREATE ROLE "café" LOGIN;
CREATE ROLE "x,O=Acme" LOGIN;
CREATE ROLE grp; CREATE ROLE grp2; CREATE ROLE lgrp LOGIN;
GRANT grp2 TO grp; GRANT grp TO app; GRANT lgrp TO app;
CREATE DATABASE db1; CREATE DATABASE replication;
SQL
	return;
}

# SQL that explains the login of a case, which must come by TCP: rows of requirement,
# ok and required, the verdict last.
sub explain_sql
{
	my ($server, $case) = @_;
	my %to = %{ $case->{to} };
	my $user = $to{user} // 'app';
	my $ssl = ($to{sslmode} // 'verify-full') ne 'disable';
	my $old = ($to{extra} // '') =~ /ssl_max_protocol_version=TLSv1\.2/;
	my %method = (certuser => 'cert', mapuser => 'cert', pwuser => 'scram-sha-256');
	my %arg = (
		role => $server->literal('"' . ($user =~ s/"/""/gr) . '"') . '::regrole',
		database => $server->literal($to{db} // 'postgres'),
		address => $server->literal($to{host} // '127.0.0.1'),
		ssl => $ssl ? 'true' : 'false',
		auth_method => $server->literal(
			($ssl || $user eq 'pwuser') && $method{$user} ? $method{$user} : 'trust'));
	if ($ssl)
	{
		my $cert = $to{cert};
		$cert = $server->certs->get($cert) if $cert && !ref $cert;
		$arg{tls_version} = $old ? "'TLSv1.2'" : "'TLSv1.3'";
		$arg{cipher} = "'TLS_AES_256_GCM_SHA384'" if !$old;
		$arg{certificate} = $server->literal($cert
			? PostgreSQL::Test::Utils::slurp_file($cert->{chain}) : '');
	}
	return 'SELECT requirement, ok, required FROM sslpolicy.explain('
	  . join(', ', map { "$_ => $arg{$_}" } sort keys %arg) . ')';
}

# Groups of cases.  LOGIN_TABLE_STEP=5 leaves every fifth case, for servers that
# are very slow.
sub groups
{
	my @groups = all_groups(@_);
	my $step = $ENV{LOGIN_TABLE_STEP} // 1;
	my $n = 0;
	$_->{cases} = [ grep { $n++ % $step == 0 } @{ $_->{cases} } ] for @groups;
	return grep { @{ $_->{cases} } } @groups;
}

sub all_groups
{
	my ($server) = @_;
	my $certs = $server->certs;
	my $fp = sub { $certs->get($_[0])->{fingerprint} };
	my $colons = sub { join ':', uc($_[0]) =~ /../g };
	my $tls12 = { extra => 'ssl_max_protocol_version=TLSv1.2' };
	my %plain = (sslmode => 'disable');
	my %tls = (sslmode => 'require');

	# policy of the role, connection, expectation
	my $row = sub {
		my ($name, $policy, $to, $expect, %more) = @_;
		return { name => $name, role => $policy, to => $to, expect => $expect, %more };
	};

	my @sslmode = (
		$row->('no policy: plain text', undef, {%plain}, 'in'),
		$row->('no policy: TLS', undef, {%tls}, 'in'),
		$row->('reject: plain text', 'sslmode=reject', {%plain}, 'sslmode'),
		$row->('reject: certificate', 'sslmode=reject', { cert => 'app' }, 'sslmode'),
		$row->('disable: plain text', 'sslmode=disable', {%plain}, 'in'),
		$row->('disable: TLS', 'sslmode=disable', {%tls}, 'sslmode'),
		$row->('allow: plain text', 'sslmode=allow', {%plain}, 'in'),
		$row->('allow: TLS', 'sslmode=allow', {%tls}, 'in'),
		$row->('prefer: plain text', 'sslmode=prefer', {%plain}, 'in'),
		$row->('prefer: TLS', 'sslmode=prefer', {%tls}, 'in'),
		$row->('require: plain text', 'sslmode=require', {%plain}, 'sslmode',
			log => qr/address=127\.0\.0\.1 tls=none .*required: sslmode=require \(policy of role "app", rule 1\)/),
		$row->('require: TLS', 'sslmode=require', {%tls}, 'in'),
		$row->('require: TLS over IPv6', 'sslmode=require', { %tls, host => '::1' }, 'in'),
		$row->('require: plain text over IPv6', 'sslmode=require', { %plain, host => '::1' }, 'sslmode',
			log => qr/address=::1 tls=none/),
		$row->('require: libpq tries TLS first with prefer', 'sslmode=require', { sslmode => 'prefer' }, 'in'),
		$row->('require: libpq tries TLS second with allow', 'sslmode=require', { sslmode => 'allow' }, 'in'),
		$row->('verify-ca: plain text', 'sslmode=verify-ca', {%plain}, 'sslmode'),
		$row->('verify-ca: no certificate', 'sslmode=verify-ca', {%tls}, 'sslmode'),
		$row->('verify-ca: certificate of another name', 'sslmode=verify-ca', { cert => 'bob' }, 'in'),
		$row->('verify-full: no certificate', 'sslmode=verify-full', {%tls}, 'sslmode cn'),
		$row->('verify-full: plain text', 'sslmode=verify-full', {%plain}, 'sslmode cn'),
		$row->('verify-full: certificate that names the role', 'sslmode=verify-full', { cert => 'app' }, 'in'),
		$row->('verify-full: over IPv6', 'sslmode=verify-full', { cert => 'app', host => '::1' }, 'in'),
		$row->('verify-full: certificate of another name', 'sslmode=verify-full', { cert => 'bob' }, 'cn',
			log => qr/role="app" database="postgres" address=127\.0\.0\.1 tls=TLSv1\.3 .*subject="CN=bob" issuer="O=Acme,CN=Test Root" serial=-?\d+ fingerprint=[0-9a-f]{64}; required: cn=app/),
		$row->('verify-full: case matters', 'sslmode=verify-full', { cert => 'App' }, 'cn'),
		$row->('verify-full: certificate through an intermediate', 'sslmode=verify-full', { cert => 'app_int' }, 'in'),
		$row->('cert: by trust', 'sslmode=cert', { cert => 'app' }, 'sslmode'));

	my @other_users = map {
		my ($name, $user, $policy, $to, $expect) = @$_;
		+{ name => $name, user => $user, role => $policy, to => { user => $user, %$to }, expect => $expect };
	  } (
		[ 'cert: by method cert', 'certuser', 'sslmode=cert', { cert => 'certuser' }, 'in' ],
		[ 'cert: map decides the name', 'mapuser', 'sslmode=cert', { cert => 'bob' }, 'in' ],
		[ 'cert: names given must hold as well', 'mapuser', 'sslmode=cert cn=alice', { cert => 'bob' }, 'cn' ],
		[ 'cert: names given that hold', 'mapuser', 'sslmode=cert cn=bob', { cert => 'bob' }, 'in' ],
		[ 'verify-full behind a map still asks for CN = role', 'mapuser', 'sslmode=verify-full', { cert => 'bob' }, 'cn' ],
		[ 'cert: by password', 'pwuser', 'sslmode=cert', { cert => 'bob', env => { PGPASSWORD => 's3cret-word' } }, 'sslmode' ],
		[ 'password and require', 'pwuser', 'sslmode=require', { %tls, env => { PGPASSWORD => 's3cret-word' } }, 'in' ],
		[ 'password and require: plain text', 'pwuser', 'sslmode=require', { %plain, env => { PGPASSWORD => 's3cret-word' } }, 'sslmode' ],
		[ 'a regex takes %u literally', 'a.b', 'cn=/^%u$', { cert => 'a.b' }, 'in' ],
		[ 'a regex takes %u literally: the dot matches no other character', 'a.b', 'cn=/^%u$', { cert => 'axb' }, 'cn' ],
		[ 'CN outside ASCII', "caf\xc3\xa9", 'sslmode=verify-full', { cert => 'cn_utf8' }, 'in' ],
		[ 'CN outside ASCII, as %u', "caf\xc3\xa9", 'cn=%u', { cert => 'cn_utf8' }, 'in' ],
		[ 'CN outside ASCII, by regex in escaped form', "caf\xc3\xa9", q{cn='/^caf\\\\\\\\C3\\\\\\\\A9$'}, { cert => 'cn_utf8' }, 'in' ],
		[ 'a role cannot smuggle an attribute into a DN', 'x,O=Acme', 'dn=CN=%u', { cert => 'dn' }, 'dn' ]);

	my @keys = (
		$row->('min_protocol: equal', 'min_protocol=TLSv1.2', $tls12, 'in'),
		$row->('min_protocol: above', 'min_protocol=TLSv1.2', {%tls}, 'in'),
		$row->('min_protocol: below', 'min_protocol=TLSv1.3', $tls12, 'min_protocol',
			log => qr/tls=TLSv1\.2 .*required: min_protocol=TLSv1\.3/),
		$row->('min_protocol: plain text', 'min_protocol=TLSv1', {%plain}, 'sslmode min_protocol'),
		$row->('cipher: the one in use', 'cipher=TLS_AES_256_GCM_SHA384', {%tls}, 'in'),
		$row->('cipher: any of several', 'cipher=TLS_AES_128_GCM_SHA256 cipher=TLS_AES_256_GCM_SHA384', {%tls}, 'in'),
		$row->('cipher: another', 'cipher=TLS_AES_128_GCM_SHA256', {%tls}, 'cipher'),
		$row->('cn: given', 'cn=bob', { cert => 'bob' }, 'in'),
		$row->('cn: given replaces CN = role', 'cn=bob', { cert => 'app' }, 'cn'),
		$row->('cn: any of several', 'cn=alice cn=bob', { cert => 'bob' }, 'in'),
		$row->('cn: with text around %u', 'cn=%u%%', { cert => 'app' }, 'cn'),
		$row->('cn: regex', 'cn=/^a(p+)$', { cert => 'app' }, 'in'),
		$row->('cn: an alternative does not escape the anchors', 'cn=/^zzz|bob$', { cert => 'app' }, 'cn'),
		$row->('cn: both alternatives match', 'cn=/^zzz|app$', { cert => 'app' }, 'in'),
		$row->('dn: exact', q{dn='CN=x,OU=DB\\\\, West,O=Acme'}, { cert => 'dn' }, 'in'),
		$row->('dn: part of it', 'dn=CN=x', { cert => 'dn' }, 'dn'),
		$row->('dn: outside ASCII', "dn='CN=app,O=Acm\xc3\xa9'", { cert => 'dn_utf8' }, 'in'),
		$row->('dn: outside ASCII, escaped', q{dn='CN=app,O=Acm\\\\C3\\\\A9'}, { cert => 'dn_utf8' }, 'in'),
		$row->('dn: regex', 'dn=/^CN=app,.*$', { cert => 'dn_utf8' }, 'in'),
		$row->('uid: %u', 'uid=%u', { cert => 'attributes' }, 'in'),
		$row->('uid: twice', 'uid=%u', { cert => 'two_uids' }, 'uid'),
		$row->('uid: within another attribute', 'uid=%u', { cert => 'within' }, 'uid'),
		$row->('uid: regex', 'uid=/^ap+$', { cert => 'attributes' }, 'in'),
		$row->('email', 'email=%u@acme.example', { cert => 'attributes' }, 'in'),
		$row->('email: case matters', 'email=%u@ACME.example', { cert => 'attributes' }, 'email'),
		$row->('cn and uid: either is enough', 'cn=nobody uid=app', { cert => 'attributes' }, 'in'),
		$row->('cn: another case', 'cn=%u', { cert => 'attributes' }, 'cn'),
		$row->('ignore_case', 'cn=%u ignore_case=on', { cert => 'attributes' }, 'in'),
		$row->('ou and o', 'ou=Finance o=Acme', { cert => 'attributes' }, 'in'),
		$row->('ou: any of several', 'ou=East ou=Finance', { cert => 'attributes' }, 'in'),
		$row->('ou: within another attribute', 'ou=Finance', { cert => 'within' }, 'ou'),
		$row->('ou gives no name', 'uid=%u ou=Finance', { cert => 'within' }, 'ou uid'),
		$row->('o: no certificate', 'o=Acme', {%tls}, 'sslmode o'),
		$row->('san: dns without case', 'san=dns:app.example.com', { cert => 'san' }, 'in'),
		$row->('san: dns regex without case', 'san=dns:/^%u\\\\.example\\\\.com$', { cert => 'san' }, 'in'),
		$row->('san: a wildcard is a literal', 'san=dns:a.wild.example.com', { cert => 'san' }, 'san'),
		$row->('san: the wildcard itself', 'san=dns:*.wild.example.com', { cert => 'san' }, 'in'),
		$row->('san: email', 'san=email:app@Example.com', { cert => 'san' }, 'in'),
		$row->('san: email with case', 'san=email:app@example.com', { cert => 'san' }, 'san'),
		$row->('san: uri with %u', 'san=uri:spiffe://bank/db/%u', { cert => 'san' }, 'in'),
		$row->('san: uri of another type', 'san=dns:spiffe://bank/db/app', { cert => 'san' }, 'san'),
		$row->('san: IPv4', 'san=ip:10.1.2.3', { cert => 'san' }, 'in'),
		$row->('san: IPv6 in another spelling', 'san=ip:2001:0db8:0::1', { cert => 'san' }, 'in'),
		$row->('san or cn: either is enough', 'cn=nobody san=uri:spiffe://bank/db/app', { cert => 'san' }, 'in'),
		$row->('san or cn: neither', 'cn=nobody san=uri:spiffe://bank/db/bob', { cert => 'san' }, 'cn san'),
		$row->('fingerprint', 'fingerprint=' . $fp->('app'), { cert => 'app' }, 'in'),
		$row->('fingerprint: with colons', 'fingerprint=' . $colons->($fp->('app')), { cert => 'app' }, 'in'),
		$row->('fingerprint: another', 'fingerprint=' . $fp->('bob'), { cert => 'app' }, 'fingerprint'),
		$row->('fingerprint: any of two', 'fingerprint=' . $fp->('bob') . ' fingerprint=' . $fp->('app'), { cert => 'app' }, 'in'),
		$row->('fingerprint: no certificate', 'fingerprint=' . $fp->('app'), {%tls}, 'sslmode fingerprint'),
		$row->('issuer: root', 'issuer="O=Acme,CN=Test Root"' =~ s/"/'/gr, { cert => 'app' }, 'in'),
		$row->('issuer: root above an intermediate', q{issuer='O=Acme,CN=Test Root'}, { cert => 'app_int' }, 'in'),
		$row->('issuer: intermediate', q{issuer='O=Acme,CN=Test Intermediate'}, { cert => 'app_int' }, 'in'),
		$row->('issuer: another', q{issuer='O=Acme,CN=Other Root'}, { cert => 'app' }, 'issuer'),
		$row->('issuer: a DN can be claimed by another CA', q{issuer='O=Acme,CN=Test Root'}, { cert => 'app_twin' }, 'in'),
		$row->('ca_fingerprint', 'ca_fingerprint=' . $fp->('root'), { cert => 'app' }, 'in'),
		$row->('ca_fingerprint: a CA of the same DN', 'ca_fingerprint=' . $fp->('root'), { cert => 'app_twin' }, 'ca_fingerprint'),
		$row->('ca_fingerprint: intermediate', 'ca_fingerprint=' . $fp->('int'), { cert => 'app_int' }, 'in'),
		$row->('ca_fingerprint: the leaf is no CA', 'ca_fingerprint=' . $fp->('app'), { cert => 'app' }, 'ca_fingerprint'),
		$row->('max_lifetime: equal', 'max_lifetime=24h', { cert => "life$DAY" }, 'in'),
		$row->('max_lifetime: within the grace', 'max_lifetime=24h', { cert => 'life' . ($DAY + 3900) }, 'in'),
		$row->('max_lifetime: above the grace', 'max_lifetime=24h', { cert => 'life' . ($DAY + 3901) }, 'max_lifetime',
			log => qr/required: max_lifetime=1d \(policy of role "app", rule 1; the certificate is valid for 1d 1h 5min 1s, but at most 1d plus 1h 5min of grace is allowed\)/),
		$row->('max_lifetime: within the grace of an hour', 'max_lifetime=1h', { cert => 'life3900' }, 'in'),
		$row->('max_lifetime: above the grace of an hour', 'max_lifetime=1h', { cert => 'life3901' }, 'max_lifetime'),
		$row->('on_expiry=end with a valid certificate', 'sslmode=verify-full on_expiry=end', { cert => 'app' }, 'in'),
		$row->('all that failed is told', 'min_protocol=TLSv1.3 cn=bob max_lifetime=1h fingerprint=' . $fp->('bob'),
			{ cert => 'app', %$tls12 }, 'min_protocol fingerprint max_lifetime cn'));

	my $v6 = { %plain, host => '::1' };
	my @rules = (
		$row->('address: network', 'address=127.0.0.0/8 sslmode=prefer; sslmode=reject', {%plain}, 'in'),
		$row->('address: the other family does not fit', 'address=127.0.0.0/8 sslmode=prefer; sslmode=reject', $v6, 'sslmode'),
		$row->('address: IPv6', 'address=::1 sslmode=prefer; sslmode=reject', $v6, 'in'),
		$row->('address: any IPv4', 'address=0.0.0.0/0 sslmode=prefer; sslmode=reject', {%plain}, 'in'),
		$row->('address: any IPv4 is not IPv6', 'address=0.0.0.0/0 sslmode=prefer; sslmode=reject', $v6, 'sslmode'),
		$row->('address: any of several', 'address=10.0.0.0/8 address=::/0 sslmode=prefer; sslmode=reject', $v6, 'in'),
		$row->('address: one bit too far', 'address=126.0.0.0/8 sslmode=prefer; sslmode=reject', {%plain}, 'sslmode'),
		$row->('address: prefix of 31 bits', 'address=127.0.0.0/31 sslmode=prefer; sslmode=reject', {%plain}, 'in'),
		$row->('address: prefix of 32 bits', 'address=127.0.0.2/32 sslmode=prefer; sslmode=reject', {%plain}, 'sslmode'),
		$row->('database: fits', 'database=db1 sslmode=prefer; sslmode=reject', { %plain, db => 'db1' }, 'in'),
		$row->('database: does not fit', 'database=db1 sslmode=prefer; sslmode=reject', {%plain}, 'sslmode'),
		$row->('database: the keyword replication is no database', 'database=replication sslmode=prefer; sslmode=reject', { %plain, db => 'replication' }, 'sslmode'),
		$row->('database: the quoted name is one', q{database='replication' sslmode=prefer; sslmode=reject}, { %plain, db => 'replication' }, 'in'),
		$row->('address and database: both must fit', 'address=127.0.0.1 database=db1 sslmode=prefer; sslmode=reject', { %plain, host => '::1', db => 'db1' }, 'sslmode'),
		$row->('the first rule that fits decides', 'address=127.0.0.1 sslmode=reject; address=127.0.0.1 sslmode=prefer; sslmode=prefer', {%plain}, 'sslmode',
			log => qr/rule 1\)/),
		$row->('a later rule decides', 'address=10.0.0.0/8 sslmode=reject; sslmode=require', {%plain}, 'sslmode', log => qr/rule 2\)/),
		$row->('action=log lets in', 'sslmode=verify-full action=log; sslmode=prefer', {%plain}, 'in',
			logged => qr/would be refused by TLS policy.*Let in: .*required: sslmode=verify-full \(policy of role "app", rule 1\), cn=app/s),
		$row->('action=log goes on to the next rule', 'sslmode=verify-full action=log; sslmode=require', {%plain}, 'sslmode', log => qr/required: sslmode=require \(policy of role "app", rule 2\)\./));

	my $group = sub {
		my ($name, $labels, $to, $expect, %more) = @_;
		return { name => $name, %$labels, to => $to, expect => $expect, %more };
	};
	my @sources = (
		$group->('a group binds its members', { group => 'sslmode=require' }, {%plain}, 'sslmode', log => qr/policy of role "grp", rule 1/),
		$group->('a group of a group too', { group2 => 'sslmode=require' }, {%plain}, 'sslmode', log => qr/policy of role "grp2"/),
		$group->('the label of a LOGIN role binds it alone', { login_group => 'sslmode=reject' }, {%plain}, 'in'),
		$group->('a database binds', { database => 'sslmode=require' }, { %plain, db => 'db1' }, 'sslmode', log => qr/policy of database "db1"/),
		$group->('another database does not', { database => 'sslmode=require' }, {%plain}, 'in'),
		$group->('all of them must hold', { role => 'sslmode=prefer', group => 'sslmode=require', database => 'min_protocol=TLSv1.3' },
			{ %$tls12, db => 'db1' }, 'min_protocol'),
		$group->('all that fail are told, once', { role => 'sslmode=require', group => 'sslmode=require', database => 'min_protocol=TLSv1.3' },
			{ %plain, db => 'db1' }, 'sslmode min_protocol'),
		$group->('verify-full of a database: names of the role', { role => 'cn=bob', database => 'sslmode=verify-full' }, { cert => 'bob', db => 'db1' }, 'in'),
		$group->('verify-full of a database: CN = role without names', { role => 'sslmode=require', database => 'sslmode=verify-full' }, { cert => 'bob', db => 'db1' }, 'cn'),
		$group->('verify-full of a role: names of a group', { role => 'sslmode=verify-full', group => 'cn=bob' }, { cert => 'bob' }, 'in'),
		$group->('names of a group replace CN = role', { role => 'sslmode=verify-full', group => 'cn=bob' }, { cert => 'app' }, 'cn'),
		$group->('names of the role go before those of a group', { role => 'cn=bob', group => 'cn=alice' }, { cert => 'bob' }, 'in'),
		$group->('names of every group must hold', { role => 'sslmode=verify-full', group => 'cn=bob', group2 => 'san=dns:bob' }, { cert => 'bob' }, 'san'),
		$group->('names of a group, with %u of the login role', { group => 'san=uri:spiffe://bank/db/%u' }, { cert => 'san' }, 'in'),
		$group->('a Unix socket meets no policy', { role => 'sslmode=reject', group => 'sslmode=reject' }, { host => 'local', sslmode => 'prefer' }, 'in'));

	return (
		{ name => 'sslmode', settings => {}, cases => \@sslmode },
		{ name => 'other users', settings => {}, cases => \@other_users },
		{ name => 'keys', settings => {}, cases => \@keys },
		{ name => 'rules', settings => {}, cases => \@rules },
		{ name => 'sources', settings => {}, cases => \@sources },
		{
			name => 'default_policy',
			settings => { 'sslpolicy.default_policy' => 'sslmode=verify-full cn=%u cn=bob' },
			cases => [
				$row->('binds a role without a label', undef, {%plain}, 'sslmode cn', log => qr/sslpolicy\.default_policy, rule 1/),
				$row->('gives names', undef, { cert => 'bob' }, 'in'),
				$row->('a label of its own replaces it', 'sslmode=prefer', {%plain}, 'in'),
				$group->('names of a group go before its own', { group => 'cn=alice' }, { cert => 'bob' }, 'cn'),
				$group->('a label of a group does not replace it', { group => 'sslmode=prefer' }, {%plain}, 'sslmode cn'),
				$row->('gives no names to a role with a label', 'sslmode=verify-full', { cert => 'bob' }, 'cn')
			]
		},
		{
			name => 'minimum_policy',
			settings => { 'sslpolicy.minimum_policy' => 'address=::1 sslmode=prefer; min_protocol=TLSv1.3' },
			cases => [
				$row->('binds without a label', undef, {%plain}, 'sslmode min_protocol', log => qr/sslpolicy\.minimum_policy, rule 2/),
				$row->('binds beside a weaker label', 'sslmode=prefer', $tls12, 'min_protocol'),
				$row->('does not weaken a stronger label', 'sslmode=verify-full', { %tls, host => '::1' }, 'sslmode cn'),
				$row->('its rules have addresses', undef, $v6, 'in'),
				$row->('met', 'sslmode=require', {%tls}, 'in')
			]
		},
		{
			name => 'enforcement = log',
			settings => { 'sslpolicy.enforcement' => 'log' },
			cases => [
				$row->('lets in and logs', 'sslmode=verify-full', {%plain}, 'in',
					logged => qr/would be refused by TLS policy.*Let in: .*required: sslmode=verify-full/s),
				$row->('nothing to log', 'sslmode=require', {%tls}, 'in')
			]
		},
		{
			name => 'enforcement = off',
			settings => { 'sslpolicy.enforcement' => 'off' },
			cases => [ $row->('lets in', 'sslmode=reject', {%plain}, 'in') ]
		},
		{
			name => 'reserved_roles',
			settings => { 'sslpolicy.reserved_roles' => 'bob, "app"' },
			cases => [
				$group->('no group binds', { group => 'sslmode=reject', group2 => 'sslmode=reject' }, {%plain}, 'in'),
				$group->('no database binds', { database => 'sslmode=reject' }, { %plain, db => 'db1' }, 'in'),
				$row->('its own label binds', 'sslmode=require', {%plain}, 'sslmode')
			]
		},
		{
			name => 'blocked_fingerprints',
			settings => { 'sslpolicy.blocked_fingerprints' => $colons->($fp->('app')) . ',' . $fp->('int') },
			cases => [
				$row->('the certificate itself', undef, { cert => 'app' }, 'blocked', log => qr/fingerprint=[0-9a-f]{64}\.$/m),
				$row->('a CA of its chain', undef, { cert => 'app_int' }, 'blocked'),
				$row->('another certificate', 'sslmode=verify-ca', { cert => 'bob' }, 'in'),
				$row->('no certificate', undef, {%plain}, 'in')
			]
		},
		{
			name => 'blocked_fingerprints without enforcement',
			settings => {
				'sslpolicy.blocked_fingerprints' => $fp->('app'),
				'sslpolicy.enforcement' => 'off'
			},
			cases => [ $row->('is refused all the same', undef, { cert => 'app' }, 'blocked') ]
		});
}

# What came of a login, as "expect" says it.
sub outcome
{
	my ($result) = @_;
	return $result->{ok} ? 'in' : $result->{err} =~ /certificate of role .* in sslpolicy\.blocked_fingerprints/ ? 'blocked' : $result->{failed};
}

# For each case: settings and policies as it wants them, then $do->(case, its name).
# Nothing of them is left in the end.
sub try_cases
{
	my ($server, $do) = @_;
	my %previous;
	for my $group (groups($server))
	{
		my %settings = (%previous, %{ $group->{settings} });
		$server->set(%settings) if %settings;
		%previous = map { $_ => undef } keys %{ $group->{settings} };
		for my $case (@{ $group->{cases} })
		{
			my $user = $case->{user} // 'app';
			$server->label(
				role => {
					$user => $case->{role},
					grp => $case->{group},
					grp2 => $case->{group2},
					lgrp => $case->{login_group}
				},
				database => { db1 => $case->{database} });
			$do->($case, "$group->{name}: $case->{name}");
			$server->label(role => { $user => undef }) if $user ne 'app';
		}
	}
	$server->set(%previous) if %previous;
	$server->label(role => { map { $_ => undef } qw(app grp grp2 lgrp) }, database => { db1 => undef });
	return;
}

1;
