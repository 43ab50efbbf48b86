// porsager's postgres.  postgres_js.js login URI | pool URI | version
const fs = require('fs');
const [mode, uri] = process.argv.slice(2);

// It takes the files' content, and would send the parameters of a URI that it does
// not know on to the server.
function connect(options) {
  const postgres = require('postgres');
  const url = new URL(uri);
  const { sslmode, sslrootcert, sslcert, sslkey } = Object.fromEntries(url.searchParams);
  url.search = '';
  const read = (file) => file && fs.readFileSync(file);
  const ssl = sslmode !== 'disable' &&
    { ca: read(sslrootcert), cert: read(sslcert), key: read(sslkey) };
  return postgres(url.href, { ssl, ...options });
}

async function login() {
  const sql = connect({ max: 1 });
  try {
    const [row] = await sql`SELECT session_user`;
    console.log(`let in as ${row.session_user}`);
  } catch (error) {
    console.log(error.message);
    process.exitCode = 1;
  }
  await sql.end({ timeout: 1 });
}

async function pool() {
  const sql = connect({ max: 2 });
  await Promise.all([sql`SELECT pg_sleep(0.1)`, sql`SELECT pg_sleep(0.1)`]);
  console.log('ready\n--');
  for await (const _ of require('readline').createInterface({ input: process.stdin })) {
    try {
      await sql`SELECT 1`;
      console.log('OK\n--');
    } catch (error) {
      console.log(`${error.message}\n--`);
    }
  }
  await sql.end({ timeout: 1 });
}

if (mode === 'version') {
  const main = require.resolve('postgres');
  const folder = main.slice(0, main.lastIndexOf('/postgres/') + 10);
  console.log(JSON.parse(fs.readFileSync(`${folder}package.json`)).version);
} else if (mode === 'login') login();
else pool();
