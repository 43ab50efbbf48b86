#!/usr/bin/env bash
# make test-matrix: the whole "make test" on every PostgreSQL that Debian has,
# with that suite's OpenSSL, each in a chroot (see test/lib/chroot.sh).
#
#   VERSIONS="17 18"      only these
#   TESTS, VERBOSE, COPT  as for make test
#   KEEP_LOGS=folder      keeps the output of each version, and the servers' logs
#                         of failures
#
# Ends with a line for each version, and "N passed, M failed" over all. A version
# that cannot be had is SKIPPED, and counts as nothing; if none can be had, that
# is a failure.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"
. "$top/test/lib/chroot.sh"

can_chroot
make_work matrix
logs=${KEEP_LOGS:-$work/logs}
mkdir -p "$logs"
logs=$(cd "$logs" && pwd)
passed=0 failed=0 report=() notes=()

run_version() {
    local version=$1 folder=$work/$1 log=$logs/$1.log started=$SECONDS status line p f minutes
    make_chroot "$version" || {
        say "*** SKIPPED: PostgreSQL $version: $chroot_problem"
        report+=("PostgreSQL $version: SKIPPED, $chroot_problem")
        return
    }
    open_chroot "$chroot" "$folder"
    say "=== PostgreSQL $version"
    started=$SECONDS
    enter_chroot "$folder" sh -c '
        cd /repo
        "$PG_CONFIG" --version
        openssl version
        exec env DEPS=no KEEP_LOGS=/logs make -s test' \
        > >(exec tee "$log") 2>&1
    status=$?
    [ ! -d "$(chroot_files "$folder")/logs" ] || [ -z "${KEEP_LOGS:-}" ] ||
        cp -r "$(chroot_files "$folder")/logs" "$logs/$version"
    rm -rf "$folder"

    # tee may still be writing the last lines
    for _ in $(seq 50); do
        line=$(grep -xE '[0-9]+ passed, [0-9]+ failed' "$log" | tail -1)
        [ -z "$line" ] || break
        sleep 0.1
    done
    p=${line%% *} f=${line#*, } f=${f%% *}
    # a run that did not come to its end has failed
    [ -n "$line" ] || p=0 f=1
    [ "$status" = 0 ] || [ "$f" != 0 ] || f=1
    passed=$((passed + p)) failed=$((failed + f))
    minutes=$(awk "BEGIN { printf \"%.1f\", ($SECONDS - $started) / 60 }")
    report+=("PostgreSQL $version: $p passed, $f failed, in $minutes minutes ($(sed -n 2p "$log"))")
    while read -r line; do notes+=("    $version: $line"); done < <(grep -E 'skipped: ' "$log")
}

for version in ${VERSIONS:-$(chroot_versions)}; do
    PG_CONFIG=/usr/lib/postgresql/$version/bin/pg_config
    export PG_CONFIG
    run_version "$version"
done

printf '%s\n' '' "${report[@]}"
[ ${#notes[@]} = 0 ] || printf '%s\n' 'Test files that were skipped:' "${notes[@]}"
[ $((passed + failed)) -gt 0 ] || {
    say "Not one version could be had."
    failed=1
}
printf '%s passed, %s failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
