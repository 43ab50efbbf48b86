#!/usr/bin/env bash
# make demo: the main job of sslpolicy, shown with real logins on a throw-away
# server in a temporary folder.  Leaves no process and no file behind.
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/test/lib/env.sh"

need gcc make openssl libssl-dev libkrb5-dev postgresql-server-dev-NN postgresql-NN
make_work demo
say "Building sslpolicy and starting a server in $work"
build
write_server_conf "$work/server.conf"

# A CA, a server certificate, and client certificates for two people.
certificates() {
    local ext
    cd "$work/certs" || return
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
        -subj '/CN=Demo CA' -keyout ca.key -out ca.crt
    for name in server alice mallory; do
        ext='basicConstraints=CA:FALSE'
        [ $name != server ] || ext='subjectAltName=DNS:localhost,IP:127.0.0.1'
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
            -subj "/CN=$name" -keyout $name.key -out $name.csr &&
            openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 \
                -extfile <(echo "$ext") -out $name.crt || return
    done
    chmod 600 ./*.key
    chown "$tester" ./*
}
mkdir "$work/certs"
(certificates) >"$work/openssl.log" 2>&1 || { cat "$work/openssl.log" >&2; die "openssl failed."; }
chown "$tester" "$work/certs"

as_tester initdb -A trust -U postgres --no-sync -D "$work/data" >"$work/initdb.log" 2>&1 ||
    { cat "$work/initdb.log" >&2; die "initdb failed."; }
cat "$work/server.conf" - >>"$work/data/postgresql.conf" <<CONF
shared_preload_libraries = 'sslpolicy'
listen_addresses = '127.0.0.1'
unix_socket_directories = '$work'
ssl = on
ssl_ca_file = '$work/certs/ca.crt'
ssl_cert_file = '$work/certs/server.crt'
ssl_key_file = '$work/certs/server.key'
log_line_prefix = ''
CONF
# a free port: try until the server starts
for try in 1 2 3 4 5; do
    port=$(( 20000 + RANDOM % 20000 ))
    as_tester pg_ctl -s -w -D "$work/data" -l "$work/log" -o "-p $port" start 2>/dev/null && break
    [ $try != 5 ] || { cat "$work/log" >&2; die "The server does not start."; }
done

title() { printf '\n--- %s\n' "$*"; }

# As the DBA, through the Unix socket.
dba() {
    printf 'dba=# %s\n' "$1"
    as_tester psql -Xq -h "$work" -p "$port" -U postgres -d postgres -c "$1" || exit 1
}

# As a client over TCP: client EXPECTED SSLMODE CERTIFICATE SQL
client() {
    local expected=$1 conninfo="sslmode=$2" status=0
    [ -z "$3" ] || conninfo+=" sslcert=$3.crt sslkey=$3.key"
    printf '$ psql "user=alice %s"\n' "$conninfo"
    [ -z "$3" ] || conninfo="sslmode=$2 sslcert=$work/certs/$3.crt sslkey=$work/certs/$3.key"
    as_tester env -u PGHOST psql -Xq -d "host=localhost hostaddr=127.0.0.1 port=$port user=alice dbname=postgres sslrootcert=$work/certs/ca.crt $conninfo" \
        -c "$4" 2>&1 || status=$?
    if [ "$expected" = in ] && [ $status != 0 ] || [ "$expected" = refused ] && [ $status = 0 ]; then
        die "That was expected to be: $expected."
    fi
}

title "The DBA demands a certificate that names alice"
dba "CREATE EXTENSION sslpolicy"
dba "CREATE ROLE alice LOGIN"
dba "SECURITY LABEL FOR sslpolicy ON ROLE alice IS 'sslmode=verify-full min_protocol=TLSv1.3'"

title "Without TLS alice is refused, and learns why and what to do"
client refused disable '' "SELECT 1"

title "With TLS, but with the certificate of mallory, she is refused"
client refused verify-full mallory "SELECT 1"

title "The server log has all of it"
grep -m 1 'subject="CN=mallory"' "$work/log" || die "The log does not say so."

title "With her own certificate she is let in, and sees her connection"
client in verify-full alice "SELECT version, cipher, client_dn, issuer_dn, verified, auth_method FROM sslpolicy.connection()"

title "A policy that would refuse whoever sets it is not set by accident"
dba "GRANT EXECUTE ON FUNCTION sslpolicy.set_database_policy TO alice; ALTER DATABASE postgres OWNER TO alice"
client refused verify-full alice "SELECT sslpolicy.set_database_policy('postgres', 'sslmode=reject')"

title "The DBA sees every policy, and the TLS state of every session"
dba "SELECT object_type, object_name, sslmode, min_protocol, policy FROM sslpolicy.policies"
as_tester psql -Xq -d "host=localhost hostaddr=127.0.0.1 port=$port user=alice dbname=postgres sslrootcert=$work/certs/ca.crt sslmode=verify-full sslcert=$work/certs/alice.crt sslkey=$work/certs/alice.key" \
    -c 'SELECT pg_sleep(60)' >/dev/null 2>&1 &
for _ in $(seq 100); do
    [ "$(as_tester psql -XqAt -h "$work" -p "$port" -U postgres -d postgres -c "SELECT count(*) FROM sslpolicy.sessions WHERE usename = 'alice'")" = 0 ] || break
    sleep 0.1
done
dba "SELECT usename, client_addr, ssl, version, client_dn, compliant FROM sslpolicy.sessions ORDER BY usename"

title "Done: the server is stopped and the folder removed"
