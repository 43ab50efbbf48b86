#!/usr/bin/env bash
# make test-faults: what befalls a server in production: processes that are
# killed, storms of logins, standbys, upgrades.  Ends with "N passed, M failed".
#
#   TESTS="crashes storm"   only the test files whose names contain one of these
#   VERBOSE=1               every single test
#   DURATION=600            seconds of crashes.pl
#   SEED=number             of crashes.pl; printed, and different each time without
#   LOGINS=10000 CLIENTS=200   of storm.pl
#   ENDURANCE=3600          seconds of endurance.pl
#   UPGRADE_TO=17           to which version upgrade.sh goes from 15: 17, 18 or 19
#   KEEP_LOGS=folder        keeps the logs of a failure
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"

here=$top/test/faults

# Is the test wanted by this name?
wanted() {
    local word
    [ -n "${TESTS:-}" ] || return 0
    for word in $TESTS; do [[ $1 != *"$word"* ]] || return 0; done
    return 1
}

# Run a command that ends with a line "N passed, M failed", and add it up.
passed=0 failed=0 skipped=0
count() {
    local line
    "$@" > >(exec tee "$work/output") 2>&1
    for _ in $(seq 50); do
        # tee may still be writing the last lines
        line=$(tail -1 "$work/output" | grep -E '^[0-9]+ passed, [0-9]+ failed') && break
        sleep 0.1
    done
    # one that did not come to its end has failed
    [ -n "$line" ] || line='0 passed, 1 failed'
    read -r p _ f _ k _ <<<"${line//,/}"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + ${k:-0}))
}

need gcc make openssl libssl-dev libkrb5-dev libpq-dev postgresql-server-dev-NN \
    postgresql-NN libipc-run-perl
make_work faults

files=()
for file in "$here"/*.pl; do
    [ "$file" = "$here/run.pl" ] || ! wanted "${file##*/}" || files+=("${file##*/}")
done
if [ ${#files[@]} -gt 0 ]; then
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
    TMPDIR=$work count as_tester perl "$work/src/test/faults/run.pl" "${files[@]}"
fi
# which needs two versions of PostgreSQL in one chroot, and root
! wanted upgrade.pl || count bash "$here/chroot/upgrade.sh"

if [ $failed != 0 ] && [ -d "$work/t" ] && [ -n "${KEEP_LOGS:-}" ]; then
    mkdir -p "$KEEP_LOGS"
    cp -r "$work/t" "$KEEP_LOGS/"
    say "Logs: $KEEP_LOGS"
fi
[ $((passed + failed + skipped)) != 0 ] || failed=1
[ $skipped = 0 ] && skipped='' || skipped=", $skipped skipped"
echo "$passed passed, $failed failed$skipped"
[ $failed = 0 ]
