"""Transactions, settings, COPY, and what is accepted or refused by name."""

from __future__ import annotations

from typing import Literal

import pytest

from constellationdb.errors import ConstellationError, FeatureNotSupported, InvalidCursorDefinition, SqlSyntaxError
from constellationdb.planner.statements import (
    Accepted,
    Checkpoint,
    Copy,
    Deallocate,
    DeclareCursor,
    Direction,
    Discard,
    ExecutePrepared,
    Fetch,
    Flush,
    Prepare,
    Select,
    SetTransaction,
    SetVariable,
    Show,
    Statement,
    Subscribe,
    Transaction,
)
from constellationdb.planner.syntax import parse


def one(sql: str) -> Statement:
    (statement,) = parse(sql)
    return statement


@pytest.mark.parametrize(
    ("sql", "action", "savepoint", "modes"),
    [
        ("BEGIN", "begin", None, {}),
        ("BEGIN READ WRITE", "begin", None, {"transaction_read_only": "off"}),
        (
            "BEGIN WORK ISOLATION LEVEL REPEATABLE READ READ ONLY",
            "begin",
            None,
            {"transaction_isolation": "repeatable read", "transaction_read_only": "on"},
        ),
        (
            "START TRANSACTION NOT DEFERRABLE, ISOLATION LEVEL SERIALIZABLE",
            "begin",
            None,
            {"transaction_deferrable": "off", "transaction_isolation": "serializable"},
        ),
        ("COMMIT", "commit", None, {}),
        ("END TRANSACTION", "commit", None, {}),
        ("ROLLBACK", "rollback", None, {}),
        ("abort", "rollback", None, {}),
        ('SAVEPOINT "S 1"', "savepoint", "S 1", {}),
        ("RELEASE SAVEPOINT s", "release", "s", {}),
        ("ROLLBACK TO s", "rollback_to", "s", {}),
    ],
)
def test_transactions(sql: str, action: str, savepoint: str | None, modes: dict[str, str]) -> None:
    found = one(sql)
    assert isinstance(found, Transaction)
    assert (found.action, found.savepoint, found.modes, found.chain) == (action, savepoint, modes, False)


@pytest.mark.parametrize("sql", ["COMMIT AND CHAIN", "ROLLBACK WORK AND CHAIN"])
def test_the_next_transaction_may_follow_at_once(sql: str) -> None:
    found = one(sql)
    assert isinstance(found, Transaction)
    assert found.chain


@pytest.mark.parametrize(
    ("sql", "name", "values", "local"),
    [
        ("SET a.b = 'X'", "a.b", ("X",), False),
        ("SET SESSION x TO 5", "x", ("5",), False),
        ("SET LOCAL search_path TO a, 'B'", "search_path", ("a", "B"), True),
        ("SET x = on", "x", ("on",), False),
        ("SET x = -1.50", "x", ("-1.50",), False),
        ("SET x TO DEFAULT", "x", None, False),
        ("SET TIME ZONE 'Europe/Paris'", "timezone", ("Europe/Paris",), False),
        ("SET TIME ZONE LOCAL", "timezone", None, False),
        ("SET NAMES 'utf8'", "client_encoding", ("utf8",), False),
        ("SET ROLE NONE", "role", ("none",), False),
        ("SET SESSION AUTHORIZATION DEFAULT", "session_authorization", None, False),
    ],
)
def test_settings(sql: str, name: str, values: tuple[str, ...] | None, local: bool) -> None:
    assert one(sql) == SetVariable(sql, 0, name, values, local)


@pytest.mark.parametrize(("sql", "name"), [("RESET x", "x"), ("RESET ALL", "all"), ("RESET ROLE", "role")])
def test_reset(sql: str, name: str) -> None:
    assert one(sql) == SetVariable(sql, 0, name, None, reset=True)


@pytest.mark.parametrize(
    ("sql", "modes", "session"),
    [
        ("SET TRANSACTION READ ONLY", {"transaction_read_only": "on"}, False),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE",
            {"transaction_isolation": "serializable", "transaction_read_only": "off"},
            True,
        ),
    ],
)
def test_modes_of_transactions(sql: str, modes: dict[str, str], session: bool) -> None:
    assert one(sql) == SetTransaction(sql, 0, modes, session)


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
        ("VACUUM FULL t", "VACUUM", True),
        ("ANALYZE", "ANALYZE", True),
        ("GRANT SELECT ON t TO u", "GRANT", True),
        ("REVOKE r FROM u", "REVOKE ROLE", True),
        ("REINDEX TABLE t", "REINDEX", True),
        ("CLUSTER t", "CLUSTER", True),
        ("CREATE INDEX CONCURRENTLY i ON t USING btree (a, lower(b))", "CREATE INDEX", True),
        ("CREATE EXTENSION IF NOT EXISTS plpgsql", "CREATE EXTENSION", True),
        ("UNLISTEN *", "UNLISTEN", False),
        ("LISTEN x", "LISTEN", True),
        ("LOCK TABLE t IN EXCLUSIVE MODE", "LOCK TABLE", True),
        ("REFRESH MATERIALIZED VIEW v", "REFRESH MATERIALIZED VIEW", True),
        ("COMMENT ON FUNCTION abs(int) IS 'x'", "COMMENT", True),
        ("SET CONSTRAINTS ALL DEFERRED", "SET CONSTRAINTS", False),
    ],
)
def test_accepted_without_effect(sql: str, tag: str, has_notice: bool) -> None:
    found = one(sql)
    assert isinstance(found, Accepted)
    assert (found.tag, found.notice is not None) == (tag, has_notice)


def test_declare() -> None:
    found = one("DECLARE c BINARY NO SCROLL CURSOR WITH HOLD FOR SELECT 1")
    assert isinstance(found, DeclareCursor)
    assert (found.name, found.binary, found.scroll, found.hold) == ("c", True, False, True)
    assert found.source.text == "SELECT 1"
    streamed = one("DECLARE c CURSOR FOR SUBSCRIBE v WITH (progress)")
    assert isinstance(streamed, DeclareCursor)
    assert isinstance(streamed.source, Subscribe)
    assert (streamed.scroll, streamed.source.relation, streamed.source.progress) == (None, "v", True)


def test_a_cursor_says_one_thing_at_a_time() -> None:
    with pytest.raises(InvalidCursorDefinition, match="cannot specify both SCROLL and NO SCROLL"):
        one("DECLARE c SCROLL NO SCROLL CURSOR FOR SELECT 1")


@pytest.mark.parametrize(
    ("sql", "direction", "count", "moves", "timeout_us"),
    [
        ("FETCH c", "forward", 1, False, None),
        ("FETCH 5 FROM c", "forward", 5, False, None),
        ("FETCH ALL IN c", "forward", None, False, None),
        ("FETCH BACKWARD ALL c", "backward", None, False, None),
        ("FETCH PRIOR c", "backward", 1, False, None),
        ("FETCH LAST c", "absolute", -1, False, None),
        ("FETCH RELATIVE -2 c", "relative", -2, False, None),
        ("MOVE FORWARD ALL IN c", "forward", None, True, None),
        ("FETCH 5 c WITH (timeout = '1500ms')", "forward", 5, False, 1_500_000),
        ("FETCH ALL c WITH (timeout '0s')", "forward", None, False, 0),
    ],
)
def test_fetch(sql: str, direction: Direction, count: int | None, moves: bool, timeout_us: int | None) -> None:
    assert one(sql) == Fetch(sql, 0, "c", direction, count, moves, timeout_us)


def test_prepare_and_execute() -> None:
    sql = "PREPARE p (int, text[], unknown) AS SELECT $1"
    assert one(sql) == Prepare(sql, 0, "p", (23, 1009, 0), "SELECT $1", 36)
    sql = "EXECUTE p (1 + (2), 'a, b', ARRAY[1, 2])"
    assert one(sql) == ExecutePrepared(sql, 0, "p", (("1 + (2)", 11), ("'a, b'", 20), ("ARRAY[1, 2]", 28)))
    assert one("EXECUTE p") == ExecutePrepared("EXECUTE p", 0, "p")
    assert one("DEALLOCATE PREPARE p") == Deallocate("DEALLOCATE PREPARE p", 0, "p")
    assert one("DEALLOCATE ALL") == Deallocate("DEALLOCATE ALL", 0, None)


@pytest.mark.parametrize("what", ["all", "plans", "sequences", "temp"])
def test_discard(what: Literal["all", "plans", "sequences", "temp"]) -> None:
    sql = f"DISCARD {what.upper()}"
    assert one(sql) == Discard(sql, 0, what)


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
        ("CREATE CONNECTION c TO x", "CREATE CONNECTION"),
        ("ALTER SCHEMA s OWNER TO u", "ALTER SCHEMA … OWNER"),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END", "CREATE FUNCTION with BEGIN ATOMIC"),
        ("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", "CREATE RULE"),
        ("ALTER TABLE t ALTER a ADD GENERATED ALWAYS AS IDENTITY", "ALTER COLUMN … ADD GENERATED"),
        ("ALTER INDEX i SET (fillfactor = 70)", "ALTER INDEX"),
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
        ("¦PREPARE TRANSACTION 'x'", FeatureNotSupported, None),
        ("¦COMMIT PREPARED 'x'", FeatureNotSupported, "two-phase commit is not supported"),
        ("DECLARE c CURSOR FOR ¦INSERT INTO t VALUES (1)", SqlSyntaxError, 'syntax error at or near "INSERT"'),
        ("DECLARE c CURSOR FOR SELECT 1 INTO ¦x", SqlSyntaxError, "SELECT ... INTO is not allowed here"),
        ("DECLARE c CURSOR FOR¦", SqlSyntaxError, "syntax error at end of input"),
        ("FETCH 1 c WITH (¦patience = 1)", SqlSyntaxError, 'unrecognized FETCH option "patience"'),
        ("PREPARE p AS ¦CREATE TABLE t (a int)", SqlSyntaxError, 'syntax error at or near "CREATE"'),
        ("FLUSH ¦t", SqlSyntaxError, 'syntax error at or near "t"'),
        ("SET x ¦5", SqlSyntaxError, 'syntax error at or near "5"'),
        ("¦COPY t FROM '/x'", FeatureNotSupported, None),
        ("COPY t FROM STDIN (format csv, ¦FORMAT text)", SqlSyntaxError, "conflicting or redundant options"),
        ("EXPLAIN ¦(FORMAT json) SELECT 1", FeatureNotSupported, "EXPLAIN (FORMAT JSON) is not supported"),
        ("EXPLAIN¦", SqlSyntaxError, "syntax error at end of input"),
    ],
)
def test_errors_point_at_their_place(marked: str, kind: type[ConstellationError], message: str | None) -> None:
    with pytest.raises(kind) as caught:
        parse(marked.replace("¦", ""))
    assert caught.value.position == marked.index("¦") + 1
    assert message in (None, caught.value.message)
