"""Named subscriptions through drivers: their COMMIT or their next FETCH acknowledges, whichever protocol they speak."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import asyncpg
import psycopg
import pytest
from psycopg.errors import DivisionByZero, ObjectInUse, QueryCanceled

from tests.clients.conftest import Served

DECLARE = "DECLARE c SUBSCRIPTION CURSOR FOR news"


@pytest.fixture
def news(served: Served) -> Iterator[str]:
    """A subscription to a table of 1, 2 and 3."""
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        connection.execute("CREATE TABLE paper (n int PRIMARY KEY)")
        connection.execute("INSERT INTO paper VALUES (1), (2), (3)")
        connection.execute("CREATE SUBSCRIPTION news FROM paper")
    yield served.dsn
    with psycopg.connect(served.dsn, autocommit=True) as connection:
        connection.execute("DROP TABLE paper CASCADE")


def fetched(connection: psycopg.Connection, text: str) -> list[int]:
    return [row[-1] for row in connection.execute(text.encode())]


def pipelined(connection: psycopg.Connection, *texts: str) -> None:
    with connection.pipeline():
        for text in texts:
            connection.execute(text.encode())


def test_psycopg_commits(news: str) -> None:
    with psycopg.connect(news) as connection:
        connection.execute(DECLARE)
        assert fetched(connection, "FETCH 1 FROM c") == [1]
        connection.commit()
        assert fetched(connection, "FETCH 1 FROM c") == [2]
        connection.rollback()
        assert fetched(connection, "FETCH 1 FROM c") == [2]
    with psycopg.connect(news, autocommit=True) as connection:
        connection.execute(DECLARE)
        assert fetched(connection, "FETCH 5 FROM c") == [3], "leaving the block has committed"


def test_what_a_pipeline_loses_comes_again(news: str) -> None:
    """Sync is the end of a unit of work: one that fails acknowledges nothing, also not to its second FETCH."""
    with psycopg.connect(news, autocommit=True) as connection:
        connection.execute(DECLARE)
        with pytest.raises(DivisionByZero):
            pipelined(connection, "FETCH 1 FROM c", "FETCH 1 FROM c", "SELECT 1 / 0")
        assert fetched(connection, "FETCH 2 FROM c") == [1, 2]


@pytest.mark.usefixtures("news")
def test_asyncpg_prepares_its_fetches(served: Served) -> None:
    async def read() -> list[list[int]]:
        connection = await asyncpg.connect(served.url())
        try:
            await connection.execute(DECLARE)
            found = [[row["n"] for row in await connection.fetch("FETCH 2 FROM c")] for _ in range(2)]
            async with connection.transaction():
                late = await connection.fetch("FETCH 2 FROM c WITH (timeout = '0s')")
            return [*found, [row["n"] for row in late]]
        finally:
            await connection.close()

    assert asyncio.run(read()) == [[1, 2], [3], []]


def test_a_cancelled_fetch_has_taken_nothing(news: str) -> None:
    with psycopg.connect(news, autocommit=True) as connection:
        connection.execute(DECLARE)
        timer = threading.Timer(0.3, connection.cancel_safe)
        timer.start()
        with pytest.raises(QueryCanceled):
            fetched(connection, "FETCH 5 FROM c WITH (timeout = '60s')")
        timer.join()
        assert fetched(connection, "FETCH 5 FROM c") == [1, 2, 3]


def test_a_connection_that_waits_and_is_lost(news: str) -> None:
    """The subscription is free for another one, which gets what the first was given last."""
    lost = psycopg.connect(news, autocommit=True)
    lost.execute(DECLARE)
    assert fetched(lost, "FETCH 1 FROM c") == [1]
    assert fetched(lost, "FETCH 5 FROM c") == [2, 3]
    with psycopg.connect(news, autocommit=True) as connection:
        with pytest.raises(ObjectInUse, match='subscription "news" is active for PID'):
            connection.execute(DECLARE)
        lost.pgconn.finish()
        reader = b"SELECT pid FROM constellation.subscriptions WHERE name = 'news'"
        while connection.execute(reader).fetchone() != (None,):
            pass
        connection.execute(DECLARE)
        assert fetched(connection, "FETCH 5 FROM c") == [2, 3]
