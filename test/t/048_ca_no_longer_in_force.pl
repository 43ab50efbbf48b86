# A live session whose certificate goes back to a CA that the server trusts no more
# does not meet verify-ca any more.
#
# 1. the CA is removed: recheck_policy = log and terminate; explain_session(),
#    recheck(), previews and notes say why; it comes back
# 2. who stays: a renewed CA, a removed intermediate, a role that needs no certificate,
#    a CA that ssl_crl_file or ssl_crl_dir has
# 3. nobody is judged by what the server has not loaded: files that are being written,
#    a load that fails, no CA at all
# 4. a large certificate; a worker that is started anew; replication
# 5. what was read of a CA when the server loaded it is used for that one alone
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('anchors', init => { allows_streaming => 1 }, conf => "restart_after_crash = on\n");
my ($certs, $node) = ($server->certs, $server->node);
my $dir = $certs->{dir};
$certs->ca('old', subject => '/CN=Old CA');
$certs->intermediate('sub', issuer => 'old', subject => '/CN=Sub CA');
$certs->client('app', issuer => 'old', subject => '/CN=app');
$certs->client('app_sub', issuer => 'sub', subject => '/CN=app');
$certs->client('other', issuer => 'root', subject => '/CN=other');
$certs->client('large', issuer => 'old', subject => '/CN=app', san => [ map { "dns:host-$_.example.com" } 1 .. 400 ]);
$certs->ca('renewed', subject => '/CN=Old CA', key_name => 'old');
$certs->ca('namesake', subject => '/CN=Old CA');

my $cas = "$dir/cas.crt";
sub pems { return join '', map { slurp_file("$dir/$_.crt") } @_ }
sub cas_are { write_file($cas, pems(@_)); return }
cas_are('root', 'old');
$node->append_conf('postgresql.conf', "ssl_ca_file = '$cas'\n");
$server->start;
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN REPLICATION; CREATE ROLE other LOGIN; CREATE ROLE plain LOGIN; CREATE ROLE witness LOGIN});
$server->label(role => { app => 'sslmode=verify-ca', other => 'sslmode=verify-ca', witness => 'sslmode=prefer' });

# by the function, and by the signal alone
my %reloads = (
	'sslpolicy.reload()' => sub { return $server->sql(q{SELECT coalesce(error, 'ok') FROM sslpolicy.reload(force => true)}) },
	'pg_reload_conf()' => sub {
		my $offset = $server->log_offset;
		my $before = $server->sql('SELECT max(generation) FROM sslpolicy.material_status') || 0;
		$server->sql('SELECT pg_reload_conf()');
		$node->poll_query_until('postgres', "SELECT max(generation) > $before FROM sslpolicy.material_status") or die 'not loaded';
		return 'ok';
	});

# sessions that are live, by their names
my %live;
sub session
{
	my ($name, %opt) = @_;
	my $session = $server->background(sslmode => 'require', cert => 'app', %opt);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	chomp $pid;
	$live{$name} = [ $session, $pid ];
	return $pid;
}
sub is_live { return $server->sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $live{$_[0]}[1]") }
sub is_ended { return $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $live{$_[0]}[1]") }
sub compliant { return $server->sql("SELECT coalesce(compliant::text, 'unknown') FROM sslpolicy.sessions WHERE pid = $live{$_[0]}[1]") }
sub becomes { my ($name, $value) = @_; return $node->poll_query_until('postgres', "SELECT compliant IS NOT DISTINCT FROM $value FROM sslpolicy.sessions WHERE pid = $live{$name}[1]") }
sub leave { for (@_) { my $session = delete $live{$_}; eval { $session->[0]->quit } } return }

# The worker has looked at all sessions since: at one that does not comply any more it
# says so.
sub worker_has_looked
{
	my $witness = $server->background(sslmode => 'disable', user => 'witness');
	my $pid = $witness->query_safe('SELECT pg_backend_pid()');
	chomp $pid;
	my $offset = $server->log_offset;
	$server->label(role => { witness => 'sslmode=reject' });
	$server->wait_for_log(qr/session of role "witness" \(PID $pid\) (?:would be )?ended/, $offset);
	$server->label(role => { witness => 'sslmode=prefer' });
	eval { $witness->quit };
	return;
}

my $reason = 'sslmode=verify-ca (policy of role "app", rule 1; the CA of the certificate is not in force any more)';

###############################################################################
# 1. The CA is removed

for my $how (sort keys %reloads)
{
	my $reload = $reloads{$how};
	my $pid = session('gone');
	session('there', user => 'other', cert => 'other');
	my $offset = $server->log_offset;
	cas_are('root');
	is($reload->(), 'ok', "$how: the CA is removed");
	my $log = $server->wait_for_log(qr/session of role "app" \(PID $pid\) would be ended: .*\n.*changed: .*/, $offset);
	like($log, qr/would be ended: it does not meet its TLS policy any more\n.*required: \Q$reason\E; changed: [\w ,]*TLS material\./, "$how, log: the log says why");
	is(compliant('gone'), 'false', "$how, log: the session does not comply");
	is($server->sql("SELECT ok, ended, reasons FROM sslpolicy.recheck(dry_run => true) WHERE pid = $pid"), 'f|f|' . '{"' . $reason =~ s/"/\\"/gr . '"}', "$how, log: recheck() says why");
	is($server->sql("SELECT required, actual, ok FROM sslpolicy.explain_session($pid) WHERE requirement = 'sslmode'"),
		'sslmode=verify-ca|TLS, verified client certificate of a CA that is not in force any more, authenticated by trust|f', "$how, log: so does explain_session()");
	is($server->sql("SELECT pid = $pid, refused_now FROM sslpolicy.preview_role_policy('app', 'sslmode=verify-full') WHERE kind = 'session'"), 't|t', "$how, log: and the preview");
	worker_has_looked();
	is(is_live('gone'), 1, "$how, log: it goes on");
	is(() = $server->log_since($offset) =~ /PID $pid\) would be ended/g, 1, "$how, log: said once");
	is(compliant('there'), 'true', "$how, log: a session of another CA complies");
	ok(!$server->login(sslmode => 'require', cert => 'app')->{ok}, "$how, log: it could not come back");

	cas_are('root', 'old');
	is($reload->(), 'ok', "$how: the CA is back");
	ok(becomes('gone', 'true'), "$how: and the session complies");

	$server->set('sslpolicy.recheck_policy' => 'terminate');
	cas_are('root');
	is($reload->(), 'ok', "$how: it is removed again");
	ok(is_ended('gone'), "$how, terminate: the session is ended");
	is($server->sql('SELECT usename, cause, reasons FROM sslpolicy.ended_sessions ORDER BY at DESC LIMIT 1'), 'app|policy|{"' . $reason =~ s/"/\\"/gr . '"}', "$how, terminate: the note says why");
	is(is_live('there'), 1, "$how, terminate: the other one stays");
	leave('gone', 'there');
	cas_are('root', 'old');
	$server->set('sslpolicy.recheck_policy' => 'log');
	is($reload->(), 'ok', "$how: as before");
}

# not a reload of files, but of the settings that name them
$server->set('sslpolicy.recheck_policy' => 'terminate');
session('gone');
$server->set(ssl_ca_file => "$dir/root.crt");
ok(is_ended('gone'), 'another ssl_ca_file, without the CA');
leave('gone');
$server->set(ssl_ca_file => $cas);
session('gone');
cas_are('root', 'namesake');
$reloads{'pg_reload_conf()'}->();
ok(is_ended('gone'), 'a CA of the same name with another key is another CA');
leave('gone');
cas_are('root', 'old');
$reloads{'pg_reload_conf()'}->();
session('gone');
is($server->sql("SELECT installed FROM sslpolicy.remove_ca('" . $certs->get('old')->{fingerprint} . "', force => true)"), 't', 'remove_ca');
ok(is_ended('gone'), 'ends it, too');
leave('gone');

###############################################################################
# 2. Who stays

sub stays
{
	my ($name, $what) = @_;
	worker_has_looked();
	is(is_live($name), 1, "$what: it stays");
	is(compliant($name), 'true', "$what: and complies");
	return;
}

for my $how (sort keys %reloads)
{
	cas_are('root', 'old', 'sub');
	is($reloads{$how}->(), 'ok', "$how: a root and its intermediate");
	session('app');
	session('app_sub', cert => { %{ $certs->get('app_sub') }, chain => $certs->get('app_sub')->{cert} });
	cas_are('root', 'renewed', 'sub');
	is($reloads{$how}->(), 'ok', "$how: the root is renewed");
	stays($_, "$how, a renewed root, $_") for 'app', 'app_sub';
	cas_are('root', 'renewed');
	is($reloads{$how}->(), 'ok', "$how: the intermediate is removed");
	stays('app_sub', "$how, an intermediate is removed, its root stays");
	leave('app', 'app_sub');
}
cas_are('root', 'old');
$reloads{'pg_reload_conf()'}->();
$server->label(role => { plain => 'sslmode=require' });
session('plain', user => 'plain');
session('nobody', user => 'plain', cert => undef);
cas_are('root');
$reloads{'pg_reload_conf()'}->();
stays($_, "no certificate is asked for, $_") for 'plain', 'nobody';
leave('plain', 'nobody');

# certificates in ssl_crl_file are trusted, too
my $core = "$dir/core.crl";
write_file($core, make_crl($certs, 'root', 1) . make_crl($certs, 'old', 1) . pems('old'));
$server->set(ssl_crl_file => $core);
session('app');
$reloads{$_}->() for sort keys %reloads;
stays('app', 'a CA in ssl_crl_file');
write_file($core, make_crl($certs, 'root', 1) . make_crl($certs, 'old', 1));
$reloads{'pg_reload_conf()'}->();
ok(is_ended('app'), 'until it is gone from there');
leave('app');
$server->set(ssl_crl_file => '');

# and those in ssl_crl_dir, whenever they are looked for
mkdir "$dir/crls" or die $!;
sub hash_of { my ($cert) = @_; my $out = `openssl x509 -in $dir/$cert.crt -noout -subject_hash`; chomp $out; return $out }
write_file("$dir/crls/" . hash_of('root') . '.r0', make_crl($certs, 'root', 1));
write_file("$dir/crls/" . hash_of('old') . '.r0', make_crl($certs, 'old', 1));
write_file("$dir/crls/" . hash_of('old') . '.0', pems('old'));
$server->set(ssl_crl_dir => "$dir/crls");
session('app');
$reloads{$_}->() for sort keys %reloads;
stays('app', 'a CA in ssl_crl_dir');
unlink "$dir/crls/" . hash_of('old') . '.0' or die $!;
$reloads{'pg_reload_conf()'}->();
ok(is_ended('app'), 'until there is none');
leave('app');
$server->set(ssl_crl_dir => '');
cas_are('root', 'old');
$reloads{'pg_reload_conf()'}->();

###############################################################################
# 3. What the server has not loaded

# whatever has a recheck look again: a change of policy, recheck() by an old session
# and by a new one
my $asks = $server->background(host => 'local', sslmode => 'prefer', user => scalar getpwuid $>);
my @half = (
	'without the CA' => sub { cas_are('root') },
	'cut in the middle' => sub { write_file($cas, substr pems('root', 'old'), 0, length(pems('root')) + 100) },
	'empty' => sub { write_file($cas, '') },
	'gone' => sub { unlink $cas or die $! });
while (my ($what, $write) = splice @half, 0, 2)
{
	session('app');
	$write->();
	$asks->query_safe('SELECT count(*) FROM sslpolicy.recheck()');
	$server->sql('SELECT count(*) FROM sslpolicy.recheck()');
	stays('app', "a file that is $what, and not loaded");
	cas_are('root', 'old');
	leave('app');
}
$asks->quit;

# The worker sees that the server has loaded its files, and by then they are being
# written: it was held up.
my $holder = $server->background(host => 'local', sslmode => 'prefer', user => scalar getpwuid $>);
my $worker = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'};
session('app');
$holder->query_safe('BEGIN; LOCK TABLE pg_auth_members IN ACCESS EXCLUSIVE MODE');
my $pid_of_worker = $holder->query_safe($worker);
chomp $pid_of_worker;
# something to look at: settings
$holder->query_safe('SELECT pg_reload_conf()');
my $waits = 0;
until ($waits++ > 1000 || $holder->query_safe("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND pid = $pid_of_worker") =~ /^t/) { select undef, undef, undef, 0.02 }
my $offset = $server->log_offset;
$holder->query_safe('SELECT pg_reload_conf()');
$server->wait_for_log(qr/received SIGHUP/, $offset);
# it has loaded them when it serves again: to nobody who has to look at that catalog
my ($in, $out, $err) = ('', '', '');
IPC::Run::run([ 'openssl', 's_client', '-starttls', 'postgres', '-connect', '127.0.0.1:' . $node->port ], '<', \$in, '>', \$out, '2>', \$err);
like($out, qr/BEGIN CERTIFICATE/, 'the files are loaded');
cas_are('root');
$holder->query_safe('ROLLBACK');
worker_has_looked();
stays('app', 'files that are written before the worker can look at them');
cas_are('root', 'old');
$reloads{'pg_reload_conf()'}->();
stays('app', 'and loaded again');
cas_are('root');
$reloads{'pg_reload_conf()'}->();
ok(is_ended('app'), 'judged again as soon as the CAs are known');
leave('app');
$holder->quit;
cas_are('root', 'old');
$reloads{'pg_reload_conf()'}->();

# what is not loaded, or nothing at all
session('app');
$offset = $server->log_offset;
write_file($cas, pems('root') . "-----BEGIN CERTIFICATE-----\nAAAA\n");
$server->sql('SELECT pg_reload_conf()');
$server->wait_for_log(qr/SSL configuration was not reloaded/, $offset);
stays('app', 'a load that fails');
$server->set(ssl_ca_file => '');
stays('app', 'no ssl_ca_file');
$server->set(ssl => 'off');
stays('app', 'ssl is off');
cas_are('root', 'old');
$server->set(ssl => 'on', ssl_ca_file => $cas);
stays('app', 'and all is as before');
cas_are('root');
$server->set(ssl => 'off');
$server->set(ssl => 'on');
ok(is_ended('app'), 'ssl is off and on again, without the CA');
leave('app');
cas_are('root', 'old');
$reloads{'pg_reload_conf()'}->();

###############################################################################
# 4. More sessions

$server->set('sslpolicy.max_certificate_text' => 1);
session('large', cert => 'large');
is($server->sql("SELECT client_sans::text LIKE '%[cut]}' FROM sslpolicy.sessions WHERE pid = $live{large}[1]"), 't', 'text of a large certificate is cut');
session('worker');
# a new worker has the new context itself
cas_are('root');
$server->set('sslpolicy.recheck_policy' => 'log');
my ($old_worker) = $server->sql($worker);
$reloads{'pg_reload_conf()'}->();
ok(becomes('large', 'false'), 'its CA is kept whole, and it does not comply');
$server->sql("SELECT pg_terminate_backend($old_worker)");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'sslpolicy' AND pid <> $old_worker") or die;
$server->set('sslpolicy.recheck_policy' => 'terminate');
ok(is_ended($_), "a new worker ends it: $_") for 'large', 'worker';
leave('large', 'worker');
# no policy ends replication
cas_are('root', 'old');
$reloads{'pg_reload_conf()'}->();
session('replication', extra => 'replication=database');
cas_are('root');
$reloads{'pg_reload_conf()'}->();
ok(becomes('replication', 'false'), 'replication does not comply');
worker_has_looked();
is(is_live('replication'), 1, 'and goes on');
leave('replication');
cas_are('root', 'old');
$reloads{'pg_reload_conf()'}->();

###############################################################################
# 5. CAs are read when the server loads them: what was read of one that is gone is not
# used for another

$certs->client('app_namesake', issuer => 'namesake', subject => '/CN=app');
$certs->intermediate('sub_namesake', issuer => 'old', subject => '/CN=Sub CA');
$certs->client('app_sub_namesake', issuer => 'sub_namesake', subject => '/CN=app');
sub pin { my ($ca) = @_; $server->label(role => { app => 'sslmode=verify-ca ca_fingerprint=' . $certs->get($ca)->{fingerprint} }); return }
sub is_under
{
	my ($cert, $ca, $other, $what) = @_;
	my %login = (sslmode => 'require', cert => $cert);
	pin($ca);
	ok($server->login(%login)->{ok}, "$what: the CA in its chain is that of the policy");
	pin($other);
	is($server->login(%login)->{failed}, 'ca_fingerprint', "$what: and not the other one");
	pin($ca);
	return;
}
for my $how (sort keys %reloads)
{
	cas_are('root', 'old');
	$reloads{$how}->();
	is_under('app', 'old', 'namesake', "$how, a CA");
	cas_are('root', 'namesake');
	is($reloads{$how}->(), 'ok', "$how: another one of the same name with another key takes its place");
	is_under('app_namesake', 'namesake', 'old', "$how, a CA that took the place of another");
	ok(!$server->login(sslmode => 'require', cert => 'app')->{ok}, "$how, a CA that is gone lets nobody in");
	cas_are('root', 'old', 'namesake');
	is($reloads{$how}->(), 'ok', "$how: both");
	is_under('app_namesake', 'namesake', 'old', "$how, the second of two CAs with one name");
	is_under('app', 'old', 'namesake', "$how, the first of two CAs with one name");
	cas_are('root', 'renewed');
	is($reloads{$how}->(), 'ok', "$how: the CA is renewed");
	is_under('app', 'renewed', 'old', "$how, a renewed CA");
}

# intermediates that the client sends have been read by nobody
cas_are('root', 'old');
$reloads{'pg_reload_conf()'}->();
is_under('app_sub', 'sub', 'sub_namesake', 'an intermediate that the client sends');
is_under('app_sub_namesake', 'sub_namesake', 'sub', 'another one of its name');
cas_are('root', 'old', 'sub');
$reloads{'pg_reload_conf()'}->();
is_under('app_sub_namesake', 'sub_namesake', 'sub', 'the same, and the server has that of its name');
is_under('app_sub', 'sub', 'sub_namesake', 'an intermediate that the server has and the client sends');

# where they were not read in advance, and where they are read again
cas_are('root', 'old');
$server->set(ssl => 'off');
$server->set(ssl => 'on');
is_under('app', 'old', 'namesake', 'ssl is off and on again');
$offset = $server->log_offset;
my $victim = session('victim');
kill 'KILL', $victim or die $!;
$server->wait_for_log(qr/all server processes terminated; reinitializing(?s:.)*ready to accept connections/, $offset);
leave('victim');
is_under('app', 'old', 'namesake', 'after a crash');
$server->label(role => { app => 'sslmode=verify-ca' });

unlike($server->log_since(0) =~ s/\(PID $victim\) was terminated by signal 9//r, qr/PANIC|TRAP|terminated by signal/, 'nothing crashed');
$server->stop;
done_testing();
