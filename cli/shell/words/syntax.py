"""How statements are said, for ``\\h``: the short form; the pages of ``docs/sql`` have the rest."""

SYNTAX = {
    "BEGIN": "BEGIN [ISOLATION LEVEL SERIALIZABLE | REPEATABLE READ | READ COMMITTED] [READ ONLY]",
    "CHECKPOINT": "CHECKPOINT",
    "COMMIT": "COMMIT",
    "COPY": """
COPY table [(column, …)] FROM STDIN [WITH (FORMAT text | csv, HEADER, DELIMITER ',', NULL '')]
COPY table | (query) | (SUBSCRIBE …) TO STDOUT [WITH (…)]""",
    "CREATE LOOKUP TABLE": """
CREATE LOOKUP TABLE [IF NOT EXISTS] name (column type, … PRIMARY KEY …)
    WITH (connector = 'inline' | 'file' | 'postgres', …)""",
    "CREATE MATERIALIZED VIEW": """
CREATE MATERIALIZED VIEW [IF NOT EXISTS] name [WITH (retain_history = '1h')] AS query
    [EMIT CHANGES | EMIT ON WINDOW CLOSE [ALLOW LATENESS interval] [LATE DATA TO name]]""",
    "CREATE SAVEPOINT": "CREATE SAVEPOINT [IF NOT EXISTS] name    -- a checkpoint that is kept",
    "CREATE SOURCE": """
CREATE SOURCE [IF NOT EXISTS] name [(column type, …, WATERMARK FOR column AS column - INTERVAL '…')]
    [WITH (connector = 'generator' | 'file', …)]""",
    "CREATE TABLE": """
CREATE TABLE [IF NOT EXISTS] name (column type [NOT NULL] [DEFAULT value] [PRIMARY KEY], …)
CREATE TABLE [IF NOT EXISTS] name AS query""",
    "CREATE VIEW": "CREATE [OR REPLACE] VIEW name AS query",
    "DELETE": "DELETE FROM table [USING …] [WHERE condition] [RETURNING …]",
    "DROP SAVEPOINT": "DROP SAVEPOINT [IF EXISTS] name",
    "DROP": "DROP TABLE | SOURCE | LOOKUP TABLE | VIEW | MATERIALIZED VIEW [IF EXISTS] name, … [CASCADE]",
    "EXPLAIN": "EXPLAIN statement",
    "FLUSH": "FLUSH    -- waits until every view has what this session wrote",
    "INSERT": """
INSERT INTO table [(column, …)] VALUES (…), … | query
    [ON CONFLICT [(column, …)] DO NOTHING | DO UPDATE SET column = value, …] [RETURNING …]""",
    "RESET": "RESET name | ALL",
    "RESTORE SAVEPOINT": "RESTORE SAVEPOINT name    -- the whole database goes back to it",
    "ROLLBACK": "ROLLBACK [TO SAVEPOINT name]",
    "SAVEPOINT": "SAVEPOINT name",
    "SELECT": """
[WITH name AS (query), …]
SELECT [DISTINCT [ON (…)]] expression [AS name], … FROM relation [alias] [JOIN … ON …]
    [WHERE …] [GROUP BY …] [HAVING …] [ORDER BY …] [LIMIT n] [OFFSET n]
    [AS OF [AT LEAST] EPOCH n | AS OF TIMESTAMP t] [EMIT CHANGES | EMIT ON WINDOW CLOSE]
FROM changelog(relation) | TUMBLE(relation, time_column, INTERVAL '…') | HOP(relation, time_column, slide, size)
JOIN lookup_table FOR SYSTEM_TIME AS OF PROCTIME() ON …""",
    "SET": "SET [LOCAL] name = value | DEFAULT",
    "SHOW": "SHOW name | ALL",
    "SUBSCRIBE": """
SUBSCRIBE [TO] relation | (query) [WITH (snapshot = true, progress = false)]
    [AS OF [AT LEAST] EPOCH n | AS OF TIMESTAMP t] [WHERE condition]""",
    "CREATE SUBSCRIPTION": """
CREATE SUBSCRIPTION [IF NOT EXISTS] name FROM relation [WITH (retention = '1 day', snapshot = true)]
DECLARE cursor SUBSCRIPTION CURSOR FOR name""",
    "DROP SUBSCRIPTION": "DROP SUBSCRIPTION [IF EXISTS] name, …",
    "TRUNCATE": "TRUNCATE [TABLE] name, …",
    "UPDATE": "UPDATE table SET column = value, … [FROM …] [WHERE condition] [RETURNING …]",
}
