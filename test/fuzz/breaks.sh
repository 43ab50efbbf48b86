#!/usr/bin/env bash
# Can each property fail?  Breaks the code on purpose, one line at a time, and
# sees whether the fuzzer finds it.  Not part of "make fuzz": it takes a while.
#
#   bash test/fuzz/breaks.sh [WORD]...    only the breaks with one of these words
#   SECONDS_EACH=60                       how long a fuzzer may look for one
#
# A break is a line "fuzzer | file in src | Perl substitution", which must
# change the file.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"
here=$top/test/fuzz

need clang llvm libclang-rt-dev make openssl libssl-dev postgresql-server-dev-NN
make_work breaks
find_pg_config

build_in() {
    make -s -C "$here" PG_CONFIG="$pg_config" OUT="$work/out" SRC="$work/src" "$@" >"$work/build.log" 2>&1 || {
        cat "$work/build.log" >&2
        return 1
    }
}

mkdir -p "$work"/{out,failed,seeds/{policy,dn,name,certificate,pem,crl,index,evaluate,report}}
cp -r "$top/src" "$work/src"
cp -r "$here"/seeds/. "$work/seeds/"
build_in "$work/out/make_seeds" || die "The seeds cannot be built."
ASAN_OPTIONS=detect_leaks=0 "$work/out/make_seeds" "$work/seeds" || die "The seeds cannot be made."

found=0 missed=0
mapfile -t breaks <"$here/breaks.txt"
for line in "${breaks[@]}"; do
    IFS='|' read -r name file edit <<<"$line"
    name=${name// /} file=${file// /}
    [ -n "$name" ] && [[ "$name" != \#* ]] || continue
    if [ $# -gt 0 ]; then
        wanted=no
        for word; do [[ "$name $file $edit" != *"$word"* ]] || wanted=yes; done
        [ $wanted = yes ] || continue
    fi
    file=$(cd "$top/src" && echo */"$file")
    cp "$top/src/$file" "$work/before"
    perl -0pe "$edit" "$work/before" >"$work/src/$file"
    if cmp -s "$work/before" "$work/src/$file"; then
        echo "not ok - $name: changes nothing any more: $edit"
        missed=$((missed + 1))
        continue
    fi
    start=$(date +%s)
    options=(-seed=1 -max_total_time="${SECONDS_EACH:-60}" -timeout=30 -rss_limit_mb=2048 -artifact_prefix="$work/failed/")
    case $name in policy | dn) options+=(-max_len=2000) ;; index | evaluate) options+=(-max_len=300) ;; *) options+=(-max_len=4096) ;; esac
    [ ! -f "$here/$name.dict" ] || options+=(-dict="$here/$name.dict")
    if ! build_in COPT=-Wno-error "$work/out/fuzz_$name"; then
        echo "not ok - $name: does not build: $edit"
        missed=$((missed + 1))
    elif nice -n 5 "$work/out/fuzz_$name" "${options[@]}" "$work/seeds/$name" >"$work/log" 2>&1; then
        echo "not ok - $name: not found:$edit"
        missed=$((missed + 1))
    else
        echo "ok - $name: found in $(($(date +%s) - start)) s with building:$edit"
        grep -hE -m1 'DOES NOT HOLD|ERROR: |runtime error: ' "$work/log" | cut -c1-160 | sed 's/^/#   /'
        found=$((found + 1))
    fi
    cp "$work/before" "$work/src/$file"
done
echo "$found passed, $missed failed"
[ "$missed" = 0 ] && [ "$found" -gt 0 ]
