#!/usr/bin/env bash
# make lint: compilers with all the warnings that help, clang-tidy, cppcheck,
# perlcritic and shellcheck over the extension and its tests; whether they are
# formatted as pgindent does, and whether dependencies between rooms run one way.  Each must find
# what planted/ has for it, and nothing in the tree.  Ends with a line
# "N passed, M failed".
#
#   LINT="gcc shellcheck"    only the checks whose names contain one of these
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"

need gcc clang clang-format clang-tidy cppcheck shellcheck libperl-critic-perl make libssl-dev libkrb5-dev \
    libpq-dev postgresql-server-dev-NN
make_work lint
find_pg_config
cd "$top" || exit 1

# Both compilers know these.  Left out: -Wcast-qual and -Wwrite-strings, because
# PostgreSQL and OpenSSL take char * where they mean const char *; -Wswitch-enum
# and -Wswitch-default, which contradict -Wswitch; -Wformat-y2k, because the years
# of UTCTime have two digits; -Wcast-align, because tuples
# are aligned; -Wredundant-decls, because of PG_FUNCTION_INFO_V1.
warnings=(-Wall -Wextra -Werror -Wno-unused-parameter
    -Wshadow -Wformat=2 -Wno-format-y2k -Wvla -Walloca -Wundef -Wconversion -Wfloat-equal -Wdouble-promotion
    -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition -Wmissing-declarations
    -Wpointer-arith -Wdeclaration-after-statement -Wunused-macros -Wdate-time
    -Wimplicit-fallthrough)
# clang minds enum and int in -Wsign-conversion; gcc's -Wnull-dereference does
# not see that a search finds what was put there, clang-tidy does
gcc_warnings=(-Wsign-conversion -Wduplicated-cond -Wduplicated-branches
    -Wlogical-op -Wjump-misses-init -Wmissing-format-attribute -Wtrampolines
    -Wstringop-overflow=4 -Wformat-overflow=2)
clang_warnings=(-Wno-sign-conversion -Wunreachable-code -Wunreachable-code-return -Wassign-enum -Wextra-semi-stmt
    -Wmissing-variable-declarations -Wshift-sign-overflow -Wtautological-compare
    -Wunused-but-set-variable -Wover-aligned -Wstrict-overflow)
# a frame that size overflows the stack long before PostgreSQL notices
server_warnings=(-Wframe-larger-than=65536)

# -isystem: what a PostgreSQL header does not mind is not ours to mend
includes=()
for folder in "$("$pg_config" --includedir-server)" "$("$pg_config" --pkgincludedir)/internal" \
    "$("$pg_config" --includedir)"; do
    includes+=(-isystem "$folder")
done
defines=(-D_GNU_SOURCE -DSSLPOLICY_VERSION='"0.0.0"' -DSSLPOLICY_STOP_POINTS)
language=(-std=gnu99 "-I$top/src" -fno-strict-aliasing -fwrapv)
frontend=(-DFRONTEND "-I$top/test/unit")

server_files=(src/*.c src/*/*.c)
# those that test/unit compiles, as its Makefile has them
mapfile -t pure_files < <(for name in $(printf 'include Makefile\nprint:\n\t@echo $(PURE)\n' | make -s -C test/unit -f - print); do echo src/*/"$name.c"; done)
unit_files=() tool_files=()
while read -r file; do
    case $file in
        test/unit/* | test/fuzz/*) unit_files+=("$file") ;;
        *) tool_files+=("$file") ;;
    esac
done < <(find test -name '*.c' -not -name planted.c -not -path 'test/lint/*' | sort)
mapfile -t shell_files < <({ find test .ci debian -name '*.sh'; grep -rlE '^#!.*\b(ba)?sh\b' test .ci debian; } 2>/dev/null |
    grep -v '^test/lint/planted' | sort -u)
mapfile -t perl_files < <(find test -name '*.p[lm]' -not -path 'test/lint/*' | sort)

passed=0 failed=0
wanted() {
    local word
    [ -n "${LINT:-}" ] || return 0
    for word in $LINT; do [[ "$1" == *"$word"* ]] && return 0; done
    return 1
}

# check NAME COMMAND...: must succeed; what it says is shown if it does not
check() {
    local name=$1
    shift
    wanted "$name" || return 0
    if "$@" >"$work/out" 2>&1; then
        passed=$((passed + 1))
        say "ok: $name"
    else
        failed=$((failed + 1))
        grep -vE '^[0-9]+ warnings? (and [0-9]+ errors? )?generated|^Suppressed|^Use -header-filter' "$work/out" | head -200 >&2
        say "FAILED: $name"
    fi
}

# check_planted NAME FINDING COMMAND...: must report what was planted
check_planted() {
    local name="$1 finds what is planted" finding=$2
    shift 2
    reports() {
        ! "$@" >"$work/planted" 2>&1 && grep -qF -e "$finding" "$work/planted" && return
        cat "$work/planted"
        return 1
    }
    check "$name" reports "$@"
}

# The command for each file, on all cores; the files come after "--".
each() {
    local command=()
    while [ "$1" != -- ]; do command+=("$1"); shift; done
    shift
    printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" "${command[@]}"
}

# Optimized, because that is when the compilers follow values.
gcc=(gcc -O2 -D_FORTIFY_SOURCE=2 -fPIC -c -o /dev/null "${language[@]}" "${defines[@]}" "${includes[@]}" "${warnings[@]}" "${gcc_warnings[@]}")
clang=(clang -O2 -D_FORTIFY_SOURCE=2 -fPIC -c -o /dev/null "${language[@]}" "${defines[@]}" "${includes[@]}" "${warnings[@]}" "${clang_warnings[@]}")
for compiler in gcc clang; do
    # shellcheck disable=SC2178
    declare -n command=$compiler
    check_planted $compiler -Wshadow "${command[@]}" test/lint/planted/planted.c
    check "$compiler: the extension" each "${command[@]}" "${server_warnings[@]}" -- "${server_files[@]}"
    check "$compiler: the pure files without a server" each "${command[@]}" "${frontend[@]}" -- "${pure_files[@]}"
    check "$compiler: unit tests and fuzzers" each "${command[@]}" "${frontend[@]}" -- "${unit_files[@]}"
    check "$compiler: programs of tests" each "${command[@]}" -- "${tool_files[@]}"
done

# clang-tidy has the flags of a folder from a file in it, a line each
for kind in server frontend; do
    mkdir -p "$work/$kind"
    printf '%s\n' "${language[@]}" "${defines[@]}" "${includes[@]}" >"$work/$kind/compile_flags.txt"
done
printf '%s\n' "${frontend[@]}" >>"$work/frontend/compile_flags.txt"
tidy=(clang-tidy --quiet -p)
check_planted clang-tidy clang-analyzer-core.NullDereference "${tidy[@]}" "$work/server" test/lint/planted/planted.c
check "clang-tidy: the extension" each "${tidy[@]}" "$work/server" -- "${server_files[@]}"
check "clang-tidy: unit tests and fuzzers" each "${tidy[@]}" "$work/frontend" -- "${unit_files[@]}"
check "clang-tidy: programs of tests" each "${tidy[@]}" "$work/server" -- "${tool_files[@]}"

# PostgreSQL's headers say what macros like foreach are; the compiler's own
# macros, what machine this is.  OpenSSL's headers are left out.
gcc -dM -E - </dev/null >"$work/predefined.h"
cppcheck=(cppcheck --quiet --std=c99 '--enable=warning,style,performance,portability' --error-exitcode=1
    --inline-suppr --max-configs=1 --suppressions-list=test/lint/cppcheck.txt
    --include="$work/predefined.h" -DOPENSSL_VERSION_NUMBER=0x30000000L "${defines[@]}" -Isrc)
for folder in "${includes[@]}"; do
    [ "$folder" = -isystem ] || cppcheck+=("-I$folder")
done
check_planted cppcheck nullPointer "${cppcheck[@]}" test/lint/planted/planted.c
check "cppcheck: the extension" each "${cppcheck[@]}" -- "${server_files[@]}"
check "cppcheck: unit tests and fuzzers" each "${cppcheck[@]}" -DFRONTEND -Itest/unit -- "${unit_files[@]}"
check "cppcheck: programs of tests" each "${cppcheck[@]}" -- "${tool_files[@]}"

# what is sourced has no line that says which shell it is for
check_planted shellcheck SC2086 shellcheck -s bash test/lint/planted/planted.sh
check "shellcheck: scripts" shellcheck -s bash "${shell_files[@]}"

perlcritic=(perlcritic --quiet --profile test/lint/perlcriticrc)
check_planted perlcritic TwoArgOpen "${perlcritic[@]}" test/lint/planted/planted.pl
check "perlcritic: tests in Perl" "${perlcritic[@]}" "${perl_files[@]}"

# as "make format" would have it
check_planted format planted_format.c perl tools/format.pl --check test/lint/planted/planted_format.c
check "format: C files" perl tools/format.pl --check src/*.c src/*/*.[ch] test/*/*.[ch]

# which room uses which
check_planted rooms 'src/base/planted.c includes "policy/planted.h": base/ stands before policy/' perl test/lint/rooms.pl test/lint/planted/rooms
check "rooms: dependencies run one way" perl test/lint/rooms.pl

# a check that LINT has left out is none that passed
[ $((passed + failed)) -gt 0 ] || die "LINT chooses no check: $LINT"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ $failed = 0 ]
