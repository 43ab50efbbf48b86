# CAs and CRLs of every node: on a primary, a standby, and a standby of that.
#
# 1. CAs: set, rotated; whom that would refuse
# 2. what is no CA, and what changes nothing
# 3. transactions; two writers
# 4. functions that refuse meanwhile; CAs rolled back; NULL
# 5. CRLs: set, newer ones, older ones, live sessions
# 6. certificates of issuers; sslpolicy.crl_file on some nodes
# 7. rolled back; what a node has of its own; dropped with their CA
# 8. warnings
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $primary = SSLPolicy::Server->new('primary', init => { allows_streaming => 1 },
	conf => "sslpolicy.recheck_policy = terminate\nmax_prepared_transactions = 2\nssl_ca_file = 'ca.crt'\n");
my $certs = $primary->certs;
my $dir = $certs->{dir};
my $root = $certs->get('root');
my $new = $certs->ca('new', subject => '/CN=New Root');
$certs->client($_, issuer => $root, subject => "/CN=$_") for qw(app bob);
my $int = $certs->intermediate('int', issuer => $root, subject => '/CN=Intermediate');
$certs->client('app_new', issuer => $new, subject => '/CN=app');
$certs->client('deep', issuer => $int, subject => '/CN=app');
$certs->client('rep', issuer => $root, subject => '/CN=rep');
system('cp', "$dir/root.crt", $primary->node->data_dir . '/ca.crt') == 0 or die 'no copy of the CA';
$primary->start;
$primary->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE boss LOGIN; CREATE ROLE rep LOGIN REPLICATION');
my $standby = $primary->standby('standby');
$standby->start;
my $cascade = $standby->standby('cascade');
$cascade->start;
my @all = ([ primary => $primary ], [ standby => $standby ], [ cascade => $cascade ]);

sub crl { my ($ca, $number, @revoked) = @_; return make_crl($certs, $ca, $number, revoked => \@revoked) }
sub version { return $primary->sql("SELECT xmin FROM pg_shseclabel WHERE provider = 'sslpolicy_$_[0]'") }

# live sessions of a certificate, one on each node
sub open_sessions
{
	my ($cert, @servers) = @_;
	my @sessions;
	for (@servers ? @servers : @all)
	{
		my ($which, $server) = @$_;
		my $session = $server->background(cert => $cert, sslmode => 'require');
		push @sessions, { which => $which, server => $server, session => $session, pid => $session->query_safe('SELECT pg_backend_pid()') };
	}
	return @sessions;
}
sub all_ended
{
	my ($name, @sessions) = @_;
	for (@sessions)
	{
		ok($_->{server}->node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $_->{pid}"), "$name: its session has ended: $_->{which}");
		eval { $_->{session}->quit };
	}
	return;
}
sub all_live
{
	my ($name, @sessions) = @_;
	for (@sessions)
	{
		is($_->{server}->sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $_->{pid}"), 1, "$name: its session goes on: $_->{which}");
		eval { $_->{session}->quit };
	}
	return;
}

sub pem { return join '', map { slurp_file("$dir/$_.crt") } @_ }

# SQL that must fail: its SQLSTATE and text
sub failure
{
	my ($sql, $server) = @_;
	my ($rc, undef, $err) = ($server // $primary)->node->psql('postgres', "\\set VERBOSITY verbose\n$sql", on_error_stop => 1);
	return $rc == 0 ? 'no error' : $err;
}

# sets on the primary, and waits until all three nodes have it in force
sub set
{
	my ($kind, $text, $force) = @_;
	my $literal = defined $text ? "'$text'" : 'NULL';
	my $warnings = $primary->sql("SELECT array_to_string(warnings, E'\\n') FROM sslpolicy.set_$kind($literal, " . ($force ? 'true' : 'false') . ')');
	wait_for_all();
	return $warnings;
}

sub wait_for_all
{
	my $rows = $primary->sql(q{SELECT node, kind, state, detail FROM sslpolicy.wait_for_nodes('60s') ORDER BY is_self DESC, node, kind});
	note $rows;
	return $rows;
}

sub states { return $primary->sql("SELECT string_agg(DISTINCT state, ',') || ' ' || count(*) FROM sslpolicy.nodes WHERE kind = '$_[0]'") }

# the outcome of a login on each of the nodes
sub all_say
{
	my ($expected, $name, %opt) = @_;
	for (@all)
	{
		my ($which, $server) = @$_;
		my $login = $server->login(sslmode => 'require', %opt);
		my ($message) = $login->{err} =~ /(?:FATAL:  |SSL error: |server closed)(.*)/;
		like($login->{ok} ? 'in' : "$message|$login->{err}", $expected, "$name: $which");
	}
	return;
}
my ($in, $unknown, $revoked) = (qr/^in$/, qr/unknown ca/, qr/certificate revoked/);

###############################################################################
# 1

# the primary hears of a standby of a standby only from that one
$primary->node->poll_query_until('postgres', q{SELECT count(*) = 6 FROM sslpolicy.nodes WHERE state = 'local'}) or die 'not all nodes have reported';
is(wait_for_all(), join("\n", map { ("$_|ca|local|", "$_|crl|local|") } $primary->node->name eq '' ? () : ($primary->sql('SELECT node FROM sslpolicy.nodes WHERE is_self LIMIT 1'), qw(cascade standby))), 'three nodes, and nothing is replicated');
all_say($in, 'before', cert => 'app');
all_say($unknown, 'before', cert => 'app_new');
is(set(ca => pem(qw(root new))), '', 'set_ca()');
is(states('ca'), 'in force 3', 'in force on all');
all_say($in, 'both CAs', cert => $_) for qw(app app_new);


# what is applied makes the server reload: that must not be a reason to apply it again
sub loads { return $_[0]->sql(q{SELECT generation FROM sslpolicy.nodes WHERE is_self AND kind = 'ca'}) }
my @loads = map { loads($_->[1]) } @all;
sleep 2;
is_deeply([ map { loads($_->[1]) } @all ], \@loads, 'and then all are quiet');

$primary->sql(q{SELECT sslpolicy.set_policy('app', 'sslmode=verify-ca')});
my @sessions = open_sessions('app');
my $error = failure(q{SELECT sslpolicy.set_ca('} . pem('new') . q{')});
like($error, qr/ERROR:  55006: /, 'a CA that somebody uses is not removed');
like($error, qr/pid $sessions[0]{pid}, role "app": /, 'a live session is named');
like($error, qr/HINT:  Use force => true to set it anyway\./, 'the hint');
is(set(ca => pem('new'), 1), 'column "affected" covers only sessions and recent logins on this node', 'by force it is, and affected is of this node');
all_ended('the CA is gone', @sessions);
all_say($unknown, 'the old CA', cert => 'app');
all_say($in, 'the new CA', cert => 'app_new');
set(ca => pem(qw(root new)));
all_say($in, 'and back', cert => $_) for qw(app app_new);
all_say($in, 'and back', cert => 'bob', user => 'bob');
like(failure(q{SELECT sslpolicy.set_ca('} . pem('new') . q{')}), qr/ERROR:  55006: .*login of role "bob" at 20/s, 'recent logins are named, too');
my $offset = $primary->log_offset;
set(ca => pem(qw(new root)));
my $log = $primary->log_since($offset);
like($log, qr/LOG:  cluster CA changed by .*sha256|LOG:  cluster CA changed by .*SHA-256/i, 'the change is logged, with its hash');
unlike(join('', $log =~ /(LOG:  cluster CA changed.*\n(?:\t.*\n)*)/g), qr/BEGIN CERTIFICATE/, 'and without the PEM');
my $hash = $primary->sql(q{SELECT encode(sha256(convert_to(label, 'UTF8')), 'hex') FROM pg_shseclabel WHERE provider = 'sslpolicy_ca'});
like($log, qr/$hash/, 'the hash of the label');
is($primary->sql(q{SELECT string_agg(DISTINCT wanted, ',') FROM sslpolicy.nodes WHERE kind = 'ca'}), $hash, 'which every node wants');
set(ca => pem(qw(root new)));

# a standby that connects with a certificate
my $rep = $certs->get('rep');
$standby->sql("ALTER SYSTEM SET primary_conninfo = '" . $primary->conninfo(user => 'rep', cert => 'rep', sslmode => 'require') =~ s/'/''/gr . " application_name=standby'; SELECT pg_reload_conf()");
ok($primary->node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_replication WHERE usename = 'rep' AND state = 'streaming'}), 'a standby connects with a certificate');
$error = failure(q{SELECT sslpolicy.set_ca('} . pem('new') . q{')});
like($error, qr/pid \d+, role "rep", standby server "standby": /, 'its walsender is named, with the name of the standby');
like($primary->sql(q{BEGIN; SELECT affected->0->>'standby', array_to_string(warnings, E'\n') FROM sslpolicy.set_ca('} . pem('new') . q{', true); ROLLBACK}), qr/^standby\|.*standby server "standby" will be refused: /m, 'and by force in the warnings');

###############################################################################
# 2

my $version = version('ca');
like(set(ca => pem(qw(root new))), qr/^nothing has changed: this material is already replicated$/, 'the same again says so');
like(set(ca => "# with a comment\n" . pem(qw(root new))), qr/^nothing has changed/, 'a comment is no change');
is(version('ca'), $version, 'and nothing is written');
like(failure(q{SELECT sslpolicy.set_ca('} . crl(root => 1) . q{')}), qr/ERROR:  22023: there is a CRL in the text\n.*HINT:/s, 'a CRL is no CA');
like(failure("SELECT sslpolicy.set_ca('$_')"), qr/ERROR:  22023: /, 'nor is: ' . substr($_, 0, 10)) for 'garbage', '', '-----BEGIN CERTIFICATE-----', slurp_file("$dir/bob.crt");
like(failure("SELECT sslpolicy.set_crl('$_')"), qr/ERROR:  22023: /, 'no CRL: ' . substr($_, 0, 10)) for 'garbage', '', pem('root');
like(failure(q{SELECT sslpolicy.set_ca(lpad('', 6 * 1024 * 1024, 'x'))}), qr/ERROR:  54000: /, 'too long for CAs');
is(version('ca'), $version, 'nothing of it is written');

###############################################################################
# 3

my $only = pem('root');
$primary->sql("BEGIN; SELECT sslpolicy.set_ca('$only', true); ROLLBACK");
$primary->sql("BEGIN; SAVEPOINT s; SELECT sslpolicy.set_ca('$only', true); ROLLBACK TO s; COMMIT");
is(version('ca'), $version, 'rolled back, nothing is written');
wait_for_all();
all_say($in, 'rolled back', cert => 'app_new');
my $both = pem(qw(root new));
$primary->sql("BEGIN; SAVEPOINT s; SELECT sslpolicy.set_ca('$only', true); RELEASE s; PREPARE TRANSACTION 'p'");
wait_for_all();
all_say($in, 'prepared', cert => 'app_new');
$primary->sql("COMMIT PREPARED 'p'");
wait_for_all();
all_say($unknown, 'and committed', cert => 'app_new');
like(failure("BEGIN; SELECT sslpolicy.set_ca('$both'); SELECT sslpolicy.wait_for_nodes()"), qr/ERROR:  25001: .*Commit the transaction, then call the function/s, 'no wait in the transaction that sets it');
like(failure("SELECT sslpolicy.set_ca('$both')", $_->[1]), qr/ERROR:  25006: /, "not on a standby: $_->[0]") for @all[ 1, 2 ];
like(failure(q{SELECT sslpolicy.set_crl('} . crl(root => 1) . q{')}, $_->[1]), qr/ERROR:  25006: /, "nor CRLs: $_->[0]") for @all[ 1, 2 ];
like(failure("SELECT sslpolicy.set_$_(NULL)", $standby), qr/ERROR:  25006: /, "nor removed there: $_") for qw(ca crl);

my $first = $primary->node->background_psql('postgres');
$first->query_safe("BEGIN; SELECT sslpolicy.set_ca('$both')");
my $second = $primary->node->background_psql('postgres');
$second->query_until(qr/waiting/, "\\echo waiting\nSELECT warnings FROM sslpolicy.set_ca('$both');\n\\echo over\n");
ok($primary->node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%set_ca%'}), 'the second writer waits for the first');
$first->query_safe('COMMIT');
$version = version('ca');
$second->query_until(qr/over/, '');
$_->quit for $first, $second;
is(version('ca'), $version, 'and finds that nothing is to be done');
wait_for_all();

###############################################################################
# 4

my $print = $root->{fingerprint};
for (@all)
{
	my ($which, $server) = @$_;
	like(failure("SELECT sslpolicy.$_", $server), qr/ERROR:  55000: TLS material "ca" is replicated.*HINT:  Call sslpolicy\.set_ca\(\) on the primary/s, "$which: " . s/\(.*//sr)
	  for "install_ca('$both')", "add_ca('$both')", "remove_ca('$print')";
	like(failure(q{SELECT sslpolicy.rollback('ca')}, $server), qr/ERROR:  25006: /, "$which: rollback") unless $which eq 'primary';
}
set(ca => pem('root'), 1);
is($primary->sql(q{SELECT installed, jsonb_array_length(changes->'added') FROM sslpolicy.rollback('ca', dry_run => true)}), 'f|1', 'a dry run of rollback()');
wait_for_all();
all_say($unknown, 'a dry run does nothing', cert => 'app_new');
is($primary->sql(q{SELECT installed FROM sslpolicy.rollback('ca')}), 't', 'rollback()');
wait_for_all();
all_say($in, 'CAs are rolled back', cert => $_) for qw(app app_new);
is(states('ca'), 'in force 3', 'on all');

is(set(ca => undef), '', 'NULL');
is(states('ca'), 'local 3', 'nothing is replicated any more');
all_say($in, 'the files stay', cert => $_) for qw(app app_new);
is(set(ca => undef), 'nothing has changed: nothing is replicated', 'NULL again');
is($_->[1]->sql(qq{SELECT installed FROM sslpolicy.install_ca('$both')}), 't', "install_ca() works again: $_->[0]") for @all;
set(ca => $both);

###############################################################################
# 5

sub crl_files { return map { $_->[1]->sql('SHOW ssl_crl_file') } @all }
is($primary->sql(q{SELECT installed FROM sslpolicy.install_crl('} . crl(new => 3) . crl(root => 2) . q{')}), 't', 'the primary has CRLs of its own');
is(set(crl => crl(root => 3)), '', 'set_crl()');
is(states('crl'), 'in force 3', 'in force on all');
is($primary->sql(q{SELECT regexp_count(label, 'BEGIN X509 CRL') FROM pg_shseclabel WHERE provider = 'sslpolicy_crl'}), 2, 'those that the primary had are replicated, too');
all_say($in, 'not revoked', cert => $_) for qw(app app_new);
for (@all)
{
	my ($which, $server) = @$_;
	like(failure(q{SELECT sslpolicy.install_crl('} . crl(root => 4) . q{')}, $server), qr/ERROR:  55000: TLS material "crl" is replicated.*HINT:  Call sslpolicy\.set_crl\(\)/s, "$which: install_crl");
	like(failure(q{SELECT sslpolicy.rollback('crl', force => true)}, $server), qr/ERROR:  25006: /, "$which: rollback") unless $which eq 'primary';
}
$version = version('crl');
my %crl = (root => crl(root => 10, 'app'), new => crl(new => 10));
@sessions = open_sessions('app');
my @others = open_sessions('bob');
my $warnings = set(crl => $crl{root});
is($warnings, 'column "affected" covers only sessions and recent logins on this node', 'a revocation needs no force');
isnt(version('crl'), $version, 'and is written');
all_ended('revoked', @sessions);
all_live('not revoked', @others);
all_say($revoked, 'revoked', cert => 'app');
all_say($in, 'others', cert => $_) for qw(bob app_new);
$version = version('crl');
like(set(crl => $crl{root}), qr/^nothing has changed: this material is already replicated$/, 'the same again says so');
is(version('crl'), $version, 'and nothing is written');
like(failure(q{SELECT sslpolicy.set_crl('} . crl(root => 9) . q{')}), qr/ERROR:  22023: the CRL of .* is older than the one in place/, 'no older one');
like(failure(q{SELECT sslpolicy.set_crl('} . crl(root => 9) . q{', true)}), qr/ERROR:  22023: /, 'not by force');
like(failure(q{SELECT sslpolicy.set_crl('} . make_crl($certs, 'root', 11, next => time - 60) . q{')}), qr/ERROR:  22023: /, 'nor one that has expired');
my $der = do { my $text = crl(root => 11, 'app') =~ s/-----.*?-----|\s//gr; $text };
is($primary->sql("SELECT warnings FROM sslpolicy.set_crl(decode('$der', 'base64'))"), '{}', 'DER');
wait_for_all();
is(states('crl'), 'in force 3', 'DER: in force');
all_say($revoked, 'DER', cert => 'app');
like(set(crl => crl(root => 12) . $crl{new}), qr/^(?!nothing)/, 'both');
all_say($in, 'not revoked any more', cert => 'app');
set(crl => crl(root => 13, 'rep'));
ok($primary->node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_replication WHERE usename = 'rep'}), 'a revoked walsender is ended');
$primary->sql(q{SELECT sslpolicy.set_crl('} . crl(root => 14) . q{')});
ok($primary->node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_replication WHERE usename = 'rep' AND state = 'streaming'}), 'mended on the primary, the standby comes back');
wait_for_all();
is(states('crl'), 'in force 3', 'and has it in force');

###############################################################################
# 6

set(crl => crl(int => 1) . pem('int'));
is($primary->sql(q{SELECT regexp_count(label, 'BEGIN X509 CRL') || ' ' || regexp_count(label, 'BEGIN CERTIFICATE') FROM pg_shseclabel WHERE provider = 'sslpolicy_crl'}), '3 1', 'the certificate of an issuer that no CA file holds is replicated with its CRL');
is(states('crl'), 'in force 3', 'and is in force on all');
all_say($in, 'the issuer has a CRL', cert => 'deep');
set(crl => crl(int => 2, 'deep'));
all_say($revoked, 'the certificate is kept for the next CRL', cert => 'deep');
set(crl => crl(int => 3));
$version = version('crl');
like(set(crl => $_), qr/^nothing has changed/, 'each of several, again') for $primary->sql(q{SELECT label FROM pg_shseclabel WHERE provider = 'sslpolicy_crl'}) =~ /(-----BEGIN X509 CRL.*?-----END X509 CRL-----\n)/sg;
is(version('crl'), $version, 'changes nothing');

# sslpolicy.crl_file on one node, then on all
my $own = PostgreSQL::Test::Utils::tempdir();
my $sets_file = sub {
	my ($which, $server) = @{ $_[0] };
	write_file("$own/$which.pem", $primary->sql(q{SELECT label FROM pg_shseclabel WHERE provider = 'sslpolicy_crl'}) =~ s/-----BEGIN CERT.*?END CERT.*?-----//sr);
	$server->set('sslpolicy.crl_file' => "$own/$which.pem", 'ssl_crl_file' => '');
	$server->sql('SELECT sslpolicy.reload()');
	return;
};
my $indexed = qr/is revoked/;
$sets_file->($all[1]);
wait_for_all();
is(states('crl'), 'in force 3', 'sslpolicy.crl_file on one node: in force on all');
set(crl => crl(root => 20, 'app'));
all_say(qr/$revoked|$indexed/, 'sslpolicy.crl_file on one node', cert => 'app');
all_say($in, 'others', cert => 'bob');
$sets_file->($_) for @all[ 0, 2 ];
set(crl => crl(root => 21, 'bob'));
is(states('crl'), 'in force 3', 'on all: in force on all');
all_say($indexed, 'sslpolicy.crl_file on all', cert => 'bob');
all_say($in, 'not revoked any more', cert => 'app');
@sessions = open_sessions('app');
set(crl => crl(root => 22, 'app'));
all_ended('revoked, sslpolicy.crl_file on all', @sessions);
like(failure(q{SELECT sslpolicy.set_crl('} . crl(root => 20) . q{')}), qr/ERROR:  22023: .* is older than the one in place/, 'no older one');

###############################################################################
# 7

set(crl => crl(root => 23));
is($primary->sql(q{SELECT installed FROM sslpolicy.rollback('crl', dry_run => true, force => true)}), 'f', 'a dry run of rollback()');
wait_for_all();
all_say($in, 'a dry run does nothing', cert => 'app');
like(failure(q{SELECT sslpolicy.rollback('crl')}), qr/ERROR:  42501: /, 'not without force');
is($primary->sql(q{SELECT installed FROM sslpolicy.rollback('crl', force => true)}), 't', 'rollback() to an older CRL');
wait_for_all();
is(states('crl'), 'in force 3', 'in force on all');
all_say($indexed, 'CRLs are rolled back', cert => 'app');
$version = version('crl');
like(set(crl => crl(root => 22, 'app')), qr/^(?!nothing)/, 'a new one');
# a node that is down while two versions are rolled back
set(crl => crl(root => 24));
set(crl => crl(root => 25));
$cascade->stop;
$primary->sql(q{SELECT sslpolicy.rollback('crl', force => true)});
ok($primary->node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM sslpolicy.nodes WHERE is_self AND kind = 'crl' AND state = 'in force' AND wanted = (SELECT encode(sha256(convert_to(label, 'UTF8')), 'hex') FROM pg_shseclabel WHERE provider = 'sslpolicy_crl')}), 'rolled back');
$primary->sql(q{SELECT sslpolicy.rollback('crl', force => true)});
$cascade->start;
ok($cascade->node->poll_query_until('postgres', q{SELECT state = 'in force' FROM sslpolicy.nodes WHERE is_self AND kind = 'crl'}), 'a node that was down during two rollbacks') or diag($cascade->sql('SELECT * FROM sslpolicy.nodes'));
wait_for_all();

# a node with a newer CRL of its own, or with one of another issuer
write_file("$own/cascade.pem", crl(root => 40, 'bob'), crl(int => 40), crl(new => 40));
ok($cascade->node->poll_query_until('postgres', q{SELECT state = 'newer' FROM sslpolicy.nodes WHERE is_self AND kind = 'crl'}), 'a newer CRL of the node itself is kept') or diag($cascade->sql('SELECT * FROM sslpolicy.nodes'));
$primary->node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM sslpolicy.nodes WHERE node = 'cascade' AND kind = 'crl' AND state = 'newer'}) or die;
like($primary->sql(q{SELECT state, detail FROM sslpolicy.nodes WHERE node = 'cascade' AND kind = 'crl'}), qr/^newer\|the CRL of .* on the node is newer$/, 'and the primary knows');
set(crl => crl(root => 41) . crl(int => 41) . crl(new => 41));
is(states('crl'), 'in force 3', 'until one that is newer still is replicated');
$certs->ca('third', subject => '/CN=Third Root');
set(ca => pem(qw(root new third)));
write_file("$own/cascade.pem", slurp_file("$own/standby.pem"), crl(third => 1));
ok($cascade->node->poll_query_until('postgres', q{SELECT state = 'failed' AND detail LIKE '%on this node is not among the replicated CRLs%' FROM sslpolicy.nodes WHERE is_self AND kind = 'crl'}), 'a CRL of another issuer in the file of a node: it fails, with the reason') or diag($cascade->sql('SELECT * FROM sslpolicy.nodes'));
wait_for_all();
$warnings = set(ca => pem(qw(root new third)));
like($warnings, qr/^these nodes failed to apply what was replicated before: cascade$/m, 'and set_ca() warns of the node');
set(crl => crl(third => 2));
is(states('crl'), 'in force 3', 'until it is replicated');

# CRLs go with their CA
$warnings = set(ca => pem(qw(root new)));
like($warnings, qr/^the replicated CRL of "CN=Third Root" is removed, because its CA is removed$/m, 'set_ca() drops the CRL of a CA that goes, and says so');
is($primary->sql(q{SELECT regexp_count(label, 'BEGIN X509 CRL') FROM pg_shseclabel WHERE provider = 'sslpolicy_crl'}), 3, 'the others stay');
is($primary->sql(q{SELECT count(DISTINCT xmin::text) FROM pg_shseclabel WHERE provider IN ('sslpolicy_ca', 'sslpolicy_crl')}), 1, 'in the same transaction');
is(states('crl'), 'in force 3', 'in force on all');
$primary->sql(q{BEGIN; SELECT sslpolicy.set_ca('} . pem(qw(root new third)) . q{'); SELECT sslpolicy.set_crl('} . crl(third => 3) . q{'); COMMIT});
wait_for_all();
is(states($_), 'in force 3', "both in one transaction: $_") for qw(ca crl);

###############################################################################
# 8

$primary->set(synchronous_standby_names => 'nobody');
like($primary->sql("SET synchronous_commit = local; SELECT array_to_string(warnings, E'\\n') FROM sslpolicy.set_ca('" . pem(qw(root third new)) . q{')}), qr/^COMMIT will wait, unless you run SET LOCAL synchronous_commit = local: 1 more synchronous standby must be connected$/m, 'a synchronous standby is missing');
$primary->set(synchronous_standby_names => undef);
$cascade->set('sslpolicy.install' => 'off');
ok($cascade->node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM sslpolicy.nodes WHERE is_self AND state = 'foreign'}), 'a node that installs nothing is foreign');
ok($primary->node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM sslpolicy.nodes WHERE node = 'cascade' AND state = 'foreign'}), 'and the primary hears of it');
like(set(crl => crl(root => 42)), qr/^on these nodes something else writes the files, and must distribute this material: cascade$/m, 'set_crl() warns of it');
like($primary->sql(q{SELECT detail FROM sslpolicy.nodes WHERE node = 'cascade' AND kind = 'crl'}), qr/^the file of the node differs from what is replicated; sslpolicy\.install is off/, 'and it says what its file holds');
set(crl => undef);
is(states('crl'), 'local 3', 'NULL removes the CRLs');
all_say(qr/^in$/, 'files stay', cert => 'bob');
is($primary->sql(q{SELECT installed FROM sslpolicy.install_crl('} . crl(root => 43, 'bob') . q{')}), 't', 'install_crl() works again');

$primary->stop; $standby->stop; $cascade->stop;
done_testing();
