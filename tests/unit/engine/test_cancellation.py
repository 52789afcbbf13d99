"""A statement is stopped wherever it is: waiting, computing, or in the first answer of a view."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from constellationdb.engine.cancellation import TIMED_OUT, Cancellation
from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.errors import InvalidParameter, QueryCanceled

ROWS = 40_000
ENDLESS = "SELECT sum((a.n * b.n) % 7) FROM numbers a, numbers b"  # minutes


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as started:
        run(started.session(), "CREATE TABLE numbers (n bigint)")
        run(started.session(), f"INSERT INTO numbers SELECT n FROM generate_series(1, {ROWS}) AS g(n)")
        yield started


def run(session: Session, text: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for r in session.execute(text) for batch in r.batches for row in batch.to_pylist()]


def _soon(action: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(0.3, action)
    timer.start()
    return timer


def test_a_select_that_computes_is_cancelled_and_the_session_goes_on(engine: Engine) -> None:
    session = engine.session()
    for _ in range(2):
        _soon(session.cancel)
        with pytest.raises(QueryCanceled, match="due to user request"):
            run(session, ENDLESS)
        assert run(session, "SELECT count(*) FROM numbers") == [(ROWS,)]


def test_a_statement_ends_at_its_timeout(engine: Engine) -> None:
    session = engine.session()
    run(session, "SET statement_timeout = '200ms'")
    assert run(session, "SHOW statement_timeout") == [("200ms",)]
    with pytest.raises(QueryCanceled, match="due to statement timeout"):
        run(session, ENDLESS)
    with pytest.raises(QueryCanceled, match="due to statement timeout"):
        run(session, "SUBSCRIBE numbers")
    assert run(session, "SELECT 1") == [(1,)]
    run(session, "RESET statement_timeout")
    assert run(session, "SHOW statement_timeout") == [("0",)]


@pytest.mark.parametrize(
    ("given", "shown"), [("0", "0"), ("1500", "1500ms"), ("60000", "1min"), ("2 h", "2h"), ("90s", "90s"), ("1d", "1d")]
)
def test_times_are_shown_as_postgres_shows_them(engine: Engine, given: str, shown: str) -> None:
    session = engine.session()
    run(session, f"SET statement_timeout = '{given}'")
    assert run(session, "SHOW statement_timeout") == [(shown,)]


def test_a_time_that_is_none_is_refused(engine: Engine) -> None:
    with pytest.raises(InvalidParameter, match='invalid value for parameter "statement_timeout": "soon"'):
        run(engine.session(), "SET statement_timeout = 'soon'")


def test_a_view_whose_first_answer_is_cancelled_is_gone(engine: Engine) -> None:
    session = engine.session()
    run(session, "CREATE TABLE many (n bigint)")
    run(session, "INSERT INTO many SELECT n FROM generate_series(1, 300000) AS g(n)")

    def cancel_at_work() -> None:
        while "ranks" not in engine.jobs:
            time.sleep(0.001)
        session.cancel()

    _soon(cancel_at_work)
    with pytest.raises(QueryCanceled):
        run(
            session,
            "CREATE MATERIALIZED VIEW ranks AS SELECT rank() OVER (PARTITION BY n % 100 ORDER BY n) FROM many",
        )
    assert run(session, "SELECT name FROM constellation.relations WHERE name LIKE 'ranks%'") == []
    run(session, "CREATE MATERIALIZED VIEW ranks AS SELECT count(*) AS n FROM many")
    assert run(session, "SELECT n FROM ranks") == [(300_000,)]


def test_a_cancellation_that_comes_when_the_work_is_done_hits_nobody() -> None:
    cancelled = Cancellation()
    for _ in range(2_000):
        cancelled.clear()
        racing = threading.Thread(target=cancelled.set)
        try:
            with cancelled.interruptible():
                racing.start()
        except QueryCanceled:
            pass
        racing.join()
        sum(range(100))  # where a late one would strike


def test_a_limit_that_passes_as_its_statement_ends_does_not_hit_the_next() -> None:
    cancelled = Cancellation()
    first = cancelled.limit()
    cancelled.unlimit()
    cancelled.set(TIMED_OUT, first)
    assert not cancelled.is_set()
    second = cancelled.limit()
    cancelled.set(TIMED_OUT, first)
    assert not cancelled.is_set()
    cancelled.set(TIMED_OUT, second)
    assert cancelled.is_set()
    cancelled.unlimit()
    assert not cancelled.is_set()
    cancelled.set()
    cancelled.limit()
    assert cancelled.is_set()  # what somebody asked for is not taken back
