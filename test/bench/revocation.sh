#!/usr/bin/env bash
# make bench, third part: what revocation costs a login, with sslpolicy.crl_file,
# with core's ssl_crl_file, and without any CRL; what it takes to build the index;
# and how fast live sessions are ended and rechecked.
#
# Three servers run side by side, all with sslpolicy preloaded; logins go to two of
# them in turn.
#
#   PAIRS=200             logins to each server for a figure
#   SIZES='1000 10000 100000 1000000 10000000'   entries of the lists
#   CORE_MAX=1000000      the longest list that core is given
#   SESSIONS=500 REVOKED=200 LABELS=100000
#   PLOT=file             where the picture goes (default: docs/login-time.svg)
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"
. "$top/test/bench/lib.sh"

pairs=${PAIRS:-200}
sizes=${SIZES:-1000 10000 100000 1000000 10000000}
core_max=${CORE_MAX:-1000000}
sessions=${SESSIONS:-500}
revoked=${REVOKED:-200}
labels=${LABELS:-100000}
plot=${PLOT:-$top/docs/login-time.svg}

need gcc make openssl libssl-dev libkrb5-dev postgresql-server-dev-NN \
    postgresql-NN libipc-run-perl
make_work bench
COPT= build
write_server_conf "$work/server.conf"
compile_tools connect_pairs hold_sessions make_crl
as_tester perl -I"$work/src/test/lib" -MSSLPolicy::Certs -e '
    my $certs = SSLPolicy::Certs->new(dir => "certs");
    my $ca = $certs->ca("root");
    $certs->server("server", issuer => $ca);
    $certs->client($_, issuer => $ca) for qw(app many);' || die "No certificates."
mkdir "$work/crls" && chown "$tester" "$work/crls"

# 0: no CRL; 1: sslpolicy; 2: core
port[0]=$(( 20000 + RANDOM % 10000 )); port[1]=$(( port[0] + 1 )); port[2]=$(( port[0] + 2 ))
for n in 0 1 2; do
    as_tester initdb -A trust -U postgres --no-sync -D "$work/d$n" >/dev/null || die "initdb failed."
    cat "$work/server.conf" - >>"$work/d$n/postgresql.conf" <<CONF
port = ${port[$n]}
listen_addresses = '127.0.0.1'
unix_socket_directories = '$work'
shared_preload_libraries = 'sslpolicy'
max_connections = $(( sessions + 50 ))
ssl = on
ssl_cert_file = '$work/certs/server.crt'
ssl_key_file = '$work/certs/server.key'
ssl_ca_file = '$work/certs/root.crt'
autovacuum = off
log_min_messages = fatal
CONF
done
sql() { local n=$1; shift; as_tester psql -XqAt -v ON_ERROR_STOP=1 -h "$work" -p "${port[$n]}" -U postgres postgres "$@"; }
conninfo() { echo "host=127.0.0.1 port=${port[$1]} dbname=postgres user=$2 sslmode=verify-full sslrootcert=$work/certs/root.crt sslcert=$work/certs/$2.crt sslkey=$work/certs/$2.key"; }
median() { sort -n | awk '{ v[NR] = $1 } END { printf "%.1f", v[int((NR + 1) / 2)] }'; }
verdict() { if awk "BEGIN { exit !($1 <= $2) }"; then echo "within $2"; else echo "ABOVE $2"; fi; }
milliseconds() { echo $(( $(date +%s%N) / 1000000 )); }
worker() { sql "$1" -c "SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'"; }
# private memory of a new backend in kB, median of 9
private() {
    for _ in 1 2 3 4 5 6 7 8 9; do
        as_tester psql -XqAt -d "$(conninfo "$1" app)" -c "SELECT pg_backend_pid()" -c '\! true' \
            -c "SELECT sum((regexp_match(line, '[0-9]+'))[1]::int) FROM regexp_split_to_table(pg_read_file('/proc/self/smaps_rollup'), E'\n') line WHERE line ~ '^Private_'" | tail -1
    done | median
}

for n in 0 1 2; do
    control "$n" start
    sql "$n" -c "CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE many LOGIN; GRANT pg_read_server_files TO app; GRANT EXECUTE ON FUNCTION pg_read_file(text) TO app;
        SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=verify-full'; SECURITY LABEL FOR sslpolicy ON ROLE many IS 'sslmode=verify-full'" || die "setup failed"
done
say "Machine: $(nproc) processors, $("$pg_config" --version), $(openssl version | cut -d' ' -f1-2)"

: >"$work/figures"
none_private=$(private 0)
for size in $sizes; do
    as_tester "$work/make_crl" certs/root.crt certs/root.key "$size" "crls/$size.pem" --number "$size" || die "no CRL"
    crl=$work/crls/$size.pem

    pid=$(worker 1)
    echo 5 >"/proc/$pid/clear_refs" 2>/dev/null
    sql 1 -c "ALTER SYSTEM SET sslpolicy.crl_file = '$crl'"
    begin=$(milliseconds)
    [ "$(sql 1 -c "SELECT coalesce(error, 'ok') FROM sslpolicy.reload('2 min')")" = ok ] || die "the CRL is not taken"
    build=$(( $(milliseconds) - begin ))
    peak=$(awk '/VmHWM/ { printf "%.0f", $2 / 1024 }' "/proc/$pid/status")
    bytes=$(awk "BEGIN { printf \"%.1f\", $(stat -c %s "$work/d1/sslpolicy/crl.index") / $size }")
    read -r _ none _ _ ours _ _ ratio _ difference _ < <(as_tester "$work/connect_pairs" "$pairs" "$(conninfo 0 app)" "$(conninfo 1 app)")
    echo "$size entries: index built in $build ms, worker's peak $peak MB, $bytes bytes an entry"
    echo "$size entries: login without CRL $none ms, sslpolicy $ours ms, ratio $ratio, difference $difference us"
    core=-
    if [ "$size" -le "$core_max" ]; then
        sql 2 -c "ALTER SYSTEM SET ssl_crl_file = '$crl'" -c 'SELECT loaded FROM sslpolicy.reload('"'1 min'"', true)' >/dev/null
        # the worker of this server reads the list as well, for live sessions
        sleep 3
        few=$(( pairs * 1000 / (size / 10 + 1000) + 5 ))
        read -r _ _ _ _ core _ _ core_ratio _ < <(as_tester "$work/connect_pairs" "$few" "$(conninfo 0 app)" "$(conninfo 2 app)")
        echo "$size entries: core's ssl_crl_file $core ms, ratio $core_ratio"
    fi
    echo "$size $none $ours $core" >>"$work/figures"
    if [ "$size" = 1000000 ]; then
        ours_private=$(private 1)
        echo "private memory of a backend: $none_private kB without CRL, $ours_private kB with 1,000,000 entries, core's $(private 2) kB; $(verdict "$ours_private - $none_private" 64) kB more"
        echo "ratio with 1,000,000 entries: $(verdict "$ratio" 1.03); index: $(verdict "$build" 3000) ms, $(verdict "$peak" 300) MB, $(verdict "$bytes" 48) bytes"
    elif [ "$size" = 10000000 ]; then
        echo "ratio with 10,000,000 entries: $(verdict "$ratio" 1.05); index: $(verdict "$build" 40000) ms, $(verdict "$peak" 1024) MB"
    fi
done
perl "$top/test/bench/plot.pl" <"$work/figures" >"$work/plot.svg" && cp "$work/plot.svg" "$plot" && echo "Picture: $(basename "$plot")"

# logins while the largest index is built
largest=${sizes##* }
as_tester "$work/make_crl" certs/root.crt certs/root.key "$largest" "crls/again.pem" --number "$(( largest + 1 ))"
mv "$work/crls/again.pem" "$work/crls/$largest.pem"
sql 1 -c "SELECT error FROM sslpolicy.reload('2 min')" >/dev/null &
read -r _ none _ _ ours _ _ ratio _ < <(as_tester "$work/connect_pairs" "$pairs" "$(conninfo 0 app)" "$(conninfo 1 app)")
building=$(jobs -r | wc -l)
wait
echo "login while an index of $largest entries is built: without CRL $none ms, sslpolicy $ours ms, ratio $ratio$([ "$building" = 0 ] && echo ' (the build ended before)')"

# revoked sessions
hold() { # hold SERVER COUNT ROLE
    mkfifo "$work/hold" 2>/dev/null
    as_tester "$work/hold_sessions" "$2" "$(conninfo "$1" "$3")" <"$work/hold" >"$work/held" &
    exec 9>"$work/hold"
    until grep -q ready "$work/held"; do sleep 0.1; done
}
release() { exec 9>&-; wait; rm -f "$work/held"; }
# wait until no session of that role is left, and print how long it took, in ms;
# "since" is the moment from which it is counted
until_gone() {
    sql 1 -c "DO \$\$ BEGIN WHILE EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'many') LOOP
        PERFORM pg_stat_clear_snapshot(); PERFORM pg_sleep(0.005); END LOOP; END \$\$" || die "cannot wait"
    echo $(( $(milliseconds) - since ))
}
as_tester "$work/make_crl" certs/root.crt certs/root.key 1000 crls/small.pem --number 1
cp "$work/crls/small.pem" "$work/crls/now.pem"; chown "$tester" "$work/crls/now.pem"
sql 1 -c "ALTER SYSTEM SET sslpolicy.crl_file = '$work/crls/now.pem'" -c "SELECT error FROM sslpolicy.reload('2 min')"
for _ in 1 2 3; do
    number=$(( ${number:-1} + 1 ))
    as_tester "$work/make_crl" certs/root.crt certs/root.key 1000 crls/kept.pem --number "$number"
    sql 1 -c "SELECT installed FROM sslpolicy.install_crl('$(cat "$work/crls/kept.pem")')" >/dev/null || die "install_crl failed"
    hold 1 "$revoked" many
    number=$(( number + 1 ))
    serial=$(openssl x509 -in "$work/certs/many.crt" -noout -serial | sed 's/.*=//')
    as_tester "$work/make_crl" certs/root.crt certs/root.key 1000 crls/revoke.pem --number "$number" --revoke "$serial"
    sql 1 -c "SELECT installed FROM sslpolicy.install_crl('$(cat "$work/crls/revoke.pem")', force => true)" >/dev/null || die "install_crl failed"
    since=$(milliseconds)
    until_gone >>"$work/ended"
    release 2>/dev/null
    # the same by hand: what the machine needs for so many ends
    number=$(( number + 1 ))
    as_tester "$work/make_crl" certs/root.crt certs/root.key 1000 crls/kept.pem --number "$number"
    sql 1 -c "SELECT installed FROM sslpolicy.install_crl('$(cat "$work/crls/kept.pem")')" >/dev/null || die "install_crl failed"
    hold 1 "$revoked" many
    since=$(milliseconds)
    sql 1 -c "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'many'" >/dev/null
    until_gone >>"$work/by_hand"
    release 2>/dev/null
done
ended=$(median <"$work/ended")
echo "from install_crl() to the end of the last of $revoked revoked sessions: $ended ms ($(verdict "$ended" 1000)); by pg_terminate_backend(), which judges nothing: $(median <"$work/by_hand") ms"

# a recheck
pass() { for _ in 1 2 3 4 5 6 7 8 9 10; do echo 'SELECT count(*) FROM sslpolicy.recheck(true);'; done | { echo '\timing on'; cat; } | sql 1 | sed -nE 's/^Time: ([0-9.]+) ms.*/\1/p' | median; }
hold 1 "$sessions" app
few=$(pass)
sql 1 <<SQL || die "no labels"
SET synchronous_commit = off;
DO \$\$ BEGIN FOR i IN 1..$labels LOOP EXECUTE 'CREATE ROLE r' || i; END LOOP; END \$\$;
INSERT INTO pg_shseclabel SELECT oid, 'pg_authid'::regclass, 'sslpolicy', 'sslmode=verify-full'
  FROM pg_authid WHERE rolname ~ '^r[0-9]+\$';
SQL
many=$(pass)
echo "recheck of $sessions sessions: $few ms ($(verdict "$few" 100)); with $labels labels: $many ms ($(verdict "$many" 500))"
pid=$(worker 1)
cpu() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
sleep 2; begin=$(cpu); sleep 20
echo "idle worker: $(awk "BEGIN { printf \"%.2f\", ($(cpu) - $begin) / 20 }") % of a processor"
release 2>/dev/null
for n in 0 1 2; do control "$n" -m fast stop; done
