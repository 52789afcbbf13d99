"""The engine behind a buenavista server: what goes through its protocol is right, the rest is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import psycopg2
import pytest
from buenavista.postgres import BuenaVistaServer
from psycopg import sql

from constellationdb.engine.engine import Engine
from constellationdb.wire.buenavista import EngineConnection


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with Engine() as engine, BuenaVistaServer(("127.0.0.1", 0), EngineConnection(engine)) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"host=127.0.0.1 port={server.server_address[1]} user=tester dbname=constellation sslmode=disable"
        server.shutdown()
        thread.join()


@pytest.fixture
def connection(dsn: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(dsn, autocommit=True) as connected:
        yield connected


def test_a_table_and_a_view(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE sale (id bigint PRIMARY KEY, item text, price numeric(10,2), at timestamp)")
    connection.execute(
        "CREATE MATERIALIZED VIEW total AS SELECT item, sum(price) AS s, count(*) AS n FROM sale GROUP BY item"
    )
    connection.execute("INSERT INTO sale VALUES (1, 'a', 1.50, '2024-05-01'), (-2, 'b', 2, NULL), (3, 'a', 0.25, NULL)")
    rows = connection.execute("SELECT * FROM total ORDER BY item").fetchall()
    assert [(item, str(s), n) for item, s, n in rows] == [("a", "1.75", 2), ("b", "2.00", 1)]
    assert connection.execute("SELECT id, at::text FROM sale ORDER BY id").fetchall() == [
        (-2, None), (1, "2024-05-01 00:00:00"), (3, None),
    ]  # fmt: skip


def test_values_are_printed_as_postgres_prints_them(connection: psycopg.Connection) -> None:
    moments = "date '2024-02-29', time '01:02:03', timestamp '2024-02-29 12:00:00.5'"
    query = f"SELECT 1e16::float8, -7::bigint, 'x'::text, {moments}"
    with connection.cursor() as cursor:
        cursor.execute(query.encode())
        assert cursor.pgresult is not None
        printed = [cursor.pgresult.get_value(0, i) for i in range(6)]
    assert printed == [b"1e+16", b"-7", b"x", b"2024-02-29", b"01:02:03", b"2024-02-29 12:00:00.5"]


def test_a_boolean_is_text_rather_than_wrong(connection: psycopg.Connection) -> None:
    """buenavista prints true where Postgres prints t, which drivers read as false."""
    assert connection.execute("SELECT true, false, ARRAY[1, 2]").fetchone() == ("t", "f", "{1,2}")


def test_parameters(connection: psycopg.Connection) -> None:
    """Numbers; text without a declared type is taken for a date by buenavista."""
    assert connection.execute("SELECT %s::bigint + 1, %s::int", (41, -5)).fetchone() == (42, -5)
    connection.execute("CREATE TABLE IF NOT EXISTS bound (id bigint, n int)")
    connection.execute("INSERT INTO bound VALUES (%s, %s)", (7, 8))
    assert connection.execute("SELECT * FROM bound").fetchall() == [(7, 8)]


def test_transactions(dsn: str) -> None:
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE kept (id bigint)")
        connection.commit()
        cursor.execute("INSERT INTO kept VALUES (1)")
        connection.rollback()
        cursor.execute("INSERT INTO kept VALUES (2)")
        connection.commit()
        cursor.execute("SELECT id FROM kept")
        assert cursor.fetchall() == [(2,)]
    connection.close()


def test_errors_leave_the_connection_usable(connection: psycopg.Connection) -> None:
    with pytest.raises(psycopg.Error, match='relation "nowhere" does not exist'):
        connection.execute("SELECT * FROM nowhere")
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_what_its_protocol_cannot_carry_is_refused(connection: psycopg.Connection) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS copied (id bigint)")
    with pytest.raises(psycopg.Error, match="COPY is not part of buenavista's protocol"):
        connection.execute(sql.SQL("COPY copied TO STDOUT"))
    with pytest.raises(psycopg.Error, match="has no binary format in buenavista"):
        connection.execute("SELECT 1::bigint", binary=True)
