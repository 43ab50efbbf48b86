# psycopg2.  with_psycopg2.py login CONNINFO | version
import sys
import psycopg2

if sys.argv[1] == "version":
    print(psycopg2.__version__.split()[0])
    sys.exit()
try:
    connection = psycopg2.connect(sys.argv[2])
    cursor = connection.cursor()
    cursor.execute("SELECT session_user")
    print("let in as", cursor.fetchone()[0])
except psycopg2.Error as error:
    print(error)
    sys.exit(1)
