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

from constellationdb.engine.kernels.rows import I64, U8
from constellationdb.jit import inlined
from constellationdb.storage.kernels.memory import load64, prefetch

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
def size_of(node: int, nodes: I64) -> int:
    return nodes[NODE * node + SIZE] if node != NONE else 0


@inlined
def compare_bytes(data: U8, start: int, end: int, other: U8, from_: int, to: int) -> int:
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
def compare(a: int, b: int, nodes: I64, data: U8, offsets: I64) -> int:
    left, right = np.uint64(nodes[NODE * a]), np.uint64(nodes[NODE * b])
    if left != right:
        return -1 if left < right else 1
    return compare_bytes(data, offsets[a], offsets[a + 1], data, offsets[b], offsets[b + 1])


@inlined
def at_rank(root: int, rank: int, nodes: I64) -> int:
    """The entry before which there are ``rank`` others."""
    node = root
    while True:
        before = size_of(nodes[NODE * node + LEFT], nodes)
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
    while node != NONE and _chance(facts, size_of(node, nodes) + 1) != 0:
        nodes[NODE * node + SIZE] += 1
        parent = node
        if compare(entry, node, nodes, data, offsets) < 0:
            side = LEFT
        else:
            rank += size_of(nodes[NODE * node + LEFT], nodes) + 1
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
        if compare(entry, node, nodes, data, offsets) < 0:
            node = nodes[NODE * node + LEFT]
        else:
            smaller += size_of(nodes[NODE * node + LEFT], nodes) + 1
            node = nodes[NODE * node + RIGHT]
    larger = size_of(top, nodes) - smaller
    nodes[NODE * entry + SIZE] = smaller + larger + 1
    left, right, left_side, right_side = entry, entry, LEFT, RIGHT
    left_count, right_count, node = smaller, larger, top
    while node != NONE:
        if compare(entry, node, nodes, data, offsets) < 0:
            nodes[NODE * right + right_side] = node
            nodes[NODE * node + SIZE] = right_count
            right_count -= size_of(nodes[NODE * node + RIGHT], nodes) + 1
            right, right_side = node, LEFT
            node = nodes[NODE * node + LEFT]
        else:
            nodes[NODE * left + left_side] = node
            nodes[NODE * node + SIZE] = left_count
            left_count -= size_of(nodes[NODE * node + LEFT], nodes) + 1
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
        order = compare(entry, node, nodes, data, offsets)
        before = size_of(nodes[NODE * node + LEFT], nodes)
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
        before = size_of(nodes[NODE * node + LEFT], nodes)
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
        left_size, right_size = size_of(left, nodes), size_of(right, nodes)
        if _chance(facts, left_size + right_size) < left_size:
            root = _link(parent, side, left, root, nodes)
            nodes[NODE * left + SIZE] += right_size
            parent, side, left = left, RIGHT, nodes[NODE * left + RIGHT]
        else:
            root = _link(parent, side, right, root, nodes)
            nodes[NODE * right + SIZE] += left_size
            parent, side, right = right, LEFT, nodes[NODE * right + LEFT]
    return _link(parent, side, left if left != NONE else right, root, nodes), node


@inlined
def fetch_paths(entries: I64, slots: I64, first: int, end: int, roots: I64, nodes: I64, cursors: I64) -> None:
    """Fetch the nodes that some entries meet on their way down their trees, all at once, one level after the other.

    Where words tie an entry may go another way: then its nodes are fetched when it meets them.
    """
    for i in range(first, end):
        cursors[i - first] = roots[slots[i]]
        prefetch(nodes, NODE * cursors[i - first])
    going = 1
    while going:
        going = 0
        for i in range(first, end):
            node = cursors[i - first]
            if node == NONE:
                continue
            left, right = nodes[NODE * node + LEFT], nodes[NODE * node + RIGHT]
            prefetch(nodes, NODE * left)
            prefetch(nodes, NODE * right)
            before = np.uint64(nodes[NODE * entries[i] + WORD]) < np.uint64(nodes[NODE * node + WORD])
            cursors[i - first] = left if before else right
            going += 1


@inlined
def are_peers(a: int, b: int, nodes: I64, data: U8, offsets: I64, peers: I64) -> bool:
    if peers[a] != peers[b]:
        return False
    if nodes[NODE * a] != nodes[NODE * b] and peers[a] > 0:  # its bytes are far away
        return False
    start, other = offsets[a], offsets[b]
    return compare_bytes(data, start, start + peers[a], data, other, other + peers[b]) == 0
