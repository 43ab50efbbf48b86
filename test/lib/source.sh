# PostgreSQL built from the source that the distribution has, with options of
# ours; sourced by bash scripts after env.sh and make_work.
#
#   built_postgres
#       sets $built: $built/pg is the installation, $built/src the tree that it
#       was built in, with PostgreSQL's own tests.  Both are kept, one for each
#       version, and nobody changes them.
#   private_copy
#       copies the installation to $work/pg, with pgTAP, and sets PG_CONFIG
#
# It is the authors' archive that is built, without Debian's patches, as the
# account that runs the servers: Debian's would install over the system's own
# library folder.

# What of contrib is wanted: neighbours of sslpolicy, and what PostgreSQL's
# tests ask for.
contrib_modules=(sslinfo pg_stat_statements auth_delay passwordcheck spi test_decoding pg_prewarm
    pageinspect)

# With assertions, which also overwrite what is freed; cached catalog entries go
# when nobody holds them any more; and valgrind is told what is allocated, which
# costs next to nothing without it.  One build for all, as it takes minutes.
configure_options=(--enable-cassert --enable-debug --enable-tap-tests --with-openssl
    --with-ldap --without-readline --without-zlib --without-icu)
cppflags='-DRELCACHE_FORCE_RELEASE -DCATCACHE_FORCE_RELEASE -DUSE_VALGRIND'
cflags='-O1 -g'
source_needs='gcc make bison flex perl bzip2 libssl-dev libldap-dev valgrind'

# fetch_source PACKAGE FOLDER: prints the path of the archive.  Where the host
# gets the package from is where its source is; that goes into a configuration
# of our own, the system's stays as it is.
fetch_source() {
    local package=$1 folder=$2 apt=$work/apt versions version archive
    mkdir -p "$apt/lists" "$apt/new"
    LC_ALL=C apt-cache policy "$package" |
        sed -nE 's#^ +[0-9]+ ((https?|file|mirror)[^ ]*) ([^ /]+)/([^ ]+) .*#deb-src \1 \3 \4#p' |
        sort -u >"$apt/sources.list"
    [ -s "$apt/sources.list" ] || die "apt knows no package $package."
    cat >"$apt/apt.conf" <<CONF
Dir::Etc::SourceList "$apt/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::State::Lists "$apt/lists";
Dir::Cache "$apt";
Acquire::Languages "none";
CONF
    chown -R "$tester" "$apt"
    as_tester env APT_CONFIG="$apt/apt.conf" apt-get update -qq >"$apt/log" 2>&1 || {
        cat "$apt/log" >&2
        die "The list of source packages cannot be read."
    }
    # the newest first; a mirror may have the package and not its source
    versions=$(as_tester env APT_CONFIG="$apt/apt.conf" apt-cache showsrc "$package" |
        sed -n 's/^Version: //p' | sort -rVu)
    for version in $versions; do
        as_tester env APT_CONFIG="$apt/apt.conf" sh -c 'cd "$1" && exec apt-get source -qq --download-only "$2"' \
            sh "$apt/new" "$package=$version" >>"$apt/log" 2>&1 && break
        say "The source of $package $version cannot be had."
    done
    archive=$(ls "$apt/new/${package}_"*.orig.tar.* 2>/dev/null | grep -v '\.asc$' | head -1)
    [ -n "$archive" ] || { tail -5 "$apt/log" >&2; die "The source of $package cannot be had."; }
    as_tester mv "$archive" "$folder/"
    printf '%s/%s\n' "$folder" "$(basename "$archive")"
}

# The archive for the host's PostgreSQL: as kept, unless the host has another
# version by now.
source_archive() {
    local package=$1 folder=$2 host kept
    host=$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null)
    kept=$(cat "$folder/$package.for" 2>/dev/null)
    if [ -n "$kept" ] && [ "$host" = "${kept%% *}" ] && [ -e "$folder/${kept#* }" ]; then
        printf '%s/%s\n' "$folder" "${kept#* }"
        return
    fi
    kept=$(fetch_source "$package" "$folder") || exit 1
    as_tester sh -c 'printf "%s\n" "$1" >"$2"' sh "${host:-none} $(basename "$kept")" "$folder/$package.for"
    printf '%s\n' "$kept"
}

# As if no make had called us: PostgreSQL's makes what all else needs only in the
# first of its levels.
first_make() { as_tester env -u MAKELEVEL -u MAKEFLAGS -u MFLAGS make "$@"; }

# configure, make and make install of what is needed; in the folder given.
compile_postgres() {
    local folder=$1 archive=$2 module
    as_tester mkdir -p "$folder/src"
    as_tester tar -C "$folder/src" --strip-components=1 -xf "$archive" || return 1
    as_tester env -u LDFLAGS CFLAGS="$cflags" CPPFLAGS="$cppflags" \
        sh -c 'cd "$1" && shift && exec ./configure "$@"' sh "$folder/src" \
        --prefix="$folder/pg" "${configure_options[@]}" &&
        first_make -s -C "$folder/src" -j"$(nproc)" &&
        first_make -s -C "$folder/src/src" install &&
        first_make -s -C "$folder/src/config" install || return 1
    for module in "${contrib_modules[@]}"; do
        first_make -s -C "$folder/src/contrib/$module" -j"$(nproc)" all install || return 1
    done
}

built_postgres() {
    local cache package archive version options lock
    cache=$(server_cache)
    as_tester mkdir -p "$cache/source" "$cache/built" || die "$tester cannot write to $cache; set SSLPOLICY_CACHE."
    package=postgresql-$(find_version)
    options="$cflags $cppflags ${configure_options[*]} ${contrib_modules[*]}"

    # a second run waits for what a first one fetches and builds
    exec {lock}>>"$cache/built/lock"
    flock "$lock"
    archive=$(source_archive "$package" "$cache/source") || exit 1
    version=$(basename "$archive" | sed -E 's/^[^_]*_(.*)\.orig\..*/\1/')
    built=$cache/built/$version-$(cat "$archive" - <<<"$options" | md5sum | cut -c1-12)
    if [ ! -e "$built/complete" ]; then
        say "Building PostgreSQL $version: $options.  That takes minutes, once."
        as_tester rm -rf "$built"
        as_tester mkdir "$built"
        compile_postgres "$built" "$archive" >"$work/postgres.log" 2>&1 || {
            tail -30 "$work/postgres.log" >&2
            die "The build of PostgreSQL failed."
        }
        as_tester touch "$built/complete"
    fi
    exec {lock}>&-
}

private_copy() {
    local share
    as_tester cp -a "$built/pg" "$work/pg"
    export PG_CONFIG=$work/pg/bin/pg_config
    # pgTAP is SQL, which fits every build of the version that it is packaged for
    share=/usr/share/postgresql/$(find_version)/extension
    if [ -e "$share/pgtap.control" ]; then
        as_tester cp "$share"/pgtap* "$("$PG_CONFIG" --sharedir)/extension/"
    else
        say "SKIPPED: pgTAP, which is not packaged for this PostgreSQL"
    fi
}
