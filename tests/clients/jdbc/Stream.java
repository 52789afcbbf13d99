import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import org.postgresql.PGConnection;

/** An endless result: read in pieces from a portal as it comes, cancelled from another thread, and read by FETCH. */
public class Stream {
    public static void main(String[] arguments) throws Exception {
        try (Connection reader = DriverManager.getConnection(arguments[0]);
                Connection writer = DriverManager.getConnection(arguments[0]);
                Statement reads = reader.createStatement();
                Statement writes = writer.createStatement()) {
            writes.execute("CREATE TABLE jdbc_stream (n int)");
            writes.execute("CREATE MATERIALIZED VIEW jdbc_stream_sum AS SELECT sum(n) AS total FROM jdbc_stream");
            reader.setAutoCommit(false);
            reads.setFetchSize(1);
            try (ResultSet changes = reads.executeQuery("SUBSCRIBE jdbc_stream_sum")) {
                read(changes, 1);
                for (int n = 1; n <= 3; n++) {
                    writes.executeUpdate("INSERT INTO jdbc_stream VALUES (" + n + ")");
                    read(changes, 2);
                }
                cancelled(reader, changes);
            }
            reader.rollback();
            fetched(reader, writes);
            reader.commit();
            writes.execute("DROP MATERIALIZED VIEW jdbc_stream_sum");
            writes.execute("DROP TABLE jdbc_stream");
        }
    }

    private static void read(ResultSet changes, int rows) throws SQLException {
        for (int row = 0; row < rows && changes.next(); row++) {
            System.out.println(changes.getInt("_diff") + " " + changes.getString("total"));
        }
    }

    private static void cancelled(Connection reader, ResultSet changes) throws Exception {
        Thread canceller = new Thread(() -> {
            try {
                Thread.sleep(300);
                reader.unwrap(PGConnection.class).cancelQuery(); // Statement.cancel is for what execute runs
            } catch (Exception error) {
                throw new IllegalStateException(error);
            }
        });
        canceller.start();
        try {
            changes.next();
        } catch (SQLException error) {
            System.out.println(error.getSQLState());
        }
        canceller.join();
    }

    private static void fetched(Connection reader, Statement writes) throws SQLException {
        try (Statement cursor = reader.createStatement()) {
            cursor.execute("DECLARE changes CURSOR FOR SUBSCRIBE jdbc_stream");
            writes.executeUpdate("INSERT INTO jdbc_stream VALUES (10)");
            try (ResultSet rows = cursor.executeQuery("FETCH 4 FROM changes WITH (timeout = '30s')")) {
                int sum = 0;
                while (rows.next()) {
                    sum += rows.getInt("n");
                }
                System.out.println("fetched " + sum);
            }
            cursor.execute("CLOSE changes");
        }
    }
}
