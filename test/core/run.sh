#!/usr/bin/env bash
# make test-core: other people's tests.  PostgreSQL's own suites must say the
# same of a server with sslpolicy preloaded and no policy set as of that server
# without it: its regression suite, and of its TAP tests ssl (which has those of
# contrib/sslinfo), authentication and recovery.  After that, sslpolicy together
# with other modules (t/037).
#
#   CORE="ssl recovery"   only these, of: regress ssl authentication recovery
#                         neighbours
#   CORE_TESTS="027 031"  only the files whose names contain one of these
#   KEEP_LOGS=folder      keeps logs and differences of a failure
#
# The server is the one of make test-assert.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"
. "$top/test/lib/source.sh"

# shellcheck disable=SC2086
need $source_needs openssl postgresql-NN libipc-run-perl
make_work core
suites=${CORE:-regress ssl authentication recovery neighbours}
host_pg_config=${PG_CONFIG:-}
built_postgres
tests=$built/src/src/test
export PG_CONFIG=$built/pg/bin/pg_config
build
write_server_conf "$work/without.conf"
{
    cat "$work/without.conf"
    echo "shared_preload_libraries = 'sslpolicy'"
} >"$work/with.conf"

# Tests start and stop their servers by pg_ctl, which here notes whether sslpolicy
# is loaded in them: the proof that it was where it should be.
mv "$bindir/pg_ctl" "$bindir/pg_ctl.real"
cat >"$bindir/pg_ctl" <<'SCRIPT'
#!/bin/sh
data=$PGDATA previous=
for arg in "$@"; do
    case $previous in -D | --pgdata) data=$arg ;; esac
    case $arg in --pgdata=*) data=${arg#*=} ;; esac
    previous=$arg
done
note() {
    pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null)
    [ -n "$pid" ] && [ -r "/proc/$pid/maps" ] || return
    if grep -q '/sslpolicy\.so$' "/proc/$pid/maps"; then echo "$data: with"; else echo "$data: without"; fi >>"$TESTDIR/witness"
}
case " $* " in *" stop "* | *" restart "*) note ;; esac
"$(dirname "$0")/pg_ctl.real" "$@"
status=$?
case " $* " in *" start "* | *" restart "*) note ;; esac
exit $status
SCRIPT
chmod 755 "$bindir/pg_ctl"
chown -R "$tester" "$work"

# run_suite SUITE with|without: writes a line "TEST: ok" or "TEST: not ok" for
# each test into $work/SUITE.with
run_suite() {
    local suite=$1 way=$2 out=$work/$1-$2
    as_tester mkdir -p "$out"
    # sockets below $work, which is short
    as_tester env TMPDIR="$work" TEMP_CONFIG="$work/$way.conf" PERL5LIB="$tests/perl:$tests/ssl/t" \
        PG_REGRESS="$pg_regress" REGRESS_SHLIB="$tests/regress/regress.so" \
        top_builddir="$built/src" with_ssl=openssl PG_TEST_EXTRA=ssl \
        TESTDIR="$out" TESTDATADIR="$out/tmp_check" TESTLOGDIR="$out/log" \
        PG_TEST_TIMEOUT_DEFAULT="${PG_TEST_TIMEOUT_DEFAULT:-180}" CORE_TESTS="${CORE_TESTS:-}" \
        perl "$work/src/test/core/outcomes.pl" "$suite" "$tests/$suite" >"$work/$suite.$way"
}

pg_regress=$(dirname "$("$pg_config" --pgxs)")/../test/regress/pg_regress
passed=0 failed=0
for suite in $suites; do
    [ "$suite" != neighbours ] || continue
    for way in without with; do
        say "$suite, $way sslpolicy ..."
        SECONDS=0
        run_suite "$suite" $way
        say "    took $SECONDS s"
    done
    result=$(perl -I"$top/test/lib" "$top/test/core/compare.pl" "$suite" "$work/$suite.without" "$work/$suite.with" \
        "$work/$suite-without" "$work/$suite-with")
    printf '%s\n' "$result"
    read -r p _ f _ <<<"$(tail -1 <<<"$result" | sed 's/.*: //')"
    passed=$((passed + p)) failed=$((failed + f))
    if [ "$f" != 0 ] && [ -n "${KEEP_LOGS:-}" ]; then
        mkdir -p "$KEEP_LOGS"
        cp -r "$work/$suite"[-.]with* "$KEEP_LOGS/"
    fi
done

# Those are the distribution's modules, on the distribution's server.
if [[ " $suites " == *" neighbours "* ]]; then
    unset PG_CONFIG
    [ -z "$host_pg_config" ] || export PG_CONFIG=$host_pg_config
    for package in postgresql-NN-pgaudit postgresql-NN-set-user; do
        (need $package) || say "SKIPPED: $package, which the distribution does not have"
    done
    result=$(TESTS=t/037 bash "$top/test/run.sh")
    printf '%s\n' "$result"
    read -r p _ f _ <<<"$(tail -1 <<<"$result")"
    passed=$((passed + p)) failed=$((failed + f))
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
