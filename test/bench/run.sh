#!/usr/bin/env bash
# make bench: what a login costs with sslpolicy, by the clock.
#
# Three servers run side by side, one with sslpolicy preloaded and two without; single logins
# go to them in random order (TLS with a client certificate, a new connection each time).  In
# each block the servers start anew, and change parts, since a start and a data folder alone
# move a server by a per cent.  A block's figure is the ratio of medians, that with sslpolicy
# to the mean of the two without; the two without, to each other, show the noise.  Intervals
# are those of Student's t over the blocks, 95 %.
#
#   BLOCKS=9     how often they start (a multiple of 3, so that each has had each part)
#   LOGINS=200   to each server in a block
#   LABELS=100000
#   PARTS='label off groups hook labels first queries'   what is measured
#   TOP=folder   another clone, whose sslpolicy is measured
set -u
top=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
. "$top/test/lib/env.sh"
. "$(dirname "$0")/lib.sh"

blocks=${BLOCKS:-9}
logins=${LOGINS:-200}
labels=${LABELS:-100000}
parts=${PARTS:-label off groups hook labels first queries}
measures() { [[ " $parts " == *" $1 "* ]]; }

need gcc make openssl libssl-dev libkrb5-dev postgresql-server-dev-NN \
    postgresql-NN libipc-run-perl
make_work bench
# for figures of what is shipped: warnings are no errors here, -O2 as packaged
COPT= build
write_server_conf "$work/server.conf"
compile_tools random_logins
compile_module hook hook
compile_module floor hook -DFLOOR

port[1]=$(( 20000 + RANDOM % 10000 ))
port[2]=$(( port[1] + 1 ))
port[3]=$(( port[1] + 2 ))
as_tester perl -I"$work/src/test/lib" -MSSLPolicy::Certs -e '
    my $certs = SSLPolicy::Certs->new(dir => "certs");
    my $ca = $certs->ca("root");
    $certs->server("server", issuer => $ca);
    $certs->client($_, issuer => $ca) for qw(app many);' || die "No certificates."

for n in 1 2 3; do
    make_data_folder "$work/d$n" "${port[$n]}"
done

# start NUMBER LIBRARIES [OPTIONS]
start() {
    HOOK_TIMES=$work/times control "$1" -o "-c shared_preload_libraries='$2' ${3:-}" start
}
stop() { control "$1" -m fast stop; }
sql() { as_tester psql -XqAt -v ON_ERROR_STOP=1 -h "$work" -p "${port[$1]}" -U postgres postgres; }
conninfo() {
    echo "host=127.0.0.1 port=${port[$1]} dbname=postgres user=$2 sslmode=verify-full sslrootcert=$work/certs/root.crt sslcert=$work/certs/$2.crt sslkey=$work/certs/$2.key"
}
verdict() { if awk "BEGIN { exit !($1 <= $2) }"; then echo "within $2"; else echo "ABOVE $2"; fi; }

# interval FORMAT: of the mean of the numbers that are read, "mean [low high]"
interval() {
    awk -v format="$1" 'BEGIN { split("12.706 4.303 3.182 2.776 2.571 2.447 2.365 2.306 2.262 2.228 2.201 2.179 2.160 2.145 2.131 2.120 2.110", t) }
        { sum += $1; squares += $1 * $1 }
        END {
            mean = sum / NR
            student = NR - 1 in t ? t[NR - 1] : 2.05
            half = NR > 1 ? student * sqrt((squares / NR - mean * mean) / (NR - 1)) : 0
            printf format " [" format " " format "]", mean, mean - half, mean + half
        }'
}

# In block B each server has one part: "with", "first" or "second" of those without.
give_parts() {
    with=$(( $1 % 3 + 1 ))
    first=$(( ($1 + 1) % 3 + 1 ))
    second=$(( ($1 + 2) % 3 + 1 ))
}

# compare TITLE ROLE LIMIT [OPTIONS]
compare() {
    local block n
    : >"$work/blocks"
    for block in $(seq "$blocks"); do
        give_parts "$block"
        for n in $(seq 3 | shuf); do
            if [ "$n" = $with ]; then start "$n" sslpolicy "${4:-}"; else start "$n" ''; fi
        done
        as_tester "$work/random_logins" "$logins" "$RANDOM" "$(conninfo $with "$2")" "$(conninfo $first "$2")" "$(conninfo $second "$2")" \
            >"$work/logins" || die "logins failed"
        for n in 1 2 3; do stop $n; done
        for n in 1 2 3; do awk -v n=$n '$1 == n { print $2 }' "$work/logins" | median; done | paste -sd' ' >>"$work/blocks"
    done
    printf '%s: %s ms without; ratio %s' "$1" "$(awk '{ print ($2 + $3) / 2000 }' "$work/blocks" | median)" \
        "$(awk '{ print 2 * $1 / ($2 + $3) }' "$work/blocks" | interval %.4f)"
    [ -z "$3" ] || printf ' (%s)' "$(verdict "$(awk '{ r += 2 * $1 / ($2 + $3) } END { print r / NR }' "$work/blocks")" "$3")"
    printf ', %s us; the two without, to each other, %s\n' "$(awk '{ print $1 - ($2 + $3) / 2 }' "$work/blocks" | interval %+.0f)" \
        "$(awk '{ print $2 / $3 }' "$work/blocks" | interval %.4f)"
}

# How long the hook takes, and one that only reads who logs in: medians of blocks.
hook_time() {
    local block what
    rm -f "$work"/*.hook
    for block in $(seq "$blocks"); do
        for what in $(printf '%s\n' sslpolicy floor | shuf); do
            n=$(( block % 3 + 1 ))
            rm -f "$work/times"
            if [ "$what" = floor ]; then start $n "$work/floor.so,$work/hook.so"; else start $n "sslpolicy,$work/hook.so"; fi
            as_tester "$work/random_logins" "$logins" "$RANDOM" "$(conninfo $n app)" >/dev/null || die "logins failed"
            stop $n
            # without those that warm up
            tail -n "$logins" "$work/times" | median | awk '{ print $1 / 1000 }' >>"$work/$what.hook"
        done
    done
    local ours
    ours=$(awk '{ sum += $1 } END { print sum / NR }' "$work/sslpolicy.hook")
    echo "The hook, by the clock: median $(interval %.0f <"$work/sslpolicy.hook") us ($(verdict "$ours" 200)); one that only reads who logs in $(interval %.0f <"$work/floor.hook") us"
}

first_login() {
    local block n
    : >"$work/blocks"
    for block in $(seq $(( blocks * 2 ))); do
        give_parts "$block"
        for n in $with $first; do if [ "$n" = $with ]; then start "$n" sslpolicy; else start "$n" ''; fi; done
        # these are the very first
        as_tester "$work/random_logins" -1 "$RANDOM" "$(conninfo $with app)" "$(conninfo $first app)" >"$work/logins" || die "logins failed"
        for n in $with $first; do stop "$n"; done
        sort -n "$work/logins" | awk '{ print $2 / 1000 }' | paste -sd' ' >>"$work/blocks"
    done
    printf 'First login after a start, %s labelled roles: %s ms without, %s ms with; difference %s ms (%s)\n' "$labels" \
        "$(awk '{ print $2 }' "$work/blocks" | median)" "$(awk '{ print $1 }' "$work/blocks" | median)" \
        "$(awk '{ print $1 - $2 }' "$work/blocks" | interval %+.1f)" "$(verdict "$(awk '{ print $1 - $2 }' "$work/blocks" | median)" 100)"
}

queries() {
    local block n
    : >"$work/blocks"
    echo 'SELECT 1;' >"$work/select.sql"
    for block in $(seq "$blocks"); do
        give_parts "$block"
        start $with sslpolicy; start $first ''
        for n in $with $first; do
            as_tester env PGSSLMODE=require PGSSLCERT="$work/certs/app.crt" PGSSLKEY="$work/certs/app.key" \
                pgbench -n -f "$work/select.sql" -T 3 -h 127.0.0.1 -p "${port[$n]}" -U app postgres 2>/dev/null |
                sed -nE 's/^tps = ([0-9.]+).*without.*/\1/p'
        done | paste -sd' ' >>"$work/blocks"
        stop $with; stop $first
    done
    echo "Queries on an open connection: throughput with sslpolicy, to without, $(awk '{ print $1 / $2 }' "$work/blocks" | interval %.3f)"
}

say "Machine: $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg), $("$pg_config" --version), $(openssl version | cut -d' ' -f1-2); $blocks blocks of $logins logins"
for n in 1 2 3; do
    start $n sslpolicy
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

! measures label || compare 'One verify-full policy' app 1.005
! measures off || compare 'enforcement = off' app '' '-c sslpolicy.enforcement=off'
! measures groups || compare 'Member of 100 labelled roles' many ''
! measures hook || hook_time
! measures queries || queries

measures labels || measures first || exit 0
for n in 1 2 3; do
    start $n sslpolicy
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
! measures labels || compare "One policy, $labels labelled roles" app 1.005
! measures first || first_login
