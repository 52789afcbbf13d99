"""Runs and sessions against their definition: a pause longer than the gap ends one."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from constellationdb.engine.kernels.sessions import Runs, absorb, runs, within_reach

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(-60, 60)), min_size=1, max_size=30)
GAPS = st.integers(1, 12)


def _sessions(rows: list[tuple[int, int]], gap: int) -> set[tuple[int, int, int]]:
    found = set()
    for group in {g for g, _ in rows}:
        times = sorted(t for g, t in rows if g == group)
        first = last = times[0]
        for time in times:
            if time - last > gap:
                found.add((group, first, last))
                first = time
            last = time
        found.add((group, first, last))
    return found


def _runs(rows: list[tuple[int, int]], gap: int, shift: int = 0) -> Runs:
    groups, times = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    return runs(groups, times * (shift + 1), gap * (shift + 1))


@given(ROWS, GAPS, st.sampled_from([0, 2**55]))
def test_a_run_is_a_session_of_the_times_at_hand(rows: list[tuple[int, int]], gap: int, shift: int) -> None:
    found = _runs(rows, gap, shift)
    bounds = {
        (int(g), int(a) // (shift + 1), int(b) // (shift + 1))
        for g, a, b in zip(found.group, found.first, found.last, strict=True)
    }
    assert bounds == _sessions(rows, gap)
    first, last = found.bounds()
    for (group, time), run, low, high in zip(rows, found.run, first, last, strict=True):
        assert found.group[run] == group
        assert low <= time * (shift + 1) <= high


@given(st.lists(ROWS, min_size=1, max_size=6), GAPS)
@example([[(0, 5), (0, 15)], [(0, 1), (0, 4), (0, 7), (0, 10), (0, 13)]], 3)  # a run begins before both it joins
def test_sessions_that_runs_are_put_among_are_those_of_all_times(
    batches: list[list[tuple[int, int]]], gap: int
) -> None:
    head = np.full(4, -1, np.int64)
    key, first, last, older = (np.full(200, -1, np.int64) for _ in range(4))
    count, gone, rows = 0, set(), []
    for batch in batches:
        before = {s: (int(first[s]), int(last[s])) for s in range(count) if s not in gone}
        given_runs = _runs(batch, gap)
        absorbed = absorb(given_runs, gap, head, key, first, last, older, count)
        assert {int(s): (int(a), int(b)) for s, a, b in zip(absorbed.met, absorbed.met_first, absorbed.met_last,
                                                          strict=True)}.items() <= before.items()  # fmt: skip
        changed = {s for s, bounds in before.items() if bounds != (int(first[s]), int(last[s]))}
        assert changed | {int(s) for s in absorbed.gone} <= {int(s) for s in absorbed.met}
        gone |= {int(s) for s in absorbed.gone}
        assert not gone & {int(s) for s in absorbed.into}
        count = absorbed.count
        rows += batch
        live = {(int(key[s]), int(first[s]), int(last[s])) for s in range(count) if s not in gone}
        assert live == _sessions(rows, gap)
        for run, slot in enumerate(absorbed.slot):
            assert key[slot] == given_runs.group[run]
            assert first[slot] <= given_runs.first[run] <= given_runs.last[run] <= last[slot]
        for group in range(4):
            listed, at = [], int(head[group])
            while at >= 0:
                listed.append(at)
                at = int(older[at])
            assert sorted(listed, key=lambda s: -first[s]) == listed
            assert set(listed) == {s for s in range(count) if s not in gone and key[s] == group}


@given(ROWS, ROWS, GAPS)
def test_reach_is_the_gap_to_either_side(rows: list[tuple[int, int]], change: list[tuple[int, int]], gap: int) -> None:
    sessions = sorted(_sessions(rows, gap))
    groups, starts, lasts = (np.array(column, np.int64) for column in zip(*sessions, strict=True))
    near = within_reach(groups, starts, lasts + gap, gap, _runs(change, gap))
    expected = [any(h == g and a - gap <= t <= b + gap for h, t in change) for g, a, b in sessions]
    # A run reaches as far as its first and last time: what lies between two of its times is beside one of them.
    assert near.tolist() == expected
