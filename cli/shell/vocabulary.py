"""The words of the language that completion offers, by where they stand."""

STATEMENTS = (
    "ALTER TABLE", "BEGIN", "CHECKPOINT", "COMMIT", "COPY", "CREATE", "DELETE FROM", "DROP", "EXPLAIN", "FLUSH",
    "INSERT INTO", "RELEASE SAVEPOINT", "RESET", "RESTORE SAVEPOINT", "ROLLBACK", "SAVEPOINT", "SELECT", "SET", "SHOW",
    "SUBSCRIBE", "TRUNCATE", "UPDATE", "VALUES", "WITH",
)  # fmt: skip
CREATED = (
    "TABLE",
    "SOURCE",
    "LOOKUP TABLE",
    "VIEW",
    "MATERIALIZED VIEW",
    "OR REPLACE VIEW",
    "SAVEPOINT",
    "SUBSCRIPTION",
)
DROPPED = {
    "TABLE": "table", "SOURCE": "source", "LOOKUP TABLE": "lookup table", "VIEW": "view",
    "MATERIALIZED VIEW": "materialized view", "SUBSCRIPTION": "subscription",
}  # fmt: skip
CLAUSES = (
    "ALL", "ALLOW LATENESS", "AND", "ANY", "AS", "AS OF EPOCH", "ASC", "BETWEEN", "BY", "CASCADE", "CASE", "CAST",
    "CROSS JOIN", "DEFAULT", "DESC", "DISTINCT", "DO NOTHING", "DO UPDATE SET", "ELSE", "EMIT CHANGES",
    "EMIT ON WINDOW CLOSE", "END", "EXCEPT", "EXISTS", "FALSE", "FILTER", "FOR SYSTEM_TIME AS OF PROCTIME()", "FROM",
    "FULL JOIN", "GROUP BY", "HAVING", "IF EXISTS", "IF NOT EXISTS", "IN", "INNER JOIN", "INTERSECT", "INTERVAL", "IS",
    "JOIN", "LATE DATA TO", "LEFT JOIN", "LIKE", "LIMIT", "NOT", "NOT NULL", "NULL", "NULLS FIRST", "NULLS LAST",
    "OFFSET", "ON", "ON CONFLICT", "OR", "ORDER BY", "OVER", "PARTITION BY", "PRIMARY KEY", "RETURNING", "RIGHT JOIN",
    "SELECT", "SET", "THEN", "TO STDOUT", "TRUE", "UNION ALL", "USING", "VALUES", "WATERMARK FOR", "WHEN", "WHERE",
    "WITH",
)  # fmt: skip
TYPES = (
    "bigint", "boolean", "bytea", "date", "double precision", "integer", "interval", "numeric", "real", "smallint",
    "text", "time", "timestamp", "timestamptz", "varchar",
)  # fmt: skip
TABLE_FUNCTIONS = ("TUMBLE", "HOP", "generate_series")
FUNCTIONS = (
    "abs", "age", "avg", "bool_and", "bool_or", "ceil", "coalesce", "concat", "concat_ws", "count", "current_date",
    "date_part", "date_trunc", "dense_rank", "exp", "extract", "first_value", "floor", "format", "greatest", "lag",
    "last_value", "lead", "least", "left", "length", "ln", "lower", "lpad", "ltrim", "max", "md5", "min", "mod", "now",
    "ntile", "nullif", "pg_typeof", "power", "rank", "regexp_replace", "repeat", "replace", "reverse", "right", "round",
    "row_number", "rpad", "rtrim", "sign", "split_part", "sqrt", "stddev", "string_agg", "strpos", "substring", "sum",
    "to_char", "to_date", "to_timestamp", "trim", "trunc", "upper", "variance", "version",
)  # fmt: skip
