"""The clock opens epochs where a view waits for it, and only there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constellationdb.clock import ManualClock
from constellationdb.engine.engine import Engine
from constellationdb.engine.subscription import Subscription
from tests.unit.engine.statements import run

_START_US = 1_704_067_200_000_000  # 2024-01-01 00:00:00 UTC


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(_START_US)


@pytest.fixture
def engine(clock: ManualClock) -> Iterator[Engine]:
    with Engine(clock=clock) as made:
        run(made.session(), "CREATE TABLE t (id int PRIMARY KEY, ts timestamptz)")
        yield made


def _view(engine: Engine, condition: str) -> None:
    run(engine.session(), f"CREATE MATERIALIZED VIEW v AS SELECT id FROM t WHERE {condition}")


def _next(changes: Subscription) -> list[dict[str, object]]:
    batch = changes.next()
    assert batch is not None
    rows: list[dict[str, object]] = batch.to_pylist()
    return rows


def test_an_epoch_comes_when_a_row_is_due(engine: Engine, clock: ManualClock) -> None:
    _view(engine, "ts > now() - INTERVAL '5 seconds'")
    run(engine.session(), "INSERT INTO t VALUES (1, '2024-01-01 00:00:00+00'), (2, '2024-01-01 00:01:00+00')")
    changes = engine.subscribe("v")
    assert {row["id"] for row in _next(changes)} == {1, 2}
    before = engine.epoch
    clock.advance(5)
    engine.nudge()
    assert [(row["_epoch"], row["_diff"], row["id"]) for row in _next(changes)] == [(before + 1, -1, 1)]
    assert engine.due_us() == _START_US + 65_000_000
    changes.close()


def test_without_a_row_that_is_due_there_is_none(engine: Engine, clock: ManualClock) -> None:
    _view(engine, "ts > now()")
    run(engine.session(), "INSERT INTO t VALUES (1, '2023-01-01 00:00:00+00'), (2, NULL)")
    assert run(engine.session(), "SELECT id FROM v") == []
    before = engine.epoch
    clock.advance(100)
    engine.nudge()
    run(engine.session(), "SELECT id FROM v")
    assert engine.due_us() is None
    assert engine.epoch == before


def test_a_row_that_is_taken_back_leaves_nothing_to_expire(engine: Engine, clock: ManualClock) -> None:
    _view(engine, "ts > now()")
    session = engine.session()
    run(session, "INSERT INTO t VALUES (1, '2024-01-01 00:00:10+00')", "UPDATE t SET ts = '2024-01-01 00:00:20+00'")
    clock.advance(10)
    assert run(session, "INSERT INTO t VALUES (2, NULL)", "SELECT id FROM v") == [(1,)]
    clock.advance(10)
    assert run(session, "INSERT INTO t VALUES (3, NULL)", "SELECT id FROM v") == []


def test_a_clock_that_goes_back_brings_nothing_back(engine: Engine, clock: ManualClock) -> None:
    _view(engine, "ts > now()")
    session = engine.session()
    run(session, "INSERT INTO t VALUES (1, '2024-01-01 00:00:10+00')")
    clock.advance(10)
    assert run(session, "INSERT INTO t VALUES (2, NULL)", "SELECT id FROM v") == []
    clock.advance(-10)
    run(session, "INSERT INTO t VALUES (3, '2024-01-01 00:00:05+00'), (4, '2024-01-01 00:00:11+00')")
    assert run(session, "SELECT id FROM v") == [(4,)]


def test_a_query_that_ends_is_waited_for_no_more(engine: Engine) -> None:
    session = engine.session()
    run(session, "INSERT INTO t VALUES (1, '2024-01-01 00:00:10+00')")
    (result,) = session.execute("SUBSCRIBE (SELECT id FROM t WHERE ts > now())")
    rows = iter(result.batches)
    assert [row["id"] for row in next(rows).to_pylist()] == [1]
    assert engine.ticks.consumers
    rows.close()  # type: ignore[attr-defined]
    assert not engine.ticks.consumers
    assert engine.due_us() is None


def test_the_real_clock_needs_nobody() -> None:
    with Engine() as engine:
        session = engine.session()
        run(session, "CREATE TABLE t (id int, ts timestamptz)")
        run(session, "CREATE MATERIALIZED VIEW v AS SELECT id FROM t WHERE ts <= now()")
        run(session, "INSERT INTO t VALUES (1, now() + INTERVAL '0.3 seconds')")
        changes = engine.subscribe("v")
        assert [(row["_diff"], row["id"]) for row in _next(changes)] == [(1, 1)]
        changes.close()
