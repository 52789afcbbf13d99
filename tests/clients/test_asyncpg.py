"""asyncpg: binary in both directions, statement cache, cursors over portals, pool reset, COPY."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from tests.clients.conftest import Served

Ask = Callable[[Callable[[Any], Awaitable[Any]]], Any]


@pytest.fixture
def ask(served: Served) -> Ask:
    """Runs a coroutine function with a connection."""

    def run(work: Callable[[Any], Awaitable[Any]]) -> Any:
        async def connected() -> Any:
            connection = await asyncpg.connect(
                host=served.host, port=served.port, user="tester", database="constellation", timeout=30
            )
            try:
                return await work(connection)
            finally:
                await connection.close()

        return asyncio.run(connected())

    return run


def test_values_of_every_type(ask: Ask) -> None:
    sql = """
        SELECT 1::int AS i, 1099511627776::bigint AS b, 0.1::double AS d, 'é' AS t, true AS y,
               CAST(1.50 AS decimal(10,2)) AS m, DATE '2024-02-29' AS dt,
               TIMESTAMP '2024-02-29 12:34:56.789' AS ts, INTERVAL '1 day 2 hours' AS iv, NULL AS n
    """
    row = ask(lambda connection: connection.fetchrow(sql))
    assert tuple(row) == (
        1, 2**40, 0.1, "é", True, Decimal("1.50"), date(2024, 2, 29),
        datetime(2024, 2, 29, 12, 34, 56, 789_000), timedelta(days=1, hours=2), None,
    )  # fmt: skip


def test_text_parameters(ask: Ask) -> None:
    sql = "SELECT $1::text AS a, $2::text AS b, $1::text AS c"
    assert tuple(ask(lambda connection: connection.fetchrow(sql, "it's", None))) == ("it's", None, "it's")


def test_parameters_have_the_type_of_their_cast(ask: Ask) -> None:
    sql = "SELECT $1::int AS i, $2::bigint AS b, $3::double AS d, $4::bool AS y"
    assert tuple(ask(lambda connection: connection.fetchrow(sql, 1, 2**40, 0.1, True))) == (1, 2**40, 0.1, True)


def test_executemany_is_one_pipeline(ask: Ask) -> None:
    async def work(connection: Any) -> Any:
        await connection.execute("CREATE TABLE many (a text, b text)")
        await connection.executemany(
            "INSERT INTO many VALUES ($1::text, $2::text)", [(str(n), "x") for n in range(100)]
        )
        return await connection.fetchval("SELECT count(*) AS n FROM many")

    assert ask(work) == 100


def test_a_cursor_reads_in_pieces(ask: Ask) -> None:
    async def work(connection: Any) -> Any:
        async with connection.transaction():
            sql = "SELECT value AS n FROM range(1000) ORDER BY value"
            return [row["n"] async for row in connection.cursor(sql, prefetch=77)]

    assert ask(work) == list(range(1000))


def test_errors_have_their_class_and_the_connection_goes_on(ask: Ask) -> None:
    async def work(connection: Any) -> Any:
        with pytest.raises(asyncpg.exceptions.PostgresSyntaxError):
            await connection.fetch("SELEC")
        return await connection.fetchval("SELECT 1 AS n")

    assert ask(work) == 1


def test_a_timeout_cancels_the_statement(ask: Ask) -> None:
    async def work(connection: Any) -> Any:
        await connection.execute("CREATE TABLE silent (n int)")
        with pytest.raises(asyncio.TimeoutError):
            await connection.fetch("SUBSCRIBE silent", timeout=0.2)
        return await connection.fetchval("SELECT 1 AS n")

    assert ask(work) == 1


def test_a_pool_resets_its_connections(served: Served) -> None:
    async def work() -> list[str]:
        pool = asyncpg.create_pool(
            host=served.host, port=served.port, user="tester", database="constellation", min_size=2, max_size=2
        )
        async with pool:
            return list(await asyncio.gather(*(pool.fetchval("SELECT $1::text AS n", str(n)) for n in range(20))))

    assert asyncio.run(work()) == [str(n) for n in range(20)]


def test_copy_out_of_a_query(ask: Ask) -> None:
    async def work(connection: Any) -> bytes:
        pieces: list[bytes] = []

        async def keep(data: bytes) -> None:
            pieces.append(data)

        await connection.copy_from_query("SELECT 1 AS a, 'x' AS b", output=keep, format="csv")
        return b"".join(pieces)

    assert ask(work) == b"1,x\n"


def test_one_row_of_a_source_is_what_is_there(ask: Ask) -> None:
    async def rows(connection: Any) -> list[Any]:
        await connection.execute("CREATE SOURCE asyncpg_push (a int)")
        await connection.execute(
            "CREATE SOURCE asyncpg_few WITH (connector = 'generator', preset = 'market', \"limit\" = '3')"
        )
        found = [await connection.fetchrow(f"SELECT * FROM {name}") for name in ("asyncpg_push", "asyncpg_few")]
        await connection.execute("DROP SOURCE asyncpg_push; DROP SOURCE asyncpg_few")
        return found

    none, one = ask(rows)
    assert none is None
    assert one is not None
