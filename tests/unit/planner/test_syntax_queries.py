"""Queries: what is masked, what it said, and what is left for Postgres' grammar."""

from __future__ import annotations

import pytest

from constellationdb.errors import ConstellationError, FeatureNotSupported, SqlSyntaxError
from constellationdb.planner.statements import (
    Copy,
    CreateTableAs,
    CreateView,
    Emit,
    Explain,
    NamedView,
    Query,
    Select,
    Statement,
    Subscribe,
    TemporalClause,
)
from constellationdb.planner.syntax import parse

MINUTE = 60_000_000


def one(sql: str) -> Statement:
    (statement,) = parse(sql)
    return statement


def query(sql: str) -> Query:
    statement = one(sql)
    assert isinstance(statement, Select)
    assert len(statement.query.text) == len(statement.text)
    return statement.query


@pytest.mark.parametrize(
    "sql", ["SELECT 1", "VALUES (1), (2)", "TABLE t", "WITH x AS (SELECT 1) SELECT * FROM x", "(SELECT 1)", "select"]
)
def test_plain_queries_are_handed_on_untouched(sql: str) -> None:
    assert one(sql) == Select(sql, 0, Query(sql))


@pytest.mark.parametrize(
    ("tail", "emit"),
    [
        ("EMIT CHANGES", Emit("changes", True)),
        ("emit on update", Emit("changes", True)),
        ("EMIT ON WINDOW CLOSE", Emit("on_window_close", True)),
        ("EMIT FINAL", Emit("on_window_close", True)),
        ("EMIT AFTER WATERMARK", Emit("on_window_close", True)),
        ("EMIT /* ; */ ON WINDOW -- x\n CLOSE", Emit("on_window_close", True)),
        ("ALLOW LATENESS INTERVAL '1' MINUTE", Emit("changes", False, MINUTE)),
        ("LATE DATA TO public.t", Emit("changes", False, 0, "public.t")),
        (
            "EMIT ON WINDOW CLOSE ALLOW LATENESS '90 s'::interval LATE DATA TO \"T\"",
            Emit("on_window_close", True, 90_000_000, "T"),
        ),
        ("LATE DATA TO t EMIT ON WINDOW CLOSE", Emit("on_window_close", True, 0, "t")),
    ],
)
@pytest.mark.parametrize("head", ["SELECT a FROM t", "SELECT 'é' FROM t WHERE x = 1 ORDER BY a DESC LIMIT 5"])
def test_emit_is_read_and_blanked(head: str, tail: str, emit: Emit) -> None:
    found = query(f"{head} {tail}")
    blank = "".join(c if c == "\n" else " " for c in tail)
    assert found.text == f"{head} {blank}"
    assert found.emit == Emit(emit.mode, emit.explicit, emit.lateness_us, emit.late_to, len(head) + 1)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT emit FROM t",
        "SELECT emit changes FROM t",
        "SELECT a, emit changes FROM t",
        "SELECT * FROM emit changes",
        "SELECT * FROM a, emit final",
        "SELECT * FROM t emit",
        "SELECT 'x EMIT CHANGES'",
        'SELECT a AS "EMIT CHANGES"',
        'SELECT a "EMIT" FROM "CHANGES"',
        "SELECT $$ EMIT CHANGES$$",
        "SELECT a AS late FROM allow",
        "SELECT epoch FROM system_time emit",
        "SELECT a FROM t emit JOIN u ON x = y",
        "SELECT a FROM t FOR UPDATE OF t",
        "SELECT x.emit changes FROM (SELECT emit final) x",
    ],
)
def test_what_postgres_understands_keeps_its_meaning(sql: str) -> None:
    assert query(sql) == Query(sql)


@pytest.mark.parametrize(
    ("relation", "name", "as_of"),
    [
        ("d FOR SYSTEM_TIME AS OF PROCTIME()", "d", None),
        ("d FOR SYSTEM_TIME AS OF now() AS x", "d", None),
        ("d x FOR SYSTEM_TIME AS OF PROCTIME()", "d", None),
        ("d AS x FOR SYSTEM_TIME AS OF PROCTIME ( )", "d", None),
        ("d FOR SYSTEM_TIME AS OF o.ts x", "d", "o.ts"),
        ("public.d AS x FOR SYSTEM_TIME AS OF o.ts", "public.d", "o.ts"),
        ("\"é D\" FOR SYSTEM_TIME AS OF o.ts - INTERVAL '5' MINUTE x", '"é D"', "o.ts - INTERVAL '5' MINUTE"),
        ("d FOR SYSTEM_TIME AS OF f(o.ts, 1)::timestamp AS x", "d", "f(o.ts, 1)::timestamp"),
        ("d FOR SYSTEM_TIME AS OF o.ts AT TIME ZONE 'UTC'", "d", "o.ts AT TIME ZONE 'UTC'"),
    ],
)
def test_temporal_join_before_and_after_the_alias(relation: str, name: str, as_of: str | None) -> None:
    sql = f"SELECT 'é😀' FROM o JOIN {relation} ON o.k = x.id"
    found = query(sql)
    clause = sql.index("FOR SYSTEM_TIME")
    assert found.temporal == (TemporalClause(sql.index(name, 15), as_of, clause),)
    assert "SYSTEM_TIME" not in found.text
    assert found.text.split() == sql.replace(sql[clause : _clause_end(sql, as_of)], " ").split()


def _clause_end(sql: str, as_of: str | None) -> int:
    if as_of is not None:
        return sql.index(as_of, sql.index("AS OF")) + len(as_of)
    return sql.index(")", sql.index("AS OF")) + 1


def test_several_temporal_joins_and_a_tail() -> None:
    inner = "SELECT 1 FROM b FOR SYSTEM_TIME AS OF o.t"
    sql = f"SELECT * FROM o, a FOR SYSTEM_TIME AS OF NOW() WHERE x IN ({inner}) EMIT FINAL"
    found = query(sql)
    assert [(c.relation_position, c.as_of) for c in found.temporal] == [
        (sql.index("a FOR"), None),
        (sql.index("b FOR"), "o.t"),
    ]
    assert found.emit is not None
    assert found.emit.mode == "on_window_close"


def test_relation_position_counts_in_the_query_and_position_in_the_text() -> None:
    sql = "SELECT 1; CREATE VIEW v AS SELECT * FROM o JOIN d FOR SYSTEM_TIME AS OF PROCTIME() ON true"
    view = parse(sql)[1]
    assert isinstance(view, CreateView)
    (clause,) = view.query.temporal
    assert view.query.text[clause.relation_position] == "d"
    assert sql[clause.position :].startswith("FOR SYSTEM_TIME")
    assert sql[view.query.offset :].startswith("SELECT * FROM o")


def test_as_of_epoch() -> None:
    found = query("SELECT * FROM t AS OF EPOCH 12")
    assert (found.as_of_epoch, found.emit, found.text.rstrip()) == (12, None, "SELECT * FROM t")
    assert query("SELECT * FROM t AS OF AT LEAST EPOCH 12").at_least_epoch == 12
    assert query("SELECT * FROM t AS OF TIMESTAMP now() - INTERVAL '1 h'").as_of_time == "now() - INTERVAL '1 h'"
    assert query("SELECT * FROM t FOR SYSTEM_TIME AS OF '2026-01-01' AS x").as_of_time == "'2026-01-01'"
    assert query("SELECT t.timestamp AS of FROM t").as_of_time is None
    (subscribed,) = parse("SUBSCRIBE v AS OF TIMESTAMP '2026-01-01' WITH (progress)")
    assert isinstance(subscribed, Subscribe)
    assert (subscribed.as_of_time, subscribed.progress) == ("'2026-01-01'", True)


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SUBSCRIBE v", Subscribe("SUBSCRIBE v", 0, "v", None, name_position=10)),
        ("SUBSCRIBE TO s.v", Subscribe("SUBSCRIBE TO s.v", 0, "s.v", None, name_position=13)),
        (
            "SUBSCRIBE v WITH (snapshot = false, PROGRESS) AS OF EPOCH 7",
            Subscribe("SUBSCRIBE v WITH (snapshot = false, PROGRESS) AS OF EPOCH 7", 0, "v", None, False, True, 7, 10),
        ),
        (
            "SUBSCRIBE v AS OF AT LEAST EPOCH 7 WITH (progress off)",
            Subscribe(
                "SUBSCRIBE v AS OF AT LEAST EPOCH 7 WITH (progress off)",
                0,
                "v",
                None,
                True,
                False,
                7,
                10,
                at_least=True,
            ),
        ),
        (
            "SUBSCRIBE (SELECT 1 EMIT CHANGES)",
            Subscribe(
                "SUBSCRIBE (SELECT 1 EMIT CHANGES)",
                0,
                None,
                Query("SELECT 1             ", 11, Emit("changes", True, position=20)),
                name_position=10,
            ),
        ),
    ],
)
def test_subscribe(sql: str, expected: Subscribe) -> None:
    assert one(sql) == expected


_FILTERED = "SELECT * FROM v WHERE é > 1 AND b = ';'"


@pytest.mark.parametrize(
    "sql",
    [
        "SUBSCRIBE v WHERE é > 1 AND b = ';'",
        "SUBSCRIBE v WITH (progress) AS OF EPOCH 3 WHERE é > 1 AND b = ';'",
        "SUBSCRIBE v WHERE é > 1 AND b = ';' WITH (progress) AS OF EPOCH 3",
    ],
)
def test_subscribe_where_becomes_a_query_with_true_positions(sql: str) -> None:
    text = f"SELECT 'é'; {sql}"
    found = parse(text)[1]
    assert isinstance(found, Subscribe)
    assert found.query is not None
    assert found.relation is None
    assert found.query.text.split() == _FILTERED.split()
    for part in ("v", "é >", "';'"):
        at = found.query.text.index(part, 14)
        assert text[at + found.query.offset :].startswith(part)


def test_queries_inside_other_statements() -> None:
    copied = one("COPY (SUBSCRIBE v WITH (progress)) TO STDOUT (FORMAT csv)")
    assert isinstance(copied, Copy)
    assert copied.source == Subscribe("SUBSCRIBE v WITH (progress)", 6, "v", None, progress=True, name_position=16)
    assert copied.options == {"format": "csv"}
    selected = one("COPY (SELECT a FROM t EMIT CHANGES) TO STDOUT")
    assert isinstance(selected, Copy)
    assert isinstance(selected.source, Select)
    assert selected.source.query.emit == Emit("changes", True, position=22)
    explained = one("EXPLAIN ANALYZE SUBSCRIBE v")
    assert explained == Explain(
        "EXPLAIN ANALYZE SUBSCRIBE v", 0, Subscribe("SUBSCRIBE v", 16, "v", None, name_position=26), True
    )
    running = NamedView("MATERIALIZED VIEW s.v", 16, "s.v", 34)
    assert one("EXPLAIN ANALYZE MATERIALIZED VIEW s.v") == Explain(
        "EXPLAIN ANALYZE MATERIALIZED VIEW s.v", 0, running, True
    )
    view = one("EXPLAIN (VERBOSE, ANALYZE off) CREATE MATERIALIZED VIEW m AS SELECT 1 EMIT ON WINDOW CLOSE")
    assert isinstance(view, Explain)
    assert isinstance(view.statement, CreateView)
    assert (view.analyze, view.statement.materialized) == (False, True)


def test_select_into_creates_a_table() -> None:
    sql = "SELECT a INTO TEMP TABLE x FROM t"
    assert one(sql) == CreateTableAs(
        sql, 0, "x", Query("SELECT a" + " " * 19 + "FROM t"), name_position=25, temporary="preserve"
    )


# ¦ stands before the character an error points at.
@pytest.mark.parametrize(
    ("marked", "kind", "message"),
    [
        ("SELECT 'é' ¦EMIT EVERY INTERVAL '5' SECOND", FeatureNotSupported, "EMIT EVERY is not supported on a query"),
        ("SELECT 'é' ¦EMIT PERIODIC 5", FeatureNotSupported, "EMIT PERIODIC is not supported on a query"),
        (
            "SELECT * FROM (SELECT 1 FROM t ¦EMIT CHANGES) x",
            FeatureNotSupported,
            "EMIT inside a subquery is not supported",
        ),
        (
            "WITH w AS (SELECT 1 FROM t ¦EMIT ON WINDOW CLOSE) TABLE w",
            FeatureNotSupported,
            "EMIT inside a subquery is not supported",
        ),
        (
            "SELECT * FROM f(x) ¦FOR SYSTEM_TIME AS OF NOW()",
            FeatureNotSupported,
            "FOR SYSTEM_TIME AS OF applies to a table name only",
        ),
        ("SELECT 1 UNION SELECT 2 INTO ¦x", SqlSyntaxError, "SELECT ... INTO is not allowed here"),
        ("SUBSCRIBE (SELECT 1 INTO ¦x)", SqlSyntaxError, "SELECT ... INTO is not allowed here"),
        (
            "WITH d AS (DELETE FROM t) TABLE ¦d",
            FeatureNotSupported,
            'WITH query "d" does not have a RETURNING clause',
        ),
        (
            "WITH d AS (¦MERGE INTO t USING u ON a = b WHEN MATCHED THEN DELETE) SELECT 1",
            FeatureNotSupported,
            "MERGE not supported in WITH query",
        ),
        ("SELECT * FROM t x ¦EMIT SOMETHING", SqlSyntaxError, 'syntax error at or near "EMIT"'),
        ("SELECT * FROM t AS OF EPOCH ¦x", SqlSyntaxError, 'syntax error at or near "x"'),
        ("SUBSCRIBE ¦(INSERT INTO t VALUES (1))", SqlSyntaxError, None),
        ("SUBSCRIBE v WHERE é = ¦FROM b", SqlSyntaxError, 'syntax error at or near "FROM"'),
        ("SUBSCRIBE v WHERE é =¦", SqlSyntaxError, "syntax error at end of input"),
        ("SUBSCRIBE v WHERE é = ¦; SELECT 1", SqlSyntaxError, 'syntax error at or near ";"'),
        ("SUBSCRIBE v WITH ¦(speed = 5)", SqlSyntaxError, 'unrecognized SUBSCRIBE option "speed"'),
        ("SUBSCRIBE v ¦ENVELOPE UPSERT", FeatureNotSupported, "ENVELOPE in SUBSCRIBE is not supported"),
        ("SUBSCRIBE (SELECT 1) ¦WHERE a", SqlSyntaxError, 'syntax error at or near "WHERE"'),
        ("COPY (SUBSCRIBE v ¦x) TO STDOUT", SqlSyntaxError, 'syntax error at or near "x"'),
        ("COPY (¦) TO STDOUT", SqlSyntaxError, 'syntax error at or near ")"'),
        ("EXPLAIN ¦DROP TABLE t", FeatureNotSupported, "EXPLAIN of DROP TABLE is not supported"),
    ],
)
def test_errors_point_at_their_place(marked: str, kind: type[ConstellationError], message: str | None) -> None:
    position = marked.index("¦") + 1
    with pytest.raises(kind) as caught:
        parse(marked.replace("¦", ""))
    if message is not None:
        assert (caught.value.message, caught.value.position) == (message, position)
