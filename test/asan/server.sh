# A PostgreSQL whose server runs under AddressSanitizer; sourced by run.sh after
# env.sh, source.sh and make_work.
#
#   sanitized_server     sets $built, see source.sh
#
# Its allocators tell AddressSanitizer of each piece of memory that they hand
# out and take back, see server/valgrind/memcheck.h.

# sanitizer_options FOLDER: what sanitizers are asked to do, with reports into
# files there.  abort: a process that merely exits would be, to the postmaster,
# one that has ended as it should.  Leaks: the server frees little before it
# exits; test/unit/test_leaks counts what matters.
sanitizer_options() {
    export ASAN_OPTIONS="log_path=$1/report:abort_on_error=1:handle_sigill=1:detect_leaks=0"
}

sanitized_server() {
    local folder
    # found by its contents, which are part of how the server was built
    folder=$(server_cache)/asan-$(cat "$top"/test/asan/server/cc "$top"/test/asan/server/valgrind/*.h | md5sum | cut -c1-12)
    as_tester mkdir -p "$folder/valgrind" || die "$tester cannot write to $folder; set SSLPOLICY_CACHE."
    as_tester sh -c 'cat >"$1/cc" && chmod 755 "$1/cc"' sh "$folder" <"$top/test/asan/server/cc"
    as_tester sh -c 'cat >"$1/valgrind/memcheck.h"' sh "$folder" <"$top/test/asan/server/valgrind/memcheck.h"
    # of contrib nothing is wanted
    contrib_modules=()
    cflags='-O1 -g1 -fno-omit-frame-pointer'
    # what is freed is overwritten, and not accessible any more
    cppflags="-DUSE_VALGRIND -DCLOBBER_FREED_MEMORY -I$folder"
    configure_options=(--enable-tap-tests --with-openssl --with-ldap --without-readline --without-zlib --without-icu
        CC="$folder/cc")
    # programs that run while PostgreSQL is built
    ASAN_OPTIONS=detect_leaks=0 built_postgres
}
