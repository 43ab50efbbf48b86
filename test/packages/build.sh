# Builds source and binary packages in a chroot, whose /repo is what run.sh has put
# there: the original archive, the source folder, this script. Prints TAP; leaves
# the packages in /repo/out.
#
#   build.sh VERSION [reproduce]    the version of PostgreSQL; build it twice?
set -u
major=$1 twice=${2:-}
cd /repo || exit 1
. /repo/tap.sh
package=postgresql-$major-sslpolicy
source=$(ls -d /repo/sslpolicy-*/)
source=${source%/}
# as an ordinary user: packages need no root, and servers want none
chown -R postgres /repo
export HOME=/repo

# debian/control has the packages of one release of the distribution, where it has to
# be up to date; on another one it is made anew.
grep -qx "Package: $package" "$source/debian/control" || export PG_UPDATECONTROL=yes

# build SOURCE_FOLDER OPTIONS...
build() {
    local folder=$1
    shift
    cd "$folder" && runuser -u postgres -- dpkg-buildpackage -us -uc -j"$(nproc)" "$@"
}
deb() { ls "$1"/"$package"_*.deb; }
listing() { dpkg-deb --fsys-tarfile "$(deb /repo)" | tar -tf - | sed 's|^\.||'; }

check 'dpkg-buildpackage, with its tests' build "$source" || done_testing
mkdir -p out
cp ./*.deb ./*.dsc ./*.changes ./*.buildinfo ./*.debian.tar.* ./*.orig.tar.* out/

lint() {
    # not --show-overrides: with it, what is overridden fails too
    runuser -u postgres -- lintian --info --display-info --pedantic \
        --fail-on error,warning /repo/*.changes >/repo/lintian.log 2>&1
    local status=$?
    cat /repo/lintian.log
    [ $status = 0 ] && ! grep -E '^[EW]: ' /repo/lintian.log
}
check 'lintian finds nothing that is a warning or worse' lint
# what it has to say all the same
grep -E '^[IP]: ' /repo/lintian.log | sed 's/^/# /'

foreign() { ! listing | grep -vE "/\$|/(lib|share)/postgresql/$major/|/share/doc/$package/|/share/lintian/overrides/$package\$"; }
check 'every file is in a folder of this version of PostgreSQL, or of this package' foreign
has() { local file; for file; do listing | grep -qx "$file" || { echo "no $file"; return 1; }; done; }
check 'library, scripts, metrics and pages are where they belong' has \
    "/usr/lib/postgresql/$major/lib/sslpolicy.so" \
    "/usr/share/postgresql/$major/extension/sslpolicy.control" \
    "/usr/share/postgresql/$major/sslpolicy/alerts.yaml" \
    "/usr/share/postgresql/$major/sslpolicy/audit.sql" \
    "/usr/share/doc/$package/README.md" "/usr/share/doc/$package/docs/reference.md" \
    "/usr/share/doc/$package/docs/how-to/locked-out.md"
depends() { dpkg-deb -f "$(deb /repo)" Depends | tee /dev/stderr | grep -qE "(^|, )postgresql-$major( |,|$)"; }
check "it depends on postgresql-$major" depends
no_test_code() { ! dpkg-deb --fsys-tarfile "$(deb /repo)" | tar -xOf - "./usr/lib/postgresql/$major/lib/sslpolicy.so" | grep -a SSLPOLICY_STOP; }
check 'nothing of the tests is in the library' no_test_code

# Built again elsewhere, by another umask, in another time zone and language
again() {
    local other=/repo/another/place
    mkdir -p $other && cp -p /repo/*.orig.tar.* $other/ && cp out/*.debian.tar.* out/*.dsc $other/ || return
    chown -R postgres /repo/another
    (
        umask 002
        cd $other && runuser -u postgres -- dpkg-source -x ./*.dsc src || exit
        export TZ=Asia/Kolkata LC_ALL=C DEB_BUILD_OPTIONS=nocheck
        build $other/src -b
    ) || return
    (cd /repo && sha256sum ./*.deb) | (cd $other && sha256sum -c)
}
if [ -n "$twice" ]; then check 'built from the source package again, it is the same byte for byte' again; fi

# what autopkgtest would run on the installed package
check 'the package installs' apt-get install -y -o Dpkg::Use-Pty=0 "$(deb /repo)"
for name in $(sed -n 's/^Tests: //p' "$source/debian/tests/control"); do
    check "debian/tests/$name" sh -c "cd '$source' && runuser -u postgres -- debian/tests/$name"
done
chown -R root /repo
done_testing
