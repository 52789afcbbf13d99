"""Heaps by slot over numbered entries: the first entry of each slot, where entries come and go.

A pairing heap: an entry is pushed in constant time and the first is removed in
O(log n), amortised. An entry whose count falls to zero stays where it is until
it is first, and is only then removed; if it comes back before that, it is there
already.

Entries are compared by ``words``, then by their bytes, if the values have any
that the words do not hold. ``last``: the greatest is first.
"""

from __future__ import annotations

from constellationdb.engine.kernels.rows import I64, U8, U64, Bool
from constellationdb.jit import inlined, kernel

NONE = -1


@inlined
def _before(a: int, b: int, words: U64, data: U8, offsets: I64, last: bool) -> bool:
    if words[a] != words[b]:
        return bool((words[a] < words[b]) != last)
    if len(offsets) < 2:
        return False
    size_a, size_b = offsets[a + 1] - offsets[a], offsets[b + 1] - offsets[b]
    for i in range(min(size_a, size_b)):
        left, right = data[offsets[a] + i], data[offsets[b] + i]
        if left != right:
            return bool((left < right) != last)
    return bool(size_a != size_b and (size_a < size_b) != last)


@inlined
def _meld(a: int, b: int, child: I64, sibling: I64, words: U64, data: U8, offsets: I64, last: bool) -> int:
    """One heap of two: the root that comes later becomes the other's first child."""
    if _before(b, a, words, data, offsets, last):
        a, b = b, a
    sibling[b] = child[a]
    child[a] = b
    return a


@inlined
def _merged(first: int, child: I64, sibling: I64, words: U64, data: U8, offsets: I64, last: bool) -> int:
    """The heap of a removed root's children: melded in pairs, then the pairs from the last to the first."""
    pairs = NONE
    while first != NONE:
        second = sibling[first]
        if second == NONE:
            sibling[first] = pairs
            pairs = first
            break
        rest = sibling[second]
        first = _meld(first, second, child, sibling, words, data, offsets, last)
        sibling[first] = pairs
        pairs = first
        first = rest
    if pairs == NONE:
        return NONE
    root, rest = pairs, sibling[pairs]
    while rest != NONE:
        following = sibling[rest]
        root = _meld(root, rest, child, sibling, words, data, offsets, last)
        rest = following
    sibling[root] = NONE
    return root


@kernel("void(const i64[], const i64[], i64[], i64[], i64[], bool[], const u64[], const u8[], const i64[], bool)")
def push(
    entries: I64, slots: I64, roots: I64, child: I64, sibling: I64, queued: Bool, words: U64, data: U8, offsets: I64,
    last: bool,
) -> None:  # fmt: skip
    """Put entries that are not in their slot's heap into it."""
    for i in range(len(entries)):
        entry = entries[i]
        if queued[entry]:
            continue
        queued[entry] = True
        child[entry] = NONE
        sibling[entry] = NONE
        root = roots[slots[i]]
        roots[slots[i]] = entry if root == NONE else _meld(root, entry, child, sibling, words, data, offsets, last)


@kernel("void(const i64[], const i64[], i64[], i64[], i64[], bool[], const u64[], const u8[], const i64[], bool)")
def settle(
    slots: I64, counts: I64, roots: I64, child: I64, sibling: I64, queued: Bool, words: U64, data: U8, offsets: I64,
    last: bool,
) -> None:  # fmt: skip
    """Remove from the top of each slot's heap what is no longer there."""
    for i in range(len(slots)):
        root = roots[slots[i]]
        while root != NONE and counts[root] == 0:
            queued[root] = False
            root = _merged(child[root], child, sibling, words, data, offsets, last)
        roots[slots[i]] = root
