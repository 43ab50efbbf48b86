// pgJDBC.  Jdbc login URL | pool URL | version
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.Scanner;

public class Jdbc {
    static String ask(Connection connection, String sql) throws SQLException {
        ResultSet result = connection.createStatement().executeQuery(sql);
        result.next();
        return result.getString(1);
    }

    // pgJDBC has no pool: a connection that is opened again when it is gone
    static void pool(String url) throws SQLException {
        Connection connection = DriverManager.getConnection(url);
        System.out.println("ready\n--");
        Scanner in = new Scanner(System.in);
        while (in.hasNextLine()) {
            in.nextLine();
            try {
                if (connection.isClosed() || !connection.isValid(3)) {
                    connection = DriverManager.getConnection(url);
                }
                ask(connection, "SELECT 1");
                System.out.println("OK");
            } catch (SQLException e) {
                System.out.println(e.getMessage());
            }
            System.out.println("--");
        }
    }

    public static void main(String[] args) throws SQLException {
        if (args[0].equals("version")) {
            System.out.println(org.postgresql.util.DriverInfo.DRIVER_VERSION);
            return;
        }
        if (args[0].equals("pool")) {
            pool(args[1]);
            return;
        }
        try (Connection connection = DriverManager.getConnection(args[1])) {
            System.out.println("let in as " + ask(connection, "SELECT session_user"));
        } catch (SQLException e) {
            System.out.println(e.getMessage());
            System.exit(1);
        }
    }
}
