"""Chains: many entries under one slot, as linked lists in two flat arrays.

``head[slot]`` is the newest entry of a key's slot and ``following[entry]`` the
next older one; -1 ends a chain. An entry is an index into columns that the
caller owns. Entries are visible from epoch ``born`` until before epoch
``died``, so a reader of an older epoch and the writer share one chain::

    append(head, following, key_slots, base)          link new entries
    retire(row_slots, head, following, died, epoch)   end one life per row
    rows, entries = gather(head, following, slots, born, died, epoch)
    sweep(head, following, slots, died, horizon)      unlink what nobody can see

What comes back is in order of the probing rows, then oldest entry first.
"""

from __future__ import annotations

import numpy as np

from constellationdb.engine.kernels.rows import I64
from constellationdb.jit import inlined, kernel
from constellationdb.storage.kernels.memory import prefetch

NONE = -1
# ``died`` of an entry that lives.
FOREVER = int(np.iinfo(np.int64).max)

_AHEAD = 16
_SIDE_BY_SIDE = 32


def gather(head: I64, following: I64, slots: I64, born: I64, died: I64, epoch: int) -> tuple[I64, I64]:
    """Every pair (probing row, entry of its slot) alive at ``epoch``; a slot of -1 has none."""
    counts = np.empty(len(slots), np.int64)
    cursors, places, none = (np.empty(size, np.int64) for size in (_SIDE_BY_SIDE, _SIDE_BY_SIDE, 0))
    chains = head, following, slots, born, died, epoch, counts, cursors, places
    total = _follow(*chains, none, none)
    rows, entries = np.empty(total, np.int64), np.empty(total, np.int64)
    if total:
        _follow(*chains, rows, entries)
    return rows, entries


def rebuild(slots: I64, capacity: int) -> tuple[I64, I64]:
    """Chains of entries 0, 1, …, whose slots are given, over ``capacity`` slots: (head, following)."""
    head, following = np.full(capacity, NONE, np.int64), np.full(len(slots), NONE, np.int64)
    append(head, following, slots, 0)
    return head, following


def retire(row_slots: I64, head: I64, following: I64, died: I64, epoch: int) -> I64:
    """End at ``epoch`` the life of one entry per row, and say which; -1 where none is alive.

    Rows with the same slot get different entries, the newest first.
    """
    entries = np.empty(len(row_slots), np.int64)
    _retire(row_slots, head, following, died, epoch, entries)
    return entries


def find_live(row_slots: I64, head: I64, following: I64, born: I64, died: I64, epoch: int) -> I64:
    """The newest entry of each slot that is alive at ``epoch``, or -1."""
    entries = np.empty(len(row_slots), np.int64)
    _find_live(row_slots, head, following, born, died, epoch, entries)
    return entries


def newest(head: I64, following: I64, slot: int, born: I64, died: I64, epoch: int) -> int:
    """The newest entry of one slot that is alive at ``epoch``, or -1.

    Mostly it is the first one looked at, for which calling a kernel takes longer than looking.
    """
    entry = head.item(slot) if slot >= 0 else NONE
    if entry == NONE or born.item(entry) <= epoch < died.item(entry):
        return entry
    return find_live(np.array([slot]), head, following, born, died, epoch).item()


@kernel("void(i64[], i64[], const i64[], i64)")
def append(head: I64, following: I64, slots: I64, base: int) -> None:
    """Link entries ``base``, ``base + 1``, … to their slots; a slot of -1 leaves its entry unlinked."""
    for i in range(len(slots)):
        if i + _AHEAD < len(slots):
            prefetch(head, slots[i + _AHEAD])
        if slots[i] >= 0:
            following[base + i] = head[slots[i]]
            head[slots[i]] = base + i
        else:
            following[base + i] = NONE


@inlined
def _fetch(entry: int, following: I64, born: I64, died: I64) -> None:
    prefetch(following, entry)
    prefetch(born, entry)
    prefetch(died, entry)


@kernel("i64(const i64[], const i64[], const i64[], const i64[], const i64[], i64, i64[], i64[], i64[], i64[], i64[])")
def _follow(
    head: I64, following: I64, slots: I64, born: I64, died: I64, epoch: int, counts: I64, cursors: I64, places: I64,
    rows: I64, entries: I64,
) -> int:  # fmt: skip
    """How many entries of each row's slot are alive; with room in ``rows``, which they are, for their counts are known.

    Chains are followed side by side, one for each cursor: every entry may be a miss of the cache, and so they are
    waited for together.
    """
    total, listing = 0, len(rows) > 0
    for first in range(0, len(slots), len(cursors)):
        side_by_side = min(len(cursors), len(slots) - first)
        for i in range(side_by_side):
            row = first + i
            if row + _AHEAD < len(slots):
                prefetch(head, slots[row + _AHEAD])
            cursors[i] = NONE
            if slots[row] >= 0 and not (listing and counts[row] == 0):
                cursors[i] = head[slots[row]]
                _fetch(cursors[i], following, born, died)
            if listing:
                total += counts[row]
                places[i] = total
            else:
                counts[row] = 0
        going = side_by_side
        while going:
            going = 0
            for i in range(side_by_side):
                entry = cursors[i]
                if entry == NONE:
                    continue
                if born[entry] <= epoch < died[entry]:
                    if listing:  # newest first, so backwards
                        places[i] -= 1
                        rows[places[i]], entries[places[i]] = first + i, entry
                    else:
                        counts[first + i] += 1
                        total += 1
                entry = cursors[i] = following[entry]
                if entry != NONE:
                    _fetch(entry, following, born, died)
                    going += 1
    return total


@kernel("void(const i64[], const i64[], const i64[], i64[], i64, i64[])")
def _retire(row_slots: I64, head: I64, following: I64, died: I64, epoch: int, entries: I64) -> None:
    for i in range(len(row_slots)):
        entry = NONE
        if row_slots[i] >= 0:
            entry = head[row_slots[i]]
        while entry != NONE and died[entry] != FOREVER:
            entry = following[entry]
        if entry != NONE:
            died[entry] = epoch
        entries[i] = entry


@kernel("void(const i64[], const i64[], const i64[], const i64[], const i64[], i64, i64[])")
def _find_live(row_slots: I64, head: I64, following: I64, born: I64, died: I64, epoch: int, entries: I64) -> None:
    for i in range(len(row_slots)):
        entry = NONE
        if row_slots[i] >= 0:
            entry = head[row_slots[i]]
        while entry != NONE and not born[entry] <= epoch < died[entry]:
            entry = following[entry]
        entries[i] = entry


@kernel("i64(i64[], i64[], const i64[], const i64[], i64)")
def sweep(head: I64, following: I64, slots: I64, died: I64, horizon: int) -> int:
    """Unlink the entries of ``slots`` that died at or before ``horizon``; how many they were."""
    unlinked = 0
    for i in range(len(slots)):
        if slots[i] < 0:
            continue
        before, entry = NONE, head[slots[i]]
        while entry != NONE:
            after = following[entry]
            if died[entry] > horizon:
                before = entry
            else:
                unlinked += 1
                if before == NONE:
                    head[slots[i]] = after
                else:
                    following[before] = after
                following[entry] = NONE
            entry = after
    return unlinked
