# Who has logged in lately: sslpolicy.recent_logins.
#
# 1. a row for each way in; repeats are counted; a renewed certificate takes the
#    place of the one before
# 2. replication, Unix sockets, large certificates, who is refused (also behind the
#    verdict, by PostgreSQL), names
# 3. a restart keeps them, also on a standby; a crash and an immediate stop forget
#    them; damaged files are ignored
# 4. a login is written down once, whoever does it: the worker, a reader, the session at its end
# 5. the table is bounded, or off; who may read it
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('recent', init => { allows_streaming => 1 },
	conf => "restart_after_crash = on\nsslpolicy.max_recent_logins = 32\n");
my ($certs, $node) = ($server->certs, $server->node);
my $file = $node->data_dir . '/pg_stat/sslpolicy.stat';
my $own = $node->data_dir . '/sslpolicy';
my $root = $certs->get('root');
$certs->ca('other', subject => '/CN=Other Root');
$certs->client('old', issuer => $root, subject => '/CN=app/O=Acme', not_before => 1700000000, not_after => 4000000000, serial => 11);
$certs->client('new', issuer => $root, subject => '/CN=app/O=Acme', not_before => 1710000000, not_after => 4100000000, serial => 12,
	san => [ 'dns:a.example.com', 'uri:spiffe://x' ]);
$certs->client('by_other', issuer => 'other', subject => '/CN=app/O=Acme');
$certs->client('many', issuer => $root, subject => '/CN=many', san => [ map { sprintf 'dns:host-%04d.example.com', $_ } 1 .. 600 ]);
$certs->client('accent', issuer => $root, subject => [ [ CN => "caf\x{e9}" ] ]);
$node->append_conf('postgresql.conf', "ssl_ca_file = '" . $certs->bundle('trusted.crt', qw(root other)) . "'");
$server->start;
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE rep LOGIN REPLICATION;
	CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor; CREATE DATABASE db1});

sub row { my ($what, $where) = @_; return $server->sql("SET TimeZone = UTC; SELECT $what FROM sslpolicy.recent_logins" . ($where ? " WHERE $where" : '')) }

# 1
ok($server->login(user => 'app', cert => 'old', sslmode => 'require')->{ok}, 'a login');
my $all = 'role, database, address, tls_version, client_dn, issuer_dn, count, client_cn, client_sans, client_serial, fingerprint_sha256, not_before, not_after, auth_method, compliant';
is(row($all, "role = 'app'"),
	"app|postgres|127.0.0.1|TLSv1.3|O=Acme,CN=app|O=Acme,CN=Test Root|1|app|{}|11|" . $certs->get('old')->{fingerprint} . '|2023-11-14 22:13:20+00|2096-10-02 07:06:40+00|trust|t', 'has a row');
is(row("cipher = (SELECT cipher FROM pg_stat_ssl s WHERE s.cipher IS NOT NULL LIMIT 1) OR cipher LIKE 'TLS%', last_login BETWEEN now() - interval '1 minute' AND now()", "role = 'app'"), 't|t', 'with cipher and time');
$server->login(user => 'app', cert => 'old', sslmode => 'require') for 1 .. 2;
is(row('count', "role = 'app'"), '3', 'repeats are counted');
my $before = row('last_login', "role = 'app'");
$server->login(user => 'app', cert => 'new', sslmode => 'require');
is(row('count, client_serial, fingerprint_sha256, client_sans, not_after', "role = 'app'"),
	'4|12|' . $certs->get('new')->{fingerprint} . '|{dns:a.example.com,uri:spiffe://x}|2099-12-03 16:53:20+00', 'a renewed certificate takes the place of the one before');
is(row("last_login > '$before'", "role = 'app'"), 't', 'and the time is that of the last');

$server->login(user => 'app', sslmode => 'require');
$server->login(user => 'app', sslmode => 'disable');
$server->login(user => 'app', sslmode => 'require', extra => 'ssl_max_protocol_version=TLSv1.2');
$server->login(user => 'app', sslmode => 'require', host => '::1');
$server->login(user => 'app', sslmode => 'require', db => 'db1');
$server->login(user => 'app', sslmode => 'require', cert => 'by_other');
$server->login(user => 'bob', sslmode => 'require', cert => 'new');
is(row('role, database, address, tls_version, issuer_dn, count', "role <> current_user ORDER BY 1, 2, 3, 4, 5 NULLS FIRST"), <<'ROWS' =~ s/\n$//r, 'whatever else differs makes another row');
app|db1|127.0.0.1|TLSv1.3||1
app|postgres|127.0.0.1|TLSv1.2||1
app|postgres|127.0.0.1|TLSv1.3||1
app|postgres|127.0.0.1|TLSv1.3|CN=Other Root|1
app|postgres|127.0.0.1|TLSv1.3|O=Acme,CN=Test Root|4
app|postgres|127.0.0.1|||1
app|postgres|::1|TLSv1.3||1
bob|postgres|127.0.0.1|TLSv1.3|O=Acme,CN=Test Root|1
ROWS

# 2
is(row('database, address, tls_version, compliant, count > 3', "role = current_user"), 'postgres|||t|t', 'a Unix socket has no address');
$server->login(user => 'rep', sslmode => 'require', extra => 'replication=true', sql => 'IDENTIFY_SYSTEM');
is(row('database, address', "role = 'rep'"), '|127.0.0.1', 'physical replication has no database');
$server->login(user => 'rep', sslmode => 'require', extra => 'replication=database', sql => 'IDENTIFY_SYSTEM');
is(row('count(*), count(database)', "role = 'rep'"), '2|1', 'logical replication has');
$server->login(user => 'bob', sslmode => 'require', cert => 'many');
like(row("client_dn, cardinality(client_sans) BETWEEN 10 AND 100, client_sans[1], client_sans[cardinality(client_sans)]", "client_cn = 'many'"),
	qr/^CN=many\|t\|dns:host-0001\.example\.com\|.*\[cut\]$/, 'of a large certificate names are cut away, marked');
$server->login(user => 'bob', sslmode => 'require', cert => 'accent');
is(row('client_cn', "client_dn LIKE 'CN=caf%'"), "caf\x{c3}\x{a9}", 'names in the encoding of the database');

my $rows = row('count(*)');
$server->login(user => 'nobody', sslmode => 'require');
$server->login(user => 'bob', sslmode => 'require', db => 'nowhere');
$server->label(role => { bob => 'sslmode=verify-ca' });
ok(!$server->login(user => 'bob', sslmode => 'require', host => '::1')->{ok}, 'who is refused');
is(row('count(*)'), $rows, 'has no row, nor who names a role or database that does not exist');

# each passes its policies, and is then refused by PostgreSQL
$server->sql($_) for 'CREATE ROLE nolog', 'CREATE ROLE lim LOGIN CONNECTION LIMIT 0', 'CREATE ROLE plain LOGIN', 'CREATE DATABASE priv', 'REVOKE CONNECT ON DATABASE priv FROM PUBLIC',
  'CREATE DATABASE shut ALLOW_CONNECTIONS false', 'CREATE DATABASE full_up CONNECTION LIMIT 0';
for ([ 'nolog' ], [ 'lim' ], [ 'plain', db => 'priv' ], [ 'plain', db => 'shut' ], [ 'plain', db => 'full_up' ],
	[ 'plain', extra => 'replication=true', sql => 'IDENTIFY_SYSTEM' ], [ 'plain', extra => 'replication=database', sql => 'IDENTIFY_SYSTEM' ])
{
	my ($user, @how) = @$_;
	ok(!$server->login(user => $user, sslmode => 'require', @how)->{ok}, "PostgreSQL refuses @$_");
}
is(row('count(*)'), $rows, 'what PostgreSQL refuses after the verdict is no login');
is($server->sql(q{SELECT coalesce(sum(allowed), 0) FROM sslpolicy.statistics WHERE role IN ('nolog', 'lim', 'plain')}), '0', 'nor is it counted as one');
ok($server->login(user => 'plain', sslmode => 'require', extra => 'options=-cwork_mem=1MB')->{ok}, 'the same role elsewhere');
is($server->sql(q{SELECT sum(allowed) FROM sslpolicy.statistics WHERE role = 'plain'}), '1', 'is counted once');
$server->sql('DROP ROLE nolog; DROP ROLE lim; DROP ROLE plain');
$server->sql("DROP DATABASE $_") for qw(priv shut full_up);

$server->set('sslpolicy.enforcement' => 'log');
$server->login(user => 'bob', sslmode => 'require', host => '::1');
is(row('compliant', "role = 'bob' AND address = '::1'"), 'f', 'who is let in although, has one');
$server->set('sslpolicy.enforcement' => 'off');
$server->login(user => 'bob', sslmode => 'require', host => '::1');
is(row('compliant IS NULL, count', "role = 'bob' AND address = '::1'"), 't|2', 'compliant is null where nobody looks');
$server->set('sslpolicy.enforcement' => undef);
$server->sql('ALTER ROLE bob RENAME TO bobby; ALTER DATABASE db1 RENAME TO db2');
is(row("count(*) FILTER (WHERE role = 'bobby') > 0, count(*) FILTER (WHERE role = 'bob'), count(*) FILTER (WHERE database = 'db2')"), 't|0|1', 'names are those of now');
$server->sql('DROP ROLE bobby; DROP DATABASE db2');
is(row("count(*) FILTER (WHERE role = 'bobby'), count(*) FILTER (WHERE database = 'db2')"), '0|0', 'what was dropped is not shown');

# 3
sub ways { return row("string_agg(concat_ws(',', role, database, address, tls_version, client_dn, client_sans, not_after, cipher, auth_method, compliant), ';' ORDER BY role, database, address, tls_version, client_dn)", "role <> current_user") }
my $ways = ways();
my $last = row('max(last_login)', "role = 'app'");
$server->restart;
is(ways(), $ways, 'a restart keeps them');
is(row('max(last_login)', "role = 'app'"), $last, 'with their times');
ok(!-e $file, 'the file is gone');
$server->login(user => 'app', cert => 'new', sslmode => 'require');
is(row('count', "client_serial = 12"), '5', 'and goes on counting');

my $standby = $server->standby('recent_standby');
$standby->start;
is($standby->sql("SELECT count(*) FROM sslpolicy.recent_logins WHERE role = 'app'"), '0', 'a standby has its own');
ok($standby->login(user => 'app', cert => 'new', sslmode => 'require')->{ok}, 'a login there');
is($standby->sql("SELECT count, client_serial FROM sslpolicy.recent_logins WHERE role = 'app'"), '1|12', 'has a row');
$standby->restart;
is($standby->sql("SELECT count, client_serial FROM sslpolicy.recent_logins WHERE role = 'app'"), '1|12', 'which it keeps');
$standby->stop;

$server->stop;
my $saved = slurp_file($file);
is((stat $file)[2] & 0777, 0600, 'the file is readable by the server only');
my %damage = (
	'empty' => ['', qr/it is too short/],
	'no file of ours' => [ 'x' x 3000, qr/its checksum is wrong/ ],
	'truncated' => [ substr($saved, 0, -100), qr/its checksum is wrong/ ],
	'truncated to the header' => [ substr($saved, 0, 30), qr/it is too short/ ],
	'a flipped bit at the start' => [ do { my $s = $saved; substr($s, 1, 1) ^= "\x10"; $s }, qr/its checksum is wrong/ ],
	'a flipped bit in the middle' => [ do { my $s = $saved; substr($s, length($s) / 2, 1) ^= "\x01"; $s }, qr/its checksum is wrong/ ],
	'something behind it' => [ $saved . 'more', qr/its checksum is wrong/ ],
);
for my $what (sort keys %damage)
{
	my ($bytes, $why) = @{ $damage{$what} };
	open my $fh, '>:raw', $file or die;
	print $fh $bytes;
	close $fh;
	my $offset = $server->log_offset;
	$server->start;
	like($server->log_since($offset), qr{LOG:  ignoring file "pg_stat/sslpolicy\.stat": $why}, "$what: the log says so");
	is(row('count(*)', "role = 'app'"), '0', 'and the table is empty');
	$server->stop;
}
open my $fh, '>:raw', $file or die;
print $fh $saved;
close $fh;
$server->start;
is(row('count', "client_serial = 12"), '5', 'the whole one is read');
$server->stop('immediate');
ok(!-e $file, 'an immediate stop writes none');
$server->start;
is(row('count(*)', "role = 'app'"), '0', 'so they are forgotten');
$server->login(user => 'app', cert => 'new', sslmode => 'require');
is(row('count(*)', "role = 'app'"), '1', 'a new one');
my $victim = $server->background(user => 'app', cert => 'new', sslmode => 'require');
my $pid = $victim->query_safe('SELECT pg_backend_pid()');
kill 'KILL', $pid;
eval { $victim->quit };
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM sslpolicy.recent_logins WHERE role = 'app'") or die;
ok(1, 'a crash forgets them');

# 4
my $worker = $server->sql(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'});
sub told { return row('count', "role = 'app' AND client_serial = 12") . ' ' . $server->sql("SELECT allowed FROM sslpolicy.statistics WHERE role = 'app'") }
sub client { my $client = $server->background(user => 'app', cert => 'new', sslmode => 'require'); return ($client, $client->query_safe('SELECT pg_backend_pid()')) }
$server->login(user => 'app', cert => 'new', sslmode => 'require');
is(told(), '1 1', 'a login that is over');
kill 'STOP', $worker;
my ($first, $first_pid) = client();
my ($second, $second_pid) = client();
is(told(), '3 3', 'while the worker does nothing, a reader writes down those who are there');
is(told(), '3 3', 'once');
$first->quit;
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $first_pid") or die;
is(told(), '3 3', 'their end changes nothing');
my ($third, $third_pid) = client();
$third->quit;
my ($fourth, $fourth_pid) = client();
$server->sql("SELECT pg_terminate_backend($fourth_pid)");
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid IN ($third_pid, $fourth_pid)") or die;
eval { $fourth->quit };
is(told(), '5 5', 'a session that nobody has seen writes itself down, also if it is terminated');
my ($fifth, $fifth_pid) = client();
$server->sql('SELECT sslpolicy.reset_statistics()');
is($server->sql("SELECT count(*) FROM sslpolicy.statistics WHERE role = 'app'"), '0', 'what was before reset_statistics() is not counted afterwards');
kill 'CONT', $worker;
$server->sql('SELECT sslpolicy.recheck()');
is(row('count', "role = 'app' AND client_serial = 12"), '6', 'nor does the worker write anything twice');
$_->quit for $second, $fifth;
kill 'STOP', $worker;
my $judged = $server->background(user => 'monitor', sslmode => 'require');
$server->label(role => { monitor => 'sslmode=reject' });
kill 'CONT', $worker;
$node->poll_query_until('postgres', q{SELECT NOT compliant FROM sslpolicy.sessions WHERE usename = 'monitor'}) or die;
is(row('compliant', "role = 'monitor' AND tls_version IS NOT NULL"), 't', 'a login is written down as it was decided, although a policy has changed since');
$judged->quit;
$server->label(role => { monitor => undef });
# what fails while it is written down, in the end by the session itself, holds nobody up
mkdir $own;
chmod 0700, $own or die $!;
append_to_file("$own/fail.login_noted", '');
my $offset = $server->log_offset;
my ($lost, $lost_pid) = client();
$server->wait_for_log(qr/failed at login_noted/, $offset);
$lost->quit;
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $lost_pid"), 'a session whose login cannot be written down ends');
unlink "$own/fail.login_noted" or die $!;
my ($last_one, $last_pid) = client();
$server->restart;
eval { $last_one->quit };
is(row('count', "role = 'app' AND client_serial = 12"), '7', 'who is there at a shutdown has been written down');

# 5
$server->sql(q{DO $$ BEGIN FOR i IN 1 .. 40 LOOP EXECUTE 'CREATE ROLE r' || i || ' LOGIN'; END LOOP;
	FOR i IN 1 .. 6 LOOP EXECUTE 'CREATE ROLE s' || i || ' LOGIN SUPERUSER'; END LOOP; END $$});
$server->login(user => 'app', cert => 'new', sslmode => 'require');
for my $i (1 .. 40)
{
	$server->login(user => "r$i", sslmode => 'disable');
	$server->login(user => 'app', cert => 'new', sslmode => 'require') if $i % 10 == 0;
}
$server->login(user => "s$_", sslmode => 'disable') for 1 .. 6;
is(row('count(*)'), '32', 'there are never more rows than the setting says');
is(row(q{string_agg(role, ' ' ORDER BY last_login)}, "role LIKE 'r_%' AND role <> 'rep'"), join(' ', map { "r$_" } 14 .. 40), 'the last ones stay');
is(row(q{string_agg(role, ' ' ORDER BY last_login)}, "role LIKE 's_'"), 's4 s5 s6', 'an eighth of them are for superusers');
is(row('count', "role = 'app'"), '12', 'and whoever comes again and again');
my $psql = sub { return ($node->psql('postgres', $_[1], extra_params => [ '-U', $_[0] ])) };
is(($psql->('monitor', 'SELECT count(*) > 1 FROM sslpolicy.recent_logins'))[1], 't', 'pg_monitor may read them');
like(($psql->('app', 'SELECT * FROM sslpolicy.recent_logins'))[2], qr/permission denied for view recent_logins/, 'others may not');
like(($psql->('app', 'SELECT * FROM sslpolicy.get_recent_logins()'))[2], qr/permission denied for function/, 'by no means');

$server->stop;
$node->append_conf('postgresql.conf', 'sslpolicy.max_recent_logins = 3');
$server->start;
is(row('count(*)'), '3', 'a smaller table keeps what fits');
is(row('count(*)', "role = 'monitor'"), '1', 'the newest');
$server->stop;
$node->append_conf('postgresql.conf', 'sslpolicy.max_recent_logins = 0');
$server->start;
ok($server->login(user => 'app', cert => 'new', sslmode => 'require')->{ok}, 'switched off, logins go on');
is(row('count(*)'), '0', 'and the view is empty');
$server->restart;
is(row('count(*)'), '0', 'also after a restart');
$server->stop;
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$server->start;
like(($node->psql('postgres', 'SELECT * FROM sslpolicy.recent_logins'))[2], qr/ERROR:  sslpolicy is not preloaded/, 'without preloading there is no table');
$server->stop;

done_testing();
