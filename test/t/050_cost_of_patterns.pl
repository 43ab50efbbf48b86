# Regular expressions in policies: what they may cost, and whom they hold up.
#
# 1. one that costs too much is refused wherever a policy is written, in any key, by an
#    error that names its cost and the limit; ordinary ones are accepted everywhere
# 2. at the limit: a pattern, and the patterns of a policy together
# 3. a stored one beyond the limit denies, and says so; others are not concerned
# 4. the configuration file: at start, at reload
# 5. the worker: who is blocked or revoked is ended, and lists are read, before policies
#    are judged; judging goes on until everybody has had a turn
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('patterns');
my ($certs, $node) = ($server->certs, $server->node);
my $dir = $certs->{dir};
$certs->client('app', issuer => 'root', subject => '/CN=app');
$certs->client('many', issuer => 'root', subject => '/CN=app', san => [ map { "dns:host-$_.example.com" } 1 .. 400 ]);
$certs->client($_, issuer => 'root', subject => "/CN=$_") for qw(bob eve);
write_file("$dir/crl.pem", make_crl($certs, 'root', 1));
$server->start;
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE eve LOGIN; CREATE ROLE plain LOGIN');

# a value of the language, with what its quotes need
sub quoted { return "'" . ($_[0] =~ s/(['\\])/\\$1/gr) . "'" }

sub psql_error
{
	my ($sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql);
	return $status == 0 ? "accepted: $out" : $err;
}

# where a policy with names can be written; each gives the statement
my %places = (
	'check_policy()' => sub { 'SELECT sslpolicy.check_policy(' . $server->literal($_[0]) . ')' },
	'set_policy()' => sub { "SELECT sslpolicy.set_policy('app', " . $server->literal($_[0]) . ', force => true)' },
	'SECURITY LABEL' => sub { 'SECURITY LABEL FOR sslpolicy ON ROLE app IS ' . $server->literal($_[0]) },
	'preview_role_policy()' => sub { "SELECT * FROM sslpolicy.preview_role_policy('app', " . $server->literal($_[0]) . ')' },
	'preview_default_policy()' => sub { 'SELECT * FROM sslpolicy.preview_default_policy(' . $server->literal($_[0]) . ')' },
	'default_policy' => sub { 'ALTER SYSTEM SET sslpolicy.default_policy = ' . $server->literal($_[0]) });

###############################################################################
# 1. Too much, and ordinary

# pattern, and what it costs
my @costly = (
	[ '/^((.{0,9}){0,20}){0,20}$' => qr/\d{7}/ ],
	[ '/^(.{0,60}){0,60}[0-9]{9}$' => 435747 ],
	[ '/^(a{1,200}){1,200}$' => qr/\d{6}/ ],
	[ '/^(a{255}){255}$' => 195585 ],
	[ '/^(((a{255}){255}){255}){255}$' => 1000000000 ],
	[ '/^(a?){200}$' => qr/\d{5}/ ],
	[ '/^(|a|b){100}$' => qr/\d{6}/ ],
	[ '/^(){255}(){255}$' => qr/\d{6}/ ],
	[ '/^((.{0,60}){0,60}){0}a$' => qr/\d{5}/ ],
	[ '/^(?=(.{0,60}){0,60})a$' => qr/\d{6}/ ],
	[ '/^(?!(a{255}){255}).*$' => qr/\d{6}/ ],
	[ '/^(\w|h{1,255}xu%u)+$' => qr/\d{5}/ ],
	[ '/^(%u){20}$' => qr/\d{5}/ ],
	[ '/^[^%u]{0,200}$' => qr/\d{5}/ ],
	[ '/^\y\y\y\yapp$' => 6049 ]);

my @ordinary = (
	'/^app-[0-9]{1,4}\.prod\.example$', '/^(alice|bob|carol)@(corp|dev)\.example$', '/^spiffe://bank/(db|web)/%u$',
	'/^[a-z0-9-]{1,63}\.prod\.example$', '/^([a-z0-9-]{1,63}\.)+example$', '/^[^/]{1,63}/%u$', '/^.{0,255}$', '/^.*\mprod\M.*$',
	'/^(?!admin)[a-z]{1,32}$', '/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$', '/^CN=[^,]{1,64},OU=(Ops|Dev),O=Acme$',
	'/^a|b$', '/^(^a|b$)$', '/^[[:alnum:]_.-]+$', '/^\w+@\w+\.\w{2,3}$', '/^.*?x*?$', '/^\*%%$');

for my $place (sort keys %places)
{
	my $statement = $places{$place};
	my @wrong;
	for (@costly)
	{
		my ($pattern, $cost) = @$_;
		for my $key ('cn=', 'dn=', 'san=dns:', 'san=uri:')
		{
			my ($name, $type) = $key =~ /(.*=)(.*)/;
			my $err = psql_error($statement->($name . quoted($type . $pattern)));
			my $key_name = $name =~ s/=//r;
			push @wrong, "$key$pattern: $err"
			  unless $err =~ /ERROR:  (?:invalid TLS policy|invalid value for parameter "sslpolicy.default_policy"): regular expression "\Q$pattern\E" has a cost of $cost, more than the limit of 6000\nDETAIL:  At character \d+, key "$key_name"\.\nHINT:  Repetitions are written out/;
			# dns: is matched without case, which costs as much
			last if $place ne 'check_policy()';
		}
	}
	is(join("\n", @wrong), '', "$place: too costly patterns are refused");

	@wrong = grep { $_ !~ /^accepted: / } map { psql_error($statement->('cn=' . quoted($_))) } @ordinary;
	is(join("\n", @wrong), '', "$place: ordinary ones are accepted");
}
$server->sql('ALTER SYSTEM RESET sslpolicy.default_policy; SECURITY LABEL FOR sslpolicy ON ROLE app IS NULL');

# what must have no names has no patterns
for my $statement ("ALTER SYSTEM SET sslpolicy.minimum_policy = 'cn=/^a\$'", "SECURITY LABEL FOR sslpolicy ON DATABASE postgres IS 'cn=/^a\$'",
	"SELECT * FROM sslpolicy.preview_database_policy('postgres', 'cn=/^a\$')")
{
	like(psql_error($statement), qr/key "cn" is not accepted/, "no patterns: $statement");
}

# what the reader takes, PostgreSQL compiles: set_policy() asks both
my @not_read = ('/^(?#a)b$', '/^\x41$', '/^[\x01-\x7fff]$', '/^(a)\1$', '/^(^a)*$', '/^a{%u}$');
is(join("\n", grep { !/invalid regular expression/ } map { psql_error('SELECT sslpolicy.check_policy(' . $server->literal('cn=' . quoted($_)) . ')') } @not_read),
	'', 'what nobody knows the cost of is refused');
like(psql_error($places{'default_policy'}->('cn=' . quoted('/^a(b$'))), qr/parentheses \(\) not balanced/, 'a setting with an invalid pattern is refused, though it is not compiled');

###############################################################################
# 2. At the limit

my $at_limit = '/^' . 'a{200}' x 10 . '$';
my $check = $places{'check_policy()'};
like(psql_error($check->("cn=$at_limit")), qr/^accepted/, 'a pattern of cost 6000');
like(psql_error($check->('cn=' . $at_limit =~ s/\$/a\$/r)), qr/has a cost of 6003, more than the limit of 6000/, 'and one of 6003');
like(psql_error($check->(join ' ', ("cn=$at_limit") x 5)), qr/^accepted/, 'patterns of 30000 in a policy');
like(psql_error($check->(join ' ', ("cn=$at_limit") x 5, 'cn=/^b$')),
	qr/regular expressions of the policy have a cost of 30003, more than the limit of 30000\nDETAIL:  At character \d+, key "cn"\.\nHINT:  Write fewer or simpler ones/,
	'and of 30003');
like(psql_error($check->(join '; ', map { "address=10.0.0.$_ cn=$at_limit" } 1 .. 6) =~ s/'\)$/; sslmode=reject')/r), qr/have a cost of 36000/, 'in whichever rules they are');

###############################################################################
# 3. Stored ones

$server->label(role => { app => 'sslmode=require', bob => 'sslmode=require' });
$server->sql(q{UPDATE pg_shseclabel SET label = $$cn='/^(.{0,60}){0,60}$' cn=app$$ WHERE objoid = 'app'::regrole});
my $offset = $server->log_offset;
ok(!$server->login(sslmode => 'require', cert => 'app')->{ok}, 'a stored pattern beyond the limit denies');
like($server->log_since($offset), qr/a policy that can be read: regular expression "\/\^\(\.\{0,60\}\)\{0,60\}\$" has a cost of 435484, more than the limit of 6000/, 'the log says why');
ok($server->login(user => 'bob', sslmode => 'require')->{ok}, 'others come in');
is($server->sql(q{SELECT severity, object FROM sslpolicy.lint() WHERE code = 'policy_unreadable'}), 'error|role "app"', 'lint finds it');
$server->sql('CREATE ROLE grp NOLOGIN; GRANT grp TO bob');
$server->label(role => { grp => 'sslmode=require' });
$server->sql(q{UPDATE pg_shseclabel SET label = (SELECT string_agg('cn=/^' || repeat('a{200}', 10) || '$', ' ') || ' cn=bob' FROM generate_series(1, 6)) WHERE objoid = 'grp'::regrole});
ok(!$server->login(user => 'bob', sslmode => 'require', cert => 'bob')->{ok}, 'so do patterns of a policy that are too much together');
$server->label(role => { app => undef, bob => undef, grp => undef });

# How much is compared for a session is bounded, over all its policies: 400 names of about
# 20 bytes by five patterns at the limit, but not by ten
$server->sql('CREATE ROLE heavy LOGIN; CREATE ROLE h1 NOLOGIN; CREATE ROLE h2 NOLOGIN; GRANT h1, h2 TO heavy');
my $too_long = qr/; not compared with all regular expressions, which would take too long/;
for my $groups ([ 'h1' ], [ 'h1', 'h2' ])
{
	$server->label(role => { map { ($_ => join ' ', ("san=dns:$at_limit") x 5) } @$groups });
	$offset = $server->log_offset;
	ok(!$server->login(user => 'heavy', sslmode => 'require', cert => 'many')->{ok}, 'no name matches: ' . join ' and ', @$groups);
	my $why = $server->log_since($offset);
	@$groups == 1 ? unlike($why, $too_long, 'all patterns are tried') : like($why, $too_long, 'the log says that not all patterns were tried');
}
ok(!$server->login(user => 'heavy', sslmode => 'require', cert => 'bob')->{ok}, 'a certificate with one name');
$server->label(role => { h2 => join ' ', "san='dns:host-7.example.com'", ("san=dns:$at_limit") x 4 });
ok(!$server->login(user => 'heavy', sslmode => 'require', cert => 'many')->{ok}, 'each group asks for a name');
$server->label(role => { h1 => undef });
ok($server->login(user => 'heavy', sslmode => 'require', cert => 'many')->{ok}, 'a plain name is always compared');
$server->label(role => { h2 => undef });

# pg_upgrade takes over what was accepted once
my @pg_ctl = ('pg_ctl', '-w', '-D', $node->data_dir, '-l', $node->logfile);
$server->stop;
system_or_bail(@pg_ctl, '-o', '-b', 'start');
$server->label(role => { app => q{cn='/^(.{0,60}){0,60}$' cn=app} });
system_or_bail(@pg_ctl, '-m', 'fast', 'stop');
$server->start;
ok(!$server->login(sslmode => 'require', cert => 'app')->{ok}, 'binary upgrade: a label with a costly pattern is kept, and denies');
$server->label(role => { app => undef });

###############################################################################
# 4. The configuration file

my $conf = slurp_file($node->data_dir . '/postgresql.conf');
sub default_policy_in_file
{
	my ($policy) = @_;
	write_file($node->data_dir . '/postgresql.conf', $conf . (defined $policy ? "sslpolicy.default_policy = '" . ($policy =~ s/(['\\])/$1$1/gr) . "'\n" : ''));
	return;
}
default_policy_in_file('sslmode=require');
$server->sql('SELECT pg_reload_conf()');
$node->poll_query_until('postgres', "SELECT current_setting('sslpolicy.default_policy') = 'sslmode=require'") or die 'not loaded';
$offset = $server->log_offset;
default_policy_in_file('cn=' . quoted('/^((.{0,9}){0,20}){0,20}$'));
$server->sql('SELECT pg_reload_conf()');
$server->wait_for_log(qr/LOG:  invalid value for parameter "sslpolicy.default_policy": regular expression .* has a cost of \d{7}, more than the limit of 6000/, $offset);
is($server->login(user => 'plain', sslmode => 'disable')->{failed}, 'sslmode', 'reload: the old value stays in force');
$server->stop;
$offset = $server->log_offset;
ok(!$node->start(fail_ok => 1), 'start: it ends the start');
like($server->log_since($offset), qr/FATAL:  invalid value for parameter "sslpolicy.default_policy": regular expression .* has a cost of \d{7}/, 'start: the log says why');
default_policy_in_file(undef);
$server->start;

###############################################################################
# 5. The worker

# Thirty groups, whose patterns take some tenths of a second for each session
my $slow = '/^(?:([02468]{8,255}[a-z0-9-]{3,5}r)+)+.?e{0,255}$';
$server->sql(join ';', map { "CREATE ROLE slow$_ NOLOGIN; GRANT slow$_ TO app" } 1 .. 30);
$server->label(role => { map { ("slow$_" => join ' ', ('cn=' . quoted($slow)) x 5, 'cn=app') } 1 .. 30 });
$server->set('sslpolicy.crl_file' => "$dir/crl.pem", 'sslpolicy.recheck_policy' => 'log');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM sslpolicy.crls WHERE error IS NULL'), 'the list is read');

my @held = map { $server->background(sslmode => 'require', cert => 'many') } 1 .. 6;
my %live = map { $_ => $server->background(user => $_, sslmode => 'require', cert => $_) } qw(bob eve);
my %pid = map { my $pid = $live{$_}->query_safe('SELECT pg_backend_pid()'); chomp $pid; ($_ => $pid) } keys %live;
# with all of what was written for sessions of app by then
sub lines_since
{
	my ($offset) = @_;
	return $server->log_since($offset) =~ /session of role "(\w+)" \(PID \d+\) (?:would be )?ended/g;
}
sub lines_of_all
{
	my ($offset) = @_;
	for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
	{
		my @lines = lines_since($offset);
		return @lines if grep({ $_ eq 'app' } @lines) >= @held;
		select undef, undef, undef, 0.1;
	}
	return lines_since($offset);
}
sub is_ended { my ($name) = @_; return $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid{$name}") }
is($server->sql("SELECT count(*) FROM sslpolicy.sessions WHERE usename = 'app' AND compliant"), 6, 'sessions with slow policies are there');

# in one pass: blocked, and what the policies refuse
$offset = $server->log_offset;
$server->sql(join ";\n", "ALTER SYSTEM SET sslpolicy.blocked_fingerprints = '" . $certs->get('bob')->{fingerprint} . "'",
	q{ALTER SYSTEM SET sslpolicy.minimum_policy = 'sslmode=verify-ca max_lifetime=1h'}, 'SELECT pg_reload_conf()');
ok(is_ended('bob'), 'a blocked session is ended');
my @lines = lines_of_all($offset);
is($lines[0], 'bob', 'before those that come before it are judged');
is(scalar(grep { $_ eq 'app' } @lines), 6, 'and judging goes on until all have had their turn, once');
$server->set('sslpolicy.minimum_policy' => undef);
ok($node->poll_query_until('postgres', "SELECT count(*) = 6 FROM sslpolicy.sessions WHERE usename = 'app' AND compliant"), 'back again: all are judged anew');

# while judging is under way: a list comes, and is read
$offset = $server->log_offset;
$server->label(role => { app => 'sslmode=verify-ca max_lifetime=1h' });
$server->wait_for_log(qr/session of role "app" .* would be ended/, $offset);
my $seen = lines_since($offset);
cmp_ok($seen, '<', 6, "judging has a budget ($seen judged)");
my $crl = make_crl($certs, 'root', 2, revoked => ['eve']);
is($server->sql('SELECT installed FROM sslpolicy.install_crl($$' . $crl . '$$::text)'), 't', 'a list is installed');
ok(is_ended('eve'), 'and the revoked session is ended');
@lines = lines_of_all($offset);
isnt($lines[-1], 'eve', 'before all policies are judged') or diag("@lines");
is(scalar(grep { $_ eq 'app' } @lines), 6, 'which goes on');

# changes that come all the time keep nobody from being judged
$server->set('sslpolicy.recheck_policy' => 'terminate', 'sslpolicy.terminate_grace' => 0);
my $gone = 0;
for my $i (1 .. 200)
{
	$server->sql("ALTER ROLE plain CONNECTION LIMIT $i");
	last if $gone = $server->sql("SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'app'") eq 't';
}
ok($gone, 'while something changes all the time all are ended');
eval { $_->quit } for @held, values %live;
done_testing();
