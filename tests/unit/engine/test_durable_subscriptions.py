"""Named subscriptions: what is acknowledged does not come again, what is not comes again, over restarts and crashes."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from constellationdb.clock import ManualClock
from constellationdb.engine.engine import Engine
from constellationdb.engine.going_back import go_back
from constellationdb.engine.session import Session
from constellationdb.errors import (
    ActiveTransaction,
    ConstellationError,
    DependentObjects,
    DivisionByZero,
    FeatureNotSupported,
    HistoryExpired,
    ObjectInUse,
    QueryCanceled,
    RelationUnusable,
    SerializationFailure,
    UndefinedObject,
)
from constellationdb.storage.directory import DataDirectory
from tests.unit.engine.statements import run

Row = tuple[object, ...]
DECLARE = "DECLARE c SUBSCRIPTION CURSOR FOR s"
NOW = "FETCH ALL FROM c WITH (timeout = '0s')"


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "db") as started:
        run(
            started.session(),
            "CREATE TABLE t (id int PRIMARY KEY, v int)",
            "INSERT INTO t VALUES (1, 10), (2, 20)",
            "CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n, sum(v) AS v FROM t",
            "CREATE SUBSCRIPTION s FROM t",
        )
        yield started


def position(session: Session, name: str = "s") -> Row:
    found = run(session, f"SELECT position, rows FROM constellation.subscriptions WHERE name = '{name}'")
    return found[0]


def seen(rows: list[Row]) -> list[Row]:
    """Without the epochs."""
    return [row[1:] for row in rows]


def crashed(engine: Engine, to: Path) -> Path:
    """What a kill would leave now."""
    assert engine.durability.is_kept
    return Path(shutil.copytree(to.parent / "db", to))


# -- acknowledging ---------------------------------------------------------------------------------


def test_the_next_fetch_acknowledges_the_one_before(engine: Engine) -> None:
    session, start = engine.session(), position(engine.session())
    run(session, DECLARE)
    assert seen(run(session, "FETCH 1 FROM c")) == [(1, 1, 10)]
    assert position(session) == start, "it is only handed out"
    assert seen(run(session, "FETCH 1 FROM c")) == [(1, 2, 20)]
    assert position(session) == (start[0], 1)
    assert run(session, NOW) == []
    assert position(session) == (start[0], 0), "the snapshot is through"


def test_who_reads_next_gets_what_was_not_acknowledged(engine: Engine) -> None:
    first, second = engine.session(), engine.session()
    run(first, DECLARE, "FETCH 1 FROM c")
    lost = run(first, "FETCH 1 FROM c")
    first.close()
    run(second, DECLARE)
    assert run(second, "FETCH 5 FROM c") == lost


def test_closing_the_cursor_acknowledges_nothing(engine: Engine) -> None:
    session = engine.session()
    rows = run(session, DECLARE, "FETCH 2 FROM c")
    run(session, "CLOSE c", DECLARE)
    assert run(session, "FETCH 2 FROM c") == rows


def test_commit_acknowledges_and_leaves_it_open(engine: Engine) -> None:
    session = engine.session()
    run(session, "BEGIN", DECLARE, "FETCH 2 FROM c", "COMMIT")
    assert position(session)[1] == 0
    run(engine.session(), "UPDATE t SET v = 11 WHERE id = 1")
    run(session, "BEGIN")
    assert seen(run(session, "FETCH 5 FROM c")) == [(-1, 1, 10), (1, 1, 11)]
    run(session, "COMMIT", "CLOSE c", DECLARE)
    assert run(session, NOW) == []


def test_rollback_goes_back(engine: Engine) -> None:
    session = engine.session()
    run(session, DECLARE)
    first = run(session, "FETCH 1 FROM c")
    run(session, "BEGIN")
    second = run(session, "FETCH 1 FROM c")
    assert second != first
    run(session, "ROLLBACK")
    assert run(session, "FETCH 1 FROM c") == second, "what came before BEGIN was acknowledged by the FETCH inside"
    run(session, "BEGIN", "FETCH 1 FROM c WITH (timeout = '0s')")
    with pytest.raises(DivisionByZero):
        run(session, "SELECT 1 / 0")
    run(session, "COMMIT")
    assert run(session, NOW) == []


def test_a_failed_transaction_acknowledges_nothing(engine: Engine) -> None:
    session = engine.session()
    run(session, DECLARE, "BEGIN")
    rows = run(session, "FETCH 2 FROM c")
    with pytest.raises(DivisionByZero):
        run(session, "SELECT 1 / 0")
    run(session, "COMMIT")  # which is a ROLLBACK
    assert run(session, "FETCH 2 FROM c") == rows


def test_rollback_to_a_savepoint_goes_back_to_it(engine: Engine) -> None:
    session = engine.session()
    run(session, DECLARE, "BEGIN", "FETCH 1 FROM c", "SAVEPOINT a")
    second = run(session, "FETCH 1 FROM c")
    run(session, "ROLLBACK TO a")
    assert run(session, "FETCH 1 FROM c") == second
    run(session, "ROLLBACK TO a", "COMMIT", "CLOSE c", DECLARE)
    assert run(session, "FETCH 5 FROM c") == second, "the first row was acknowledged"


def test_what_fails_as_one_comes_again_as_one(engine: Engine) -> None:
    """A client that gets an error for its message may not look at the rows before it."""
    session = engine.session()
    run(session, DECLARE)
    with pytest.raises(DivisionByZero):
        run(session, "FETCH 1 FROM c; FETCH 1 FROM c; SELECT 1 / 0")
    assert seen(run(session, "FETCH 2 FROM c")) == [(1, 1, 10), (1, 2, 20)]


def test_what_could_not_be_sent_comes_again(engine: Engine) -> None:
    """As when a value has no form that the client asked for: it gets an error instead of the rows."""
    session = engine.session()
    run(session, DECLARE)
    results = session.execute("FETCH 1 FROM c")
    assert next(results).tag(1) == "FETCH 1"
    session.fail()
    assert seen(run(session, "FETCH 1 FROM c")) == [(1, 1, 10)]


def test_position_and_writes_are_one_epoch(engine: Engine, tmp_path: Path) -> None:
    """Rows taken from a subscription into a table: both or none, whenever it ends."""
    session = engine.session()
    run(session, "CREATE TABLE copy (id int, v int)", DECLARE, "BEGIN")
    for _, _, key, value in run(session, "FETCH 2 FROM c"):
        run(session, f"INSERT INTO copy VALUES ({key}, {value})")
    before = crashed(engine, tmp_path / "before")
    run(session, "COMMIT")
    after = crashed(engine, tmp_path / "after")
    for folder, copied, left in ((before, 0, 2), (after, 2, 0)):
        with Engine(folder) as again:
            session = again.session()
            run(session, DECLARE)
            assert (run(session, "SELECT count(*) FROM copy"), len(run(session, NOW))) == ([(copied,)], left)


def test_a_commit_that_is_refused_goes_back(engine: Engine) -> None:
    session, other = engine.session(), engine.session()
    run(session, DECLARE, "BEGIN ISOLATION LEVEL SERIALIZABLE", "SELECT * FROM t")
    rows = run(session, "FETCH 2 FROM c")
    run(session, "INSERT INTO t VALUES (4, 40)")
    run(other, "INSERT INTO t VALUES (5, 50)")
    with pytest.raises(SerializationFailure):
        run(session, "COMMIT")
    assert run(session, "FETCH 2 FROM c") == rows


# -- what does not lose anything -------------------------------------------------------------------


def test_a_cancelled_fetch_loses_nothing(engine: Engine) -> None:
    session = engine.session()
    run(session, DECLARE)
    timer = threading.Timer(0.2, session.cancel)
    timer.start()
    with pytest.raises(QueryCanceled):
        run(session, "FETCH 5 FROM c WITH (timeout = '60s')")
    timer.join()
    assert seen(run(session, "FETCH 5 FROM c")) == [(1, 1, 10), (1, 2, 20)]


@pytest.mark.parametrize("checkpoint", [False, True])
def test_a_crash_within_an_epoch(engine: Engine, tmp_path: Path, *, checkpoint: bool) -> None:
    """It goes on behind the row that was acknowledged, with the same epochs, in whatever order they are computed."""
    declare = "DECLARE c SUBSCRIPTION CURSOR FOR of_v"
    session = engine.session()
    run(session, "CREATE MATERIALIZED VIEW v AS SELECT v % 97 AS k, count(*) AS n FROM t GROUP BY 1")
    run(session, "CREATE SUBSCRIPTION of_v FROM v", declare)
    for first in (10, 210, 410):
        run(session, f"INSERT INTO t SELECT i, i FROM generate_series({first}, {first + 190}) AS i")
    had = run(session, "FETCH 50 FROM c WITH (timeout = '20s')") + run(session, "FETCH 80 FROM c")
    unknown = run(session, "FETCH 30 FROM c")
    if checkpoint:
        run(session, "CHECKPOINT")
    assert position(session, "of_v")[1] != 0, "within an epoch"
    folder = crashed(engine, tmp_path / "crashed")
    rest = run(session, "FLUSH", "FETCH 10000 FROM c WITH (timeout = '0s')")
    with Engine(folder) as again:
        session = again.session()
        assert run(session, declare, "FLUSH", "FETCH 10000 FROM c WITH (timeout = '0s')") == unknown + rest
    summed: Counter[Row] = Counter()
    for _, diff, *row in had + unknown + rest:
        assert isinstance(diff, int)
        summed[tuple(row)] += diff
        assert min(summed.values()) >= 0
    assert +summed == Counter(run(engine.session(), "SELECT * FROM v"))


def test_each_epoch_takes_away_before_it_adds(engine: Engine) -> None:
    session = engine.session()
    run(session, DECLARE, "FETCH 2 FROM c", "UPDATE t SET v = v - 10")
    assert seen(run(session, "FETCH 9 FROM c")) == [(-1, 1, 10), (-1, 2, 20), (1, 1, 0), (1, 2, 10)]


def test_the_order_of_rows_is_that_of_no_statement(engine: Engine) -> None:
    session = engine.session()
    found = []
    for name, listed in (("a", "(7), (3), (9), (1)"), ("b", "(1), (9), (7), (3)")):
        run(session, f"CREATE TABLE {name} (id int PRIMARY KEY)", f"INSERT INTO {name} VALUES {listed}")
        run(session, f"CREATE SUBSCRIPTION of_{name} FROM {name}", f"UPDATE {name} SET id = id + 10")
        run(session, f"DECLARE {name} SUBSCRIPTION CURSOR FOR of_{name}")
        found.append(seen(run(session, f"FETCH ALL FROM {name} WITH (timeout = '0s')")))
    assert found[0] == found[1]
    assert [diff for diff, _ in found[0]] == [1] * 4 + [-1] * 4 + [1] * 4


def test_the_snapshot_is_of_the_epoch_it_was_created_in(engine: Engine) -> None:
    session = engine.session()
    run(session, "UPDATE t SET v = 0", "DELETE FROM t", DECLARE)
    rows = run(session, NOW)
    assert seen(rows) == [
        (1, 1, 10),
        (1, 2, 20),
        (-1, 1, 10),
        (-1, 2, 20),
        (1, 1, 0),
        (1, 2, 0),
        (-1, 1, 0),
        (-1, 2, 0),
    ]
    assert len({epoch for epoch, *_ in rows}) == 3


def test_equal_rows_are_one(engine: Engine) -> None:
    session = engine.session()
    run(session, "CREATE MATERIALIZED VIEW p AS SELECT v / 100 AS v FROM t", "CREATE SUBSCRIPTION sp FROM p")
    run(
        session,
        "DECLARE p SUBSCRIPTION CURSOR FOR sp",
        "INSERT INTO t VALUES (3, 1), (4, 2), (5, 3), (6, NULL)",
        "FLUSH",
    )
    rows = run(session, "FETCH ALL FROM p WITH (timeout = '0s')")
    assert (rows[0][1:], sorted(seen(rows[1:]), key=str)) == ((2, 0), [(1, None), (3, 0)])


# -- who may read it, and until when ---------------------------------------------------------------


def test_one_session_at_a_time(engine: Engine) -> None:
    first, second = engine.session(), engine.session()
    run(first, DECLARE)
    with pytest.raises(ObjectInUse, match=rf'subscription "s" is active for PID {first.pid}'):
        run(second, DECLARE)
    for statement in ("DROP SUBSCRIPTION s", "DROP TABLE t CASCADE"):
        with pytest.raises(ObjectInUse):
            run(second, statement)
    run(first, "CLOSE c")
    run(second, DECLARE, "CLOSE c", "DROP SUBSCRIPTION s")
    with pytest.raises(ConstellationError, match='subscription "s" does not exist'):
        run(first, DECLARE)


def test_a_declaration_that_is_rolled_back_leaves_it_free(engine: Engine) -> None:
    first, second = engine.session(), engine.session()
    run(first, "BEGIN", DECLARE, "FETCH 1 FROM c", "ROLLBACK")
    run(second, DECLARE)
    assert len(run(second, "FETCH 5 FROM c")) == 2


def test_what_it_follows_stays_what_it_is(engine: Engine) -> None:
    session = engine.session()
    with pytest.raises(DependentObjects):
        run(session, "DROP TABLE t")
    with pytest.raises(FeatureNotSupported, match="a subscription depends on them"):
        run(session, "ALTER TABLE t ADD COLUMN w int")
    with pytest.raises(ActiveTransaction):
        run(session, "BEGIN", "CREATE SUBSCRIPTION x FROM t")
    run(session, "ROLLBACK", "DROP TABLE t CASCADE")
    assert run(session, "SELECT * FROM constellation.subscriptions") == []


def test_a_replaced_view_goes_on(engine: Engine) -> None:
    session = engine.session()
    run(session, "CREATE SUBSCRIPTION of_total FROM total", "DECLARE v SUBSCRIPTION CURSOR FOR of_total")
    assert seen(run(session, "FETCH 9 FROM v")) == [(1, 2, 30)]
    run(session, "CREATE OR REPLACE MATERIALIZED VIEW total AS SELECT count(*) AS n, sum(-v) AS v FROM t", "WAIT")
    assert seen(run(session, "FETCH 9 FROM v")) == [(-1, 2, 30), (1, 2, -30)]
    with pytest.raises(FeatureNotSupported, match="a subscription depends on them"):
        run(session, "CREATE OR REPLACE MATERIALIZED VIEW total AS SELECT count(*) AS n FROM t")


def test_a_view_that_fails_says_so(engine: Engine) -> None:
    session = engine.session()
    run(session, "CREATE SUBSCRIPTION of_total FROM total", "DECLARE v SUBSCRIPTION CURSOR FOR of_total", "FETCH 9 v")
    with engine.lock:
        engine.jobs["total"].failure = RuntimeError("broken")
        engine.states["total"].wake_readers()
        engine.moved()
    with pytest.raises(RelationUnusable):
        run(session, "FETCH 9 FROM v")


def test_expired_is_an_error_and_never_a_gap(tmp_path: Path) -> None:
    clock = ManualClock(1_767_268_800_000_000)
    with Engine(tmp_path / "db", clock=clock) as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (id int)", "CREATE SUBSCRIPTION s FROM t WITH (retention = '1 hour')")
        run(session, "CREATE SUBSCRIPTION long FROM t", "DECLARE c SUBSCRIPTION CURSOR FOR s", NOW)
        run(session, "INSERT INTO t VALUES (1)")
        clock.advance(3000)
        engine.tidy_base()
        rows = run(session, "FETCH 5 FROM c")
        assert seen(rows) == [(1, 1)], "longer than what is usual"
        run(session, "INSERT INTO t VALUES (2)", "CLOSE c")
        clock.advance(3601)
        engine.tidy_base()
        assert run(session, "SELECT name, state FROM constellation.subscriptions ORDER BY 1") == [
            ("long", "idle"),
            ("s", "idle"),
        ], "the other one still has it kept"
        run(session, "DROP SUBSCRIPTION long")
        engine.tidy_base()
        engine.tidy_base()
        assert run(session, "SELECT state FROM constellation.subscriptions") == [("expired",)]
        with pytest.raises(HistoryExpired, match='subscription "s" has expired') as caught:
            run(session, DECLARE)
        assert caught.value.detail is not None
        assert "changes are kept from epoch" in caught.value.detail


def test_acknowledged_changes_are_forgotten(engine: Engine) -> None:
    session = engine.session()
    run(session, DECLARE, NOW, "INSERT INTO t SELECT i, i FROM generate_series(10, 1000) AS i")
    query = "SELECT lag_epochs, lag_rows, retained_bytes > 8000 FROM constellation.subscriptions"
    run(session, "FETCH ALL FROM c")
    assert run(session, query)[0][1:] == (991, True)
    run(session, NOW)
    assert run(session, query) == [(0, 0, False)]


def test_going_back_to_a_savepoint_leaves_no_gap(tmp_path: Path) -> None:
    with Engine(tmp_path / "db") as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (id int)", "CREATE SUBSCRIPTION s FROM t", "CREATE SAVEPOINT a")
        epoch = engine.epoch
        run(session, "INSERT INTO t VALUES (1)", DECLARE, NOW, NOW)
    with DataDirectory(tmp_path / "db") as directory:
        go_back(directory, epoch)
    with Engine(tmp_path / "db") as engine, pytest.raises(HistoryExpired, match="has expired"):
        run(engine.session(), DECLARE)


def test_dropped_under_its_cursor(engine: Engine) -> None:
    """What the sequencer does when a session did not see that it was open."""
    session = engine.session()
    run(session, DECLARE, "FETCH 1 FROM c")
    with engine.lock:
        engine.subscriptions["s"].reader = None
    run(engine.session(), "DROP SUBSCRIPTION s")
    with pytest.raises(UndefinedObject):
        run(session, "FETCH 1 FROM c")
