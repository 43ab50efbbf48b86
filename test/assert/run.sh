#!/usr/bin/env bash
# make test-assert: every suite of make test on a PostgreSQL built from source
# with its assertions, where what was freed is overwritten at once and cached
# catalog entries live no longer than their reference counts say.  An assertion
# that fails, or a crash, fails the run (see test/run.pl).
#
#   TESTS, VERBOSE, KEEP_LOGS    as for make test
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"
. "$top/test/lib/source.sh"

# shellcheck disable=SC2086
need $source_needs openssl postgresql-NN postgresql-NN-pgtap libipc-run-perl
make_work assert
built_postgres
private_copy
[ "$("$PG_CONFIG" --configure | grep -c -- --enable-cassert)" = 1 ] || die "This PostgreSQL has no assertions."
bash "$top/test/run.sh"
