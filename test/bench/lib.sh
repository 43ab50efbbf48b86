# shellcheck shell=bash
# For the benchmarks: sourced after test/lib/env.sh and make_work.

# this folder, also where the sslpolicy of another clone is measured
bench=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# compile_tools NAME...: programs of this folder, into $work
compile_tools() {
    local tool
    for tool; do
        gcc -O2 -D_GNU_SOURCE -I"$("$pg_config" --includedir)" "$bench/$tool.c" -o "$work/$tool" \
            -L"$("$pg_config" --libdir)" -lpq -lssl -lcrypto || die "$tool does not compile."
    done
}

# compile_module NAME SOURCE FLAG...: a library for the server, as $work/NAME.so
compile_module() {
    local name=$1 source=$2
    shift 2
    gcc -O2 -shared -fPIC -D_GNU_SOURCE -I"$("$pg_config" --includedir-server)" -I"$("$pg_config" --includedir)" \
        "$@" "$bench/$source.c" -o "$work/$name.so" || die "$source does not compile."
}

# control N ARGUMENT...: pg_ctl for the server in $work/dN; N is empty if there is one only
control() {
    local n=$1
    shift
    as_tester pg_ctl -s -w -D "$work/d$n" -l "$work/d$n.log" "$@" || { cat "$work/d$n.log" >&2; die "pg_ctl $* failed"; }
}

# median of the numbers that are read
median() { sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# make_data_folder FOLDER PORT [LINE...]: of a server with TLS and the certificates of
# $work/certs, as fast as logins go; with more lines for its configuration
make_data_folder() {
    local folder=$1 port=$2
    shift 2
    as_tester initdb -A trust -U postgres --no-sync -D "$folder" >/dev/null || die "initdb failed."
    cat "$work/server.conf" - >>"$folder/postgresql.conf" <<CONF
port = $port
listen_addresses = '127.0.0.1'
unix_socket_directories = '$work'
ssl = on
ssl_cert_file = '$work/certs/server.crt'
ssl_key_file = '$work/certs/server.key'
ssl_ca_file = '$work/certs/root.crt'
fsync = off
autovacuum = off
log_min_messages = fatal
$(printf '%s\n' "$@")
CONF
}
