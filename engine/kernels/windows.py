"""Window assignment: which windows each time lies in.

Windows begin at multiples of ``slide`` plus ``offset`` and are ``size`` long, so
a time lies in ``ceil(size / slide)`` of them at most. The latest comes first.

Cumulative windows begin at multiples of ``size`` plus ``offset`` and are one
``step`` long, two, and so on up to ``size``. The longest comes first.
"""

from __future__ import annotations

import numpy as np

from constellationdb.engine.kernels.rows import I64
from constellationdb.jit import kernel


def assign(times: I64, slide: int, size: int, offset: int) -> tuple[I64, I64]:
    """(row, window start) of every window of every row, grouped by row."""
    copies = -(-size // slide)
    row, start = np.empty(copies * len(times), np.int64), np.empty(copies * len(times), np.int64)
    count = _assign(times, slide, size, offset, row, start)
    return row[:count], start[:count]


def assign_cumulative(times: I64, step: int, size: int, offset: int) -> tuple[I64, I64, I64]:
    """(row, window start, window end) of every window of every row, grouped by row."""
    room = size // step * len(times)
    row, start, end = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    count = _assign_cumulative(times, step, size, offset, row, start, end)
    return row[:count], start[:count], end[:count]


@kernel("i64(const i64[], i64, i64, i64, i64[], i64[])")
def _assign(times: I64, slide: int, size: int, offset: int, row: I64, start: I64) -> int:
    count, last, end = 0, np.int64(0), np.int64(0)  # times come more or less in order: the last window is tried first
    for i in range(len(times)):
        time = times[i]
        if not last <= time < end:
            last = (time - offset) // slide * slide + offset
            end = last + slide
        begin = last
        while begin > time - size:
            row[count] = i
            start[count] = begin
            count += 1
            begin -= slide
    return count


@kernel("i64(const i64[], i64, i64, i64, i64[], i64[], i64[])")
def _assign_cumulative(times: I64, step: int, size: int, offset: int, row: I64, start: I64, end: I64) -> int:
    count = 0
    for i in range(len(times)):
        begin = (times[i] - offset) // size * size + offset
        close = begin + size
        while close > times[i]:
            row[count] = i
            start[count] = begin
            end[count] = close
            count += 1
            close -= step
    return count
