#!/usr/bin/env bash
# make fuzz: builds the fuzzers with AddressSanitizer and UndefinedBehavior-
# Sanitizer, replays what they have found before and the seeds, then runs each
# for a while.  Ends with a line "N passed, M failed": each fuzzer is a test.
#
#   SECONDS_EACH=300      how long each runs (60)
#   FUZZERS="policy crl"  only these
#   JOBS=1                how many at a time (2)
#   SEED=2                another sequence of inputs; 0: a random one (1)
#   CORPUS=folder         begin with what is in it, and add what reaches new code
#   INPUT=file            only run this one, of the one fuzzer in FUZZERS
#
# An input that fails is kept in the cache folder, and how to run it is said.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"
here=$top/test/fuzz
all="policy dn name certificate pem crl index evaluate report"
seconds=${SECONDS_EACH:-60}
cache=${SSLPOLICY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sslpolicy}/fuzz

FUZZERS=${FUZZERS:-$all}
for name in $FUZZERS; do
    [[ " $all " == *" $name "* ]] || die "There is no fuzzer $name. There are: $all"
done
if [ -n "${INPUT:-}" ]; then
    [[ " $all " == *" $FUZZERS "* ]] || die "INPUT is for one fuzzer: FUZZERS=name"
    [ -f "$INPUT" ] || die "There is no file $INPUT"
    INPUT=$(realpath "$INPUT")
fi

need clang llvm libclang-rt-dev make openssl libssl-dev postgresql-server-dev-NN
make_work fuzz
find_pg_config
mkdir "$work/out" "$work/seeds"
goals=("$work/out/make_seeds")
for name in $FUZZERS; do goals+=("$work/out/fuzz_$name"); done
say "Building $((${#goals[@]} - 1)) fuzzers."
make -s -C "$here" PG_CONFIG="$pg_config" OUT="$work/out" "${goals[@]}" >"$work/build.log" 2>&1 || {
    cat "$work/build.log" >&2
    die "The fuzzers do not build."
}

for name in $all; do
    mkdir -p "$work/seeds/$name" "$work/new/$name" "$work/failed/$name"
    cp -r "$here/seeds/$name/." "$here/regressions/$name/." "$work/seeds/$name/" 2>/dev/null
done
# what it takes for keys and certificates is gone with it: that is no leak
ASAN_OPTIONS=detect_leaks=0 "$work/out/make_seeds" "$work/seeds" || die "The seeds cannot be made."
chown -R "$tester" "$work"

# the bytes that an input of each may have
max_len() {
    case $1 in
        policy | dn) echo 2000 ;;
        index) echo 200 ;;
        evaluate) echo 300 ;;
        *) echo 4096 ;;
    esac
}

fuzzer() {
    local name=$1
    shift
    as_tester env ASAN_OPTIONS=allocator_may_return_null=1 \
        UBSAN_OPTIONS=print_stacktrace=1 nice -n 5 "$work/out/fuzz_$name" "$@"
}

if [ -n "${INPUT:-}" ]; then
    cp "$INPUT" "$work/input"
    chmod 644 "$work/input"
    fuzzer "$FUZZERS" -timeout=30 -rss_limit_mb=2048 "$work/input"
    exit
fi

# Says in $work/result.NAME what came of it.
run_fuzzer() {
    local name=$1 log=$work/log.$1 corpus=("$work/new/$1") input kept
    local options=(-seed="${SEED:-1}" -max_len="$(max_len "$name")" -timeout=30 -rss_limit_mb=2048
        -artifact_prefix="$work/failed/$name/" -print_final_stats=1)

    [ ! -f "$here/$name.dict" ] || { cp "$here/$name.dict" "$work/$name.dict"; options+=(-dict="$work/$name.dict"); }
    if [ -n "${CORPUS:-}" ]; then
        mkdir -p "$CORPUS/$name"
        cp -r "$CORPUS/$name/." "$work/new/$name/"
        chown -R "$tester" "$work/new/$name"
    fi
    # all seeds first; if one fails, one by one, so that each that does is named
    local seeds=("$work/seeds/$name"/*)
    ! fuzzer "$name" "${options[@]}" "${seeds[@]}" >"$log" 2>&1 || seeds=()
    rm -f "$work/failed/$name"/*
    for input in "${seeds[@]}"; do
        fuzzer "$name" "${options[@]}" "$input" >"$log" 2>&1 && continue
        cp "$input" "$work/failed/$name/seed-$(basename "$input")"
        mv "$log" "$log.seed-$(basename "$input")"
    done
    if [ -z "$(ls "$work/failed/$name")" ]; then
        fuzzer "$name" "${options[@]}" -max_total_time="$seconds" "${corpus[@]}" "$work/seeds/$name" >"$log" 2>&1 ||
            [ -n "$(ls "$work/failed/$name")" ] || cp "$log" "$work/failed/$name/log"
    fi
    [ -z "${CORPUS:-}" ] || cp -r "$work/new/$name/." "$CORPUS/$name/"

    if [ -z "$(ls "$work/failed/$name")" ]; then
        echo "ok - $name: $(sed -nE 's/^stat::number_of_executed_units: *//p' "$log") inputs in $seconds s" \
            "and $(find "$work/seeds/$name" -type f | wc -l) seeds" >"$work/result.$name"
        return
    fi
    kept=$cache/failed
    mkdir -p "$kept"
    {
        echo "not ok - $name"
        grep -hE -A6 'DOES NOT HOLD|ERROR: |runtime error: ' "$log" "$log".seed-* 2>/dev/null | cut -c1-400 | sed 's/^/#   /' | head -40
        for input in "$work/failed/$name"/*; do
            cp "$input" "$kept/$name-$(basename "$input")"
            echo "# input: $kept/$name-$(basename "$input")"
            echo "# again: make fuzz FUZZERS=$name INPUT=$kept/$name-$(basename "$input")"
        done
    } >"$work/result.$name"
}

say "Running each for $seconds s, ${JOBS:-2} at a time: $FUZZERS"
for name in $FUZZERS; do
    while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-2}" ]; do wait -n; done
    run_fuzzer "$name" &
done
wait

failed=0 passed=0
for name in $FUZZERS; do
    cat "$work/result.$name"
    if grep -q '^ok' "$work/result.$name"; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
