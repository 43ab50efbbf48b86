# The life of the package on a machine, in a chroot without what it takes to build
# it: /repo/debs has the packages, /repo/other those for other versions of
# PostgreSQL. Prints TAP.
#
#   installed.sh VERSION    the version of PostgreSQL
set -u
major=$1
cd /repo || exit 1
. /repo/tap.sh
package=postgresql-$major-sslpolicy
deb=$(ls debs/"$package"_*.deb)
export DEBIAN_FRONTEND=noninteractive HOME=/root
unset PGUSER PGHOST PGPORT

install() { apt-get install -y -o Dpkg::Use-Pty=0 "/repo/$1"; }
version_is() { [ "$(dpkg-query -W -f '${Version}' "$package")" = "$1" ]; }
everything() { find / -xdev \( -path /repo -o -path /proc -o -path /dev -o -path /tmp -o -path /run -o -path /var/log -o -path /var/cache -o -path /var/lib/dpkg -o -path /var/lib/apt \) -prune -o -print | sort; }

# the package as it was before: the same, with a lower version number
newer=$(dpkg-deb -f "$deb" Version)
older=$newer~before
repacked() {
    dpkg-deb -R "$deb" /tmp/older && sed -i "s/^Version: .*/Version: $older/" /tmp/older/DEBIAN/control &&
        dpkg-deb --root-owner-group -b /tmp/older /repo/older.deb
}
check 'an older package to begin with' repacked || done_testing

everything >/tmp/before
check 'apt installs it, and nothing is missing' install older.deb || done_testing
check 'and knows its version' version_is "$older"

# The README's way: a cluster, the preload, the extension, a policy, logins
cluster() { pg_createcluster "$major" main -- --no-sync; }
check 'pg_createcluster' cluster
check 'shared_preload_libraries' pg_conftool "$major" main set shared_preload_libraries sslpolicy
check 'the server starts' pg_ctlcluster "$major" main start || done_testing
export PGPORT
PGPORT=$(pg_conftool -s "$major" main show port)
logins() { PGHOST=/var/run/postgresql runuser -u postgres -- bash /repo/tls-logins; }
check 'CREATE EXTENSION, a policy, logins refused and let in' logins

# alice has no certificate here and comes without TLS
comes_in() { PGPASSWORD=secret psql -XqAt -d "host=localhost dbname=postgres user=alice sslmode=disable" -c 'SELECT 1'; }
is_refused() { ! comes_in 2>/tmp/refusal && cat /tmp/refusal && grep -q 'does not meet its TLS policy' /tmp/refusal; }
sql() { runuser -u postgres -- psql -XqAt -v ON_ERROR_STOP=1 -d postgres -c "$1"; }
says() { [ "$(sql "$1" | tee /dev/stderr)" = "$2" ]; }
policy="SELECT policy FROM sslpolicy.policies WHERE object_name = 'alice'"
started=$(sql 'SELECT pg_postmaster_start_time()')

check 'upgrade by apt' install "$deb"
check 'has the new version' version_is "$newer"
check 'no server was restarted by it' says 'SELECT pg_postmaster_start_time()' "$started"
check 'and the policy is in force' is_refused
check 'restart' pg_ctlcluster "$major" main restart
check 'the policy is still there' says "$policy" 'sslmode=verify-full min_protocol=TLSv1.3'
check 'and in force' is_refused
check 'logins as before' logins

side_by_side() {
    local other name
    for other in other/*.deb; do
        # without what it depends on: it is about files that both would have
        name=$(dpkg-deb -f "$other" Package)
        dpkg --unpack "$other" && dpkg --verify "$package" && dpkg --purge --force-all "$name" || return
    done
}
if ls other/*.deb >/dev/null 2>&1; then
    check 'packages for two versions of PostgreSQL share no file' side_by_side
fi

check 'removal by apt' apt-get remove -y -o Dpkg::Use-Pty=0 "$package"
check 'the server that runs goes on to enforce the policy' is_refused
check 'installed again' install "$deb"
check 'purge' apt-get purge -y -o Dpkg::Use-Pty=0 "$package"
check 'pg_dropcluster' pg_dropcluster --stop "$major" main
left() { everything >/tmp/after; diff /tmp/before /tmp/after; }
check 'nothing is left of it' left
unknown() { ! dpkg-query -W "$package" 2>/dev/null; }
check 'and dpkg does not know it' unknown
done_testing
