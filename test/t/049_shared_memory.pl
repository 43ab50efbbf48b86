# What identifies a session's certificate, and the CAs that verified it, is there as
# long as the session, however little room shared memory has and whatever becomes of it.
#
# 1. certificates of every size lie in main shared memory: there is no segment that can
#    be removed or cut short, before or after the worker is started anew
# 2. with no room for names left, and none to be made: what is shown, and that it is
#    said once; a policy that asks for names is neither met nor failed
# 3. sessions whose names are not kept end all the same: leaf or intermediate blocked or
#    revoked, CA removed; by the worker, and by recheck() without it
# 4. on a standby
# 5. a chain that cannot be watched is refused, under every enforcement, behind what is
#    blocked; the longest that can is let in
# 6. an error about some sessions costs those alone, is logged once, and goes by
# 7. room is given back, also by sessions that are killed, and a crash restart with
#    another sslpolicy.max_certificate_text starts
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('shared_memory', init => { allows_streaming => 1 }, conf => <<'CONF');
max_connections = 70
restart_after_crash = on
dynamic_shared_memory_type = mmap
max_parallel_workers_per_gather = 0
sslpolicy.crl_missing = accept
sslpolicy.recheck_policy = terminate
CONF
my ($node, $certs) = ($server->node, $server->certs);
my $dir = $certs->{dir};

# a chain of 21 CAs, one with the longest serial number that is read
my $chain = 20;
my %longest = (10 => '0x7' . 'f' x 255);
$certs->ca('top', subject => '/CN=Top CA');
$certs->intermediate("i$_", issuer => $_ > 1 ? 'i' . ($_ - 1) : 'top', subject => "/O=A Company Whose Name Is Long/CN=Intermediate CA $_",
	$longest{$_} ? (serial => $longest{$_}) : ())
  for 1 .. 30;
my @sans = ((map { "dns:host-$_.example.com" } 1 .. 20), 'uri:app');
$certs->client("long$_", issuer => "i$chain", subject => '/CN=app', key_name => $_ > 1 ? 'long1' : undef, san => \@sans,
	$_ == 2 ? (serial => $longest{10}) : ())
  for 1 .. 6;
$certs->client('small', issuer => 'top', subject => '/CN=app', san => ['uri:app']);
$certs->client('other', issuer => 'root', subject => '/CN=other');
sub names { my ($count) = @_; return [ map { sprintf 'dns:host-%04d.example.com', $_ } 1 .. $count ] }
my %size = (big => 3700, medium => 400, little => 80);
$certs->client($_, issuer => 'root', subject => '/CN=filler', san => names($size{$_})) for keys %size;

sub pems { return join '', map { slurp_file("$dir/$_.crt") } @_ }
my @all_cas = ('root', 'top', map { "i$_" } 1 .. 30);
write_file("$dir/cas.crt", pems(@all_cas));
my $crl_path = PostgreSQL::Test::Utils::tempdir() . '/crl.pem';
$node->append_conf('postgresql.conf', "ssl_ca_file = '$dir/cas.crt'\n");
$server->start;
$server->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN REPLICATION; CREATE ROLE other LOGIN; CREATE ROLE filler LOGIN');

# Sessions that are live, by their names.
my %live;
sub session
{
	my ($at, $name, %opt) = @_;
	my $session = $at->background(sslmode => 'require', %opt);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	chomp $pid;
	$live{$name} = [ $session, $pid, $at ];
	return $pid;
}
sub pid { return $live{ $_[0] }[1] }
sub leave { for (@_) { my $session = delete $live{$_}; eval { $session->[0]->quit } } return }
sub ended
{
	my ($name, $what) = @_;
	my (undef, $pid, $at) = @{ $live{$name} };
	ok($at->node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), $what);
	leave($name);
	return;
}
sub is_live { return $live{ $_[0] }[2]->sql('SELECT count(*) FROM pg_stat_activity WHERE pid = ' . pid($_[0])) }
sub row { my ($name, $columns) = @_; return $live{$name}[2]->sql("SELECT $columns FROM sslpolicy.sessions WHERE pid = " . pid($name)) }
sub worker { return $_[0]->sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'}) }
sub new_worker
{
	my ($at) = @_;
	my $before = worker($at);
	kill 'TERM', $before;
	ok($at->node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'sslpolicy' AND pid <> $before"), 'the worker is another one');
	return;
}

# Take all the room there is for names, from the largest to the smallest.
my $not_kept = qr/LOG:  names of a client certificate are not kept for sslpolicy\.sessions: /;
my $made = 0;
sub fill
{
	my ($at) = @_;
	my @fillers;
	for my $cert (qw(big medium little))
	{
		my $log = '';
		until ($log =~ $not_kept || @fillers > 60)
		{
			my $offset = $at->log_offset;
			push @fillers, 'filler ' . ++$made;
			session($at, $fillers[-1], user => 'filler', cert => $cert);
			$log = $at->log_since($offset);
		}
	}
	return @fillers;
}
# Those alone are blocked, on a standby until it ends.
sub block
{
	my ($at, @names) = @_;
	my $fingerprints = join ',', map { $certs->get($_)->{fingerprint} } @names;
	if ($at == $server)
	{
		$at->set('sslpolicy.blocked_fingerprints' => @names ? $fingerprints : undef);
		return;
	}
	$at->node->append_conf('postgresql.conf', "sslpolicy.blocked_fingerprints = '$fingerprints'\n");
	$at->node->reload;
	return;
}

# 1
my $segments = $node->data_dir . '/pg_dynshmem';
sub segments { return map { s{.*/}{}r } sort glob "$segments/*" }
$server->set('sslpolicy.max_certificate_text' => '128');
my %how = (
	'removed' => sub { unlink "$segments/$_[0]" },
	'cut short' => sub { truncate "$segments/$_[0]", 0 });
for my $how (sort keys %how)
{
	for my $when ('before', 'after')
	{
		my %before = map { $_ => 1 } segments();
		session($server, "large$_", user => 'filler', cert => 'big') for 1 .. 3;
		session($server, 'long', user => 'app', cert => 'long3');
		my @new = grep { !$before{$_} } segments();
		is("@new", '', "no segment that could be $how");
		new_worker($server) if $when eq 'before';
		$how{$how}->($_) for @new;
		new_worker($server) if $when eq 'after';
		session($server, 'other', user => 'other', cert => 'other');
		is(row("large$_", 'cardinality(client_sans)'), $size{big}, "segments $how $when the worker starts: all names are shown") for 1 .. 3;
		block($server, 'other', 'long3');
		ended('other', "segments $how $when the worker starts: who is blocked is ended");
		ended('long', 'with a large certificate, too');
		is(is_live('large1'), 1, 'nobody else is');
		block($server);
		leave(map { "large$_" } 1 .. 3);
	}
}

# 2
$server->label(role => { app => 'san=uri:app' });
session($server, 'whole', user => 'app', cert => 'long6');
chmod 0500, $segments if $> != 0;
my @fillers = fill($server);
is(is_live($fillers[0]), 1, 'the room is taken by ' . @fillers . ' sessions');
my $offset = $server->log_offset;
session($server, $_, user => 'app', cert => $_) for qw(long1 long2 long3 long4);
my @lines = $server->log_since($offset) =~ /$not_kept/g;
is(scalar @lines, 4, 'each of the next large ones says so, once');
like($server->log_since($offset), qr/names of a client certificate.*there is no room\n(?:.*\n)?.*DETAIL:  Certificates of other sessions take what there is/, 'and why');
session($server, 'small', user => 'app', cert => 'small');
for my $name (qw(long1 long2))
{
	my $cert = $certs->get($name);
	is(row($name, 'fingerprint_sha256, client_serial, ca_fingerprint_sha256, verified, not_after IS NOT NULL'),
		join('|', $cert->{fingerprint}, $cert->{serial}, $certs->get('top')->{fingerprint}, 't|t'), "$name: what identifies it is shown");
	like(row($name, 'client_sans'), qr/\[cut\]"?\}$/, "$name: names are said to be cut");
}
is(row('whole', 'client_sans[21]'), 'uri:app', 'who came before is whole');
is(row('small', 'client_sans, compliant'), '{uri:app}|t', 'so is who needs no room');
sub becomes { my ($name, $value) = @_; return $node->poll_query_until('postgres', "SELECT compliant IS NOT DISTINCT FROM $value FROM sslpolicy.sessions WHERE pid = " . pid($name)) }
$server->label(role => { other => 'sslmode=prefer' });
ok(becomes('long1', 'NULL'), 'whether it has a name that is not kept is not known');
ok(becomes('whole', 'true') && becomes('small', 'true'), 'of the others it is');
is($server->sql('SELECT count(*) > 0, bool_or(ok IS NULL) FROM sslpolicy.explain_session(' . pid('long1') . ')'), 't|t', 'explain_session() says the same');
$server->label(role => { app => 'san=uri:another' });
ended('whole', 'who is known not to have a name is ended');
ended('small', 'in the slot or elsewhere');
is(row('long1', 'compliant IS NULL'), 't', 'who may have it is not');
$server->label(role => { app => 'ca_fingerprint=' . $certs->get('i3')->{fingerprint} });
ok(becomes('long1', 'true'), 'what identifies CAs is known');
$server->label(role => { app => undef });

# 3, with the room that one of them has given back taken
push @fillers, fill($server);
block($server, 'long1');
ended('long1', 'the leaf is blocked');
is(is_live($_), 1, "$_ stays") for qw(long2 long3 long4);

sub crls
{
	my ($number, %revoked) = @_;
	write_file($crl_path, map { make_crl($certs, $_, $number, revoked => $revoked{$_}) } sort keys %revoked);
	return;
}
my $i20 = "i$chain";
crls(1, $i20 => ['long2'], i9 => []);
$server->set('sslpolicy.crl_file' => $crl_path);
ended('long2', 'the leaf is revoked, with a serial number of 128 bytes');
is(is_live($_), 1, "$_ stays") for qw(long3 long4);
like($server->log_since(0), qr/session of role "app" .* ended: its client certificate, or one that verified it, is revoked\n.*serial \Q$certs->{made}{long2}{serial}\E, was revoked/, 'the log has the serial');
my $crl = make_crl($certs, 'i9', 2, revoked => ['i10']);
$offset = $server->log_offset;
write_file($crl_path, make_crl($certs, $i20, 2), $crl);
ended('long3', 'an intermediate is revoked, of whose serial there is a digest');
ended('long4', 'for everybody below');
like($server->log_since($offset), qr/; certificate "[^"]*" was revoked at /, 'the log says which');
like($server->login(cert => 'long3', sslmode => 'require')->{err}, qr/certificate of role "app" is revoked/, 'nobody comes in with it');
sub crls_are_read
{
	my ($number) = @_;
	$node->poll_query_until('postgres', "SELECT count(*) = 2 FROM sslpolicy.crls WHERE crl_number = $number") or die 'not read';
	return;
}
crls(3, $i20 => [], i9 => []);
crls_are_read(3);

session($server, $_, user => 'app', cert => 'long5') for qw(a b c);
session($server, 'replication', user => 'app', cert => 'long5', extra => 'replication=database');
is(row('a', 'cardinality(client_sans) < 21'), 't', 'still there is no room');
# nobody but the caller of recheck() looks
my $worker = worker($server);
kill 'STOP', $worker;
block($server, 'i5');
is($server->sql('SELECT ok, ended, reasons[1] FROM sslpolicy.recheck(dry_run => true) WHERE pid = ' . pid('a')),
	'f|t|client certificate was verified by a CA that is in sslpolicy.blocked_fingerprints', 'an intermediate is blocked: recheck() would end the session');
is($server->sql('SELECT count(*) FILTER (WHERE ended) FROM sslpolicy.recheck()'), 4, 'recheck() ends it');
ended($_, "an intermediate is blocked: $_") for qw(a b c replication);
block($server);
kill 'CONT', $worker;

$server->label(role => { app => 'sslmode=verify-ca' });
session($server, 'a', user => 'app', cert => 'long5');
new_worker($server);
is(row('a', 'compliant'), 't', 'it complies');
write_file("$dir/cas.crt", pems('root'));
$server->sql('SELECT pg_reload_conf()');
ended('a', 'its CA is removed');
chmod 0700, $segments;
write_file("$dir/cas.crt", pems(@all_cas));
$server->sql('SELECT sslpolicy.reload(force => true)');
$server->label(role => { app => undef });
session($server, 'a', user => 'app', cert => 'long5');
is(row('a', 'cardinality(client_sans) < 21'), 't', 'nor now');
for my $serial_of (qw(i10 i11))
{
	my $pem = $server->literal(make_crl($certs, 'i9', 9, revoked => [$serial_of]));
	my $affected = $server->sql("SELECT affected FROM sslpolicy.install_crl(${pem}::text, dry_run => true)");
	my @revoked = $affected =~ /"pid": @{[ pid('a') ]}, "role": "app", "reason": "certificate [^}]*is revoked"/g;
	is(scalar @revoked, $serial_of eq 'i10' ? 1 : 0, "install_crl(): whose serial it has, of i9 with that of $serial_of");
}
leave('a');

# 7, in part: what they have given back
leave(@fillers);
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'filler'}) or die;
for my $round (1 .. 3)
{
	my $log = $server->log_offset;
	session($server, "large$_", user => 'filler', cert => 'big') for 1 .. 4;
	is(row("large$_", 'cardinality(client_sans)'), $size{big}, "round $round: room is there again") for 1, 4;
	unlike($server->log_since($log), $not_kept, "round $round: for all of them");
	$server->sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'filler'});
	ended("large$_", "round $round: they are gone") for 1 .. 4;
}

# 4
my $standby = $server->standby('shared_memory_standby');
$standby->start;
$node->wait_for_catchup($standby->node->name);
my @standby_fillers = fill($standby);
session($standby, 'on standby', user => 'app', cert => 'long1');
session($standby, 'other on standby', user => 'app', cert => 'long3');
is(row('on standby', 'fingerprint_sha256, cardinality(client_sans) < 21'), $certs->get('long1')->{fingerprint} . '|t', 'standby: no room');
block($standby, 'long1');
ended('on standby', 'standby: who is blocked is ended');
is(is_live('other on standby'), 1, 'standby: nobody else is');
crls(4, $i20 => [], i9 => ['i10']);
ended('other on standby', 'standby: an intermediate is revoked');
crls(5, $i20 => [], i9 => []);
crls_are_read(5);
leave(@standby_fillers);
$standby->stop;

# 5
sub chain { my ($cas) = @_; return $certs->client("chain$cas", issuer => 'i' . ($cas - 1), subject => '/CN=app', key_name => 'long1') }
chain($_) for 24, 25, 31;
ok($server->login(cert => 'chain24', sslmode => 'require')->{ok}, 'a chain of 24 CAs');
for my $enforcement (qw(enforce log off))
{
	$server->set('sslpolicy.enforcement' => $enforcement);
	for my $cas (25, 31)
	{
		my $log = $server->log_offset;
		my $result = $server->login(cert => "chain$cas", sslmode => 'require');
		like($result->{err}, qr/FATAL:  client certificate of role "app" has a chain of $cas CAs, more than the limit of 24\n/, "enforcement = $enforcement: a chain of $cas CAs is refused");
		like($server->log_since($log), qr/DETAIL:  Refused: role="app".*; its certificate has a chain of $cas CAs/, 'the log says whose');
	}
}
$server->set('sslpolicy.enforcement' => undef);
is($server->sql(q{SELECT count(DISTINCT fingerprint_sha256), min(source), min(reasons::text) FROM sslpolicy.rejections WHERE reasons::text LIKE '%limit%'}),
	'2|revocation|{"client certificate has a chain of 25 CAs, more than the limit of 24"}', 'and so do rejections');
ok(!$server->login(cert => 'chain25', sslmode => 'require', extra => 'replication=database')->{ok}, 'replication is, too');
block($server, 'i20');
like($server->login(cert => 'chain25', sslmode => 'require')->{err}, qr/certificate of role "app" was verified by a CA that is in sslpolicy\.blocked_fingerprints/, 'a blocked one is called so');
block($server);

# 6
my $own = $node->data_dir . '/sslpolicy';
-d $own or mkdir $own or die "$own: $!";
chmod 0700, $own;
session($server, "s$_", user => 'app', cert => 'small') for 1 .. 8;
session($server, 'other', user => 'other', cert => 'other');
my @broken = map { "s$_" } 1, 4, 5, 8;
append_to_file("$own/fail.recheck_" . pid($_), '') for @broken;
my $before = $server->log_offset;
block($server, 'small', 'other');
ended('other', 'whose session can be judged is ended');
ended("s$_", "s$_ is, too") for 2, 3, 6, 7;
ok(becomes($_, 'NULL'), "of $_ it is not known whether it complies") for @broken;
for my $try (1 .. 3)
{
	session($server, 'witness', user => 'app', cert => 'long6');
	block($server, 'small', 'long6');
	ended('witness', 'the worker goes on');
	block($server, 'small');
}
my $log = $server->log_since($before);
is(scalar(() = $log =~ /session of role "app" \(PID @{[ pid($_) ]}\) cannot be judged: failed at recheck/g), 1, "$_: the log says so once") for @broken;
unlike($log, qr/ERROR/, 'no pass ends with an error');
is($server->sql('SELECT count(*) FROM sslpolicy.recheck(dry_run => true) WHERE ok IS NULL AND NOT ended'), 4, 'recheck() says the same');
unlink "$own/fail.recheck_" . pid($_) for @broken;
$server->sql('SELECT pg_reload_conf()');
ended($_, 'when the cause is gone, it is ended') for @broken;
block($server);

# 7
for my $text ('1', '128')
{
	$server->set('sslpolicy.max_certificate_text' => $text);
	session($server, $_, user => 'filler', cert => 'big') for qw(first second);
	my $log = $server->log_offset;
	kill 'KILL', pid('first');
	$server->wait_for_log(qr/all server processes terminated; reinitializing/, $log);
	$node->poll_query_until('postgres', 'SELECT true');
	$server->wait_for_log(qr/database system is ready to accept connections/, $log);
	unlike($server->log_since($log), qr/not enough shared memory/, "max_certificate_text = $text: a crash restart starts");
	leave('first', 'second');
}
session($server, 'last', user => 'filler', cert => 'big');
is(row('last', 'cardinality(client_sans)'), $size{big}, 'with all its room');
leave('last');
$server->stop;
unlike($server->log_since(0), qr/PANIC|TRAP|WARNING:.*leak/, 'nothing was leaked');
done_testing();
