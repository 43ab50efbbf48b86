#!/usr/bin/env bash
# make bench, second part: what it costs to reload and to install TLS material,
# and whether logins notice.
#
#   RELOADS=50         how often each figure is taken
#   INSTALLATIONS=200  while clients log in all the time
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"

reloads=${RELOADS:-50}
installations=${INSTALLATIONS:-200}

need gcc make openssl libssl-dev libkrb5-dev postgresql-server-dev-NN \
    postgresql-NN libipc-run-perl
make_work bench
COPT= build
write_server_conf "$work/server.conf"
port=$(( 20000 + RANDOM % 10000 ))
as_tester perl -I"$work/src/test/lib" -MSSLPolicy::Certs -e '
    my $certs = SSLPolicy::Certs->new(dir => "certs");
    my $ca = $certs->ca("root");
    $certs->ca("second");
    $certs->server("server", issuer => $ca);
    $certs->client("app", issuer => $ca);
    $certs->bundle("trusted.crt", "root");' || die "No certificates."
as_tester initdb -A trust -U postgres --no-sync -D "$work/d" >/dev/null || die "initdb failed."
# fsync is on: an installation is durable
cat "$work/server.conf" - >>"$work/d/postgresql.conf" <<CONF
port = $port
listen_addresses = '127.0.0.1'
unix_socket_directories = '$work'
shared_preload_libraries = 'sslpolicy'
ssl = on
ssl_cert_file = '$work/certs/server.crt'
ssl_key_file = '$work/certs/server.key'
ssl_ca_file = '$work/certs/trusted.crt'
log_min_messages = fatal
CONF
control() { as_tester pg_ctl -s -w -D "$work/d" -l "$work/log" "$@" || { cat "$work/log" >&2; die "pg_ctl $1 failed"; }; }
sql() { as_tester psql -XqAt -v ON_ERROR_STOP=1 -h "$work" -p "$port" -U postgres postgres "$@"; }
median() { sort -n | awk '{ v[NR] = $1 } END { printf "%.1f", v[int((NR + 1) / 2)] }'; }
verdict() { if awk "BEGIN { exit !($1 <= $2) }"; then echo "within $2"; else echo "ABOVE $2"; fi; }

# the time that a statement takes in a session, in ms: times COUNT STATEMENT [OTHER STATEMENT in turn]
times() {
    local count=$1
    shift
    for _ in $(seq "$count"); do
        for statement in "$@"; do printf '%s;\n' "$statement"; done
    done | { echo '\timing on'; cat; } | sql >"$work/times" || die "a statement failed"
    sed -nE 's/^Time: ([0-9.]+) ms.*/\1/p' "$work/times"
}

control start
sql -c 'CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN' || die "setup failed"
second=$(cat "$work/certs/second.crt")
fingerprint=$(openssl x509 -in "$work/certs/second.crt" -noout -fingerprint -sha256 | sed 's/.*=//')
add="SELECT installed FROM sslpolicy.add_ca('$second')"
remove="SELECT installed FROM sslpolicy.remove_ca('$fingerprint')"

say "Machine: $(nproc) processors, $("$pg_config" --version), $(openssl version | cut -d' ' -f1-2)"
reload=$(times "$reloads" 'SELECT loaded FROM sslpolicy.reload()' | median)
plain=$(times "$reloads" 'SELECT pg_reload_conf()' | median)
install=$(times $(( reloads / 2 )) "$add" "$remove" | median)
restart=$(for _ in 1 2 3 4 5; do
    begin=$(date +%s%N); control -m fast restart; echo $(( ($(date +%s%N) - begin) / 1000000 ))
done | median)
echo "reload(), proved: median $reload ms ($(verdict "$reload" 50))"
echo "pg_reload_conf(), signal sent, nothing known: median $plain ms"
echo "add_ca() and remove_ca(), proved and durable: median $install ms ($(verdict "$install" 150))"
echo "restart of the idle server: median $restart ms"

# clients that log in all the time, until told to stop
echo 'SELECT 1;' >"$work/select.sql"
touch "$work/go"
chown "$tester" "$work/go" "$work/select.sql"
conninfo="host=127.0.0.1 port=$port dbname=postgres user=app sslmode=verify-full sslrootcert=$work/certs/root.crt sslcert=$work/certs/app.crt sslkey=$work/certs/app.key"
as_tester bash -c '
    ok=0; bad=0
    while [ -e "'"$work"'/go" ]; do
        if psql -XqAt -d "'"$conninfo"'" -c "SELECT 1" >/dev/null 2>>"'"$work"'/refused"; then ok=$(( ok + 1 )); else bad=$(( bad + 1 )); fi
    done
    echo "$ok $bad"' >"$work/logins" &
client=$!
times $(( installations / 2 )) "$add" "$remove" >/dev/null
done_ok=$(grep -c '^t$' "$work/times")
rm -f "$work/go"
wait "$client"
read -r ok bad <"$work/logins"
echo "$done_ok of $installations installations while a client logged in $ok times: $bad logins failed"
[ "$bad" = 0 ] || head -3 "$work/refused"
