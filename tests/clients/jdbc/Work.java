import java.io.StringReader;
import java.io.StringWriter;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Savepoint;
import java.sql.Statement;
import java.util.Arrays;
import org.postgresql.PGConnection;
import org.postgresql.copy.CopyManager;
import org.postgresql.util.PSQLException;

/** A day's work: transactions, batches, generated keys, reading in pieces, COPY, timeouts, and errors to go on after. */
public class Work {
    private static Connection connection;
    private static Statement statement;

    public static void main(String[] arguments) throws Exception {
        connection = DriverManager.getConnection(arguments[0]);
        statement = connection.createStatement();
        statement.execute("CREATE TABLE jdbc_work (id int PRIMARY KEY, name text, at timestamptz DEFAULT now())");
        try {
            batches();
            keys();
            transactions();
            savepoints();
            errors();
            pieces();
            copies();
            preparedThroughout();
            timeout();
            multiple();
        } finally {
            connection.setAutoCommit(true);
            statement.execute("DROP TABLE jdbc_work");
            connection.close();
        }
    }

    private static void say(Object... parts) {
        System.out.println(String.join(" ", Arrays.stream(parts).map(String::valueOf).toList()));
    }

    private static long count() throws SQLException {
        try (ResultSet rows = statement.executeQuery("SELECT count(*) FROM jdbc_work")) {
            rows.next();
            return rows.getLong(1);
        }
    }

    private static void batches() throws SQLException {
        connection.setAutoCommit(false);
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO jdbc_work VALUES (?, ?)")) {
            for (int n = 0; n < 500; n++) {
                insert.setInt(1, n);
                insert.setString(2, n % 7 == 0 ? null : "row " + n);
                insert.addBatch();
            }
            say("batch", Arrays.stream(insert.executeBatch()).distinct().boxed().toList());
        }
        connection.commit();
        statement.addBatch("UPDATE jdbc_work SET name = 'new' WHERE id < 10");
        statement.addBatch("DELETE FROM jdbc_work WHERE id >= 400");
        say("batch", Arrays.toString(statement.executeBatch()), count());
        connection.commit();
        try (PreparedStatement insert = connection.prepareStatement("INSERT INTO jdbc_work VALUES (?, ?)")) {
            for (int n : new int[] {1000, 1001, 3, 1002}) {
                insert.setInt(1, n);
                insert.setString(2, "batched");
                insert.addBatch();
            }
            insert.executeBatch();
        } catch (BatchUpdateException error) {
            say("batch failed", Arrays.toString(error.getUpdateCounts()), error.getSQLState());
        }
        connection.rollback();
        say("after", count());
        connection.setAutoCommit(true);
    }

    private static void keys() throws SQLException {
        String sql = "INSERT INTO jdbc_work (id, name) VALUES (?, ?), (?, ?)";
        try (PreparedStatement insert = connection.prepareStatement(sql, new String[] {"id", "name"})) {
            insert.setInt(1, 2001);
            insert.setString(2, "one");
            insert.setInt(3, 2002);
            insert.setString(4, "two");
            say("inserted", insert.executeUpdate());
            print(insert.getGeneratedKeys());
        }
        try (PreparedStatement delete = connection.prepareStatement(
                "DELETE FROM jdbc_work WHERE id > ? RETURNING id, name")) {
            delete.setInt(1, 2000);
            print(delete.executeQuery());
        }
        say("made", statement.executeUpdate("INSERT INTO jdbc_work VALUES (2003)", Statement.RETURN_GENERATED_KEYS));
        try (ResultSet made = statement.getGeneratedKeys()) {
            made.next();
            say(made.getInt("id"), made.getString("name"), made.getTimestamp("at") != null);
        }
        say("deleted", statement.executeUpdate("DELETE FROM jdbc_work WHERE id = 2003"));
    }

    private static void print(ResultSet rows) throws SQLException {
        while (rows.next()) {
            StringBuilder line = new StringBuilder(" ");
            for (int column = 1; column <= rows.getMetaData().getColumnCount(); column++) {
                line.append(' ').append(rows.getString(column));
            }
            say(line);
        }
        rows.close();
    }

    private static void transactions() throws SQLException {
        connection.setAutoCommit(false);
        connection.setTransactionIsolation(Connection.TRANSACTION_REPEATABLE_READ);
        say("isolation", connection.getTransactionIsolation());
        statement.executeUpdate("INSERT INTO jdbc_work (id) VALUES (3000)");
        say("inside", count());
        connection.rollback();
        say("rolled back", count());
        statement.executeUpdate("INSERT INTO jdbc_work (id) VALUES (3000)");
        connection.commit();
        connection.rollback();
        say("committed", count());
        connection.rollback();
        connection.setReadOnly(true);
        fails("DELETE FROM jdbc_work");
        connection.rollback();
        connection.setReadOnly(false);
        connection.setAutoCommit(true);
    }

    private static void savepoints() throws SQLException {
        connection.setAutoCommit(false);
        statement.executeUpdate("DELETE FROM jdbc_work WHERE id = 3000");
        Savepoint named = connection.setSavepoint("before");
        Savepoint numbered = connection.setSavepoint();
        statement.executeUpdate("DELETE FROM jdbc_work");
        fails("SELECT * FROM jdbc_nowhere");
        fails("SELECT 1");
        connection.rollback(numbered);
        say("kept", count());
        connection.releaseSavepoint(named);
        connection.commit();
        say("committed", count());
        connection.setAutoCommit(true);
    }

    private static void errors() throws SQLException {
        fails("SELEC 1");
        fails("SELECT nothing FROM jdbc_work");
        fails("SELECT 1 / 0");
        fails("INSERT INTO jdbc_work VALUES (1)");
        fails("INSERT INTO jdbc_work VALUES (NULL)");
        try (PreparedStatement select = connection.prepareStatement("SELECT 10 / ?")) {
            for (int n = 7; n >= 0; n--) {
                select.setInt(1, n);
                try (ResultSet row = select.executeQuery()) {
                    row.next();
                    say(row.getInt(1));
                } catch (SQLException error) {
                    say(error.getSQLState());
                }
            }
            select.setInt(1, 5);
            print(select.executeQuery());
        }
        say(connection.isValid(5), count());
    }

    private static void fails(String sql) {
        try {
            statement.execute(sql);
            say("NO ERROR", sql);
        } catch (PSQLException error) {
            var told = error.getServerErrorMessage();
            say(error.getSQLState(), told.getMessage(), told.getPosition());
        } catch (SQLException error) {
            say("no error of the server", error);
        }
    }

    /** A portal for each: the driver asks for so many rows, and again. */
    private static void pieces() throws SQLException {
        connection.setAutoCommit(false);
        try (PreparedStatement select = connection.prepareStatement("SELECT id FROM jdbc_work WHERE id < ? ORDER BY id")) {
            select.setFetchSize(30);
            for (int use = 0; use < 7; use++) {
                select.setInt(1, 100 + use);
                long sum = 0;
                try (ResultSet rows = select.executeQuery(); ResultSet other = statement.executeQuery("SELECT 1")) {
                    while (rows.next()) {
                        sum += rows.getInt(1);
                    }
                }
                say("sum", sum);
            }
            select.setMaxRows(5);
            select.setInt(1, 50);
            print(select.executeQuery());
        }
        try (Statement scrolled = connection.createStatement(
                ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_READ_ONLY)) {
            try (ResultSet rows = scrolled.executeQuery("SELECT id, name FROM jdbc_work WHERE id < 4 ORDER BY id")) {
                rows.last();
                say(rows.getRow(), rows.getInt(1));
                rows.absolute(2);
                say(rows.getRow(), rows.getInt(1));
            }
        }
        connection.commit();
        connection.setAutoCommit(true);
    }

    private static void copies() throws Exception {
        CopyManager copier = connection.unwrap(PGConnection.class).getCopyAPI();
        String in = "5001\ta\\tb\n5002\t\\N\n5003\t\n";
        say("copied", copier.copyIn("COPY jdbc_work (id, name) FROM STDIN", new StringReader(in)));
        StringWriter out = new StringWriter();
        String sql = "COPY (SELECT id, name FROM jdbc_work WHERE id > 5000 ORDER BY id) TO STDOUT WITH (FORMAT csv, HEADER)";
        say("copied", copier.copyOut(sql, out));
        say(out.toString().strip());
        try {
            copier.copyIn("COPY jdbc_work (id, name) FROM STDIN", new StringReader("5004\tx\nmany\ty\n"));
        } catch (PSQLException error) {
            say(error.getSQLState(), error.getServerErrorMessage().getMessage(), error.getServerErrorMessage().getWhere());
        }
        say("after", count());
    }

    /** What the server prepared keeps working when the table it names is another one, or the client made a new plan of it. */
    private static void preparedThroughout() throws SQLException {
        try (PreparedStatement select = connection.prepareStatement("SELECT * FROM jdbc_work WHERE id = ?")) {
            for (int n = 10; n < 20; n++) {
                select.setInt(1, n);
                try (ResultSet row = select.executeQuery()) {
                    row.next();
                    say(row.getString("name"));
                }
            }
        }
        try (PreparedStatement update = connection.prepareStatement("UPDATE jdbc_work SET name = ? WHERE id = ?")) {
            for (int n = 10; n < 20; n++) {
                update.setObject(1, n % 2 == 0 ? null : "set " + n);
                update.setInt(2, n);
                update.executeUpdate();
            }
        }
        print(statement.executeQuery("SELECT id, name FROM jdbc_work WHERE id BETWEEN 8 AND 13 ORDER BY id"));
    }

    private static void timeout() throws SQLException {
        String endless = "WITH RECURSIVE t(n) AS (SELECT 1::bigint UNION ALL SELECT n + 1 FROM t WHERE n < 1000000000)"
                + " SELECT count(*) FROM t";
        try (Statement slow = connection.createStatement()) {
            slow.setQueryTimeout(1);
            slow.execute(endless);
            say("NO ERROR");
        } catch (SQLException error) {
            say(error.getSQLState(), error.getMessage());
        }
        say("after", count());
    }

    private static void multiple() throws SQLException {
        boolean rows = statement.execute("SELECT 1 AS a; UPDATE jdbc_work SET name = 'x' WHERE id = 20; SELECT 'b;c' AS b");
        while (rows || statement.getUpdateCount() >= 0) {
            if (rows) {
                print(statement.getResultSet());
            } else {
                say("updated", statement.getUpdateCount());
            }
            rows = statement.getMoreResults();
        }
        statement.setEscapeProcessing(true);
        print(statement.executeQuery("SELECT {fn upper('a')}, {d '2024-01-02'}, {ts '2024-01-02 03:04:05'}"));
    }
}
