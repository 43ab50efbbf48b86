// node-postgres.  node_pg.js login URI | pool URI | pool-without-listener URI | version
const { Client, Pool } = require('pg');
const [mode, uri] = process.argv.slice(2);

async function login() {
  const client = new Client({ connectionString: uri });
  // what comes between the end of the handshake and the answer
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query('SELECT session_user');
    console.log(`let in as ${rows[0].session_user}`);
    await client.end();
  } catch (error) {
    console.log(error.message);
    process.exitCode = 1;
  }
}

async function pool() {
  const pool = new Pool({ connectionString: uri, max: 2 });
  if (mode === 'pool') pool.on('error', () => {});
  const both = [await pool.connect(), await pool.connect()];
  both.forEach((client) => client.release());
  console.log('ready\n--');
  for await (const _ of require('readline').createInterface({ input: process.stdin })) {
    try {
      await pool.query('SELECT 1');
      console.log('OK\n--');
    } catch (error) {
      console.log(`${error.message}\n--`);
    }
  }
  await pool.end();
}

if (mode === 'version') console.log(require('pg/package.json').version);
else if (mode === 'login') login();
else pool();
