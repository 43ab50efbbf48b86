# shellcheck shell=bash
# For the benchmarks: sourced after test/lib/env.sh and make_work.

# compile_tools NAME...: programs of this folder, into $work
compile_tools() {
    local tool
    for tool; do
        gcc -O2 -D_GNU_SOURCE -I"$("$pg_config" --includedir)" "$top/test/bench/$tool.c" -o "$work/$tool" \
            -L"$("$pg_config" --libdir)" -lpq -lssl -lcrypto || die "$tool does not compile."
    done
}

# control N ARGUMENT...: pg_ctl for the server in $work/dN; N is empty if there is one only
control() {
    local n=$1
    shift
    as_tester pg_ctl -s -w -D "$work/d$n" -l "$work/d$n.log" "$@" || { cat "$work/d$n.log" >&2; die "pg_ctl $* failed"; }
}
