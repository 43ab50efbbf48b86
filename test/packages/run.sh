#!/usr/bin/env bash
# make test-packages: the archive for PGXN, the targets of PGXS, and Debian's
# packages, built, judged by lintian and installed in chroots. Ends with a line
# "N passed, M failed".
#
#   PACKAGE_VERSIONS="15 17"   the versions of PostgreSQL, see test/lib/chroot.sh
#   PARTS="archive pgxs debian"
#   KEEP_PACKAGES=folder       where to put the packages
#
# Everything is built from the files that git knows, as they lie here.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"
. "$top/test/lib/chroot.sh"

versions=(${PACKAGE_VERSIONS:-15 17})
parts=${PARTS:-archive pgxs debian}
passed=0 failed=0 skipped=()
here=$top/test/packages

# run_tap NAME COMMAND...: counts the tests of a program that prints TAP; one that
# died, or ran more or fewer than it has planned, is one failure more.
run_tap() {
    local name=$1 log=$work/tap status=0 ok not_ok plan
    shift
    say "--- $name"
    "$@" >"$log" 2>"$log.err" || status=$?
    grep -E '^(ok|not ok|#)' "$log" >&2
    ok=$(grep -c '^ok ' "$log")
    not_ok=$(grep -c '^not ok ' "$log")
    plan=$(sed -n 's/^1\.\.//p' "$log")
    if [ "$plan" != $((ok + not_ok)) ] || { [ $status != 0 ] && [ "$not_ok" = 0 ]; }; then
        say "$name: ended with status $status after $((ok + not_ok)) of ${plan:-an unknown number of} tests:"
        tail -40 "$log.err" "$log" >&2
        not_ok=$((not_ok + 1))
    fi
    passed=$((passed + ok)) failed=$((failed + not_ok))
}

# A clone whose HEAD is the work tree, changes that are not committed included.
make_clone() {
    git clone -q --no-hardlinks "$top" "$1" || die "git clone failed: this test needs a clone of the repository."
    if ! git -C "$top" diff --quiet HEAD; then
        say "With the changes that are not committed."
        git -C "$top" diff --binary HEAD | git -C "$1" apply --index &&
            git -C "$1" -c user.name=test -c user.email= commit -q -m 'not committed' ||
            die "The changes do not apply."
    fi
}

# The source package: what the archive has and is "upstream", and debian/.
make_source() (
    set -o pipefail
    name=sslpolicy-$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$work/repo/sslpolicy.control")
    mkdir "$1"
    git -C "$work/repo" archive --prefix="$name/" HEAD | gzip -n >"$1/${name/-/_}.orig.tar.gz" &&
        tar -C "$1" -xf "$1/${name/-/_}.orig.tar.gz" &&
        cp -R "$work/repo/debian" "$1/$name/" &&
        cp "$here"/*.sh "$1/"
)

# build_packages VERSION FOLDER: in a chroot, into FOLDER/out
build_packages() {
    local major=$1 folder=$2
    mkdir -p "$folder"
    top=$work/source open_chroot "$chroot" "$folder"
    run_tap "packages for PostgreSQL $major: build" \
        enter_chroot "$folder" bash /repo/build.sh "$major" "$([ "$major" != "${versions[0]}" ] || echo reproduce)"
    cp -R "$(written_to "$folder")/repo/out" "$work/out-$major" 2>/dev/null && ls "$work/out-$major"/*.deb >/dev/null
}

# where a file that was written in a chroot lies
written_to() { if [ -d "$1/upper" ]; then echo "$1/upper"; else echo "$1/root"; fi; }

debian() {
    local major folder
    can_chroot
    for major in "${versions[@]}"; do
        if ! make_chroot "$major" build-essential debhelper lintian postgresql-all postgresql-server-dev-all; then
            skipped+=("packages for PostgreSQL $major: $chroot_problem")
            continue
        fi
        build_packages "$major" "$work/build-$major" || continue
        if ! make_chroot "$major"; then
            skipped+=("packages for PostgreSQL $major, installed: $chroot_problem")
            continue
        fi
        folder=$work/install-$major
        mkdir -p "$folder" "$work/install-source"
        rm -rf "$work/install-source"/*
        cp "$here"/*.sh "$work/repo/debian/tests/tls-logins" "$work/install-source/"
        mkdir "$work/install-source/debs" "$work/install-source/other"
        cp "$work/out-$major"/*.deb "$work/install-source/debs/"
        # of another version that was built before, for installation side by side
        find "$work" -path "$work/out-*" ! -path "$work/out-$major/*" -name '*.deb' ! -name '*dbgsym*' \
            -exec cp {} "$work/install-source/other/" \;
        top=$work/install-source open_chroot "$chroot" "$folder"
        run_tap "packages for PostgreSQL $major: installed" \
            enter_chroot "$folder" bash /repo/installed.sh "$major"
        if [ -n "${KEEP_PACKAGES:-}" ]; then
            mkdir -p "$KEEP_PACKAGES"
            cp "$work/out-$major"/* "$KEEP_PACKAGES/"
        fi
    done
}

need git make gcc openssl libssl-dev libkrb5-dev postgresql-server-dev-NN postgresql-NN \
    postgresql-NN-pgtap libipc-run-perl unzip
make_work packages
trap 'leave_chroot; clean_up' EXIT
make_clone "$work/repo"
make_source "$work/source" || die "The source package cannot be made."
pg_config=${PG_CONFIG:-/usr/lib/postgresql/$(find_version)/bin/pg_config}
command -v "$pg_config" >/dev/null || pg_config=$(command -v pg_config) || die "pg_config not found; set PG_CONFIG"
chown -R "$tester" "$work"

for part in $parts; do
    case $part in
        archive | pgxs)
            mkdir "$work/$part"
            chown "$tester" "$work/$part"
            run_tap "$part" as_tester env HOME="$work" TMPDIR="$work/$part" PG_CONFIG="$pg_config" DEPS=no \
                bash "$here/$part.sh" "$work/repo" "$work/$part"
            ;;
        debian) debian ;;
        *) die "There is no part $part." ;;
    esac
done

for reason in ${skipped[@]+"${skipped[@]}"}; do say "SKIPPED: $reason"; done
[ $((passed + failed)) -gt 0 ] || failed=1
echo "$passed passed, $failed failed"
[ $failed = 0 ]
