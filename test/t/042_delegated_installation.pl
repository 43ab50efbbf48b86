# Whoever is granted a part of installing does not become the whole.  SECURITY.md names
# these tests.
#
# 1. files: a setting that names one, and a function that writes it
# 2. CAs: whom the caller could become, now and by the next statement
# 3. what the caller has changed in the same transaction, and a lock that it holds
# 4. CRLs: whom they may lock out, and who may force them
# 5. policies of roles that ALTER ROLE would not let the caller change
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Test::More;
use SSLPolicy::Crls qw(make_crl write_file);
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('delegated');
my ($certs, $node) = ($server->certs, $server->node);
my ($dir, $data) = ($certs->{dir}, $node->data_dir);
$certs->ca('customer', subject => '/CN=Customer CA');
$certs->ca('evil', subject => '/CN=Evil CA');
$certs->client('provider', issuer => 'root', subject => '/CN=provider');
$certs->client('app', issuer => 'root', subject => '/CN=app');
$certs->client('tenant', issuer => 'customer', subject => '/CN=tenant');
$certs->client("evil_$_", issuer => 'evil', subject => "/CN=$_") for qw(provider files standby keeper);
my $ca_file = "$dir/cas.pem";
write_file($ca_file, map { slurp_file("$dir/$_.crt") } qw(root customer));
$node->append_conf('postgresql.conf', "ssl_ca_file = '$ca_file'");
$server->start;
my $version = int($server->sql('SHOW server_version_num') / 10000);
$server->sql(<<'SQL');
CREATE EXTENSION sslpolicy;
CREATE ROLE customer LOGIN; CREATE ROLE app LOGIN; CREATE ROLE tenant LOGIN;
CREATE ROLE provider LOGIN SUPERUSER; CREATE ROLE keeper LOGIN;
CREATE ROLE files LOGIN IN ROLE pg_write_server_files; CREATE ROLE standby LOGIN REPLICATION;
GRANT ALTER SYSTEM ON PARAMETER "sslpolicy.crl_file" TO customer;
GRANT EXECUTE ON FUNCTION pg_reload_conf, sslpolicy.install_crl(text, boolean, boolean) TO customer;
SQL

sub as
{
	my ($user, $sql) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'psql', '-XqAt', '-v', 'VERBOSITY=verbose', '-d', $server->conninfo(user => $user, sslmode => 'require') ], '<', \"$sql;\n", '>', \$out, '2>', \$err);
	return $out . $err;
}
my %with;
sub call { my ($user, $call, $what) = @_; my $r = $server->login(%with, user => $user, sslmode => 'require', extra => "options='-c client_min_messages=error'", sql => 'SELECT ' . ($what // 'installed') . " FROM sslpolicy.$call"); return $r->{out} . $r->{err} }
sub pem { return slurp_file("$dir/$_[0].crt") }
sub crl { my ($ca, $number, @revoked) = @_; return make_crl($certs, $ca, $number, revoked => \@revoked) }
sub comes { my ($user, $cert) = @_; return $server->login(user => $user, cert => $cert, sslmode => 'require')->{ok} }

###############################################################################
# 1. Files

my $one = crl('root', 1);
my $place = '';
sub install_at
{
	my ($user, $path) = @_;
	$server->set('sslpolicy.crl_file' => $path) if $place ne $path;
	$place = $path;
	return call($user, "install_crl(\$\$$one\$\$::text, force => true)") =~ s/\n.*//sr;
}
subtest 'files: what is there and is no file of CRLs is not replaced' => sub {
	write_file("$data/$_->[0]", $_->[1]) for [ 'key.pem', slurp_file("$dir/server.key") ], [ 'mixed.pem', $one . pem('root') ],
	  [ 'cert.pem', pem('root') ], [ 'text.pem', "work_mem = 4MB\n" ], [ 'blank.pem', "\n" ], [ 'damaged.pem', $one =~ s/.{80}(?=\n-----END)//sr ],
	  [ 'both.pem', $one . slurp_file("$dir/server.key") ], [ 'parameters.pem', $one . "-----BEGIN DH PARAMETERS-----\nMAYCAQUCAQI=\n-----END DH PARAMETERS-----\n" ];
	mkdir "$data/folder.pem";
	for my $file (qw(pg_hba.conf PG_VERSION global/pg_control postgresql.auto.conf key.pem mixed.pem cert.pem text.pem blank.pem damaged.pem both.pem parameters.pem))
	{
		my $before = $file eq 'global/pg_control' ? '' : sha256_hex(slurp_file("$data/$file"));
		for my $path ($file, $file eq 'pg_hba.conf' ? ("$data/$file") : ())
		{
			for my $user (qw(customer provider))
			{
				like(install_at($user, $path), $user eq 'customer' ? qr/^ERROR:  (?:file "\Q$path\E" cannot be replaced|the file that is in place cannot be read)/ : qr/^ERROR:  (?:file|the file that is in place)/, "$user: $path");
			}
		}
		is(sha256_hex(slurp_file("$data/$file")), $before, "$file is as it was") if $before && $file ne 'postgresql.auto.conf';
	}
	like(install_at($_, 'folder.pem'), qr/^ERROR/, "$_: a folder") for qw(customer provider);
	done_testing();
};

subtest 'files: a new one has a name that means nothing else' => sub {
	for my $name (qw(recovery.signal standby.signal backup_label tablespace_map promote x.conf x .pem.conf pem))
	{
		for my $user (qw(customer provider))
		{
			like(install_at($user, $name), qr/^ERROR:  file "\Q$name\E" cannot be replaced/, "$user: $name");
			ok(!-e "$data/$name", "$name is not made");
		}
	}
	write_file("$data/empty.conf", '');
	like(install_at($_, 'empty.conf'), qr/^ERROR:  file "empty.conf" cannot be replaced/, "$_: one that is empty") for qw(customer provider);
	is(-s "$data/empty.conf", 0, 'it stays empty');
	for my $path (qw(base/x.pem pg_wal/x.pem global/x.pem pg_wal/archive_status/x.pem), 'pg_tblspc/x.crl')
	{
		like(install_at('customer', $path), qr/^ERROR:  file "\Q$path\E" cannot be replaced/, "a grantee: $path");
		ok(!-e "$data/$path", "$path is not made");
	}
	for my $path ('new.pem', "$dir/new.crl", 'sslpolicy/new.crt')
	{
		is(install_at('customer', $path), 't', "a grantee: $path");
		unlink $path =~ m{^/} ? $path : "$data/$path";
	}
	is(install_at('provider', 'base/x.pem'), 't', 'a superuser may have it where they want');
	unlink "$data/base/x.pem";
	symlink "$data/base", "$dir/linked" or die $!;
	like(install_at('customer', "$dir/linked/x.pem"), qr/^ERROR:  file/, 'a folder of the data directory behind a link');
	ok(!-e "$data/base/x.pem", 'nothing is made there');
	done_testing();
};

subtest 'files: none that another setting names, or that is kept' => sub {
	is(call('provider', "install_ca(\$\$@{[ pem('root') . pem('customer') ]}\$\$, force => true)"), 't', 'there is a history of CAs');
	write_file("$dir/theirs.crl", $one);
	$server->sql("ALTER SYSTEM SET ssl_crl_file = '$dir/theirs.crl'");
	like(install_at($_, "$dir/theirs.crl"), qr/^ERROR:  file/, "$_: that of ssl_crl_file, not loaded yet") for qw(customer provider);
	$server->sql('ALTER SYSTEM RESET ssl_crl_file');
	$server->sql("ALTER SYSTEM SET primary_conninfo = 'host=db1 sslcrl=$dir/theirs.crl'");
	$server->sql('SELECT pg_reload_conf()');
	$node->poll_query_until('postgres', "SELECT current_setting('primary_conninfo') <> ''") or die;
	like(install_at($_, "$dir/theirs.crl"), qr/^ERROR:  file/, "$_: that of primary_conninfo") for qw(customer provider);
	$server->set(primary_conninfo => undef);
	like(install_at($_, $ca_file), qr/^ERROR:  file/, "$_: that of ssl_ca_file") for qw(customer provider);
	for my $path (qw(sslpolicy/ca.7.pem sslpolicy/server.pem sslpolicy/ca.pem sslpolicy/crl.pem sslpolicy/crl.1.pem), "$data/sslpolicy/server.1.pem")
	{
		like(install_at($_, $path), qr/^ERROR:  file/, "$_: $path") for qw(customer provider);
		ok(!-e "$data/$path", "$path is not made") if $path =~ /^ssl/ && $path !~ /1/;
	}
	mkdir "$dir/crls";
	write_file("$dir/crls/one.pem", $one);
	$server->sql("ALTER SYSTEM SET ssl_crl_dir = '$dir/crls'");
	like(install_at($_, "$dir/crls/one.pem"), qr/^ERROR:  file/, "$_: one in ssl_crl_dir") for qw(customer provider);
	$server->sql('ALTER SYSTEM RESET ssl_crl_dir');
	done_testing();
};

subtest 'files: text around the blocks is for superusers to replace' => sub {
	write_file("$dir/bundle.crl", "Issuer: somebody\n\n# comment\n", $one);
	like(install_at('customer', "$dir/bundle.crl"), qr/^ERROR:  file/, 'not a grantee\'s');
	is(install_at('provider', "$dir/bundle.crl"), 't', 'a superuser\'s');
	write_file("$dir/bundle.crl", "# comment\n \t\r\n", $one, "\n# end\n");
	is(install_at('customer', "$dir/bundle.crl"), 't', 'comments and blank lines are nobody\'s');
	write_file("$dir/bundle.crl", "#\n", $one, "host all all all trust");
	like(install_at('customer', "$dir/bundle.crl"), qr/^ERROR:  file/, 'nor is text behind them');
	write_file("$dir/empty.crl", '');
	is(install_at('customer', "$dir/empty.crl"), 't', 'an empty file with a fitting name');
	$server->set('sslpolicy.crl_file' => undef);
	$place = '';
	done_testing();
};

subtest 'files: CAs and the certificate of the server, too' => sub {
	$server->sql('GRANT ALTER SYSTEM ON PARAMETER ssl_ca_file, ssl_cert_file, ssl_key_file TO customer; GRANT EXECUTE ON FUNCTION sslpolicy.add_ca, sslpolicy.install_ca(text, boolean, boolean), sslpolicy.install_server_certificate(text, text, boolean, boolean) TO customer');
	write_file("$data/held.pem", slurp_file("$dir/server.key") . pem('root'));
	for my $user (qw(customer provider))
	{
		for my $path (qw(held.pem pg_hba.conf recovery.signal))
		{
			$server->sql("ALTER SYSTEM SET ssl_ca_file = '$path'");
			like(call($user, "install_ca(\$\$" . pem('customer') . "\$\$, force => true)"), qr/^ERROR:  (?:file "\Q$path\E" cannot|the file that is in place|the server's TLS files)/, "$user: CAs into $path");
		}
		$server->sql('ALTER SYSTEM RESET ssl_ca_file');
		for my $path (qw(pg_hba.conf backup_label))
		{
			$server->sql("ALTER SYSTEM SET ssl_cert_file = '$path'"); $server->sql("ALTER SYSTEM SET ssl_key_file = '$path'");
			like(call($user, "install_server_certificate(\$\$" . pem('server') . "\$\$, \$\$" . slurp_file("$dir/server.key") . "\$\$)"), qr/^ERROR:  file "\Q$path\E" cannot/, "$user: the server's certificate into $path");
		}
		$server->sql("ALTER SYSTEM RESET $_") for qw(ssl_cert_file ssl_key_file);
	}
	ok(!-e "$data/$_", "$_ is not made") for qw(recovery.signal backup_label);
	$server->sql("ALTER SYSTEM SET ssl_ca_file = '$ca_file'");
	$server->sql('REVOKE ALTER SYSTEM ON PARAMETER ssl_ca_file, ssl_cert_file, ssl_key_file FROM customer; REVOKE EXECUTE ON FUNCTION sslpolicy.add_ca, sslpolicy.install_ca(text, boolean, boolean), sslpolicy.install_server_certificate(text, text, boolean, boolean) FROM customer');
	$node->restart;
	done_testing();
};

###############################################################################
# 2. CAs

$server->sql('GRANT EXECUTE ON FUNCTION sslpolicy.add_ca, sslpolicy.install_ca(text, boolean, boolean), sslpolicy.rollback TO customer');
sub add { return call($_[0] // 'customer', "add_ca(\$\$" . pem('evil') . "\$\$, dry_run => true)") }
my $denied = qr/^ERROR:  permission denied to install a CA/;
my $allowed = qr/^f$/;

subtest 'CAs: what the caller could make true next' => sub {
	$server->sql('CREATE ROLE customers; CREATE ROLE inner_group IN ROLE customers; CREATE ROLE maker LOGIN CREATEROLE; GRANT EXECUTE ON FUNCTION sslpolicy.add_ca TO maker');
	$server->set_hba('hostssl all +customers all cert');
	like(add(), $allowed, 'nobody of importance is in the group');
	$server->sql('GRANT customers TO customer WITH ADMIN OPTION');
	like(add(), $denied, 'the caller could put anybody into it');
	$server->sql('REVOKE customers FROM customer; GRANT inner_group TO customer WITH ADMIN OPTION');
	like(add(), $denied, 'or into a group that is in it');
	$server->sql('REVOKE inner_group FROM customer; CREATE ROLE desk; GRANT customers TO desk WITH ADMIN OPTION; GRANT desk TO customer');
	like(add(), $denied, 'or through a role that they are a member of');
	$server->sql('REVOKE desk FROM customer; CREATE ROLE part; GRANT EXECUTE ON FUNCTION sslpolicy.add_ca TO part; GRANT part TO customer; GRANT customers TO customer WITH ADMIN OPTION');
	like($server->login(user => 'customer', sslmode => 'require', extra => "options='-c role=part'", sql => "SELECT installed FROM sslpolicy.add_ca(\$\$" . pem('evil') . "\$\$, dry_run => true)")->{err}, $denied, 'or after SET ROLE to one that could not');
	$server->sql('REVOKE customers FROM customer; REVOKE part FROM customer');
	$server->set_hba('hostssl all +nobodys all cert');
	like(add(), $allowed, 'a group that is not there, of who makes no roles');
	like(add('maker'), $denied, 'and of who could make it');
	$server->set_hba('hostssl all "outsider" all cert');
	like(add(), $allowed, 'a name that nobody has');
	if ($version >= 16)
	{
		like(add('maker'), $allowed, 'CREATEROLE by itself renames nobody');
		$server->sql('CREATE ROLE robot LOGIN IN ROLE pg_read_server_files; GRANT robot TO maker WITH ADMIN OPTION, INHERIT FALSE, SET FALSE');
	}
	like(add('maker'), $denied, 'who could give that name to a role that reads files');
	$server->set_hba('hostssl all /^out all cert') if $version >= 16;
	like(add(), $denied, 'a regular expression is a doubt') if $version >= 16;
	$server->set_hba('hostssl all app all ident clientcert=verify-full', 'hostssl all provider all trust clientcert=verify-ca');
	like(add(), $denied, 'trust with a certificate');
	$server->set_hba('hostssl all provider all ident clientcert=verify-full');
	like(add(), $denied, 'ident, which is what the client says, with one');
	$server->set_hba('hostssl all provider all scram-sha-256 clientcert=verify-full');
	like(add(), $allowed, 'a password besides');
	$server->set_hba('hostssl all app all cert');
	like(add(), $allowed, 'a role of no importance');
	$server->sql('GRANT ALTER SYSTEM ON PARAMETER archive_command TO app');
	like(add(), $denied, 'one that sets archive_command');
	$server->sql('REVOKE ALTER SYSTEM ON PARAMETER archive_command FROM app');
	$server->set('sslpolicy.reserved_roles' => 'app');
	like(add(), $denied, 'a reserved one');
	$server->set('sslpolicy.reserved_roles' => undef);
	done_testing();
};

subtest 'CAs: whom the CA lets in can do the rest' => sub {
	$server->sql('CREATE ROLE desk_clerk LOGIN; GRANT customers TO desk_clerk WITH ADMIN OPTION');
	$server->set_hba('hostssl all desk_clerk all cert', 'hostssl all +customers all cert');
	like(add(), $denied, 'one who could put anybody into the group of another line');
	$server->label(role => { desk_clerk => 'ca_fingerprint=' . $certs->get('root')->{fingerprint} });
	like(add(), $allowed, 'not if their policy pins another CA');
	$server->label(role => { desk_clerk => join ' ', map { 'ca_fingerprint=' . $certs->get($_)->{fingerprint} } qw(root evil) });
	like(add(), $denied, 'this one, besides the other, is no pin');
	$server->label(role => { desk_clerk => undef });
	$server->set_hba('hostssl all app all cert');
	for my $right ('lo_export(oid, text)', 'pg_read_file(text)')
	{
		$server->sql("GRANT EXECUTE ON FUNCTION $right TO app");
		like(add(), $denied, "one who may call $right");
		$server->sql("REVOKE EXECUTE ON FUNCTION $right FROM app");
	}
	for my $parameter (qw(sslpolicy.enforcement ssl_ca_file ssl_crl_file ssl_crl_dir primary_conninfo))
	{
		$server->sql("GRANT ALTER SYSTEM ON PARAMETER \"$parameter\" TO app");
		like(add(), $denied, "one who may change $parameter");
		$server->sql("REVOKE ALTER SYSTEM ON PARAMETER \"$parameter\" FROM app");
	}
	for my $right ('pg_read_all_data', 'SELECT ON pg_catalog.pg_authid', 'SELECT ON pg_catalog.pg_shadow')
	{
		$server->sql("GRANT $right TO app");
		like(add(), $denied, "one who can read passwords: $right");
		$server->sql("REVOKE $right FROM app");
	}
	like(add(), $allowed, 'and one who may do nothing of all that');
	$server->sql('CREATE ROLE held; GRANT held TO app');
	$server->set('sslpolicy.reserved_roles' => 'held');
	like(add(), $denied, 'one who is a member of a reserved role');
	$server->set('sslpolicy.reserved_roles' => undef);
	$server->sql('CREATE ROLE makers CREATEROLE; CREATE ROLE member LOGIN NOINHERIT IN ROLE makers; GRANT EXECUTE ON FUNCTION sslpolicy.add_ca TO member; GRANT customers TO makers WITH ADMIN OPTION');
	$server->set_hba('hostssl all +customers all cert');
	like(add('member'), $denied, 'a caller who could SET ROLE to one that can');
	$server->set_hba;
	$server->label(role => { provider => 'sslmode=verify-full' });
	like(add(), $denied, 'a line that trusts, where a policy asks for the certificate');
	$server->label(role => { provider => undef });
	like(add(), $allowed, 'and where none does');
	done_testing();
};

subtest 'CAs: none that looks like another one' => sub {
	$certs->ca('namesake', subject => '/CN=Test Root/O=Acme');
	$certs->intermediate('crossed', issuer => 'evil', subject => '/CN=Test Root/O=Acme', key_name => 'root', eku => ['serverAuth']);
	$certs->ca('renewed', subject => '/CN=Test Root/O=Acme', key_name => 'root');
	my $root = pem('root') . pem('customer');
	like(call('customer', "install_ca(\$\$@{[ pem($_) ]}$root\$\$, dry_run => true, force => true)"), qr/^ERROR:  permission denied to install a CA with the name of another CA/, "in front of it: $_") for qw(namesake crossed);
	like(call('customer', "add_ca(\$\$@{[ pem('crossed') ]}\$\$, dry_run => true)"), qr/^ERROR:  permission denied to install a CA with the name of another CA/, 'or behind it');
	like(call('customer', "install_ca(\$\$@{[ pem('renewed') ]}$root\$\$, dry_run => true)"), qr/^f$/, 'its renewed certificate');
	like(call('provider', "install_ca(\$\$@{[ pem('namesake') ]}$root\$\$, dry_run => true)"), qr/^f$/, 'a superuser may');
	done_testing();
};

subtest 'CAs: a pin counts only where the caller may not change it' => sub {
	my $pin = 'fingerprint=' . '0' x 64;
	$server->sql('CREATE ROLE keepers_admin LOGIN CREATEROLE; GRANT EXECUTE ON FUNCTION sslpolicy.add_ca, sslpolicy.set_policy TO keepers_admin');
	$server->sql('GRANT pg_write_server_files TO keeper');
	$server->sql('GRANT keeper TO keepers_admin WITH ADMIN OPTION, INHERIT FALSE, SET FALSE') if $version >= 16;
	$server->set_hba('hostssl all keeper all cert');
	like(add($_), $denied, "$_: outright") for qw(keepers_admin customer);
	unlike(as('keepers_admin', "SELECT sslpolicy.set_policy('keeper', '$pin')"), qr/ERROR/, 'a pin of their own');
	like(add('keepers_admin'), $denied, 'does not count');
	like(add('customer'), $allowed, 'somebody else cannot take it away');
	$server->sql('GRANT ALTER SYSTEM ON PARAMETER "sslpolicy.enforcement" TO customer');
	like(add('customer'), $denied, 'who can turn enforcement off can');
	$server->sql('REVOKE ALTER SYSTEM ON PARAMETER "sslpolicy.enforcement" FROM customer');
	$server->sql("SECURITY LABEL FOR sslpolicy ON ROLE keeper IS NULL");
	$server->set('sslpolicy.minimum_policy' => "ca_fingerprint=" . $certs->get('root')->{fingerprint});
	%with = (cert => 'app');
	like(add(), $allowed, 'the minimum policy pins everybody');
	$server->sql('GRANT ALTER SYSTEM ON PARAMETER "sslpolicy.minimum_policy" TO customer');
	like(add(), $denied, 'not for who can change it');
	$server->sql('REVOKE ALTER SYSTEM ON PARAMETER "sslpolicy.minimum_policy" FROM customer');
	%with = ();
	$server->set('sslpolicy.minimum_policy' => undef);
	$server->sql('REVOKE pg_write_server_files FROM keeper');
	done_testing();
};

###############################################################################
# 3. The same transaction

subtest 'what the caller has changed, and may roll back, is no ground' => sub {
	my $evil = pem('evil');
	$server->sql('GRANT customers TO customer WITH ADMIN OPTION; GRANT customers TO provider; CREATE TABLE public.t (a int); GRANT ALL ON public.t TO customer, provider');
	$server->set_hba('hostssl all +customers all cert');
	like(as('customer', "DO \$do\$ BEGIN REVOKE customers FROM provider; PERFORM sslpolicy.add_ca(\$\$$evil\$\$); RAISE EXCEPTION 'x'; END \$do\$"),
		qr/25001: permission denied to call add_ca\(\) in a transaction that has changed something/, 'a membership revoked, and rolled back');
	for my $user (qw(customer provider))
	{
		$server->sql('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sslpolicy TO customer');
		for my $call ("add_ca(\$\$$evil\$\$)", "install_ca(\$\$$evil\$\$)", "remove_ca('" . '0' x 64 . "')", "install_crl(\$\$$one\$\$::text)", "rollback('ca')", "rollback('server')",
			"create_server_key('CN=x', NULL)", "install_server_certificate(\$\$@{[ pem('server') ]}\$\$)")
		{
			my ($name) = $call =~ /(\w+)/;
			like(as($user, "DO \$do\$ BEGIN INSERT INTO public.t VALUES (1); PERFORM sslpolicy.$call; END \$do\$"), qr/25001: permission denied to call $name\(\)/, "$user: $name");
			like(as($user, "WITH i AS (INSERT INTO public.t VALUES (1) RETURNING a) SELECT a, (sslpolicy.$call)::text FROM i"), qr/25001: permission denied to call $name\(\)/, "$user: $name in a query that writes");
		}
	}
	like(as('provider', 'DO $do$ BEGIN INSERT INTO public.t VALUES (1); PERFORM sslpolicy.recheck(); END $do$'), qr/25001: sessions cannot be ended in a transaction that has changed something/, 'recheck');
	is($server->sql('SELECT count(*) FROM public.t'), 0, 'nothing of it is left');
	ok(!comes('provider', 'evil_provider'), 'nobody comes in by the CA');
	$server->sql('REVOKE customers FROM provider; REVOKE customers FROM customer');
	$server->set_hba;
	done_testing();
};

subtest 'the lock of installations ends with the function' => sub {
	for my $call ("create_server_key('CN=x', NULL)", "add_ca(\$\$" . pem('evil') . "\$\$, dry_run => true)", "install_crl(\$\$$one\$\$::text, dry_run => true)")
	{
		my ($name) = $call =~ /(\w+)/;
		my $other = $server->background(user => 'customer', sslmode => 'require');
		$other->query_until(qr/waits/, "\\echo waits\nDO \$do\$ BEGIN PERFORM sslpolicy.$call; PERFORM pg_advisory_lock(1); PERFORM pg_sleep(1000); END \$do\$;\n");
		$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND database <> 0") or die;
		is($server->sql("SET statement_timeout = '60s'; SELECT installed FROM sslpolicy.add_ca(\$\$" . pem('evil') . "\$\$, dry_run => true)"), 'f', "$name holds up nobody");
		$server->sql("SELECT pg_terminate_backend(pid, 60000) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND database <> 0");
		eval { $other->quit };
	}
	done_testing();
};

###############################################################################
# 4. CRLs

sub install { my ($user, $crl, $more) = @_; return call($user, "install_crl(\$\$$crl\$\$::text" . ($more // '') . ')') }
subtest 'CRLs: a CA that would not be usable any more wants force' => sub {
	my $result = install('customer', crl('customer', 1));
	like($result, qr/^ERROR:  this material would refuse clients that can log in now.*CA "O=Acme,CN=Test Root": every certificate of the CA would be refused: there is no CRL/s, 'the CA of somebody else');
	$result = call('customer', "install_crl(\$\$@{[ crl('customer', 1) ]}\$\$::text, dry_run => true)", 'affected');
	like($result, qr/\{"ca": "O=Acme,CN=Test Root", "reason": "every certificate of the CA would be refused: there is no CRL of CA/, 'affected has it');
	ok(comes('app', 'app'), 'its clients come in');
	$result = call('customer', "install_crl(\$\$@{[ crl('customer', 1) ]}\$\$::text, dry_run => true)", 'affected');
	like($result, qr/"role": "app", "reason": "there is no CRL of CA[^}]*"last_login": "|"role": "app", [^}]*"last_login": "/, 'and who has logged in');
	ok(comes('provider', 'provider'), 'a superuser logs in by it');
	like(install('customer', crl('customer', 1), ', force => true'), qr/^ERROR:  permission denied to make a CA unusable by which a superuser or a reserved role logs in.*login of role "provider"/s, 'no force of a grantee\'s locks them out');
	my $session = $server->background(user => 'provider', cert => 'provider', sslmode => 'require');
	like(install('customer', crl('customer', 1), ', force => true'), qr/^ERROR:  permission denied to make a CA unusable.*pid \d+, role "provider"/s, 'nor while they are there');
	$session->quit;
	ok(comes('provider', 'provider') && comes('app', 'app'), 'everybody comes in');
	is(install('customer', crl('root', 2) . crl('customer', 2)), 't', 'the CRLs of all CAs want no force');
	ok(comes($_, $_), "$_ comes in") for qw(provider app tenant);
	is(install('customer', crl('customer', 3)), 't', 'nor does a renewal');
	my $short = make_crl($certs, 'customer', 4, days => 1);
	like(call('customer', "install_crl(\$\$$short\$\$::text, dry_run => true)", 'warnings'), qr/the CRL of .*Customer CA.* expires on /, 'one that ends soon is a warning');
	my $live = $server->background(user => 'tenant', cert => 'tenant', sslmode => 'require');
	is(install('customer', crl('customer', 4, 'tenant')), 't', 'nor a revocation, with the session there');
	eval { $live->quit };
	ok(!comes('tenant', 'tenant'), 'it is revoked');
	is(install('provider', crl('customer', 5)), 't', 'it is lifted');
	$server->sql('GRANT EXECUTE ON FUNCTION sslpolicy.install_crl(text, boolean, boolean) TO tenant');
	my $revoke = crl('customer', 6, 'tenant');
	my $own = $server->login(user => 'tenant', cert => 'tenant', sslmode => 'require', sql => "SELECT installed FROM sslpolicy.install_crl(\$\$$revoke\$\$::text)");
	like($own->{err}, qr/with this material your own connection would be refused/, 'only one\'s own certificate wants it');
	# which may end the session before it says so
	my $forced = $server->login(user => 'tenant', cert => 'tenant', sslmode => 'require', sql => "SELECT installed FROM sslpolicy.install_crl(\$\$$revoke\$\$::text, force => true)");
	ok(!comes('tenant', 'tenant'), 'and by force it is done') or diag("by force: $forced->{out} $forced->{err}");
	done_testing();
};

subtest 'CAs: nor are superusers locked out by removing theirs' => sub {
	my $root = $certs->get('root')->{fingerprint};
	$server->sql('GRANT EXECUTE ON FUNCTION sslpolicy.remove_ca, sslpolicy.install_ca(text, boolean, boolean) TO customer; SELECT sslpolicy.rollback(\'crl\', force => true)') ;
	ok(comes('provider', 'provider'), 'a superuser has logged in');
	like(call('customer', "remove_ca('$root')"), qr/^ERROR:  this material would refuse clients that can log in now.*login of role "provider"/s, 'remove_ca of a grantee counts who has logged in');
	like(call('customer', "remove_ca('$root', force => true)"), qr/^ERROR:  permission denied to make a CA unusable/, 'and does not force superusers out');
	like(call('customer', "install_ca(\$\$" . pem('customer') . "\$\$, force => true)"), qr/^ERROR:  permission denied to make a CA unusable/, 'nor does install_ca');
	is(call('provider', "remove_ca('$root', dry_run => true)"), 'f', 'a superuser may know better');
	done_testing();
};

subtest 'CAs: what is known of logins is not pushed out' => sub {
	$server->sql("ALTER SYSTEM SET sslpolicy.max_recent_logins = 16");
	$server->sql(join ';', map { "CREATE ROLE crowd$_ LOGIN" } 1 .. 20);
	$node->restart;
	ok(comes('provider', 'provider'), 'a superuser has logged in');
	for my $n (1 .. 20) { $server->login(user => "crowd$n", sslmode => 'require')->{ok} or diag("crowd$n") }
	is($server->sql('SELECT count(*) <= 16 FROM sslpolicy.recent_logins'), 't', 'there are no more rows than are to be');
	is($server->sql(q{SELECT count(*) FROM sslpolicy.recent_logins WHERE role ~ '^crowd'}), 14, 'of the others those that came last');
	is($server->sql(q{SELECT role FROM sslpolicy.recent_logins WHERE role ~ '^crowd' ORDER BY last_login DESC LIMIT 1}), 'crowd20', 'the last one among them');
	like(call('customer', "remove_ca('" . $certs->get('root')->{fingerprint} . "', force => true)"), qr/^ERROR:  permission denied to make a CA unusable.*login of role "provider"/s, 'and the superuser is not forgotten');
	$server->sql("ALTER SYSTEM RESET sslpolicy.max_recent_logins");
	$node->restart;
	done_testing();
};

###############################################################################
# 5. Policies

subtest 'policies: as ALTER ROLE, so set_policy' => sub {
	$server->sql(<<'SQL');
CREATE ROLE clerk LOGIN CREATEROLE; CREATE ROLE plain LOGIN; CREATE ROLE admin_only LOGIN;
GRANT EXECUTE ON FUNCTION sslpolicy.set_policy TO clerk, admin_only;
GRANT plain, standby TO admin_only WITH ADMIN OPTION;
SQL
	$server->sql('GRANT plain TO clerk WITH ADMIN OPTION') if $version >= 16;
	for my $case (map { my $user = $_; map { [ $user, $_ ] } qw(plain standby provider files pg_monitor) } qw(clerk admin_only))
	{
		my ($user, $role) = @$case;
		my $alter = as($user, "ALTER ROLE $role VALID UNTIL 'infinity'") =~ /ERROR/ ? 'refused' : 'allowed';
		my $set = as($user, "SELECT sslpolicy.set_policy('$role', 'sslmode=prefer')") =~ /ERROR:  42501/ ? 'refused' : 'allowed';
		is($set, $alter, "$user: $role ($alter)");
	}
	ok($server->login(user => 'standby', sslmode => 'disable')->{ok}, 'a standby connects');

	# a statement that began before
	my $long = $server->background(user => 'clerk', sslmode => 'require');
	my $holder = $node->background_psql('postgres');
	$holder->query_safe('SELECT pg_advisory_lock(2)');
	$long->query_until(qr/waits/, "\\echo waits\nDO \$do\$ BEGIN PERFORM pg_advisory_lock(2); PERFORM sslpolicy.set_policy('plain', 'sslmode=reject'); END \$do\$;\n");
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 2 AND NOT granted") or die;
	$server->set('sslpolicy.reserved_roles' => 'plain');
	$holder->query_safe('SELECT pg_advisory_unlock(2)');
	$long->quit;
	$holder->quit;
	like($server->sql("SELECT coalesce(max(label), 'none') FROM pg_shseclabel WHERE objoid = 'plain'::regrole"), qr/^(?:none|sslmode=prefer)$/, 'is not judged by the reserved roles of then');
	$server->set('sslpolicy.reserved_roles' => undef);
	done_testing();
};

done_testing();
