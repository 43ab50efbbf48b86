#!/usr/bin/env bash
# make bench: what a login costs with sslpolicy, paired with the same login
# without it.
#
# Two servers run side by side, one with sslpolicy preloaded and one without;
# logins go to them in turn.  Then they change parts and it is done again, so
# that what differs between two data folders falls out.  TLS with a client
# certificate, a new connection each time.
#
#   ROUNDS=4     how often they change parts (even)
#   PAIRS=400    logins to each server in a round
#   LABELS=100000
#   ONLY_FIRST=1   only the first figure
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"
. "$top/test/bench/lib.sh"

rounds=${ROUNDS:-4}
pairs=${PAIRS:-400}
labels=${LABELS:-100000}

need gcc make openssl libssl-dev libkrb5-dev postgresql-server-dev-NN \
    postgresql-NN libipc-run-perl
make_work bench
# for figures of what is shipped: warnings are no errors here, -O2 as packaged
COPT= build
write_server_conf "$work/server.conf"
compile_tools connect_pairs

port[1]=$(( 20000 + RANDOM % 10000 ))
port[2]=$(( port[1] + 1 ))
as_tester perl -I"$work/src/test/lib" -MSSLPolicy::Certs -e '
    my $certs = SSLPolicy::Certs->new(dir => "certs");
    my $ca = $certs->ca("root");
    $certs->server("server", issuer => $ca);
    $certs->client($_, issuer => $ca) for qw(app many);' || die "No certificates."

for n in 1 2; do
    as_tester initdb -A trust -U postgres --no-sync -D "$work/d$n" >/dev/null || die "initdb failed."
    cat "$work/server.conf" - >>"$work/d$n/postgresql.conf" <<CONF
port = ${port[$n]}
listen_addresses = '127.0.0.1'
unix_socket_directories = '$work'
ssl = on
ssl_cert_file = '$work/certs/server.crt'
ssl_key_file = '$work/certs/server.key'
ssl_ca_file = '$work/certs/root.crt'
fsync = off
autovacuum = off
log_min_messages = fatal
CONF
done

# start NUMBER with|without
start() {
    local preload=''
    [ "$2" = without ] || preload=sslpolicy
    as_tester pg_ctl -s -w -D "$work/d$1" -l "$work/d$1.log" \
        -o "-c shared_preload_libraries=$preload" start || { cat "$work/d$1.log" >&2; die "server $1 does not start"; }
}
stop() { as_tester pg_ctl -s -w -m fast -D "$work/d$1" stop; }
sql() { as_tester psql -XqAt -v ON_ERROR_STOP=1 -h "$work" -p "${port[$1]}" -U postgres postgres; }
conninfo() {
    echo "host=127.0.0.1 port=${port[$1]} dbname=postgres user=$2 sslmode=verify-full sslrootcert=$work/certs/root.crt sslcert=$work/certs/$2.crt sslkey=$work/certs/$2.key"
}
pair() { as_tester "$work/connect_pairs" "$@"; }

# verdict VALUE LIMIT
verdict() {
    if awk "BEGIN { exit !($1 <= $2) }"; then echo "within $2"; else echo "ABOVE $2"; fi
}

# compare TITLE ROLE RATIO_LIMIT MICROSECONDS_LIMIT
# The servers change parts every round; the figures are means of the rounds'
# medians.
compare() {
    local round plain ours line
    : >"$work/rounds"
    for round in $(seq "$rounds"); do
        ours=$(( round % 2 + 1 )); plain=$(( 3 - ours ))
        start $ours with; start $plain without
        line=$(pair "$pairs" "$(conninfo $plain "$2")" "$(conninfo $ours "$2")") || die "logins failed"
        echo "$line" >>"$work/rounds"
        stop $ours; stop $plain
    done
    read -r a b ratio difference < <(awk '{ a += $2; b += $5; r += log($8); d += $10 }
        END { printf "%.3f %.3f %.4f %+.0f\n", a / NR, b / NR, exp(r / NR), d / NR }' "$work/rounds")
    printf '%s: %s ms without, %s ms with; ratio %s' "$1" "$a" "$b" "$ratio"
    [ -z "$3" ] || printf ' (%s)' "$(verdict "$ratio" "$3")"
    printf '; difference %s us (%s)\n' "$difference" "$(verdict "$difference" "$4")"
}

first_login() {
    local round plain ours
    : >"$work/rounds"
    for round in $(seq $(( rounds * 2 ))); do
        ours=$(( round % 2 + 1 )); plain=$(( 3 - ours ))
        start $ours with; start $plain without
        # one pair, without logins to warm up: these are the very first
        if [ $(( round / 2 % 2 )) = 0 ]; then
            pair -1 "$(conninfo $plain app)" "$(conninfo $ours app)" >>"$work/rounds" || die "logins failed"
        else
            pair -1 "$(conninfo $ours app)" "$(conninfo $plain app)" |
                awk '{ print "a", $5, "ms b", $2, "ms b/a", 1 / $8, "b-a", -$10, "us" }' >>"$work/rounds"
        fi
        stop $ours; stop $plain
    done
    read -r a b difference < <(awk '{ a[NR] = $2; b[NR] = $5; d[NR] = $10 / 1000 }
        END { n = asort_(a, NR); m = asort_(b, NR); k = asort_(d, NR); printf "%.1f %.1f %+.1f\n", n, m, k }
        function asort_(v, n,  i, j, t) { for (i = 2; i <= n; i++) for (j = i; j > 1 && v[j-1] > v[j]; j--) { t = v[j]; v[j] = v[j-1]; v[j-1] = t } return v[int((n + 1) / 2)] }' "$work/rounds")
    printf 'First login after a start, %s labelled roles: %s ms without, %s ms with; difference %s ms (%s)\n' \
        "$labels" "$a" "$b" "$difference" "$(verdict "$difference" 100)"
}

throughput() {
    local round plain ours tps_a tps_b
    : >"$work/rounds"
    echo 'SELECT 1;' >"$work/select.sql"
    for round in $(seq "$rounds"); do
        ours=$(( round % 2 + 1 )); plain=$(( 3 - ours ))
        start $ours with; start $plain without
        for _ in 1 2 3; do
            for n in $plain $ours; do
                as_tester env PGSSLMODE=require PGSSLCERT="$work/certs/app.crt" PGSSLKEY="$work/certs/app.key" \
                    pgbench -n -f "$work/select.sql" -T 2 -h 127.0.0.1 -p "${port[$n]}" -U app postgres 2>/dev/null |
                    sed -nE 's/^tps = ([0-9.]+).*without.*/\1/p'
            done | paste -sd' ' >>"$work/rounds"
        done
        stop $ours; stop $plain
    done
    awk '{ r += log($2 / $1) } END { printf "Queries on an open connection: throughput with / without %.3f\n", exp(r / NR) }' "$work/rounds"
}

say "Machine: $(nproc) processors, $("$pg_config" --version), $(openssl version | cut -d' ' -f1-2)"
for n in 1 2; do
    start $n with
    sql $n <<'SQL' || die "setup failed"
CREATE EXTENSION sslpolicy;
CREATE ROLE app LOGIN; CREATE ROLE many LOGIN;
SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=verify-full';
DO $$ BEGIN FOR i IN 1..100 LOOP
    EXECUTE format('CREATE ROLE group%s; GRANT group%s TO many; SECURITY LABEL FOR sslpolicy ON ROLE group%s IS %L', i, i, i, 'sslmode=verify-full');
END LOOP; END $$;
VACUUM FREEZE;
SQL
    stop $n
done

compare 'One verify-full policy' app 1.02 150
[ -n "${ONLY_FIRST:-}" ] && exit
compare 'Member of 100 labelled roles' many '' 500
throughput

start 1 with
printf 'Shared memory: %s bytes a connection slot (limit 2048), certificates above 1280 bytes on top\n' \
    "$(sql 1 <<<"SELECT size / (SELECT sum(setting::int) + 1 FROM pg_settings WHERE name IN ('max_connections','autovacuum_max_workers','max_worker_processes','max_wal_senders')) FROM pg_shmem_allocations WHERE name = 'sslpolicy sessions'")"
stop 1

for n in 1 2; do
    start $n with
    sql $n <<SQL || die "setup failed"
DO \$\$ BEGIN FOR i IN 1..$labels LOOP
    EXECUTE 'CREATE ROLE r' || i;
END LOOP; END \$\$;
INSERT INTO pg_shseclabel SELECT oid, 'pg_authid'::regclass, 'sslpolicy', 'sslmode=verify-full'
  FROM pg_authid WHERE rolname ~ '^r[0-9]+\$';
VACUUM FREEZE ANALYZE;
SQL
    stop $n
done
compare "The same with $labels labelled roles" app 1.02 150
first_login
