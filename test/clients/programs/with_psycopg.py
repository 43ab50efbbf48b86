# psycopg 3.  with_psycopg.py login CONNINFO | pool CONNINFO | version
import logging
import sys
import psycopg
import psycopg_pool


def pool(conninfo):
    # it reports failed attempts in the log, and tries on until reconnect_timeout
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    with psycopg_pool.ConnectionPool(conninfo, min_size=2, max_size=2, timeout=10) as pool:
        pool.wait()
        print("ready\n--", flush=True)
        for _ in sys.stdin:
            try:
                with pool.connection(timeout=3) as connection:
                    connection.execute("SELECT 1")
                print("OK")
            except psycopg.Error as error:
                print(error)
            print("--", flush=True)


if sys.argv[1] == "version":
    print(psycopg.__version__)
elif sys.argv[1] == "pool":
    pool(sys.argv[2])
else:
    try:
        with psycopg.connect(sys.argv[2]) as connection:
            print("let in as", connection.execute("SELECT session_user").fetchone()[0])
    except psycopg.Error as error:
        print(error)
        sys.exit(1)
