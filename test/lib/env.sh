# Shell functions that demo, test and bench share; sourced by bash scripts that
# have set "top" to the top of the source tree.
#
#   need PACKAGES...     installs what is missing (DEPS=no: only says so)
#   make_work NAME       makes $work, removed at exit, whatever happens
#   find_pg_config       sets $pg_config
#   build                compiles and installs into $work, not into the system
#   build_kept           the same, and compiles only what has changed since the last
#                        time, in a folder that is kept
#   as_tester CMD...     runs a command as $tester, who may start servers
#   write_server_conf F  settings by which a server finds that installation
#
# PostgreSQL refuses to run as root, so root's servers run as the account
# postgres; anybody else's run as themselves.

# make has put its variables into the environment; these would hand them on to the
# makes that we call as if they were meant for them.
unset MAKEFLAGS MFLAGS MAKELEVEL

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# The version of PostgreSQL to use: that of PG_CONFIG, else the newest whose
# headers are installed, else the one that the distribution has.
find_version() {
    if [ -n "${PG_CONFIG:-}" ]; then
        "$PG_CONFIG" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/'
        return
    fi
    local newest
    newest=$(ls -d /usr/lib/postgresql/*/lib/pgxs 2>/dev/null | sed -E 's|.*/postgresql/([0-9]+)/.*|\1|' | sort -n | tail -1)
    [ -n "$newest" ] || newest=$(apt-cache depends postgresql 2>/dev/null | sed -nE 's/.*Depends: postgresql-([0-9]+)$/\1/p' | head -1)
    [ -n "$newest" ] || newest=15
    printf '%s\n' "$newest"
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

need() {
    [ "${DEPS:-yes}" != no ] || return 0
    if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
        command -v "${PG_CONFIG:-pg_config}" >/dev/null && return 0
        die "This is not a Debian system. Install these, under the names that your system has for them, and run again with DEPS=no and PG_CONFIG set:
  $*"
    fi

    local root='' missing package
    [ "$(id -u)" = 0 ] || root=sudo
    if [ -z "$(apt-cache depends postgresql 2>/dev/null)" ] && [ -z "$(ls -d /usr/lib/postgresql/*/lib/pgxs 2>/dev/null)" ]; then
        [ -z "$root" ] || command -v sudo >/dev/null || die "Run 'apt-get update' as root first."
        say "Reading the list of packages (apt-get update)."
        $root apt-get update -qq >/dev/null || die "apt-get update failed."
    fi
    version=$(find_version)
    missing=()
    for package in "${@//NN/$version}"; do
        installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0

    say "Installing from the distribution's packages: ${missing[*]}"
    [ -z "$root" ] || command -v sudo >/dev/null ||
        die "That needs root or sudo. As root: apt-get install ${missing[*]}"
    install_packages "$root" "${missing[@]}"
}

install_packages() {
    local root=$1 conf=/etc/postgresql-common/createcluster.d/sslpolicy-none.conf plan
    shift
    plan=$($root apt-get install -s --no-install-recommends "$@" 2>/dev/null) || {
        $root apt-get update -qq >/dev/null || die "apt-get update failed."
        plan=$($root apt-get install -s --no-install-recommends "$@") || die "apt-get cannot install $*"
    }
    # an upgrade of a server package restarts its servers: not for our sake
    if grep -qE '^Inst postgresql-[0-9]+ \[' <<<"$plan" &&
        pg_lsclusters -h 2>/dev/null | grep -q online; then
        die "That would upgrade and restart a PostgreSQL server that is running here. Install yourself when it suits: apt-get install $*"
    fi
    # no server cluster of the system's is wanted
    $root mkdir -p "$(dirname $conf)"
    echo 'create_main_cluster = false' | $root tee $conf >/dev/null
    local ok=yes
    install_quietly "$root" "$@" || {
        # an outdated list of packages is the usual reason
        $root apt-get update -qq >/dev/null
        install_quietly "$root" "$@" || ok=no
    }
    $root rm -f $conf
    [ $ok = yes ] || { tail -5 /tmp/sslpolicy-apt.$$ >&2; die "apt-get install failed."; }
    rm -f /tmp/sslpolicy-apt.$$
}

# apt-get install without starting services, now or at boot: nobody has asked
# for a Prometheus on this machine.
install_quietly() (
    root=$1 guard=/usr/sbin/policy-rc.d
    shift
    if [ ! -e $guard ]; then
        trap '$root rm -f $guard' EXIT
        printf '#!/bin/sh\nexit 101\n' | $root tee $guard >/dev/null
        $root chmod 755 $guard
    fi
    $root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends "$@" >/tmp/sslpolicy-apt.$$ 2>&1 || exit 1
    ! command -v systemctl >/dev/null ||
        # by the names of the services: that of etcd-server is etcd
        dpkg -L "$@" | sed -nE 's|^(/usr)?/lib/systemd/system/([^/@]+\.service)$|\2|p' | while read -r service; do
            $root systemctl disable "$service" >/dev/null 2>&1 </dev/null
        done
    exit 0
)

make_work() {
    if [ "$(id -u)" = 0 ]; then
        tester=postgres
        getent passwd postgres >/dev/null || die "There is no account postgres to run servers as."
    else
        tester=$(id -un)
    fi
    # short, because a path of a Unix socket holds 107 bytes
    work=$(mktemp -d "${TMPDIR:-/tmp}/sslpolicy-$1.XXXXXX")
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    # whoever reads our output may be gone first
    trap 'exit 141' PIPE
    chmod 755 "$work"
    chown "$tester" "$work"
}

# Stop every server that was started below $work, then remove it.
clean_up() {
    local pidfile pid
    trap '' INT TERM HUP PIPE
    ! declare -F leave_chroot >/dev/null || leave_chroot
    while read -r pidfile; do
        pid=$(head -1 "$pidfile" 2>/dev/null)
        # only if it is that server: a pid may have been given out again
        [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$(dirname "$pidfile")" ] || continue
        kill -QUIT "$pid" 2>/dev/null
        for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
    done < <(find "$work" -name postmaster.pid 2>/dev/null)
    rm -rf "$work"
}

as_tester() {
    if [ "$(id -u)" = 0 ]; then
        # cd: the account may not be able to read where root stands
        (cd "$work" && runuser -u "$tester" -- "$@")
    else
        "$@"
    fi
}

# Before 18, only Debian's servers look for extensions outside of their own folder.
finds_extensions_elsewhere() {
    [ "$("$pg_config" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')" -ge 18 ] ||
        "$bindir/postgres" --describe-config | grep -q '^extension_destdir\b'
}

# Any other server gets sslpolicy installed into a copy of it.
copy_server() {
    local prefix
    prefix=$(dirname "$bindir")
    [ "$prefix/bin" = "$bindir" ] && [ -n "${prefix%/usr*}" ] ||
        die "The PostgreSQL of $pg_config lies among other software: build one with a --prefix of its own."
    cp -a "$prefix/." "$work/pg.own"
    bindir=$work/pg.own/bin
    pg_config=$bindir/pg_config
}

find_pg_config() {
    pg_config=${PG_CONFIG:-/usr/lib/postgresql/$(find_version)/bin/pg_config}
    [ -z "${PG_CONFIG:-}" ] || command -v "$pg_config" >/dev/null || die "PG_CONFIG=$PG_CONFIG is no program."
    command -v "$pg_config" >/dev/null || pg_config=$(command -v pg_config) || die "pg_config not found; set PG_CONFIG"
}

# The folder for what is kept between runs.  That of root is nothing that the
# account of the servers could read.
server_cache() {
    if [ -n "${SSLPOLICY_CACHE:-}" ]; then
        printf '%s\n' "$SSLPOLICY_CACHE"
    elif [ "$(id -u)" = 0 ]; then
        printf '%s/.cache/sslpolicy\n' "$(getent passwd "$tester" | cut -d: -f6)"
    else
        printf '%s/sslpolicy\n' "${XDG_CACHE_HOME:-$HOME/.cache}"
    fi
}

# The tree as it lies here, without what a make in it has left: that may be old.
sources() {
    local product products=()
    for product in "$top"/test/unit/test_*.c; do
        products+=("--exclude=./test/unit/$(basename "$product" .c)")
    done
    products+=("--exclude=./sslpolicy--$(sed -n "s/^default_version *= *'\(.*\)'/\1/p" "$top/sslpolicy.control").sql")
    tar -C "$top" --exclude=./.git --exclude=./build --exclude='*.o' --exclude='*.d' --exclude='*.so' --exclude='*.bc' \
        --exclude=exports.list \
        "${products[@]}" -cf - .
}

choose_server() {
    find_pg_config
    bindir=$("$pg_config" --bindir)
    finds_extensions_elsewhere || copy_server
    export PATH="$bindir:$PATH"
    mkdir "$work/src"
    sources | tar -C "$work/src" -xf -
}

# compile FOLDER [COMMAND...]: makes and installs, both by way of the command
compile() {
    local folder=$1
    shift
    "$@" make -s -j"$(nproc)" -C "$folder" PG_CONFIG="$pg_config" with_llvm=no COPT="${COPT:--Werror}" all >"$work/build.log" 2>&1 &&
        "$@" make -s -C "$folder" PG_CONFIG="$pg_config" with_llvm=no COPT="${COPT:--Werror}" \
            DESTDIR="$work/root" install >>"$work/build.log" 2>&1
}

build() {
    choose_server
    compile "$work/src" || {
        cat "$work/build.log" >&2
        die "The build failed."
    }
    chown -R "$tester" "$work"
}

# All besides the sources that decides what comes out.  Not by the times of files:
# those that a package installs can be older than what was made before.
build_identity() {
    echo "$pg_config ${COPT:-} ${PROFILE:-} ${CC:-}"
    "$pg_config"
    "$("$pg_config" --cc | sed 's/ .*//')" --version
    find "$("$pg_config" --includedir-server)" "$("$pg_config" --pgxs)" /usr/include/openssl /usr/include/*/openssl \
        -type f -printf '%p %s %T@ %C@\n' 2>/dev/null | sort
}

# A folder for this checkout and these settings.  What is in it follows $work/src
# by content, see mirror.pl, and is thrown away if all else is not as it was, or
# if the last build did not come to its end.  FRESH=1 throws it away, too.
build_kept() {
    local cache kept identity lock built=yes
    choose_server
    cache=$(server_cache)/builds
    # a server that will be gone is not worth it
    if [ "$pg_config" != "${pg_config#"${TMPDIR:-/tmp}"/}" ] || [ "$bindir" = "$work/pg.own/bin" ] ||
        ! as_tester mkdir -p "$cache" 2>/dev/null; then
        rm -rf "$work/src"
        build
        build_unit_tests "$work/src" || {
            cat "$work/build.log" >&2
            die "The unit tests do not build."
        }
        return
    fi
    kept=$cache/$(md5sum <<<"$top $pg_config ${COPT:-}" | cut -c1-12)
    identity=$(build_identity | md5sum)
    chown -R "$tester" "$work"

    as_tester touch "$kept.lock"
    exec {lock}<"$kept.lock"
    flock "$lock"
    if [ -n "${FRESH:-}" ] || [ -e "$kept/building" ] || [ "$(cat "$kept/identity" 2>/dev/null)" != "$identity" ]; then
        as_tester rm -rf "$kept"
    fi
    as_tester mkdir -p "$kept/src"
    as_tester touch "$kept/building"
    as_tester perl "$work/src/test/lib/mirror.pl" "$work/src" "$kept/src" || die "The sources cannot be copied to $kept."
    compile "$kept/src" as_tester || built=no
    [ $built = no ] || build_unit_tests "$kept/src" || built=no
    # make has come to an end, and left nothing half done
    as_tester sh -c 'printf "%s\n" "$1" >"$2/identity" && rm "$2/building"' sh "$identity" "$kept"
    [ $built = yes ] || {
        cat "$work/build.log" >&2
        die "The build failed."
    }
    as_tester sh -c 'cd "$1" && cp -p --parents sslpolicy.so sslpolicy--*.sql $(find test/unit -name "test_*" -type f -perm -u+x) "$2"' \
        sh "$kept/src" "$work/src"
    # of other checkouts, which may be gone
    as_tester find "$cache" -mindepth 1 -maxdepth 1 -type d -mtime +14 -exec rm -rf {} +
    exec {lock}<&-
}

# If they are among TESTS.
build_unit_tests() {
    ! wants_unit_tests ||
        as_tester make -s -j"$(nproc)" -C "$1/test/unit" PG_CONFIG="$pg_config" COPT="${COPT:-}" >>"$work/build.log" 2>&1
}

wants_unit_tests() {
    local file word
    [ -n "${TESTS:-}" ] || return 0
    for file in "$top"/test/unit/test_*.c; do
        for word in $TESTS; do
            [[ "unit/$(basename "$file" .c)" != *"$word"* ]] || return 0
        done
    done
    return 1
}

write_server_conf() {
    local libdir sharedir major root=$work/root
    libdir=$("$pg_config" --pkglibdir)
    sharedir=$("$pg_config" --sharedir)
    major=$("$pg_config" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
    if [ "${bindir:-}" = "$work/pg.own/bin" ]; then
        cp -a "$work/root$work/pg.own/." "$work/pg.own/"
        root=
    fi
    {
        echo "dynamic_library_path = '$root$libdir:\$libdir'"
        if [ "$major" -ge 18 ]; then
            echo "extension_control_path = '$work/root$sharedir:\$system'"
        elif [ "${bindir:-}" != "$work/pg.own/bin" ]; then
            echo "extension_destdir = '$work/root'"
        fi
    } >"$1"
    chown "$tester" "$1"
}
