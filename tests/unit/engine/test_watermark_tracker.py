"""Watermarks of partitions, of idle ones, and of a source that is quiet altogether."""

from __future__ import annotations

import datetime

import pyarrow as pa

from constellationdb.engine.operators.base import ENDED, NO_WATERMARK
from constellationdb.engine.watermarks import WatermarkTracker

SECOND = 1_000_000


def _rows(seconds: float) -> pa.RecordBatch:
    times = pa.array([datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)], pa.timestamp("us"))
    return pa.record_batch({"ts": times})


def _two(idle: int | None = None, advance: int | None = None) -> WatermarkTracker:
    tracker = WatermarkTracker("ts", 2 * SECOND, idle, advance)
    tracker.begin("a", 0)
    tracker.begin("b", 0)
    return tracker


def test_the_slowest_partition_decides() -> None:
    tracker = _two()
    tracker.observe("a", _rows(100), 0)
    assert tracker.advance(0) == NO_WATERMARK, "b has said nothing yet"
    tracker.observe("b", _rows(50), 0)
    assert tracker.advance(0) == 48 * SECOND
    tracker.observe("b", _rows(40), 0)
    assert tracker.advance(0) == 48 * SECOND, "it never goes back"
    assert tracker.due_us() is None, "time alone changes nothing"


def test_an_idle_partition_holds_nobody_back_and_the_timer_rings_once() -> None:
    tracker = _two(idle=5 * SECOND)
    tracker.observe("a", _rows(100), 3 * SECOND)
    tracker.advance(3 * SECOND)
    due = tracker.due_us()
    assert due is not None
    assert due > 5 * SECOND
    assert tracker.advance(due - 1) == NO_WATERMARK
    assert tracker.advance(due) == 98 * SECOND
    later = tracker.due_us()
    assert later is not None
    assert later > 8 * SECOND, "a is next; b is not waited for again"
    assert tracker.advance(later) == 98 * SECOND, "all are idle: it stands"
    assert tracker.due_us() is None
    tracker.observe("b", _rows(60), later)
    assert tracker.advance(later) == 98 * SECOND


def test_a_quiet_source_goes_on_with_the_clock_until_rows_come() -> None:
    tracker = _two(advance=10 * SECOND)
    tracker.observe("a", _rows(100), 0)
    tracker.observe("b", _rows(90), SECOND)
    assert tracker.advance(SECOND) == 88 * SECOND
    assert tracker.advance(11 * SECOND) == 88 * SECOND
    due = tracker.due_us()
    assert due == 12 * SECOND
    assert tracker.advance(due) == 99 * SECOND, "the latest time less the delay, and the second for which it was quiet"
    assert tracker.advance(20 * SECOND) == 107 * SECOND
    tracker.observe("a", _rows(101), 20 * SECOND)
    assert tracker.advance(21 * SECOND) == 107 * SECOND


def test_the_clock_goes_on_after_a_restart_and_ends_with_the_source() -> None:
    tracker = _two(advance=10 * SECOND)
    tracker.restore(50 * SECOND)
    assert tracker.advance(100 * SECOND) == 50 * SECOND
    assert tracker.advance(115 * SECOND) == 55 * SECOND
    tracker.end("a")
    tracker.end("b")
    assert tracker.advance(116 * SECOND) == ENDED
    assert tracker.due_us() is None


def test_without_a_time_the_clock_has_nothing_to_go_on_from() -> None:
    tracker = _two(advance=10 * SECOND)
    assert tracker.advance(100 * SECOND) == NO_WATERMARK
    assert tracker.due_us() is None
