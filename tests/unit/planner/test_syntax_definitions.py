"""CREATE, DROP and TRUNCATE: statement text to value, and errors under the right character."""

from __future__ import annotations

import pytest

from constellationdb.catalog.types import BIGINT, BYTEA, DOUBLE, INTEGER, TEXT, TIMESTAMP, TIMESTAMPTZ, numeric, varchar
from constellationdb.errors import (
    ConstellationError,
    DatatypeMismatch,
    DuplicateColumn,
    FeatureNotSupported,
    InvalidDatetime,
    InvalidDefinition,
    InvalidParameter,
    SqlSyntaxError,
    UndefinedColumn,
)
from constellationdb.planner.statements import (
    ColumnDef,
    CreateLookupTable,
    CreateSource,
    CreateTable,
    CreateTableAs,
    CreateView,
    Drop,
    Emit,
    Query,
    Statement,
    Truncate,
    WatermarkDef,
)
from constellationdb.planner.syntax import parse

SECOND = 1_000_000


def one(sql: str) -> Statement:
    (statement,) = parse(sql)
    return statement


def source(sql: str) -> CreateSource:
    statement = one(sql)
    assert isinstance(statement, CreateSource)
    return statement


def test_a_source_with_everything() -> None:
    sql = (
        'CREATE SOURCE IF NOT EXISTS tr (id bigint, "Sym é" STRING NOT NULL, p numeric(10, 2), d DOUBLE, b BYTES, '
        "v varchar(9), ts timestamp(6), z timestamptz, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND) "
        "WITH ('connector' = 'file', scan.startup = 'latest', watermark.idle_timeout='30s', n=-5, follow, Preset = X) "
        "FORMAT PLAIN ENCODE JSON (depth = 2)"
    )
    kinds = {
        "id": BIGINT, '"Sym é"': TEXT, "p": numeric(10, 2), "d": DOUBLE, "b": BYTEA, "v": varchar(9), "ts": TIMESTAMP,
        "z": TIMESTAMPTZ,
    }  # fmt: skip
    assert source(sql) == CreateSource(
        text=sql,
        offset=0,
        name="tr",
        columns=tuple(
            ColumnDef(name.strip('"'), kind, "Sym" in name, None, sql.index(f" {name} ") + 1 if i else sql.index("id "))
            for i, (name, kind) in enumerate(kinds.items())
        ),
        options={
            "connector": "file",
            "scan.startup": "latest",
            "watermark.idle_timeout": "30s",
            "n": "-5",
            "follow": "true",
            "preset": "x",
            "format": "json",
            "depth": "2",
        },
        watermark=WatermarkDef("ts", 5 * SECOND, sql.index("WATERMARK")),
        if_not_exists=True,
        name_position=28,
    )


@pytest.mark.parametrize(
    ("clause", "delay"),
    [
        ("WATERMARK FOR ts", 0),
        ("WATERMARK FOR ts AS ts", 0),
        ("WATERMARK FOR ts AS ts - INTERVAL '5' SECOND", 5 * SECOND),
        ("watermark for TS as Ts - interval '5 seconds'", 5 * SECOND),
        ("WATERMARK FOR ts AS ts - '1 min 30 s'::interval", 90 * SECOND),
        ("WATERMARK FOR ts AS ts - INTERVAL '00:01:00.5'", 60_500_000),
        ("WATERMARK FOR ts AS ts - INTERVAL '1.5' MINUTE", 90 * SECOND),
        ("WATERMARK FOR ts AS ts - INTERVAL 5 SECONDS", 5 * SECOND),
        ("WATERMARK FOR ts AS ts - INTERVAL '250 ms'", 250_000),
        ("WATERMARK FOR ts AS ts - INTERVAL '2' DAY", 2 * 86400 * SECOND),
    ],
)
@pytest.mark.parametrize("place", ["{}, ts timestamp", "ts timestamp, {}, a int", "a int, ts timestamp, {}"])
def test_watermark_forms(clause: str, delay: int, place: str) -> None:
    found = source(f"CREATE SOURCE s ({place.format(clause)})")
    assert found.watermark is not None
    assert (found.watermark.column, found.watermark.delay_us) == ("ts", delay)
    assert [column.name for column in found.columns if column.name == "ts"] == ["ts"]


def test_watermark_on_a_connectors_own_column() -> None:
    found = source("CREATE SOURCE s (WATERMARK FOR ts) WITH (connector = generator)")
    assert (found.columns, found.watermark) == ((), WatermarkDef("ts", 0, 17))


def test_lateness_attribute_is_a_watermark() -> None:
    found = source("CREATE SOURCE s (ts timestamptz NOT NULL LATENESS INTERVAL '2' MINUTE, a int)")
    assert found.watermark == WatermarkDef("ts", 120 * SECOND, 41)
    assert found.columns[0].not_null


@pytest.mark.parametrize(
    ("sql", "options"),
    [
        ("CREATE SOURCE s WITH (connector = 'generator')", {"connector": "generator"}),
        ("CREATE SOURCE s (a int) APPEND ONLY WITH (a.b.c = 1.5)", {"a.b.c": "1.5"}),
        (
            "CREATE SOURCE s (a int) FROM KAFKA (topic = 't', table = x)",
            {"connector": "kafka", "topic": "t", "table": "x"},
        ),
        ("CREATE SOURCE s (a int) FORMAT PLAIN ENCODE CSV", {"format": "csv"}),
        ("CREATE SOURCE s (a int) WITH ('K''ey' = $$v;)$$, r = interval '1' hour)", {"k'ey": "v;)", "r": "1 hour"}),
        ("CREATE SOURCE s (a int) WITH (x = true, y = E'a\\tb')", {"x": "true", "y": "a\tb"}),
    ],
)
def test_source_options(sql: str, options: dict[str, str]) -> None:
    assert source(sql).options == options


def test_lookup_table() -> None:
    sql = "CREATE OR REPLACE LOOKUP TABLE d (k text, id int, v text, PRIMARY KEY (k, id)) WITH (connector = 'file')"
    assert one(sql) == CreateLookupTable(
        text=sql,
        offset=0,
        name="d",
        columns=(
            ColumnDef("k", TEXT, True, None, 34),
            ColumnDef("id", INTEGER, True, None, 42),
            ColumnDef("v", TEXT, position=50),
        ),
        primary_key=("k", "id"),
        options={"connector": "file"},
        or_replace=True,
        name_position=31,
    )
    inline = one("CREATE LOOKUP TABLE IF NOT EXISTS d (id int PRIMARY KEY)")
    assert isinstance(inline, CreateLookupTable)
    assert (inline.primary_key, inline.if_not_exists, inline.or_replace) == (("id",), True, False)


def test_table() -> None:
    columns = "a int PRIMARY KEY, b text DEFAULT 'x,' || f(1, 2) NOT NULL"
    sql = f"CREATE TABLE IF NOT EXISTS public.t ({columns}) WITH ('k' = 1)"
    assert one(sql) == CreateTable(
        text=sql,
        offset=0,
        name="public.t",
        columns=(
            ColumnDef("a", INTEGER, True, None, 37),
            ColumnDef("b", TEXT, True, "'x,' || f(1, 2)", 56, default_position=71),
        ),
        primary_key=("a",),
        if_not_exists=True,
        options={"k": "1"},
        name_position=27,
    )


@pytest.mark.parametrize(
    ("column", "default"),
    [
        ("a int DEFAULT NULL", "NULL"),
        ("a int DEFAULT -1 NOT NULL", "-1"),
        ("a timestamptz DEFAULT now() PRIMARY KEY", "now()"),
        (
            "a timestamptz NOT NULL DEFAULT '2020-01-01'::timestamp with time zone",
            "'2020-01-01'::timestamp with time zone",
        ),
        ("a numeric(10, 2) DEFAULT (1 + 2) * 3", "(1 + 2) * 3"),
        ("\"default\" text DEFAULT 'é'", "'é'"),
        ("a int NOT NULL", None),
    ],
)
def test_default_is_the_users_own_text(column: str, default: str | None) -> None:
    statement = one(f"CREATE TABLE t (x int, {column}, y int)")
    assert isinstance(statement, CreateTable)
    assert [c.default for c in statement.columns] == [None, default, None]


def test_table_as() -> None:
    sql = "CREATE TABLE IF NOT EXISTS t AS SELECT 1 AS a"
    assert one(sql) == CreateTableAs(sql, 0, "t", Query("SELECT 1 AS a", 32), True, 27)


def test_materialized_view() -> None:
    sql = (
        "CREATE MATERIALIZED VIEW IF NOT EXISTS m (a, \"B\") WITH ('retain_history' = '1 hour', x.y = 2) AS "
        "SELECT a, count(*) FROM TUMBLE(t, ts, INTERVAL '1' MINUTE) GROUP BY 1 EMIT ON WINDOW CLOSE"
    )
    begin, emit = sql.index("SELECT"), sql.index("EMIT")
    assert one(sql) == CreateView(
        text=sql,
        offset=0,
        name="m",
        query=Query(sql[begin:emit] + " " * 20, begin, Emit("on_window_close", True, position=emit)),
        column_names=("a", "B"),
        materialized=True,
        if_not_exists=True,
        options={"retain_history": "1 hour", "x.y": "2"},
        name_position=39,
    )


@pytest.mark.parametrize(
    ("sql", "materialized", "or_replace"),
    [
        ("CREATE VIEW v AS TABLE t", False, False),
        ("CREATE OR REPLACE VIEW v AS TABLE t", False, True),
        ("CREATE OR REPLACE MATERIALIZED VIEW v AS TABLE t", True, True),
        ("CREATE MATERIALIZED VIEW v AS TABLE t WITH DATA", True, False),
        ("CREATE STREAM v AS TABLE t", False, False),
    ],
)
def test_kinds_of_views(sql: str, materialized: bool, or_replace: bool) -> None:
    view = one(sql)
    assert isinstance(view, CreateView)
    assert (view.name, view.materialized, view.or_replace) == ("v", materialized, or_replace)
    assert view.query == Query("TABLE t", sql.index("TABLE"))


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("DROP TABLE a", Drop("DROP TABLE a", 0, "table", ("a",))),
        ("DROP SOURCE IF EXISTS a, public.b CASCADE",
         Drop("DROP SOURCE IF EXISTS a, public.b CASCADE", 0, "source", ("a", "public.b"), True, True)),
        ("DROP LOOKUP TABLE \"A b\"", Drop("DROP LOOKUP TABLE \"A b\"", 0, "lookup table", ("A b",))),
        ("DROP VIEW a RESTRICT", Drop("DROP VIEW a RESTRICT", 0, "view", ("a",))),
        ("DROP MATERIALIZED VIEW a", Drop("DROP MATERIALIZED VIEW a", 0, "materialized view", ("a",))),
        ("DROP STREAM a", Drop("DROP STREAM a", 0, "view", ("a",))),
        ("TRUNCATE TABLE a, b CASCADE", Truncate("TRUNCATE TABLE a, b CASCADE", 0, ("a", "b"))),
    ],
)  # fmt: skip
def test_drop_and_truncate(sql: str, expected: Statement) -> None:
    assert one(sql) == expected


# ¦ stands before the character an error points at.
@pytest.mark.parametrize(
    ("marked", "kind", "message"),
    [
        ("CREATE LOOKUP TABLE ¦d (id int)", InvalidDefinition, 'lookup table "d" has no primary key'),
        ("CREATE SOURCE ¦s", InvalidDefinition, 'source "s" has neither columns nor a connector'),
        ("CREATE SOURCE s (a int ¦PRIMARY KEY)", FeatureNotSupported, 'source "s" cannot have a primary key'),
        ("¦CREATE OR REPLACE SOURCE s (a int)", FeatureNotSupported, "CREATE OR REPLACE SOURCE is not supported"),
        (
            "CREATE SOURCE s (é int, ¦WATERMARK FOR é)",
            DatatypeMismatch,
            'watermark column "é" is of type integer, not a timestamp',
        ),
        (
            "CREATE SOURCE s (a int, ¦WATERMARK FOR b)",
            UndefinedColumn,
            'column "b" named in WATERMARK does not exist',
        ),
        (
            "CREATE SOURCE s (a timestamp, WATERMARK FOR a AS ¦b - INTERVAL '1' DAY)",
            FeatureNotSupported,
            'the WATERMARK of "a" must be computed from "a" itself',
        ),
        ("CREATE SOURCE s (a timestamp, WATERMARK FOR a AS a ¦+ 1)", SqlSyntaxError, 'syntax error at or near "+"'),
        (
            "CREATE SOURCE s (a timestamp, WATERMARK FOR a AS a - ¦INTERVAL '1' MONTH)",
            InvalidParameter,
            'interval "1" has no fixed length',
        ),
        (
            "CREATE SOURCE s (a timestamp, WATERMARK FOR a AS a - ¦INTERVAL 'soon')",
            InvalidDatetime,
            'invalid input syntax for type interval: "soon"',
        ),
        (
            "CREATE SOURCE s (a timestamp, WATERMARK FOR a, ¦WATERMARK FOR a)",
            InvalidDefinition,
            "a source has at most one WATERMARK",
        ),
        ("CREATE SOURCE s (a int) WITH (x = 1, ¦X = 2)", SqlSyntaxError, 'option "x" is given twice'),
        ("CREATE SOURCE s (a int) WITH (x = ¦)", SqlSyntaxError, 'syntax error at or near ")"'),
        ("CREATE SOURCE s (a int) WITH (x = 1,¦)", SqlSyntaxError, 'syntax error at or near ")"'),
        (
            "CREATE SOURCE s (a int) FORMAT ¦DEBEZIUM ENCODE JSON",
            FeatureNotSupported,
            "FORMAT DEBEZIUM is not supported",
        ),
        ("CREATE SOURCE s (a int) ¦INCLUDE offset AS o", FeatureNotSupported, "INCLUDE is not supported"),
        ("CREATE SOURCE s (a int,¦)", SqlSyntaxError, 'syntax error at or near ")"'),
        ("CREATE SOURCE s (a int) ¦NONSENSE", SqlSyntaxError, 'syntax error at or near "NONSENSE"'),
        ("CREATE SOURCE t (é text, b int ¦CHECK (b > 0))", FeatureNotSupported, "a CHECK constraint is not supported"),
        ("CREATE SOURCE t (a int, ¦UNIQUE (a))", FeatureNotSupported, "a UNIQUE constraint is not supported"),
        ("CREATE TABLE t (a int ¦REFERENCES u)", FeatureNotSupported, "a REFERENCES constraint is not supported"),
        (
            "CREATE SOURCE t (a int ¦GENERATED ALWAYS AS (1) STORED)",
            FeatureNotSupported,
            "a GENERATED column is not supported",
        ),
        (
            "CREATE SOURCE t (a int ¦GENERATED ALWAYS AS IDENTITY)",
            FeatureNotSupported,
            "a GENERATED AS IDENTITY column is not supported",
        ),
        (
            "CREATE SOURCE t (¦a serial)",
            FeatureNotSupported,
            'column "a" cannot be serial: only a table has sequences of its own',
        ),
        ("CREATE TABLE t (a int UNIQUE ¦DEFERRABLE)", FeatureNotSupported, "a DEFERRABLE constraint is not supported"),
        ("CREATE TABLE t (a ¦numeric(50))", FeatureNotSupported, "numeric(50,0) is outside 1 to 38 digits"),
        (
            "CREATE TABLE ¦other.x.t (a int)",
            FeatureNotSupported,
            'cross-database references are not implemented: "other.x.t"',
        ),
        ("CREATE TABLE t (a int, ¦a text)", DuplicateColumn, 'column "a" specified more than once'),
        (
            "CREATE TABLE t (a int PRIMARY KEY, ¦PRIMARY KEY (a))",
            InvalidDefinition,
            'multiple primary keys for table "t" are not allowed',
        ),
        ("CREATE TABLE t (a int, ¦PRIMARY KEY (b))", UndefinedColumn, 'column "b" named in key does not exist'),
        (
            "CREATE TABLE t (a timestamp, ¦WATERMARK FOR a)",
            FeatureNotSupported,
            "WATERMARK on a table is not supported",
        ),
        ("CREATE OR REPLACE ¦TABLE t (a int)", SqlSyntaxError, 'syntax error at or near "TABLE"'),
        ("CREATE MATERIALIZED VIEW m AS ¦SELEC 1", SqlSyntaxError, 'syntax error at or near "SELEC"'),
        ("CREATE MATERIALIZED VIEW m AS¦", SqlSyntaxError, "syntax error at end of input"),
        ("CREATE MATERIALIZED VIEW m¦", SqlSyntaxError, "syntax error at end of input"),
        (
            "¦CREATE MATERIALIZED VIEW m AS SELECT 1 WITH NO DATA",
            FeatureNotSupported,
            "CREATE MATERIALIZED VIEW … WITH NO DATA is not supported",
        ),
        ("¦CREATE VIEW v AS SELECT 1 WITH CHECK OPTION", FeatureNotSupported, "WITH CHECK OPTION is not supported"),
        ("DROP SOURCE a,¦", SqlSyntaxError, "syntax error at end of input"),
    ],
)
def test_errors_point_at_their_place(marked: str, kind: type[ConstellationError], message: str) -> None:
    with pytest.raises(kind) as caught:
        parse(marked.replace("¦", ""))
    assert (caught.value.message, caught.value.position) == (message, marked.index("¦") + 1)


def test_a_missing_key_comes_with_its_remedy() -> None:
    with pytest.raises(InvalidDefinition) as caught:
        parse("CREATE LOOKUP TABLE d (id int)")
    assert caught.value.sqlstate == "42P16"
    assert caught.value.hint is not None
    assert "PRIMARY KEY" in caught.value.hint
