"""The first rows of ordered trees: what comes to them and leaves them, and how their numbers change."""

from __future__ import annotations

import numpy as np

from constellationdb.engine.kernels.orderedtrees import (
    GONE,
    LISTED,
    MISSING,
    NODE,
    NONE,
    are_peers,
    at_rank,
    compare,
    compare_bytes,
    fetch_paths,
    insert,
    rank_of,
    remove,
    size_of,
)
from constellationdb.engine.kernels.rows import I64, U8, U64, Bool
from constellationdb.jit import inlined, kernel


@kernel(
    "void(const i64[], const u64[], const u8[], const i64[], const i64[], const i64[], const u8[], const i64[], bool[])"
)
def hopeful(
    slots: I64, words: U64, keys: U8, key_offsets: I64, last: I64, nodes: I64, data: U8, offsets: I64, out: Bool
) -> None:
    """Which rows come before the last entry that their slot has room for."""
    for i in range(len(slots)):
        worst = last[slots[i]]
        out[i] = True
        if worst == NONE:
            continue
        word = np.uint64(nodes[NODE * worst])
        if words[i] != word:
            out[i] = words[i] < word
            continue
        start, end = offsets[worst], offsets[worst + 1]
        out[i] = compare_bytes(keys, key_offsets[i], key_offsets[i + 1], data, start, end) < 0


@inlined
def _note(entry: int, by: int, change: I64, listed: I64, facts: I64) -> None:
    if change[entry] == 0:
        listed[facts[LISTED]] = entry
        facts[LISTED] += 1
    change[entry] += by


@inlined
def _let_go(entry: int, slot: int, gone: I64, gone_slots: I64, facts: I64) -> None:
    gone[facts[GONE]] = entry
    gone_slots[facts[GONE]] = slot
    facts[GONE] += 1


@kernel(
    "void(const i64[], const i64[], i64, i64, i64, bool, bool, i64[], i64[], const u8[], const i64[], i64[], i64[],"
    " i64[], i64[], i64[], i64[], i64[])"
)
def absorb(
    entries: I64, slots: I64, removals: int, first: int, end: int, bounded: bool, shows: bool, roots: I64, nodes: I64,
    data: U8, offsets: I64, last: I64, change: I64, listed: I64, gone: I64, gone_slots: I64, facts: I64, cursors: I64,
) -> None:  # fmt: skip
    """Remove the equals of the first ``removals`` entries from their slots' trees, and insert the others.

    ``shows``: ``change`` counts what thereby comes to the ranks from ``first`` to before ``end`` and leaves them, for
    the entries in ``listed``. ``bounded``: nothing is ever removed, so what comes behind ``end`` is let go at once.
    """
    for i in range(removals):
        if i % len(cursors) == 0:
            fetch_paths(entries, slots, i, min(i + len(cursors), removals), roots, nodes, cursors)
        slot = slots[i]
        rank = rank_of(roots[slot], entries[i], nodes, data, offsets)
        if rank == NONE:
            facts[MISSING] = i
            return
        size = size_of(roots[slot], nodes)
        if shows and rank < end and size > end:
            _note(at_rank(roots[slot], end, nodes), 1, change, listed, facts)
        if shows and rank < first and size > first:
            _note(at_rank(roots[slot], first, nodes), -1, change, listed, facts)
        roots[slot], entry = remove(roots[slot], rank, nodes, facts)
        if shows and first <= rank < end:
            _note(entry, -1, change, listed, facts)
        _let_go(entry, slot, gone, gone_slots, facts)
    for i in range(removals, len(entries)):
        if (i - removals) % len(cursors) == 0:
            fetch_paths(entries, slots, i, min(i + len(cursors), len(entries)), roots, nodes, cursors)
        slot, entry = slots[i], entries[i]
        if bounded and last[slot] != NONE and compare(entry, last[slot], nodes, data, offsets) >= 0:
            _let_go(entry, slot, gone, gone_slots, facts)
            continue
        roots[slot], rank = insert(roots[slot], entry, nodes, data, offsets, facts)
        size = size_of(roots[slot], nodes)
        if shows and first <= rank < end:
            _note(entry, 1, change, listed, facts)
        if shows and rank < first and size > first:
            _note(at_rank(roots[slot], first, nodes), 1, change, listed, facts)
        if shows and rank < end and size > end:
            _note(at_rank(roots[slot], end, nodes), -1, change, listed, facts)
        if bounded and size > end:
            roots[slot], entry = remove(roots[slot], end, nodes, facts)
            _let_go(entry, slot, gone, gone_slots, facts)
        if bounded and size >= end:
            last[slot] = at_rank(roots[slot], end - 1, nodes)


@inlined
def _number(kind: int, rank: int, number: int, ties: bool) -> int:
    """What ROW_NUMBER (0), RANK (1) and DENSE_RANK (2) say of a rank, after ``number`` for the rank before."""
    if kind == 0 or (kind == 1 and not ties):
        return rank + 1
    return number if ties else number + 1


@kernel(
    "i64(const i64[], i64, i64, const i64[], const i64[], const u8[], const i64[], const i64[], i64[], i64[], i64[],"
    " i64[], i64[])"
)
def renumber(
    slots: I64, kind: int, limit: int, roots: I64, nodes: I64, data: U8, offsets: I64, peers: I64, shown: I64,
    counts: I64, out: I64, numbers: I64, weights: I64,
) -> int:  # fmt: skip
    """What the numbers up to ``limit`` are now, where an entry is shown with another; 0 stands for not at all.

    ``counts[slot]`` is how many of its entries are shown. Without room in ``out``, only how much there is to say.
    """
    filled, counting = 0, len(out) == 0
    for i in range(len(slots)):
        slot = slots[i]
        rank, number, seen, kept, before = 0, 0, 0, 0, NONE
        size = size_of(roots[slot], nodes)
        while rank < size:
            entry = at_rank(roots[slot], rank, nodes)
            ties = before != NONE and are_peers(before, entry, nodes, data, offsets, peers)
            number = _number(kind, rank, number, ties)
            if number > limit and seen >= counts[slot]:
                break
            visible, old = number if number <= limit else 0, shown[entry]
            seen += old != 0
            kept += visible != 0
            for told, weight in ((old, -1), (visible, 1)):
                if told != 0 and old != visible:
                    if not counting:
                        out[filled], numbers[filled], weights[filled] = entry, told, weight
                    filled += 1
            if not counting:
                shown[entry] = visible
            before = entry
            rank += 1
        if not counting:
            counts[slot] = kept
    return filled


@kernel("i64(const i64[], i64[], i64[], i64[])")
def collect(listed: I64, change: I64, out: I64, weights: I64) -> int:
    """The entries that changed, once each, and by how much; forgotten afterwards."""
    filled = 0
    for entry in listed:
        if change[entry] != 0:
            out[filled], weights[filled] = entry, change[entry]
            change[entry] = 0
            filled += 1
    return filled


@kernel("void(const i64[], const i64[], i64[], i64[], i64[], i64[])")
def trim(slots: I64, counts: I64, roots: I64, nodes: I64, gone: I64, facts: I64) -> None:
    """Remove all but the first ``counts[slot]`` entries."""
    for slot in slots:
        while size_of(roots[slot], nodes) > counts[slot]:
            roots[slot], entry = remove(roots[slot], counts[slot], nodes, facts)
            gone[facts[GONE]] = entry
            facts[GONE] += 1
