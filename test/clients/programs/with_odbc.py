# psqlODBC, by pyodbc.  with_odbc.py login CONNECTION_STRING | version DRIVER
import sys
import pyodbc

try:
    if sys.argv[1] == "version":
        print(pyodbc.version)
    else:
        connection = pyodbc.connect(sys.argv[2])
        print("let in as", connection.execute("SELECT session_user").fetchone()[0])
except pyodbc.Error as error:
    print(error.args[1])
    sys.exit(1)
