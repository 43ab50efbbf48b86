#!/bin/sh
# psql.  psql.sh login CONNINFO | version
if [ "$1" = version ]; then
    psql --version | sed 's/^[^0-9]*//; s/ .*//'
    exit
fi
exec psql -XAtq -d "$2" -c "SELECT 'let in as ' || session_user" 2>&1
