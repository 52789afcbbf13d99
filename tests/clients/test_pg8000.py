"""pg8000, a driver in pure Python: every statement by the extended protocol, values as text."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

import pg8000.dbapi
import pg8000.native
import psycopg
import pytest

from tests.clients.conftest import Served


@pytest.fixture
def connection(either: Served) -> Iterator[Any]:
    opened = pg8000.dbapi.connect(either.user, either.host, either.database, either.port)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def native(either: Served) -> Iterator[Any]:
    with pg8000.native.Connection(either.user, either.host, either.database, either.port) as opened:
        yield opened


def test_values_both_ways(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(
        "CREATE TABLE pg8000_values (i int, b bigint, y bool, f float8, m numeric(8,2), t text, x bytea, d date,"
        " ts timestamp, tz timestamptz, u uuid, j jsonb, ia int[], ta text[])"
    )
    row = [
        1, 2**40, True, 0.1, Decimal("12.50"), "it's é", b"\x00\xff", date(2024, 2, 29), datetime(2024, 2, 29, 1, 2, 3),
        datetime(2024, 1, 1, tzinfo=UTC), UUID(int=7), {"a": [1, None]}, [1, None, 3], ["a b", None, 'd"e\\,'],
    ]  # fmt: skip
    cursor.execute(
        f"INSERT INTO pg8000_values VALUES ({', '.join(['%s'] * 14)})", (*row[:11], '{"a": [1, null]}', *row[12:])
    )
    cursor.execute(f"INSERT INTO pg8000_values VALUES ({', '.join(['%s'] * 14)})", [None] * 14)
    cursor.execute("SELECT * FROM pg8000_values ORDER BY i")
    assert [list(found) for found in cursor.fetchall()] == [row, [None] * 14]
    assert [column[0] for column in cursor.description][:3] == ["i", "b", "y"]
    connection.rollback()


def test_a_transaction_fails_and_the_connection_goes_on(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("CREATE TABLE pg8000_rows (n int PRIMARY KEY)")
    cursor.executemany("INSERT INTO pg8000_rows VALUES (%s)", [(n,) for n in range(100)])
    connection.commit()
    with pytest.raises(pg8000.dbapi.DatabaseError) as caught:
        cursor.execute("INSERT INTO pg8000_rows VALUES (%s)", (7,))
    assert caught.value.args[0]["C"] == "23505"
    assert caught.value.args[0]["M"] == 'duplicate key value violates unique constraint "pg8000_rows_pkey"'
    with pytest.raises(pg8000.dbapi.DatabaseError, match="25P02"):
        cursor.execute("SELECT 1")
    connection.rollback()
    cursor.execute("DELETE FROM pg8000_rows WHERE n >= %s RETURNING n", (98,))
    assert sorted(cursor.fetchall()) == [[98], [99]]
    assert cursor.rowcount == 2
    connection.commit()
    cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_name LIKE 'pg8000_r%'")
    assert list(cursor.fetchall()) == [["pg8000_rows"]]
    cursor.execute("DROP TABLE pg8000_rows")
    connection.commit()


def test_named_parameters_and_prepared_statements(native: Any) -> None:
    assert native.run("SELECT :a::int + :b::int AS n, :t::text", a=40, b=2, t=None) == [[42, None]]
    prepared = native.prepare("SELECT :n::int * 2")
    assert [prepared.run(n=n) for n in range(10)] == [[[n * 2]] for n in range(10)]
    prepared.close()
    assert native.run("SELECT 1 AS a; SELECT 2 AS b")[-1] == [2]


def test_copy_both_ways(native: Any) -> None:
    native.run("CREATE TEMP TABLE pg8000_copied (a int, b text)")
    native.run("COPY pg8000_copied FROM STDIN WITH (FORMAT csv)", stream=BytesIO(b"1,x\n2,\n"))
    assert native.row_count == 2
    out = BytesIO()
    native.run("COPY pg8000_copied TO STDOUT", stream=out)
    assert out.getvalue() == b"1\tx\n2\t\\N\n"


def test_times_and_intervals(native: Any) -> None:
    assert native.run("SELECT interval '1 day 2 hours', '12:30'::time")[0][1] == time(12, 30)


def test_a_cancelled_statement(either: Served, native: Any) -> None:
    (pid,) = native.run("SELECT pg_backend_pid()")[0]
    with psycopg.connect(either.dsn, autocommit=True) as other:
        timer = threading.Timer(0.3, lambda: other.execute("SELECT pg_cancel_backend(%s)", (pid,)))
        timer.start()
        with pytest.raises(pg8000.native.DatabaseError, match="57014"):
            native.run(
                "WITH RECURSIVE t(n) AS (SELECT 1::bigint UNION ALL SELECT n + 1 FROM t WHERE n < 1000000000)"
                " SELECT count(*) FROM t"
            )
        timer.join()
    assert native.run("SELECT 1") == [[1]]


def test_changes_by_a_cursor(served: Served) -> None:
    with pg8000.native.Connection(served.user, served.host, served.database, served.port) as connection:
        connection.run("CREATE TABLE pg8000_stream (n int)")
        connection.run("INSERT INTO pg8000_stream VALUES (1), (2)")
        connection.run("DECLARE c CURSOR WITH HOLD FOR SUBSCRIBE pg8000_stream")
        rows = connection.run("FETCH 2 FROM c WITH (timeout = '20s')")
        assert sorted(row[-1] for row in rows) == [1, 2]
        connection.run("CLOSE c")
        connection.run("DROP TABLE pg8000_stream")
