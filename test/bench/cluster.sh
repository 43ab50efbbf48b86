#!/usr/bin/env bash
# make bench, last part: material of every node.  How long a CA and a CRL take until all
# nodes have them in force, whether logins notice, and what a login costs where something
# is replicated.
#
# Three nodes on this machine: a primary, a standby, and a standby of that.
#
#   CHANGES=15        CAs set for a figure
#   ROTATIONS=100     of the CA, while a client logs in to each node
#   SIZES='1000 10000 100000'   entries of the CRLs; of a list that is too long to be
#                     replicated, as many as fit
#   LISTS=3           CRLs set for a figure
#   ROUNDS=4          how often the two servers of the last figures change parts (even)
#   PAIRS=200         logins to each in a round
#   PARTS='set rotate crl login'   what is measured
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"
. "$top/test/bench/lib.sh"

changes=${CHANGES:-15}
rotations=${ROTATIONS:-100}
sizes=${SIZES:-1000 10000 100000}
lists=${LISTS:-3}
rounds=${ROUNDS:-4}
pairs=${PAIRS:-200}
parts=${PARTS:-set rotate crl login}
longest=$(( 5 * 1024 * 1024 ))  # MAX_REPLICATED_BYTES

need gcc make openssl libssl-dev libkrb5-dev postgresql-server-dev-NN \
    postgresql-NN libipc-run-perl
make_work bench
COPT= build
write_server_conf "$work/server.conf"
compile_tools connect_pairs in_force make_crl
as_tester perl -I"$work/src/test/lib" -MSSLPolicy::Certs -e '
    my $certs = SSLPolicy::Certs->new(dir => "certs");
    my $ca = $certs->ca("root");
    my $second = $certs->ca("second");
    $certs->ca("third");
    $certs->server("server", issuer => $ca);
    $certs->client("root-app", issuer => $ca, subject => "/CN=app");
    $certs->client("second-app", issuer => $second, subject => "/CN=app");
    $certs->bundle("two.crt", qw(root second));
    $certs->bundle("three.crt", qw(root second third));' || die "No certificates."
mkdir "$work/crls" "$work/using" && chown "$tester" "$work/crls" "$work/using"

# 0: primary; 1: its standby; 2: standby of 1; 3, 4: servers of their own
first_port=$(( 20000 + RANDOM % 10000 ))
port() { echo $(( first_port + $1 )); }
configure() { # configure N CA
    cp "$work/certs/$2.crt" "$work/d$1/ca.crt" && chown "$tester" "$work/d$1/ca.crt"
    cat >>"$work/d$1/postgresql.conf" <<CONF
port = $(port "$1")
cluster_name = 'node$1'
CONF
}
create() { # create N CA: fsync is on, since what is applied is durable
    as_tester initdb -A trust -U postgres --no-sync -D "$work/d$1" >/dev/null || die "initdb failed."
    cat "$work/server.conf" - >>"$work/d$1/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = '$work'
shared_preload_libraries = 'sslpolicy'
ssl = on
ssl_cert_file = '$work/certs/server.crt'
ssl_key_file = '$work/certs/server.key'
ssl_ca_file = 'ca.crt'
autovacuum = off
log_min_messages = fatal
CONF
    configure "$1" "$2"
}
sql() { local n=$1; shift; as_tester psql -XqAt -v ON_ERROR_STOP=1 -h "$work" -p "$(port "$n")" -U postgres postgres "$@"; }
by_socket() { echo "host=$work port=$(port "$1") dbname=postgres user=postgres"; }
conninfo() { echo "host=127.0.0.1 port=$(port "$1") dbname=postgres user=app sslmode=verify-full sslrootcert=$work/certs/root.crt sslcert=$work/certs/$2-app.crt sslkey=$work/certs/$2-app.key"; }
# median of a column of $work/times
median() { awk -v column="$1" '{ print $column }' "$work/times" | sort -n | awk '{ v[NR] = $1 } END { printf "%.0f", v[int((NR + 1) / 2)] }'; }
maximum() { awk -v column="$1" '{ if ($column > most) most = $column } END { printf "%.0f", most }' "$work/times"; }
verdict() { if awk "BEGIN { exit !($1 <= $2) }"; then echo "within $2"; else echo "ABOVE $2"; fi; }
measures() { [[ " $parts " == *" $1 "* ]]; }
# file or files joined by ":", to all three nodes
in_force() { as_tester "$work/in_force" "$1" "$2" "$(by_socket 0)" "$(by_socket 1)" "$(by_socket 2)" >"$work/times" || die "it is not in force"; }
in_force_everywhere() { # in_force_everywhere KIND
    [ "$(sql 0 -c "SELECT bool_and(state = 'in force') AND count(*) = 3 FROM sslpolicy.wait_for_nodes('2min') WHERE kind = '$1'")" = t ] ||
        die "not in force on every node: $(sql 0 -c 'SELECT node, kind, state, detail FROM sslpolicy.nodes')"
}
set_ca() { sql 0 -v ca="$(cat "$work/certs/$1.crt")" <<<"SELECT sslpolicy.set_ca(:'ca', force => true)" >/dev/null || die "set_ca failed"; }

start_nodes() {
    create 0 root
    control 0 start
    sql 0 -c "CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; CREATE ROLE rep LOGIN REPLICATION;
        SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=verify-full'" || die "setup failed"
    for n in 1 2; do
        as_tester pg_basebackup -D "$work/d$n" -h "$work" -p "$(port $(( n - 1 )))" -U rep -c fast --no-sync || die "pg_basebackup failed"
        configure "$n" root
        as_tester touch "$work/d$n/standby.signal"
        cat >>"$work/d$n/postgresql.conf" <<CONF
primary_conninfo = 'host=127.0.0.1 port=$(port $(( n - 1 ))) user=rep sslmode=require'
CONF
        control "$n" start
    done
    for _ in $(seq 600); do
        [ "$(sql 0 -c "SELECT count(*) FROM sslpolicy.nodes WHERE kind = 'ca' AND state = 'local'")" != 3 ] || return
        sleep 0.1
    done
    die "the standbys do not report"
}

# two CAs, with and without a third one
set_many() {
    local list='' i
    set_ca two; in_force_everywhere ca
    for i in $(seq "$changes"); do
        if [ $(( i % 2 )) = 1 ]; then list+=:$work/certs/three.crt; else list+=:$work/certs/two.crt; fi
    done
    in_force ca "${list#:}"
    echo "set_ca(), from its commit, $changes times: in force on all three nodes after $(median 2) ms ($(verdict "$(median 2)" 500); longest $(maximum 2) ms)," \
        "acknowledged on the primary after $(median 3) ms ($(verdict "$(median 3)" 1000); longest $(maximum 3) ms);" \
        "the statement $(median 1) ms, $(median 4) bytes of WAL"
}

# Old CA; both; all clients take the new certificate; new CA.  A client logs in to each
# node all the time.
use() { # use CA: clients take certificates of this one from now on; waits until all do
    echo "$1" >"$work/cert.new" && mv "$work/cert.new" "$work/cert"
    for n in 0 1 2; do until [ "$(cat "$work/using/$n" 2>/dev/null)" = "$1" ]; do sleep 0.01; done; done
}
rotate() {
    local old=root new=second n ok bad all_ok=0 all_bad=0 swap clients=()
    set_ca root; in_force_everywhere ca
    echo root >"$work/cert"
    touch "$work/go"; chmod 644 "$work/go" "$work/cert"
    for n in 0 1 2; do
        as_tester env GO="$work/go" CERT="$work/cert" USING="$work/using/$n" ROOT="$(conninfo "$n" root)" SECOND="$(conninfo "$n" second)" bash -c '
            ok=0; bad=0
            while [ -e "$GO" ]; do
                read -r cert <"$CERT"
                echo "$cert" >"$USING"
                conninfo=$ROOT; [ "$cert" = root ] || conninfo=$SECOND
                if psql -XqAt -d "$conninfo" -c "SELECT 1" >/dev/null 2>>"$USING.refused"; then ok=$(( ok + 1 )); else bad=$(( bad + 1 )); fi
            done
            echo "$ok $bad"' >"$work/logins.$n" &
        clients+=($!)
    done
    use root
    for _ in $(seq "$rotations"); do
        set_ca two; in_force_everywhere ca
        use "$new"
        set_ca "$new"; in_force_everywhere ca
        swap=$old; old=$new; new=$swap
    done
    rm -f "$work/go"
    wait "${clients[@]}"
    for n in 0 1 2; do
        read -r ok bad <"$work/logins.$n"
        all_ok=$(( all_ok + ok )); all_bad=$(( all_bad + bad ))
    done
    echo "$rotations rotations of the CA, while a client logged in to each node, $all_ok times in all: $all_bad logins failed"
    [ "$all_bad" = 0 ] || cat "$work"/using/*.refused | sort | uniq -c | sort -rn | head -5
}

lists_of() { # lists_of SIZE: makes $lists of them, and leaves their names in $list, and $entries
    local i
    entries=$1 list=''
    for i in $(seq "$lists"); do
        number=$(( ${number:-0} + 1 ))
        as_tester "$work/make_crl" certs/root.crt certs/root.key "$entries" "crls/$number.pem" --number "$number" || die "no CRL"
        bytes=$(stat -c %s "$work/crls/$number.pem")
        if [ "$bytes" -gt "$longest" ]; then
            lists_of $(( entries * longest * 99 / (bytes * 100) ))
            return
        fi
        list+=:$work/crls/$number.pem
    done
}
set_crls() {
    local size
    set_ca root; in_force_everywhere ca
    for size in $sizes; do
        lists_of "$size"
        in_force crl "${list#:}"
        echo "CRL of $entries entries, $bytes bytes, $lists times: the statement $(median 1) ms; from its commit, in force on all three nodes after $(median 2) ms" \
            "(longest $(maximum 2) ms), acknowledged after $(median 3) ms; $(median 4) bytes of WAL"
    done
}

# Servers of their own, both with one CA and one CRL in force.  In each round one of
# them has them, and perhaps policies, from its labels, and the other as its own.
policy="'sslmode=require'"
blocked=$(printf 'ab%.0s' $(seq 32))
settle() { sql "$1" -c "SELECT bool_and(state IN ('in force', 'local')) FROM sslpolicy.wait_for_nodes('1min')" | grep -qx t || die "server $1 has not applied it"; }
replicated() { # replicated N files|all
    sql "$1" -v ca="$(cat "$work/certs/root.crt")" -v crl="$(cat "$work/crls/login.pem")" \
        <<<"SELECT sslpolicy.set_ca(:'ca'); SELECT sslpolicy.set_crl(:'crl')" >/dev/null || die "set_ca or set_crl failed"
    [ "$2" = files ] ||
        sql "$1" -c "SELECT sslpolicy.set_minimum_policy($policy)" -c "SELECT sslpolicy.set_default_policy($policy)" \
            -c "SELECT sslpolicy.block_certificate('$blocked')" >/dev/null || die "set_minimum_policy failed"
    for setting in minimum_policy default_policy blocked_fingerprints; do echo "ALTER SYSTEM RESET sslpolicy.$setting;"; done | sql "$1"
    settle "$1"
    sql "$1" -c 'SELECT sslpolicy.reload()' >/dev/null
}
own() { # own N files|all
    sql "$1" -c 'SELECT sslpolicy.set_ca(NULL::text)' -c 'SELECT sslpolicy.set_crl(NULL::text)' \
        -c 'SELECT sslpolicy.set_minimum_policy(NULL)' -c 'SELECT sslpolicy.set_default_policy(NULL)' >/dev/null || die "set_ca(NULL) failed"
    sql "$1" -c "SELECT sslpolicy.unblock_certificate('$blocked')" >/dev/null 2>&1
    [ "$2" = files ] ||
        sql "$1" -c "ALTER SYSTEM SET sslpolicy.minimum_policy = $policy" -c "ALTER SYSTEM SET sslpolicy.default_policy = $policy" \
            -c "ALTER SYSTEM SET sslpolicy.blocked_fingerprints = '$blocked'"
    settle "$1"
    sql "$1" -c 'SELECT sslpolicy.reload()' >/dev/null
}
# processor time of the sessions of a server that have ended, in ms
cpu() { awk -v hz="$(getconf CLK_TCK)" '{ printf "%.0f", ($16 + $17) * 1000 / hz }' "/proc/$(head -1 "$work/d$1/postmaster.pid")/stat"; }
compare() { # compare TITLE files|all LIMIT [nothing]: in us; with "nothing", nowhere is anything
    local round plain other a b ratio difference plain_cpu other_cpu
    : >"$work/rounds"
    for round in $(seq "$rounds"); do
        other=$(( round % 2 + 3 )); plain=$(( 7 - other ))
        own $plain "$2"
        if [ -n "${4:-}" ]; then own $other "$2"; else replicated $other "$2"; fi
        sleep 1
        plain_cpu=$(cpu $plain) other_cpu=$(cpu $other)
        as_tester "$work/connect_pairs" "$pairs" "$(conninfo $plain root)" "$(conninfo $other root)" >"$work/round" || die "logins failed"
        sleep 1
        # connect_pairs warms up by five pairs
        awk -v plain="$(( $(cpu $plain) - plain_cpu ))" -v other="$(( $(cpu $other) - other_cpu ))" -v logins="$(( pairs + 5 ))" \
            '{ print $0, plain / logins, other / logins }' "$work/round" >>"$work/rounds"
    done
    read -r a b ratio difference plain_cpu other_cpu < <(awk '{ a += $2; b += $5; r += log($8); d += $10; p += $12; o += $13 }
        END { printf "%.3f %.3f %.4f %+.0f %.3f %.3f\n", a / NR, b / NR, exp(r / NR), d / NR, p / NR, o / NR }' "$work/rounds")
    echo "login, $1: $a ms and $b ms; ratio $ratio, difference $difference us${3:+ ($(verdict "$difference" "$3"))}," \
        "by round$(awk '{ printf " %s", $10 }' "$work/rounds");" \
        "processor time of the server $plain_cpu ms and $other_cpu ms"
}
logins() {
    local n
    as_tester "$work/make_crl" certs/root.crt certs/root.key 1000 crls/login.pem --number 1 || die "no CRL"
    for n in 3 4; do
        create $n root
        control $n start
        sql $n -c "CREATE EXTENSION sslpolicy; CREATE ROLE app LOGIN; SECURITY LABEL FOR sslpolicy ON ROLE app IS 'sslmode=verify-full'" -c "VACUUM FREEZE" || die "setup failed"
        replicated $n files
    done
    compare 'nothing replicated on either server (noise)' files '' nothing
    compare 'nothing replicated, and CA and CRL' files 20
    compare 'minimum, default and a blocked certificate as well, by settings and replicated' all 20
}

say "Machine: $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg), $("$pg_config" --version), $(openssl version | cut -d' ' -f1-2)"
if measures set || measures rotate || measures crl; then
    start_nodes
    ! measures set || set_many
    ! measures rotate || rotate
    ! measures crl || set_crls
    for n in 2 1 0; do control "$n" -m fast stop; done
fi
! measures login || logins
say "Load at the end: $(cut -d' ' -f1 /proc/loadavg)"
