# CAs and CRLs of every node: on a primary, a standby, and a standby of that.
#
# 1. CAs: set, rotated, in transactions; which functions refuse meanwhile
# 2. CRLs: set, newer ones, live sessions
# 3. dropped with their CA; NULL; rollback
# 4. who may; the statement by hand
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl);
use SSLPolicy::Server;

my $primary = SSLPolicy::Server->new('primary', init => { allows_streaming => 1 },
	conf => "sslpolicy.recheck_policy = terminate\nmax_prepared_transactions = 2\nssl_ca_file = 'ca.crt'\n");
my $certs = $primary->certs;
my $dir = $certs->{dir};
my $root = $certs->get('root');
my $new = $certs->ca('new', subject => '/CN=New Root');
$certs->client($_, issuer => $root, subject => "/CN=$_") for qw(app bob);
$certs->client('app_new', issuer => $new, subject => '/CN=app');
system('cp', "$dir/root.crt", $primary->node->data_dir . '/ca.crt') == 0 or die 'no copy of the CA';
$primary->start;
$primary->sql('CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE boss LOGIN');
my $standby = $primary->standby('standby');
$standby->start;
my $cascade = $standby->standby('cascade');
$cascade->start;
my @all = ([ primary => $primary ], [ standby => $standby ], [ cascade => $cascade ]);

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

is(wait_for_all(), join("\n", map { ("$_|ca|local|", "$_|crl|local|") } $primary->node->name eq '' ? () : ($primary->sql('SELECT node FROM sslpolicy.nodes WHERE is_self LIMIT 1'), qw(cascade standby))), 'three nodes, and nothing is replicated');
all_say($in, 'before', cert => 'app');
all_say($unknown, 'before', cert => 'app_new');
is(set(ca => pem(qw(root new))), '', 'set_ca()');
is(states('ca'), 'in force 3', 'in force on all');
all_say($in, 'both CAs', cert => $_) for qw(app app_new);

$primary->stop; $standby->stop; $cascade->stop;
done_testing();
