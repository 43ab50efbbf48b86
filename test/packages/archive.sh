# The archive that make dist makes, and what can be done with it. Prints TAP.
#
#   archive.sh CLONE FOLDER    a clean clone of the repository, an empty folder
set -u
clone=$1 dir=$2
. "$(dirname "$0")/tap.sh"
version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$clone/sslpolicy.control")
name=sslpolicy-$version

clone_to() { git clone -q --no-hardlinks "$clone" "$1"; }
commit() { git -C "$1" -c user.name=test -c user.email= commit -q -a -m test; }
entries() { unzip -Z1 "$dir/$name.zip"; }

# refuses WHY FOLDER: make dist fails, says WHY, and leaves no archive
refuses() {
    local why=$1 output
    rm -rf "$2/build"
    ! output=$(make -C "$2" dist 2>&1) || { echo "It did not refuse: $output"; return 1; }
    printf '%s\n' "$output"
    grep -q "$why" <<<"$output" && [ -z "$(find "$2" -name '*.zip')" ]
}

clone_to "$dir/first"
check 'make dist in a clean clone' make -C "$dir/first" dist || done_testing
cp "$dir/first/build/$name.zip" "$dir/"
outside() { ! entries | grep -v "^$name/"; }
check 'everything is in one folder, named after the version' outside
without() { ! entries | grep -E '/(\.git|\.ci|debian/)'; }
check 'no file of git, CI and packaging is in it' without
check 'git has nothing to say afterwards' says_nothing git -C "$dir/first" status --porcelain

clone_to "$dir/another folder"
same() {
    (umask 077 && TZ=Asia/Kolkata LC_ALL=C make -C "$dir/another folder" dist) &&
        cmp "$dir/another folder/build/$name.zip" "$dir/$name.zip"
}
check 'the same commit gives the same archive' same

clone_to "$dir/dirty"
touch "$dir/dirty/new.sql"
check 'an unknown file: refused' refuses 'new\.sql' "$dir/dirty"
rm "$dir/dirty/new.sql"
echo >>"$dir/dirty/README.md"
check 'a changed file: refused' refuses 'README\.md' "$dir/dirty"
git -C "$dir/dirty" checkout -q README.md
sed -i 's/"version": "[0-9.]*",/"version": "99.0.0",/' "$dir/dirty/META.json"
commit "$dir/dirty"
check 'META.json of another version: refused' refuses 'META\.json' "$dir/dirty"

(cd "$dir" && unzip -q "$name.zip") || exit 1
src=$dir/$name
check 'not from the archive itself' refuses 'clone of the repository' "$src"
check 'META.json fits what is in the archive' \
    sh -c "cd '$src' && perl -Itest/lib test/suites/meta.pl"
check 'make' make -C "$src"
check 'make install DESTDIR=...' make -C "$src" install DESTDIR="$dir/root"
installed() {
    local share=$dir/root doc=$dir/root lib=$dir/root
    share+=$("$PG_CONFIG" --sharedir) doc+=$("$PG_CONFIG" --docdir)/sslpolicy lib+=$("$PG_CONFIG" --pkglibdir)
    ls "$lib/sslpolicy.so" "$share/extension/sslpolicy.control" \
        "$share/extension/sslpolicy--$version.sql" "$share"/sslpolicy/{alerts,queries}.yaml \
        "$share/sslpolicy/dashboard.json" "$share/sslpolicy/audit.sql" "$doc"/{README,CHANGELOG}.md &&
        diff -r "$src/docs" "$doc/docs"
}
check 'all of it is there: library, scripts, metrics, pages' installed

# the suites that run everywhere and the table of logins, on a server of its own
suites() {
    (cd "$src" && TESTS='unit suites/meta t/001' bash test/run.sh) >"$dir/suites.log" 2>&1
    local status=$?
    tail -30 "$dir/suites.log"
    [ $status = 0 ] && grep -qE '^[1-9][0-9]* passed, 0 failed$' "$dir/suites.log"
}
make -s -C "$src" clean
check 'its tests run: unit tests, the table of logins' suites
done_testing
