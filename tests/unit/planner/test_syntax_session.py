"""Transactions, settings, COPY, and what is accepted or refused by name."""

from __future__ import annotations

import pytest

from constellationdb.errors import ConstellationError, FeatureNotSupported, SqlSyntaxError
from constellationdb.planner.statements import (
    Accepted,
    Checkpoint,
    Copy,
    Flush,
    Select,
    SetVariable,
    Show,
    Statement,
    Transaction,
)
from constellationdb.planner.syntax import parse


def one(sql: str) -> Statement:
    (statement,) = parse(sql)
    return statement


@pytest.mark.parametrize(
    ("sql", "action", "savepoint", "read_only"),
    [
        ("BEGIN", "begin", None, None),
        ("BEGIN READ WRITE", "begin", None, False),
        ("BEGIN WORK ISOLATION LEVEL REPEATABLE READ READ ONLY", "begin", None, True),
        ("START TRANSACTION READ ONLY, ISOLATION LEVEL SERIALIZABLE", "begin", None, True),
        ("COMMIT", "commit", None, None),
        ("END TRANSACTION", "commit", None, None),
        ("ROLLBACK", "rollback", None, None),
        ("abort", "rollback", None, None),
        ('SAVEPOINT "S 1"', "savepoint", "S 1", None),
        ("RELEASE SAVEPOINT s", "release", "s", None),
        ("ROLLBACK TO s", "rollback_to", "s", None),
    ],
)
def test_transactions(sql: str, action: str, savepoint: str | None, read_only: bool | None) -> None:
    found = one(sql)
    assert isinstance(found, Transaction)
    assert (found.action, found.savepoint, found.read_only) == (action, savepoint, read_only)


def test_a_transaction_may_say_its_isolation() -> None:
    found = one("BEGIN ISOLATION LEVEL READ COMMITTED")
    assert isinstance(found, Transaction)
    assert found.isolation == "read committed"


@pytest.mark.parametrize(
    ("sql", "name", "value", "local"),
    [
        ("SET a.b = 'X'", "a.b", "X", False),
        ("SET SESSION x TO 5", "x", "5", False),
        ("SET LOCAL search_path TO a, 'B'", "search_path", "a, B", True),
        ("SET x = on", "x", "on", False),
        ("SET x = -1.50", "x", "-1.50", False),
        ("SET x TO DEFAULT", "x", None, False),
        ("SET TIME ZONE 'Europe/Paris'", "timezone", "Europe/Paris", False),
        ("SET TIME ZONE LOCAL", "timezone", None, False),
        ("SET NAMES 'utf8'", "client_encoding", "utf8", False),
        ("RESET x", "x", None, False),
        ("RESET ALL", "all", None, False),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", "transaction_isolation", "serializable", True),
        ("SET TRANSACTION READ ONLY", "transaction_read_only", "on", True),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE",
            "default_transaction_read_only",
            "off",
            False,
        ),
    ],
)
def test_settings(sql: str, name: str, value: str | None, local: bool) -> None:
    assert one(sql) == SetVariable(sql, 0, name, value, local)


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SHOW ALL", "all"),
        ("SHOW epoch", "epoch"),
        ("SHOW TIME ZONE", "timezone"),
        ("SHOW TRANSACTION ISOLATION LEVEL", "transaction_isolation"),
    ],
)
def test_show(sql: str, name: str) -> None:
    assert one(sql) == Show(sql, 0, name)


@pytest.mark.parametrize(
    ("sql", "tag", "has_notice"),
    [
        ("DISCARD ALL", "DISCARD ALL", False),
        ("VACUUM FULL t", "VACUUM", True),
        ("ANALYZE", "ANALYZE", True),
        ("CLOSE ALL", "CLOSE CURSOR ALL", False),
        ("UNLISTEN *", "UNLISTEN", False),
        ("LISTEN x", "LISTEN", True),
        ("LOCK TABLE t IN EXCLUSIVE MODE", "LOCK TABLE", True),
        ("REFRESH MATERIALIZED VIEW v", "REFRESH MATERIALIZED VIEW", True),
        ("COMMENT ON TABLE t IS 'x'", "COMMENT", True),
        ("SET CONSTRAINTS ALL DEFERRED", "SET CONSTRAINTS", False),
        ("DEALLOCATE ALL", "DEALLOCATE ALL", False),
    ],
)
def test_accepted_without_effect(sql: str, tag: str, has_notice: bool) -> None:
    found = one(sql)
    assert isinstance(found, Accepted)
    assert (found.tag, found.notice is not None) == (tag, has_notice)


def test_flush() -> None:
    assert one(" FLUSH ;") == Flush("FLUSH", 1)


def test_checkpoint() -> None:
    assert one("CHECKPOINT") == Checkpoint("CHECKPOINT", 0)
    with pytest.raises(SqlSyntaxError, match='syntax error at or near "t"'):
        one("CHECKPOINT t")


@pytest.mark.parametrize(
    ("sql", "direction", "table", "columns", "options"),
    [
        ("COPY t FROM STDIN", "in", "t", (), {}),
        ('COPY s.t (a, "B") FROM STDIN', "in", "s.t", ("a", "B"), {}),
        ("COPY t TO STDOUT", "out", "t", (), {}),
        (
            "COPY t FROM STDIN WITH (FORMAT csv, HEADER, DELIMITER ';', NULL '', QUOTE '\"', ESCAPE E'\\\\')",
            "in",
            "t",
            (),
            {"format": "csv", "header": "true", "delimiter": ";", "null": "", "quote": '"', "escape": "\\"},
        ),
        ("COPY t FROM STDIN (HEADER match)", "in", "t", (), {"header": "match"}),
        ("COPY t FROM STDIN (header false, freeze 1)", "in", "t", (), {"header": "false", "freeze": "1"}),
        (
            "COPY t TO STDOUT CSV HEADER DELIMITER AS ',' NULL 'x'",
            "out",
            "t",
            (),
            {"format": "csv", "header": "true", "delimiter": ",", "null": "x"},
        ),
        ("COPY BINARY t TO STDOUT", "out", "t", (), {"format": "binary"}),
    ],
)
def test_copy(sql: str, direction: str, table: str, columns: tuple[str, ...], options: dict[str, str]) -> None:
    found = one(sql)
    assert isinstance(found, Copy)
    assert (found.direction, found.table, found.columns, found.options) == (direction, table, columns, options)
    assert found.source is None


def test_copy_of_a_query() -> None:
    found = one("COPY (VALUES (';')) TO STDOUT (FORMAT binary)")
    assert isinstance(found, Copy)
    assert isinstance(found.source, Select)
    assert (found.source.text, found.table, found.options) == ("VALUES (';')", None, {"format": "binary"})


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("CREATE SINK s FROM v WITH (connector = 'kafka')", "CREATE SINK"),
        ("CREATE CONNECTION c TO x", "CREATE CONNECTION"),
        ("CREATE UNIQUE INDEX i ON t (a)", "CREATE INDEX"),
        ("CREATE SCHEMA s", "CREATE SCHEMA"),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END", "CREATE FUNCTION"),
        ("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "CREATE RULE"),
        ("ALTER TABLE t ADD COLUMN a int", "ALTER TABLE"),
        ("ALTER MATERIALIZED VIEW v RENAME TO w", "ALTER MATERIALIZED VIEW"),
        ("ALTER SOURCE s SET x", "ALTER SOURCE"),
        ("DROP INDEX i", "DROP INDEX"),
        ("DROP SINK s", "DROP SINK"),
        ("GRANT ALL ON t TO u", "GRANT"),
        ("MERGE INTO t USING u ON a = b WHEN MATCHED THEN DELETE", "MERGE"),
        ("WITH q AS (SELECT 1) MERGE INTO t USING u ON a = b WHEN MATCHED THEN DELETE", "WITH"),
        ("DECLARE c CURSOR FOR SUBSCRIBE v", "DECLARE"),
        ("FETCH 5 c WITH (timeout = '1s')", "FETCH"),
        ("PREPARE p AS SELECT 1", "PREPARE"),
        ("EXECUTE p", "EXECUTE"),
        ("NOTIFY x", "NOTIFY"),
    ],
)
def test_statements_refused_by_name(sql: str, name: str) -> None:
    with pytest.raises(FeatureNotSupported) as caught:
        parse(f"  /* é */ {sql}")
    assert (caught.value.message, caught.value.position) == (f"{name} is not supported", 11)


# ¦ stands before the character an error points at.
@pytest.mark.parametrize(
    ("marked", "kind", "message"),
    [
        ("¦COMMIT AND CHAIN", FeatureNotSupported, "AND CHAIN is not supported"),
        ("¦PREPARE TRANSACTION 'x'", FeatureNotSupported, None),
        ("¦CLOSE c", FeatureNotSupported, "CLOSE of a cursor is not supported"),
        ("FLUSH ¦t", SqlSyntaxError, 'syntax error at or near "t"'),
        ("SET x ¦5", SqlSyntaxError, 'syntax error at or near "5"'),
        ("¦COPY t FROM '/x'", FeatureNotSupported, None),
        ("COPY t FROM STDIN (format csv, ¦FORMAT text)", SqlSyntaxError, "conflicting or redundant options"),
        ("COPY t TO STDOUT (format csv, ¦FORCE_QUOTE (a))", FeatureNotSupported, None),
        ("EXPLAIN ¦(FORMAT json) SELECT 1", FeatureNotSupported, "EXPLAIN (FORMAT JSON) is not supported"),
        ("EXPLAIN¦", SqlSyntaxError, "syntax error at end of input"),
    ],
)
def test_errors_point_at_their_place(marked: str, kind: type[ConstellationError], message: str | None) -> None:
    with pytest.raises(kind) as caught:
        parse(marked.replace("¦", ""))
    assert caught.value.position == marked.index("¦") + 1
    assert message in (None, caught.value.message)
