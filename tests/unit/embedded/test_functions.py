"""Functions of the program's own: their types, what they may do, and what becomes of views that call them."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import constellationdb
from constellationdb import Database, aggregate, connect, function
from constellationdb.engine.engine import Engine
from constellationdb.engine.python import PythonFunctions
from constellationdb.errors import (
    DependentObjects,
    ExternalRoutineError,
    FeatureNotSupported,
    GroupingError,
    InsufficientPrivilege,
    InvalidFunctionDefinition,
    SqlSyntaxError,
    UndefinedColumn,
    UndefinedFunction,
    WrongObjectType,
)
from constellationdb.server.listener import Server


@function
def slug(title: str) -> str:
    return title.lower().replace(" ", "-")


slug_or_null = function("slug_or_null(title text) RETURNS text STRICT")(lambda title: title.upper())


@function(vectorised=True)
def doubled(x: pa.int64()) -> pa.int64():  # type: ignore[valid-type]
    return pc.multiply(x, 2)


@function("picky(x int, low int DEFAULT 1) RETURNS int STRICT")
def picky(x: int, low: int) -> int:
    if x < low:
        raise ValueError(f"{x} is too little")
    return x * 10


@aggregate("product(x double precision) RETURNS double precision STRICT")
class Product:
    def __init__(self) -> None:
        self.value = 1.0

    def accumulate(self, x: float) -> None:
        self.value *= x

    def finish(self) -> float:
        return self.value


@aggregate("spread(x bigint) RETURNS bigint", vectorised=True)
class Spread:
    def accumulate(self, x: pa.Array) -> None:
        ends = pc.min_max(x)
        self.value = pc.subtract(ends["max"], ends["min"])

    def finish(self) -> pa.Scalar:
        return self.value


@function("words(t text) RETURNS TABLE (word text, place int)")
def words(t: str | None) -> Iterator[tuple[str, int]]:
    for place, word in enumerate((t or "").split()):
        if word == "?":
            raise ValueError("what?")
        yield word, place


letters = function("letters(t text) RETURNS SETOF text STRICT")(lambda t: list(t))


@function("steps(low int, high int) RETURNS TABLE (n int, tenfold bigint) STRICT", vectorised=True)
def steps(low: pa.Array, high: pa.Array) -> pa.Array:
    pairs = zip(low.to_pylist(), high.to_pylist(), strict=True)
    rows = [None if None in (a, b) else [{"tenfold": n * 10, "n": n} for n in range(a, b + 1)] for a, b in pairs]
    return pa.array(rows, pa.list_(pa.struct([("tenfold", pa.int64()), ("n", pa.int64())])))


@aggregate("total(x int) RETURNS bigint STRICT")
class Total:
    calls: ClassVar[list[str]] = []

    def __init__(self) -> None:
        self.value = 0

    def accumulate(self, x: int) -> None:
        self.calls.append(f"+{x}")
        if x == 13:
            raise ValueError("unlucky")
        self.value += x

    def retract(self, x: int) -> None:
        self.calls.append(f"-{x}")
        if x == 17:
            raise ValueError("stuck")
        self.value -= x

    def finish(self) -> int:
        return self.value


FUNCTIONS = (slug_or_null, doubled, picky, Product, Spread, words, letters, steps, Total)


@pytest.fixture
def database() -> Iterator[Database]:
    with connect(functions=FUNCTIONS) as found:
        found.execute("CREATE TABLE t (k int, v int, s text)")
        found.execute("INSERT INTO t VALUES (1, 2, 'a b'), (1, 3, 'c'), (2, NULL, NULL), (NULL, 5, 'd')")
        yield found


def rows(database: Database, sql: str, parameters: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    return database.sql(sql, parameters).fetchall()


def test_a_function_is_called_row_by_row_or_with_arrays(database: Database) -> None:
    found = rows(database, "SELECT slug_or_null(s), doubled(v), picky(v) FROM t ORDER BY v NULLS LAST")
    assert found == [("A B", 4, 20), ("C", 6, 30), ("D", 10, 50), (None, None, None)]
    assert rows(database, "SELECT doubled(picky(2)), picky(x => 4)") == [(40, 40)]
    assert slug("A B") == "a-b", "it stays a function of Python"


def test_types_come_from_annotations(database: Database) -> None:
    @database.register
    @function
    def shout(text: str) -> str:
        return text + "!"

    assert rows(database, "SELECT shout('a'), pg_get_function_arguments('shout'::regproc)") == [("a!", "text text")]
    with pytest.raises(InvalidFunctionDefinition, match="the type of x of function nothing is not known"):

        @function
        def nothing(x):  # type: ignore[no-untyped-def]
            return x


def test_a_parameter_has_the_functions_type(database: Database) -> None:
    assert rows(database, "SELECT picky($1), slug_or_null($2)", (3, "x")) == [(30, "X")]


def test_an_exception_is_an_error_of_the_statement(database: Database) -> None:
    with pytest.raises(ExternalRoutineError, match="function picky failed: ValueError: 2 is too little") as caught:
        rows(database, "SELECT picky(v, 3) FROM t")
    assert caught.value.sqlstate == "38000"


def test_an_exception_is_an_error_row_of_a_view(database: Database) -> None:
    database.execute("CREATE MATERIALIZED VIEW m AS SELECT k, picky(v, 3) AS p FROM t")
    assert sorted(rows(database, "SELECT p FROM m"), key=str) == [(30,), (50,), (None,)]
    assert rows(database, "SELECT sqlstate, message FROM m_errors") == [
        ("38000", "function picky failed: ValueError: 2 is too little")
    ]
    database.execute("UPDATE t SET v = 4 WHERE v = 2")
    assert rows(database, "SELECT count(*) FROM m_errors") == [(0,)]
    assert rows(database, "SELECT p FROM m WHERE p = 40") == [(40,)]


def test_a_wrong_number_of_values_is_an_error(database: Database) -> None:
    @database.register
    @function("short(x bigint) RETURNS bigint", vectorised=True)
    def short(x: pa.Array) -> pa.Array:
        return x.slice(1)

    with pytest.raises(ExternalRoutineError, match="3 values were returned for 4 rows"):
        rows(database, "SELECT short(v) FROM t")


def test_aggregates(database: Database) -> None:
    found = rows(database, "SELECT k, product(v), spread(v) FROM t GROUP BY k ORDER BY k")
    assert found == [(1, 6.0, 1), (2, 1.0, None), (None, 5.0, 0)]
    assert rows(database, "SELECT product(v) FILTER (WHERE v > 2), count(*) FROM t") == [(15.0, 4)]
    assert rows(database, "SELECT k FROM t GROUP BY k HAVING product(v) > 5") == [(1,)]
    assert rows(database, "SELECT product(v) FROM t WHERE false") == [(1.0,)]


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        ("SELECT product(product(v)) FROM t", GroupingError, "aggregate function calls cannot be nested"),
        ("SELECT 1 FROM t WHERE product(v) > 1", GroupingError, "aggregate functions are not allowed in WHERE"),
        ("SELECT product(DISTINCT v) FROM t", FeatureNotSupported, "DISTINCT, ORDER BY and OVER are not supported"),
        ("SELECT product('x'::text) FROM t", UndefinedFunction, r"function product\(text\) does not exist"),
        ("SELECT picky(1) OVER ()", WrongObjectType, "OVER specified, but picky is not a window function nor"),
        ("SELECT picky(true)", UndefinedFunction, r"function picky\(boolean\) does not exist"),
    ],
)
def test_misuse(database: Database, sql: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        rows(database, sql)


def test_a_function_that_is_not_deterministic_is_no_part_of_a_view(database: Database) -> None:
    dice = function("dice() RETURNS double precision", deterministic=False)(lambda: random.random())
    database.register(dice)
    assert rows(database, "SELECT count(*) FROM (SELECT DISTINCT dice() FROM t) AS q") == [(4,)]
    with pytest.raises(FeatureNotSupported, match=r"volatile function dice\(\)"):
        database.execute("CREATE MATERIALIZED VIEW m AS SELECT dice() AS d FROM t")
    database.execute("CREATE FUNCTION cast_dice() RETURNS double precision LANGUAGE SQL RETURN dice()")
    with pytest.raises(FeatureNotSupported, match=r"volatile function dice\(\)"):
        database.execute("CREATE MATERIALIZED VIEW m AS SELECT cast_dice() AS d FROM t")
    database.execute("CREATE FUNCTION twice(x double precision) RETURNS double precision LANGUAGE SQL RETURN x + x")
    with pytest.raises(FeatureNotSupported, match=r"a volatile argument of twice\(\)"):
        rows(database, "SELECT twice(dice())")


def test_a_plan_says_the_functions_names(database: Database) -> None:
    plan = rows(database, "EXPLAIN CREATE MATERIALIZED VIEW m AS SELECT k, product(v) AS p FROM t GROUP BY k")
    assert any("product(v" in str(line) for (line,) in plan)
    assert not any("con_" in str(line) for (line,) in plan)


def test_what_a_view_calls_stays(database: Database) -> None:
    database.execute("CREATE FUNCTION tenfold(x int) RETURNS int LANGUAGE SQL RETURN picky(x)")
    database.execute("CREATE MATERIALIZED VIEW m AS SELECT tenfold(v) AS p FROM t")
    with pytest.raises(DependentObjects) as caught:
        database.execute("DROP FUNCTION picky")
    assert caught.value.message == "cannot drop function picky(integer,integer) because other objects depend on it"
    assert "function tenfold(integer) depends on function picky(integer,integer)" in str(caught.value.detail)
    with pytest.raises(DependentObjects, match=r"cannot replace function tenfold\(integer\)"):
        database.execute("CREATE OR REPLACE FUNCTION tenfold(x int) RETURNS int LANGUAGE SQL RETURN x")
    database.execute("DROP FUNCTION picky CASCADE")
    assert rows(database, "SELECT name FROM constellation.relations WHERE name = 'm'") == []
    with pytest.raises(UndefinedFunction):
        rows(database, "SELECT tenfold(1)")


def test_a_plain_view_calls_the_function_there_is_now(database: Database) -> None:
    database.execute("CREATE FUNCTION more(x int) RETURNS int LANGUAGE SQL RETURN x + 1")
    database.execute("CREATE VIEW w AS SELECT more(v) AS p FROM t WHERE v = 2")
    assert rows(database, "SELECT * FROM w") == [(3,)]
    database.execute("CREATE OR REPLACE FUNCTION more(x int) RETURNS int LANGUAGE SQL RETURN x + 2")
    assert rows(database, "SELECT * FROM w") == [(4,)]


@pytest.mark.parametrize("checkpoint", [False, True])
def test_views_go_on_after_a_restart_when_their_functions_are_there(tmp_path: Path, *, checkpoint: bool) -> None:
    with connect(tmp_path / "d", functions=FUNCTIONS) as database:
        database.execute("CREATE TABLE t (k int, v int)")
        database.execute("CREATE FUNCTION tenfold(x int) RETURNS int LANGUAGE SQL RETURN picky(x)")
        database.execute("CREATE MATERIALIZED VIEW m AS SELECT k, tenfold(v) AS p FROM t")
        database.execute("CREATE MATERIALIZED VIEW a AS SELECT k, product(v) AS p FROM t GROUP BY k")
        database.execute(
            "CREATE MATERIALIZED VIEW o AS SELECT k, total(v) AS s, spread(v) FILTER (WHERE v < 0) FROM t GROUP BY k"
        )
        database.execute("CREATE MATERIALIZED VIEW n AS SELECT total(v) AS s, count(*) FROM t WHERE v <> 2")
        database.execute("CREATE MATERIALIZED VIEW s AS SELECT n, tenfold FROM t, steps(v, v + 1)")
        database.execute("INSERT INTO t VALUES (1, 2), (1, 3), (NULL, 4)")
        if checkpoint:
            database.execute("FLUSH; CHECKPOINT")
    with pytest.raises(UndefinedFunction, match=r'function picky\(integer,integer\), which .* "m" calls') as caught:
        connect(tmp_path / "d", functions=[Product])
    assert caught.value.hint == "Open the database with connect(…, functions=[…])."
    with connect(tmp_path / "d", functions=FUNCTIONS) as database:
        database.execute("DELETE FROM t WHERE v = 3; INSERT INTO t VALUES (1, 7)")
        assert sorted(rows(database, "SELECT p FROM m")) == [(20,), (40,), (70,)]
        assert rows(database, "SELECT * FROM a ORDER BY k") == [(1, 14.0), (None, 4.0)]
        assert rows(database, "SELECT k, s FROM o ORDER BY k") == [(1, 9), (None, 4)]
        assert rows(database, "SELECT * FROM n") == [(11, 2)]
        assert [n for n, _ in rows(database, "SELECT * FROM s ORDER BY n")] == [2, 3, 4, 5, 7, 8]


@pytest.fixture
def totals(database: Database) -> Database:
    database.execute("CREATE MATERIALIZED VIEW m AS SELECT k, total(v) AS s FROM t GROUP BY k")
    rows(database, "SELECT * FROM m")
    Total.calls.clear()
    return database


def test_an_aggregate_that_retracts_is_told_of_what_changes(totals: Database) -> None:
    totals.execute("UPDATE t SET v = 20 WHERE v = 2; INSERT INTO t VALUES (1, NULL), (2, 7)")
    assert rows(totals, "SELECT * FROM m ORDER BY k") == [(1, 23), (2, 7), (None, 5)]
    assert sorted(Total.calls) == ["+20", "+7", "-2"]
    totals.execute("DELETE FROM t WHERE k = 2")
    assert rows(totals, "SELECT k FROM m ORDER BY k") == [(1,), (None,)]


@pytest.mark.parametrize(
    ("aggregates", "operator"),
    [("total(v)", "Aggregate (fast operator)"), ("total(v), product(v)", "RecomputeAffected (no fast operator)")],
)
def test_explain_says_whether_an_aggregate_retracts(database: Database, aggregates: str, operator: str) -> None:
    plan = rows(database, f"EXPLAIN CREATE MATERIALIZED VIEW m AS SELECT k, {aggregates} FROM t GROUP BY k")
    said = "\n".join(str(line) for (line,) in plan)
    assert operator in said
    assert ("the objects of total, which take rows back" in said) == ("fast" in operator.split("(")[1][:4])


def test_a_row_at_which_accumulate_fails_is_not_taken_back(totals: Database) -> None:
    totals.execute("INSERT INTO t VALUES (1, 13), (1, 13)")
    assert rows(totals, "SELECT s FROM m WHERE k = 1") == [(None,)]
    failed = ("38000", "function total failed: ValueError: unlucky", "[1]")
    assert rows(totals, "SELECT sqlstate, message, payload FROM m_errors") == [failed]
    totals.execute("DELETE FROM t WHERE v = 13")
    assert rows(totals, "SELECT s FROM m WHERE k = 1") == [(5,)]
    assert rows(totals, "SELECT count(*) FROM m_errors") == [(0,)]
    assert "-13" not in Total.calls


def test_a_group_whose_object_failed_to_retract_has_no_value_until_it_is_empty(totals: Database) -> None:
    totals.execute("INSERT INTO t VALUES (1, 17); DELETE FROM t WHERE v = 17")
    assert rows(totals, "SELECT s FROM m WHERE k = 1") == [(5,)], "it was gone before the epoch ended"
    totals.execute("INSERT INTO t VALUES (1, 17)")
    totals.execute("DELETE FROM t WHERE v = 17")
    assert rows(totals, "SELECT s FROM m WHERE k = 1") == [(None,)]
    assert rows(totals, "SELECT message FROM m_errors") == [("function total failed: ValueError: stuck",)]
    totals.execute("DELETE FROM t WHERE k = 1")
    totals.execute("INSERT INTO t VALUES (1, 4)")
    assert rows(totals, "SELECT s FROM m WHERE k = 1") == [(4,)]
    assert rows(totals, "SELECT count(*) FROM m_errors") == [(0,)]


def test_an_object_that_cannot_be_kept_is_refused() -> None:
    class Open(Total):
        def __init__(self) -> None:
            self.lock = threading.Lock()

    with pytest.raises(InvalidFunctionDefinition, match="an accumulator of aggregate Open cannot be pickled") as caught:
        aggregate("opened(x int) RETURNS int")(Open)
    assert caught.value.hint == "Give it __getstate__() and __setstate__(state), or leave retract() out."


def test_a_program_that_no_longer_retracts_does_not_open_the_view(tmp_path: Path) -> None:
    with connect(tmp_path / "d", functions=[Total]) as database:
        database.execute("CREATE TABLE t (k int, v int)")
        database.execute("CREATE MATERIALIZED VIEW m AS SELECT k, total(v) AS s FROM t GROUP BY k")

    class Other:
        def accumulate(self, x: int) -> None:
            raise NotImplementedError

        def finish(self) -> int:
            raise NotImplementedError

    with pytest.raises(UndefinedFunction, match=r"function total\(integer\), which .* is not registered"):
        connect(tmp_path / "d", functions=[aggregate("total(x int) RETURNS bigint STRICT")(Other)])


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT * FROM words('q r')", [("q", 0), ("r", 1)]),
        ("SELECT * FROM words(NULL)", []),
        ("SELECT * FROM letters('ab') AS l", [("a",), ("b",)]),
        ("SELECT l FROM letters('ab') AS l", [("a",), ("b",)]),
        ("SELECT * FROM letters(NULL)", []),
        ("SELECT * FROM steps(2, 3) AS s(x)", [(2, 20), (3, 30)]),
        ("SELECT * FROM steps(2, high => 2)", [(2, 20)]),
        ("SELECT * FROM steps(3, 2)", []),
        ("SELECT * FROM steps(1, (SELECT max(k) FROM t))", [(1, 10), (2, 20)]),
        ("SELECT * FROM words('a b') WITH ORDINALITY", [("a", 0, 1), ("b", 1, 2)]),
        ("SELECT * FROM ROWS FROM (words('a'), letters('xy'))", [("a", 0, "x"), (None, None, "y")]),
        ("SELECT v, word FROM t, words(s) ORDER BY v, place", [(2, "a"), (2, "b"), (3, "c"), (5, "d")]),
        (
            "SELECT v, w.* FROM t LEFT JOIN LATERAL words(s) AS w ON w.place > 0 ORDER BY v NULLS FIRST",
            [(None, None, None), (2, "b", 1), (3, None, None), (5, None, None)],
        ),
        ("SELECT n, v FROM steps(1, 3) JOIN t ON t.v = n ORDER BY n", [(2, 2), (3, 3)]),
        ("SELECT k, (SELECT count(*) FROM words(s)) FROM t ORDER BY v NULLS LAST", [(1, 2), (1, 1), (None, 1), (2, 0)]),
        ("SELECT v FROM t WHERE EXISTS (SELECT FROM letters(s) AS l WHERE l = 'b')", [(2,)]),
        ("SELECT pg_get_function_result('words'::regproc)", [("TABLE(word text, place integer)",)]),
    ],
)
def test_functions_that_return_rows(database: Database, sql: str, found: list[tuple[object, ...]]) -> None:
    assert rows(database, sql) == found


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        ("SELECT words('a')", FeatureNotSupported, r"words\(\) returns rows: it is only supported in FROM"),
        ("SELECT * FROM words(1)", UndefinedFunction, r"function words\(integer\) does not exist"),
        ("SELECT * FROM words('a ?')", ExternalRoutineError, "function words failed: ValueError: what?"),
        ("SELECT nowhere FROM words('a')", UndefinedColumn, 'column "nowhere" does not exist'),
    ],
)
def test_misuse_of_functions_that_return_rows(
    database: Database, sql: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        rows(database, sql)


@pytest.mark.parametrize(
    ("declared", "vectorised", "gives", "message"),
    [
        ("f(x int) RETURNS TABLE (a int, b int)", False, [(1,)], "a row of 1 values was returned for 2 columns"),
        ("f(x int) RETURNS TABLE (a int, b int)", False, [1], "a row must be a tuple or a mapping, not int"),
        ("f(x int) RETURNS TABLE (a int, b int)", False, [{"a": 1, "c": 2}], "a row has a, c, where a, b are declared"),
        ("f(x int) RETURNS TABLE (a int, b int)", False, [("x", 1)], "Could not convert 'x'"),
        ("f(x int) RETURNS SETOF int", True, pa.array([1]), "an array of arrays of rows must be returned, not int64"),
        ("f(x int) RETURNS SETOF int", True, pa.array([[1], [2]]), "2 arrays of rows were returned for 1 rows"),
        ("f(x int) RETURNS TABLE (a int, b int)", True, pa.array([[1]]), "rows must be structs of a, b, not int64"),
    ],
)
def test_what_is_no_row(database: Database, declared: str, vectorised: bool, gives: object, message: str) -> None:
    database.register(function(declared, vectorised=vectorised)(lambda _: gives))
    with pytest.raises(ExternalRoutineError, match=message):
        rows(database, "SELECT * FROM f(1)")


def test_rows_of_a_view_come_and_go_with_theirs(database: Database) -> None:
    database.execute("CREATE MATERIALIZED VIEW m AS SELECT v, word, place FROM t, words(s)")
    plan = rows(database, "EXPLAIN CREATE MATERIALIZED VIEW n AS SELECT v, word, place FROM t, words(s)")
    assert any("words.word(s), words.place(s)" in str(line) for (line,) in plan)
    database.execute(
        "UPDATE t SET s = 'x y' WHERE v = 3; UPDATE t SET s = 'a ?' WHERE v = 2; DELETE FROM t WHERE v = 5"
    )
    assert sorted(rows(database, "SELECT * FROM m")) == [(3, "x", 0), (3, "y", 1)]
    assert rows(database, "SELECT sqlstate, message FROM m_errors") == [
        ("38000", "function words failed: ValueError: what?")
    ]
    database.execute("UPDATE t SET s = 'a' WHERE v = 2")
    assert sorted(rows(database, "SELECT * FROM m")) == [(2, "a", 0), (3, "x", 0), (3, "y", 1)]
    assert rows(database, "SELECT count(*) FROM m_errors") == [(0,)]
    with pytest.raises(DependentObjects):
        database.execute("DROP FUNCTION words")


def test_a_function_that_returns_rows_is_called_once_for_a_row(database: Database) -> None:
    calls: list[int] = []

    def told(x: int) -> list[tuple[int, int]]:
        calls.append(x)
        return [(x, x)]

    database.register(function("told(x int) RETURNS TABLE (a int, b int)")(told))
    database.execute("CREATE TABLE u (x int)")
    database.execute("CREATE MATERIALIZED VIEW m AS SELECT a, b FROM u, told(x)")
    calls.clear()
    database.execute("INSERT INTO u VALUES (1), (2)")
    assert sorted(rows(database, "SELECT * FROM m")) == [(1, 1), (2, 2)]
    assert sorted(calls) == [1, 2]
    noisy = function("noisy() RETURNS TABLE (a double precision, b double precision)", deterministic=False)
    database.register(noisy(lambda: [(value := random.random(), value)]))
    assert rows(database, "SELECT a = b FROM noisy()") == [(True,)]
    with pytest.raises(FeatureNotSupported, match=r"volatile function noisy\(\)"):
        database.execute("CREATE MATERIALIZED VIEW n AS SELECT * FROM u, noisy()")


def test_one_name_for_functions_in_both_languages(database: Database) -> None:
    database.execute(
        "CREATE FUNCTION words(n int) RETURNS TABLE (word text, place int) LANGUAGE SQL"
        " AS $$ SELECT s, v FROM t WHERE v = n $$"
    )
    assert rows(database, "SELECT * FROM words(3)") == [("c", 3)]
    assert rows(database, "SELECT * FROM words('c'::text)") == [("c", 0)]


def test_python_in_sql_is_for_those_who_allow_it(database: Database) -> None:
    with pytest.raises(InsufficientPrivilege, match="permission denied for language python"):
        database.execute("CREATE FUNCTION f(x int) RETURNS int LANGUAGE python AS $$ return x $$")


def test_python_in_sql(tmp_path: Path) -> None:
    with (
        Engine(tmp_path / "d", python=PythonFunctions(sources=True)) as engine,
        Server(engine, "127.0.0.1", 0) as server,
        psycopg.connect(f"postgres://tester@127.0.0.1:{server.port}/constellation", autocommit=True) as client,
    ):
        client.execute("CREATE TABLE t (v int)")
        client.execute(
            "CREATE FUNCTION steps(x int) RETURNS int IMMUTABLE STRICT LANGUAGE python AS $$\n"
            "    count = 0\n    while x != 1:\n        x, count = x // 2 if x % 2 == 0 else 3 * x + 1, count + 1\n"
            "    return count\n$$"
        )
        client.execute("CREATE MATERIALIZED VIEW m AS SELECT v, steps(v) AS n FROM t")
        client.execute("INSERT INTO t VALUES (6), (27), (NULL)")
        assert client.execute("SELECT * FROM m ORDER BY v").fetchall() == [(6, 8), (27, 111), (None, None)]
        client.execute(
            "CREATE FUNCTION halving(x int) RETURNS TABLE (step int, odd boolean) IMMUTABLE LANGUAGE python AS $$\n"
            "while x > 1:\n    yield x, x % 2 == 1\n    x = x // 2 if x % 2 == 0 else 3 * x + 1\n$$"
        )
        client.execute("CREATE MATERIALIZED VIEW p AS SELECT v, step FROM t, halving(v) WHERE odd AND v < 9")
        assert client.execute("SELECT * FROM p ORDER BY step").fetchall() == [(6, 3), (6, 5)]
        with pytest.raises(psycopg.errors.SyntaxError, match="could not compile function wrong"):
            client.execute("CREATE FUNCTION wrong() RETURNS int LANGUAGE python AS $$ return ( $$")
    with pytest.raises(UndefinedFunction) as caught, connect(tmp_path / "d"):
        pass
    assert caught.value.hint == "Start with --enable-python-functions."
    with Engine(tmp_path / "d", python=PythonFunctions(sources=True)) as engine:
        session = engine.session()
        (result,) = session.execute("SELECT steps(9)")
        assert [batch.to_pydict() for batch in result.batches] == [{"steps": [19]}]
        session.close()


def test_a_server_takes_no_functions_of_the_program() -> None:
    refused = pytest.raises(FeatureNotSupported, match="cannot be registered with a server")
    with Engine() as engine, Server(engine, "127.0.0.1", 0) as server, refused:
        connect(f"postgres://tester@127.0.0.1:{server.port}/constellation", functions=[picky])


@pytest.mark.parametrize("declared", ["picky", "f(x int) RETURNS int; DROP TABLE t; --"])
def test_what_declares_no_function(declared: str) -> None:
    with pytest.raises((InvalidFunctionDefinition, SqlSyntaxError)):
        function(declared)(lambda x: x)


def test_an_aggregate_returns_no_rows() -> None:
    with pytest.raises(InvalidFunctionDefinition, match="an aggregate returns one value"):
        aggregate("f(x int) RETURNS SETOF int")(Product)


def test_the_package_names_them() -> None:
    assert {"function", "aggregate"} <= set(constellationdb.__all__)
