# Shell functions for tests that print TAP; sourced by the scripts of this folder.
#
#   check NAME COMMAND...   one test: does the command succeed? What it printed is
#                           shown if not
#   done_testing            prints the plan, and ends with the right status

tap_count=0 tap_failed=0
tap_output=$(mktemp "${TMPDIR:-/tmp}/tap.XXXXXX")

check() {
    # names of its own: the command sees them too
    local tap_name=$1 tap_status=0
    shift
    # a shell of its own: it may change folder
    ("$@") >"$tap_output" 2>&1 </dev/null || tap_status=$?
    tap_count=$((tap_count + 1))
    if [ $tap_status = 0 ]; then
        echo "ok $tap_count - $tap_name"
    else
        tap_failed=$((tap_failed + 1))
        echo "not ok $tap_count - $tap_name"
        echo "# status $tap_status of: $*"
        tail -60 "$tap_output" | sed 's/^/#   /'
    fi
    return $tap_status
}

done_testing() {
    echo "1..$tap_count"
    rm -f "$tap_output"
    exit $((tap_failed > 0))
}

# for commands: nothing may be printed
says_nothing() {
    local output
    output=$("$@" 2>&1) || return
    [ -z "$output" ] || { printf '%s\n' "$output"; return 1; }
}
