# The targets of PGXS as an administrator or a packager uses them: build, here or in
# another folder, install, installcheck, uninstall, clean. Prints TAP.
#
#   pgxs.sh CLONE FOLDER    a clean clone of the repository, an empty folder
set -u
clone=$1 dir=$2
. "$(dirname "$0")/tap.sh"
root=$dir/root
git clone -q --no-hardlinks "$clone" "$dir/src" || exit 1
src=$dir/src
in_src() { make -C "$src" PG_CONFIG="$PG_CONFIG" "$@"; }
files() { (cd "$1" && find . ! -type d | sort); }

check 'make' in_src || done_testing
check 'make install' in_src install DESTDIR="$root"

mkdir "$dir/elsewhere"
elsewhere() { make -C "$dir/elsewhere" -f "$src/Makefile" VPATH="$src" PG_CONFIG="$PG_CONFIG" "$@"; }
same_files() { [ -n "$(files "$root")" ] && diff <(files "$root") <(files "$dir/elsewhere-root"); }
in_src clean >/dev/null
check 'make in another folder' elsewhere
check 'make install from there' elsewhere install DESTDIR="$dir/elsewhere-root"
check 'it installs the same files' same_files
check 'nothing was made in the source folder' says_nothing git -C "$src" status --porcelain --ignored

# installcheck: a running server that has it preloaded
port=
start_server() {
    local try
    initdb -A trust -U postgres --no-sync -D "$dir/data" || return
    {
        # as test/run.sh has it: where a server finds what was not put into the system
        . "$src/test/lib/env.sh"
        work=$dir pg_config=$PG_CONFIG tester=$(id -un)
        write_server_conf "$dir/server.conf"
        cat "$dir/server.conf"
        echo "shared_preload_libraries = 'sslpolicy'"
        echo "listen_addresses = ''"
        echo "unix_socket_directories = '$dir'"
    } >>"$dir/data/postgresql.conf"
    for try in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 20000))
        pg_ctl -s -w -D "$dir/data" -l "$dir/log" -o "-p $port" start && break
        [ $try != 5 ] || { cat "$dir/log"; return 1; }
    done
    echo $port >"$dir/port"
}
PATH=$("$PG_CONFIG" --bindir):$PATH
check 'a server with it preloaded' start_server || done_testing
# SQL tests, and of the Perl tests one: all of them are what make test runs
installcheck() {
    in_src && TEMP_CONFIG=$dir/server.conf PGHOST=$dir PGPORT=$(cat "$dir/port") PGUSER=postgres \
        in_src installcheck PROVE_TESTS=test/t/002_first_login.pl >"$dir/installcheck.log" 2>&1
    local status=$?
    tail -40 "$dir/installcheck.log"
    # all of REGRESS by name, and what prove says
    local file
    for file in $(sed -n 's/^REGRESS = //p' "$src/Makefile"); do
        grep -qE "^(test $file +\.\.\. ok|ok [0-9]+ +-? ?$file)\b" "$dir/installcheck.log" || return 1
    done
    [ $status = 0 ] && grep -q '^Result: PASS' "$dir/installcheck.log"
}
check 'make installcheck' installcheck
pg_ctl -s -D "$dir/data" stop

check 'make uninstall' in_src uninstall DESTDIR="$root"
check 'make uninstall leaves no file' says_nothing files "$root"
check 'make uninstall leaves no folder of ours' says_nothing find "$root" -name '*sslpolicy*'
check 'make clean' in_src clean
check 'make clean leaves what git has' says_nothing git -C "$src" status --porcelain --ignored
done_testing
