#!/usr/bin/env bash
# make test-clients: real third-party clients log in: what is refused, the text that
# their users read, settings taken literally from sslpolicy.client_settings(), and
# pools that outlive a revocation.  Ends with a line "N passed, M failed".
#
#   CLIENTS="psql asyncpg"   only these clients; see "all" below for their names
#   TESTS="login pools"      only the test files whose names contain one of these
#   UPDATE=1                 writes the tables of docs/drivers.md, which are otherwise
#                            compared with what the clients show
#   VERBOSE=1                every single test
#   KEEP_LOGS=folder         keeps the logs of a failure
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"

all="psql psycopg2 psycopg asyncpg dbd-pg ruby php odbc jdbc lib-pq pgx node-postgres postgres-js pgbouncer"
export CLIENTS=${CLIENTS:-$all}
# from npm, at these versions
npm_packages=(pg@8.23.1 postgres@3.4.9)

# Is the test wanted by this name?
wanted() {
    local word
    [ -n "${TESTS:-}" ] || return 0
    for word in $TESTS; do [[ $1 != *"$word"* ]] || return 0; done
    return 1
}

packages=() go=() npm=no java=no
for client in $CLIENTS; do
    case $client in
        psql) ;;
        psycopg2) packages+=(python3-psycopg2) ;;
        psycopg) packages+=(python3-psycopg python3-psycopg-pool) ;;
        asyncpg) packages+=(python3-asyncpg) ;;
        dbd-pg) packages+=(libdbd-pg-perl) ;;
        ruby) packages+=(ruby-pg) ;;
        php) packages+=(php-cli php-pgsql) ;;
        odbc) packages+=(odbc-postgresql python3-pyodbc) ;;
        jdbc) packages+=(default-jdk-headless libpostgresql-jdbc-java) java=yes ;;
        lib-pq) packages+=(golang-go golang-github-lib-pq-dev) go+=(lib_pq) ;;
        pgx) packages+=(golang-go golang-github-jackc-pgx-v4-dev) go+=(pgx) ;;
        node-postgres | postgres-js) npm=yes ;;
        pgbouncer) packages+=(pgbouncer) ;;
        *) die "There is no client $client. There are: $all" ;;
    esac
done
# which may be there from elsewhere
[ $npm = no ] || command -v npm >/dev/null || packages+=(nodejs npm)

need gcc make openssl libssl-dev libkrb5-dev postgresql-server-dev-NN \
    postgresql-NN libipc-run-perl ${packages[@]+"${packages[@]}"}
make_work clients
# the same as that of make test
COPT="${COPT--Werror} -DSSLPOLICY_STOP_POINTS" TESTS=none build_kept
write_server_conf "$work/server.conf"

as_tester mkdir -p "$work/bin" "$work/t"
source=$work/src/test/clients
build_clients() {
    local program cache
    cache=$(server_cache)/go
    as_tester mkdir -p "$cache" 2>/dev/null || cache=$work/go
    for program in ${go[@]+"${go[@]}"}; do
        as_tester env GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$cache" \
            go build -o "$work/bin/$program" "$source/programs/$program.go" || return
    done
    [ $java = no ] ||
        as_tester javac -cp /usr/share/java/postgresql.jar -d "$work/bin" "$source/programs/Jdbc.java" || return
    [ $npm = no ] || (cd "$work/bin" && npm install --no-save --no-package-lock --no-audit --no-fund --silent "${npm_packages[@]}")
}
build_clients || die "The clients do not build."

export TEMP_CONFIG=$work/server.conf PG_CONFIG=$pg_config CLIENTS_BIN=$work/bin NODE_PATH=$work/bin/node_modules
export TESTDIR=$work/t TESTDATADIR=$work/t/tmp_check TESTLOGDIR=$work/t/log
export DRIVERS_PAGE=$work/t/drivers.md

files=()
for file in "$source"/*.pl; do
    ! wanted "${file##*/}" || files+=("../clients/${file##*/}")
done
[ ${#files[@]} -gt 0 ] || die "TESTS chooses no test: $TESTS"
# sockets below $work, which is short
TMPDIR=$work as_tester perl "$work/src/test/faults/run.pl" "${files[@]}"
status=$?
[ -z "${UPDATE:-}" ] || [ ! -s "$DRIVERS_PAGE" ] || cat "$DRIVERS_PAGE" >"$top/docs/drivers.md"
if [ $status != 0 ] && [ -n "${KEEP_LOGS:-}" ]; then
    mkdir -p "$KEEP_LOGS"
    cp -r "$work/t" "$KEEP_LOGS/"
    say "Logs: $KEEP_LOGS"
fi
exit $status
