# report/audit.sql: the page for an auditor.
#
# 1. a new server: every section is there, and says in words that it is empty
# 2. who may make it: superusers and pg_monitor; others get an error, and so
#    does a database without the extension
# 3. roles, policies, sessions, refusals, material, findings are on the page;
#    names meant as markup are text, in tables and in pictures; the page is
#    valid in its structure and asks for nothing from elsewhere
# 4. Chromium shows it without a complaint, and runs nothing of what the names
#    contain; it would have said so
# 5. many rows are cut, and the page says how many
# 6. it works on a standby, and has a section on nodes where there are several
use strict;
use warnings;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Outside;
use SSLPolicy::Server;

need_programs('chromium');
my $audit = installed_file('audit.sql');
my $work = PostgreSQL::Test::Utils::tempdir('report');
my $server = SSLPolicy::Server->new('report', init => { allows_streaming => 1 },
	hba => ['host all nobody all reject']);
my $certs = $server->certs;
my $dir = $certs->{dir};

# psql -XqAt -f audit.sql; returns exit status, page, errors
sub report
{
	my ($of, %opt) = @_;
	my ($page, $err) = ('', '');
	local $ENV{PGCLIENTENCODING};
	IPC::Run::run([ 'psql', '-XqAt', '-f', $audit, '-d', $of->node->connstr($opt{db} // 'postgres'), $opt{user} ? ('-U', $opt{user}) : () ],
		'<', \undef, '>', \$page, '2>', \$err);
	return ($? >> 8, $page, $err);
}

# What the elements with a name contain, without markup.
sub texts
{
	my ($page, $element) = @_;
	return map { s/<[^>]*>//gr } $page =~ m{<$element\b[^>]*>(.*?)</$element>}gs;
}

# The part of the page that begins with a heading, to the next one.
sub part
{
	my ($page, $heading) = @_;
	return $page =~ m{<(h[23])[^>]*>\Q$heading\E</\1>(.*?)(?=<h[23]\b|</main>)}s ? $2 : '';
}

# The first thing that is wrong with the structure of the page; '' if nothing.
sub wrong
{
	my ($page) = @_;
	my (@open, %ids);
	return 'no doctype' unless $page =~ s/^<!DOCTYPE html>\n//;
	$page =~ s{<style>.*?</style>}{}s;
	while ($page =~ m{\G([^<]*)(?:<(/?)(\w+)((?:\s+[\w-]+="[^"<]*")*)(/?)>)?}gc)
	{
		my ($text, $end, $name, $attributes, $empty) = ($1, $2, $3, $4, $5);
		return "bare & or > in: $text" if $text =~ /&(?!amp;|lt;|gt;|quot;|#39;)|>/;
		last unless defined $name;
		if ($end)
		{
			my $last = pop @open // 'nothing';
			return "</$name> closes $last" if $last ne $name;
			next;
		}
		my %attributes = $attributes =~ /([\w-]+)="([^"]*)"/g;
		return "id $attributes{id} twice" if defined $attributes{id} && $ids{ $attributes{id} }++;
		return '<th> without scope' if $name eq 'th' && ($attributes{scope} // '') !~ /^(col|row)$/;
		return '<html> without lang' if $name eq 'html' && ($attributes{lang} // '') ne 'en';
		return "<$name> out of place" if $name !~ /^(html|head|meta|link|title|style|body|main|header|nav|section|h[123]|p|ul|li|a|b|bdi|span|div|table|thead|tbody|tr|th|td|figure|figcaption|svg|g|text|rect|line)$/;
		return "attribute on$1" if $attributes =~ /\son(\w+)=/;
		return 'something from elsewhere: ' . $attributes if $attributes =~ /\b(?:src|href)="(?!#|data:,")/;
		push @open, $name unless $empty || $name =~ /^(meta|link)$/;
	}
	return 'not markup at: ' . substr($page, pos($page) // 0, 60) if (pos($page) // 0) < length $page;
	return @open ? "open at the end: @open" : '';
}

# 1
$server->start;
$server->sql('CREATE EXTENSION sslpolicy');
my ($status, $page, $err) = report($server);
is("$status $err", '0 ', 'psql makes a page of a new server');
is(wrong($page), '', 'which is well formed');
is_deeply([ texts($page, 'h2') ], [ 'State of enforcement', 'Policies', 'Live sessions', 'Expiry', 'Refusals', 'Findings' ], 'its sections');
like(part($page, 'Policies as they are written'), qr/There is no policy/, 'no policies');
like(part($page, 'CRLs'), qr/There is no CRL/, 'no CRLs');
like(part($page, 'Recent refusals'), qr/Nobody was refused/, 'no refusals');
is((texts($page, 'h1'))[0], 'TLS audit of report', 'the title names the server');
like($page, qr/seen by role <bdi>\w+<\/bdi>/, 'and who has seen it');

# 2
$server->sql('CREATE ROLE monitor LOGIN; GRANT pg_monitor TO monitor; CREATE ROLE app LOGIN; CREATE DATABASE other');
($status, $page, $err) = report($server, user => 'monitor');
is("$status $err", '0 ', 'a member of pg_monitor may make it');
is(wrong($page), '', 'well formed');
like(part($page, 'What each login role must meet'), qr/without EXECUTE on sslpolicy\.effective_policy/, 'and is told what is left out');
($status, undef, $err) = report($server, user => 'app');
is($status, 3, 'others may not');
like($err, qr/role "app" may not see.*Grant it pg_monitor/s, 'and are told why');
($status, undef, $err) = report($server, db => 'other');
is($status, 3, 'not in a database without the extension');
like($err, qr/not installed in database "other"/, 'which is said');

# 3
# (distinguished names have a backslash before each < and >)
my $role = '<script>alert(1)</script>';
my $image = q{"><img src=x onerror='alert(2)'>};
my $group = '</svg></table>&amp;';
$certs->ca('evilca', subject => [ [ CN => '</title><script>alert(3)</script>' ] ]);
$certs->client('evil', issuer => 'root', subject => [ [ O => '<b>' ], [ CN => '"><img src=x onerror=alert(4)>' ] ], not_after => time + 3 * 86400);
$certs->client('app', issuer => 'root', subject => '/CN=app');
my $ca_file = $certs->bundle('trusted.crt', 'root', 'evilca');
write_file("$dir/root.crl", make_crl($certs, 'root', 1, days => 5));
$server->sql(qq{CREATE ROLE "$role" LOGIN; CREATE ROLE "@{[ $image =~ s/"/""/gr ]}" LOGIN SUPERUSER; CREATE ROLE "$group" NOLOGIN;
	GRANT "$group" TO app; CREATE ROLE nobody LOGIN; CREATE ROLE late LOGIN});
$server->label(
	role => {
		$role => q{cn='<b>nobody'},
		$group => 'sslmode=verify-ca max_lifetime=3650d',
		late => 'sslmode=verify-ca action=log; address=127.0.0.0/8 sslmode=prefer; sslmode=require min_protocol=TLSv1.3' },
	database => { other => 'sslmode=require' });
$server->set(ssl_ca_file => $ca_file, ssl_crl_file => "$dir/root.crl");
my @held = (
	$server->background(user => 'app', cert => 'app'),
	$server->background(user => 'late', extra => 'ssl_max_protocol_version=TLSv1.2'),
	$server->background(user => 'late', sslmode => 'disable'));
ok(!$server->login(user => $role, cert => 'evil', sslmode => 'require')->{ok}, 'a certificate with markup is refused');
ok(!$server->login(user => 'app', sslmode => 'require')->{ok}, 'and one that is not there');
ok(!$server->login(user => 'nobody')->{ok}, 'and one by pg_hba.conf');

($status, $page, $err) = report($server);
is("$status $err", '0 ', 'psql makes the page');
is(wrong($page), '', 'which is well formed');
my $applies = part($page, 'What each login role must meet');
like($applies, qr{<th scope="row">app</th><td>verify-ca</td>.*?<td>[^<]*3650[^<]*</td>}, 'what a role must meet, by its group');
like($applies, qr{<th scope="row">late</th><td>verify-ca \(log\)[^<]*prefer ◦}, 'what depends on the address, and what is only logged');
like($applies, qr{<th scope="row">monitor</th>(?:<td><span class="none">–</span></td>)+<td>database, where it has a policy ◦</td>}, 'a role without policy, but for that of a database');
like($applies, qr{alert\(2\)[^<]*\(superuser\)</th>(?:<td><span class="none">–</span></td>)+<td>no policy</td>}, 'a role without any policy');
my $written = part($page, 'Policies as they are written');
like($written, qr{<th scope="row">role late</th><td>3</td><td>all</td><td>require</td><td>TLSv1\.3</td>}, 'policies as they are written');
like($written, qr{<th scope="row">database other</th>}, 'those of databases too');
like($page, qr{<th scope="row">sslpolicy\.enforcement</th><td>enforce</td>}, 'settings');
my $sessions = (split /<h2/, $page)[3];
my ($picture) = $sessions =~ m{(<svg.*?</svg>)}s;
is_deeply([ texts($picture, 'text') ], [ 'Unix socket', 1, 'TLSv1.3', 1, 'TLSv1.2', 1, 'TCP without TLS', 1 ], 'the picture of sessions');
my @table = $sessions =~ m{<th scope="row">(?:app|late)</th><td>postgres</td>}g;
is(scalar(@table), 3, 'and their table');
my $expiry = (split /<h2/, $page)[4];
my @lines = grep { /: / } texts($expiry =~ m{(<svg.*?</svg>)}s, 'text');
is_deeply([ map { s/:.*//r } sort @lines ], [qw(CA CA CRL client server)], 'the picture of expiries');
ok((grep { $_ eq 'CA: CN=\\&lt;/title\\&gt;\\&lt;script\\&gt;alert(3)\\&lt;/scrip…' } @lines), 'a CA with markup is text in it');
like($expiry, qr{<span class="mono">[0-9a-f]{64}</span>}, 'certificates with their fingerprints');
like(part($page, 'CRLs'), qr{<th scope="row">O=Acme,CN=Test Root</th><td><span class="long">[^<]*/root\.crl</span></td><td>1</td>}, 'CRLs');
my $refusals = part($page, 'Recent refusals');
like($refusals, qr{<td>&lt;script&gt;alert\(1\)&lt;/script&gt;</td>.*?<td>policy</td><td>no</td><td>TLSv1\.3</td><td><span class="long">[^<]*&lt;img src=x onerror=alert\(4\)\\&gt;}, 'a refusal, and its certificate as text');
like($refusals, qr{<td>app</td><td>postgres</td><td>127\.0\.0\.1</td><td><span class="long">[^<]*sslmode}, 'another one');
like($refusals, qr{<td>nobody</td>.*?pg_hba\.conf.*?<td>server</td>}, 'one by PostgreSQL');
like($refusals, qr{<td>late</td>.*?yes, only logged}, 'one that was only logged');
like(part($page, 'Logins by role'), qr{<th scope="row">app</th><td>\d+</td><td><span class="warn">1</span></td>}, 'counts of a role');
my $findings = (split /<h2/, $page)[6];
is(scalar(() = $findings =~ /<tr>/g) - 1, $server->sql('SELECT count(*) FROM sslpolicy.lint()'), 'findings of lint()');

# 4
write_file("$work/audit.html", $page);
write_file("$work/control.html", '<!DOCTYPE html><html lang="en"><title>x</title><p id="p">before</p><script>document.getElementById("p").textContent = "after"; console.error("an error")</script></html>');

# the page as Chromium has understood it, and what it had to say
sub browse
{
	my ($file) = @_;
	my ($dom, $log) = ('', '');
	local $ENV{HOME} = $work;
	IPC::Run::run([ 'chromium', '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-extensions',
			'--no-first-run', '--disable-background-networking', "--user-data-dir=$work/profile", '--enable-logging=stderr', '--dump-dom', "file://$file" ],
		'<', \undef, '>', \$dom, '2>', \$log, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return ($dom, join "\n", grep { /CONSOLE/ } split /\n/, $log);
}
my ($dom, $console) = browse("$work/control.html");
like($dom, qr{<p id="p">after</p>}, 'Chromium runs scripts');
like($console, qr/an error/, 'and says what their console has');
($dom, $console) = browse("$work/audit.html");
is($console, '', 'nothing in the console');
like($dom, qr{</section>\s*</main>\s*</body>\s*</html>\s*$}, 'all of the page is there');
unlike($dom, qr{<(?:script|img|iframe|object|embed)}, 'no element that could run or load something');
is(scalar(() = $dom =~ /<(?:td|th)\b/g), scalar(() = $page =~ /<(?:td|th)\b/g), 'as many cells as were written');
is(scalar(() = $dom =~ /<(?:text|rect)\b/g), scalar(() = $page =~ /<(?:text|rect)\b/g), 'and pieces of pictures');
like($dom, qr/&lt;script&gt;alert\(1\)&lt;\/script&gt;/, 'the name of a role is shown as text');
like($dom, qr/&lt;img src=x onerror='alert\(2\)'&gt;/, 'and that of another');

# 5
$server->sql(q{DO $$ BEGIN FOR i IN 1 .. 520 LOOP EXECUTE format('CREATE ROLE many_%s LOGIN', i); EXECUTE format('SECURITY LABEL FOR sslpolicy ON ROLE many_%s IS %L', i, 'sslmode=require'); END LOOP; END $$});
my $rules = $server->sql('SELECT count(*) FROM sslpolicy.policies');
($status, $page, $err) = report($server);
is("$status $err", '0 ', 'with many roles');
is(wrong($page), '', 'well formed');
$written = part($page, 'Policies as they are written');
is(scalar(() = $written =~ /<th scope="row">/g), 500, 'five hundred rows');
like($written, qr{<p class="more">@{[ $rules - 500 ]} more rows are left out\.</p>}, 'and how many are left out');

# 6
my $standby = $server->standby('report_standby');
$standby->start;
$server->node->wait_for_catchup($standby->node, 'replay');
($status, $page, $err) = report($standby);
is("$status $err", '0 ', 'on a standby');
is(wrong($page), '', 'well formed');
like($page, qr/, on a standby\./, 'which is said');
unlike($page, qr/id="nodes"/, 'one node alone, and nothing replicated: no section on nodes');
# names of nodes come from their connections
my $markup = '<script>alert(5)</script>';
$standby->node->append_conf('postgresql.conf', "primary_conninfo = '" . $server->node->connstr =~ s/'/''/gr . " application_name=$markup'\n");
$standby->restart;
ok($server->node->poll_query_until('postgres', "SELECT count(*) = 2 FROM sslpolicy.nodes WHERE node = '$markup' AND state = 'local'"), 'the standby has reported')
  or diag($server->sql('SELECT * FROM sslpolicy.nodes'));
($status, $page, $err) = report($server);
is("$status $err", '0 ', 'with two nodes');
is(wrong($page), '', 'well formed');
is((texts($page, 'h2'))[-1], 'Nodes', 'there is a section on them');
my $nodes = part($page, 'Nodes');
like($nodes, qr{<th scope="row">report\n\(this server\)</th><td>ca</td><td>local</td>}, 'this server');
like($nodes, qr{<th scope="row">&lt;script&gt;alert\(5\)&lt;/script&gt;</th><td>crl</td><td>local</td>}, 'the standby, its name as text');
# there may be two more: the standby had another name before
is(scalar(() = $nodes =~ /<th scope="row">(?:report\n|&lt;script&gt;)/g), 4, 'a row for each node and kind');
my $list = make_crl($certs, 'root', 2, days => 5);
$server->sql("SELECT FROM sslpolicy.set_crl('$list', true)");
$server->sql(q{SELECT FROM sslpolicy.wait_for_nodes('60s')});
($status, $page, $err) = report($server);
is("$status $err", '0 ', 'with a CRL that is replicated');
like(part($page, 'Nodes'), qr{\(this server\)</th><td>crl</td><td><span class="good">in force</span></td><td>.*?</td><td><span class="mono">[0-9a-f]{64}</span></td>}, 'which is in force');
$standby->stop;
$_->quit for @held;
$server->stop;
done_testing();
