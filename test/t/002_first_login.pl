# The first logins after a start, and after what makes PostgreSQL forget the
# indexes of its shared catalogs: then policies must hold as at any other time.
#
# 1. after the first start of all, after a restart, after a crash, after VACUUM
#    of a nailed catalog, and with the relcache init file removed: the first
#    login meets the policies of its role, of groups at two depths, of a
#    database and none of a LOGIN role
# 2. it is the same whether the first login is a refused or an admitted one
# 3. a thousand other labels do not hide the ones that apply
# 4. without system indexes (ignore_system_indexes) too
use strict;
use warnings;
use Test::More;
use SSLPolicy::Server;

my $server = SSLPolicy::Server->new('first_login');
my $certs = $server->certs;
$certs->client($_, issuer => 'root', subject => "/CN=$_") for qw(app bob);
$server->start;
$server->sql(<<'SQL');
CREATE ROLE app LOGIN; CREATE ROLE member LOGIN; CREATE ROLE free LOGIN;
CREATE ROLE grp; CREATE ROLE grp2; CREATE ROLE lgrp LOGIN;
GRANT grp2 TO grp; GRANT grp, lgrp TO member; GRANT lgrp TO free;
CREATE DATABASE db1;
DO $$ BEGIN FOR i IN 1..1000 LOOP
	EXECUTE format('CREATE ROLE other%s; SECURITY LABEL FOR sslpolicy ON ROLE other%s IS %L', i, i, 'sslmode=reject');
END LOOP; END $$;
SQL
$server->label(
	role => { app => 'sslmode=verify-full', grp2 => 'sslmode=require', lgrp => 'sslmode=reject' },
	database => { db1 => 'min_protocol=TLSv1.3' });

# name, connection, what comes of it
my @logins = (
	[ 'own label, wrong certificate', { cert => 'bob' }, 'cn' ],
	[ 'own label, right certificate', { cert => 'app' }, 'in' ],
	[ 'group of a group, plain text', { user => 'member', sslmode => 'disable' }, 'sslmode' ],
	[ 'group of a group, TLS; the LOGIN role does not bind', { user => 'member', sslmode => 'require' }, 'in' ],
	[ 'database, TLS 1.2', { user => 'free', db => 'db1', sslmode => 'require', extra => 'ssl_max_protocol_version=TLSv1.2' }, 'min_protocol' ],
	[ 'nothing applies', { user => 'free', sslmode => 'disable' }, 'in' ]);

my %moments = (
	'after a restart' => sub { $server->restart },
	'after a crash' => sub { $server->stop('immediate'); $server->start },
	'after VACUUM pg_class' => sub { $server->sql('VACUUM pg_class') },
	'after VACUUM of everything' => sub { $server->sql('VACUUM FREEZE') },
	'without the init files' => sub {
		unlink glob($server->node->data_dir . '/global/pg_internal.init'),
		  glob($server->node->data_dir . '/base/*/pg_internal.init');
	});

for my $moment (sort keys %moments)
{
	# each login in turn is the first one after its own such moment
	for my $login (@logins)
	{
		my ($name, $to, $expect) = @$login;
		$moments{$moment}->();
		my $init = $server->node->data_dir . '/global/pg_internal.init';
		ok(!-e $init, "$moment: the shared indexes are not known")
		  if $moment =~ /restart|init files/;
		my $result = $server->login(%$to);
		is($result->{ok} ? 'in' : $result->{failed}, $expect, "$moment: $name")
		  or diag($result->{err});
	}
}

$server->node->append_conf('postgresql.conf', 'ignore_system_indexes = on');
$server->restart;
for my $login (@logins)
{
	my ($name, $to, $expect) = @$login;
	my $result = $server->login(%$to);
	is($result->{ok} ? 'in' : $result->{failed}, $expect, "without system indexes: $name")
	  or diag($result->{err});
}

unlike($server->log_since(0), qr/without having selected a database|PANIC|TRAP/,
	'no login failed for a catalog that could not be read');
$server->stop;
done_testing();
