"""INSERT, UPDATE, DELETE: their parts as text, their constants as values."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constellationdb.errors import ConstellationError, FeatureNotSupported, SqlSyntaxError
from constellationdb.planner.statements import Default, Delete, Insert, OnConflict, Parameter, Query, Statement, Update
from constellationdb.planner.syntax import parse
from constellationdb.planner.syntax.edits import literal
from constellationdb.planner.syntax.parsing import _parse
from constellationdb.planner.syntax.rows import LONG, find_long_rows


def one(sql: str) -> Statement:
    (statement,) = parse(sql)
    return statement


def insert(sql: str) -> Insert:
    statement = one(sql)
    assert isinstance(statement, Insert)
    return statement


def test_insert_constants() -> None:
    values = (
        "VALUES (1, -2.50, 'é''x', NULL, true, DEFAULT, $1), "
        "(1e5, E'a\\n\\u00e9\\xc3\\xa9', $$q;)$$, FALSE, 0x1F, 99999999999999999999, 'a'\n'b')"
    )
    sql = f'INSERT INTO t (a, "B") {values} RETURNING *'
    assert one(sql) == Insert(
        text=sql,
        offset=0,
        table="t",
        columns=("a", "B"),
        query=Query(values, sql.index("VALUES")),
        rows=(
            (1, Decimal("-2.50"), "é'x", None, True, Default(), Parameter(1)),
            (Decimal("1E+5"), "a\néé", "q;)", False, 31, 99999999999999999999, "ab"),
        ),
        returning="*",
        table_position=12,
    )


@pytest.mark.parametrize(
    ("value", "constant"),
    [
        ("DATE '2020-01-02'", "2020-01-02"),
        ("'2020-01-02'::date", "2020-01-02"),
        ("TIMESTAMP '2020-01-02 03:04:05.5'", "2020-01-02 03:04:05.5"),
        ("'x'::text", "x"),
        ("+ 5", 5),
        ("- 5.0", Decimal("-5.0")),
        (".5", Decimal("0.5")),
        ("U&'d\\0061t\\+00006F'", "dato"),
        ("''", ""),
    ],
)
def test_values_that_are_constants(value: str, constant: object) -> None:
    ((found,),) = insert(f"INSERT INTO t VALUES ({value})").rows or ((None,),)
    assert (found, type(found)) == (constant, type(constant))


@pytest.mark.parametrize(
    "value",
    [
        "now()", "1 + 2", "'5'::int", "'1.5'::numeric(3, 1)", "$1::int", "(1)", "- $1", "NULL::int", "a", "B'101'",
        "'2020-01-02 03:04:05+02'::timestamptz", "'2020-01-02 03:04:05+02'::timestamp", "'tomorrow'::date",
        "'x'::text || 'y'", "CURRENT_TIMESTAMP", "(SELECT 1)", "'x' COLLATE \"C\"", "x'ff'", "DATE '2020-1-2'",
    ],
)  # fmt: skip
def test_values_that_have_to_be_computed(value: str) -> None:
    found = insert(f"INSERT INTO t VALUES (1, 2), (3, {value})")
    assert found.rows is None
    assert found.query == Query(f"VALUES (1, 2), (3, {value})", 14)


@pytest.mark.parametrize("tail", ["ORDER BY 1", "LIMIT 1", "UNION VALUES (2)"])
def test_values_with_more_behind_are_a_query(tail: str) -> None:
    found = insert(f"INSERT INTO t VALUES (1) {tail}")
    assert (found.rows, found.query) == (None, Query(f"VALUES (1) {tail}", 14))


@pytest.mark.parametrize(
    ("source", "columns"),
    [
        ("SELECT * FROM x JOIN y ON x.a = y.conflict", ()),
        ("(SELECT 1)", ()),
        ("TABLE x", ()),
        ("WITH q AS (SELECT 1) SELECT * FROM q", ()),
        ("(a) SELECT 1 AS b", ("a",)),
        ("(values) VALUES (now())", ("values",)),
    ],
)
@pytest.mark.parametrize(
    ("tail", "conflict", "returning"),
    [
        ("", None, None),
        ("ON CONFLICT DO NOTHING", OnConflict(), None),
        (
            "ON CONFLICT (a, \"B\") DO UPDATE SET c = excluded.c + 1, d = (SELECT 1) WHERE c > 'x' RETURNING a, f(b)",
            OnConflict(("a", "B"), (("c", "excluded.c + 1"), ("d", "(SELECT 1)")), "c > 'x'"),
            "a, f(b)",
        ),
    ],
)
def test_insert_from_a_query(
    source: str, columns: tuple[str, ...], tail: str, conflict: OnConflict | None, returning: str | None
) -> None:
    sql = f"INSERT INTO s.t {source} {tail}"
    found = insert(sql)
    assert found.query is not None
    assert sql[found.query.offset :].startswith(found.query.text)
    assert found.query.text == source.removeprefix(f"({', '.join(columns)}) ")
    assert (found.table, found.columns, found.rows) == ("s.t", columns, None)
    assert (found.on_conflict, found.returning) == (conflict, returning)


def test_insert_without_values_and_with_a_list_before() -> None:
    defaults = "INSERT INTO t DEFAULT VALUES"
    assert insert(defaults) == Insert(defaults, 0, "t", (), None, None, table_position=12)
    sql = "WITH q AS (SELECT 1 AS a) INSERT INTO t (a) SELECT a FROM q RETURNING a"
    found = insert(sql)
    assert found.query == Query("WITH q AS (SELECT 1 AS a)                   SELECT a FROM q", 0)
    assert (found.columns, found.returning, found.table_position) == (("a",), "a", 38)


def test_insert_from_a_lookup_join_keeps_the_clause() -> None:
    sql = "INSERT INTO t SELECT * FROM o JOIN d FOR SYSTEM_TIME AS OF PROCTIME() ON true RETURNING *"
    found = insert(sql).query
    assert found is not None
    (clause,) = found.temporal
    assert found.text[clause.relation_position :].split() == ["d", "ON", "true"]
    assert clause.position == sql.index("FOR")


def test_update() -> None:
    sql = (
        "UPDATE ONLY t AS x SET a = x.a + 1, \"É\" = CASE WHEN y IS DISTINCT FROM z THEN 'FROM' END, c = DEFAULT "
        "FROM u, w WHERE x.i = u.i AND u.a IS NOT DISTINCT FROM 4 RETURNING x.*"
    )
    assert one(sql) == Update(
        text=sql,
        offset=0,
        table="t",
        alias="x",
        set=(("a", "x.a + 1"), ("É", "CASE WHEN y IS DISTINCT FROM z THEN 'FROM' END"), ("c", "DEFAULT")),
        from_clause="u, w",
        where="x.i = u.i AND u.a IS NOT DISTINCT FROM 4",
        returning="x.*",
        table_position=12,
    )
    short = "UPDATE t SET a = b[1]"
    assert one(short) == Update(short, 0, "t", None, (("a", "b[1]"),), table_position=7)


def test_delete() -> None:
    sql = "DELETE FROM t x USING u JOIN v USING (a) WHERE x.i = u.i RETURNING i"
    assert one(sql) == Delete(sql, 0, "t", "x", "u JOIN v USING (a)", "x.i = u.i", "i", 12)
    assert one("DELETE FROM t") == Delete("DELETE FROM t", 0, "t", None, table_position=12)


# ¦ stands before the character an error points at.
@pytest.mark.parametrize(
    ("marked", "kind", "message"),
    [
        ("UPDATE t SET (a, b) = ¦(SELECT * FROM u)", FeatureNotSupported, "SET (a, b) = (SELECT * …) is not supported"),
        ("UPDATE t SET a¦[1] = 2", FeatureNotSupported, "SET on a part of a column is not supported"),
        ("UPDATE t SET a = 1 ¦WHERE CURRENT OF c", FeatureNotSupported, "WHERE CURRENT OF is not supported"),
        ("INSERT INTO t SELECT 1 FROM u ¦EMIT CHANGES", FeatureNotSupported, "EMIT is not supported in INSERT"),
        ("INSERT INTO t VALUES (1) ON CONFLICT (¦lower(a)) DO NOTHING", FeatureNotSupported, None),
        ("INSERT INTO t VALUES (1) ¦ON CONFLICT DO UPDATE SET a = 1", SqlSyntaxError, None),
        ("INSERT INTO t VALUES ('é', ¦)", SqlSyntaxError, 'syntax error at or near ")"'),
        ("INSERT INTO t VALUES (1¦; SELECT 1", SqlSyntaxError, 'syntax error at or near ";"'),
        ("INSERT INTO t¦", SqlSyntaxError, "syntax error at end of input"),
        ("DELETE ¦t", SqlSyntaxError, 'syntax error at or near "t"'),
    ],
)
def test_errors_point_at_their_place(marked: str, kind: type[ConstellationError], message: str | None) -> None:
    with pytest.raises(kind) as caught:
        parse(marked.replace("¦", ""))
    if message is not None:
        assert (caught.value.message, caught.value.position) == (message, marked.index("¦") + 1)


_LITERALS = st.one_of(
    st.integers().map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])).map(literal),
    st.sampled_from(["NULL", "true", "False", "DEFAULT", "$7", ".5", "1."]),
)  # fmt: skip


@given(
    st.lists(st.lists(_LITERALS, min_size=2, max_size=2), min_size=1, max_size=8), st.sampled_from(["", " RETURNING a"])
)
@settings(max_examples=150, deadline=None)
def test_long_lists_of_rows_read_the_same_as_short_ones(rows: list[list[str]], tail: str) -> None:
    short = "INSERT INTO t VALUES " + ",\n".join(f"({', '.join(row)})" for row in rows) + tail
    padding = ", (NULL, 1)" * (LONG // 8)
    long = short.removesuffix(tail) + padding + tail + "; SELECT 'é' FROM"
    expected, read = insert(short).rows, find_long_rows(long)
    assert expected is not None
    assert read is not None
    assert read.rows[: len(rows)] == expected
    assert list(map(type, sum(read.rows[: len(rows)], ()))) == list(map(type, sum(expected, ())))
    with pytest.raises(SqlSyntaxError) as caught:
        parse(long)
    assert caught.value.position == len(long) + 1
    (found, after) = parse(long.removesuffix(" FROM"))
    assert isinstance(found, Insert)
    assert found.rows == read.rows
    assert found.text == short.removesuffix(tail) + padding + tail
    assert found.query == Query(found.text[14:].removesuffix(tail), 14)
    assert long[after.offset :].startswith(after.text)


@pytest.mark.parametrize("odd", ["E'x'", "now()", "'a' -- comment\n", "- -1", "'a' 'b'", "1_000", "$$x$$", "é"])
def test_one_odd_value_sends_a_long_list_the_slow_way(odd: str) -> None:
    sql = "INSERT INTO t VALUES " + "(1, 2), " * LONG + f"({odd}, 2)"
    assert find_long_rows(sql) is None


def test_errors_behind_a_long_list_have_true_positions() -> None:
    rows = ", ".join(f"({i}, 'é')" for i in range(LONG))
    sql = f"INSERT INTO t VALUES {rows} RETURNING a b c"
    with pytest.raises(SqlSyntaxError) as caught:
        parse(sql)
    assert (caught.value.message, caught.value.position) == ('syntax error at or near "c"', len(sql))


@pytest.mark.parametrize(
    "row",
    ["1, 'x', NULL", "-2.50, 'it''s; \"(', true", "$1, $2, DEFAULT", "1e3, '', .5", "'a', 'b', 'c'"],
)
@pytest.mark.parametrize(
    "head", ["INSERT INTO t VALUES (", ' insert  into S.T (a, "B", c) values(', "INSERT INTO t VALUES\n("]
)
def test_a_second_insert_with_the_same_words_is_read_as_the_first_would_be(head: str, row: str) -> None:
    first, text = head + "0, 'seen', false);", f"{head}{row}) ;"
    (slow,) = _parse(text)
    parse(first)
    parse(first.replace("0", "9"))
    (quick,) = parse(text)
    assert isinstance(slow, Insert)
    assert isinstance(quick, Insert)
    assert quick == slow


def test_what_is_no_plain_row_is_read_the_slow_way() -> None:
    for text in (
        "INSERT INTO t VALUES (1, 2), (3, 4)",
        "INSERT INTO t VALUES (1) RETURNING a",
        "INSERT INTO t VALUES (1 + 1)",
        "INSERT INTO t VALUES (1); SELECT 1",
        "INSERT INTO t VALUES (1) -- why",
    ):
        parse("INSERT INTO t VALUES (1)")
        assert parse(text) == list(_parse(text))
    for text in ("INSERT INTO t VALUES (1))", "INSERT INTO t VALUES ('\ud800')"):
        with pytest.raises(SqlSyntaxError):
            parse(text)
