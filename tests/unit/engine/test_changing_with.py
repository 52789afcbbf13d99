"""WITH lists that change rows: in transactions, with parameters, over the wire, and beside other sessions."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from constellationdb import Database, connect
from constellationdb.engine.engine import Engine
from constellationdb.errors import (
    FeatureNotSupported,
    ReadOnlyTransaction,
    UniqueViolation,
)
from constellationdb.server.listener import Server

MOVE = "WITH gone AS (DELETE FROM t WHERE a = $1 RETURNING a, b) INSERT INTO u SELECT a, b FROM gone RETURNING *"


@pytest.fixture
def database() -> Iterator[Database]:
    with connect() as found:
        found.execute("CREATE TABLE t (a int PRIMARY KEY, b int); CREATE TABLE u (a int PRIMARY KEY, b int)")
        found.execute("INSERT INTO t VALUES (1, 10), (2, 20), (3, 30)")
        yield found


def rows(database: Database, sql: str, *parameters: object) -> list[tuple[object, ...]]:
    return database.sql(sql, parameters).fetchall()


def test_values_go_beside_it(database: Database) -> None:
    assert rows(database, MOVE, 2) == [(2, 20)]
    more = "WITH x AS (INSERT INTO u VALUES ($1, $2) RETURNING a) SELECT a + $3 FROM x"
    assert rows(database, more, 7, 70, 1) == [(8,)]
    assert rows(database, "SELECT * FROM u ORDER BY a") == [(2, 20), (7, 70)]


def test_all_of_it_or_nothing(database: Database) -> None:
    database.execute("INSERT INTO u VALUES (3, 0)")
    with pytest.raises(UniqueViolation):
        rows(database, MOVE, 3)
    assert rows(database, "SELECT count(*) FROM t") == [(3,)]


def test_one_epoch_holds_it(database: Database) -> None:
    database.execute("CREATE MATERIALIZED VIEW n AS SELECT count(*) AS n FROM (TABLE t UNION ALL TABLE u) AS q")
    with database.subscribe("n") as changes:
        assert [row for _, row in changes.next(10) or ()] == [(3,)]
        rows(database, MOVE, 1)
        database.execute("INSERT INTO t VALUES (9, 9)")
        assert sorted((weight, row) for weight, row in changes.next(10) or ()) == [(-1, (3,)), (1, (4,))]


def test_in_a_transaction_it_sees_what_was_done_before(database: Database) -> None:
    with database.transaction():
        database.execute("INSERT INTO t VALUES (4, 40)")
        assert rows(database, MOVE, 4) == [(4, 40)]
        database.execute("SAVEPOINT s")
        rows(database, MOVE, 3)
        database.execute("ROLLBACK TO s")
    assert rows(database, "SELECT a FROM t ORDER BY a") == [(1,), (2,), (3,)]
    assert rows(database, "SELECT a FROM u") == [(4,)]


@pytest.mark.parametrize(
    ("sql", "error", "message"),
    [
        (
            "WITH x AS (DELETE FROM t WHERE a = 1 RETURNING a) UPDATE t SET b = 0",
            FeatureNotSupported,
            "changing a row twice in one statement is not supported",
        ),
        (
            "WITH x AS (DELETE FROM t RETURNING a, b, a) SELECT 1",
            FeatureNotSupported,
            'WITH query "x" that returns two columns of one name is not supported',
        ),
        ("EXPLAIN WITH x AS (DELETE FROM t) SELECT 1", FeatureNotSupported, "EXPLAIN of WITH is not supported"),
        (
            "DECLARE c CURSOR FOR WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x",
            FeatureNotSupported,
            "DECLARE CURSOR must not contain data-modifying statements in WITH",
        ),
        (
            "CREATE MATERIALIZED VIEW m AS WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x",
            FeatureNotSupported,
            "materialized views must not use data-modifying statements in WITH",
        ),
        (
            "CREATE TABLE c AS WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x",
            FeatureNotSupported,
            "WITH clause containing a data-modifying statement must be at the top level",
        ),
    ],
)
def test_what_is_refused_changes_nothing(database: Database, sql: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        database.execute(f"BEGIN; {sql}")
    database.execute("ROLLBACK")
    assert rows(database, "SELECT * FROM t ORDER BY a") == [(1, 10), (2, 20), (3, 30)]


def test_a_transaction_that_only_reads_refuses_it(database: Database) -> None:
    database.execute("BEGIN READ ONLY")
    with pytest.raises(ReadOnlyTransaction):
        database.execute("WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x")
    database.execute("ROLLBACK")


def test_rows_of_a_source_and_of_sequences(database: Database) -> None:
    database.execute("CREATE SOURCE s (a int, b int); CREATE SEQUENCE q")
    database.execute("CREATE MATERIALIZED VIEW m AS SELECT sum(a) AS a, count(*) AS n FROM s")
    database.execute("WITH gone AS (DELETE FROM t RETURNING a, b) INSERT INTO s SELECT a, b FROM gone")
    assert rows(database, "SELECT * FROM m") == [(6, 3)]
    numbered = "WITH x AS (INSERT INTO u SELECT nextval('q'), 0 FROM generate_series(1, 2) RETURNING a) TABLE x"
    assert rows(database, numbered) == [(1,), (2,)]


def test_it_stays(tmp_path: Path) -> None:
    with connect(tmp_path / "d") as database:
        database.execute("CREATE TABLE t (a int PRIMARY KEY, b int); CREATE TABLE u (a int, b int)")
        database.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
        rows(database, MOVE, 1)
    with connect(tmp_path / "d") as database:
        assert rows(database, "SELECT * FROM t") == [(2, 20)]
        assert rows(database, "SELECT * FROM u") == [(1, 10)]


def test_over_the_wire_prepared() -> None:
    with (
        Engine() as engine,
        Server(engine, "127.0.0.1", 0) as server,
        psycopg.connect(f"postgres://tester@127.0.0.1:{server.port}/constellation", autocommit=True) as client,
    ):
        client.execute("CREATE TABLE t (a int PRIMARY KEY, b int)")
        client.execute("INSERT INTO t SELECT i, i * 10 FROM generate_series(1, 5) AS i")
        client.execute("PREPARE p (int) AS WITH x AS (DELETE FROM t WHERE a = $1 RETURNING b) SELECT b FROM x")
        assert client.execute("EXECUTE p (2)").fetchall() == [(20,)]
        for a in (3, 4):
            found = client.execute(
                "WITH x AS (DELETE FROM t WHERE a = %s RETURNING a, b) SELECT b, b + %s FROM x", (a, 1), prepare=True
            )
            assert found.statusmessage == "SELECT 1"
            assert found.fetchall() == [(a * 10, a * 10 + 1)]
        done = client.execute("WITH x AS (DELETE FROM t RETURNING a) INSERT INTO t SELECT a + 10, 0 FROM x")
        assert done.statusmessage == "INSERT 0 2"


def test_sessions_that_take_from_one_queue_get_each_row_once(database: Database) -> None:
    database.execute("CREATE TABLE queue (a int PRIMARY KEY)")
    database.execute("INSERT INTO queue SELECT i FROM generate_series(1, 40) AS i")
    taken: list[object] = []
    failed: list[Exception] = []

    def take() -> None:
        with database.session() as mine:
            try:
                for _ in range(10):
                    taken.extend(rows(mine, _TAKE))
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(taken) == len(set(taken)) == 20
    assert rows(database, "SELECT count(*) FROM queue") == [(20,)]


_TAKE = "WITH one AS (DELETE FROM queue WHERE a = (SELECT min(a) FROM queue) RETURNING a) SELECT a FROM one"
