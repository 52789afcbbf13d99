"""The frame of each row, by place: from a first row to an end, without the rows that EXCLUDE leaves out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from constellationdb.engine.frames.offsets import values_and_bounds
from constellationdb.engine.frames.ordered import Ordered
from constellationdb.engine.kernels.frames import seek
from constellationdb.engine.kernels.rows import I64, Bool
from constellationdb.planner import plan
from constellationdb.planner.frame import Bound, Frame


@dataclass(frozen=True)
class Frames:
    """Of each row's frame the rows before what is left out, the row itself where its ties are, and those behind."""

    firsts: I64
    before: I64  # how many
    itself: Bool
    seconds: I64
    behind: I64

    @property
    def sizes(self) -> I64:
        return self.before + self.itself + self.behind

    def members(self, rows: I64, numbers: I64) -> I64:
        """The rows that stand at ``numbers`` (0, 1, …) in the frames of ``rows``."""
        before, itself = self.before[rows], self.itself[rows]
        found = np.where(numbers < before, self.firsts[rows] + numbers, self.seconds[rows] + numbers - before - itself)
        return np.where(itself & (numbers == before), rows, found)


def frames_of(frame: Frame, rows: Ordered, values: pa.Array | None, order: tuple[plan.Order, ...]) -> Frames:
    """``values``: in order, what the offsets of RANGE are of."""
    here = np.arange(len(rows))
    firsts = _clipped(_start(frame, rows, values, order), rows)
    ends = np.maximum(_clipped(_end(frame, rows, values, order), rows), firsts)
    itself = np.zeros(len(rows), np.bool_)
    match frame.exclude:
        case "no others":
            return Frames(firsts, ends - firsts, itself, ends, np.zeros(len(rows), np.int64))
        case "current row":
            left_out = here, here + 1
        case _:
            left_out = rows.group_firsts[rows.groups], rows.group_ends[rows.groups]
    if frame.exclude == "ties":
        itself = (firsts <= here) & (here < ends)
    before = np.maximum(np.minimum(ends, left_out[0]) - firsts, 0)
    seconds = np.minimum(np.maximum(firsts, left_out[1]), ends)
    return Frames(firsts, before, itself, seconds, ends - seconds)


def _clipped(places: I64, rows: Ordered) -> I64:
    return np.clip(places, rows.firsts, rows.ends)


def _start(frame: Frame, rows: Ordered, values: pa.Array | None, order: tuple[plan.Order, ...]) -> I64:
    here, bound = np.arange(len(rows)), frame.start
    if bound.side == "unbounded preceding":
        return rows.firsts
    if frame.mode == "rows":
        return here + _rows(bound)
    if bound.side == "current row":
        return rows.group_firsts[rows.groups]
    if frame.mode == "groups":
        return _groups(rows, bound, rows.group_firsts)
    return _ranged(bound, rows, values, order[0], behind=False)


def _end(frame: Frame, rows: Ordered, values: pa.Array | None, order: tuple[plan.Order, ...]) -> I64:
    here, bound = np.arange(len(rows)), frame.end
    if bound.side == "unbounded following":
        return rows.ends
    if frame.mode == "rows":
        return here + _rows(bound) + 1
    if bound.side == "current row":
        return rows.group_ends[rows.groups]
    if frame.mode == "groups":
        return _groups(rows, bound, rows.group_ends)
    return _ranged(bound, rows, values, order[0], behind=True)


def _rows(bound: Bound) -> int:
    """How far from the current row."""
    offset = 0 if bound.offset is None else bound.offset
    assert isinstance(offset, int)
    offset = min(offset, 1 << 40)  # farther than any partition reaches
    return -offset if bound.side == "preceding" else offset


def _groups(rows: Ordered, bound: Bound, edges: I64) -> I64:
    """The edge of the group so many groups away, or of the partition where it has none."""
    least, most = rows.groups[rows.firsts], rows.groups[rows.ends - 1]
    wanted = rows.groups + _rows(bound)
    found = edges[np.clip(wanted, least, most)]
    return np.where(wanted < least, rows.firsts, np.where(wanted > most, rows.ends, found))


def _ranged(bound: Bound, rows: Ordered, values: pa.Array | None, order: plan.Order, *, behind: bool) -> I64:
    """Where the values begin (or, ``behind``, end) that are so far from each row's; NULLs have each other only."""
    assert values is not None
    assert bound.offset is not None
    up = (bound.side == "following") != order.descending
    own, wanted = values_and_bounds(values, bound.offset, up=up, greatest=behind != order.descending)
    if order.descending:
        own, wanted = ~own, ~wanted
    null = values.is_null().to_numpy(zero_copy_only=False)
    nulls = np.append(0, np.cumsum(null))
    count = nulls[rows.ends] - nulls[rows.firsts]
    firsts = np.where(order.nulls_first, rows.firsts + count, rows.firsts)
    ends = np.where(order.nulls_first, rows.ends, rows.ends - count)
    found = np.empty(len(rows), np.int64)
    seek(np.ascontiguousarray(own), firsts, ends, np.ascontiguousarray(wanted), behind, found)
    edges = rows.group_ends if behind else rows.group_firsts
    # Postgres' frames never move back, though a month before March 31st, 00:00, is before one before March 30th, 12:00.
    return np.maximum.accumulate(np.where(null, edges[rows.groups], found))
