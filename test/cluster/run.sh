#!/usr/bin/env bash
# make test-cluster: sslpolicy on a cluster of three nodes that Patroni runs, with
# etcd.  Needs root: all of it runs in namespaces of its own, where nothing else
# listens, from where nothing is reached, and with whose end every process ends.
# Ends with "N passed, M failed".
#
#   TESTS="policies"   only the test files whose names contain one of these
#   VERBOSE=1          every single test
#   KEEP_LOGS=folder   keeps the logs of a failure
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"

here=$top/test/cluster

# loud, and never counted as passed
skip() {
    say "*** SKIPPED: a cluster under Patroni: $*"
    echo '0 passed, 0 failed, 1 skipped'
    exit 0
}

# Is the test wanted by this name?
wanted() {
    local word
    [ -n "${TESTS:-}" ] || return 0
    for word in $TESTS; do [[ $1 != *"$word"* ]] || return 0; done
    return 1
}

files=()
for file in "$here"/*.pl; do
    ! wanted "${file##*/}" || files+=("../cluster/${file##*/}")
done
[ ${#files[@]} -gt 0 ] || die "TESTS chooses no test: $TESTS"

# Run a command as root without a network, other processes and their memory in
# sight.  The kernel ends what it has left, also if nobody here is alive to do so.
namespaces=(setpriv --pdeathsig KILL unshare --net --pid --ipc --mount-proc --fork --kill-child=KILL)

[ "$(id -u)" = 0 ] || skip 'needs root'
"${namespaces[@]}" true 2>/dev/null || skip 'no namespaces can be made here'
need gcc make openssl libssl-dev libkrb5-dev libpq-dev postgresql-server-dev-NN \
    postgresql-NN libipc-run-perl iproute2
problem=$( (need patroni python3-etcd etcd-server) 2>&1 >/dev/null) || skip "$problem"
[ -z "$problem" ] || say "$problem"
for program in patroni patronictl etcd; do
    command -v $program >/dev/null || skip "there is no $program"
done

make_work cluster
# the same as that of make test
COPT="${COPT--Werror} -DSSLPOLICY_STOP_POINTS" TESTS=none build_kept
write_server_conf "$work/server.conf"
as_tester mkdir -p "$work/bin" "$work/t"
faults=$work/src/test/faults
gcc -std=c11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -I"$("$pg_config" --includedir)" \
    -L"$("$pg_config" --libdir)" "$work/src/test/cluster/until_refused.c" "$faults/login.c" \
    -o "$work/bin/until_refused" -lpq -lssl -lcrypto || die "The client does not compile."

export TEMP_CONFIG=$work/server.conf PG_CONFIG=$pg_config CLUSTER_BIN=$work/bin
export TESTDIR=$work/t TESTDATADIR=$work/t/tmp_check TESTLOGDIR=$work/t/log

# in the background: bash heeds a signal only between commands, but when it waits
trap '[ -z "${inside:-}" ] || kill -KILL "$inside" 2>/dev/null; wait 2>/dev/null; clean_up' EXIT
# sockets below $work, which is short; bash, as the first process, reaps those that
# have lost their parents
TMPDIR=$work "${namespaces[@]}" bash -c '
    ip link set lo up && cd "$1" || exit
    runuser -u "$2" -- perl "${@:3}"
    exit $?' bash "$work" "$tester" "$faults/run.pl" "${files[@]}" &
inside=$!
wait $inside
status=$?
inside=
if [ $status != 0 ] && [ -n "${KEEP_LOGS:-}" ]; then
    mkdir -p "$KEEP_LOGS"
    cp -r "$work/t" "$KEEP_LOGS/"
    say "Logs: $KEEP_LOGS"
fi
exit $status
