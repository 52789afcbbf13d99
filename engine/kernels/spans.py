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
    fetch_paths,
    insert,
    rank_of,
    remove,
    size_of,
)
from constellationdb.engine.kernels.rows import I64, U8, Bool
from constellationdb.jit import inlined, kernel
from constellationdb.storage.kernels.memory import prefetch

FAR = np.iinfo(np.int64).max
_AHEAD = 16
_DEEPEST = 1024  # no tree of numbered entries gets a tenth as deep, but by a chance that nobody will live to see
# A lane walks over a span: its number; whether its beginning is sought; the next node, the rank sought below it, the
# place of the next entry and those where its own begin and end, and the nodes that come later.
SPAN, SEEKS, CURSOR, RANK, AT, BEGIN, END, DEPTH, STACK = range(9)
LANE = STACK + _DEEPEST


@kernel("void(const i64[], const i64[], i64, i64[], i64[], const u8[], const i64[], i64[], i64[], i64[], i64[], i64[])")
def displace(
    entries: I64, slots: I64, removals: int, roots: I64, nodes: I64, data: U8, offsets: I64, low: I64, tail: I64,
    gone: I64, facts: I64, cursors: I64,
) -> None:  # fmt: skip
    """Remove the equals of the first ``removals`` entries from their trees, insert the others, and note where."""
    for i in range(len(entries)):
        if i % len(cursors) == 0:
            fetch_paths(entries, slots, i, min(i + len(cursors), len(entries)), roots, nodes, cursors)
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
def first_peer(rank: int, root: int, nodes: I64, data: U8, offsets: I64, peers: I64) -> int:
    entry = at_rank(root, rank, nodes)
    while rank > 0:
        before = at_rank(root, rank - 1, nodes)
        if not are_peers(before, entry, nodes, data, offsets, peers):
            break
        rank -= 1
    return rank


@inlined
def _fetch_ranks(
    slots: I64, first: int, end: int, low: I64, roots: I64, nodes: I64, offsets: I64, peers: I64, walks: I64
) -> None:
    """Fetch the nodes on the way to the rows before the first changed ones of some slots, all at once, and these."""
    for i in range(first, end):
        walk = 2 * (i - first)
        walks[walk], walks[walk + 1] = roots[slots[i]], max(0, low[slots[i]] - 1)
        prefetch(nodes, NODE * walks[walk])
    going = 1
    while going:
        for walk in range(0, 2 * (end - first), 2):
            if walks[walk] != NONE:
                prefetch(nodes, NODE * nodes[NODE * walks[walk] + LEFT])
                prefetch(nodes, NODE * nodes[NODE * walks[walk] + RIGHT])
        going = 0
        for walk in range(0, 2 * (end - first), 2):
            node = walks[walk]
            if node == NONE:
                continue
            before = size_of(nodes[NODE * node + LEFT], nodes)
            prefetch(offsets, node)
            prefetch(peers, node)
            if walks[walk + 1] < before:
                walks[walk] = nodes[NODE * node + LEFT]
            else:  # on to the right where it is found, too: there is the row behind it
                walks[walk + 1] = max(0, walks[walk + 1] - before - 1)
                walks[walk] = nodes[NODE * node + RIGHT]
            going += 1


@kernel(
    "i64(const i64[], i64, i64, bool, bool, const i64[], const i64[], const u8[], const i64[], const i64[], i64[],"
    " i64[], i64[], i64[])"
)
def reach(
    slots: I64, before: int, after: int, running: bool, tied: bool, roots: I64, nodes: I64, data: U8, offsets: I64,
    peers: I64, low: I64, tail: I64, spans: I64, walks: I64,
) -> int:  # fmt: skip
    """Per slot four ranks: of what is read the first and the end, and of what is computed. How much is read.

    A frame reaches ``before`` rows back and ``after`` on; ``running``: from the beginning, of which an answer before
    tells enough; ``tied``: to the last of the rows that tie. ``low`` and ``tail`` are forgotten. ``walks``: room for
    some walks.
    """
    total = 0
    for i in range(len(slots)):
        if tied and i % (len(walks) // 2) == 0:
            end = min(i + len(walks) // 2, len(slots))
            _fetch_ranks(slots, i, end, low, roots, nodes, offsets, peers, walks)
        slot = slots[i]
        root = roots[slot]
        size = size_of(root, nodes)
        start = max(0, low[slot] - after)
        end = size if running else min(size, size - tail[slot] + before)
        if tied and low[slot] > 0:
            start = first_peer(min(start, low[slot] - 1), root, nodes, data, offsets, peers)
        first = max(0, start - before)
        if tied and 0 < first < size:
            first = first_peer(first, root, nodes, data, offsets, peers)
        last = min(size, end + after)
        spans[4 * i], spans[4 * i + 1], spans[4 * i + 2], spans[4 * i + 3] = first, last, start, end
        total += max(0, last - first)
        low[slot], tail[slot] = FAR, FAR
    return total


@inlined
def _begin(lane: int, span: int, at: int, slots: I64, spans: I64, roots: I64, nodes: I64, lanes: I64) -> None:
    """Let a lane walk over a span: from the entry that it goes on from, to those that belong to ``at`` and after."""
    first, last = spans[4 * span], spans[4 * span + 1]
    root = roots[slots[span]]
    lanes[lane + SPAN], lanes[lane + SEEKS], lanes[lane + CURSOR] = span, 1, root
    lanes[lane + RANK], lanes[lane + DEPTH] = max(first - 1, 0), 0
    lanes[lane + AT], lanes[lane + BEGIN], lanes[lane + END] = at - (first > 0), at, at + last - first
    prefetch(nodes, NODE * root)


@inlined
def _push(lane: int, node: int, lanes: I64) -> None:
    lanes[lane + STACK + lanes[lane + DEPTH]] = node
    lanes[lane + DEPTH] += 1


@inlined
def _go(lane: int, node: int, nodes: I64, lanes: I64) -> None:
    lanes[lane + CURSOR] = node
    prefetch(nodes, NODE * node)


@inlined
def _seek(lane: int, nodes: I64, lanes: I64) -> None:
    """A step towards the rank: the nodes on the way that come after it are put on the stack, and its own on top."""
    node = lanes[lane + CURSOR]
    left = nodes[NODE * node + LEFT]
    if lanes[lane + SEEKS] == 1:  # its size is needed first
        prefetch(nodes, NODE * left)
        lanes[lane + SEEKS] = 2
        return
    before, rank = size_of(left, nodes), lanes[lane + RANK]
    lanes[lane + SEEKS] = 0 if rank == before else 1
    if rank > before:
        lanes[lane + RANK] -= before + 1
        _go(lane, nodes[NODE * node + RIGHT], nodes, lanes)
        return
    _push(lane, node, lanes)
    lanes[lane + CURSOR] = left if rank < before else NONE


@inlined
def _emit(lane: int, nodes: I64, entries: I64, carries: I64, lanes: I64) -> None:
    """Take the top of the stack, and go on to its right."""
    lanes[lane + DEPTH] -= 1
    entry, at = lanes[lane + STACK + lanes[lane + DEPTH]], lanes[lane + AT]
    if at < lanes[lane + BEGIN]:
        carries[lanes[lane + SPAN]] = entry
    else:
        entries[at] = entry
    lanes[lane + AT] = at + 1
    if at + 1 == lanes[lane + END]:
        lanes[lane + SPAN] = NONE
    else:
        _go(lane, nodes[NODE * entry + RIGHT], nodes, lanes)


@inlined
def _walk(slots: I64, spans: I64, roots: I64, nodes: I64, entries: I64, carries: I64, lanes: I64) -> None:
    """The entries of the spans in order, and before each span the one it goes on from.

    Spans are walked side by side, a step each in turn: nearly every node is a miss of the cache, and so it has come
    when its turn is there again.
    """
    for lane in range(0, len(lanes), LANE):
        lanes[lane + SPAN] = NONE
    span, at, walking = 0, 0, 1
    while walking:
        walking = 0
        for lane in range(0, len(lanes), LANE):
            if lanes[lane + SPAN] == NONE:
                while span < len(slots) and spans[4 * span] >= spans[4 * span + 1]:
                    span += 1
                if span == len(slots):
                    continue
                _begin(lane, span, at, slots, spans, roots, nodes, lanes)
                at += spans[4 * span + 1] - spans[4 * span]
                span += 1
            elif lanes[lane + SEEKS]:
                _seek(lane, nodes, lanes)
            elif lanes[lane + CURSOR] != NONE:
                _push(lane, lanes[lane + CURSOR], lanes)
                _go(lane, nodes[NODE * lanes[lane + CURSOR] + LEFT], nodes, lanes)
            else:
                _emit(lane, nodes, entries, carries, lanes)
            walking += 1


@kernel(
    "void(const i64[], const i64[], bool, const i64[], const i64[], const u8[], const i64[], const i64[], i64[], i64[],"
    " i64[], bool[], i64[], i64[])"
)
def read(
    slots: I64, spans: I64, tied: bool, roots: I64, nodes: I64, data: U8, offsets: I64, peers: I64, entries: I64,
    slices: I64, groups: I64, computed: Bool, carries: I64, lanes: I64,
) -> None:  # fmt: skip
    """The entries of the spans in order, with the numbers of their span and of their peers, and which are computed.

    ``carries``: per span the entry before what is read, NONE where there is none. ``lanes``: room for some walks.
    """
    carries[:] = NONE
    _walk(slots, spans, roots, nodes, entries, carries, lanes)
    at, group = 0, 0
    for i in range(len(slots)):
        first, last, start, end = spans[4 * i], spans[4 * i + 1], spans[4 * i + 2], spans[4 * i + 3]
        for rank in range(first, last):
            if tied and at + _AHEAD < len(entries):
                prefetch(nodes, NODE * entries[at + _AHEAD])
                prefetch(peers, entries[at + _AHEAD])
            if not tied or rank == first or not are_peers(entries[at - 1], entries[at], nodes, data, offsets, peers):
                group += 1
            slices[at], groups[at], computed[at] = i, group, start <= rank < end
            at += 1
