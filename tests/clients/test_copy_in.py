"""COPY … FROM STDIN by psycopg and asyncpg: every format, and each error as a real Postgres words and places it."""

from __future__ import annotations

import asyncio
import struct
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
from tests.postgres_fixture import start_postgres

Connection = psycopg.Connection[Any]
TABLE = "(a int, b text NOT NULL DEFAULT 'none', c double precision, d timestamp, e boolean, f varchar(3))"
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Connection]:
    with start_postgres() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE copied {TABLE}".encode())
        yield connection


@pytest.fixture(scope="module")
def ours(served: Served) -> Iterator[Connection]:
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE copied {TABLE}".encode())
        yield connection


def copied(connection: Connection, words: str, data: bytes) -> object:
    """What the table holds afterwards, or the error."""
    connection.execute("DELETE FROM copied")
    try:
        with connection.cursor() as cursor:
            with cursor.copy(f"COPY copied {words}".encode()) as copy:
                copy.write(data)
            tag = cursor.statusmessage
    except psycopg.Error as error:
        assert connection.execute("SELECT count(*) FROM copied").fetchone() == (0,)
        return error.sqlstate, error.diag.message_primary, error.diag.context, error.diag.message_hint
    return tag, str(connection.execute("SELECT * FROM copied ORDER BY a, b, c").fetchall())


def field(data: bytes | None) -> bytes:
    return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data


def tuples(*rows: tuple[bytes | None, ...]) -> bytes:
    return HEADER + b"".join(struct.pack(">h", len(row)) + b"".join(map(field, row)) for row in rows) + b"\xff\xff"


INT, TEN = struct.pack(">i", 1), struct.pack(">i", 10)
GOOD = [
    ("FROM STDIN", b"1\tx\t1.5\t2024-01-02 03:04:05.678\tt\tabc\n2\ty\t\\N\t\\N\tf\t\\N\n"),
    ("FROM STDIN", b" 3 \tx\t1e5\t2024-01-02\tyes\tab   \n-4\t\\x41\\102\\t\\\\\t Infinity \tepoch\toff\t\n"),
    ("FROM STDIN", b"1\tx\tNaN\t2024-01-02 03:04\ttrue\tx\n2\tx\t-inf\t\\N\ttrue\tx\n"),
    ("FROM STDIN", b""),
    ("(a, b) FROM STDIN", b"1\tx\n2\ty"),
    ("(f, a) FROM STDIN", b"abc\t1\r\nabd\t2\r\n"),
    ("(b) FROM STDIN", b"\n\nx\n"),
    ("(b) FROM STDIN", b"x\n\\.\nignored\n"),
    ("(a, b) FROM STDIN (DELIMITER '|', NULL 'nil')", b"nil|x\n1|nil x\n"),
    ("(a, b) FROM STDIN (HEADER)", b"whatever\n1\tx\n"),
    ("(a, b) FROM STDIN (HEADER MATCH)", b"a\tb\n1\tx\n"),
    ("(a, b) FROM STDIN CSV HEADER", b'"x\ny",b\n1,"a ""quoted"" , text\nof lines"\n'),
    ("(a, b) FROM STDIN (FORMAT csv, QUOTE '''', ESCAPE '\\')", b"1,'it\\'s'\n,x\n"),
    ("(a, b, f) FROM STDIN (FORMAT csv, FORCE_NOT_NULL (b), FORCE_NULL (f))", b'1,,""\n2,x,\n'),
    ("(a, b) FROM STDIN (FORMAT csv, FORCE_NULL (a))", b'"",x\n1,y\n'),
    ("(a, b) FROM STDIN (FORMAT binary)", tuples((INT, b"x"), (None, "é".encode()))),
    ("(a) FROM STDIN BINARY", tuples()),
]
BAD = [
    ("FROM STDIN", b"1\tx\n"),
    ("(a, b) FROM STDIN", b"1\tx\n2\ty\tz\n"),
    ("(a, b) FROM STDIN", b"1\tx\nx\ty\n"),
    ("(a, b) FROM STDIN", b"1\tx\n2147483648\ty\n"),
    ("(a, c) FROM STDIN", b"1\t1.5\n2\t1.5x\n"),
    ("(a, c) FROM STDIN", b"1\t1e400\n"),
    ("(a, c) FROM STDIN", b"1\t1e-400\n"),
    ("(a, d) FROM STDIN", b"1\t2024-01-01\n2\tyesterdayish\n"),
    ("(a, d) FROM STDIN", b"1\t2024-02-30 00:00:00\n"),
    ("(a, e) FROM STDIN", b"1\tperhaps\n"),
    ("(a, f) FROM STDIN", b"1\tabc\n1\tabcd\n"),
    ("(a, b) FROM STDIN", b"1\tx\n2\t\\N\n"),
    ("(a, b) FROM STDIN", b"1\tx\n2\t\\N\nx\ty\n"),
    ("(a, b) FROM STDIN", b"1\tx\nx\ty\n2\t\\N\n"),
    ("(b, f) FROM STDIN CSV", b'"a ""b""\nc",1\n,"x, ""y"""\n'),
    ("(f, b) FROM STDIN CSV", b'"a ""b""\nc",1\n"x, ""y""",\n'),
    ("(a, b) FROM STDIN (FORMAT binary)", tuples((INT, b"x"), (INT, None))),
    ("(a, b) FROM STDIN", b"1\tx\n2\ty\xff\n"),
    ("(a, b) FROM STDIN", b"1\tx\n\\N\t" + b"long " * 50 + b"\t3\n"),
    ("(a, c) FROM STDIN", b"x\ty\n"),
    ("(a, c) FROM STDIN", b"1\ty\nx\t1\n"),
    ("(a, b) FROM STDIN (HEADER MATCH)", b"a\tbb\n1\tx\n"),
    ("(a, b) FROM STDIN (HEADER MATCH)", b"a\n1\tx\n"),
    ("(a, b) FROM STDIN CSV", b'1,"x\ny"\n2,"z\n'),
    ("(a, b) FROM STDIN CSV", b'1,"x\ny"\nz,u\n'),
    ("(a, b) FROM STDIN (FORMAT csv, FORCE_NULL (nowhere))", b""),
    ("(a, b) FROM STDIN (FORMAT csv, FORCE_NULL (c))", b""),
    ("(a, a) FROM STDIN", b""),
    ("(a, nowhere) FROM STDIN", b""),
    ("(a, b) FROM STDIN (FORMAT binary)", b"no signature at all"),
    ("(a, b) FROM STDIN (FORMAT binary)", HEADER[:-4]),
    ("(a, b) FROM STDIN (FORMAT binary)", HEADER[:11] + b"\0\1\0\0" + bytes(4)),
    ("(a, b) FROM STDIN (FORMAT binary)", HEADER[:11] + b"\0\2\0\0" + bytes(4)),
    ("(a, b) FROM STDIN (FORMAT binary)", tuples((INT,))),
    ("(a, b) FROM STDIN (FORMAT binary)", tuples((INT, b"x"), (b"123", b"y"))),
    ("(a, b) FROM STDIN (FORMAT binary)", tuples((INT, b"x"), (b"12345", b"y"))),
    ("(a, b) FROM STDIN (FORMAT binary)", tuples((INT, b"x"), (INT, b"\xff"))),
    ("(a, b) FROM STDIN (FORMAT binary)", tuples((INT, b"x"))[:-6]),
    ("(a, b) FROM STDIN (FORMAT binary)", HEADER + struct.pack(">hi", 2, -2)),
]  # fmt: skip


@pytest.mark.parametrize(("words", "data"), GOOD)
def test_rows_are_those_of_postgres(postgres: Connection, ours: Connection, words: str, data: bytes) -> None:
    mine, theirs = copied(ours, words, data), copied(postgres, words, data)
    assert mine == theirs
    assert isinstance(mine, tuple)
    assert str(mine[0]).startswith("COPY ")


@pytest.mark.parametrize(("words", "data"), BAD)
def test_errors_are_those_of_postgres(postgres: Connection, ours: Connection, words: str, data: bytes) -> None:
    theirs = copied(postgres, words, data)
    assert copied(ours, words, data) == theirs


def test_a_key_that_is_there_already_leaves_no_row(ours: Connection) -> None:
    ours.execute("CREATE TABLE keyed_copy (k int PRIMARY KEY, v text)")
    ours.execute("INSERT INTO keyed_copy VALUES (7, 'old')")
    for data in (b"1\ta\n7\tb\n", b"3\ta\n2\tb\n3\tc\n"):
        with pytest.raises(psycopg.errors.UniqueViolation), ours.cursor().copy("COPY keyed_copy FROM STDIN") as copy:
            copy.write(data)
    assert ours.execute("SELECT * FROM keyed_copy").fetchall() == [(7, "old")]


def test_many_rows_in_pieces_of_any_size(ours: Connection) -> None:
    ours.execute("CREATE TABLE many_copied (a bigint, b text)")
    rows = [(n, f"line {n}\n" * (n % 5)) for n in range(60_000)]
    with ours.cursor().copy("COPY many_copied FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    assert ours.execute("SELECT * FROM many_copied ORDER BY a").fetchall() == rows
    ours.execute("DELETE FROM many_copied WHERE a % 2 = 0")
    assert ours.execute("SELECT count(*), sum(a) FROM many_copied").fetchone() == (30_000, 900_000_000)


EVERY = """(i2 smallint, i4 int, i8 bigint, f4 real, f8 double precision, n numeric(10,2), t text, v varchar(9),
    b bytea, d date, tm time, ts timestamp, tz timestamptz, iv interval, y boolean, u uuid, j json, jb jsonb, ai int[],
    at text[])"""
TYPES = (
    "int2", "int4", "int8", "float4", "float8", "numeric", "text", "varchar", "bytea", "date", "time", "timestamp",
    "timestamptz", "interval", "bool", "uuid", "json", "jsonb", "int4[]", "text[]",
)  # fmt: skip
ROW: tuple[Any, ...] = (
    -1, 2, 2**40, 0.5, 0.1, Decimal("12.50"), "é\t\n\\", "vc", b"\x00\xff", date(2024, 2, 29), time(1, 2, 3, 4),
    datetime(1999, 1, 1, 0, 0, 0, 1), datetime(2024, 1, 1, tzinfo=UTC), timedelta(days=1, seconds=5), True,
    UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), '{"a": 1}', '{"b": [1, 2]}', [1, None, 3], ["a", 'b"c', "NULL"],
)  # fmt: skip


def test_binary_rows_of_every_type_by_psycopg(ours: Connection) -> None:
    ours.execute(f"CREATE TABLE every_psycopg {EVERY}".encode())
    with ours.cursor().copy("COPY every_psycopg FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(TYPES)
        copy.write_row((*ROW[:16], Json({"a": 1}), Jsonb({"b": [1, 2]}), *ROW[18:]))
        copy.write_row([None] * len(ROW))
    first, second = ours.execute("SELECT * FROM every_psycopg ORDER BY i4").fetchall()
    assert first == (*ROW[:16], {"a": 1}, {"b": [1, 2]}, *ROW[18:])
    assert second == (None,) * len(ROW)


def test_records_of_every_type_by_asyncpg(served: Served) -> None:
    async def work() -> list[Any]:
        connection = await asyncpg.connect(
            host=served.host, port=served.port, user="tester", database="constellation", timeout=30
        )
        try:
            await connection.execute(f"CREATE TABLE every_asyncpg {EVERY}")
            await connection.copy_records_to_table("every_asyncpg", records=[ROW, [None] * len(ROW)])
            return list(await connection.fetch("SELECT * FROM every_asyncpg ORDER BY i4"))
        finally:
            await connection.close()

    first, second = asyncio.run(work())
    assert tuple(first) == ROW
    assert tuple(second) == (None,) * len(ROW)
