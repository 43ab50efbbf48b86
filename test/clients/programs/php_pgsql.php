<?php
// PHP's pgsql.  php_pgsql.php login CONNINFO | version
if ($argv[1] === 'version') {
    echo phpversion('pgsql'), "\n";
    exit;
}
$connection = @pg_connect($argv[2]);
if (!$connection) {
    echo error_get_last()['message'], "\n";
    exit(1);
}
echo 'let in as ', pg_fetch_result(pg_query($connection, 'SELECT session_user'), 0, 0), "\n";
