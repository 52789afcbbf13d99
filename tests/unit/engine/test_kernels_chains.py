"""Chains against a list of (slot, born, died)."""

from __future__ import annotations

import random

import numpy as np
import pytest

from constellationdb.engine.kernels import chains
from constellationdb.engine.kernels.accumulate import grow


class Multimap:
    """The arrays as an operator would hold them, and the same entries in a list."""

    def __init__(self, slots: int) -> None:
        self.head = np.full(slots, chains.NONE, np.int64)
        self.following = np.zeros(0, np.int64)
        self.born = np.zeros(0, np.int64)
        self.died = np.zeros(0, np.int64)
        self.entries: list[list[int]] = []

    def append(self, slots: list[int], epoch: int) -> None:
        base, end = len(self.entries), len(self.entries) + len(slots)
        self.following, self.born = grow(self.following, end), grow(self.born, end)
        self.died = grow(self.died, end, chains.FOREVER)
        self.born[base:end] = epoch
        chains.append(self.head, self.following, np.array(slots, np.int64), base)
        self.entries += [[slot, epoch, chains.FOREVER] for slot in slots]

    def retire(self, slots: list[int], epoch: int) -> None:
        expected = []
        for slot in slots:
            alive = [e for e, (s, _, died) in enumerate(self.entries) if s == slot >= 0 and died == chains.FOREVER]
            expected.append(alive[-1] if alive else -1)
            if alive:
                self.entries[alive[-1]][2] = epoch
        got = chains.retire(np.array(slots, np.int64), self.head, self.following, self.died, epoch)
        assert got.tolist() == expected

    def check(self, slots: list[int], epoch: int) -> int:
        pairs = [
            (row, entry)
            for row, slot in enumerate(slots)
            for entry, (s, born, died) in enumerate(self.entries)
            if s == slot >= 0 and born <= epoch < died
        ]
        probe = np.array(slots, np.int64)
        rows, entries = chains.gather(self.head, self.following, probe, self.born, self.died, epoch)
        assert list(zip(rows.tolist(), entries.tolist(), strict=True)) == pairs
        newest = dict(pairs)
        live = chains.find_live(probe, self.head, self.following, self.born, self.died, epoch)
        assert live.tolist() == [newest.get(row, -1) for row in range(len(slots))]
        arrays = self.head, self.following
        singly = [chains.newest(*arrays, slot, self.born, self.died, epoch) for slot in slots]
        assert singly == live.tolist()
        return len(pairs)


@pytest.mark.parametrize("seed", range(6))
def test_every_epoch_sees_its_own_entries(seed: int) -> None:
    rnd, slots, seen = random.Random(seed), 7, 0
    multimap = Multimap(slots)
    for epoch in range(1, 40):
        multimap.append([rnd.randrange(-1, slots) for _ in range(rnd.randrange(6))], epoch)
        multimap.retire([rnd.randrange(-1, slots) for _ in range(rnd.randrange(5))], epoch)
        for past in {epoch, rnd.randrange(epoch + 1)}:
            seen += multimap.check([rnd.randrange(-1, slots) for _ in range(4)], past)
    assert seen > 50


@pytest.mark.parametrize("seed", range(4))
def test_sweeping_hides_nothing_from_later_epochs(seed: int) -> None:
    rnd, slots, swept = random.Random(seed), 4, 0
    multimap = Multimap(slots)
    for epoch in range(1, 30):
        multimap.append([rnd.randrange(slots) for _ in range(4)], epoch)
        multimap.retire([rnd.randrange(slots) for _ in range(4)], epoch)
        horizon, chosen = epoch - 3, sorted({rnd.randrange(slots) for _ in range(2)})
        linked = _linked(multimap)
        dead = {e for e in linked if multimap.died[e] <= horizon and multimap.entries[e][0] in chosen}
        arrays = (multimap.head, multimap.following)
        assert chains.sweep(*arrays, np.array([*chosen, -1]), multimap.died, horizon) == len(dead)
        assert _linked(multimap) == linked - dead
        swept += len(dead)
        for later in range(max(horizon, 0), epoch + 1):
            multimap.check(list(range(slots)), later)
    assert swept > 10


def _linked(multimap: Multimap) -> set[int]:
    found: set[int] = set()
    for entry in multimap.head.tolist():
        while entry != chains.NONE:
            assert entry not in found
            found.add(entry)
            entry = int(multimap.following[entry])
    return found


def test_rebuilding_links_entries_as_appending_did() -> None:
    slots = np.array([2, 0, 2, -1, 1, 2, 0])
    head, following = chains.rebuild(slots, 4)
    born, died = np.zeros(7, np.int64), np.full(7, chains.FOREVER)
    rows, entries = chains.gather(head, following, np.arange(4), born, died, 0)
    assert (rows.tolist(), entries.tolist()) == ([0, 0, 1, 2, 2, 2], [1, 6, 4, 0, 2, 5])


def test_a_row_is_retired_as_often_as_it_is_there() -> None:
    head, following = chains.rebuild(np.array([0, 0]), 1)
    died = np.full(2, chains.FOREVER)
    assert chains.retire(np.zeros(3, np.int64), head, following, died, 9).tolist() == [1, 0, -1]
    assert died.tolist() == [9, 9]


def test_no_rows() -> None:
    head, following = chains.rebuild(np.zeros(0, np.int64), 0)
    none = np.zeros(0, np.int64)
    rows, entries = chains.gather(head, following, none, none, none, 0)
    assert (len(rows), len(entries)) == (0, 0)
