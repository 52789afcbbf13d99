"""RESTORE SAVEPOINT: the whole database goes back while it is in use."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from constellationdb import connect
from constellationdb.engine.checkpoint_settings import CheckpointSettings
from constellationdb.engine.engine import Engine
from constellationdb.engine.result import Notice
from constellationdb.engine.session import Session
from constellationdb.errors import (
    ActiveTransaction,
    CorruptState,
    FeatureNotSupported,
    HistoryExpired,
    ReadOnlyTransaction,
    ShuttingDown,
    SqlSyntaxError,
    UndefinedCursor,
    UndefinedObject,
)
from constellationdb.server.listener import Server
from tests.object_stores import s3_environment, start_s3
from tests.unit.engine.statements import run

SETUP = (
    "CREATE TABLE t (id int PRIMARY KEY, v int)",
    "CREATE SEQUENCE numbers",
    "CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n, sum(v) AS s FROM t",
    "INSERT INTO t VALUES (1, 10), (2, 20)",
    "SELECT nextval('numbers')",
)
UNDONE = (
    "INSERT INTO t VALUES (3, 30)",
    "UPDATE t SET v = 0 WHERE id = 1",
    "SELECT nextval('numbers')",
    "DROP MATERIALIZED VIEW m",
    "CREATE TABLE later (a int)",
)
STATE = "SELECT n, s FROM m"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "data") as engine:
        run(engine.session(), *SETUP, "FLUSH", "CREATE SAVEPOINT one")
        yield engine


def restore(session: Session, name: str = "one") -> Notice:
    (result,) = session.execute(f"RESTORE SAVEPOINT {name}")
    assert result.tag(0) == "RESTORE SAVEPOINT"
    (notice,) = result.notices
    return notice


def test_everything_is_what_it_was(engine: Engine, tmp_path: Path) -> None:
    session = engine.session()
    run(session, *UNDONE)
    oid, before = engine.catalog.next_oid, engine.epoch
    notice = restore(session)
    assert notice.message.startswith('went back to savepoint "one", the checkpoint of epoch ')
    assert f"to {before} were undone" in (notice.detail or "")
    for _ in range(2):
        assert run(session, STATE) == [(2, 30)]
        assert run(session, "SELECT relname FROM pg_class WHERE relname IN ('m', 'later')") == [("m",)]
        assert engine.epoch > before
        assert engine.catalog.next_oid == oid  # no number means two things
        engine.close()
        engine = Engine(tmp_path / "data").start()
        session = engine.session()
    run(session, "INSERT INTO t VALUES (3, 1)", "CHECKPOINT")
    assert run(session, STATE) == [(3, 31)]
    assert run(session, "SELECT nextval('numbers') > 1") == [(True,)]
    restore(session)
    assert run(session, "INSERT INTO t VALUES (4, 1)", "FLUSH", STATE) == [(3, 31)]
    engine.close()


def test_the_session_that_asked_goes_on_without_what_it_had_open(engine: Engine) -> None:
    session = engine.session()
    run(session, "CREATE TEMPORARY TABLE mine (a int)", "BEGIN", "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM t")
    run(session, "COMMIT", "PREPARE p AS SELECT n FROM m", "SET extra_float_digits = 0", "SELECT nextval('numbers')")
    restore(session)
    with pytest.raises(UndefinedCursor):
        run(session, "FETCH c")
    assert run(session, "EXECUTE p") == [(2,)]
    assert run(session, "SHOW extra_float_digits") == [("0",)]
    assert run(session, "SELECT relname FROM pg_class WHERE relname = 'mine'") == []
    run(session, "CREATE TEMPORARY TABLE mine (a int)", "INSERT INTO mine VALUES (1)")
    assert run(session, "SELECT * FROM mine") == [(1,)]


def test_everybody_else_is_told(engine: Engine) -> None:
    idle, open_, waiting = engine.session(), engine.session(), engine.session()
    run(open_, "BEGIN", "INSERT INTO t VALUES (7, 7)", "DECLARE c CURSOR FOR SELECT * FROM t")
    told: list[BaseException] = []

    def wait() -> None:
        try:
            run(waiting, "BEGIN", "DECLARE s CURSOR FOR SUBSCRIBE m WITH (snapshot = false)", "FETCH ALL FROM s")
            while True:
                run(waiting, "FETCH ALL FROM s WITH (timeout = '1h')")
        except BaseException as error:
            told.append(error)

    thread = threading.Thread(target=wait)
    feed = engine.subscribe("m", progress=True)
    feed.next()
    thread.start()
    restore(engine.session())
    thread.join(20)
    assert not thread.is_alive()
    assert told
    for text, session in [("SELECT 1", idle), ("COMMIT", open_), ("FETCH c", open_), ("SELECT 1", waiting)]:
        with pytest.raises(ShuttingDown, match='because the database went back to savepoint "one"'):
            run(session, text)
        session.close()
    with pytest.raises(ShuttingDown, match="went back"):
        feed.next()
    assert run(engine.session(), STATE) == [(2, 30)]


def test_who_follows_from_what_was_undone_is_told(engine: Engine) -> None:
    session = engine.session()
    run(session, "INSERT INTO t VALUES (3, 30)", "FLUSH")
    token = engine.epoch
    restore(session)
    run(session, "INSERT INTO t VALUES (4, 1)", "FLUSH")
    for query in (f"SELECT * FROM m AS OF EPOCH {token}", f"SUBSCRIBE m AS OF EPOCH {token}"):
        with pytest.raises(HistoryExpired, match="is no longer kept"):
            run(session, query)


def test_a_subscription_expires(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine:
        session = engine.session()
        run(session, *SETUP, "CREATE SUBSCRIPTION s FROM t", "CREATE SAVEPOINT one", "INSERT INTO t VALUES (3, 3)")
        assert "subscriptions that have expired: s" in (restore(session).detail or "")
        with pytest.raises(HistoryExpired, match='subscription "s" has expired'):
            run(session, "DECLARE c SUBSCRIPTION CURSOR FOR s")


def test_later_savepoints_are_gone(engine: Engine) -> None:
    session = engine.session()
    run(session, "INSERT INTO t VALUES (3, 3)", "CREATE SAVEPOINT two", "CHECKPOINT")
    assert "savepoints that are gone: two" in (restore(session).detail or "")
    with pytest.raises(UndefinedObject, match='savepoint "two" does not exist'):
        restore(session, "two")
    run(session, "INSERT INTO t VALUES (3, 4)", "FLUSH", "CREATE SAVEPOINT two", "DELETE FROM t")
    restore(session, "two")
    assert run(session, STATE) == [(3, 34)]


@pytest.mark.parametrize("kind", ["append", "upsert"])
def test_a_table_that_a_sink_writes_gets_the_rest(tmp_path: Path, kind: str) -> None:
    """The sink was behind at the savepoint, and had delivered more since."""
    with connect(tmp_path / "data") as db:
        db.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)")
        db.execute("CREATE SOURCE s (id int)")
        db.execute("CREATE TABLE copy (id int)" if kind == "append" else "CREATE TABLE copy (id int PRIMARY KEY)")
        over = "s" if kind == "append" else "t"
        db.execute(f"CREATE SINK k INTO copy FROM {over} WITH (commit_interval = '1h')")
        db.execute(f"INSERT INTO {over} VALUES (1)")
        db.execute("WAIT")
        db.execute(f"INSERT INTO {over} VALUES (2)")
        db.execute("CREATE SAVEPOINT one")
        assert db.sql("SELECT * FROM copy").fetchall() == [(1,)]
        db.execute(f"INSERT INTO {over} VALUES (3)")
        db.execute("WAIT")
        assert len(db.sql("SELECT * FROM copy").fetchall()) == 3
        db.execute("RESTORE SAVEPOINT one")
        assert db.sql("SELECT * FROM copy").fetchall() == [(1,)]
    with connect(tmp_path / "data") as db:
        db.execute(f"INSERT INTO {over} VALUES (4)")
        db.execute("WAIT")
        assert db.sql("SELECT state, error FROM constellation.sinks").fetchall() == [("running", None)]
        assert db.sql("SELECT * FROM copy ORDER BY id").fetchall() == [(1,), (2,), (4,)]


def test_a_target_outside_that_has_what_was_undone_is_refused(tmp_path: Path) -> None:
    with connect(tmp_path / "data") as db:
        db.execute("CREATE TABLE t (id int PRIMARY KEY)")
        db.execute(f"CREATE SINK k FROM t WITH (connector = 'file', path = '{tmp_path}/out')")
        db.execute("INSERT INTO t VALUES (1)")
        db.execute("WAIT")
        db.execute("CREATE SAVEPOINT one")
        db.execute("RESTORE SAVEPOINT one")
        db.execute("INSERT INTO t VALUES (2)")
        db.execute("WAIT")
        assert db.sql("SELECT state, error FROM constellation.sinks").fetchall() == [("running", None)]
        db.execute("RESTORE SAVEPOINT one")
    for _ in range(2):
        with connect(tmp_path / "data") as db:
            db.execute("WAIT")
            ((state, error),) = db.sql("SELECT state, error FROM constellation.sinks").fetchall()
            assert state == "failed"
            assert "which was undone when the database went back" in error
            db.execute("CHECKPOINT")


def test_what_cannot_be(engine: Engine, tmp_path: Path) -> None:
    session = engine.session()
    run(session, "INSERT INTO t VALUES (3, 30)", "CREATE SAVEPOINT two", "FLUSH")
    with pytest.raises(UndefinedObject, match='savepoint "three" does not exist'):
        restore(session, "three")
    run(session, "BEGIN")
    with pytest.raises(ActiveTransaction, match="RESTORE SAVEPOINT cannot run inside a transaction block"):
        restore(session)
    run(session, "ROLLBACK", "SET default_transaction_read_only = on")
    with pytest.raises(ReadOnlyTransaction, match="cannot execute RESTORE SAVEPOINT in a read-only transaction"):
        restore(session)
    run(session, "RESET default_transaction_read_only")
    for text, position in [("RESTORE", 8), ("RESTORE SAVEPOINT", 18), ("RESTORE SAVEPOINT IF EXISTS a", 22)]:
        with pytest.raises(SqlSyntaxError) as wrong:
            run(session, text)
        assert wrong.value.position == position, text
    newest = max((tmp_path / "data" / "checkpoints" / "parts").iterdir())
    newest.write_bytes(newest.read_bytes()[:-1] + b"?")
    with pytest.raises(CorruptState, match=r"the checkpoint of epoch \d+ is damaged"):
        restore(session, "two")
    assert run(session, "INSERT INTO t VALUES (4, 40)", "FLUSH", STATE) == [(4, 100)]


def test_without_a_directory_there_is_nothing_to_go_back_to() -> None:
    with Engine() as engine, pytest.raises(FeatureNotSupported, match="no checkpoints without a data directory"):
        run(engine.session(), "RESTORE SAVEPOINT a")


def test_in_an_object_store_no_epoch_comes_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not even when the log is lost right after."""
    with start_s3() as endpoint:
        s3_environment(endpoint, monkeypatch)
        checkpoints = CheckpointSettings("s3://bucket/restored")
        with Engine(tmp_path / "data", checkpoints=checkpoints) as engine:
            session = engine.session()
            run(session, *SETUP, "FLUSH", "CREATE SAVEPOINT one", *UNDONE, "CHECKPOINT")
            before = engine.epoch
            restore(session)
            assert run(session, STATE) == [(2, 30)]
        shutil.rmtree(tmp_path / "data")
        with Engine(tmp_path / "new", checkpoints=checkpoints) as engine:
            assert engine.epoch > before
            assert run(engine.session(), STATE) == [(2, 30)]
            assert run(engine.session(), "SELECT name FROM constellation.checkpoints WHERE name <> ''") == [("one",)]


def test_over_the_wire(engine: Engine) -> None:
    with Server(engine, port=0) as server:
        host, port = server.address
        dsn = f"host={host} port={port} user=tester dbname=constellation"
        with psycopg.connect(dsn, autocommit=True) as other, psycopg.connect(dsn, autocommit=True) as own:
            other.execute("BEGIN")
            own.execute("INSERT INTO t VALUES (3, 30)", prepare=True)
            said: list[str | None] = []
            own.add_notice_handler(lambda notice: said.append(notice.message_primary))
            assert own.execute("RESTORE SAVEPOINT one").statusmessage == "RESTORE SAVEPOINT"
            assert [(text or "").partition(",")[0] for text in said] == ['went back to savepoint "one"']
            assert own.execute(STATE).fetchone() == (2, 30)
            with pytest.raises(psycopg.errors.AdminShutdown, match='the database went back to savepoint "one"'):
                other.execute("COMMIT")
            with psycopg.connect(dsn) as again:
                assert again.execute(STATE).fetchone() == (2, 30)
