# Metrics: what is installed for Prometheus and Grafana, run by the real
# programs.  (Grafana itself is not run.)
#
# 1. promtool accepts the alert rules; each alert fires on data that has its
#    fault, alone, and none on data that has no fault
# 2. prometheus-postgres-exporter, as a member of pg_monitor and nothing else,
#    serves every metric of queries.yaml, with the right values, whatever others have
#    put into its search_path
# 3. Prometheus evaluates every expression of dashboard and alerts on them, and
#    finds data; real faults raise alerts
# 4. a failed load of TLS files is seen
# 5. a server without the library: the exporter goes on, and the alert for it
#    has its data
use strict;
use warnings;
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Outside;
use SSLPolicy::Server;

my $exporter_program = 'prometheus-postgres-exporter';
need_programs('promtool', 'prometheus', $exporter_program);
my $queries = slurp_file(installed_file('queries.yaml'));
my $alerts_file = installed_file('alerts.yaml');
my $alerts = slurp_file($alerts_file);
my $dashboard = decode_json(slurp_file(installed_file('dashboard.json')));
my $work = PostgreSQL::Test::Utils::tempdir('metrics');

sub spew
{
	my ($file, $text) = @_;
	write_file($file, $text);
	return $file;
}

# the metrics that queries.yaml promises: key_column of all that is no label
my @promised;
my ($key, $column);
for (split /\n/, $queries)
{
	$key = $1 if /^(\w+):/;
	$column = $1 if /^    - (\w+):/;
	push @promised, "${key}_$column" if /^        usage: (?:GAUGE|COUNTER)/;
}

# expressions of the dashboard, as Grafana would send them
my @expressions;
for my $panel (@{ $dashboard->{panels} })
{
	push @expressions, [ $panel->{title}, $_->{expr} =~ s/\$(?:instance|server)\b/.*/gr =~ s/\$__rate_interval/1m/gr ]
	  for @{ $panel->{targets} // [] };
}

# 1
my ($out, $err) = ('', '');
ok(IPC::Run::run([ 'promtool', 'check', 'rules', '--lint=all', '--lint-fatal', $alerts_file ], '>', \$out, '2>', \$err), 'promtool accepts the rules')
  or diag("$out$err");

my $l = 'job="j", instance="i", server="s"';

# what there is of a node: a state, settled, other material, age of its report
sub node_series
{
	my ($node, $state, $settled, $other, $age) = @_;
	my $of = "{$l, node=\"$node\", kind=\"crl\", state=\"$state\"}";
	return ("sslpolicy_nodes_count$of" => '1x240', "sslpolicy_nodes_settled$of" => "${settled}x240",
		"sslpolicy_nodes_other_material$of" => "${other}x240", "sslpolicy_nodes_report_age_seconds$of" => $age);
}
my %healthy = (
	"sslpolicy_worker_up{$l}" => '1x240',
	"sslpolicy_sessions_open{$l, compliant=\"true\", tls_version=\"TLSv1.3\", transport=\"tcp\"}" => '7x240',
	"sslpolicy_sessions_open{$l, compliant=\"unknown\", tls_version=\"none\", transport=\"tcp\"}" => '1x240',
	"sslpolicy_setting_info{$l, setting=\"enforcement\", value=\"enforce\"}" => '1x240',
	"sslpolicy_setting_info{$l, setting=\"recheck_revoked\", value=\"terminate\"}" => '1x240',
	"sslpolicy_setting_info{$l, setting=\"recheck_policy\", value=\"log\"}" => '1x240',
	"sslpolicy_setting_info{$l, setting=\"ssl\", value=\"on\"}" => '1x240',
	"sslpolicy_policies_unreadable{$l, object_type=\"role\"}" => '0x240',
	"sslpolicy_lint_findings{$l, severity=\"warning\", code=\"c\"}" => '3x240',
	"sslpolicy_logins_refused_total{$l}" => '5+1x240',
	"sslpolicy_role_logins_refused_total{$l, role=\"app\"}" => '5x240',
	"sslpolicy_role_logins_refused_total{$l}" => '0+9x240',
	"sslpolicy_sessions_ended_total{$l}" => '5x240',
	"sslpolicy_material_reload_failed{$l, kind=\"ca\"}" => '0x240',
	"sslpolicy_certificate_in_force{$l, kind=\"ca\", subject=\"CN=x\", fingerprint=\"f\"}" => '1x240',
	"sslpolicy_certificate_in_force{$l, kind=\"ca\", subject=\"CN=unknown\", fingerprint=\"g\"}" => join(" ", ("NaN") x 240),
	"sslpolicy_certificate_seconds_to_expiry{$l, kind=\"ca\", subject=\"CN=x\", fingerprint=\"f\"}" => (60 * 86400) . '-60x240',
	"sslpolicy_client_certificate_seconds_to_expiry{$l, role=\"app\"}" => (20 * 86400) . '-60x240',
	"sslpolicy_client_certificate_seconds_to_expiry{$l, role=\"of a day\"}" => '3600x240',
	"sslpolicy_crl_seconds_to_expiry{$l, issuer=\"CN=x\", file=\"f\"}" => (5 * 86400) . '-60x240',
	"sslpolicy_crl_seconds_to_expiry{$l, issuer=\"CN=without end\", file=\"f\"}" => join(" ", ("NaN") x 240),
	"sslpolicy_crl_usable{$l, issuer=\"CN=x\", file=\"f\"}" => '1x240',
	node_series('s1', 'in force', 1, 0, '0x240'),
	# applied within a minute, now and then
	"sslpolicy_nodes_settled{$l, node=\"s2\", kind=\"crl\", state=\"applying\"}" => join(' ', ('0', 'stale', '_x4') x 40),
	"sslpolicy_nodes_count{$l, node=\"s2\", kind=\"crl\", state=\"applying\"}" => join(' ', ('1', 'stale', '_x4') x 40),
	node_series('s3', 'foreign', 1, 0, '0x240'),
	node_series('long gone', 'gone', 0, 0, '90000+60x240'));

# a node is seen in this state from this minute on
sub failing_after
{
	my ($minute, @node) = @_;
	my %series = node_series(@node, '0x240');
	return map { $_ => "_x$minute " . $series{$_} } keys %series;
}

# alert, series that are other than in %healthy (undef: gone), when to look
my @faults = (
	[ SSLPolicyMetricsGone => { map { $_ => $healthy{$_} =~ s/x240$/x110 stale/r } keys %healthy }, '130m' ],
	[ SSLPolicyNotLoaded => { map { $_ => /^sslpolicy_worker/ ? '0x240' : undef } keys %healthy }, '3h', 'SSLPolicyWorkerDown' ],
	[ SSLPolicyWorkerDown => { "sslpolicy_worker_up{$l}" => '0x240' } ],
	[ SSLPolicyNotEnforced => { "sslpolicy_setting_info{$l, setting=\"enforcement\", value=\"log\"}" => '1x240' } ],
	[ SSLPolicyRevokedSessionsKept => { "sslpolicy_setting_info{$l, setting=\"recheck_revoked\", value=\"off\"}" => '1x240' } ],
	[ SSLPolicySSLOff => { "sslpolicy_setting_info{$l, setting=\"ssl\", value=\"off\"}" => '1x240' } ],
	[ SSLPolicyUnreadable => { "sslpolicy_policies_unreadable{$l, object_type=\"role\"}" => '1x240' } ],
	[ SSLPolicyLintError => { "sslpolicy_lint_findings{$l, severity=\"error\", code=\"c\"}" => '1x240' } ],
	[ SSLPolicySessionsNotCompliant => { "sslpolicy_sessions_open{$l, compliant=\"false\", tls_version=\"none\", transport=\"tcp\"}" => '1x240' } ],
	[ SSLPolicyManyRefusals => { "sslpolicy_logins_refused_total{$l}" => '0+120x240' } ],
	[ SSLPolicyRoleRefused => { "sslpolicy_role_logins_refused_total{$l, role=\"app\"}" => '0+1x240' } ],
	[ SSLPolicySessionsEnded => { "sslpolicy_sessions_ended_total{$l}" => '5x175 6x60' } ],
	[ SSLPolicyReloadFailed => { "sslpolicy_material_reload_failed{$l, kind=\"ca\"}" => '1x240' } ],
	[ SSLPolicyCertificateNotInForce => { "sslpolicy_certificate_in_force{$l, kind=\"ca\", subject=\"CN=x\", fingerprint=\"f\"}" => '0x240' } ],
	[ SSLPolicyCertificateExpiring => { "sslpolicy_certificate_seconds_to_expiry{$l, kind=\"ca\", subject=\"CN=x\", fingerprint=\"f\"}" => (29 * 86400) . '-60x240' } ],
	[ SSLPolicyCertificateExpired => { "sslpolicy_certificate_seconds_to_expiry{$l, kind=\"ca\", subject=\"CN=x\", fingerprint=\"f\"}" => '-5-60x240' } ],
	[ SSLPolicyClientCertificateExpiring => { "sslpolicy_client_certificate_seconds_to_expiry{$l, role=\"app\"}" => (7 * 86400 + 1000) . '-60x240' } ],
	[ SSLPolicyCRLExpiring => { "sslpolicy_crl_seconds_to_expiry{$l, issuer=\"CN=x\", file=\"f\"}" => '86000-60x240' } ],
	[ SSLPolicyCRLExpired => {
			"sslpolicy_crl_seconds_to_expiry{$l, issuer=\"CN=x\", file=\"f\"}" => '-5-60x240',
			"sslpolicy_crl_usable{$l, issuer=\"CN=x\", file=\"f\"}" => '0x240' } ],
	[ SSLPolicyCRLUnusable => { "sslpolicy_crl_usable{$l, issuer=\"CN=x\", file=\"f\"}" => '0x240' } ],
	# at once
	[ SSLPolicyNodeFailed => { failing_after(180, 's4', 'failed', 1, 0) }, '3h' ],
	[ SSLPolicyNodeOtherMaterial => { failing_after(180, 's4', 'newer', 1, 1) }, '3h' ],
	[ SSLPolicyNodeNotInForce => { node_series('s4', 'applying', 0, 0, '0x240') } ]);
my @more_faults = (
	[ SSLPolicyNodeOtherMaterial => { failing_after(180, 's4', 'foreign', 1, 1) }, '3h' ],
	# for a minute
	[ undef, { failing_after(180, 's4', 'silent', 0, 0) }, '3h' ],
	[ SSLPolicyNodeNotInForce => { failing_after(179, 's4', 'silent', 0, 0) }, '3h' ],
	[ SSLPolicyNodeNotInForce => { failing_after(179, 's4', 'in force', 0, 0) }, '3h' ],
	[ SSLPolicyNodeNotInForce => { node_series('s4', 'gone', 0, 0, '60+60x240') } ]);

# does promtool find exactly these alerts firing?
sub fires
{
	my ($changes, $at, @expected) = @_;
	my %series = (%healthy, %$changes);
	# a setting has one value
	for my $setting (map { /^sslpolicy_setting_info.*(setting="\w+")/ } keys %$changes)
	{
		delete $series{$_} for grep { index($_, $setting) >= 0 && !exists $changes->{$_} } keys %series;
	}
	my @series = map { { series => $_, values => $series{$_} } } grep { defined $series{$_} } sort keys %series;
	# JSON is YAML
	my $file = spew("$work/alerts_test.yaml", encode_json({
		rule_files => [$alerts_file],
		evaluation_interval => '1m',
		tests => [ {
			interval => '1m',
			input_series => \@series,
			promql_expr_test => [ {
				expr => 'count by (alertname) (ALERTS{alertstate="firing"})',
				eval_time => $at,
				exp_samples => [ map { { labels => "{alertname=\"$_\"}", value => 1 } } @expected ] } ] } ] }));
	my $output = '';
	my $ok = IPC::Run::run([ 'promtool', 'test', 'rules', $file ], '>', \$output, '2>&1');
	return ($ok, $output);
}

my ($ok, $output) = fires({}, '3h');
ok($ok, 'no alert without a fault') or diag($output);
($ok, $output) = fires({}, '3h', 'SSLPolicyWorkerDown');
ok(!$ok, 'promtool would notice one that is missing');
($ok, $output) = fires($faults[2][1], '3h');
ok(!$ok, 'and one too many');
is_deeply([ sort map { $_->[0] } @faults ], [ sort $alerts =~ /- alert: (\w+)/g ], 'there is a fault for each alert');
for my $fault (@faults, @more_faults)
{
	my ($alert, $changes, $at, @others) = @$fault;
	($ok, $output) = fires($changes, $at // '3h', $alert // (), @others);
	ok($ok, ($alert // 'none') . ' fires on its fault alone') or diag($output);
}

# 2
my $server = SSLPolicy::Server->new('metrics', conf => "cluster_name = 'metrics'\n",
	hba => ['hostssl all nobody all reject']);
my $certs = $server->certs;
my $dir = $certs->{dir};
my $node = $server->node;
$certs->client('app', issuer => 'root', subject => '/CN=app', not_after => time + 10 * 86400);
write_file("$dir/root.crl", make_crl($certs, 'root', 1, days => 5));
$node->append_conf('postgresql.conf', "ssl_crl_file = '$dir/root.crl'\n");
$server->start;
$server->sql(q{CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE "o'hara ""x"" <b>" LOGIN; CREATE ROLE nobody LOGIN;
	CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor; CREATE ROLE late LOGIN});
# a trap: count("any") of pg_catalog is no exact match, this one is
$server->sql(q{CREATE ROLE mallory; GRANT CREATE ON SCHEMA public TO mallory; SET ROLE mallory;
	CREATE FUNCTION public.trap(int, text) RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE LOG 'trapped: %', current_user; RETURN 42; END$$;
	CREATE AGGREGATE public.count(text) (sfunc = public.trap, stype = int, initcond = '0')});
is($server->sql("SELECT count('x'::text)"), 42, 'a role that looks into public is trapped');
$server->label(role => { app => 'sslmode=verify-full', late => 'sslmode=require action=log; sslmode=prefer' });

my @held = ($server->background(user => 'app', cert => 'app'));
push @held, $server->background(user => q{o'hara "x" <b>}, extra => 'ssl_max_protocol_version=TLSv1.2');
push @held, $server->background(user => 'late', sslmode => 'disable');
ok(!$server->login(user => 'app', sslmode => 'require')->{ok}, 'a login is refused');
ok(!$server->login(user => 'nobody', sslmode => 'require')->{ok}, 'one by pg_hba.conf');
# a session that does not comply
$server->set('sslpolicy.enforcement' => 'log');
push @held, $server->background(user => 'app', sslmode => 'disable');
$server->set('sslpolicy.enforcement' => undef);

sub start_exporter
{
	my ($port, $to) = @_;
	my $handle = start_program("$work/exporter.log", {
			DATA_SOURCE_NAME => 'host=127.0.0.1 port=' . $to->port . ' user=monitor dbname=postgres sslmode=require' },
		$exporter_program, "--web.listen-address=127.0.0.1:$port", '--extend.query-path=' . installed_file('queries.yaml'));
	my $metrics = wait_until('the exporter', sub { http_get("http://127.0.0.1:$port/metrics") });
	# metrics are prefixed with the labels of the server, which is of no interest here
	$metrics =~ s/server="[^"]*",?//g;
	return ($handle, $metrics =~ s/,\}/}/gr);
}

my $port = PostgreSQL::Test::Cluster::get_free_port();
my ($exporter, $metrics) = start_exporter($port, $node);
like($metrics, qr/^pg_exporter_user_queries_load_error\{.*\} 0$/m, 'the exporter has read the queries');
like($metrics, qr/^pg_exporter_last_scrape_error 0$/m, 'no query failed') or diag(slurp_file("$work/exporter.log"));
for my $metric (@promised)
{
	ok($metrics =~ /^\Q$metric\E[{ ]/m, "metric $metric is there");
}
is_deeply([ sort grep { !/^pg_/ } $metrics =~ /^# TYPE (sslpolicy_\w+)/mg ], [ sort @promised ], 'and no other');

# the value of a metric, by name and some labels
sub value
{
	my ($name, @labels) = @_;
	my @lines = grep {
		my $line = $_;
		!grep { index($line, $_) < 0 } @labels
	} $metrics =~ /^(\Q$name\E[{ ].*)$/mg;
	return 'none' unless @lines;
	my ($value) = $lines[0] =~ /(\S+)$/;
	return @lines == 1 ? $value : scalar(@lines) . ' of them';
}
is(value('sslpolicy_worker_up'), 1, 'the worker');
is(value('sslpolicy_setting_info', 'setting="enforcement"', 'value="enforce"'), 1, 'a setting');
is(value('sslpolicy_sessions_open', 'tls_version="TLSv1.3"', 'client_certificate="true"', 'compliant="true"'), 1, 'sessions: a certificate');
is(value('sslpolicy_sessions_open', 'tls_version="TLSv1.2"'), 1, 'sessions: TLS 1.2');
is(value('sslpolicy_sessions_open', 'tls_version="none"', 'transport="tcp"', 'compliant="false"'), 1, 'sessions: one that does not comply');
is(value('sslpolicy_sessions_open', 'tls_version="none"', 'transport="tcp"', 'compliant="true"'), 1, 'sessions: one without TLS that does');
is(() = $queries =~ /^  query: \|$/mg, () = $queries =~ /^  query: \|\n    SET LOCAL search_path = pg_catalog, pg_temp;$/mg, 'every query sets search_path');
unlike(slurp_file($node->logfile), qr/trapped: monitor/, 'and the role that asks is not trapped');
is(value('sslpolicy_policies_objects', 'object_type="role"'), 2, 'policies');
is(value('sslpolicy_policies_objects', 'object_type="database"'), 0, 'policies: none');
is(value('sslpolicy_policies_log_rules', 'object_type="role"'), 1, 'policies: rules that log');
is(value('sslpolicy_role_logins_refused_total', 'role="app"'), 1, 'a refusal by role');
cmp_ok(value('sslpolicy_logins_refused_total'), '>=', 1, 'and among all');
cmp_ok(value('sslpolicy_role_logins_logged_total', 'role="late"'), '>=', 1, 'one that was only logged');
cmp_ok(value('sslpolicy_role_logins_allowed_total', q{role="o'hara \"x\" <b>"}), '>=', 1, 'a role with a difficult name');
is(value('sslpolicy_rejections_kept', 'source="policy"', 'would_be="false"'), 1, 'rejections');
cmp_ok(value('sslpolicy_rejections_kept', 'source="server"'), '>=', 1, 'rejections by PostgreSQL');
my $left = value('sslpolicy_client_certificate_seconds_to_expiry', 'role="app"');
ok($left > 9.9 * 86400 && $left <= 10 * 86400, 'when the client certificate expires');
$left = value('sslpolicy_crl_seconds_to_expiry', 'Test Root');
ok($left > 4.9 * 86400 && $left <= 5 * 86400, 'when the CRL expires');
is(value('sslpolicy_crl_usable', 'Test Root'), 1, 'which can be used');
for my $kind (qw(server ca))
{
	my $fingerprint = $certs->get($kind eq 'ca' ? 'root' : 'server')->{fingerprint};
	ok(value('sslpolicy_certificate_seconds_to_expiry', "kind=\"$kind\"", $fingerprint) > 0, "when the $kind certificate expires");
	is(value('sslpolicy_certificate_in_force', "kind=\"$kind\"", $fingerprint), 1, 'which is in force');
	is(value('sslpolicy_material_generation', "kind=\"$kind\""), $server->sql("SELECT generation FROM sslpolicy.material_status WHERE kind = '$kind'"), 'its generation');
	is(value('sslpolicy_material_reload_failed', "kind=\"$kind\""), 0, 'loaded');
}
for my $kind (qw(ca crl))
{
	my @of = ('node="metrics"', "kind=\"$kind\"", 'state="local"');
	is(value('sslpolicy_nodes_count', @of), 1, "this node has its own $kind");
	is(value('sslpolicy_nodes_settled', @of), 1, 'and nothing to do');
	is(value('sslpolicy_nodes_other_material', @of), 0, 'nothing else in place');
	cmp_ok(value('sslpolicy_nodes_report_age_seconds', @of), '<', 60, 'it knows itself');
}
is($server->sql('SELECT count(DISTINCT (severity, code)) FROM sslpolicy.lint()'), scalar(() = $metrics =~ /^sslpolicy_lint_findings\{/mg), 'findings of lint()');

# 3
is(scalar(grep { !defined $_->{datasource} || $_->{datasource}{uid} ne '${datasource}' } map { @{ $_->{targets} // [] } } @{ $dashboard->{panels} }), 0,
	'every query of the dashboard asks the data source that is chosen');
my %ids = map { $_->{id} => 1 } @{ $dashboard->{panels} };
is(scalar(keys %ids), scalar(@{ $dashboard->{panels} }), 'its panels have numbers of their own');
my @cells = map {
	my $p = $_->{gridPos};
	map { my $y = $_; map { "$_/$y" } $p->{x} .. $p->{x} + $p->{w} - 1 } $p->{y} .. $p->{y} + $p->{h} - 1
} @{ $dashboard->{panels} };
my %cells = map { $_ => 1 } @cells;
is(scalar(keys %cells), scalar(@cells), 'and do not overlap');
is_deeply([ grep { my $metric = $_; !grep { $_ eq $metric } @promised } map { $_->[1] =~ /\b(sslpolicy_\w+)/g } @expressions ], [], 'its metrics exist');

my $web = PostgreSQL::Test::Cluster::get_free_port();
spew("$work/prometheus.yml", encode_json({
	global => { scrape_interval => '1s', evaluation_interval => '1s' },
	rule_files => [$alerts_file],
	scrape_configs => [ { job_name => 'postgres', static_configs => [ { targets => ["127.0.0.1:$port"] } ] } ] }));
my $prometheus = start_program("$work/prometheus.log", {}, 'prometheus', "--config.file=$work/prometheus.yml",
	"--storage.tsdb.path=$work/data", "--web.listen-address=127.0.0.1:$web", '--log.level=warn');
my $http = HTTP::Tiny->new;

# (status and error, number of results) of an expression
sub query
{
	my ($expr) = @_;
	my $response = $http->post_form("http://127.0.0.1:$web/api/v1/query", { query => $expr });
	return ("$response->{status} $response->{content}", 0) unless $response->{content} =~ /^\{/;
	my $json = decode_json($response->{content});
	return ($json->{status} . ($json->{error} // ''), scalar @{ $json->{data}{result} // [] }, $json->{data}{result});
}
wait_until('two scrapes', sub { (query('count_over_time(sslpolicy_worker_up[1m]) >= 2'))[1] });
# more of each, so that rates have something to count
$server->login(user => 'app', sslmode => 'require') for 1 .. 8;
$server->login(user => 'late', sslmode => 'disable');
wait_until('a scrape of that', sub { (query('increase(sslpolicy_role_logins_logged_total{role="late"}[1m]) > 0'))[1] });

for my $expression (@expressions)
{
	my ($title, $expr) = @$expression;
	my ($status, $rows) = query($expr);
	is($status, 'success', "dashboard, $title: Prometheus evaluates the query") or diag($expr);
	cmp_ok($rows, '>=', 1, "dashboard, $title: and has data") or diag($expr);
}
my $rules = wait_until('the rules', sub {
		my $groups = decode_json(http_get("http://127.0.0.1:$web/api/v1/rules"))->{data}{groups};
		my @rules = map { @{ $_->{rules} } } @$groups;
		return (grep { $_->{health} eq 'unknown' } @rules) ? undef : \@rules;
	});
is(scalar(@$rules), scalar(@faults), 'Prometheus has all alert rules');
for my $rule (@$rules)
{
	is("$rule->{health} " . ($rule->{lastError} // ''), 'ok ', "alert $rule->{name}: is evaluated");
	# with what it compares left out, there is data
	my @metrics = $rule->{query} =~ /\b(sslpolicy_\w+)/g;
	is_deeply([ grep { my $metric = $_; !grep { $_ eq $metric } @promised } @metrics ], [], "alert $rule->{name}: its metrics exist");
}
my $role_alert = wait_until('an alert', sub {
		my ($alert) = grep { $_->{labels}{alertname} eq 'SSLPolicyRoleRefused' } @{ decode_json(http_get("http://127.0.0.1:$web/api/v1/alerts"))->{data}{alerts} };
		return $alert;
	});
is($role_alert->{labels}{role}, 'app', 'refusals raise an alert for the role');
like($role_alert->{annotations}{summary}, qr/^Role app is refused again and again on 127\.0\.0\.1:\d+$/, 'with its name in the text');
my @pending = map { $_->{labels}{alertname} } @{ decode_json(http_get("http://127.0.0.1:$web/api/v1/alerts"))->{data}{alerts} };
ok((grep { $_ eq 'SSLPolicySessionsNotCompliant' } @pending), 'a session that does not comply is on its way to one');
unlike(http_get("http://127.0.0.1:$web/api/v1/alerts"), qr/error expanding|no value/, 'texts of alerts are complete');
stop_program($prometheus);
stop_program($exporter);

# 4
my $ca = slurp_file("$dir/root.crl");
spew("$dir/root.crl", "garbage\n");
my $offset = $server->log_offset;
$server->sql('SELECT pg_reload_conf()');
$server->wait_for_log(qr/SSL configuration was not reloaded/, $offset);
wait_until('the failure to be known', sub { $server->sql('SELECT count(*) FROM sslpolicy.material_status WHERE last_failed_load > last_load') });
($exporter, $metrics) = start_exporter($port, $node);
is(value('sslpolicy_material_reload_failed', 'kind="ca"'), 1, 'a failed load is seen');
is(value('sslpolicy_worker_up'), 1, 'beside the other metrics');
stop_program($exporter);
spew("$dir/root.crl", $ca);
$_->quit for @held;
$server->stop;

# 5
my $bare = SSLPolicy::Server->new('bare', preload => '');
$bare->start;
$bare->sql('CREATE EXTENSION sslpolicy; CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor');
($exporter, $metrics) = start_exporter($port, $bare->node);
is(value('sslpolicy_worker_up'), 0, 'without the library there is no worker');
is(value('sslpolicy_sessions_open'), 'none', 'nor sessions: the alert SSLPolicyNotLoaded has what it wants');
is(value('pg_up'), 1, 'the exporter goes on');
stop_program($exporter);
$bare->stop;
done_testing();
