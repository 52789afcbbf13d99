"""Which rows of ordered trees a change can reach, and the rows that must be read to compute them again.

``low[slot]`` is the least rank that a change of the epoch touched, ``tail[slot]``
how many rows stand behind the last one: so far and no further do frames move.
"""

from __future__ import annotations

import numpy as np

from constellationdb.engine.kernels.orderedtrees import (
    GONE,
    LEFT,
    MISSING,
    NODE,
    NONE,
    RIGHT,
    are_peers,
    at_rank,
    insert,
    rank_of,
    remove,
    size_of,
)
from constellationdb.engine.kernels.rows import I64, U8, Bool
from constellationdb.jit import inlined, kernel

FAR = np.iinfo(np.int64).max
DEEPEST = 1024  # no tree of numbered entries gets a tenth as deep, but by a chance that nobody will live to see


@kernel("void(const i64[], const i64[], i64, i64[], i64[], const u8[], const i64[], i64[], i64[], i64[], i64[])")
def displace(
    entries: I64, slots: I64, removals: int, roots: I64, nodes: I64, data: U8, offsets: I64, low: I64, tail: I64,
    gone: I64, facts: I64,
) -> None:  # fmt: skip
    """Remove the equals of the first ``removals`` entries from their trees, insert the others, and note where."""
    for i in range(len(entries)):
        slot = slots[i]
        if i < removals:
            rank = rank_of(roots[slot], entries[i], nodes, data, offsets)
            if rank == NONE:
                facts[MISSING] = i
                return
            roots[slot], entry = remove(roots[slot], rank, nodes, facts)
            gone[facts[GONE]] = entry
            facts[GONE] += 1
            behind = size_of(roots[slot], nodes) - rank
        else:
            roots[slot], rank = insert(roots[slot], entries[i], nodes, data, offsets, facts)
            behind = size_of(roots[slot], nodes) - rank - 1
        low[slot] = min(low[slot], rank)
        tail[slot] = min(tail[slot], behind)


@inlined
def _first_peer(rank: int, root: int, nodes: I64, data: U8, offsets: I64, peers: I64) -> int:
    entry = at_rank(root, rank, nodes)
    while rank > 0:
        before = at_rank(root, rank - 1, nodes)
        if not are_peers(before, entry, data, offsets, peers):
            break
        rank -= 1
    return rank


@kernel(
    "i64(const i64[], i64, i64, bool, bool, const i64[], const i64[], const u8[], const i64[], const i64[], i64[],"
    " i64[], i64[])"
)
def reach(
    slots: I64, before: int, after: int, running: bool, tied: bool, roots: I64, nodes: I64, data: U8, offsets: I64,
    peers: I64, low: I64, tail: I64, spans: I64,
) -> int:  # fmt: skip
    """Per slot four ranks: of what is read the first and the end, and of what is computed. How much is read.

    A frame reaches ``before`` rows back and ``after`` on; ``running``: from the beginning, of which an answer before
    tells enough; ``tied``: to the last of the rows that tie. ``low`` and ``tail`` are forgotten.
    """
    total = 0
    for i in range(len(slots)):
        slot = slots[i]
        root = roots[slot]
        size = size_of(root, nodes)
        start = max(0, low[slot] - after)
        end = size if running else min(size, size - tail[slot] + before)
        if tied and low[slot] > 0:
            start = _first_peer(min(start, low[slot] - 1), root, nodes, data, offsets, peers)
        first = max(0, start - before)
        if tied and 0 < first < size:
            first = _first_peer(first, root, nodes, data, offsets, peers)
        last = min(size, end + after)
        spans[4 * i], spans[4 * i + 1], spans[4 * i + 2], spans[4 * i + 3] = first, last, start, end
        total += max(0, last - first)
        low[slot], tail[slot] = FAR, FAR
    return total


@inlined
def _seek(root: int, rank: int, nodes: I64, stack: I64) -> int:
    """Put the entry of a rank on the stack, upon those on the way to it that come later; how many there are."""
    depth, node = 0, root
    while True:
        before = size_of(nodes[NODE * node + LEFT], nodes)
        if rank <= before:
            stack[depth] = node
            depth += 1
            if rank == before:
                return depth
            node = nodes[NODE * node + LEFT]
        else:
            rank -= before + 1
            node = nodes[NODE * node + RIGHT]


@inlined
def _advance(depth: int, nodes: I64, stack: I64) -> int:
    """Take the entry off the stack and put its successor there."""
    depth -= 1
    node = nodes[NODE * stack[depth] + RIGHT]
    while node != NONE:
        stack[depth] = node
        depth += 1
        node = nodes[NODE * node + LEFT]
    return depth


@kernel(
    "void(const i64[], const i64[], bool, const i64[], const i64[], const u8[], const i64[], const i64[], i64[], i64[],"
    " i64[], bool[], i64[], i64[])"
)
def read(
    slots: I64, spans: I64, tied: bool, roots: I64, nodes: I64, data: U8, offsets: I64, peers: I64, entries: I64,
    slices: I64, groups: I64, computed: Bool, carries: I64, stack: I64,
) -> None:  # fmt: skip
    """The entries of the spans in order, with the numbers of their span and of their peers, and which are computed.

    ``carries``: per span the entry before what is read, NONE where there is none. ``stack``: as deep as trees are.
    """
    at, group = 0, 0
    for i in range(len(slots)):
        root = roots[slots[i]]
        first, last, start, end = spans[4 * i], spans[4 * i + 1], spans[4 * i + 2], spans[4 * i + 3]
        carries[i] = NONE
        if first >= last:
            continue
        depth = _seek(root, max(first - 1, 0), nodes, stack)
        if first > 0:
            carries[i] = stack[depth - 1]
            depth = _advance(depth, nodes, stack)
        for rank in range(first, last):
            entry = stack[depth - 1]
            if not tied or rank == first or not are_peers(entries[at - 1], entry, data, offsets, peers):
                group += 1
            entries[at], slices[at], groups[at], computed[at] = entry, i, group, start <= rank < end
            at += 1
            depth = _advance(depth, nodes, stack)
