import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.Array;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Arrays;
import java.util.TimeZone;
import java.util.UUID;
import org.postgresql.util.PGInterval;
import org.postgresql.util.PGobject;

/** Values of every type both ways: by text first, and in binary once the statements are prepared on the server. */
public class Values {
    private static final String TABLE = "CREATE TABLE jdbc_values (n int PRIMARY KEY, y boolean, s smallint, i int,"
            + " b bigint, r real, f double precision, m numeric(20,4), t text, v varchar(9), x bytea, d date,"
            + " ts timestamp, tz timestamptz, iv interval, u uuid, j json, jb jsonb, ia int[], ta text[])";
    private static final String INSERT = "INSERT INTO jdbc_values VALUES (" + "?, ".repeat(19) + "?)";
    private static final int USES = 7; // the driver prepares at the fifth

    public static void main(String[] arguments) throws Exception {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        try (Connection connection = DriverManager.getConnection(arguments[0]);
                Statement statement = connection.createStatement()) {
            statement.execute(TABLE);
            try {
                insert(connection);
                read(connection);
                compare(connection);
                times(connection);
            } finally {
                statement.execute("DROP TABLE jdbc_values");
            }
        }
    }

    private static void insert(Connection connection) throws SQLException {
        try (PreparedStatement insert = connection.prepareStatement(INSERT)) {
            for (int n = 0; n < USES; n++) {
                fill(connection, insert, n);
                System.out.println("inserted " + insert.executeUpdate());
            }
            insert.setInt(1, USES);
            for (int column = 2; column <= 20; column++) {
                insert.setNull(column, column == 11 ? Types.BINARY : Types.NULL);
            }
            System.out.println("inserted " + insert.executeUpdate());
        }
    }

    private static void fill(Connection connection, PreparedStatement insert, int n) throws SQLException {
        insert.setInt(1, n);
        insert.setBoolean(2, n % 2 == 0);
        insert.setShort(3, (short) (-32768 + n));
        insert.setInt(4, Integer.MAX_VALUE - n);
        insert.setLong(5, Long.MIN_VALUE + n);
        insert.setFloat(6, 0.1f * n);
        insert.setDouble(7, n == 0 ? Double.NaN : 1e300 / n);
        insert.setBigDecimal(8, new BigDecimal("1234567890123456.7891").subtract(new BigDecimal(n)));
        insert.setString(9, "it's é \\ 😀 " + n);
        insert.setString(10, "v" + n);
        insert.setBytes(11, new byte[] {0, (byte) 0xff, (byte) n});
        if (n % 2 == 0) {
            insert.setDate(12, Date.valueOf("2024-02-29"));
            insert.setTimestamp(13, Timestamp.valueOf("1999-12-31 23:59:59.123456"));
            insert.setTimestamp(14, new Timestamp(1_700_000_000_123L + n));
        } else {
            insert.setObject(12, LocalDate.of(1969, 7, 20));
            insert.setObject(13, LocalDateTime.of(2024, 2, 29, 1, 2, 3, 4000));
            insert.setObject(14, OffsetDateTime.of(2024, 6, 1, 12, 0, 0, 0, ZoneOffset.ofHours(2)));
        }
        insert.setObject(15, new PGInterval("1 year 2 mons 3 days 04:05:06.789"));
        insert.setObject(16, new UUID(n, -n));
        insert.setObject(17, typed("json", "{\"n\": " + n + "}"));
        insert.setObject(18, typed("jsonb", "[1,  {\"b\": null, \"a\": \"é\"}]"));
        insert.setArray(19, connection.createArrayOf("int4", new Integer[] {1, null, n}));
        insert.setArray(20, connection.createArrayOf("text", new String[] {"a b", "", null, "d\"e\\,"}));
    }

    private static PGobject typed(String type, String text) throws SQLException {
        PGobject object = new PGobject();
        object.setType(type);
        object.setValue(text);
        return object;
    }

    private static void read(Connection connection) throws SQLException {
        String sql = "SELECT * FROM jdbc_values WHERE n = ?";
        try (PreparedStatement select = connection.prepareStatement(sql)) {
            for (int n = 0; n <= USES; n++) {
                select.setInt(1, n);
                try (ResultSet row = select.executeQuery()) {
                    while (row.next()) {
                        print(row);
                    }
                }
            }
        }
    }

    private static void print(ResultSet row) throws SQLException {
        StringBuilder line = new StringBuilder();
        for (int column = 1; column <= row.getMetaData().getColumnCount(); column++) {
            Object value = row.getObject(column);
            line.append(value == null ? "null" : value.getClass().getSimpleName() + ":" + shown(value)).append(" | ");
        }
        System.out.println(line);
        System.out.println("  " + row.getString(8) + " " + row.getObject(12, LocalDate.class) + " "
                + row.getObject(13, LocalDateTime.class) + " " + row.getObject(14, OffsetDateTime.class) + " "
                + row.getString(14));
    }

    private static String shown(Object value) throws SQLException {
        if (value instanceof byte[] bytes) {
            return Arrays.toString(bytes);
        }
        return value instanceof Array array ? Arrays.toString((Object[]) array.getArray()) : value.toString();
    }

    /** Parameters of each type where an operator decides what they are. */
    private static void compare(Connection connection) throws SQLException {
        String sql = "SELECT n FROM jdbc_values WHERE y = ? AND i > ? AND f >= ? AND m < ? AND t LIKE ? AND d = ?"
                + " AND ts < ? AND tz > ? AND u <> ? AND n = ANY(?) AND x <> ? ORDER BY n";
        try (PreparedStatement select = connection.prepareStatement(sql)) {
            for (int use = 0; use < USES; use++) {
                select.setBoolean(1, true);
                select.setLong(2, 5);
                select.setDouble(3, 0.5);
                select.setBigDecimal(4, new BigDecimal("1e20"));
                select.setString(5, "it%");
                select.setObject(6, LocalDate.of(2024, 2, 29));
                select.setObject(7, LocalDateTime.of(2024, 1, 1, 0, 0));
                select.setObject(8, OffsetDateTime.of(2000, 1, 1, 0, 0, 0, 0, ZoneOffset.UTC));
                select.setObject(9, new UUID(77, 77));
                select.setArray(10, connection.createArrayOf("int4", new Integer[] {2, 4, 5, use}));
                select.setBytes(11, "x".getBytes(StandardCharsets.UTF_8));
                try (ResultSet rows = select.executeQuery()) {
                    StringBuilder found = new StringBuilder("found");
                    while (rows.next()) {
                        found.append(' ').append(rows.getInt(1));
                    }
                    System.out.println(found);
                }
            }
        }
    }

    private static void times(Connection connection) throws SQLException {
        try (PreparedStatement select = connection.prepareStatement("SELECT ?::date + 1, ?::timestamp, ?::text")) {
            select.setString(1, "2024-02-28");
            select.setTimestamp(2, Timestamp.valueOf("2024-02-29 00:00:00"));
            select.setObject(3, 12);
            try (ResultSet row = select.executeQuery()) {
                row.next();
                System.out.println(row.getDate(1) + " " + row.getTimestamp(2) + " " + row.getString(3));
            }
        }
    }
}
