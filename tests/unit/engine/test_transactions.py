"""Transactions of sessions: what they see, what they take back, what they refuse."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from time import sleep

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import (
    ConstellationError,
    DependentObjects,
    InFailedTransaction,
    ReadOnlyTransaction,
    ReadsOwnWritesThroughView,
    SerializationFailure,
    UndefinedRelation,
    UniqueViolation,
)
from tests.unit.engine.statements import run


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as started:
        session = started.session()
        run(session, "CREATE TABLE t (id int PRIMARY KEY, v int)", "INSERT INTO t VALUES (1, 10), (2, 20)")
        yield started


def extended(session: Session, *texts: str) -> None:
    """The statements of one batch up to Sync, none of which stands alone."""
    try:
        for text in texts:
            session.execute_prepared(session.prepare(text), (), more=True)
        session.sync()
    except ConstellationError:
        session.fail()
        raise


def test_a_transaction_reads_at_one_epoch_with_its_own_writes_on_top(engine: Engine) -> None:
    reader, writer = engine.session(), engine.session()
    run(reader, "BEGIN")
    assert run(reader, "SELECT v FROM t WHERE id = 1") == [(10,)]
    run(writer, "UPDATE t SET v = 11 WHERE id = 1")
    run(writer, "CREATE MATERIALIZED VIEW total AS SELECT sum(v) AS v FROM t")
    assert run(reader, "UPDATE t SET v = v + 1 WHERE id = 2", "SELECT v FROM t ORDER BY id") == [(10,), (21,)]
    run(reader, "COMMIT")
    assert run(reader, "SELECT v FROM t ORDER BY id") == [(11,), (21,)]
    assert run(reader, "SELECT v FROM total") == [(32,)]


def test_read_committed_takes_the_latest_epoch_for_each_statement(engine: Engine) -> None:
    reader, writer = engine.session(), engine.session()
    run(reader, "BEGIN ISOLATION LEVEL READ COMMITTED")
    assert run(reader, "SELECT v FROM t WHERE id = 1") == [(10,)]
    run(writer, "UPDATE t SET v = 11 WHERE id = 1")
    assert run(reader, "SELECT v FROM t WHERE id = 1") == [(11,)]


@pytest.mark.parametrize("change", ["UPDATE t SET v = v + 1 WHERE id = 1", "DELETE FROM t WHERE id = 1"])
def test_the_second_of_two_that_change_a_row_is_told_so(engine: Engine, change: str) -> None:
    first, second = engine.session(), engine.session()
    run(first, "BEGIN", change)
    run(second, "BEGIN", change)
    run(first, "COMMIT")
    with pytest.raises(SerializationFailure):
        run(second, "COMMIT")
    assert second.transaction_status == "I"


def test_a_lost_update_is_refused_even_when_the_value_came_from_the_client(engine: Engine) -> None:
    first, second = engine.session(), engine.session()
    seen = run(first, "BEGIN", "SELECT v FROM t WHERE id = 1")[0][0]
    run(second, "UPDATE t SET v = 0 WHERE id = 1")
    run(first, f"UPDATE t SET v = {seen} + 1 WHERE id = 1")
    with pytest.raises(SerializationFailure):
        run(first, "COMMIT")
    assert run(first, "SELECT v FROM t WHERE id = 1") == [(0,)]


def test_a_key_that_somebody_else_took_meanwhile_is_a_duplicate_at_commit(engine: Engine) -> None:
    first, second = engine.session(), engine.session()
    run(first, "BEGIN", "INSERT INTO t VALUES (3, 30)")
    run(second, "INSERT INTO t VALUES (3, 31)")
    with pytest.raises(UniqueViolation):
        run(first, "COMMIT")
    assert run(first, "SELECT v FROM t WHERE id = 3") == [(31,)]


def test_keys_are_unique_among_committed_and_own_rows(engine: Engine) -> None:
    session = engine.session()
    run(session, "BEGIN", "DELETE FROM t WHERE id = 1", "INSERT INTO t VALUES (1, 100)", "SAVEPOINT a")
    for taken in (1, 2):
        with pytest.raises(UniqueViolation):
            run(session, f"INSERT INTO t VALUES ({taken}, 0)")
        run(session, "ROLLBACK TO a")
    run(session, "INSERT INTO t VALUES (2, 1) ON CONFLICT (id) DO UPDATE SET v = t.v + excluded.v", "COMMIT")
    assert run(session, "SELECT id, v FROM t ORDER BY id") == [(1, 100), (2, 21)]


def test_equal_rows_of_a_table_without_key_are_counted(engine: Engine) -> None:
    session = engine.session()
    run(session, "CREATE TABLE bag (a int)", "INSERT INTO bag VALUES (1), (1)")
    run(session, "BEGIN", "INSERT INTO bag VALUES (1)", "DELETE FROM bag", "INSERT INTO bag VALUES (1), (2)")
    assert run(session, "SELECT a FROM bag ORDER BY a") == [(1,), (2,)]
    run(session, "COMMIT")
    assert run(session, "SELECT a FROM bag ORDER BY a") == [(1,), (2,)]


def test_an_extended_batch_is_one_transaction(engine: Engine) -> None:
    session = engine.session()
    with pytest.raises(UniqueViolation):
        extended(session, "INSERT INTO t VALUES (3, 3)", "CREATE TABLE u (a int)", "INSERT INTO t VALUES (1, 1)")
    assert run(session, "SELECT count(*) FROM t") == [(2,)]
    with pytest.raises(UndefinedRelation):
        run(session, "SELECT * FROM u")
    before = engine.epoch
    extended(session, "INSERT INTO t VALUES (3, 3)", "CREATE TABLE u (a int)", "INSERT INTO u SELECT v FROM t")
    assert engine.epoch == before + 1
    assert run(session, "SELECT sum(a) FROM u") == [(33,)]


def test_views_of_one_transaction_begin_at_one_epoch(engine: Engine) -> None:
    session = engine.session()
    before = engine.epoch
    run(
        session,
        "BEGIN",
        "CREATE TABLE u (a int)",
        "CREATE MATERIALIZED VIEW one AS SELECT sum(a) AS a FROM u",
        "INSERT INTO u VALUES (1), (2)",
        "CREATE MATERIALIZED VIEW two AS SELECT a + 1 AS a FROM one",
        "COMMIT",
    )
    assert engine.epoch == before + 1
    assert run(session, "SELECT one.a AS a, two.a AS b FROM one, two") == [(3, 4)]


def test_a_view_made_in_the_transaction_has_no_rows_yet(engine: Engine) -> None:
    session = engine.session()
    run(session, "BEGIN", "CREATE MATERIALIZED VIEW total AS SELECT sum(v) AS v FROM t", "SAVEPOINT s")
    for text in ("SELECT * FROM total", "SUBSCRIBE total"):
        with pytest.raises(ReadsOwnWritesThroughView):
            run(session, text)
        run(session, "ROLLBACK TO s")
    assert run(session, "COMMIT", "SELECT * FROM total") == [(30,)]


def test_definitions_that_do_not_fit_any_more_are_refused_at_commit(engine: Engine) -> None:
    first, second = engine.session(), engine.session()
    run(first, "BEGIN", "CREATE VIEW w AS SELECT v FROM t")
    run(second, "DROP TABLE t", "CREATE TABLE t (id int, other text)")
    with pytest.raises(SerializationFailure):
        run(first, "COMMIT")
    run(first, "BEGIN", "DROP TABLE t", "CREATE TABLE x (a int)")
    run(second, "CREATE VIEW w AS SELECT other FROM t")
    with pytest.raises(DependentObjects):
        run(first, "COMMIT")
    with pytest.raises(UndefinedRelation):
        run(first, "SELECT * FROM x")


def test_writes_for_a_table_that_was_defined_anew_are_refused(engine: Engine) -> None:
    first, second = engine.session(), engine.session()
    run(first, "BEGIN", "INSERT INTO t VALUES (3, 3)")
    run(second, "DROP TABLE t", "CREATE TABLE t (id int PRIMARY KEY, v int)")
    with pytest.raises(SerializationFailure):
        run(first, "COMMIT")
    assert run(first, "SELECT * FROM t") == []


def test_a_failed_transaction_hears_only_its_end(engine: Engine) -> None:
    session = engine.session()
    run(session, "BEGIN")
    with pytest.raises(UndefinedRelation):
        run(session, "SELECT * FROM nowhere")
    for action in (lambda: run(session, "SELECT 1"), lambda: session.prepare("SELECT 1")):
        with pytest.raises(InFailedTransaction):
            action()
    assert session.transaction_status == "E"
    run(session, "ROLLBACK")
    assert session.transaction_status == "I"


def test_a_read_only_transaction_changes_nothing(engine: Engine) -> None:
    session = engine.session()
    for text in ("INSERT INTO t VALUES (3, 3)", "CREATE TABLE u (a int)", "TRUNCATE t"):
        run(session, "BEGIN READ ONLY")
        with pytest.raises(ReadOnlyTransaction):
            run(session, text)
        run(session, "ROLLBACK")
    run(session, "SET default_transaction_read_only = on", "BEGIN")
    with pytest.raises(ReadOnlyTransaction):
        run(session, "DELETE FROM t")
    run(session, "ROLLBACK", "SET default_transaction_read_only = off")


def test_rollback_brings_settings_back(engine: Engine) -> None:
    session = engine.session()
    run(session, "BEGIN", "SET application_name = 'inside'", "ROLLBACK")
    assert session.setting("application_name") == ""
    run(session, "BEGIN", "SET application_name = 'inside'", "COMMIT")
    assert session.setting("application_name") == "inside"


def test_the_isolation_levels_there_are(engine: Engine) -> None:
    session = engine.session()
    assert run(session, "SHOW transaction_isolation") == [("repeatable read",)]
    assert run(session, "BEGIN ISOLATION LEVEL READ COMMITTED", "SHOW transaction_isolation") == [("read committed",)]
    run(session, "ROLLBACK")
    assert run(session, "BEGIN ISOLATION LEVEL SERIALIZABLE", "SHOW transaction_isolation") == [("serializable",)]


@pytest.mark.parametrize(("level", "refused"), [("REPEATABLE READ", False), ("SERIALIZABLE", True)])
@pytest.mark.parametrize("read", ["SELECT sum(v) FROM t", "SELECT total FROM sums"])
def test_a_serializable_transaction_must_still_see_what_it_read(
    engine: Engine, level: str, refused: bool, read: str
) -> None:
    """Write skew: each withdraws from one account because the sum of both would allow it."""
    first, second = engine.session(), engine.session()
    run(first, "CREATE MATERIALIZED VIEW sums AS SELECT sum(v) AS total FROM t")
    for session, account in ((first, 1), (second, 2)):
        run(session, f"BEGIN ISOLATION LEVEL {level}", read, f"UPDATE t SET v = v - 30 WHERE id = {account}")
    run(first, "COMMIT")
    if refused:
        with pytest.raises(SerializationFailure, match="read/write dependencies"):
            run(second, "COMMIT")
    else:
        run(second, "COMMIT")
    assert run(first, "SELECT sum(v) FROM t") == [(0 if refused else -30,)]
    run(second, f"BEGIN ISOLATION LEVEL {level}", read, "COMMIT")


def test_an_open_transaction_keeps_its_epoch_from_being_compacted(engine: Engine) -> None:
    reader, writer = engine.session(), engine.session()
    run(writer, "CREATE TABLE many (id int PRIMARY KEY, v int)")
    run(writer, "INSERT INTO many SELECT i, 0 FROM generate_series(1, 9000) AS g(i)")
    run(reader, "BEGIN", "SELECT count(*) FROM many")
    for _ in range(3):
        run(writer, "UPDATE many SET v = v + 1")
    engine.tidy_base()
    assert run(reader, "SELECT sum(v) FROM many") == [(0,)]
    run(reader, "COMMIT")
    assert not engine.pins
    engine.tidy_base()
    assert run(reader, "SELECT sum(v) FROM many") == [(27000,)]


def test_a_table_dropped_and_made_again_in_one_epoch_comes_back_right(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (a int)", "INSERT INTO t VALUES (1)")
        run(
            session,
            "BEGIN",
            "INSERT INTO t VALUES (2)",
            "DROP TABLE t",
            "CREATE TABLE t (a int, b text)",
            "INSERT INTO t VALUES (3, 'x')",
            "CREATE MATERIALIZED VIEW w AS SELECT b, count(*) AS n FROM t GROUP BY b",
            "COMMIT",
        )
    with Engine(tmp_path) as engine:
        session = engine.session()
        assert run(session, "SELECT * FROM t") == [(3, "x")]
        assert run(session, "SELECT * FROM w") == [("x", 1)]


def test_a_write_that_changes_nothing_does_not_keep_its_session_waiting() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (k int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)")
        run(session, "CREATE MATERIALIZED VIEW m AS SELECT v, count(*) AS n FROM t GROUP BY v")
        before = engine.epoch
        run(session, "INSERT INTO t VALUES (1, 1) ON CONFLICT (k) DO UPDATE SET v = excluded.v")
        run(session, "UPDATE t SET v = v")
        assert run(session, "SELECT * FROM m") == [(1, 1)]
        assert engine.epoch == before


def test_writes_of_one_epoch_that_undo_one_another_are_an_epoch_all_the_same() -> None:
    with Engine() as engine:
        session, other = engine.session(), engine.session()
        run(session, "CREATE TABLE t (k int)")
        run(session, "CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t")
        begun, gate = Event(), Event()

        def block(_: object) -> None:
            begun.set()
            gate.wait()

        blocking = engine.submit(block)
        begun.wait(10)
        with ThreadPoolExecutor(2) as pool:
            inserted = pool.submit(run, session, "INSERT INTO t VALUES (1)")
            assert engine.sequencer is not None
            while not engine.sequencer._queue:
                sleep(0.001)
            deleted = pool.submit(run, other, "DELETE FROM t WHERE k = 1")
            while len(engine.sequencer._queue) < 2:
                sleep(0.001)
            gate.set()
            blocking.result(10)
            inserted.result(10)
            deleted.result(10)
        assert session.last_epoch == other.last_epoch
        assert run(session, "SELECT n FROM m") == run(other, "SELECT n FROM m") == [(0,)]
