"""A source that falls silent: its last windows close by the clock, if it was told so, and timers alone make epochs."""

from __future__ import annotations

from constellationdb.engine.engine import Engine
from tests.unit.engine.statements import run


def test_the_last_window_closes_although_nothing_comes() -> None:
    with Engine() as engine:
        session = engine.session()
        run(
            session,
            "CREATE SOURCE beat (k int, at timestamp, WATERMARK FOR at AS at - INTERVAL '1 second')"
            " WITH (watermark.advance_when_idle = '1ms')",
            "CREATE MATERIALIZED VIEW closed AS SELECT k, window_end, count(*) AS n"
            " FROM SESSION(beat PARTITION BY k, at, INTERVAL '500 milliseconds') GROUP BY k, window_end"
            " EMIT ON WINDOW CLOSE",
        )
        changes = engine.subscribe("closed")
        run(session, "INSERT INTO beat VALUES (1, '2024-01-01 00:00:00'), (1, '2024-01-01 00:00:00.4')")
        inserted = engine.epoch
        change = changes.next()
        assert change is not None
        (found,) = change.to_pylist()
        assert (found["k"], found["n"], str(found["window_end"])) == (1, 2, "2024-01-01 00:00:00.900000")
        assert found["_epoch"] > inserted, "a timer made the epoch"
        changes.close()
