"""A Postgres that is slow, locked, cut off or changed: rows wait for it, nothing else does, nothing is made up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

import constellationdb
from constellationdb.embedded import Database
from tests.unit.lookups.conftest import eventually, rows
from tests.unit.lookups.watched import Watched

STATUS = "SELECT rows_waiting, error FROM constellation.lookups WHERE name = 'dim'"


@pytest.fixture
def server(postgres: str) -> Iterator[Watched]:
    watched = Watched(postgres)
    watched.run("DROP TABLE IF EXISTS dim; CREATE TABLE dim (k int PRIMARY KEY, v text)")
    watched.run("INSERT INTO dim VALUES (1, 'one'), (2, 'two'), (3, 'three')")
    yield watched
    watched.connection.close()


@contextmanager
def locked(dsn: str) -> Iterator[None]:
    """Nobody can read ``dim`` in the meantime: a query of it hangs."""
    with psycopg.connect(dsn) as holder:
        holder.execute("LOCK TABLE dim IN ACCESS EXCLUSIVE MODE")
        yield


def make(server: Watched, database: Database, **options: str) -> None:
    database.execute(f"CREATE LOOKUP TABLE dim (k int PRIMARY KEY, v text) {server.options('dim', **options)}")
    database.execute("CREATE TABLE s (n int PRIMARY KEY, k int)")
    database.execute("CREATE MATERIALIZED VIEW joined AS SELECT s.n, dim.v FROM s LEFT JOIN dim ON dim.k = s.k")


def until_it_hangs(server: Watched) -> None:
    """A lookup's query stands before the lock."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'constellation'"
        " AND wait_event_type = 'Lock' AND query LIKE '%FROM \"dim\"%'"
    )
    while server.rows(query) == [(0,)]:
        server.run("SELECT pg_sleep(0.02)")


def test_a_hanging_lookup_stops_no_other_view_no_dml_and_no_select(
    server: Watched, database: Database, postgres: str
) -> None:
    make(server, database, statement_timeout="10min")
    database.execute("CREATE TABLE t (n int)")
    database.execute("CREATE MATERIALIZED VIEW sums AS SELECT count(*) AS n, sum(t.n) AS total FROM t")
    database.execute("CREATE MATERIALIZED VIEW per_key AS SELECT k, count(*) AS n FROM s GROUP BY k")
    with locked(postgres), database.subscribe("sums") as feed:
        database.execute("INSERT INTO s VALUES (1, 1), (2, 9)")
        until_it_hangs(server)
        total = 0
        for n in range(1, 101):
            total += n
            database.execute(f"INSERT INTO t VALUES ({n})")
            assert rows(database, "SELECT * FROM sums") == [(n, total)]
        database.execute("UPDATE s SET k = 2 WHERE n = 1")
        assert rows(database, "SELECT * FROM per_key ORDER BY k") == [(2, 1), (9, 1)]
        database.execute("CREATE MATERIALIZED VIEW late AS SELECT max(n) AS n FROM t")
        assert rows(database, "SELECT * FROM late") == [(100,)]
        seen = (0, 0)
        while seen != (100, total):
            changes = feed.next(60)
            assert changes is not None
            seen = next((int(row[0]), int(row[1])) for weight, row in changes if weight > 0)
        assert rows(database, "SELECT * FROM joined") == []
        assert rows(database, STATUS) == [(2, None)]
    eventually(database, "SELECT * FROM joined ORDER BY n", [(1, "two"), (2, None)].__eq__)


def test_a_query_that_takes_too_long_is_told_and_asked_again(
    server: Watched, database: Database, postgres: str
) -> None:
    make(server, database, statement_timeout="100ms")
    with locked(postgres):
        database.execute("INSERT INTO s VALUES (1, 1)")
        found = eventually(database, STATUS, lambda found: found[0][1] is not None)
        assert found == [(1, "lookup in Postgres timed out after 0.1 s")]
        assert rows(database, "SELECT * FROM joined") == []
    eventually(database, "SELECT * FROM joined", [(1, "one")].__eq__)
    eventually(database, STATUS, [(0, None)].__eq__)
    assert rows(database, "SELECT count(*) FROM joined_errors") == [(0,)]


def test_a_connection_that_is_cut_while_it_asks_is_opened_again(
    server: Watched, database: Database, postgres: str
) -> None:
    make(server, database, statement_timeout="10min")
    with locked(postgres):
        database.execute("INSERT INTO s VALUES (1, 1), (2, NULL), (3, 7)")
        until_it_hangs(server)
        cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'constellation'"
        assert (True,) in server.rows(cut)
        assert rows(database, "SELECT * FROM joined") == [(2, None)]
    eventually(database, "SELECT * FROM joined ORDER BY n", [(1, "one"), (2, None), (3, None)].__eq__)


def test_a_server_that_takes_nobody_in_is_asked_until_it_does(
    server: Watched, database: Database, postgres: str
) -> None:
    server.run("DROP DATABASE IF EXISTS moody WITH (FORCE)")
    server.run("CREATE DATABASE moody")
    with psycopg.connect(f"{postgres} dbname=moody", autocommit=True) as there:
        there.execute("CREATE TABLE dim (k int PRIMARY KEY, v text)")
        there.execute("INSERT INTO dim VALUES (1, 'moody one')")
    make(server, database, dbname="moody")
    server.run("ALTER DATABASE moody WITH ALLOW_CONNECTIONS false")
    server.run("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'moody'")
    database.execute("INSERT INTO s VALUES (1, 1), (2, 2)")
    (found,) = eventually(database, STATUS, lambda found: found[0][1] is not None)
    assert found[0] == 2
    assert 'database "moody" is not currently accepting connections' in found[1]
    assert rows(database, "SELECT * FROM joined") == []
    server.run("ALTER DATABASE moody WITH ALLOW_CONNECTIONS true")
    eventually(database, "SELECT * FROM joined ORDER BY n", [(1, "moody one"), (2, None)].__eq__)


def test_a_table_that_goes_and_comes_back_otherwise_is_read_as_declared(server: Watched, database: Database) -> None:
    make(server, database)
    database.execute("INSERT INTO s VALUES (1, 1)")
    eventually(database, "SELECT * FROM joined", [(1, "one")].__eq__)
    server.run("DROP TABLE dim")
    database.execute("INSERT INTO s VALUES (2, 2), (3, 1)")
    (found,) = eventually(database, STATUS, lambda found: found[0][1] is not None)
    assert found[0] == 1
    assert "dim" in found[1]
    assert rows(database, "SELECT * FROM joined ORDER BY n") == [(1, "one"), (3, "one")]
    server.run("CREATE TABLE dim (v numeric, k bigint)")
    server.run("INSERT INTO dim VALUES (2.50, 2)")
    eventually(database, "SELECT * FROM joined ORDER BY n", [(1, "one"), (2, "2.50"), (3, "one")].__eq__)


def test_a_value_that_does_not_fit_holds_up_its_own_key_only(server: Watched, database: Database) -> None:
    server.run("DROP TABLE dim; CREATE TABLE dim (k int PRIMARY KEY, v numeric)")
    server.run(
        "INSERT INTO dim SELECT k, CASE k WHEN 37 THEN 'NaN'::numeric ELSE k END FROM generate_series(1, 60) g(k)"
    )
    database.execute(f"CREATE LOOKUP TABLE dim (k int PRIMARY KEY, v numeric(6,0)) {server.options('dim')}")
    database.execute("CREATE TABLE s (k int PRIMARY KEY)")
    database.execute("CREATE MATERIALIZED VIEW joined AS SELECT s.k, dim.v FROM s JOIN dim ON dim.k = s.k")
    database.execute("INSERT INTO s SELECT k FROM generate_series(1, 60) AS g(k)")
    eventually(database, "SELECT count(*), sum(v) FROM joined", [(59, 1830 - 37)].__eq__)
    ((waiting, error),) = rows(database, STATUS)
    assert waiting == 1
    assert 'a value of "dim" in Postgres does not fit its column' in error
    server.run("UPDATE dim SET v = 1000 WHERE k = 37")
    eventually(database, "SELECT v FROM joined WHERE k = 37", [(1000,)].__eq__)
    eventually(database, STATUS, [(0, None)].__eq__)


def test_two_rows_with_one_key_are_refused_not_guessed(server: Watched, database: Database) -> None:
    server.run(
        "DROP TABLE dim; CREATE TABLE dim (k int, v text); INSERT INTO dim VALUES (1, 'one'), (2, 'a'), (2, 'b')"
    )
    make(server, database)
    database.execute("INSERT INTO s VALUES (1, 1), (2, 2)")
    eventually(database, "SELECT * FROM joined", [(1, "one")].__eq__)
    eventually(database, STATUS, [(1, 'lookup table "dim" has more than one row with (k)=(2)')].__eq__)
    server.run("DELETE FROM dim WHERE v = 'b'")
    eventually(database, "SELECT * FROM joined ORDER BY n", [(1, "one"), (2, "a")].__eq__)


def test_a_table_is_dropped_and_the_database_closed_while_a_lookup_hangs(server: Watched, postgres: str) -> None:
    with locked(postgres):
        with constellationdb.connect() as database:
            make(server, database, statement_timeout="10min")
            database.execute("INSERT INTO s VALUES (1, 1)")
            until_it_hangs(server)
            database.execute("DROP LOOKUP TABLE dim CASCADE")
            assert rows(database, "SELECT * FROM constellation.lookups") == []
            assert rows(database, "SELECT k FROM s") == [(1,)]
            database.execute(f"CREATE LOOKUP TABLE dim (k int PRIMARY KEY, v text) {server.options('dim')}")
            database.execute("CREATE MATERIALIZED VIEW again AS SELECT dim.v FROM s JOIN dim ON dim.k = s.k")
            until_it_hangs(server)
        still = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'constellation' AND state = 'active'"
        while server.rows(still) != [(0,)]:  # what was asked is cancelled there, too
            server.run("SELECT pg_sleep(0.02)")


def test_a_restart_asks_only_what_was_not_answered(server: Watched, postgres: str, tmp_path: Path) -> None:
    with locked(postgres), constellationdb.connect(tmp_path / "d") as database:
        make(server, database, statement_timeout="10min")
        database.execute("INSERT INTO s VALUES (1, 1)")
        until_it_hangs(server)
    with constellationdb.connect(tmp_path / "d") as database:
        eventually(database, "SELECT * FROM joined", [(1, "one")].__eq__)
        database.execute("INSERT INTO s VALUES (2, 9)")
        eventually(database, "SELECT * FROM joined WHERE n = 2", [(2, None)].__eq__)
    server.run("UPDATE dim SET v = 'changed'; INSERT INTO dim VALUES (9, 'nine')")
    before = len(server.asked("dim"))
    with constellationdb.connect(tmp_path / "d") as database:
        database.execute("INSERT INTO s VALUES (3, 1), (4, 9)")
        assert rows(database, "SELECT * FROM joined ORDER BY n") == [(1, "one"), (2, None), (3, "one"), (4, None)]
        database.execute("DELETE FROM s")
        assert rows(database, "SELECT * FROM joined") == []
    assert len(server.asked("dim")) == before == 2  # the first never got further than the lock
