import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;

/** What a tool shows of a source before anybody has asked for more: so many rows at most, or what there is. */
public class Preview {
    public static void main(String[] arguments) throws Exception {
        try (Connection connection = DriverManager.getConnection(arguments[0]);
                Statement statement = connection.createStatement()) {
            statement.execute("CREATE SOURCE jdbc_pushed (a int)");
            String generated = "CREATE SOURCE jdbc_%s WITH (connector = 'generator', preset = 'market', %s)";
            statement.execute(generated.formatted("slow", "rate = '3'"));
            statement.execute(generated.formatted("fast", "rate = '0'"));
            for (String source : new String[] {"jdbc_pushed", "jdbc_slow", "jdbc_fast"}) {
                boolean all = true;
                for (int pieces : new int[] {0, 10}) {
                    all &= looks(connection, "SELECT * FROM " + source + " LIMIT 100", 0, pieces, pieces > 0);
                    all &= looks(connection, "SELECT * FROM " + source, 100, pieces, false);
                }
                System.out.println(source + " " + all);
                statement.execute("DROP SOURCE " + source);
            }
        }
    }

    /** Whether it ends, with as many rows as there can be. */
    private static boolean looks(Connection connection, String query, int most, int pieces, boolean inTransaction)
            throws Exception {
        connection.setAutoCommit(!inTransaction);
        int count = 0;
        try (Statement reads = connection.createStatement()) {
            reads.setMaxRows(most);
            reads.setFetchSize(pieces);
            try (ResultSet rows = reads.executeQuery(query)) {
                while (rows.next()) {
                    count++;
                }
            }
        }
        connection.setAutoCommit(true);
        return query.contains("pushed") ? count == 0 : query.contains("fast") ? count == 100 : count <= 100;
    }
}
