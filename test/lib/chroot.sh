# Shell functions that make and enter chroots of Debian's suites, each with a
# PostgreSQL, its OpenSSL, headers and a compiler; sourced after env.sh.
#
#   can_chroot               dies, and says what is missing, if this machine cannot
#   make_chroot [-s SUITE]... VERSION [PACKAGE...]
#                            sets "chroot" to a chroot kept in the cache folder;
#                            makes it if there is none, if it is too old, broken,
#                            or of another recipe. Further packages, and further
#                            suites to take them from, give a chroot of its own.
#                            Fails, with the reason in "chroot_problem", if that
#                            cannot be had.
#   open_chroot DIR FOLDER   a throw-away copy of chroot DIR in FOLDER, with the
#                            work tree, without .git, as its /repo
#   enter_chroot [-n] FOLDER COMMAND...
#                            runs a command there as root, with mounts, processes
#                            and a network of its own, of which nothing is left
#                            after it; -n: with this machine's network. What it
#                            writes stays in FOLDER.
#   chroot_files FOLDER      where a file of that copy lies, seen from outside
#   leave_chroot             for traps: ends what runs there
#   chroot_versions          the versions that a suite is known for
#
# The copy is a layer over the chroot (overlayfs), else a real copy: nothing
# that a test does changes the chroot that is kept.

chroot_cache=${SSLPOLICY_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sslpolicy}/chroots
# days; sid and experimental move on every day
chroot_max_age=${CHROOT_MAX_AGE:-14}

chroot_versions() { echo 15 17 18 19; }

# Debian's suites that have a version, all that apt needs
suites_of() {
    case $1 in
        15) echo bookworm ;;
        17) echo trixie ;;
        18) echo sid ;;
        19) echo sid experimental ;;
        *) return 1 ;;
    esac
}

can_chroot() {
    [ "$(id -u)" = 0 ] || die "Only root can make chroots and enter them: run this as root."
    need mmdebstrap debian-archive-keyring
    command -v mmdebstrap >/dev/null || die "mmdebstrap is not installed."
    unshare -m -p -i -n --fork true 2>/dev/null ||
        die "This machine does not let root make namespaces (unshare): run this on one that does, such as a virtual machine, or a container with CAP_SYS_ADMIN."
}

# where this machine's own apt takes Debian's packages from
debian_mirror() {
    local mirror=${DEBIAN_MIRROR:-}
    [ -n "$mirror" ] || mirror=$(apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Component: main' 'Origin: Debian' 2>/dev/null | head -1)
    printf '%s\n' "${mirror%/}"
}

make_chroot() {
    local suites=() version packages recipe name dir problem=''
    while [ "${1:-}" = -s ]; do suites+=("$2"); shift 2; done
    version=$1
    shift
    chroot='' chroot_problem=''
    suites=($(suites_of "$version") "${suites[@]}")
    [ -n "$(suites_of "$version")" ] || {
        chroot_problem="no suite of Debian has PostgreSQL $version"
        return 1
    }
    packages=("postgresql-$version" "postgresql-server-dev-$version" libssl-dev libkrb5-dev
        gcc make openssl libipc-run-perl iproute2 procps "$@")
    recipe="${suites[*]}: ${packages[*]}"
    # of the same name for the same recipe only, so that none replaces another
    name=$version
    [ "${suites[*]}" = "$(suites_of "$version")" ] && [ $# = 0 ] ||
        name=$version-$(cksum <<<"$recipe" | cut -d' ' -f1)
    dir=$chroot_cache/$name
    mkdir -p "$chroot_cache"

    # several may want it at once: one makes it
    exec {chroot_lock}>"$dir.lock"
    flock -s "$chroot_lock"
    if ! chroot_is_sound "$dir" "$version" "$recipe" || chroot_is_old "$dir"; then
        flock -u "$chroot_lock"
        flock -w 3600 "$chroot_lock" || problem='somebody else has been using it for an hour'
        if [ -z "$problem" ] &&
            { ! chroot_is_sound "$dir" "$version" "$recipe" || chroot_is_old "$dir"; }; then
            bootstrap "$dir" "$version" "$recipe" || problem="it could not be made, see above"
        fi
    fi
    exec {chroot_lock}>&-
    if [ -n "$problem" ]; then
        chroot_problem="chroot of PostgreSQL $version: $problem"
        chroot_is_sound "$dir" "$version" "$recipe" || return 1
        say "NOT REFRESHED: $chroot_problem. Going on with the old one of $(date -r "$dir/etc/sslpolicy-chroot" +%F)."
    fi
    chroot=$dir
}

chroot_is_old() {
    [ -n "$(find "$1/etc/sslpolicy-chroot" -mtime +"$chroot_max_age" 2>/dev/null)" ]
}

# Is it whole, of this recipe, and does what is in it run?
chroot_is_sound() {
    [ "$(cat "$1/etc/sslpolicy-chroot" 2>/dev/null)" = "$3" ] &&
        [ -z "$(chroot "$1" dpkg --audit 2>&1)" ] &&
        chroot "$1" gcc --version >/dev/null 2>&1 &&
        chroot "$1" perl -MIPC::Run -e 1 2>/dev/null &&
        chroot "$1" "/usr/lib/postgresql/$2/bin/postgres" --version 2>/dev/null | grep -qE " $2(\.|[a-z]|~|$| )"
}

bootstrap() {
    local dir=$1 version=$2 recipe=$3 new="$1.new" log="$1.log" mirror proxy suites packages suite lines=()
    mirror=$(debian_mirror)
    [ -n "$mirror" ] || {
        say "This machine's apt knows no mirror of Debian; set DEBIAN_MIRROR."
        return 1
    }
    suites=(${recipe%%:*})
    packages=${recipe#*: }
    for suite in "${suites[@]}"; do lines+=("deb $mirror $suite main"); done
    proxy=$(apt-config shell p Acquire::http::Proxy 2>/dev/null | sed -n "s/^p='\(.*\)'$/\1/p")

    say "Making a chroot of Debian ${suites[*]} with PostgreSQL $version."
    # what an interrupted one left
    rm -rf --one-file-system "$new"
    # Valid-Until: a mirror may be a snapshot. The suites' signatures are checked.
    # No server cluster: nothing but the tests' own servers runs.
    mmdebstrap --mode=root --variant=apt --aptopt='Acquire::Check-Valid-Until "false"' \
        ${proxy:+"--aptopt=Acquire::http::Proxy \"$proxy\""} \
        --setup-hook='mkdir -p "$1/etc/postgresql-common/createcluster.d" "$1/etc/apt/preferences.d"' \
        --setup-hook='echo "create_main_cluster = false" >"$1/etc/postgresql-common/createcluster.d/none.conf"' \
        --setup-hook='printf "%s\n" "Package: src:postgresql-'"$version"' src:postgresql-common" "Pin: release a=experimental" "Pin-Priority: 600" >"$1/etc/apt/preferences.d/postgresql"' \
        --include="${packages// /,}" \
        --customize-hook='for p in postgresql-'"$version"'-pgtap pgbouncer; do
            ! chroot "$1" apt-cache show $p >/dev/null 2>&1 || chroot "$1" apt-get install -y $p || exit; done' \
        "${suites[0]}" "$new" "${lines[@]}" </dev/null >"$log" 2>&1 {chroot_lock}>&- || {
        say "mmdebstrap failed:"
        tail -8 "$log" >&2
        rm -rf --one-file-system "$new"
        return 1
    }
    echo "$recipe" >"$new/etc/sslpolicy-chroot"
    chroot_is_sound "$new" "$version" "$recipe" || {
        say "PostgreSQL $version does not run in the chroot that was made, see $log."
        rm -rf --one-file-system "$new"
        return 1
    }
    rm -rf --one-file-system "$dir"
    mv "$new" "$dir"
}

open_chroot() {
    local dir=$1 folder=$2
    mkdir -p "$folder/upper" "$folder/work" "$folder/root"
    # of the lock: nobody may replace DIR while a command runs in FOLDER
    echo "$dir" >"$folder/base"
    if ! unshare -m mount -t overlay overlay \
        -o "lowerdir=$dir,upperdir=$folder/upper,workdir=$folder/work" "$folder/root" 2>/dev/null; then
        rm -rf "$folder/upper"
        cp -a --reflink=auto "$dir/." "$folder/root"
    fi
    local files
    files=$(chroot_files "$folder")
    chmod 755 "$folder/root" "$files"
    mkdir -p "$files/repo"
    sources |
        tar -C "$files/repo" --no-same-owner -xf -
}

# of an overlay: the files written so far
chroot_files() {
    if [ -d "$1/upper" ]; then echo "$1/upper"; else echo "$1/root"; fi
}

enter_chroot() {
    local net=(-n) lo='ip link set lo up' folder status lock
    [ "$1" != -n ] || { net=() lo=true; shift; }
    folder=$1
    shift
    exec {lock}<"$(cat "$folder/base").lock"
    flock -s "$lock"
    # The shell in it is process 1, which reaps what servers leave behind; when
    # it ends, or unshare is killed, everything in there ends with it.
    LANG=C.UTF-8 unshare -m -p -i "${net[@]}" --fork --kill-child bash -c '
        set -e
        folder=$1 lo=$2 root=$1/root
        shift 2
        [ ! -d "$folder/upper" ] || mount -t overlay overlay \
            -o "lowerdir=$(cat "$folder/base"),upperdir=$folder/upper,workdir=$folder/work" "$root"
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
        [ "$lo" != true ] || cp -L /etc/resolv.conf "$root/etc/resolv.conf"
        unset TMPDIR
        export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
        set +e
        chroot "$root" sh -c "$lo"
        chroot "$root" "$@"
        exit $?
    ' enter_chroot "$folder" "$lo" "$@" </dev/null {lock}<&- &
    chroot_pid=$!
    wait "$chroot_pid"
    status=$?
    chroot_pid=''
    exec {lock}<&-
    return $status
}

# For a trap: ends what runs in there, which would keep the folder busy. Process 1
# of a namespace takes all others along.
leave_chroot() {
    [ -n "${chroot_pid:-}" ] || return 0
    pkill -KILL -P "$chroot_pid"
    wait "$chroot_pid" 2>/dev/null
    chroot_pid=''
}
