#!/usr/bin/env bash
# make test-faults: what befalls a server in production: processes that are
# killed, storms of logins, standbys, upgrades.  Ends with "N passed, M failed".
#
#   TESTS="crashes storm"   only the test files whose names contain one of these
#   VERBOSE=1               every single test
#   DURATION=600            seconds of crashes.pl
#   SEED=number             of crashes.pl; printed, and different each time without
#   LOGINS=10000 CLIENTS=200   of storm.pl
#   KEEP_LOGS=folder        keeps the logs of a failure
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"

need gcc make openssl libssl-dev libkrb5-dev libpq-dev postgresql-server-dev-NN \
    postgresql-NN libipc-run-perl
make_work faults
build
write_server_conf "$work/server.conf"

mkdir -p "$work/bin"
flags=(-std=c11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror
    -I"$("$pg_config" --includedir)" -L"$("$pg_config" --libdir)")
cd "$work/src/test/faults" || exit 1
gcc "${flags[@]}" chaos.c actors.c login.c -o "$work/bin/chaos" -lpq -lssl -lcrypto &&
    gcc "${flags[@]}" storm.c login.c -o "$work/bin/storm" -lpq -lssl -lcrypto ||
    die "The clients do not compile."

export TEMP_CONFIG=$work/server.conf PG_CONFIG=$pg_config FAULTS_BIN=$work/bin
export FAULTS_SOURCE=$work/src FAULTS_ROOT=$work/root
mkdir -p "$work/t"
chown "$tester" "$work/t"
export TESTDIR=$work/t TESTDATADIR=$work/t/tmp_check TESTLOGDIR=$work/t/log
# sockets below $work, which is short
export TMPDIR=$work

as_tester perl "$work/src/test/faults/run.pl"
status=$?
if [ $status != 0 ] && [ -n "${KEEP_LOGS:-}" ]; then
    mkdir -p "$KEEP_LOGS"
    cp -r "$work/t" "$KEEP_LOGS/"
    say "Logs: $KEEP_LOGS"
fi
exit $status
