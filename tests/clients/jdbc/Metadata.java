import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.ParameterMetaData;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

/** Asks DatabaseMetaData and its kin all that tools ask of it, and prints the answers. */
public class Metadata {
    private static final String[] ANY = {"TABLE", "VIEW", "MATERIALIZED VIEW"};

    public static void main(String[] arguments) throws Exception {
        try (Connection connection = DriverManager.getConnection(arguments[0]);
                Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE jdbc_meta (id int, part text, price numeric(12,2) NOT NULL DEFAULT 1,"
                    + " made timestamptz, tags text[], PRIMARY KEY (id, part))");
            statement.execute("CREATE VIEW jdbc_meta_cheap AS SELECT id, price FROM jdbc_meta WHERE price < 10");
            statement.execute("CREATE MATERIALIZED VIEW jdbc_meta_sums AS"
                    + " SELECT part, sum(price)::numeric(20, 2) AS total FROM jdbc_meta GROUP BY part");
            try {
                catalog(connection.getMetaData());
                results(connection);
                statement.execute("CREATE SCHEMA jdbc_shop");
                statement.execute("CREATE TABLE jdbc_shop.jdbc_meta (item text PRIMARY KEY)");
                statement.execute("COMMENT ON TABLE jdbc_shop.jdbc_meta IS 'of the shop'");
                schemas(connection);
            } finally {
                statement.execute("DROP SCHEMA IF EXISTS jdbc_shop CASCADE");
                statement.execute("DROP MATERIALIZED VIEW jdbc_meta_sums");
                statement.execute("DROP VIEW jdbc_meta_cheap");
                statement.execute("DROP TABLE jdbc_meta");
            }
        }
    }

    private static void catalog(DatabaseMetaData about) throws SQLException {
        System.out.println(about.getDatabaseProductName());
        print("tables", about.getTables(null, "public", "jdbc_meta%", ANY), "TABLE_SCHEM TABLE_NAME TABLE_TYPE");
        print("columns", about.getColumns(null, "public", "jdbc_meta%", null),
                "TABLE_NAME COLUMN_NAME DATA_TYPE TYPE_NAME COLUMN_SIZE DECIMAL_DIGITS NULLABLE COLUMN_DEF"
                        + " ORDINAL_POSITION IS_NULLABLE IS_AUTOINCREMENT");
        print("keys", about.getPrimaryKeys(null, "public", "jdbc_meta"), "COLUMN_NAME KEY_SEQ PK_NAME");
        print("best rows", about.getBestRowIdentifier(null, "public", "jdbc_meta", 2, true), "COLUMN_NAME TYPE_NAME");
        print("imported", about.getImportedKeys(null, "public", "jdbc_meta"), "FKCOLUMN_NAME");
        print("exported", about.getExportedKeys(null, "public", "jdbc_meta"), "FKCOLUMN_NAME");
        print("crossed", about.getCrossReference(null, null, "jdbc_meta", null, null, "jdbc_meta"), "FKCOLUMN_NAME");
        print("version columns", about.getVersionColumns(null, "public", "jdbc_meta"), "COLUMN_NAME");
        print("schemas", about.getSchemas(null, "public"), "TABLE_SCHEM");
        print("table types", about.getTableTypes(), "TABLE_TYPE");
        print("functions", about.getFunctions(null, "pg_catalog", "version"), "FUNCTION_NAME");
        print("procedures", about.getProcedures(null, "public", "%"), "PROCEDURE_NAME");
        print("user types", about.getUDTs(null, "public", "jdbc_meta%", null), "TYPE_NAME");
        System.out.println(about.getMaxColumnNameLength() + " " + about.supportsBatchUpdates()
                + " " + about.getIdentifierQuoteString());
        about.getTypeInfo().close();
        about.getIndexInfo(null, "public", "jdbc_meta", false, false).close();
        about.getTablePrivileges(null, "public", "jdbc_meta").close();
        about.getColumnPrivileges(null, "public", "jdbc_meta", "%").close();
        about.getCatalogs().close();
        about.getClientInfoProperties().close();
    }

    private static void schemas(Connection connection) throws SQLException {
        DatabaseMetaData about = connection.getMetaData();
        print("schemas", about.getSchemas(null, "jdbc%"), "TABLE_SCHEM");
        print("tables", about.getTables(null, "jdbc_shop", "%", ANY), "TABLE_SCHEM TABLE_NAME REMARKS");
        print("keys", about.getPrimaryKeys(null, "jdbc_shop", "jdbc_meta"), "TABLE_SCHEM COLUMN_NAME PK_NAME");
        connection.setSchema("jdbc_shop");
        System.out.println(connection.getSchema());
        try (Statement statement = connection.createStatement()) {
            print("rows", statement.executeQuery("SELECT item FROM jdbc_meta"), "item");
            ResultSetMetaData columns = statement.executeQuery("SELECT item FROM jdbc_meta").getMetaData();
            System.out.println(columns.getTableName(1) + " " + columns.getColumnName(1));
        }
        connection.setSchema("public");
    }

    private static void results(Connection connection) throws SQLException {
        String sql = "SELECT id, part AS piece, price * 2 AS twice FROM jdbc_meta WHERE id = ? AND part LIKE ?";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            ParameterMetaData parameters = statement.getParameterMetaData();
            for (int n = 1; n <= parameters.getParameterCount(); n++) {
                System.out.println("parameter " + parameters.getParameterTypeName(n));
            }
            ResultSetMetaData columns = statement.getMetaData();
            for (int n = 1; n <= columns.getColumnCount(); n++) {
                System.out.println("column " + columns.getColumnLabel(n) + " " + columns.getColumnTypeName(n) + " "
                        + columns.getColumnClassName(n));
            }
        }
    }

    /** The named columns of every row, one row a line. */
    private static void print(String title, ResultSet rows, String columns) throws SQLException {
        System.out.println(title);
        while (rows.next()) {
            List<String> cells = new ArrayList<>();
            for (String column : columns.split(" ")) {
                cells.add(rows.getString(column));
            }
            System.out.println("  " + String.join(" | ", cells.stream().map(String::valueOf).toList()));
        }
        rows.close();
    }
}
