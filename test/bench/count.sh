#!/usr/bin/env bash
# make bench: what a login costs with sslpolicy, counted instead of timed.  Instructions
# within PostgresMain (callgrind), and minor page faults from fork to exit (getrusage), of
# the backend that serves one login with TLS and client certificate, and SELECT 1.
#
# Each case has a data folder of its own, on which a server runs without sslpolicy and with
# it: once under callgrind, and some times as it is, for the faults.  They are the same for
# each login to a server, and differ by some from start to start, as addresses fall: so
# these are means of starts, with the error of the difference; instructions are medians of
# logins.  Some logins before them warm the server up.  What a case has on top of another is
# compared with that one.  "floor" is a hook that reads who logs in and decides nothing
# (hook.c).
#
#   CASES='floor label off three groups member crl refused replicated'   those of
#   "make bench".  Some have a number, groups:10, and a few more are in grows.sh
#   LOGINS=5 WARM=3    logins that are counted, and those before them
#   STARTS=12          of each server, for the faults, each with one login that is counted
#   TOP=folder         another clone, whose sslpolicy is counted
#   KEEP=folder        leaves the files of callgrind there: CASE.without.N, CASE.with.N
#   ANNOTATE=20        shows so many functions of sslpolicy, with what they call
# With SSLPOLICY_CACHE=folder, what has not changed is not compiled again.
set -u
top=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
. "$top/test/lib/env.sh"
. "$(dirname "$0")/lib.sh"

logins=${LOGINS:-5}
warm=${WARM:-3}
starts=${STARTS:-12}
cases=${CASES:-floor label off three groups member crl refused replicated}

need gcc make openssl libssl-dev libkrb5-dev valgrind postgresql-server-dev-NN \
    postgresql-NN libipc-run-perl
make_work count
if [ -n "${SSLPOLICY_CACHE:-}" ]; then
    TESTS=none COPT= build_kept
else
    COPT= build
fi
write_server_conf "$work/server.conf"
gcc -O2 -shared -fPIC "$bench/faults.c" -o "$work/faults.so" || die "faults.c does not compile."
# shellcheck disable=SC2086
as_tester perl -I"$work/src/test/lib" -MSSLPolicy::Certs -e '
    my $certs = SSLPolicy::Certs->new(dir => "certs");
    my $ca = $certs->ca("root");
    $certs->server("server", issuer => $ca);
    $certs->client("app", issuer => $ca);
    for my $count (map { /^sans:(\d+)/ } @ARGV)
    {
        $certs->client("sans$count", issuer => $ca, subject => "/CN=app", key_name => "app", san => [ map { "dns:h$_" } 1 .. $count ]);
    }' $cases || die "No certificates."
port=$(( 20000 + RANDOM % 10000 ))
mkdir "$work/counts" && chown "$tester" "$work/counts"
cat >"$work/callgrind" <<SCRIPT
#!/bin/sh
exec valgrind -q --tool=callgrind --trace-children=yes --toggle-collect=PostgresMain \\
    --callgrind-out-file='$work/counts/%p' '$bindir/postgres' "\$@"
SCRIPT
chmod 755 "$work/callgrind"
make_data_folder "$work/empty" "$port"

# start faults|callgrind OPTIONS: the server of this case
start() {
    local server=$bindir/postgres preload=$work/faults.so
    [ "$1" = faults ] || { server=$work/callgrind preload=; }
    as_tester env FAULTS="$work/counts/faults" LD_PRELOAD="$preload" pg_ctl -s -w -t 600 -D "$work/d" -l "$work/log" \
        -p "$server" -o "$2" start || { cat "$work/log" >&2; die "the server does not start"; }
}
stop() { as_tester pg_ctl -s -w -t 600 -m fast -D "$work/d" stop || die "the server does not stop"; }
sql() { as_tester psql -XqAt -v ON_ERROR_STOP=1 -h "$work" -p "$port" -U postgres postgres "$@"; }
tcp="host=127.0.0.1 port=$port dbname=postgres gssencmode=disable"
tls="$tcp sslmode=verify-full sslrootcert=$work/certs/root.crt sslkey=$work/certs/app.key"

# one login, as far as the exit of its backend; which is to be let in or not
login() { # login faults|callgrind in|refused
    local answer=refused user=app
    rm -f "$work"/counts/*
    if [ -n "$new_roles" ]; then user=new$(( ++new )); fi
    if [ "$(as_tester psql -XqAt -d "$tls user=$user sslcert=$work/certs/$cert.crt" -c 'SELECT 1' 2>"$work/message")" = 1 ]; then answer=in; fi
    [ $answer = "$2" ] || die "$case: the login came out as $answer, not $2: $(cat "$work/message")"
    for _ in $(seq 1200); do
        for file in "$work"/counts/*; do
            # of callgrind, the last line; processes that were never in PostgresMain have 0
            counted=$(if [ "$1" = faults ]; then awk '{ print $2 }' "$file"; else sed -nE 's/^totals: ([1-9][0-9]*)$/\1/p' "$file"; fi 2>/dev/null)
            [ -z "$counted" ] || return 0
        done
        sleep 0.05
    done
    die "$case: no count"
}

# Files $work/CASE.SIDE.WHAT with the figures of the logins to the server as it is now
count() { # count faults|callgrind SIDE in|refused
    local i n=$logins
    [ "$1" = callgrind ] || n=1
    for i in $(seq "$warm"); do login "$1" "$3"; done
    for i in $(seq "$n"); do
        login "$1" "$3"
        echo "$counted" >>"$work/$case.$2.$1"
        [ "$1" = faults ] || cp "$file" "$work/$case.$2.$i"
    done
}
# and the square of its standard error
mean() { awk '{ sum += $1; squares += $1 * $1 } END { m = sum / NR; print m, (NR > 1 ? (squares / NR - m * m) / (NR - 1) : 0) }' "$1"; }

# side without|with in|refused OPTIONS: counts on this side
side() {
    local what
    rm -f "$work/$case.$1".*
    for what in $(yes faults | head -n "$starts") callgrind; do
        start "$what" "$3"
        ready "$1" || die "$case: not ready"
        count "$what" "$1" "$2"
        stop
    done
}

alone='-c shared_preload_libraries='
ours='-c shared_preload_libraries=sslpolicy'
verify_full="'sslmode=verify-full'"
label="SECURITY LABEL FOR sslpolicy ON ROLE app IS $verify_full"
# roles PREFIX COUNT STATEMENT...: each of the statements has %1$s for the role
roles() {
    local prefix=$1 count=$2 statement
    shift 2
    echo "DO \$\$ DECLARE r text; BEGIN FOR i IN 1..$count LOOP r := '$prefix' || i; EXECUTE 'CREATE ROLE ' || r || ' LOGIN';"
    for statement; do echo "EXECUTE format('$statement', r);"; done
    echo 'END LOOP; END $$'
}
# labels PREFIX: of all these roles, at once
labels() { echo "INSERT INTO pg_shseclabel SELECT oid, 'pg_authid'::regclass, 'sslpolicy', $verify_full FROM pg_authid WHERE rolname ~ '^$1[0-9]+\$'"; }
configure() { as_tester tee -a "$work/d/postgresql.conf" >/dev/null; }
# A server that has reloaded has more faults, with nothing else: so both sides do.
in_force() {
    local error
    error=$(sql -c "SELECT error FROM sslpolicy.reload('10 min')") && [ -z "$error" ] || { say "reload(): $error"; return 1; }
}
# many_cas COUNT: and the real one
many_cas() {
    as_tester "$work/make_cas" "$1" cas.pem crls.pem || die "no CAs"
    as_tester "$work/make_crl" certs/root.crt certs/root.key 10 own.pem || die "no CRL"
    cat "$work/certs/root.crt" >>"$work/cas.pem"
    cat "$work/own.pem" >>"$work/crls.pem"
}

# For each case: statements beforehand; the options of both servers; what comes between
# them; and the aims, in instructions and in faults.
take_case() {
    local kind=${case%:*} size=''
    local setup=$label first=$alone second=$ours outcome=in on_top='' instructions='' faults=''
    [ "$kind" = "$case" ] || size=${case#*:}
    cert=app new_roles='' new=0
    prepare() { :; }
    between() { :; }
    ready() { :; }
    case $kind in
    floor) second="$alone$work/floor.so" ;;
    label) instructions=60000 faults=6 ;;
    off) second+=' -c sslpolicy.enforcement=off' instructions=30000 faults=3 ;;
    three)
        setup+="; SECURITY LABEL FOR sslpolicy ON DATABASE postgres IS 'sslmode=require';
            CREATE ROLE team; GRANT team TO app; SECURITY LABEL FOR sslpolicy ON ROLE team IS 'sslmode=verify-ca'" ;;
    groups)
        setup="$(roles group "${size:-100}" 'ALTER ROLE %1$s NOLOGIN' 'GRANT %1$s TO app'); $(labels group)"
        [ -n "$size" ] || instructions=400000 faults=10 ;;
    member)
        setup+="; $(roles group "${size:-1000}" 'ALTER ROLE %1$s NOLOGIN' 'GRANT %1$s TO app'); $(roles other 100); $(labels other)"
        [ -n "$size" ] || instructions=1000000 ;;
    labels) setup+="; $(roles other "${size:-100000}"); $(labels other)" ;;
    crl)
        first=$ours second="$ours -c sslpolicy.crl_file=$work/crl.pem"
        [ -n "$size" ] || on_top=', on top of one label' instructions=20000 faults=0
        as_tester "$work/make_crl" certs/root.crt certs/root.key "${size:-1000000}" crl.pem || die "no CRL"
        ready() { in_force; } ;;
    refused)
        # without: refused by core, a moment later
        setup="SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=verify-full cn=other'; ALTER ROLE app CONNECTION LIMIT 0"
        outcome=refused ;;
    replicated)
        on_top=', on top of one label' first=$ours instructions=30000
        as_tester "$work/make_crl" certs/root.crt certs/root.key "${size:-1000}" small.pem || die "no CRL"
        between() {
            start faults "$ours"
            sql -v ca="$(cat "$work/certs/root.crt")" -v crl="$(cat "$work/small.pem")" \
                <<<"SELECT sslpolicy.set_ca(:'ca'); SELECT sslpolicy.set_crl(:'crl')" >/dev/null || die "not set"
            sql -c 'VACUUM FREEZE'
            stop
        }
        ready() {
            if [ "$1" = without ]; then
                in_force
                return
            fi
            # a server that has just started may not have begun
            for _ in $(seq 100); do
                [ "$(sql -c "SELECT string_agg(kind || ' ' || state, ', ' ORDER BY kind) FROM sslpolicy.wait_for_nodes('5 min')")" != 'ca in force, crl in force' ] || return 0
                sleep 0.5
            done
            return 1
        } ;;
    logins | refusals)
        # a role that is new to the tables: empty ones, and full ones
        size=${size:-1000}
        setup="$(roles new 300); $(roles r "$size")"
        first="$ours -c sslpolicy.max_recent_logins=$size -c sslpolicy.max_rejections=$size -c sslpolicy.default_policy=sslmode=verify-ca"
        new_roles=yes
        [ "$kind" = logins ] || { first=${first/=verify-ca/=verify-full} outcome=refused; }
        second=$first
        between() {
            start faults "${first/verify-??*/$(if [ "$kind" = logins ]; then echo prefer; else echo require; fi)}"
            as_tester "$work/fill" r "$size" "$tcp sslmode=disable" >/dev/null || die "not full"
            stop
        } ;;
    cas)
        many_cas "${size:-10000}"
        prepare() { configure <<<"ssl_ca_file = '$work/cas.pem'"; } ;;
    issuers)
        many_cas "${size:-10000}"
        first=$ours second="$ours -c sslpolicy.crl_file=$work/crls.pem"
        prepare() { configure <<<"ssl_ca_file = '$work/cas.pem'"; }
        ready() { in_force; } ;;
    blocked)
        first=$ours
        between() { seq "${size:-10000}" | while read -r i; do sha256sum <<<"$i" | cut -c1-64; done | paste -sd, | sed "s/.*/sslpolicy.blocked_fingerprints = '&'/" | configure; } ;;
    sans)
        cert=sans$size ;;
    *) die "no case $case" ;;
    esac

    as_tester rm -rf "$work/d"
    as_tester cp -a "$work/empty" "$work/d"
    prepare
    start faults "$ours"
    sql -c 'CREATE EXTENSION sslpolicy' -c 'CREATE ROLE app LOGIN' -c "$setup" -c 'VACUUM FREEZE' || die "$case: setup failed"
    stop
    side without $outcome "$first"
    between
    side with $outcome "$second"
    echo "$(median <"$work/$case.without.callgrind") $(median <"$work/$case.with.callgrind")" \
        "$(mean "$work/$case.without.faults") $(mean "$work/$case.with.faults")" |
        awk -v name="$case$on_top" -v i_aim="$instructions" -v f_aim="$faults" '
        function verdict(value, aim) { return aim == "" ? "" : sprintf(" (aim %+d: %s)", aim, value <= aim + 0.5 ? "met" : "MISSED") }
        { printf "%-32s %9d %9d %+10d%s; faults %.1f %.1f %+.1f +- %.1f%s\n", name, $1, $2, $2 - $1, verdict($2 - $1, i_aim),
            $3, $5, $5 - $3, 2 * sqrt($4 + $6), verdict($5 - $3, f_aim) }'
    [ -z "${KEEP:-}" ] || { mkdir -p "$KEEP" && cp "$work/$case".with*.[0-9]* "$KEEP/"; }
    if [ -n "${ANNOTATE:-}" ]; then
        callgrind_annotate --inclusive=yes --threshold=100 "$work/$case.with.1" 2>/dev/null |
            sed -nE 's|^( *[0-9,]+) \(.*src/(src/[^ ]+) \[.*sslpolicy\.so\]$|\1  \2|p' | head -n "$ANNOTATE"
    fi
}

compile_tools make_crl make_cas fill
compile_module floor hook -DFLOOR
say "Machine: $(nproc) processors, $("$pg_config" --version), $(openssl version | cut -d' ' -f1-2); $(git -C "$top" log -1 --format=%h 2>/dev/null)"
printf '%-32s %9s %9s %10s\n' case without with instructions
for case in $cases; do take_case; done
