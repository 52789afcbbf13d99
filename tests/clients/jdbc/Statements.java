import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.postgresql.util.PSQLException;
import org.postgresql.util.ServerErrorMessage;

/**
 * Says statements by JDBC for a program that cannot: each request on stdin is a connection's number and a statement,
 * each reply on stdout the last result as text, or the error. An empty statement closes the connection.
 */
public class Statements {
    private static final int NULL = -1;

    private final String url;
    private final Map<Integer, Connection> connections = new HashMap<>();
    private final DataOutputStream out;

    Statements(String url, DataOutputStream out) {
        this.url = url;
        this.out = out;
    }

    public static void main(String[] arguments) throws Exception {
        DataInputStream in = new DataInputStream(System.in);
        DataOutputStream out = new DataOutputStream(new java.io.BufferedOutputStream(System.out));
        Statements statements = new Statements(arguments[0], out);
        while (true) {
            int number = in.readInt();
            if (number < 0) {
                return;
            }
            statements.answer(number, new String(in.readNBytes(in.readInt()), StandardCharsets.UTF_8));
            out.flush();
        }
    }

    private void answer(int number, String sql) throws IOException {
        try {
            if (sql.isEmpty()) {
                connections.remove(number).close();
                return;
            }
            if (!connections.containsKey(number)) {
                connections.put(number, DriverManager.getConnection(url));
            }
            run(connections.get(number), sql);
        } catch (SQLException error) {
            ServerErrorMessage told = error instanceof PSQLException e ? e.getServerErrorMessage() : null;
            out.writeByte('E');
            write(error.getSQLState());
            write(told == null ? error.getMessage() : told.getMessage());
            write(told == null ? null : told.getDetail());
            write(told == null ? null : told.getHint());
        }
    }

    /** Reads every result before it writes the last one: an error may come after rows. */
    private void run(Connection connection, String sql) throws SQLException, IOException {
        try (Statement statement = connection.createStatement()) {
            statement.setEscapeProcessing(false); // braces are the server's
            boolean rows = statement.execute(sql);
            Rows last = null;
            int count = 0;
            while (rows || statement.getUpdateCount() >= 0) {
                last = rows ? Rows.of(statement.getResultSet()) : null;
                count = rows ? last.count : statement.getUpdateCount();
                rows = statement.getMoreResults();
            }
            out.writeByte(last == null ? 'U' : 'R');
            out.writeInt(count);
            if (last != null) {
                write(last.names);
                write(last.types);
                write(last.cells);
            }
        }
    }

    private static final class Rows {
        final List<String> names = new ArrayList<>();
        final List<String> types = new ArrayList<>();
        final List<String> cells = new ArrayList<>();
        int count = 0;

        static Rows of(ResultSet found) throws SQLException {
            Rows rows = new Rows();
            ResultSetMetaData about = found.getMetaData();
            int width = about.getColumnCount();
            for (int column = 1; column <= width; column++) {
                rows.names.add(about.getColumnLabel(column));
                rows.types.add(about.getColumnTypeName(column));
            }
            for (; found.next(); rows.count++) {
                for (int column = 1; column <= width; column++) {
                    rows.cells.add(found.getString(column));
                }
            }
            return rows;
        }
    }

    private void write(List<String> texts) throws IOException {
        out.writeInt(texts.size());
        for (String text : texts) {
            write(text);
        }
    }

    private void write(String text) throws IOException {
        if (text == null) {
            out.writeInt(NULL);
            return;
        }
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        out.writeInt(bytes.length);
        out.write(bytes);
    }
}
