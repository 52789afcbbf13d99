"""Parameters by psycopg and asyncpg: every type, in text and in binary; a value is never more than a value."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import psycopg
import pytest
from psycopg.types.json import Json, Jsonb

from tests.clients.conftest import Served

Connection = psycopg.Connection[Any]
UUIDS = [UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), UUID(int=0)]
VALUES: dict[str, list[Any]] = {
    "smallint": [0, -32768, 32767],
    "int": [0, -(2**31), 2**31 - 1],
    "bigint": [0, -(2**63), 2**63 - 1],
    "real": [0.5, -1.25],
    "double precision": [0.1, -1e300, 5e-324],
    "numeric(20,4)": [Decimal("0.0000"), Decimal("-1234567890.1234")],
    "text": ["", "it's", 'a "b" \\ $1 -- /* é', "NULL"],
    "varchar(20)": ["x"],
    "bytea": [b"", b"\x00'\\\xff"],
    "date": [date(1, 1, 2), date(2024, 2, 29), date(9999, 12, 30)],
    "time": [time(0), time(23, 59, 59, 999_999)],
    "timestamp": [datetime(1970, 1, 1), datetime(1, 1, 2), datetime(2024, 2, 29, 12, 34, 56, 789_012)],
    "timestamptz": [datetime(2024, 2, 29, 12, tzinfo=UTC)],
    "interval": [timedelta(0), timedelta(days=-3, hours=5), timedelta(days=400, microseconds=7)],
    "boolean": [True, False],
    "uuid": UUIDS,
    "int[]": [[], [1, None, -3]],
    "bigint[]": [[2**40]],
    "double precision[]": [[0.1, None]],
    "text[]": [["a", 'b "c"', "", None, "NULL", "{x,y}", "\\"]],
    "uuid[]": [UUIDS],
    "boolean[]": [[True, False]],
    "timestamptz[]": [[datetime(2024, 2, 29, 12, tzinfo=UTC)]],
    "date[]": [[date(2024, 2, 29)]],
}  # fmt: skip


@pytest.fixture
def connection(served: Served) -> Iterator[Connection]:
    with psycopg.connect(served.dsn, autocommit=True) as connected:
        yield connected


async def asyncpg_connection(served: Served) -> Any:
    return await asyncpg.connect(
        host=served.host, port=served.port, user="tester", database="constellation", timeout=30
    )


def _name(kind: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in kind)


@pytest.mark.parametrize("form", ["%t", "%b"])
@pytest.mark.parametrize("kind", VALUES)
def test_psycopg_both_ways(connection: Connection, kind: str, form: str) -> None:
    values = VALUES[kind]
    table = f"psycopg_{_name(kind)}_{form[1]}"
    connection.execute(f"CREATE TABLE {table} (n int, v {kind})".encode())
    for n, value in enumerate([*values, None]):
        connection.execute(f"INSERT INTO {table} VALUES ({form}, {form})".encode(), (n, value))
        cast = connection.execute(f"SELECT {form}::{kind} AS v".encode(), (value,), binary=form == "%b").fetchone()
        assert cast == (value,)
    stored = connection.execute(f"SELECT v FROM {table} ORDER BY n".encode(), binary=form == "%b").fetchall()
    assert stored == [(value,) for value in [*values, None]]
    if kind != "json":
        found = connection.execute(f"SELECT n FROM {table} WHERE v = {form}".encode(), (values[0],)).fetchall()
        assert found == [(0,)]


@pytest.mark.parametrize("kind", VALUES)
def test_asyncpg_both_ways(served: Served, kind: str) -> None:
    values = VALUES[kind]
    table = f"asyncpg_{_name(kind)}"

    async def work() -> None:
        connection = await asyncpg_connection(served)
        try:
            await connection.execute(f"CREATE TABLE {table} (n int, v {kind})")
            await connection.executemany(f"INSERT INTO {table} VALUES ($1, $2)", list(enumerate([*values, None])))
            stored = await connection.fetch(f"SELECT v FROM {table} ORDER BY n")
            assert [row["v"] for row in stored] == [*values, None]
            for n, value in enumerate(values):
                assert await connection.fetchval(f"SELECT $1::{kind} AS v", value) == value
                assert await connection.fetchval(f"SELECT n FROM {table} WHERE v = $1", value) == n
        finally:
            await connection.close()

    asyncio.run(work())


def test_json(connection: Connection, served: Served) -> None:
    connection.execute("CREATE TABLE documents (n int, j json, b jsonb)")
    for form in ("%t", "%b"):
        connection.execute(f"INSERT INTO documents VALUES (1, {form}, {form})".encode(), (Json([1]), Jsonb({"a": "é"})))
    assert connection.execute("SELECT j, b FROM documents").fetchall() == [([1], {"a": "é"})] * 2

    async def work() -> None:
        other = await asyncpg_connection(served)
        try:
            await other.execute("INSERT INTO documents VALUES (2, $1, $2)", "[1, 2]", '{"a": 1}')
            row = await other.fetchrow("SELECT j, b FROM documents WHERE n = 2")
            assert tuple(row) == ("[1, 2]", '{"a": 1}')
        finally:
            await other.close()

    asyncio.run(work())


@pytest.mark.parametrize("form", ["%t", "%b"])
def test_a_value_is_never_more_than_a_value(connection: Connection, form: str) -> None:
    cases: list[tuple[str, tuple[Any, ...], Any]] = [
        (f"SELECT -{form}::int AS v", (-5,), 5),
        (f"SELECT 1 - {form}::int AS v", (-5,), 6),
        (f"SELECT 2 ^ {form}::int AS v", (3,), 8.0),
        (f"SELECT '1' || {form} AS v", ("1; DROP TABLE x",), "11; DROP TABLE x"),
        (f"SELECT {form}::text AS v", ("it's \\ $2",), "it's \\ $2"),
        (f"SELECT {form} AS v", ("5",), "5"),
        (f"SELECT {form} || 'x' AS v", ("NULL",), "NULLx"),
        (f"SELECT COALESCE({form}, 7) AS v", (None,), 7),
        (f"SELECT {form}::int IN ({form}, {form}) AS v", (1, 2, 1), True),
        (f"SELECT 3 = ANY({form}) AS v", ([1, 2, 3],), True),
        (f"SELECT 'a!' LIKE {form} ESCAPE {form} AS v", ("a#!", "#"), True),
        (f"SELECT to_char(timestamp '2024-03-05', {form}) AS v", ("YYYY/MM",), "2024/03"),
        (f"SELECT date_trunc({form}, timestamp '2024-03-05') AS v", ("month",), datetime(2024, 3, 1)),
        (f"SELECT INTERVAL '1 day' * {form} AS v", (2.5,), timedelta(days=2, hours=12)),
        (f"SELECT timestamp '2024-01-01' + {form} AS v", (timedelta(days=1),), datetime(2024, 1, 2)),
        (f"SELECT 5 AS v LIMIT {form} OFFSET {form}", (1, 0), 5),
        (f"SELECT pg_typeof({form}::bigint)::text AS v", (1,), "bigint"),
        (f"SELECT {form}::numeric AS v", (Decimal("1.500"),), Decimal("1.500")),
    ]
    for sql, parameters, expected in cases:
        row = connection.execute(sql.encode(), parameters).fetchone()
        assert row == (expected,), sql


def test_columns_of_parameters_have_no_name(connection: Connection) -> None:
    described = connection.execute("SELECT %s, %s::int, %s + 1", ("x", 1, 2)).description
    assert described is not None
    assert [column.name for column in described] == ["?column?", "int4", "?column?"]


def test_wrong_values_are_refused(connection: Connection) -> None:
    connection.execute("CREATE TABLE refusing (a int, b timestamp, c smallint)")
    cases: list[tuple[str, Any, str, str]] = [
        ("INSERT INTO refusing (a) VALUES (%t)", "x", "22P02", 'invalid input syntax for type integer: "x"'),
        ("SELECT %t::int + 1", "1_0", "22P02", 'invalid input syntax for type integer: "1_0"'),
        ("INSERT INTO refusing (c) VALUES (%t)", "40000", "22003", 'value "40000" is out of range for type smallint'),
        ("SELECT %t::timestamp", "soon", "22007", 'invalid input syntax for type timestamp: "soon"'),
        ("SELECT %t::boolean AND true", "maybe", "22P02", 'invalid input syntax for type boolean: "maybe"'),
        ("SELECT 1 = ANY(%t)", "{1,x}", "22P02", 'invalid input syntax for type integer: "x"'),
        ("INSERT INTO refusing (a) VALUES (%b)", date(2024, 1, 1), "42804",
         'column "a" is of type integer but expression is of type date'),
    ]  # fmt: skip
    for sql, value, sqlstate, message in cases:
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(sql.encode(), (value,))
        assert (caught.value.sqlstate, caught.value.diag.message_primary) == (sqlstate, message), sql
    assert connection.execute("SELECT count(*) FROM refusing").fetchone() == (0,)


def test_an_assignment_casts_as_postgres_does(connection: Connection) -> None:
    connection.execute("CREATE TABLE assigned (a int, t text, d date)")
    connection.execute("INSERT INTO assigned VALUES (%b, %b, %b)", (Decimal("2.5"), 1.0, datetime(2024, 1, 2, 23)))
    connection.execute("INSERT INTO assigned VALUES (%b, %b, %b)", (2.5, True, date(2024, 1, 3)))
    assert connection.execute("SELECT * FROM assigned ORDER BY d").fetchall() == [
        (3, "1", date(2024, 1, 2)), (2, "true", date(2024, 1, 3)),
    ]  # fmt: skip
