"""Cursors as drivers know them: psycopg's and psycopg2's named ones, asyncpg's portals, psql's FETCH_COUNT."""

from __future__ import annotations

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import asyncpg
import psycopg
import psycopg2
import pytest

from tests.clients.conftest import Served
from tests.postgres_fixture import postgres_program


@pytest.fixture(scope="module")
def numbers(served: Served) -> Iterator[str]:
    """A table of 1 … 1000."""
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE cursor_numbers (n int PRIMARY KEY)")
        connection.execute("INSERT INTO cursor_numbers SELECT n FROM generate_series(1, 1000) AS g(n)")
        yield "cursor_numbers"
        connection.execute("DROP TABLE cursor_numbers")


@pytest.fixture
def connection(served: Served) -> Iterator[psycopg.Connection]:
    with psycopg.connect(served.dsn) as connected:
        yield connected


@pytest.mark.parametrize("binary", [False, True])
def test_psycopg_reads_in_pieces(connection: psycopg.Connection, numbers: str, binary: bool) -> None:
    with connection.cursor(name="pieces", binary=binary) as cursor:
        cursor.itersize = 300
        cursor.execute(f"SELECT n FROM {numbers} ORDER BY n".encode())
        assert cursor.description is not None
        assert cursor.description[0].name == "n"
        assert cursor.fetchone() == (1,)
        assert [row[0] for row in cursor.fetchmany(3)] == [2, 3, 4]
        assert [row[0] for row in cursor] == list(range(5, 1001))


def test_psycopg_scrolls(connection: psycopg.Connection, numbers: str) -> None:
    with connection.cursor(name="back", scrollable=True) as cursor:
        cursor.execute(f"SELECT n FROM {numbers} ORDER BY n".encode())
        cursor.scroll(998)
        assert [row[0] for row in cursor.fetchall()] == [999, 1000]
        cursor.scroll(10, mode="absolute")
        assert cursor.fetchone() == (11,)
        cursor.scroll(-2)
        assert cursor.fetchone() == (10,)
    with connection.cursor(name="onward", scrollable=False) as cursor:
        cursor.execute(f"SELECT n FROM {numbers} ORDER BY n".encode())
        cursor.fetchone()
        with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState):
            cursor.scroll(-1)


def test_psycopg_holds_one_over_commit(connection: psycopg.Connection, numbers: str) -> None:
    with connection.cursor(name="held", withhold=True) as cursor:
        cursor.execute(f"SELECT n FROM {numbers} WHERE n <= %s ORDER BY n".encode(), (4,))
        assert cursor.fetchone() == (1,)
        connection.commit()
        connection.execute(f"DELETE FROM {numbers} WHERE n = 3".encode())
        assert [row[0] for row in cursor.fetchall()] == [2, 3, 4]
    connection.rollback()


def test_psycopg_takes_over_a_cursor_that_sql_declared(connection: psycopg.Connection, numbers: str) -> None:
    connection.execute(f"DECLARE mine SCROLL CURSOR FOR SELECT n FROM {numbers} ORDER BY n".encode())
    cursor = psycopg.ServerCursor(connection, "mine")
    assert [row[0] for row in cursor.fetchmany(2)] == [1, 2]
    assert connection.execute("SELECT is_scrollable FROM pg_cursors WHERE name = 'mine'").fetchone() == (True,)
    cursor.close()
    assert connection.execute("SELECT count(*) FROM pg_cursors").fetchone() == (0,)


def test_a_named_cursor_follows_a_subscription(served: Served, connection: psycopg.Connection) -> None:
    with psycopg.connect(served.dsn, autocommit=True) as writer:
        writer.execute("CREATE TABLE followed (n int)")
        connection.execute("DECLARE changes CURSOR FOR SUBSCRIBE followed")
        for n in range(3):
            writer.execute("INSERT INTO followed VALUES (%s)", (n,))
        rows = connection.execute("FETCH 3 FROM changes WITH (timeout = '20s')").fetchall()
        assert [row[-1] for row in rows] == [0, 1, 2]
        assert connection.execute("FETCH ALL FROM changes WITH (timeout = '0s')").fetchall() == []
        connection.rollback()
        writer.execute("DROP TABLE followed")


def test_a_cancelled_fetch_loses_nothing(served: Served) -> None:
    with psycopg.connect(served.dsn, autocommit=True) as reader, psycopg.connect(served.dsn, autocommit=True) as writer:
        writer.execute("CREATE TABLE patient (n int)")
        writer.execute("INSERT INTO patient VALUES (1), (2)")
        reader.execute("DECLARE c CURSOR WITH HOLD FOR SUBSCRIBE patient")
        timer = threading.Timer(0.3, reader.cancel_safe)
        timer.start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            reader.execute("FETCH 3 FROM c WITH (timeout = '100s')")
        timer.join()
        writer.execute("INSERT INTO patient VALUES (3)")
        rows = reader.execute("FETCH 3 FROM c WITH (timeout = '20s')").fetchall()
        assert [row[-1] for row in rows] == [1, 2, 3]
        reader.execute("CLOSE c")
        writer.execute("DROP TABLE patient")


def test_psycopg2_named_cursor(served: Served, numbers: str) -> None:
    connection = psycopg2.connect(served.dsn)
    try:
        with connection.cursor(name="old", scrollable=True) as cursor:
            cursor.itersize = 400
            cursor.execute(f"SELECT n FROM {numbers} ORDER BY n")
            assert [row[0] for row in cursor] == list(range(1, 1001))
            cursor.scroll(-3)
            assert cursor.fetchone() == (999,)
        connection.rollback()
        with connection.cursor(name="kept", withhold=True) as cursor:
            cursor.execute(f"SELECT n FROM {numbers} WHERE n < 3 ORDER BY n")
            connection.commit()
            assert cursor.fetchall() == [(1,), (2,)]
    finally:
        connection.close()


def test_asyncpg_moves_and_fetches(served: Served, numbers: str) -> None:
    async def run() -> list[list[int]]:
        connection: Any = await asyncpg.connect(
            host=served.host, port=served.port, user="tester", database="constellation", timeout=30
        )
        try:
            async with connection.transaction():
                cursor = await connection.cursor(f"SELECT n FROM {numbers} ORDER BY n")
                first = [row["n"] for row in await cursor.fetch(2)]
                skipped = [await cursor.forward(5)]
                then = [row["n"] for row in await cursor.fetch(2)]
                every = [
                    row["n"] async for row in connection.cursor(f"SELECT n FROM {numbers} ORDER BY n", prefetch=70)
                ]
            return [first, skipped, then, every]
        finally:
            await connection.close()

    assert asyncio.run(run()) == [[1, 2], [5], [8, 9], list(range(1, 1001))]


def test_psql_reads_through_a_cursor(served: Served, numbers: str) -> None:
    script = f"\\set FETCH_COUNT 300\nSELECT n FROM {numbers} ORDER BY n;\n"
    command = [str(postgres_program("psql")), "-X", "-q", "-At", served.dsn]
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    assert done.stdout.split() == [str(n) for n in range(1, 1001)]
