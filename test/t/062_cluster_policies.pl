# What the catalog holds for every node of a cluster: two policies, and blocked
# certificates.
#
# 1. the minimum: on the primary and on the standby, in addition to the setting
# 2. the default: instead of the setting
# 3. blocked certificates
# 4. in transactions; two at once
# 5. who may; with SECURITY LABEL
# 6. what shows them
# 7. the first login after a start, and after VACUUM of a nailed catalog
# 8. labels that cannot be read
# 9. dumps
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Server;

my $primary = SSLPolicy::Server->new('primary', init => { allows_streaming => 1 },
	conf => "sslpolicy.recheck_policy = terminate\nmax_prepared_transactions = 2\n");
my ($certs, $node) = ($primary->certs, $primary->node);
my $dir = $certs->{dir};
my $root = $certs->get('root');
my $int = $certs->intermediate('int', issuer => $root, subject => '/CN=Test Intermediate');
$certs->client($_, issuer => $root, subject => "/CN=$_") for qw(app bob);
$certs->client('app_int', issuer => $int, subject => '/CN=app');
$primary->start;
$primary->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE boss LOGIN; CREATE ROLE "Some Owner" LOGIN');
my $standby = $primary->standby('standby');
$standby->start;
my @both = ([ primary => $primary ], [ standby => $standby ]);

sub replay { $primary->node->wait_for_catchup($standby->node, 'replay'); return }

# SQL on the primary, and wait for the standby
sub change { my $result = $primary->sql($_[0]); replay(); return $result }

# SQL that must fail: its SQLSTATE and text
sub failure
{
	my ($sql, $server) = @_;
	my ($rc, undef, $err) = ($server // $primary)->node->psql('postgres', "\\set VERBOSITY verbose\n$sql", on_error_stop => 1);
	return $rc == 0 ? 'no error' : $err;
}

# the outcome of a login on each of the two nodes
sub both_say
{
	my ($expected, $name, %opt) = @_;
	for (@both)
	{
		my ($which, $server) = @$_;
		my $login = $server->login(sslmode => 'require', %opt);
		my ($message) = $login->{err} =~ /FATAL:  (.*)/;
		is($login->{ok} ? 'in' : $message, $expected, "$name: $which");
	}
	return;
}
my $refused = 'connection of role "app" does not meet its TLS policy: ';
my %plain = (sslmode => 'disable');

###############################################################################
# 1

my %offset = map { $_->[0] => $_->[1]->log_offset } @both;
change(q{SELECT sslpolicy.set_minimum_policy('sslmode=require')});
both_say("${refused}TLS is not in use", 'minimum', %plain);
both_say('in', 'minimum, met');
like($_->[1]->log_since($offset{ $_->[0] }), qr/required: sslmode=require \(policy of cluster minimum_policy, rule 1\)/, "minimum: the log says whose: $_->[0]") for @both;
like($primary->log_since($offset{primary}), qr/LOG:  cluster minimum_policy changed by .*: was none, is \[sslmode=require\]\n/, 'the change is logged');
$_->[1]->set('sslpolicy.minimum_policy' => 'sslmode=verify-ca') for @both;
both_say("${refused}no client certificate", 'the setting holds as well');
both_say('in', 'both are met', cert => 'bob');
change(q{SELECT sslpolicy.set_minimum_policy('min_protocol=TLSv1.3')});
both_say("${refused}TLS version too old", 'and the minimum', cert => 'bob', extra => 'ssl_max_protocol_version=TLSv1.2');
$_->[1]->set('sslpolicy.minimum_policy' => undef) for @both;
change('SELECT sslpolicy.set_minimum_policy(NULL)');
both_say('in', 'without one', %plain);
is($primary->sql(q{SELECT count(*) FROM pg_shseclabel WHERE provider LIKE 'sslpolicy\_%'}), 0, 'no label is left');
like(failure(q{SELECT sslpolicy.set_minimum_policy('sslmode=requre')}), qr/ERROR:  22023: invalid TLS policy/, 'no policy');
like(failure(q{SELECT sslpolicy.set_minimum_policy('cn=app')}), qr/ERROR:  22023: /, 'the minimum gives no names');
like(failure($_, $standby), qr/ERROR:  25006: /, "not on a standby: $_")
  for q{SELECT sslpolicy.set_minimum_policy('sslmode=require')}, q{SELECT sslpolicy.set_default_policy('sslmode=require')}, q{SELECT sslpolicy.block_certificate('abc')}, q{SELECT sslpolicy.unblock_certificate('abc')};

# whom it would refuse
my $session = $primary->background(%plain);
my $pid = $session->query_safe('SELECT pg_backend_pid()');
my $error = failure(q{SELECT sslpolicy.set_minimum_policy('sslmode=require')});
like($error, qr/ERROR:  28000: the policy would refuse live sessions or recent logins\n.*DETAIL: .*session $pid of role "app" from 127\.0\.0\.1 \(sslmode=require/, 'a live session is in the way, and named');
like($error, qr/HINT:  sslpolicy\.preview_minimum_policy\(\) shows all of them\. Pass force => true/, 'the hint');
is($primary->sql(qq{SELECT verdict, reasons FROM sslpolicy.preview_minimum_policy('sslmode=require') WHERE pid = $pid}),
	'refused|{"sslmode=require (policy of cluster minimum_policy, rule 1)"}', 'the preview names it');
change(q{SELECT sslpolicy.set_minimum_policy('sslmode=require', force => true)});
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'by force it is set, and the session is ended');
eval { $session->quit };
change('SELECT sslpolicy.set_minimum_policy(NULL)');

###############################################################################
# 2

$_->[1]->set('sslpolicy.default_policy' => 'sslmode=verify-full') for @both;
change(q{SELECT sslpolicy.set_default_policy('cn=bob', force => true)});
both_say('in', 'default: goes before the setting', cert => 'bob');
both_say("${refused}the certificate does not name the role", 'default', cert => 'app');
change(q{SELECT sslpolicy.set_policy('app', 'sslmode=require')});
both_say('in', 'default: not for a role with a policy of its own');
change(q{SELECT sslpolicy.set_policy('app', NULL)});
$session = $primary->background(cert => 'bob', sslmode => 'require');
$pid = $session->query_safe('SELECT pg_backend_pid()');
is($primary->sql("SELECT verdict FROM sslpolicy.preview_default_policy(NULL) WHERE pid = $pid"), 'refused', 'without the default comes the setting: the preview knows');
like(failure('SELECT sslpolicy.set_default_policy(NULL)'), qr/ERROR:  28000: the policy would refuse/, 'and a live session is in the way');
eval { $session->quit };
change('SELECT sslpolicy.set_default_policy(NULL, force => true)');
is(failure('SELECT sslpolicy.set_default_policy(NULL)'), 'no error', 'to remove what is not there refuses nobody');
both_say('in', 'the setting again', cert => 'app');
both_say("${refused}the certificate does not name the role", 'and no other', cert => 'bob');
$_->[1]->set('sslpolicy.default_policy' => undef) for @both;

###############################################################################
# 3

my %print = map { $_ => $certs->get($_)->{fingerprint} } qw(app bob int);
my %live;
for (@both)
{
	my ($which, $server) = @$_;
	$live{$which} = $server->background(cert => 'app', sslmode => 'require');
	$live{"$which pid"} = $live{$which}->query_safe('SELECT pg_backend_pid()');
}
change("SELECT sslpolicy.block_certificate('$print{app}')");
both_say('client certificate of role "app" is blocked on every node', 'blocked', cert => 'app');
both_say('in', 'another is not', cert => 'bob');
for (@both)
{
	my ($which, $server) = @$_;
	ok($server->node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM sslpolicy.ended_sessions WHERE pid = $live{"$which pid"} AND reasons = '{client certificate is blocked on every node}'}), "a live session is ended: $which");
	eval { $live{$which}->quit };
}
$_->[1]->set('sslpolicy.enforcement' => 'off') for @both;
both_say('client certificate of role "app" is blocked on every node', 'without enforcement', cert => 'app');
$_->[1]->set('sslpolicy.enforcement' => undef) for @both;
like(failure("SELECT sslpolicy.block_certificate('$print{app}')") , qr/no error/, 'twice is no error');
is($primary->sql(q{SELECT label FROM pg_shseclabel WHERE provider = 'sslpolicy_blocked'}), $print{app}, 'and writes nothing');
change("SELECT sslpolicy.block_certificate('" . join(':', unpack('(A2)*', uc $print{int})) . "')");
both_say('client certificate of role "app" was verified by a CA that is blocked on every node', 'a CA', cert => 'app_int');
change("SELECT sslpolicy.unblock_certificate('$print{app}')");
both_say('in', 'unblocked', cert => 'app');
change("SELECT sslpolicy.unblock_certificate('$print{int}')");
is($primary->sql(q{SELECT count(*) FROM pg_shseclabel WHERE provider = 'sslpolicy_blocked'}), 0, 'an empty list is no label');
like(failure("SELECT sslpolicy.block_certificate('abc')"), qr/ERROR:  22023: "abc" is not a SHA-256 fingerprint/, 'no fingerprint');
like(failure('SELECT sslpolicy.block_certificate(NULL)'), qr/ERROR:  22004: /, 'NULL');
change("SELECT sslpolicy.block_certificate(lpad('$_', 64, '0'))") for 1 .. 27;
like(failure("SELECT sslpolicy.block_certificate('$print{app}')"), qr/ERROR:  54000: too many blocked certificates/, 'the list is full');
both_say('in', 'nobody else is blocked', cert => 'app');
change('SECURITY LABEL FOR sslpolicy_blocked ON ROLE ' . $primary->sql('SELECT quote_ident(rolname) FROM pg_authid WHERE oid = 10') . ' IS NULL');

# one's own
$primary->sql('ALTER ROLE app SUPERUSER');
my $own = $primary->login(cert => 'app', sslmode => 'require', sql => "SELECT sslpolicy.block_certificate('$print{app}')");
like($own->{err}, qr/this would block the certificate of your own connection/, 'not the certificate of the caller');
ok($primary->login(cert => 'app', sslmode => 'require', sql => "SELECT sslpolicy.block_certificate('$print{app}', force => true)")->{ok}, 'but by force');
like($primary->login(cert => 'app', sslmode => 'require')->{err}, qr/is blocked on every node/, 'and superusers are blocked, too');
$primary->sql("SELECT sslpolicy.unblock_certificate('$print{app}')");
$primary->sql('ALTER ROLE app NOSUPERUSER');

###############################################################################
# 4

$primary->sql(q{BEGIN; SELECT sslpolicy.set_minimum_policy('sslmode=reject', true); ROLLBACK});
replay();
both_say('in', 'rolled back', %plain);
$primary->sql(qq{BEGIN; SELECT sslpolicy.block_certificate('$print{app}'); PREPARE TRANSACTION 'p'});
replay();
both_say('in', 'prepared', cert => 'app');
change(q{COMMIT PREPARED 'p'});
both_say('client certificate of role "app" is blocked on every node', 'and committed', cert => 'app');

my $first = $node->background_psql('postgres');
$first->query_safe("BEGIN; SELECT sslpolicy.block_certificate('$print{bob}')");
my $second = $node->background_psql('postgres');
$second->query_until(qr/waiting/, "\\echo waiting\nSELECT sslpolicy.block_certificate('$print{int}');\n\\echo over\n");
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%block_certificate%'}), 'the second waits for the first');
$first->query_safe('COMMIT');
$second->query_until(qr/over/, '');
$_->quit for $first, $second;
is($primary->sql(q{SELECT string_agg(print, ',' ORDER BY print COLLATE "C") FROM pg_shseclabel, string_to_table(label, ',') print WHERE provider = 'sslpolicy_blocked'}), join(',', sort @print{qw(app bob int)}), 'and both are blocked');
$primary->sql("SELECT sslpolicy.unblock_certificate('$_')") for values %print;

$primary->sql(q{SELECT sslpolicy.set_minimum_policy('sslmode=prefer')});
$first = $node->background_psql('postgres');
$first->query_safe('BEGIN; SELECT sslpolicy.set_minimum_policy(NULL)');
$second = $node->background_psql('postgres');
$second->query_until(qr/waiting/, "\\echo waiting\nSELECT sslpolicy.set_minimum_policy('sslmode=prefer', true);\n\\echo over\n");
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%set_minimum_policy%'}), 'who sets what is there waits for who removes it');
$first->query_safe('COMMIT');
$second->query_until(qr/over/, '');
$_->quit for $first, $second;
is($primary->sql(q{SELECT label FROM pg_shseclabel WHERE provider = 'sslpolicy_minimum'}), 'sslmode=prefer', 'and then it is there');
$primary->sql('SELECT sslpolicy.set_minimum_policy(NULL)');

###############################################################################
# 5

my @calls = (q{set_minimum_policy(NULL)}, q{set_default_policy(NULL)}, "block_certificate('$print{int}')", "unblock_certificate('$print{int}')");
like($primary->login(user => 'boss', sslmode => 'require', sql => "SELECT sslpolicy.$_")->{err}, qr/permission denied for function/, "not everybody: $_") for @calls;
$primary->sql('GRANT EXECUTE ON FUNCTION sslpolicy.set_minimum_policy, sslpolicy.set_default_policy, sslpolicy.block_certificate, sslpolicy.unblock_certificate TO boss');
ok($primary->login(user => 'boss', sslmode => 'require', sql => "SELECT sslpolicy.$_")->{ok}, "a grantee may: $_") for @calls;
ok($primary->login(user => 'boss', sslmode => 'require', sql => q{SELECT sslpolicy.set_minimum_policy('sslmode=require', true)})->{ok}, 'a DBA sets the minimum');
like($primary->login(user => 'boss', sslmode => 'require', sql => "SELECT sslpolicy.set_default_policy('$_', true)")->{err}, qr/must be superuser to set a default policy with names/, "but no names by default: $_")
  for 'cn=boss', 'sslmode=reject action=log; address=10.0.0.0/8 san=dns:x; sslmode=require';
my $owner = $primary->sql('SELECT quote_ident(rolname) FROM pg_authid WHERE oid = 10');
like($primary->login(user => 'boss', sslmode => 'require', sql => "SECURITY LABEL FOR sslpolicy_minimum ON ROLE $owner IS NULL")->{err}, qr/must be (?:superuser|owner)|permission denied/, 'but not by the statement');
for my $provider (qw(sslpolicy_minimum sslpolicy_default sslpolicy_blocked))
{
	like(failure("SECURITY LABEL FOR $provider ON ROLE app IS NULL"), qr/ERROR:  42809: labels of provider "$provider" can be set only on the bootstrap superuser/, "$provider: on no other role");
	like(failure("SECURITY LABEL FOR $provider ON DATABASE postgres IS NULL"), qr/ERROR:  42809: /, "$provider: on no database");
	like(failure("SECURITY LABEL FOR $provider ON ROLE $owner IS 'nonsense'"), qr/ERROR:  22023: /, "$provider: no nonsense");
}

###############################################################################
# 6

is($primary->sql(q{SELECT object_type, object_name, rule, policy FROM sslpolicy.policies}), 'cluster|cluster minimum_policy|1|sslmode=require', 'policies');
is($primary->sql(q{SELECT object_type, object_name, error IS NULL FROM sslpolicy.check_all()}), 'cluster|cluster minimum_policy|t', 'check_all()');
is($primary->sql(q{SELECT source, required FROM sslpolicy.effective_policy('app')}), 'cluster minimum_policy|sslmode=require', 'effective_policy()');
is($primary->sql(q{SELECT source, ok FROM sslpolicy.explain('app', ssl => false) WHERE requirement = 'sslmode'}), 'cluster minimum_policy|f', 'explain()');
is($primary->sql(q{SELECT value FROM sslpolicy.client_settings('app') WHERE setting = 'policy_sslmode'}), 'require', 'client_settings()');
$primary->sql(qq{SELECT sslpolicy.block_certificate('$print{app}')});
is($primary->sql(qq{SELECT source, actual, ok FROM sslpolicy.explain('app', certificate => pg_read_file('$dir/app.crt')) WHERE requirement = 'fingerprint'}), 'blocked certificates|client certificate is blocked on every node|f', 'explain() of a blocked certificate');
is($primary->sql(qq{SELECT error FROM sslpolicy.verify_certificate(pg_read_file('$dir/app.crt'))}), 'it is blocked on every node', 'verify_certificate()');

###############################################################################
# 7

for (@both)
{
	my ($which, $server) = @$_;
	$server->restart;
	like($server->login(%plain)->{err}, qr/TLS is not in use/, "after a start: $which");
}
$primary->restart;
like($primary->login(cert => 'app', sslmode => 'require')->{err}, qr/is blocked on every node/, 'the first login after a start');
$primary->sql('VACUUM pg_class');
like($primary->login(cert => 'app', sslmode => 'require')->{err}, qr/is blocked on every node/, 'after VACUUM of a nailed catalog');

###############################################################################
# 8

my $where = q{WHERE objoid = 10 AND provider =};
$primary->sql("UPDATE pg_shseclabel SET label = 'nonsense' $where 'sslpolicy_blocked'");
like($primary->login(cert => 'bob', user => 'bob', sslmode => 'require')->{err}, qr/FATAL:  client certificate of role "bob" may be one that is blocked on every node, and the list of those cannot be read/, 'a list that cannot be read blocks every certificate');
ok($primary->login(sslmode => 'require')->{ok}, 'and nobody without one');
like(failure("SELECT sslpolicy.block_certificate('$print{bob}')"), qr/ERROR:  XX001: .*HINT:  Ask a superuser to set it again: SECURITY LABEL FOR sslpolicy_blocked ON ROLE /s, 'it is not changed');
$primary->sql("SECURITY LABEL FOR sslpolicy_blocked ON ROLE $owner IS NULL");
my $long = q{(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) i)};
$primary->sql(qq{SELECT sslpolicy.block_certificate('$print{app}'); UPDATE pg_shseclabel SET label = $long $where 'sslpolicy_blocked'});
like($primary->login(cert => 'bob', user => 'bob', sslmode => 'require')->{err}, qr/the list of those cannot be read/, 'nor one that is not stored in the row');
is($primary->sql('SELECT count(*) >= 0 FROM sslpolicy.recheck(dry_run => true)'), 't', 'nor does it stop a recheck');
$primary->sql("SECURITY LABEL FOR sslpolicy_blocked ON ROLE $owner IS NULL");
$primary->sql("UPDATE pg_shseclabel SET label = 'nonsense' $where 'sslpolicy_minimum'");
like($primary->login(sslmode => 'require')->{err}, qr/the policy cannot be read/, 'a minimum that cannot be read refuses everybody');
$primary->sql("SECURITY LABEL FOR sslpolicy_minimum ON ROLE $owner IS 'sslmode=require'");
ok($primary->login(sslmode => 'require')->{ok}, 'until it is set again');

###############################################################################
# 9

my ($dump) = run_command([ 'pg_dumpall', '-g', '-d', $node->connstr('postgres') ]);
like($dump, qr/^SECURITY LABEL FOR (?:'sslpolicy_minimum'|sslpolicy_minimum) ON ROLE .* IS 'sslmode=require';$/m, 'pg_dumpall -g has the label');

$standby->stop;
$primary->stop;
done_testing();
