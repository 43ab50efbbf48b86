#!/usr/bin/env bash
# Runs upgrade.pl in a chroot that has PostgreSQL 15 and a later one, as two
# packages of Debian beside each other, with sslpolicy installed for both.  Called
# by test/faults/run.sh; ends with "N passed, M failed".
set -u
top=$(cd "$(dirname "$0")/../../.." && pwd)

# in the chroot: everything is installed, and may be overwritten
if [ "${1:-}" = inside ]; then
    for version in 15 "$2"; do
        pg_config=/usr/lib/postgresql/$version/bin/pg_config
        make -s -C "$top" PG_CONFIG="$pg_config" with_llvm=no clean >/dev/null &&
            make -s -j2 -C "$top" PG_CONFIG="$pg_config" with_llvm=no COPT=-Werror all install >/tmp/build.log 2>&1 || {
            cat /tmp/build.log
            exit 1
        }
    done
    mkdir -p /tmp/t && chown postgres /tmp/t && cd /tmp || exit 1
    pgxs=$(dirname "$($pg_config --pgxs)")/..
    exec runuser -u postgres -- env PATH="/usr/lib/postgresql/$2/bin:$PATH" \
        TESTDIR=/tmp/t TESTDATADIR=/tmp/t/tmp_check TESTLOGDIR=/tmp/t/log \
        PG_REGRESS="$pgxs/test/regress/pg_regress" PG_CONFIG="$pg_config" UPGRADE_TO="$2" \
        perl "$top/test/faults/run.pl" chroot/upgrade.pl
fi

. "$top/test/lib/env.sh"
. "$top/test/lib/chroot.sh"

to=${UPGRADE_TO:-17}

# loud, and never counted as passed
skip() {
    say "*** SKIPPED: pg_upgrade from 15 to $to: $*"
    echo '0 passed, 0 failed, 1 skipped'
    exit 0
}

problem=$( (can_chroot) 2>&1 >/dev/null) || skip "$problem"
make_work upgrade
trap 'leave_chroot; clean_up' EXIT
make_chroot -s bookworm "$to" postgresql-15 postgresql-server-dev-15 || skip "$chroot_problem"
open_chroot "$chroot" "$work/chroot"
say "=== pg_upgrade from 15 to $to"
enter_chroot "$work/chroot" bash /repo/test/faults/chroot/upgrade.sh inside "$to"
status=$?
if [ $status != 0 ] && [ -n "${KEEP_LOGS:-}" ]; then
    mkdir -p "$KEEP_LOGS"
    cp -r "$(chroot_files "$work/chroot")/tmp/t" "$KEEP_LOGS/upgrade"
fi
exit $status
