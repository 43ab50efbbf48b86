#!/usr/bin/env bash
# make test: builds in a temporary folder, runs every suite on servers of its
# own, and ends with a line "N passed, M failed".
#
#   TESTS="unit t/010"    only the test files whose names contain one of these
#   VERBOSE=1             every single test
#   JOBS=2                so many files at a time
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/test/lib/env.sh"

need gcc make openssl libssl-dev libkrb5-dev postgresql-server-dev-NN \
    postgresql-NN postgresql-NN-pgtap libipc-run-perl \
    prometheus prometheus-postgres-exporter chromium pgbouncer
make_work test
# installations stop where a test of crashes says so (see stop_point())
COPT="${COPT--Werror} -DSSLPOLICY_STOP_POINTS"
build
write_server_conf "$work/server.conf"

# the pure files and their unit tests, without a server
[[ -n "${TESTS:-}" && "$TESTS" != *unit* ]] ||
    as_tester make -s -C "$work/src/test/unit" PG_CONFIG="$pg_config" >"$work/unit.log" 2>&1 || {
    cat "$work/unit.log" >&2
    die "The unit tests do not build."
}

export TEMP_CONFIG=$work/server.conf
export PG_CONFIG=$pg_config
export PG_REGRESS
PG_REGRESS=$(dirname "$("$pg_config" --pgxs)")/../test/regress/pg_regress
mkdir -p "$work/t"
chown "$tester" "$work/t"
export TESTDIR=$work/t TESTDATADIR=$work/t/tmp_check TESTLOGDIR=$work/t/log
# sockets below $work, which is short
export TMPDIR=$work

as_tester perl "$work/src/test/run.pl"
status=$?
if [ $status != 0 ] && [ -n "${KEEP_LOGS:-}" ]; then
    mkdir -p "$KEEP_LOGS"
    cp -r "$work/t" "$KEEP_LOGS/"
    say "Logs: $KEEP_LOGS"
fi
exit $status
