# A new user's client, set up from sslpolicy.client_settings() alone: the key and the
# request by the command of its row, the CA of the server by sslpolicy.server_ca(), and
# what the row for the driver says, pasted unchanged.
use strict;
use warnings;
use Test::More;
use SSLPolicy::Client;
use SSLPolicy::Drivers;

my $server = start_clients_server('settings');

# The row, and the program that it is pasted into; without one, it is the string that
# the driver's program takes.
my @pastes = (
	{ id => 'psql', row => 'conninfo' },
	{ id => 'psql', row => 'uri' },
	{ id => 'psql', row => 'conninfo_without_paths', at_home => 1 },
	{ id => 'psycopg', row => 'psycopg', run => ['/usr/bin/python3'], file => 'paste.py', text => <<'PYTHON' },
import psycopg
connection = PASTED
print("let in as", connection.execute("SELECT session_user").fetchone()[0])
PYTHON
	{ id => 'psycopg2', row => 'conninfo' },
	{ id => 'asyncpg', row => 'asyncpg', run => ['/usr/bin/python3'], file => 'paste.py', text => <<'PYTHON' },
import asyncio
import asyncpg


async def main():
    connection = PASTED
    print("let in as", await connection.fetchval("SELECT session_user"))


asyncio.run(main())
PYTHON
	{ id => 'asyncpg', row => 'uri' },
	{ id => 'ruby', row => 'conninfo' },
	{ id => 'php', row => 'conninfo' },
	{ id => 'odbc', row => 'odbc' },
	{ id => 'jdbc', row => 'jdbc_url' },
	{ id => 'lib-pq', row => 'go' },
	{ id => 'pgx', row => 'go' },
	{ id => 'node-postgres', row => 'uri' },
	{ id => 'node-postgres', row => 'node_postgres', run => ['node'], file => 'paste.js', text => <<'JAVASCRIPT' });
const fs = require('fs');
const pg = require('pg');
const client = new pg.Client(PASTED);
client.connect()
  .then(() => client.query('SELECT session_user'))
  .then(({ rows }) => { console.log(`let in as ${rows[0].session_user}`); return client.end(); });
JAVASCRIPT

my %chosen = map { $_->{id} => 1 } chosen();
my %policies = (
	'sslmode=require' => 0,
	'sslmode=verify-full' => 1,
	'san=uri:spiffe://bank/%u min_protocol=TLSv1.3' => 1);
my $users = 0;
for my $policy (sort keys %policies)
{
	for my $paste (grep { $chosen{ $_->{id} } } @pastes)
	{
		my $driver = driver($paste->{id});
		my $name = "$driver->{name}, row $paste->{row}, $policy";
		my $user = 'user' . ++$users;
		$server->sql("CREATE ROLE $user LOGIN");
		$server->label(role => { $user => $policy });

		my $rows = settings_of($server, user => $user);
		my $client = new_client($server, $rows, $name);
		if ($policies{$policy} && $paste->{id} eq 'jdbc')
		{
			my $made = run_in($client->{folder}, {}, 'sh', '-c', value($rows, 'openssl_pkcs8'));
			ok($made->{ok}, "$name: the key for Java") or diag($made->{err});
		}
		my $text = value($rows, $paste->{row});
		if (!defined $text)
		{
			fail("$name: there is no such row");
			next;
		}
		my @command = (@{ $driver->{run} }, 'login', $text);
		if ($paste->{text})
		{
			spew("$client->{folder}/$paste->{file}", $paste->{text} =~ s/PASTED/$text/r);
			@command = (@{ $paste->{run} }, $paste->{file});
		}
		# libpq looks in .postgresql of the home
		my $home = $client->{folder} =~ s{/\.postgresql$}{}r;
		my $result = run_in($client->{folder}, $paste->{at_home} ? { HOME => $home } : {}, @command);
		is($result->{out}, "let in as $user", "$name: let in") or diag("$text\n$result->{err}");
	}
}
done_testing();
