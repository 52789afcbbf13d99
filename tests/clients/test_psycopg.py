"""psycopg 3: default and autocommit modes, parameters, pipeline, server-side prepare, COPY, cancel, async.

Cancels go through ``cancel_safe``: the older ``cancel`` holds the interpreter
lock until the server answers, and here the server lives in the same process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from tests.clients.conftest import Served


@pytest.fixture
def connection(served: Served) -> Iterator[psycopg.Connection]:
    with psycopg.connect(served.dsn, autocommit=True) as connected:
        yield connected


def one(connection: psycopg.Connection, sql: str, *parameters: object, binary: bool = False) -> tuple[object, ...]:
    row = connection.execute(sql.encode(), parameters or None, binary=binary).fetchone()
    assert row is not None
    return row


@pytest.mark.parametrize("binary", [False, True])
def test_values_of_every_type(connection: psycopg.Connection, binary: bool) -> None:
    sql = """
        SELECT 1::int AS i, 2::bigint AS b, 0.1::double AS d, 'é' AS t, true AS y, NULL AS n,
               CAST(1.50 AS decimal(10,2)) AS m, DATE '2024-02-29' AS dt,
               TIMESTAMP '2024-02-29 12:34:56.789' AS ts, INTERVAL '1 day 2 hours' AS iv
    """
    assert one(connection, sql, binary=binary) == (
        1, 2, 0.1, "é", True, None, Decimal("1.50"), date(2024, 2, 29),
        datetime(2024, 2, 29, 12, 34, 56, 789_000), timedelta(days=1, hours=2),
    )  # fmt: skip


def test_parameters_of_several_types(connection: psycopg.Connection) -> None:
    sql = "SELECT %s::int + 1 AS a, %s::text AS b, %s::double AS c, %s::bool AS d, %s::text AS e, %s::timestamptz AS f"
    now = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert one(connection, sql, 41, "it's", 2.5, True, None, now) == (42, "it's", 2.5, True, None, now)


def test_binary_parameters(connection: psycopg.Connection) -> None:
    assert one(connection, "SELECT %b::int AS a, %b::text AS b, %b::double AS c", 7, "x", 0.5) == (7, "x", 0.5)


def status(connection: psycopg.Connection) -> str:
    return connection.info.transaction_status.name


def test_the_default_mode_is_a_transaction(served: Served) -> None:
    with psycopg.connect(served.dsn) as connection:
        assert status(connection) == "IDLE"
        connection.execute("SELECT 1 AS n")
        assert status(connection) == "INTRANS"
        with pytest.raises(psycopg.errors.SyntaxError) as caught:
            connection.execute("SELEC")
        assert caught.value.diag.source_function == "CON-1001"
        assert status(connection) == "INERROR"
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            connection.execute("SELECT 1 AS n")
        connection.rollback()
        assert connection.execute("SELECT 2 AS n").fetchone() == (2,)


def test_several_results_of_one_query(connection: psycopg.Connection) -> None:
    cursor = connection.execute("SELECT 1 AS a; SELECT 2 AS b")
    assert cursor.fetchall() == [(1,)]
    assert cursor.nextset()
    assert cursor.fetchall() == [(2,)]


def test_a_statement_prepared_on_the_server(connection: psycopg.Connection) -> None:
    for n in range(20):
        assert connection.execute("SELECT %s::int + 1 AS n", (n,), prepare=True).fetchone() == (n + 1,)


def test_pipeline_mode(connection: psycopg.Connection) -> None:
    with connection.pipeline() as pipeline:
        cursors = [connection.execute("SELECT %s::int AS n", (n,)) for n in range(50)]
        pipeline.sync()
        assert [cursor.fetchone() for cursor in cursors] == [(n,) for n in range(50)]


def test_a_pipeline_skips_after_an_error_and_recovers(connection: psycopg.Connection) -> None:
    # The error may come back while the second statement is still being sent.
    with pytest.raises(psycopg.errors.SyntaxError), connection.pipeline() as pipeline:  # noqa: PT012
        connection.execute("SELEC %s", (1,))
        connection.execute("SELECT %s::int AS n", (1,))
        pipeline.sync()
    assert one(connection, "SELECT 1 AS n") == (1,)


def test_the_statements_of_a_pipeline_are_one_transaction(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE piped (n int PRIMARY KEY)")
    with pytest.raises(psycopg.errors.UniqueViolation), connection.pipeline() as pipeline:  # noqa: PT012
        for n in (1, 2, 1):
            connection.execute("INSERT INTO piped VALUES (%s)", (n,))
        pipeline.sync()
    assert one(connection, "SELECT count(*) AS n FROM piped") == (0,)
    with connection.pipeline():
        for n in range(200):
            connection.execute("INSERT INTO piped VALUES (%s)", (n,))
    assert one(connection, "SELECT count(*) AS n FROM piped") == (200,)


def test_stream_reads_row_by_row(connection: psycopg.Connection) -> None:
    rows = connection.cursor().stream("SELECT value AS n FROM range(1000) ORDER BY value")
    assert [row[0] for row in rows] == list(range(1000))


def test_executemany_and_copy(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE loaded (a text, b text)")
    cursor = connection.cursor()
    with cursor.copy("COPY loaded FROM STDIN") as copy:
        for n in range(1000):
            copy.write_row((n, None if n % 2 else "tab\there"))
    assert cursor.statusmessage == "COPY 1000"
    with cursor.copy("COPY (SELECT a, b FROM loaded) TO STDOUT") as copy:
        rows = sorted(copy.rows(), key=lambda row: int(row[0]))
    assert rows == [(str(n), None if n % 2 else "tab\there") for n in range(1000)]


def test_a_copy_given_up_inserts_nothing(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE given_up (a text)")

    def give_up() -> None:
        with connection.cursor().copy("COPY given_up FROM STDIN") as copy:
            copy.write("1\n")
            raise LookupError("no more rows")

    with pytest.raises(LookupError):
        give_up()
    assert one(connection, "SELECT count(*) AS n FROM given_up") == (0,)


def test_cancel_keeps_the_connection(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE quiet (n int)")
    timer = threading.Timer(0.2, connection.cancel_safe)
    timer.start()
    with pytest.raises(psycopg.errors.QueryCanceled):
        connection.execute("SUBSCRIBE quiet")
    timer.join()
    assert one(connection, "SELECT 1 AS n") == (1,)


def test_an_endless_stream_is_read_as_it_comes_and_canceled(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE streamed (n int)")
    connection.execute("INSERT INTO streamed VALUES (0), (1), (2)")
    rows = connection.cursor().stream("SUBSCRIBE streamed")
    assert sorted(next(rows)[-1] for _ in range(3)) == [0, 1, 2]
    connection.cancel_safe()
    with pytest.raises(psycopg.errors.QueryCanceled):
        next(rows)
    assert one(connection, "SELECT 1 AS n") == (1,)


def test_many_connections_at_once(served: Served) -> None:
    async def ask(n: int) -> object:
        async with await psycopg.AsyncConnection.connect(served.dsn) as connection:
            cursor = await connection.execute("SELECT %s::int AS n", (n,))
            row = await cursor.fetchone()
            assert row is not None
            return row[0]

    async def ask_all() -> list[object]:
        return await asyncio.gather(*(ask(n) for n in range(50)))

    assert asyncio.run(ask_all()) == list(range(50))


@pytest.mark.parametrize(("values", "found"), [([1, 3], [1, 3]), ([], []), ([2**40, 2], [2])])
def test_any_of_a_list(connection: psycopg.Connection, values: list[int], found: list[int]) -> None:
    sql = "SELECT x FROM (VALUES (1), (2), (3)) v(x) WHERE x = ANY(%s) ORDER BY x"
    assert [x for (x,) in connection.execute(sql, [values])] == found


def test_any_of_texts(connection: psycopg.Connection) -> None:
    sql = "SELECT x FROM (VALUES ('a'), ('b c'), ('d\"e')) v(x) WHERE x = ANY(%s) ORDER BY x"
    assert [x for (x,) in connection.execute(sql, [["b c", 'd"e', "z"]])] == ["b c", 'd"e']


def test_listen_says_that_nothing_will_come_and_notify_is_refused(connection: psycopg.Connection) -> None:
    notices: list[str] = []
    connection.add_notice_handler(lambda told: notices.append(told.message_primary or ""))
    connection.execute("LISTEN news")
    assert notices == ["notifications are not supported; LISTEN has no effect"]
    assert list(connection.notifies(timeout=0)) == []
    with pytest.raises(psycopg.errors.FeatureNotSupported):
        connection.execute("NOTIFY news")
    connection.execute("UNLISTEN *")


def test_a_pipeline_of_inserts_with_returning_and_a_transaction(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE pipe_rows (n int PRIMARY KEY, t text)")
    with connection.pipeline(), connection.transaction():
        cursor = connection.cursor()
        rows = [(n, f"row {n}") for n in range(50)]
        cursor.executemany("INSERT INTO pipe_rows VALUES (%s, %s) RETURNING n", rows, returning=True)
        found = [cursor.fetchone()]
        while cursor.nextset():
            found.append(cursor.fetchone())
    assert found == [(n,) for n in range(50)]
    with pytest.raises(psycopg.errors.DivisionByZero), connection.pipeline(), connection.transaction():  # noqa: PT012
        connection.execute("DELETE FROM pipe_rows")
        connection.execute("SELECT 1 / %s::int", (0,)).fetchone()
    assert one(connection, "SELECT count(*) FROM pipe_rows") == (50,)


def test_prepare_may_itself_be_prepared(connection: psycopg.Connection) -> None:
    connection.execute("PREPARE plus (int) AS SELECT $1 + 1", prepare=True)
    assert one(connection, "EXECUTE plus (41)") == (42,)
