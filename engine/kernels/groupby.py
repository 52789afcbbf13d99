"""Grouping one batch: which rows are equal, which slots it touches.

Both answer in order of first appearance and take time in proportion to the
batch, however large the state beside it is. For keys that outlive the batch
there is KeyIndex.
"""

from __future__ import annotations

import numpy as np

from constellationdb.engine.kernels.rows import I64, U8, U64, Rows
from constellationdb.jit import kernel
from constellationdb.storage.kernels.memory import prefetch, same_bytes

_AHEAD = 16
_SPREAD = np.uint64(0x9E3779B97F4A7C15)
_SHIFT_32 = np.uint64(32)


def group(rows: Rows) -> tuple[I64, I64]:
    """The group of every row, numbered by first appearance, and the first row of every group.

    NULLs are equal to each other here, whatever ``rows.nulls_match`` says.
    """
    table, groups, firsts = _table_for(len(rows)), np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    count = _group(table, len(table) - 1, rows.data, rows.offsets, rows.hashes, groups, firsts)
    return groups, firsts[:count]


def consolidate(rows: Rows, weights: I64) -> tuple[I64, I64]:
    """Net equal rows: the first row of each key whose weights do not cancel, and their sum."""
    if len(weights) == 1:
        return np.flatnonzero(weights), weights[weights != 0]
    groups, firsts = group(rows)
    net = np.zeros(len(firsts), np.int64)
    add_weights(net, groups, weights)
    left = np.flatnonzero(net)
    return firsts[left], net[left]


def touched(slots: I64, capacity: int | None = None) -> tuple[I64, I64]:
    """The distinct slots, and each row's place among them; a slot of -1 is no slot and has place -1.

    ``capacity`` bounds the slots from above, if known: a batch that is large
    beside it is grouped by direct addressing.
    """
    unique, inverse = np.empty(len(slots), np.int64), np.empty(len(slots), np.int64)
    direct = capacity is not None and capacity <= 4 * len(slots)
    # Direct places need no initial value: one is believed only if the slot it leads to is the one sought.
    table = np.empty(capacity or 0, np.int64) if direct else _table_for(len(slots))
    count = _touched(table, len(table) - 1, slots, direct, unique, inverse)
    return unique[:count], inverse


def first_rows(slots: I64, known: int, count: int) -> I64:
    """The first row of every slot from ``known`` up to ``count``."""
    firsts = np.full(count - known, -1, np.int64)
    _first_rows(slots, known, firsts)
    return firsts


def _table_for(count: int) -> I64:
    """Zeros for ``count`` entries at most half full, a power of two."""
    return np.zeros(max(4, 1 << (2 * count - 1).bit_length()), np.int64)


@kernel("i64(i64[], i64, const u8[], const i64[], const u64[], i64[], i64[])")
def _group(table: I64, mask: int, data: U8, offsets: I64, hashes: U64, groups: I64, firsts: I64) -> int:
    """An entry of ``table`` is 1 + a group, or 0; the group's first row stands for its key."""
    count = 0
    for i in range(len(hashes)):
        if i + _AHEAD < len(hashes):
            prefetch(table, np.int64(hashes[i + _AHEAD]) & mask)
        place, size = np.int64(hashes[i]) & mask, offsets[i + 1] - offsets[i]
        while True:
            found = table[place] - 1
            if found < 0:
                found = count
                firsts[count] = i
                count += 1
                table[place] = count
                break
            first = firsts[found]
            if (
                hashes[first] == hashes[i]
                and offsets[first + 1] - offsets[first] == size
                and same_bytes(data, offsets[first], data, offsets[i], size)
            ):
                break
            place = (place + 1) & mask
        groups[i] = found
    return count


@kernel("void(const i64[], i64, i64[])")
def _first_rows(slots: I64, known: int, firsts: I64) -> None:
    for i in range(len(slots)):
        if slots[i] >= known and firsts[slots[i] - known] < 0:
            firsts[slots[i] - known] = i


@kernel("void(i64[], const i64[], const i64[])")
def add_weights(net: I64, groups: I64, weights: I64) -> None:
    """Add each row's weight to its group."""
    for i in range(len(groups)):
        net[groups[i]] += weights[i]


@kernel("i64(i64[], i64, const i64[], bool, i64[], i64[])")
def _touched(table: I64, mask: int, slots: I64, direct: bool, unique: I64, inverse: I64) -> int:
    count = 0
    for i in range(len(slots)):
        slot = slots[i]
        if slot < 0:
            inverse[i] = -1
            continue
        if direct:
            found = table[slot]
            if found < 0 or found >= count or unique[found] != slot:
                found = count
                table[slot] = count
        else:
            place = np.int64((np.uint64(slot) * _SPREAD) >> _SHIFT_32) & mask
            while table[place] != 0 and unique[table[place] - 1] != slot:
                place = (place + 1) & mask
            found = table[place] - 1
            if found < 0:
                found = count
                table[place] = count + 1
        if found == count:
            unique[count] = slot
            count += 1
        inverse[i] = found
    return count
