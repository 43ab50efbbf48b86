#!/usr/bin/env bash
# make bench: what grows with what is stored, listed or changed.
#
#   PARTS='counted lint desk recheck many worker throughput'   what is measured
#   counted      instructions of a login (count.sh), against the entries of a CRL, groups,
#                labels, rows of full tables, CAs, issuers, SANs and blocked fingerprints
#   lint         lint() and the functions beside it, against LINT_ROLES='1000 10000 100000'
#   desk         sslpolicy.sessions to core's join, with SESSIONS=1500
#   recheck      a pass over RECHECKED=500 sessions, with 10 and with LABELS=100000 labels
#   many         the hook by the clock, and a pass over 100 sessions, with 10 and MANY=10000
#                blocked fingerprints and SANs, and CAs and issuers of CRLs (3000 at most)
#   worker       its processor time, with WORKER_LABELS='30000 100000' and no session, while
#                roles are created for SECONDS_EACH=30, and how often it wakes
#   throughput   logins a second of CLIENTS='1 2 8 32 200', with and without sslpolicy, and
#                with full tables (FULL=1000 rows) and a reader of every view beside
#   PLOT=file    where the picture of the counted figures goes
#   TOP=folder   another clone, whose sslpolicy is measured
set -u
top=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
. "$top/test/lib/env.sh"
. "$(dirname "$0")/lib.sh"

parts=${PARTS:-counted lint desk recheck many worker throughput}
lint_roles=${LINT_ROLES:-1000 10000 100000}
sessions=${SESSIONS:-1500}
rechecked=${RECHECKED:-500}
labels=${LABELS:-100000}
many=${MANY:-10000}
worker_labels=${WORKER_LABELS:-30000 100000}
seconds=${SECONDS_EACH:-30}
clients=${CLIENTS:-1 2 8 32 200}
full=${FULL:-1000}
measures() { [[ " $parts " == *" $1 "* ]]; }

need gcc make openssl libssl-dev libkrb5-dev valgrind postgresql-server-dev-NN \
    postgresql-NN libipc-run-perl
make_work bench
if [ -n "${SSLPOLICY_CACHE:-}" ]; then
    TESTS=none COPT= build_kept
else
    COPT= build
fi
write_server_conf "$work/server.conf"
compile_tools hold_sessions random_logins make_crl make_cas fill
compile_module hook hook
as_tester perl -I"$work/src/test/lib" -MSSLPolicy::Certs -e '
    my $certs = SSLPolicy::Certs->new(dir => "certs");
    my $ca = $certs->ca("root");
    $certs->server("server", issuer => $ca);
    $certs->client("app", issuer => $ca);
    for my $count (@ARGV)
    {
        $certs->client("sans$count", issuer => $ca, subject => "/CN=app", key_name => "app", san => [ map { "dns:h$_" } 1 .. $count ]);
    }' 10 "$many" || die "No certificates."
port=$(( 20000 + RANDOM % 10000 ))
make_data_folder "$work/empty" "$port" "max_connections = $(( (sessions > 250 ? sessions : 250) + 50 ))"
sql() { as_tester psql -XqAt -v ON_ERROR_STOP=1 -h "$work" -p "$port" -U postgres postgres "$@"; }
tcp="host=127.0.0.1 port=$port dbname=postgres gssencmode=disable"
app="$tcp user=app sslmode=verify-full sslrootcert=$work/certs/root.crt sslcert=$work/certs/app.crt sslkey=$work/certs/app.key"
verdict() { if awk "BEGIN { exit !($1 <= $2) }"; then echo "within $2"; else echo "ABOVE $2"; fi; }
configure() { as_tester tee -a "$work/d/postgresql.conf" >/dev/null; }

# A server with an empty data folder, sslpolicy, and the role app.
fresh() {
    as_tester rm -rf "$work/d"
    as_tester cp -a "$work/empty" "$work/d"
    configure <<<"shared_preload_libraries = 'sslpolicy'"
    control '' start
    sql -c "CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=verify-full'" || die "setup failed"
}
gone() { control '' -m fast stop; }
# add_labels COUNT: roles r1 to rCOUNT with a policy, after those that there are
add_labels() {
    sql <<SQL || die "no labels"
DO \$\$ BEGIN FOR i IN 1 + (SELECT count(*) FROM pg_authid WHERE rolname ~ '^r[0-9]+\$') .. $1 LOOP EXECUTE 'CREATE ROLE r' || i || ' LOGIN'; END LOOP; END \$\$;
INSERT INTO pg_shseclabel SELECT oid, 'pg_authid'::regclass, 'sslpolicy', 'sslmode=verify-full min_protocol=TLSv1.3'
  FROM pg_authid a WHERE rolname ~ '^r[0-9]+\$' AND NOT EXISTS (SELECT FROM pg_shseclabel WHERE objoid = a.oid);
VACUUM FREEZE ANALYZE;
SQL
}
# timed RUNS STATEMENT: its median, in ms
timed() {
    for _ in $(seq "$1"); do printf '%s;\n' "$2"; done | { echo '\timing on'; echo '\o /dev/null'; cat; } | sql | sed -nE 's/^Time: ([0-9.]+) ms.*/\1/p' >"$work/times"
    [ "$(wc -l <"$work/times")" = "$1" ] || die "$2 failed"
    median <"$work/times"
}
hold() { # hold COUNT
    rm -f "$work/hold" "$work/held"
    mkfifo "$work/hold"
    # a file for each
    as_tester bash -c 'ulimit -n "$0" && exec "$@"' $(( $1 + 100 )) "$work/hold_sessions" "$1" "$app" <"$work/hold" >"$work/held" &
    holder=$!
    exec 9>"$work/hold"
    until grep -q ready "$work/held"; do
        kill -0 $holder 2>/dev/null || die "the sessions are not open"
        sleep 0.1
    done
}
release() { exec 9>&-; wait; }

counted() {
    CASES=${COUNTED:-label crl:1 crl:1000 crl:10000 crl:100000 crl:1000000 groups:1 groups:10 groups:100 groups:1000 member:1 member:10 member:100 member:1000
        labels:10 labels:1000 labels:10000 labels:100000 logins:100 logins:1000 logins:10000 refusals:100 refusals:1000 refusals:10000
        cas:10 cas:1000 issuers:10 issuers:1000 sans:10 sans:10000 blocked:10 blocked:10000} STARTS=${STARTS:-3} LOGINS=${COUNT_LOGINS:-3} \
        bash "$bench/count.sh" | tee "$work/counted"
    sed -nE 's/^(label|[a-z]+:[0-9]+) +[0-9]+ +[0-9]+ +([-+][0-9]+).*/\1 \2/p' "$work/counted" | tr : ' ' >"$work/figures"
    if [ -n "${PLOT:-}" ]; then
        perl "$bench/plot.pl" --grows <"$work/figures" >"$work/plot.svg" && cp "$work/plot.svg" "$PLOT" && echo "Picture: $(basename "$PLOT")"
    fi
}

lint() {
    local roles ms first='' call
    fresh
    sql -c 'CREATE ROLE team' -c "SECURITY LABEL FOR sslpolicy ON ROLE team IS 'sslmode=verify-ca'"
    for roles in $lint_roles; do
        add_labels "$roles"
        sql -c "DO \$\$ BEGIN FOR i IN 1..$roles LOOP IF i % 10 = 0 THEN EXECUTE 'GRANT team TO r' || i; END IF; END LOOP; END \$\$" 2>/dev/null
        for call in 'lint()' policies "preview_role_policy('team', 'sslmode=verify-full')" "explain('r1')"; do
            ms=$(timed "$(( roles > 20000 ? 3 : 9 ))" "SELECT count(*) FROM sslpolicy.$call")
            echo "sslpolicy.$call, $roles labelled roles: $ms ms"
            [ "$call" = 'lint()' ] || continue
            [ "$roles" != 10000 ] || [ -z "$first" ] || echo "lint() of 10,000 to 1,000: $(awk "BEGIN { print $ms / $first }") ($(verdict "$ms / $first" 12))"
            [ "$roles" != 1000 ] || first=$ms
        done
        ms=$({ echo '\timing on'; echo '\o /dev/null'; perl -0ne 'print "BEGIN;\n$1;\nCOMMIT;\n" while /query: \|\n(.*?)^  metrics:/msg' "$top/metrics/queries.yaml"; } |
            sql | sed -nE 's/^Time: ([0-9.]+) ms.*/\1/p' | awk '{ sum += $1 } END { print sum }')
        echo "all of metrics/queries.yaml, $roles labelled roles: $ms ms"
    done
    gone
}

desk() {
    local core ours
    fresh
    hold "$sessions"
    for _ in $(seq 21); do
        printf '%s;\n' 'SELECT * FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)' 'SELECT * FROM sslpolicy.sessions'
    done | { echo '\timing on'; echo '\o /dev/null'; cat; } | sql | sed -nE 's/^Time: ([0-9.]+) ms.*/\1/p' >"$work/times"
    core=$(awk 'NR % 2 == 1' "$work/times" | median)
    ours=$(awk 'NR % 2 == 0' "$work/times" | median)
    echo "sslpolicy.sessions with $(sql -c 'SELECT count(*) FROM sslpolicy.sessions') rows: $ours ms, core's join $core ms, ratio $(awk "BEGIN { printf \"%.2f\", $ours / $core }") ($(verdict "$ours / $core" 1.2))"
    release
    gone
}

pass() { timed 11 'SELECT count(*) FROM sslpolicy.recheck(true)'; }
recheck() {
    local ms
    fresh
    hold "$rechecked"
    add_labels 10
    ms=$(pass)
    add_labels "$labels"
    echo "recheck of $rechecked sessions: with 10 other labels $ms ms; with $labels $(ms=$(pass); echo "$ms ms ($(verdict "$ms" 40))")"
    release
    gone
}

many() {
    local what count error plain=$app
    as_tester "$work/make_crl" certs/root.crt certs/root.key 10 own.pem || die "no CRL"
    for what in cas issuers blocked sans; do
        for count in 10 "$many"; do
            # what fits into a handshake; and each CRL is that of a CA
            [[ "$what" != [ci]* ]] || [ "$count" -le 3000 ] || count=3000
            fresh
            gone
            configure <<<"shared_preload_libraries = 'sslpolicy,$work/hook'"
            case $what in
            blocked) seq "$count" | while read -r i; do sha256sum <<<"$i" | cut -c1-64; done | paste -sd, | sed "s/.*/sslpolicy.blocked_fingerprints = '&'/" | configure ;;
            sans) app=${plain/app.crt/sans$count.crt} ;;
            *)
                as_tester "$work/make_cas" "$count" cas.pem crls.pem || die "no CAs"
                cat "$work/certs/root.crt" >>"$work/cas.pem"
                cat "$work/own.pem" >>"$work/crls.pem"
                configure <<<"ssl_ca_file = '$work/cas.pem'"
                [ $what != issuers ] || configure <<<"sslpolicy.crl_file = '$work/crls.pem'"
                ;;
            esac
            HOOK_TIMES=$work/hooks control '' -t 600 start
            error=$(sql -c "SELECT error FROM sslpolicy.reload('10 min')")
            [ -z "$error" ] || die "$what: not in force: $error"
            rm -f "$work/hooks"
            as_tester "$work/random_logins" 50 1 "$app" >/dev/null || die "$what: no logins"
            echo "$count $what: the hook $(tail -n 50 "$work/hooks" | median | awk '{ printf "%.0f", $1 / 1000 }') us," \
                "recheck of 100 sessions $(hold 100; pass; release) ms"
            gone
        done
    done
    app=$plain
}

# Its clock ticks and wake-ups: counted over a while, as a rate.
usage() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
wakes() { awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/$pid/status"; }
worker() {
    local count rate begin woken pid i
    fresh
    for count in $worker_labels; do
        add_labels "$count"
        pid=$(sql -c "SELECT pid FROM pg_stat_activity WHERE backend_type = 'sslpolicy'")
        for rate in 0 1 2 4; do
            # the changes above, and fast polling behind a change, are over
            sleep 15
            begin=$(usage) woken=$(wakes)
            if [ $rate = 0 ]; then
                sleep "$seconds"
            else
                for i in $(seq $(( seconds * rate ))); do
                    echo "CREATE ROLE c${count}_${rate}_$i; SELECT pg_sleep($(awk "BEGIN { print 1 / $rate }"));"
                done | sql >/dev/null
            fi
            echo "worker, $count labels, no session, $rate CREATE ROLE a second: $(awk "BEGIN { printf \"%.2f\", ($(usage) - $begin) * 100 / $(getconf CLK_TCK) / $seconds }") % of a processor," \
                "wakes $(awk "BEGIN { printf \"%.1f\", ($(wakes) - $woken) / $seconds }") times a second"
        done
    done
    gone
}

# logins a second of so many clients
logins() {
    as_tester env PGSSLMODE=verify-full PGSSLROOTCERT="$work/certs/root.crt" PGSSLCERT="$work/certs/app.crt" PGSSLKEY="$work/certs/app.key" PGGSSENCMODE=disable \
        pgbench -n -C -f "$work/select.sql" -c "$1" -j "$1" -T "${BLOCK_SECONDS:-5}" -h 127.0.0.1 -p "$port" -U app postgres 2>/dev/null |
        sed -nE 's/^tps = ([0-9.]+).*/\1/p'
}
# Reads every view, all the time, until $work/go is gone; prints how often.
read_views() {
    local rounds=0
    sql -c "SELECT 'SELECT count(*) FROM sslpolicy.' || relname || ';' FROM pg_class WHERE relnamespace = 'sslpolicy'::regnamespace AND relkind = 'v'" >"$work/views"
    while [ -e "$work/go" ]; do
        sql <"$work/views" >/dev/null || die "the views cannot be read"
        rounds=$(( rounds + 1 ))
    done
    echo $rounds
}
throughput() {
    local n block what
    echo 'SELECT 1;' >"$work/select.sql"
    fresh
    sql -c "DO \$\$ BEGIN FOR i IN 1..$full LOOP EXECUTE 'CREATE ROLE f' || i || ' LOGIN'; END LOOP; END \$\$"
    gone
    for n in $clients; do
        rm -f "$work"/tps.*
        for block in $(seq "${BLOCKS:-4}"); do
            for what in $(printf '%s\n' without with | shuf); do
                if [ "$what" = with ]; then control '' start; else control '' -o "-c shared_preload_libraries=" start; fi
                logins "$n" >>"$work/tps.$what"
                gone
            done
        done
        paste "$work/tps.with" "$work/tps.without" | awk -v n="$n" '{ with += $1; without += $2; ratio += log($1 / $2) }
            END { printf "%d clients: %.0f logins a second without, %.0f with, ratio %.3f\n", n, without / NR, with / NR, exp(ratio / NR) }'
    done
    control '' -o "-c sslpolicy.max_recent_logins=$full -c sslpolicy.max_rejections=$full" start
    sql -c "ALTER ROLE app CONNECTION LIMIT -1"
    n=${clients##* }
    echo "$n clients, tables as they were: $(logins "$n") logins a second"
    as_tester "$work/fill" f "$full" "$tcp sslmode=disable" >/dev/null
    echo "$n clients, $full rows in recent_logins: $(logins "$n") logins a second"
    touch "$work/go"
    read_views >"$work/read" &
    n=$(logins "$n")
    rm "$work/go"
    wait
    echo "the same, with a reader of every view beside, who read them $(cat "$work/read") times: $n logins a second"
    gone
}

say "Machine: $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg), $("$pg_config" --version), $(openssl version | cut -d' ' -f1-2)"
for part in counted lint desk recheck many worker throughput; do
    ! measures $part || $part
done
