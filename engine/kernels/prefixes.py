"""The rows at the beginning of ordered trees that no frame of a row to come reaches, and their removal."""

from __future__ import annotations

from constellationdb.engine.kernels.orderedtrees import GONE, LEFT, NODE, NONE, RIGHT, remove, size_of
from constellationdb.engine.kernels.rows import I64, U8
from constellationdb.engine.kernels.spans import first_peer
from constellationdb.jit import inlined, kernel


@inlined
def _closed(root: int, watermark: int, ends: I64, nodes: I64) -> int:
    """The rank of the first entry that is not closed."""
    rank, node = 0, root
    while node != NONE:
        if ends[node] <= watermark:
            rank += size_of(nodes[NODE * node + LEFT], nodes) + 1
            node = nodes[NODE * node + RIGHT]
        else:
            node = nodes[NODE * node + LEFT]
    return rank


@kernel(
    "i64(const i64[], i64, const i64[], i64, i64, bool, bool, const i64[], const i64[], const u8[], const i64[],"
    " const i64[], i64[])"
)
def spare(
    slots: I64, watermark: int, ends: I64, before: int, after: int, running: bool, tied: bool, roots: I64, nodes: I64,
    data: U8, offsets: I64, peers: I64, counts: I64,
) -> int:  # fmt: skip
    """How many of each slot's first rows are of no use any more, and how many these are in all.

    ``ends``: by entry, when the watermark closes it; they rise in the order. Rows that come stand behind all that are
    closed. See ``reach`` for the rest: what it reads, and the row before, is kept.
    """
    total = 0
    for i in range(len(slots)):
        root = roots[slots[i]]
        start = _closed(root, watermark, ends, nodes)
        if tied and start > 0:
            start = first_peer(start - 1, root, nodes, data, offsets, peers)
        start = max(0, start - after - before)
        if tied and start > 0:
            start = first_peer(start, root, nodes, data, offsets, peers)
        counts[i] = max(0, start - 1) if running else start
        total += counts[i]
    return total


@kernel("void(const i64[], const i64[], i64[], i64[], i64[], i64[])")
def behead(slots: I64, counts: I64, roots: I64, nodes: I64, gone: I64, facts: I64) -> None:
    """Remove the first so many entries of each slot."""
    for i in range(len(slots)):
        slot = slots[i]
        for _ in range(counts[i]):
            roots[slot], entry = remove(roots[slot], 0, nodes, facts)
            gone[facts[GONE]] = entry
            facts[GONE] += 1
