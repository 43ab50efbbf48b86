#!/usr/bin/env bash
# make test-valgrind: logins and the worker's passes on servers that run under
# valgrind, with PostgreSQL's list of what is known to be harmless.
#
#   * Any report whose stack has sslpolicy in it fails the run, and any other that
#     a server without sslpolicy does not give as well (test/valgrind/plain.pl).
#   * That memory does not grow is measured without valgrind, by t/041.
#
#   VALGRIND_TESTS="t/001"   these in place of valgrind/logins: much slower
#   LOGIN_TABLE_STEP=1       every case of the table of logins, not every fifth
#   MEMORY_ROUNDS=1000       of the measurement
#   KEEP_LOGS=folder         keeps the reports
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"
. "$top/test/lib/source.sh"

# shellcheck disable=SC2086
need $source_needs openssl postgresql-NN libipc-run-perl
make_work valgrind
host_pg_config=${PG_CONFIG:-}
built_postgres
private_copy

# Every server of that copy runs under valgrind, but not what initdb does.
bin=$work/pg/bin
mv "$bin/postgres" "$bin/postgres.real"
mv "$bin/pg_ctl" "$bin/pg_ctl.real"
cat >"$bin/postgres" <<SCRIPT
#!/bin/sh
here=\$(dirname "\$0")
case " \$* " in
*" --boot "* | *" --check "* | *" --single "* | *" -V "* | *" --version "* | *" -C "* | *" --describe-config "*)
    exec "\$here/postgres.real" "\$@" ;;
esac
exec valgrind --quiet --leak-check=no --num-callers=30 --time-stamp=no \\
    --trace-children=yes --trace-children-skip='*/sh,*/bash,*/openssl' \\
    --suppressions="$built/src/src/tools/valgrind.supp" \\
    --log-file="\$VALGRIND_REPORTS/%p.log" "\$here/postgres.real" "\$@"
SCRIPT
# a restart would take the path of the real one from postmaster.opts
cat >"$bin/pg_ctl" <<'SCRIPT'
#!/bin/sh
here=$(dirname "$0")
exec "$here/pg_ctl.real" -p "$here/postgres" "$@"
SCRIPT
chmod 755 "$bin/postgres" "$bin/pg_ctl"

# under_valgrind FOLDER TESTS: reports go into the folder
under_valgrind() {
    mkdir -p "$1"
    chown "$tester" "$1"
    VALGRIND_REPORTS=$1 UNDER_VALGRIND=yes MEMORY_ROUNDS=2 \
        LOGIN_TABLE_STEP=${LOGIN_TABLE_STEP:-5} \
        PG_TEST_TIMEOUT_DEFAULT=${PG_TEST_TIMEOUT_DEFAULT:-1200} TESTS=$2 bash "$top/test/run.sh"
}

# take COMMAND...: runs it, and adds what its last line says to the counters
passed=0 failed=0
take() {
    local p f
    "$@" | tee "$work/output"
    read -r p _ f _ < <(tail -1 "$work/output")
    passed=$((passed + p)) failed=$((failed + f))
}

take under_valgrind "$work/reports" "${VALGRIND_TESTS:-valgrind/logins}"
mkdir -p "$work/plain"
if [ -n "$(find "$work/reports" -type f -size +0)" ]; then
    say "valgrind has something to say; does it also without sslpolicy?"
    take under_valgrind "$work/plain" valgrind/plain
fi
take perl "$top/test/valgrind/judge.pl" "$work/reports" "$work/plain"
if [ -n "${KEEP_LOGS:-}" ]; then
    mkdir -p "$KEEP_LOGS"
    cp -r "$work/reports" "$work/plain" "$KEEP_LOGS/"
fi

# The distribution's server, without valgrind.
unset PG_CONFIG
[ -z "$host_pg_config" ] || export PG_CONFIG=$host_pg_config
take env MEMORY_ROUNDS="${MEMORY_ROUNDS:-300}" TESTS=t/041 bash "$top/test/run.sh"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
