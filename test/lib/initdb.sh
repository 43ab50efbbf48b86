#!/bin/sh
# Stands before initdb in the PATH of the tests. PostgreSQL's modules for tests run
# it for every server, mostly with the same arguments: those get a copy of one that
# test/run.sh has made, at $SSLPOLICY_TEMPLATE. (From 17 on the modules would do so
# themselves.)
if [ "$#" = 5 ] && [ "$1" = -D ] && [ "$3 $4 $5" = '-A trust -N' ] && [ ! -e "$2" ]; then
    exec cp -a "$SSLPOLICY_TEMPLATE" "$2"
fi
exec "$SSLPOLICY_INITDB" "$@"
