import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.util.Arrays;

/** Updatable result sets: the driver finds the table and its key from what a result says of its columns. */
public class Updates {
    private static Connection connection;
    private static Statement statement;

    public static void main(String[] arguments) throws Exception {
        connection = DriverManager.getConnection(arguments[0]);
        statement = connection.createStatement();
        statement.execute("CREATE TABLE jdbc_update (id int PRIMARY KEY, name text, at timestamp, n numeric(10,2))");
        statement.execute("CREATE TABLE jdbc_pair (x int, y int, v text, PRIMARY KEY (y, x))");
        statement.execute("CREATE TABLE jdbc_keyless (x int)");
        try {
            statement.execute("INSERT INTO jdbc_update VALUES (1, 'a', NULL, 1.5), (2, 'b', NULL, NULL), (3, 'c', NULL, 3)");
            statement.execute("INSERT INTO jdbc_pair VALUES (1, 1, 'p'), (1, 2, 'q')");
            for (int type : new int[] {ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.TYPE_FORWARD_ONLY}) {
                changes(type);
            }
            pairs();
            pieces();
            refused("SELECT * FROM jdbc_keyless");
            refused("SELECT name FROM jdbc_update");
            refused("SELECT * FROM jdbc_update, jdbc_pair");
            taken();
        } finally {
            connection.setAutoCommit(true);
            statement.execute("DROP TABLE jdbc_update, jdbc_pair, jdbc_keyless");
            connection.close();
        }
    }

    private static void say(Object... parts) {
        System.out.println(String.join(" ", Arrays.stream(parts).map(String::valueOf).toList()));
    }

    private static void print(String query) throws SQLException {
        try (ResultSet rows = statement.executeQuery(query)) {
            while (rows.next()) {
                StringBuilder line = new StringBuilder(" ");
                for (int column = 1; column <= rows.getMetaData().getColumnCount(); column++) {
                    line.append(' ').append(rows.getString(column));
                }
                say(line);
            }
        }
    }

    private static Statement updating(int type) throws SQLException {
        return connection.createStatement(type, ResultSet.CONCUR_UPDATABLE);
    }

    private static void changes(int type) throws SQLException {
        try (Statement reads = updating(type);
                ResultSet rows = reads.executeQuery("SELECT * FROM jdbc_update WHERE id < 100 ORDER BY id")) {
            say("updatable", rows.getConcurrency() == ResultSet.CONCUR_UPDATABLE);
            rows.next();
            rows.updateString("name", "updated");
            rows.updateBigDecimal("n", new BigDecimal("9.25"));
            rows.updateTimestamp("at", Timestamp.valueOf("2020-02-03 04:05:06"));
            rows.updateRow();
            say(rows.getString("name"), rows.getString("n"));
            rows.next();
            rows.updateNull("name");
            rows.updateRow();
            rows.refreshRow();
            say(rows.getString("name"));
            rows.moveToInsertRow();
            rows.updateInt("id", 100 + type);
            rows.updateString("name", "inserted");
            rows.insertRow();
            rows.moveToCurrentRow();
            if (type == ResultSet.TYPE_SCROLL_INSENSITIVE) {
                rows.next();
                rows.deleteRow();
            }
        }
        print("SELECT * FROM jdbc_update ORDER BY id");
    }

    private static void pairs() throws SQLException {
        try (Statement reads = updating(ResultSet.TYPE_SCROLL_INSENSITIVE);
                ResultSet rows = reads.executeQuery("SELECT * FROM jdbc_pair ORDER BY y")) {
            rows.last();
            rows.updateString("v", "updated");
            rows.updateRow();
            rows.first();
            rows.deleteRow();
        }
        print("SELECT * FROM jdbc_pair");
    }

    private static void pieces() throws SQLException {
        connection.setAutoCommit(false);
        try (Statement reads = updating(ResultSet.TYPE_FORWARD_ONLY)) {
            reads.setFetchSize(1);
            try (ResultSet rows = reads.executeQuery("SELECT * FROM jdbc_update ORDER BY id")) {
                while (rows.next()) {
                    rows.updateString("name", "piece " + rows.getInt("id"));
                    rows.updateRow();
                }
            }
        }
        connection.commit();
        connection.setAutoCommit(true);
        print("SELECT id, name FROM jdbc_update ORDER BY id");
    }

    private static void refused(String query) throws SQLException {
        try (Statement reads = updating(ResultSet.TYPE_FORWARD_ONLY); ResultSet rows = reads.executeQuery(query)) {
            rows.next();
            rows.updateNull(1);
            rows.updateRow();
        } catch (SQLException error) {
            say(error.getSQLState(), error.getMessage());
        }
    }

    private static void taken() throws SQLException {
        try (Statement reads = updating(ResultSet.TYPE_FORWARD_ONLY);
                ResultSet rows = reads.executeQuery("SELECT * FROM jdbc_update")) {
            rows.moveToInsertRow();
            rows.updateInt("id", 1);
            rows.insertRow();
        } catch (SQLException error) {
            say(error.getSQLState());
        }
        print("SELECT count(*) FROM jdbc_update");
    }
}
