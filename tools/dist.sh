#!/usr/bin/env bash
# make dist: build/sslpolicy-VERSION.zip, the archive of a release as PGXN wants
# it: what git has at HEAD, in a folder of its own, with META.json in it. The same
# commit gives the same archive, byte for byte.
set -eu
cd "$(dirname "$0")/.."
die() { printf '%s\n' "$*" >&2; exit 1; }

[ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ] ||
    die "make dist needs a clone of the repository: an archive is made of what git has committed."
changes=$(git status --porcelain)
[ -z "$changes" ] ||
    die "The archive would not be what lies here. Commit these, or put them away:
$changes"
# the version in all places, and what PGXN asks of META.json
problems=$(perl -Itest/lib test/suites/meta.pl 2>&1) ||
    die "What is said about the release is not right:
$(grep -vE '^(ok|1\.\.)' <<<"$problems")"

version=$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" sslpolicy.control)
name=sslpolicy-$version
mkdir -p build
# TZ: an archive of this kind has local times. autocrlf: lines end as committed.
TZ=UTC git -c core.autocrlf=false archive --format=zip --prefix="$name/" -o "build/$name.zip" HEAD
echo "build/$name.zip"
