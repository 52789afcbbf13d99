"""What drivers rely on besides queries: savepoints for every statement, pools that reset, endings, administration."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, LiteralString

import asyncpg
import psycopg
import psycopg2
import pytest

from tests.clients.conftest import Served


def test_savepoints_around_every_statement(served: Served) -> None:
    """As JDBC's ``autosave=always`` and ORMs do."""
    with psycopg.connect(served.dsn) as connection:
        connection.execute("CREATE TABLE saved (id int PRIMARY KEY)")
        for value in (1, 2, 2, 3):
            try:
                with connection.transaction():
                    connection.execute("INSERT INTO saved VALUES (%s)", (value,))
            except psycopg.errors.UniqueViolation:
                pass
        assert connection.execute("SELECT id FROM saved ORDER BY id").fetchall() == [(1,), (2,), (3,)]
        connection.rollback()


def test_isolation_read_only_and_deferrable_are_psycopgs_to_set(served: Served) -> None:
    with psycopg.connect(served.dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        connection.read_only = True
        connection.deferrable = True
        row = connection.execute(
            "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only'),"
            " current_setting('transaction_deferrable')"
        ).fetchone()
        assert row == ("serializable", "on", "on")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            connection.execute("CREATE TABLE never (a int)")


def test_psycopg2_sets_its_session(served: Served) -> None:
    connection = psycopg2.connect(served.dsn)
    try:
        connection.set_session(isolation_level="SERIALIZABLE", readonly=True)
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_isolation")
            assert cursor.fetchone() == ("serializable",)
        connection.rollback()
        connection.reset()
    finally:
        connection.close()


def test_asyncpg_resets_a_pools_connection(served: Served) -> None:
    """RESET ALL, CLOSE ALL, UNLISTEN * and pg_advisory_unlock_all(), as one text."""

    async def run() -> tuple[Any, ...]:
        pool: Any = await asyncpg.create_pool(
            host=served.host, port=served.port, user="tester", database="constellation", min_size=1, max_size=1
        )
        async with pool:
            async with pool.acquire() as connection:
                await connection.execute("SET work_mem = '5MB'")
                await connection.execute("DECLARE c CURSOR WITH HOLD FOR SELECT 1")
            async with pool.acquire() as connection:
                return (
                    await connection.fetchval("SHOW work_mem"),
                    await connection.fetchval("SELECT count(*) FROM pg_cursors"),
                )

    assert asyncio.run(run()) == ("4MB", 0)


def test_an_administrator_ends_a_connection(served: Served) -> None:
    with psycopg.connect(served.dsn, autocommit=True) as admin, psycopg.connect(served.dsn) as victim:
        victim.execute("SELECT 1")
        pid = victim.info.backend_pid
        rows = admin.execute("SELECT state, query FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchall()
        assert rows == [("idle in transaction", "SELECT 1")]
        assert admin.execute("SELECT pg_terminate_backend(%s)", (pid,)).fetchone() == (True,)
        with pytest.raises(psycopg.errors.AdminShutdown, match="terminating connection due to administrator command"):
            victim.execute("SELECT 1")
        assert admin.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone() == (0,)
        victim.close()


def test_temporary_tables_go_with_their_connection(served: Served) -> None:
    with psycopg.connect(served.dsn, autocommit=True) as first:
        first.execute("CREATE TEMP TABLE mine (a int)")
        first.execute("INSERT INTO mine VALUES (1)")
        with psycopg.connect(served.dsn, autocommit=True) as second:
            with pytest.raises(psycopg.errors.UndefinedTable):
                second.execute("SELECT * FROM mine")
            second.execute("CREATE TEMP TABLE mine AS SELECT 'other' AS b")
            assert second.execute("SELECT b FROM mine").fetchone() == ("other",)
        assert first.execute("SELECT a FROM mine").fetchone() == (1,)


@pytest.mark.parametrize(("statement", "about"), [
    ("INSERT INTO about_t VALUES (1, true), (1, true)", ("public", "about_t", None, "about_t_pkey")),
    ("INSERT INTO about_t VALUES (2, NULL)", ("public", "about_t", "b", None)),
    ("INSERT INTO about_s.t VALUES (1, 1), (1, 2)", ("about_s", "t", None, "t_a_key")),
    ("INSERT INTO about_s.t VALUES (1, 0)", ("about_s", "t", None, "t_b_check")),
    ("INSERT INTO about_s.t VALUES (NULL, 1)", ("about_s", "t", "a", None)),
    ("ALTER TABLE about_s.full ADD CHECK (a > 1)", ("about_s", "full", None, "full_a_check")),
    ("ALTER TABLE about_s.full ADD UNIQUE (a)", ("about_s", "full", None, "full_a_key")),
    ("ALTER TABLE about_s.full ALTER b SET NOT NULL", ("about_s", "full", "b", None)),
    ("SELECT 1 / 0", (None, None, None, None)),
])  # fmt: skip
def test_a_program_learns_what_an_error_is_about(
    either: Served, statement: LiteralString, about: tuple[str | None, ...]
) -> None:
    with psycopg.connect(either.dsn) as connection:
        connection.execute("CREATE TABLE about_t (a int PRIMARY KEY, b bool NOT NULL)")
        connection.execute("CREATE SCHEMA about_s")
        connection.execute("CREATE TABLE about_s.t (a int UNIQUE NOT NULL, b int CHECK (b > 0))")
        connection.execute("CREATE TABLE about_s.full AS SELECT 1 AS a, NULL::int AS b FROM generate_series(1, 2)")
        with pytest.raises(psycopg.Error) as caught:
            connection.execute(statement)
        said = caught.value.diag
        assert (said.schema_name, said.table_name, said.column_name, said.constraint_name) == about
        connection.rollback()


def test_a_sleep_ends_by_itself_by_a_timeout_and_by_a_cancel(either: Served) -> None:
    with psycopg.connect(either.dsn, autocommit=True) as connection:
        slept = connection.execute("SELECT pg_sleep(0), pg_sleep(0.01), pg_sleep(-1), pg_sleep(NULL)").fetchall()
        assert slept == [("", "", "", None)]
        connection.execute("SET statement_timeout = '100ms'")
        with pytest.raises(psycopg.errors.QueryCanceled, match="due to statement timeout"):
            connection.execute("SELECT pg_sleep(600)")
        connection.execute("RESET statement_timeout")
        cancel = threading.Timer(0.2, connection.cancel_safe)
        cancel.start()
        with pytest.raises(psycopg.errors.QueryCanceled, match="due to user request"):
            connection.execute("SELECT pg_sleep(600)")
        cancel.join()
        assert connection.execute("SELECT 1").fetchall() == [(1,)]
