#!/usr/bin/env bash
# make bench, fourth part: what the view of sessions costs, and what a refusal.
#
#   SESSIONS=500   sessions that are open while the view is read
#   RUNS=41        times that the view and core's views are read, in turn
#   PAIRS=500      refused and admitted logins, in turn
#   ROUNDS=4       the roles change parts in every second one
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"
. "$top/test/bench/lib.sh"

sessions=${SESSIONS:-500}
runs=${RUNS:-41}
pairs=${PAIRS:-500}
rounds=${ROUNDS:-4}

need gcc make openssl libssl-dev libkrb5-dev postgresql-server-dev-NN \
    postgresql-NN libipc-run-perl
make_work bench
COPT= build
write_server_conf "$work/server.conf"
compile_tools connect_pairs hold_sessions
as_tester perl -I"$work/src/test/lib" -MSSLPolicy::Certs -e '
    my $certs = SSLPolicy::Certs->new(dir => "certs");
    my $ca = $certs->ca("root");
    $certs->server("server", issuer => $ca);
    $certs->client("one", issuer => $ca, subject => "/CN=one");' || die "No certificates."
port=$(( 20000 + RANDOM % 10000 ))
as_tester initdb -A trust -U postgres --no-sync -D "$work/d" >/dev/null || die "initdb failed."
cat "$work/server.conf" - >>"$work/d/postgresql.conf" <<CONF
port = $port
listen_addresses = '127.0.0.1'
unix_socket_directories = '$work'
shared_preload_libraries = 'sslpolicy'
max_connections = $(( sessions + 50 ))
ssl = on
ssl_cert_file = '$work/certs/server.crt'
ssl_key_file = '$work/certs/server.key'
ssl_ca_file = '$work/certs/root.crt'
autovacuum = off
CONF
control() { as_tester pg_ctl -s -w -D "$work/d" -l "$work/log" "$@" || { cat "$work/log" >&2; die "pg_ctl $1 failed"; }; }
sql() { as_tester psql -XqAt -v ON_ERROR_STOP=1 -h "$work" -p "$port" -U postgres postgres "$@"; }
conninfo() { echo "host=127.0.0.1 port=$port dbname=postgres user=$1 sslmode=verify-full sslrootcert=$work/certs/root.crt sslcert=$work/certs/one.crt sslkey=$work/certs/one.key"; }
median() { sort -n | awk '{ v[NR] = $1 } END { printf "%.4f", v[int((NR + 1) / 2)] }'; }
verdict() { if awk "BEGIN { exit !($1 <= $2) }"; then echo "within $2"; else echo "ABOVE $2"; fi; }

control start
sql -c "CREATE EXTENSION sslpolicy; CREATE ROLE one LOGIN; CREATE ROLE a LOGIN CONNECTION LIMIT 0; CREATE ROLE b LOGIN CONNECTION LIMIT 0" || die "setup failed"
say "Machine: $(nproc) processors, $("$pg_config" --version), $(openssl version | cut -d' ' -f1-2)"

# Refused by its policy; and let in by it, to be refused by core a moment later,
# because no more connections of the role are allowed.
: >"$work/ratios"
for round in $(seq "$rounds"); do
    admitted=a; refused=b
    [ $(( round % 2 )) = 1 ] || { admitted=b; refused=a; }
    sql -c "SECURITY LABEL FOR sslpolicy ON ROLE $admitted IS 'sslmode=verify-full cn=one'" \
        -c "SECURITY LABEL FOR sslpolicy ON ROLE $refused IS 'sslmode=verify-full cn=two'"
    read -r _ a _ _ b _ _ ratio _ difference _ < <(as_tester "$work/connect_pairs" "$pairs" "$(conninfo $admitted)" "$(conninfo $refused)" refused)
    echo "round $round: admitted $a ms, refused $b ms, ratio $ratio, difference $difference us"
    echo "$ratio" >>"$work/ratios"
done
ratio=$(median <"$work/ratios")
echo "refused login, to one that is admitted: ratio $ratio ($(verdict "$ratio" 1.05))"
sql -c "SELECT role, refused, allowed FROM sslpolicy.statistics WHERE role IN ('a', 'b') ORDER BY 1" | sed 's/^/counted: /'

# the view, and what core has
mkfifo "$work/hold"
as_tester "$work/hold_sessions" "$sessions" "$(conninfo one)" <"$work/hold" >"$work/held" &
exec 9>"$work/hold"
until grep -q ready "$work/held"; do sleep 0.1; done
for _ in $(seq "$runs"); do
    printf '%s;\n' 'SELECT * FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)' 'SELECT * FROM sslpolicy.sessions'
done >"$work/statements"
{ echo '\timing on'; echo '\o /dev/null'; cat "$work/statements"; } | sql | sed -nE 's/^Time: ([0-9.]+) ms.*/\1/p' >"$work/times"
core=$(awk 'NR % 2 == 1' "$work/times" | median)
ours=$(awk 'NR % 2 == 0' "$work/times" | median)
ratio=$(awk 'NR % 2 == 1 { core = $1 } NR % 2 == 0 { print $1 / core }' "$work/times" | median)
echo "sslpolicy.sessions with $(sql -c 'SELECT count(*) FROM sslpolicy.sessions') sessions: $ours ms; pg_stat_ssl and pg_stat_activity: $core ms; ratio $ratio ($(verdict "$ratio" 1.5))"
exec 9>&-
wait
control -m fast stop
