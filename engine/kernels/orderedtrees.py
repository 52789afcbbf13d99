"""Ordered multisets by slot: binary search trees over numbered entries, balanced by chance.

An entry is a node of four words: its key's leading word, the nodes to its left
and right, and how many nodes hang from it, itself included. A new node becomes
the root of a tree of n nodes with the chance 1 : (n + 1), so that a tree looks
as if its entries had come in an arbitrary order, whatever order they came in
(Martínez and Roura, Randomized Binary Search Trees): every operation is
O(log n), and the entry of any rank is found by the sizes.

``keys``: see ``orderkeys``; an entry's bytes decide where words are equal.
"""

from __future__ import annotations

import numpy as np

from constellationdb.engine.kernels.memory import load64
from constellationdb.engine.kernels.rows import I64, U8, U64, Bool
from constellationdb.jit import inlined, kernel

NONE = -1
WORD, LEFT, RIGHT, SIZE, NODE = 0, 1, 2, 3, 4
# What a kernel says besides: chance's counter, entries in ``listed``, entries in ``gone``, the row that was not there.
CHANCE, LISTED, GONE, MISSING, FACTS = 0, 1, 2, 3, 4

_STEP, _MIX = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_SHIFT = np.uint64(31)


@inlined
def _chance(facts: I64, among: int) -> int:
    """One of 0 … among - 1."""
    facts[CHANCE] += 1
    mixed = np.uint64(facts[CHANCE]) * _STEP
    mixed = (mixed ^ (mixed >> _SHIFT)) * _MIX
    return np.int64((mixed >> _SHIFT) % np.uint64(among))  # type: ignore[return-value]


@inlined
def _size(node: int, nodes: I64) -> int:
    return nodes[NODE * node + SIZE] if node != NONE else 0


@inlined
def _compare_bytes(data: U8, start: int, end: int, other: U8, from_: int, to: int) -> int:
    """-1, 0 or 1, as runs of bytes compare."""
    count = min(end - start, to - from_)
    i = 0
    while i + 8 <= count and load64(data, start + i) == load64(other, from_ + i):
        i += 8
    while i < count:
        if data[start + i] != other[from_ + i]:
            return -1 if data[start + i] < other[from_ + i] else 1
        i += 1
    return 0


@inlined
def _compare(a: int, b: int, nodes: I64, data: U8, offsets: I64) -> int:
    left, right = np.uint64(nodes[NODE * a]), np.uint64(nodes[NODE * b])
    if left != right:
        return -1 if left < right else 1
    return _compare_bytes(data, offsets[a], offsets[a + 1], data, offsets[b], offsets[b + 1])


@inlined
def at_rank(root: int, rank: int, nodes: I64) -> int:
    """The entry before which there are ``rank`` others."""
    node = root
    while True:
        before = _size(nodes[NODE * node + LEFT], nodes)
        if rank == before:
            return node
        if rank < before:
            node = nodes[NODE * node + LEFT]
        else:
            rank -= before + 1
            node = nodes[NODE * node + RIGHT]


@inlined
def _link(parent: int, side: int, node: int, root: int, nodes: I64) -> int:
    """Hang ``node`` there, or make it the root; the root."""
    if parent == NONE:
        return node
    nodes[NODE * parent + side] = node
    return root


@inlined
def insert(root: int, entry: int, nodes: I64, data: U8, offsets: I64, facts: I64) -> tuple[int, int]:
    """The root with ``entry`` in its tree, behind its equals, and its rank."""
    rank, parent, side, node = 0, NONE, LEFT, root
    while node != NONE and _chance(facts, _size(node, nodes) + 1) != 0:
        nodes[NODE * node + SIZE] += 1
        parent = node
        if _compare(entry, node, nodes, data, offsets) < 0:
            side = LEFT
        else:
            rank += _size(nodes[NODE * node + LEFT], nodes) + 1
            side = RIGHT
        node = nodes[NODE * parent + side]
    root = _link(parent, side, entry, root, nodes)
    smaller = _split(entry, node, nodes, data, offsets)
    return root, rank + smaller


@inlined
def _split(entry: int, top: int, nodes: I64, data: U8, offsets: I64) -> int:
    """Make a tree's nodes the two sides of ``entry``; how many are on its left."""
    smaller, node = 0, top
    while node != NONE:
        if _compare(entry, node, nodes, data, offsets) < 0:
            node = nodes[NODE * node + LEFT]
        else:
            smaller += _size(nodes[NODE * node + LEFT], nodes) + 1
            node = nodes[NODE * node + RIGHT]
    larger = _size(top, nodes) - smaller
    nodes[NODE * entry + SIZE] = smaller + larger + 1
    left, right, left_side, right_side = entry, entry, LEFT, RIGHT
    left_count, right_count, node = smaller, larger, top
    while node != NONE:
        if _compare(entry, node, nodes, data, offsets) < 0:
            nodes[NODE * right + right_side] = node
            nodes[NODE * node + SIZE] = right_count
            right_count -= _size(nodes[NODE * node + RIGHT], nodes) + 1
            right, right_side = node, LEFT
            node = nodes[NODE * node + LEFT]
        else:
            nodes[NODE * left + left_side] = node
            nodes[NODE * node + SIZE] = left_count
            left_count -= _size(nodes[NODE * node + LEFT], nodes) + 1
            left, left_side = node, RIGHT
            node = nodes[NODE * node + RIGHT]
    nodes[NODE * left + left_side] = NONE
    nodes[NODE * right + right_side] = NONE
    return smaller


@inlined
def rank_of(root: int, entry: int, nodes: I64, data: U8, offsets: I64) -> int:
    """The rank of some equal of ``entry``, NONE where the tree has none."""
    rank, node = 0, root
    while node != NONE:
        order = _compare(entry, node, nodes, data, offsets)
        before = _size(nodes[NODE * node + LEFT], nodes)
        if order == 0:
            return rank + before
        if order < 0:
            node = nodes[NODE * node + LEFT]
        else:
            rank += before + 1
            node = nodes[NODE * node + RIGHT]
    return NONE


@inlined
def remove(root: int, rank: int, nodes: I64, facts: I64) -> tuple[int, int]:
    """The root without the entry of that rank, and the entry."""
    parent, side, node = NONE, LEFT, root
    while True:
        before = _size(nodes[NODE * node + LEFT], nodes)
        if rank == before:
            break
        nodes[NODE * node + SIZE] -= 1
        parent = node
        if rank < before:
            side = LEFT
        else:
            rank -= before + 1
            side = RIGHT
        node = nodes[NODE * parent + side]
    left, right = nodes[NODE * node + LEFT], nodes[NODE * node + RIGHT]
    while left != NONE and right != NONE:
        left_size, right_size = _size(left, nodes), _size(right, nodes)
        if _chance(facts, left_size + right_size) < left_size:
            root = _link(parent, side, left, root, nodes)
            nodes[NODE * left + SIZE] += right_size
            parent, side, left = left, RIGHT, nodes[NODE * left + RIGHT]
        else:
            root = _link(parent, side, right, root, nodes)
            nodes[NODE * right + SIZE] += left_size
            parent, side, right = right, LEFT, nodes[NODE * right + LEFT]
    return _link(parent, side, left if left != NONE else right, root, nodes), node


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
        out[i] = _compare_bytes(keys, key_offsets[i], key_offsets[i + 1], data, start, end) < 0


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
    " i64[], i64[], i64[], i64[])"
)
def absorb(
    entries: I64, slots: I64, removals: int, first: int, end: int, bounded: bool, shows: bool, roots: I64, nodes: I64,
    data: U8, offsets: I64, last: I64, change: I64, listed: I64, gone: I64, gone_slots: I64, facts: I64,
) -> None:  # fmt: skip
    """Remove the equals of the first ``removals`` entries from their slots' trees, and insert the others.

    ``shows``: ``change`` counts what thereby comes to the ranks from ``first`` to before ``end`` and leaves them, for
    the entries in ``listed``. ``bounded``: nothing is ever removed, so what comes behind ``end`` is let go at once.
    """
    for i in range(removals):
        slot = slots[i]
        rank = rank_of(roots[slot], entries[i], nodes, data, offsets)
        if rank == NONE:
            facts[MISSING] = i
            return
        size = _size(roots[slot], nodes)
        if shows and rank < end and size > end:
            _note(at_rank(roots[slot], end, nodes), 1, change, listed, facts)
        if shows and rank < first and size > first:
            _note(at_rank(roots[slot], first, nodes), -1, change, listed, facts)
        roots[slot], entry = remove(roots[slot], rank, nodes, facts)
        if shows and first <= rank < end:
            _note(entry, -1, change, listed, facts)
        _let_go(entry, slot, gone, gone_slots, facts)
    for i in range(removals, len(entries)):
        slot, entry = slots[i], entries[i]
        if bounded and last[slot] != NONE and _compare(entry, last[slot], nodes, data, offsets) >= 0:
            _let_go(entry, slot, gone, gone_slots, facts)
            continue
        roots[slot], rank = insert(roots[slot], entry, nodes, data, offsets, facts)
        size = _size(roots[slot], nodes)
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
def are_peers(a: int, b: int, data: U8, offsets: I64, peers: I64) -> bool:
    if peers[a] != peers[b]:
        return False
    start, other = offsets[a], offsets[b]
    return _compare_bytes(data, start, start + peers[a], data, other, other + peers[b]) == 0


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
        size = _size(roots[slot], nodes)
        while rank < size:
            entry = at_rank(roots[slot], rank, nodes)
            ties = before != NONE and are_peers(before, entry, data, offsets, peers)
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
        while _size(roots[slot], nodes) > counts[slot]:
            roots[slot], entry = remove(roots[slot], counts[slot], nodes, facts)
            gone[facts[GONE]] = entry
            facts[GONE] += 1
