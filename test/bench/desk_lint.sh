#!/usr/bin/env bash
# How long sslpolicy.lint() takes with many roles.
#
#   ROLES=1000         login roles, each with a policy; a tenth are in a group
#   RUNS=21            how often each figure is taken; the median is printed
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
. "$top/test/lib/env.sh"

roles=${ROLES:-1000}
runs=${RUNS:-21}

need gcc make openssl libssl-dev libkrb5-dev postgresql-server-dev-NN \
    postgresql-NN libipc-run-perl
make_work bench
COPT= build
write_server_conf "$work/server.conf"
port=$(( 20000 + RANDOM % 10000 ))
as_tester perl -I"$work/src/test/lib" -MSSLPolicy::Certs -e '
    my $certs = SSLPolicy::Certs->new(dir => "certs");
    $certs->server("server", issuer => $certs->ca("root"));' || die "No certificates."
as_tester initdb -A trust -U postgres --no-sync -D "$work/d" >/dev/null || die "initdb failed."
cat "$work/server.conf" - >>"$work/d/postgresql.conf" <<CONF
port = $port
listen_addresses = '127.0.0.1'
unix_socket_directories = '$work'
fsync = off
shared_preload_libraries = 'sslpolicy'
sslpolicy.minimum_policy = 'sslmode=require'
sslpolicy.recheck_policy = terminate
ssl = on
ssl_cert_file = '$work/certs/server.crt'
ssl_key_file = '$work/certs/server.key'
ssl_ca_file = '$work/certs/root.crt'
log_min_messages = fatal
CONF
control() { as_tester pg_ctl -s -w -D "$work/d" -l "$work/log" "$@" || { cat "$work/log" >&2; die "pg_ctl $1 failed"; }; }
sql() { as_tester psql -XqAt -v ON_ERROR_STOP=1 -h "$work" -p "$port" -U postgres postgres "$@"; }
median() { sort -n | awk '{ v[NR] = $1 } END { printf "%.1f", v[int((NR + 1) / 2)] }'; }

# the median time of a statement in sessions of its own, in ms, and its answer
figure() {
    local name=$1 statement=$2 ms
    for _ in $(seq "$runs"); do printf '\\timing on\n%s;\n' "$statement" | sql; done >"$work/times" || die "lint() failed"
    ms=$(sed -nE 's/^Time: ([0-9.]+) ms.*/\1/p' "$work/times" | median)
    printf '%s: %s findings, median %s ms' "$name" "$(head -1 "$work/times")" "$ms"
    if awk "BEGIN { exit !($ms < 200) }"; then echo " (below 200)"; else echo " (ABOVE 200)"; fi
}

# pg_hba.conf: some lines that name roles, and one for all
hba() {
    { echo 'local all all trust'
      for i in $(seq 20); do echo "hostssl all role_$i 10.0.$i.0/24 scram-sha-256 clientcert=verify-ca"; done
      echo "$1"; } >"$work/d/pg_hba.conf"
    sql -c 'SELECT pg_reload_conf()' >/dev/null
}

control start
sql -c 'CREATE EXTENSION sslpolicy' -c "DO \$\$ BEGIN
    CREATE ROLE many;
    SECURITY LABEL FOR sslpolicy ON ROLE many IS 'sslmode=verify-ca';
    FOR i IN 1 .. $roles LOOP
        EXECUTE format('CREATE ROLE role_%s LOGIN', i);
        EXECUTE format('SECURITY LABEL FOR sslpolicy ON ROLE role_%s IS %L', i,
                       format('address=10.0.0.0/8 sslmode=verify-full cn=role_%s; sslmode=verify-full min_protocol=TLSv1.3', i));
        IF i % 10 = 0 THEN EXECUTE format('GRANT many TO role_%s', i); END IF;
    END LOOP; END \$\$" || die "setup failed"

say "Machine: $(nproc) processors, $("$pg_config" --version), $(openssl version | cut -d' ' -f1-2); $roles roles"
hba 'hostssl all all all scram-sha-256 clientcert=verify-ca'
figure 'lint(), in order' 'SELECT count(*) FROM sslpolicy.lint()'
hba 'host all all all scram-sha-256'
figure 'lint(), every role let in without TLS' 'SELECT count(*) FROM sslpolicy.lint()'
