"""Sessions: times of one group, in order, as long as none is more than a gap behind the one before.

A run is a session of the times at hand. ``absorb`` puts runs among the sessions
that are known: a list a key, the newest first, which no two runs of a key and no
two sessions of a list come closer to each other than the gap allows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from constellationdb.engine.kernels.rows import I64, Bool
from constellationdb.jit import kernel

_LARGEST = 1 << 62


@dataclass(frozen=True)
class Runs:
    """``run`` of every time; each run's group and first and last time, in order of group and time."""

    run: I64
    group: I64
    first: I64
    last: I64

    def bounds(self) -> tuple[I64, I64]:
        """The first and last time of every time's run."""
        return self.first[self.run], self.last[self.run]


def runs(groups: I64, times: I64, gap: int) -> Runs:
    """The runs of times by group; there must be one time at least."""
    order = _order(groups, times)
    group, time = groups[order], times[order]
    begins = np.empty(len(order), np.bool_)
    begins[0] = True
    begins[1:] = (group[1:] != group[:-1]) | (time[1:] - time[:-1] > gap)
    first = np.flatnonzero(begins)
    run = np.empty(len(order), np.int64)
    run[order] = np.cumsum(begins) - 1
    return Runs(run, group[first], time[first], time[np.append(first[1:], len(order)) - 1])


def _order(groups: I64, times: I64) -> I64:
    """By group, then by time: as one number where that is large enough."""
    least, span = int(times.min()), int(times.max()) - int(times.min()) + 1
    if (int(groups.max()) + 1) * span < _LARGEST:
        order: I64 = np.argsort(groups * span + (times - least))
        return order
    return np.lexsort((times, groups))


def within_reach(groups: I64, starts: I64, ends: I64, gap: int, changed: Runs) -> Bool:
    """Which of these sessions (ends are a gap behind the last time) a run of their group lies in or beside."""
    reached = np.zeros(len(groups), np.bool_)
    _within_reach(groups, starts, ends, gap, changed.group, changed.first, changed.last, reached)
    return reached


@kernel("void(const i64[], const i64[], const i64[], i64, const i64[], const i64[], const i64[], bool[])")
def _within_reach(
    groups: I64, starts: I64, ends: I64, gap: int, run_group: I64, run_first: I64, run_last: I64, reached: Bool
) -> None:
    for i in range(len(groups)):
        low, high = 0, len(run_group)  # the first run that ends late enough
        while low < high:
            middle = (low + high) // 2
            before = run_group[middle] < groups[i]
            if before or (run_group[middle] == groups[i] and run_last[middle] < starts[i] - gap):
                low = middle + 1
            else:
                high = middle
        reached[i] = low < len(run_group) and run_group[low] == groups[i] and run_first[low] <= ends[i]


@dataclass(frozen=True)
class Absorbed:
    """``slot`` of every run; the known sessions that changed, as they were; which went into which."""

    slot: I64
    count: int
    met: I64
    met_first: I64
    met_last: I64
    gone: I64
    into: I64


def absorb(given: Runs, gap: int, head: I64, key: I64, first: I64, last: I64, older: I64, count: int) -> Absorbed:
    """Put runs among the ``count`` sessions (their key, first and last time, the next older one of the key), in place.

    ``head``: the newest session of every key, or -1. There is room for as many more sessions as runs.
    """
    slot, counts = np.empty(len(given.group), np.int64), np.array([count, 0, 0])
    met, moved = np.empty((3, count), np.int64), np.empty((2, count), np.int64)
    _absorb(
        given.group, given.first, given.last, gap, head, key, first, last, older, slot,
        met[0], met[1], met[2], moved[0], moved[1], np.zeros(count, np.bool_), counts,
    )  # fmt: skip
    total, meeting, moving = counts.tolist()
    return Absorbed(slot, total, *met[:, :meeting], *moved[:, :moving])


@kernel(
    "void(const i64[], const i64[], const i64[], i64, i64[], i64[], i64[], i64[], i64[], i64[],"
    " i64[], i64[], i64[], i64[], i64[], bool[], i64[])"
)
def _absorb(
    run_group: I64, run_first: I64, run_last: I64, gap: int, head: I64, key: I64, first: I64, last: I64, older: I64,
    slot: I64, met: I64, met_first: I64, met_last: I64, gone: I64, into: I64, known: Bool, counts: I64,
) -> None:  # fmt: skip
    """Runs from the last to the first, each key's list beside them from the newest session to the oldest."""
    old, group, newer, at = len(known), np.int64(-1), np.int64(-1), np.int64(-1)
    for run in range(len(run_group) - 1, -1, -1):
        if run_group[run] != group:
            group, newer = run_group[run], np.int64(-1)
            at = head[group]
        while at >= 0 and first[at] - run_last[run] > gap:
            newer = at
            at = older[at]
        if at < 0 or run_first[run] - last[at] > gap:
            made = counts[0]
            counts[0] += 1
            key[made], first[made], last[made], older[made] = group, run_first[run], run_last[run], at
            if newer >= 0:
                older[newer] = made
            else:
                head[group] = made
            at = made
        else:
            if at < old and not known[at]:
                known[at] = True
                met[counts[1]], met_first[counts[1]], met_last[counts[1]] = at, first[at], last[at]
                counts[1] += 1
            first[at] = min(first[at], run_first[run])
            last[at] = max(last[at], run_last[run])
            other = older[at]
            while other >= 0 and first[at] - last[other] <= gap:
                met[counts[1]], met_first[counts[1]], met_last[counts[1]] = other, first[other], last[other]
                counts[1] += 1
                gone[counts[2]], into[counts[2]] = other, at
                counts[2] += 1
                first[at] = min(first[at], first[other])
                other = older[other]
                older[at] = other
        slot[run] = at
