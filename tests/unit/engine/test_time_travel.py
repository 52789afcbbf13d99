"""AS OF TIMESTAMP and AS OF AT LEAST EPOCH: by a clock that is turned by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from constellationdb.clock import ManualClock
from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import ConstellationError
from tests.unit.engine.statements import run

NOON_US = 1_767_268_800_000_000  # 2026-01-01 12:00 UTC


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON_US)


@pytest.fixture
def session(clock: ManualClock, tmp_path: Path) -> Iterator[Session]:
    engine = Engine(tmp_path, clock=clock).start()
    session = engine.session()
    run(session, "CREATE TABLE t (k int PRIMARY KEY, x int) WITH (retain_history = '1 hour')")
    run(
        session,
        "CREATE MATERIALIZED VIEW v WITH (retain_history = '1 hour') AS SELECT count(*) AS n, sum(x) AS x FROM t",
    )
    yield session
    session.close()
    engine.close()


def fill(session: Session, clock: ManualClock) -> None:
    """One change a minute."""
    for change in ("INSERT INTO t VALUES (1, 1), (2, 2)", "UPDATE t SET x = x + 1", "DELETE FROM t WHERE k = 1"):
        clock.advance(60)
        run(session, change, "FLUSH")
    clock.advance(60)


def at(
    session: Session, time: str, text: str = "SELECT t.k, v.n, v.x::int FROM t, v ORDER BY k"
) -> list[tuple[object, ...]]:
    return run(session, f"{text} AS OF TIMESTAMP {time}")


def test_all_relations_are_read_as_of_one_epoch(session: Session, clock: ManualClock) -> None:
    fill(session, clock)
    assert at(session, "'2026-01-01 12:00:30'") == []
    assert at(session, "'2026-01-01 12:01'") == [(1, 2, 3), (2, 2, 3)]
    assert at(session, "'2026-01-01 12:01:59.999999'") == [(1, 2, 3), (2, 2, 3)]
    assert at(session, "'2026-01-01 12:02'") == [(1, 2, 5), (2, 2, 5)]
    assert at(session, "'2026-01-01 12:03:30'") == [(2, 1, 3)]


def test_the_time_is_that_of_the_session_and_may_be_computed(session: Session, clock: ManualClock) -> None:
    fill(session, clock)
    run(session, "SET timezone = 'Europe/Berlin'")
    assert at(session, "'2026-01-01 13:01'") == [(1, 2, 3), (2, 2, 3)]
    assert at(session, "'2026-01-01 12:01+00'") == [(1, 2, 3), (2, 2, 3)]
    assert at(session, "timestamptz '2026-01-01 12:01+00' + INTERVAL '1 minute'") == [(1, 2, 5), (2, 2, 5)]
    clause = "FOR SYSTEM_TIME AS OF '2026-01-01 12:01+00'"
    assert run(session, f"SELECT a.k, b.n FROM t {clause} AS a, v {clause} AS b WHERE a.k = 1") == [(1, 2)]


def test_a_subscription_may_begin_in_the_past(session: Session, clock: ManualClock) -> None:
    fill(session, clock)
    engine = session.engine
    for clause, epoch in (("TIMESTAMP '2026-01-01 12:02'", 4), ("AT LEAST EPOCH 4", 4), ("AT LEAST EPOCH 0", 1)):
        (result,) = session.execute(f"SUBSCRIBE t WITH (snapshot = false) AS OF {clause}")
        assert result.subscription is not None
        first = result.subscription.next(5)
        assert first is not None
        assert first.column("_epoch")[0].as_py() == max(3, epoch + 1), clause
        result.subscription.close()
    assert engine.epoch == 5


def test_what_is_no_longer_kept_is_refused(session: Session, clock: ManualClock) -> None:
    fill(session, clock)
    run(session, "CREATE TABLE young (a int)")
    with pytest.raises(ConstellationError) as refused:
        at(session, "'2026-01-01 11:59:59'")
    assert (refused.value.sqlstate, refused.value.message) == ("55000", '"t" as it was then is no longer kept')
    with pytest.raises(ConstellationError, match='"young" as it was then is no longer kept'):
        at(session, "'2026-01-01 12:02'", "SELECT * FROM young")
    assert at(session, "'2026-01-01 12:04'", "SELECT * FROM young") == []
    clock.advance(4000)
    with session.engine.lock:
        state = session.engine.states["t"]
        state.tidy(clock.now_us(), session.engine.epoch)
        assert state.log.forgotten == session.engine.epoch - 1  # the creation of young changed nothing of it
    with pytest.raises(ConstellationError, match='"t" as it was then is no longer kept'):
        at(session, "'2026-01-01 12:02:30'", "SELECT * FROM t")
    assert at(session, "'2026-01-01 12:03:00'", "SELECT * FROM t") == [(2, 3)]


def test_it_is_known_after_a_restart(session: Session, clock: ManualClock, tmp_path: Path) -> None:
    fill(session, clock)
    run(session, "CHECKPOINT", "UPDATE t SET x = 9")
    clock.advance(60)
    session.close()
    session.engine.close()
    engine = Engine(tmp_path, clock=clock).start()
    again = engine.session()
    assert at(again, "'2026-01-01 12:00:30'") == []
    assert at(again, "'2026-01-01 12:01'") == [(1, 2, 3), (2, 2, 3)]
    assert at(again, "'2026-01-01 12:03:30'") == [(2, 1, 3)]
    assert at(again, "'2026-01-01 12:04'") == [(2, 1, 9)]
    again.close()
    engine.close()


def test_at_least_waits_and_reads_the_latest(session: Session, clock: ManualClock) -> None:
    fill(session, clock)
    assert run(session, "SELECT * FROM t AS OF AT LEAST EPOCH 3") == [(2, 3)]
    run(session, "SET statement_timeout = '50ms'")
    with pytest.raises(ConstellationError, match="canceling statement due to statement timeout"):
        run(session, "SELECT * FROM t AS OF AT LEAST EPOCH 300")
    run(session, "RESET statement_timeout", "BEGIN", "SELECT * FROM t")
    with pytest.raises(ConstellationError, match="this transaction reads at epoch 5, which is before 300"):
        run(session, "SELECT * FROM t AS OF AT LEAST EPOCH 300")
    run(session, "ROLLBACK")


@pytest.mark.parametrize(
    ("text", "sqlstate", "message"),
    [
        ("SELECT * FROM t AS OF TIMESTAMP '2027-01-01'", "22023", "AS OF TIMESTAMP lies in the future"),
        ("SELECT * FROM t AS OF TIMESTAMP NULL", "22023", "AS OF TIMESTAMP must not be NULL"),
        ("SELECT * FROM t AS OF TIMESTAMP x", "42703", 'column "x" does not exist'),
        ("SELECT * FROM t AS OF TIMESTAMP", "42601", "syntax error at end of input"),
        (
            "SELECT * FROM t FOR SYSTEM_TIME AS OF '2026-01-01', v",
            "0A000",
            "a query that reads some relations as they are and others FOR SYSTEM_TIME AS OF is not supported",
        ),
        ("CREATE VIEW p AS SELECT * FROM t AS OF EPOCH 3", "0A000", "AS OF is not supported in a view"),
        ("INSERT INTO t SELECT * FROM t AS OF EPOCH 3", "0A000", "AS OF is not supported in INSERT"),
        ("SELECT * FROM t AS OF EPOCH 3 EMIT CHANGES", "0A000", "AS OF in a continuous query is not supported"),
    ],
)
def test_what_cannot_be_asked_is_refused(session: Session, text: str, sqlstate: str, message: str) -> None:
    with pytest.raises(ConstellationError) as refused:
        run(session, text)
    assert (refused.value.sqlstate, refused.value.message) == (sqlstate, message)
