"""The rows of every frame are those that a look at each pair of rows finds."""

from __future__ import annotations

from itertools import product
from random import Random

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine.frames.bounds import frames_of
from constellationdb.engine.frames.ordered import Ordered, ordered
from constellationdb.planner import plan
from constellationdb.planner.frame import Bound, Frame

_STARTS = (Bound("unbounded preceding"), Bound("preceding", 2), Bound("current row"), Bound("following", 1))
_ENDS = (Bound("preceding", 1), Bound("current row"), Bound("following", 2), Bound("unbounded following"))
_EXCLUSIONS = ("no others", "current row", "group", "ties")


def _rows(random: Random) -> pa.RecordBatch:
    count = random.randint(1, 14)
    keys = [random.choice([None, 1, 2]) for _ in range(count)]
    values = [random.choice([None, 1, 2, 3, 5, 8]) for _ in range(count)]
    return pa.record_batch({"k": pa.array(keys, pa.int64()), "v": pa.array(values, pa.int64())})


def _is_in(frame: Frame, order: plan.Order, rows: list[tuple[int | None, int | None]], here: int, other: int) -> bool:
    """Whether row ``other`` is in the frame of row ``here``; both are places in order."""
    if rows[here][0] != rows[other][0]:
        return False
    peers = rows[here][1] == rows[other][1]
    if (frame.exclude == "current row" and here == other) or (frame.exclude == "group" and peers):
        return False
    if frame.exclude == "ties" and peers and here != other:
        return False
    return _after_start(frame, order, rows, here, other) and _before_end(frame, order, rows, here, other)


def _distance(frame: Frame, order: plan.Order, rows: list[tuple[int | None, int | None]], here: int, other: int) -> int:
    """How far ``other`` is behind ``here``, as the frame counts; a NULL is far away from all but NULLs."""
    if frame.mode == "rows":
        return other - here
    a, b = rows[here][1], rows[other][1]
    if frame.mode == "groups":
        step, low, high = (1, here, other) if here <= other else (-1, other, here)
        return step * sum(rows[i][1] != rows[i + 1][1] for i in range(low, high))
    if a is None or b is None:
        return 0 if a is b else (1000 if here < other else -1000)
    return a - b if order.descending else b - a


def _after_start(
    frame: Frame, order: plan.Order, rows: list[tuple[int | None, int | None]], here: int, other: int
) -> bool:
    distance = _distance(frame, order, rows, here, other)
    match frame.start:
        case Bound("unbounded preceding"):
            return True
        case Bound("preceding", int(offset)):
            return distance >= -offset
        case Bound("following", int(offset)):
            return distance >= (0 if frame.mode == "range" and rows[here][1] is None else offset)
        case _:
            return distance >= 0


def _before_end(
    frame: Frame, order: plan.Order, rows: list[tuple[int | None, int | None]], here: int, other: int
) -> bool:
    distance = _distance(frame, order, rows, here, other)
    match frame.end:
        case Bound("unbounded following"):
            return True
        case Bound("preceding", int(offset)):
            return distance <= (0 if frame.mode == "range" and rows[here][1] is None else -offset)
        case Bound("following", int(offset)):
            return distance <= offset
        case _:
            return distance <= 0


def _found(rows: pa.RecordBatch, order: plan.Order, frame: Frame) -> tuple[Ordered, list[list[int]]]:
    part = plan.FrameSet((0,), (order,), (), 1, frame, (), (), (), None, None)
    places = ordered(rows, part)
    values = rows.column(1).take(pa.array(places.places))
    frames = frames_of(frame, places, values, part.order)
    sizes = frames.sizes
    return places, [frames.members(np.full(n, i), np.arange(n)).tolist() for i, n in enumerate(sizes.tolist())]


@pytest.mark.parametrize("mode", ["rows", "range", "groups"])
@pytest.mark.parametrize("exclude", _EXCLUSIONS)
def test_members(mode: str, exclude: str) -> None:
    random = Random(f"{mode} {exclude}")
    met = 0
    for start, end in product(_STARTS, _ENDS):
        frame = Frame(mode, start, end, exclude)  # type: ignore[arg-type]
        for _ in range(12):
            rows = _rows(random)
            order = plan.Order(1, random.random() < 0.5, random.random() < 0.5)
            places, found = _found(rows, order, frame)
            listed = [(rows["k"][int(p)].as_py(), rows["v"][int(p)].as_py()) for p in places.places]
            for here, members in enumerate(found):
                assert members == [i for i in range(len(listed)) if _is_in(frame, order, listed, here, i)]
                met += bool(members)
    assert met
