#!/usr/bin/env bash
# make test-asan: the suites of make test under AddressSanitizer and
# UndefinedBehaviorSanitizer, on a PostgreSQL whose server has AddressSanitizer,
# too, and tells it of every piece of memory that it hands out.  A report fails
# the run, whatever the tests say.  Before that, planted.pl makes mistakes, which
# have to be reported.  Ends with a line "N passed, M failed".
#
#   TESTS, VERBOSE, KEEP_LOGS    as for make test; without TESTS, those below;
#                                TESTS= is all, TESTS=planted only the mistakes
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"
. "$top/test/lib/source.sh"
. "$top/test/asan/server.sh"

# shellcheck disable=SC2086
need $source_needs openssl libkrb5-dev postgresql-server-dev-NN postgresql-NN postgresql-NN-pgtap libipc-run-perl
make_work asan
sanitized_server
private_copy
find_pg_config

mkdir "$work/reports" "$work/t"
chown "$tester" "$work/reports" "$work/t"
sanitizer_options "$work/reports"
# trap: UndefinedBehaviorSanitizer's own library would report to the server's log;
# so it is an illegal instruction, which AddressSanitizer reports, with the place
export COPT='-fsanitize=address,undefined -fsanitize-undefined-trap-on-error -fno-omit-frame-pointer -g1'
export PG_TEST_TIMEOUT_DEFAULT=${PG_TEST_TIMEOUT_DEFAULT:-600}

# all that reads what others have written, and shared memory; not what only kills
# and starts servers
export TESTS=${TESTS-unit regress t/001 t/009 t/014 t/016 t/018 t/019 t/021 t/023 t/024 t/026 t/027 t/028 t/029 t/034 t/035}

passed=0 failed=0
planted() {
    local pgxs
    pgxs=$(dirname "$("$pg_config" --pgxs)")
    # shellcheck disable=SC2086
    gcc -shared -fPIC -O1 -Wl,-Bsymbolic $COPT -I"$("$pg_config" --includedir-server)" $("$pg_config" --cppflags) \
        "$top/test/asan/planted.c" -o "$work/planted.so" || die "planted.c does not compile."
    cp "$top/test/asan/planted.pl" "$work/"
    as_tester env PLANTED="$work/planted.so" PATH="$("$pg_config" --bindir):$PATH" TMPDIR="$work" TESTDIR="$work/t" \
        TESTDATADIR="$work/t/tmp_check" TESTLOGDIR="$work/t/log" PG_REGRESS="$pgxs/../test/regress/pg_regress" \
        perl -I"$pgxs/../test/perl" "$work/planted.pl" >"$work/planted.out" 2>&1
    local status=$?
    passed=$(grep -c '^ok ' "$work/planted.out")
    failed=$(grep -c '^not ok ' "$work/planted.out")
    [ $status = 0 ] || [ "$failed" -gt 0 ] || failed=1
    [ "$failed" = 0 ] && [ "$passed" -gt 0 ] || cat "$work/planted.out" >&2
    say "planted mistakes: $passed passed, $failed failed"
}
planted

if [ "$TESTS" != planted ]; then
    bash "$top/test/run.sh" | tee "$work/run.out"
    result=$(sed -nE 's/^([0-9]+) passed, ([0-9]+) failed$/\1 \2/p' "$work/run.out" | tail -1)
    [ -n "$result" ] || result='0 1'
    passed=$((passed + ${result% *}))
    failed=$((failed + ${result#* }))

    for report in "$work"/reports/*; do
        [ -e "$report" ] || continue
        failed=$((failed + 1))
        say "A sanitizer reports:"
        cat "$report" >&2
    done
fi
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
