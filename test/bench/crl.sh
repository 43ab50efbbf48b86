#!/usr/bin/env bash
# make bench, last part: what a revocation list costs a login, if sslpolicy checks
# it, if core does, and without any; what its index takes to be built; and how fast
# live sessions are rechecked, and ended.
#
# Three servers run side by side, all with sslpolicy preloaded; logins go to two of
# them in turn.  The one without a list and the one whose list sslpolicy checks
# change parts in every round, so that what differs between two data folders falls
# out.  The third is core's.  TLS with a client certificate, verify-full, a new
# connection each time.
#
#   ROUNDS=2              how often they change parts (even)
#   PAIRS=300             logins to each server in a round
#   MAX_ENTRIES=10000000  the longest list, of 1000, 10000, ...
#   CORE_MAX=1000000      the longest one that core is given
#   SESSIONS=500          live sessions that are rechecked
#   REVOKED=200           live sessions that are ended
#   LABELS=100000
#   PLOT=FILE             the picture (default: login-time.svg beside this file)
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"

rounds=${ROUNDS:-2}
pairs=${PAIRS:-300}
max_entries=${MAX_ENTRIES:-10000000}
core_max=${CORE_MAX:-1000000}
sessions=${SESSIONS:-500}
revoked=${REVOKED:-200}
labels=${LABELS:-100000}
plot=${PLOT:-$top/test/bench/login-time.svg}

need gcc make openssl libssl-dev libkrb5-dev postgresql-server-dev-NN \
    postgresql-NN libipc-run-perl
make_work bench
COPT= build
write_server_conf "$work/server.conf"
for tool in connect_pairs hold_sessions make_crl; do
    gcc -O2 -I"$("$pg_config" --includedir)" "$top/test/bench/$tool.c" -o "$work/$tool" \
        -L"$("$pg_config" --libdir)" -lpq -lcrypto || die "$tool does not compile."
done
as_tester perl -I"$work/src/test/lib" -MSSLPolicy::Certs -e '
    my $certs = SSLPolicy::Certs->new(dir => "certs");
    my $ca = $certs->ca("root");
    $certs->server("server", issuer => $ca);
    $certs->client($_, issuer => $ca) for qw(app held);' || die "No certificates."
as_tester mkdir crls

# 1 and 2 change parts, 3 is core's
port[1]=$(( 20000 + RANDOM % 10000 ))
port[2]=$(( port[1] + 1 ))
port[3]=$(( port[1] + 2 ))
for n in 1 2 3; do
    as_tester initdb -A trust -U postgres --no-sync -D "$work/d$n" >/dev/null || die "initdb failed."
    # fsync is on: an index is durable
    cat "$work/server.conf" - >>"$work/d$n/postgresql.conf" <<CONF
port = ${port[$n]}
listen_addresses = '127.0.0.1'
unix_socket_directories = '$work'
shared_preload_libraries = 'sslpolicy'
max_connections = $(( (sessions > revoked ? sessions : revoked) + 20 ))
ssl = on
ssl_cert_file = '$work/certs/server.crt'
ssl_key_file = '$work/certs/server.key'
ssl_ca_file = '$work/certs/root.crt'
synchronous_commit = off
autovacuum = off
log_min_messages = fatal
CONF
done

# start NUMBER [OPTIONS of the server]
start() {
    as_tester pg_ctl -s -w -t 300 -D "$work/d$1" -l "$work/d$1.log" -o "${2:-}" start ||
        { cat "$work/d$1.log" >&2; die "server $1 does not start"; }
}
stop() { as_tester pg_ctl -s -w -m fast -D "$work/d$1" stop; }
# sql NUMBER ARGUMENTS..., or statements on standard input
sql() {
    local n=$1
    shift
    as_tester psql -XqAt -v ON_ERROR_STOP=1 -h "$work" -p "${port[$n]}" -U postgres postgres "$@"
}
# conninfo NUMBER CERTIFICATE [ROLE]
conninfo() {
    echo "host=127.0.0.1 port=${port[$1]} dbname=postgres user=${3:-$2} sslmode=verify-full sslrootcert=$work/certs/root.crt sslcert=$work/certs/$2.crt sslkey=$work/certs/$2.key"
}
pair() { as_tester "$work/connect_pairs" "$@"; }
make_crl() { as_tester "$work/make_crl" certs/root.crt certs/root.key "$@" || die "No CRL."; }
worker() { sql "$1" -c "SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'"; }

# figures from standard input
median() { sort -n | awk '{ v[NR] = $1 } END { printf "%.1f", v[int((NR + 1) / 2)] }'; }
largest() { sort -n | tail -1; }

# verdict VALUE LIMIT
verdict() {
    if awk "BEGIN { exit !($1 <= $2) }"; then echo "within $2"; else echo "ABOVE $2"; fi
}
# verdict_for ENTRIES VALUE LIMIT_OF_1000000 LIMIT_OF_10000000; "-" for none
verdict_for() {
    local limit=-
    [ "$1" = 1000000 ] && limit=$3
    [ "$1" = 10000000 ] && limit=$4
    [ "$limit" = - ] || printf ' (%s)' "$(verdict "$2" "$limit")"
}
# thousands NUMBER
thousands() { sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta' <<<"$1"; }

# mean FILE: of the lines of connect_pairs, the means "a b ratio difference"
mean() {
    awk '{ a += $2; b += $5; r += log($8); d += $10 }
        END { printf "%.3f %.3f %.4f %+.0f\n", a / NR, b / NR, exp(r / NR), d / NR }' "$1"
}

# milliseconds NUMBER STATEMENT: how long it takes; its rows go to $work/rows
milliseconds() {
    printf '\\timing on\n%s;\n' "$2" | sql "$1" >"$work/timed" || die "a statement failed: $2"
    sed -E '/^Time: /d' "$work/timed" >"$work/rows"
    sed -nE 's/^Time: ([0-9.]+) ms.*/\1/p' "$work/timed"
}

# take_crl NUMBER FILE: has sslpolicy check it; "milliseconds MB bytes" of the index
take_crl() {
    local pid ms
    pid=$(worker "$1")
    echo 5 >"/proc/$pid/clear_refs" || die "the peak of the worker's memory cannot be reset"
    sql "$1" -c "ALTER SYSTEM SET sslpolicy.crl_file = '$2'"
    ms=$(milliseconds "$1" "SELECT coalesce(error, 'ok') FROM sslpolicy.reload('5 min')") || exit 1
    [ "$(cat "$work/rows")" = ok ] || die "the CRL is not taken: $(cat "$work/rows")"
    echo "$ms $(awk '/^VmHWM/ { printf "%.1f", $2 / 1024 }' "/proc/$pid/status") $(stat -c %s "$work/d$1/sslpolicy/crl.index")"
}
no_crl() {
    sql "$1" -c 'ALTER SYSTEM RESET sslpolicy.crl_file' -c "SELECT error FROM sslpolicy.reload('1 min')" >/dev/null || die "no reload"
}

# compare ENTRIES FILE: sslpolicy's list against none; the figures are means of the
# rounds' medians.
compare() {
    local round plain ours
    : >"$work/rounds"
    : >"$work/builds"
    for round in $(seq "$rounds"); do
        ours=$(( round % 2 + 1 )); plain=$(( 3 - ours ))
        no_crl $plain
        take_crl $ours "$2" >>"$work/builds" || exit 1
        pair "$pairs" "$(conninfo $plain app)" "$(conninfo $ours app)" >>"$work/rounds" || die "logins failed"
    done
    read -r none own ratio difference < <(mean "$work/rounds")
    build=$(cut -d' ' -f1 "$work/builds" | median)
    peak=$(cut -d' ' -f2 "$work/builds" | largest)
    bytes=$(awk "{ printf \"%.1f\", \$3 / $1 }" <(head -1 "$work/builds"))
}

# compare_core ENTRIES FILE: core's list against none, which server 1 has here.
# Fewer logins: each takes long.
compare_core() {
    local pid before now few=$(( 20 + pairs * 1000 / ($1 / 10 + 1000) ))
    [ "$1" -le 1000000 ] || few=5
    start 3 "-c ssl_crl_file=$2"
    # its worker reads the list too, for the live sessions
    pid=$(worker 3)
    now=$(cpu_time "$pid")
    while before=$now; sleep 1.5; now=$(cpu_time "$pid"); awk "BEGIN { exit !($now - $before > 0.05) }"; do :; done
    no_crl 1
    pair "$few" "$(conninfo 1 app)" "$(conninfo 3 app)" >"$work/rounds" || die "logins failed"
    read -r core_none core core_ratio _ < <(mean "$work/rounds")
}

# cpu_time PID: seconds of processor time that a process has had
cpu_time() {
    if [ -r "/proc/$1/schedstat" ]; then
        awk '{ print $1 / 1e9 }' "/proc/$1/schedstat"
    else
        sed 's/.*)//' "/proc/$1/stat" | awk -v hz="$(getconf CLK_TCK)" '{ print ($12 + $13) / hz }'
    fi
}

# hold NUMBER COUNT CERTIFICATE ROLE: opens sessions until release; the backends'
# process ids are in $work/held
hold() {
    rm -f "$work/hold"
    mkfifo -m 600 "$work/hold"
    as_tester "$work/hold_sessions" "$2" "$(conninfo "$1" "$3" "$4")" <"$work/hold" >"$work/held" 9>&- &
    holder=$!
    exec 9>"$work/hold"
    until grep -q ready "$work/held"; do
        kill -0 "$holder" 2>/dev/null || die "sessions cannot be opened"
        sleep 0.1
    done
}
release() {
    exec 9>&-
    wait "$holder"
}

# private_memory NUMBER: kB of a backend that has just logged in
private_memory() {
    hold "$1" 15 app app
    grep -E '^[0-9]+$' "$work/held" | while read -r pid; do
        awk '/^Private_Dirty/ { print $2 }' "/proc/$pid/smaps_rollup"
    done | median
    release
}

say "Machine: $(nproc) processors, $("$pg_config" --version), $(openssl version | cut -d' ' -f1-2)"
for n in 1 2 3; do
    start $n
    sql $n <<SQL || die "setup failed"
CREATE EXTENSION sslpolicy;
CREATE ROLE app LOGIN; CREATE ROLE held LOGIN;
SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=verify-full';
SECURITY LABEL FOR sslpolicy ON ROLE held IS 'sslmode=verify-full';
DO \$\$ BEGIN FOR i IN 1 .. $sessions LOOP
    EXECUTE format('CREATE ROLE app%s LOGIN', i);
    EXECUTE format('SECURITY LABEL FOR sslpolicy ON ROLE app%s IS %L', i, 'sslmode=verify-full cn=app');
END LOOP; END \$\$;
VACUUM FREEZE ANALYZE;
CHECKPOINT;
SQL
done
stop 3

# What the machine's noise alone makes of a ratio.
pair "$pairs" "$(conninfo 1 app)" "$(conninfo 2 app)" >"$work/rounds" || die "logins failed"
pair "$pairs" "$(conninfo 2 app)" "$(conninfo 1 app)" >>"$work/rounds" || die "logins failed"
read -r a b ratio _ < <(mean "$work/rounds")
echo "Login without a CRL, on both servers: $a ms and $b ms; ratio $ratio: noise"

: >"$work/figures"
for (( entries = 1000; entries <= max_entries; entries *= 10 )); do
    list=$work/crls/$entries.pem
    title="CRL of $(thousands $entries)"
    make_crl "$entries" "$list" --number 1
    compare "$entries" "$list"
    printf '%s: %s ms without, %s ms with sslpolicy.crl_file; ratio %s%s; difference %s us\n' \
        "$title" "$none" "$own" "$ratio" "$(verdict_for $entries "$ratio" 1.03 1.05)" "$difference"
    printf '%s: index built in %s ms%s, peak of the worker %s MB%s, %s bytes an entry%s\n' "$title" \
        "$build" "$(verdict_for $entries "$build" 3000 40000)" \
        "$peak" "$(verdict_for $entries "$peak" 300 1024)" "$bytes" "$(verdict_for $entries "$bytes" 48 48)"
    core=-
    if [ "$entries" -le "$core_max" ]; then
        # server 2 keeps the list, for memory below
        take_crl 2 "$list" >/dev/null
        compare_core "$entries" "$list"
        echo "$title: $core_none ms without, $core ms with core's ssl_crl_file; ratio $core_ratio"
        if [ "$entries" = 1000000 ]; then
            memory=$(private_memory 1)
            own_memory=$(private_memory 2)
            core_memory=$(private_memory 3)
            more=$(awk "BEGIN { print $own_memory - $memory }")
            echo "$title: private memory of a new backend $memory kB without, $own_memory kB with sslpolicy.crl_file ($more more: $(verdict "$more" 64)), $core_memory kB with core's ssl_crl_file"
        fi
        stop 3
    fi
    echo "$entries $none $own $core" >>"$work/figures"
done
perl "$top/test/bench/plot.pl" <"$work/figures" >"$work/plot.svg" || die "No picture."
cp "$work/plot.svg" "$plot" && echo "Picture: $(basename "$plot")"

# Logins while the longest list is read anew, and while something else computes.
entries=$(tail -1 "$work/figures" | cut -d' ' -f1)
list=$work/crls/$entries.pem
no_crl 1
take_crl 2 "$list" >/dev/null
make_crl "$entries" crls/next.pem --number 2
pair "$pairs" "$(conninfo 1 app)" "$(conninfo 2 app)" >"$work/before" || die "logins failed"
mv "$work/crls/next.pem" "$list"
sql 2 -c "SELECT coalesce(error, 'ok') FROM sslpolicy.reload('5 min')" >"$work/rows" &
reading=$!
: >"$work/during"
while line=$(pair 20 "$(conninfo 1 app)" "$(conninfo 2 app)") || die "logins failed"; kill -0 $reading 2>/dev/null; do
    echo "$line" >>"$work/during"
done
wait $reading
[ "$(cat "$work/rows")" = ok ] || die "the CRL is not taken: $(cat "$work/rows")"
perl -e 'for (;;) { $x++ for 1 .. 1e6; last if getppid() != $ARGV[0] }' $$ &
busy=$!
pair "$pairs" "$(conninfo 1 app)" "$(conninfo 2 app)" >"$work/busy" || die "logins failed"
kill $busy
wait $busy 2>/dev/null
read -r none own _ < <(mean "$work/before")
read -r busy_none busy_own _ < <(mean "$work/busy")
if [ -s "$work/during" ]; then
    read -r none_during own_during ratio _ < <(mean "$work/during")
    printf 'Login while a CRL of %s is read (%s pairs): %s ms without (%s before), %s ms with (%s before); ratio %s (%s)\n' \
        "$(thousands "$entries")" $(( $(wc -l <"$work/during") * 20 )) "$none_during" "$none" "$own_during" "$own" \
        "$ratio" "$(verdict "$ratio" 1.05)"
    echo "Login while another process computes: $busy_none ms without, $busy_own ms with"
else
    echo "The CRL of $(thousands "$entries") was read before logins could be timed"
fi

# From the return of install_crl() to the end of the last revoked session.
now=$work/crls/now.pem
make_crl 1000 "$now" --number 1
take_crl 2 "$now" >/dev/null
serial=$(openssl x509 -in "$work/certs/held.crt" -noout -serial | sed 's/.*=//')
# install NUMBER_OF_CRL [OPTIONS of make_crl]
install() {
    make_crl 1000 crls/new.pem --number "$@"
    sql 2 <<SQL || die "install_crl failed"
\set crl \`cat $work/crls/new.pem\`
SET client_min_messages = error;
CREATE TEMP TABLE took (ms float8);
SELECT installed FROM sslpolicy.install_crl(:'crl', force => true) \gset
DO \$\$ DECLARE installed timestamptz := clock_timestamp(); BEGIN
    WHILE EXISTS (SELECT FROM pg_stat_get_activity(NULL) WHERE usesysid = 'held'::regrole) LOOP
        PERFORM pg_stat_clear_snapshot(), pg_sleep(0.002);
        IF clock_timestamp() > installed + interval '30 s' THEN RAISE 'they do not end'; END IF;
    END LOOP;
    INSERT INTO took VALUES (extract(epoch FROM clock_timestamp() - installed) * 1000);
END \$\$;
SELECT ms FROM took;
SQL
}
: >"$work/ended"
for (( round = 1; round <= 10; round += 2 )); do
    hold 2 "$revoked" held held
    install $(( round + 1 )) --revoke "$serial" >>"$work/ended"
    release
    install $(( round + 2 )) >/dev/null
done
[ "$(sql 2 -c "SELECT count(*) FROM sslpolicy.ended_sessions WHERE cause = 'revoked'")" = $(( 5 * revoked < 500 ? 5 * revoked : 500 )) ] ||
    die "not all revoked sessions were ended as such"
ended=$(median <"$work/ended")
printf 'install_crl() to the end of the last of %s revoked sessions: median %s ms, longest %.1f ms (%s)\n' \
    "$revoked" "$ended" "$(largest <"$work/ended")" "$(verdict "$(largest <"$work/ended")" 1000)"

# recheck_pass: median of milliseconds
recheck_pass() {
    for _ in 1 2 3 4 5 6 7 8 9 10 11; do echo 'SELECT count(*) FROM sslpolicy.recheck(true) WHERE ok;'; done |
        { echo '\timing on'; cat; } | sql 2 >"$work/timed" || die "recheck failed"
    grep -qx "$sessions" "$work/timed" || die "not all sessions were judged"
    sed -nE 's/^Time: ([0-9.]+) ms.*/\1/p' "$work/timed" | median
}
# idle: percent of a processor that the worker takes
idle() {
    local pid before
    pid=$(worker 2)
    sleep 3
    before=$(cpu_time "$pid")
    sleep 20
    awk "BEGIN { printf \"%.2f\", ($(cpu_time "$pid") - $before) / 20 * 100 }"
}
hold 2 "$sessions" app 'app%d'
pass=$(recheck_pass)
echo "Recheck of $sessions sessions: median $pass ms ($(verdict "$pass" 100))"
echo "Idle worker, $sessions sessions: $(idle) % of a processor"
sql 2 <<SQL || die "setup failed"
DO \$\$ BEGIN FOR i IN 1..$labels LOOP
    EXECUTE 'CREATE ROLE r' || i;
END LOOP; END \$\$;
INSERT INTO pg_shseclabel SELECT oid, 'pg_authid'::regclass, 'sslpolicy', 'sslmode=verify-full'
  FROM pg_authid WHERE rolname ~ '^r[0-9]+\$';
VACUUM FREEZE ANALYZE;
SQL
pass=$(recheck_pass)
echo "The same with $labels labelled roles: median $pass ms ($(verdict "$pass" 500))"
release
