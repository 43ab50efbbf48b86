#!/usr/bin/env bash
# make test: builds what has changed, runs every suite on servers of its own, in a
# temporary folder, and ends with a line "N passed, M failed".
#
#   TESTS="unit t/010"    only the test files whose names contain one of these
#   VERBOSE=1             every single test
#   JOBS=1                so many files at a time; otherwise as many as there are
#                         processors, two at most
#   FRESH=1               builds everything
set -u
top=$(cd "$(dirname "$0")/.." && pwd)
. "$top/test/lib/env.sh"

need gcc make openssl libssl-dev libkrb5-dev postgresql-server-dev-NN \
    postgresql-NN postgresql-NN-pgtap libipc-run-perl \
    prometheus prometheus-postgres-exporter chromium pgbouncer
make_work test
# installations stop where a test of crashes says so (see stop_point())
COPT="${COPT--Werror} -DSSLPOLICY_STOP_POINTS"
build_kept
write_server_conf "$work/server.conf"

export TEMP_CONFIG=$work/server.conf
export PG_CONFIG=$pg_config
export PG_REGRESS
PG_REGRESS=$(dirname "$("$pg_config" --pgxs)")/../test/regress/pg_regress
mkdir -p "$work/t"
chown "$tester" "$work/t"
export TESTDIR=$work/t TESTDATADIR=$work/t/tmp_check TESTLOGDIR=$work/t/log
# sockets below $work, which is short
export TMPDIR=$work

# one initdb for all; with the locale that the tests' own would have
export SSLPOLICY_TEMPLATE=$work/template SSLPOLICY_INITDB=$bindir/initdb
as_tester env -u LANGUAGE -u LC_ALL LC_MESSAGES=C "$SSLPOLICY_INITDB" -D "$SSLPOLICY_TEMPLATE" -A trust -N >"$work/initdb.log" 2>&1 || {
    cat "$work/initdb.log" >&2
    die "initdb failed."
}
mkdir "$work/bin"
cp "$work/src/test/lib/initdb.sh" "$work/bin/initdb"
chmod 755 "$work/bin" "$work/bin/initdb"
export PATH="$work/bin:$PATH"

JOBS=${JOBS:-$(($(nproc) > 1 ? 2 : 1))}
export JOBS
as_tester perl "$work/src/test/run.pl"
status=$?
if [ $status != 0 ] && [ -n "${KEEP_LOGS:-}" ]; then
    mkdir -p "$KEEP_LOGS"
    cp -r "$work/t" "$KEEP_LOGS/"
    say "Logs: $KEEP_LOGS"
fi
exit $status
