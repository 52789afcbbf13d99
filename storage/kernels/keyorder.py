"""Entries of a log of versions in the order of their keys: searching in a run of them, and merging runs."""

from __future__ import annotations

from constellationdb.jit import inlined, kernel
from constellationdb.storage.kernels.memory import I64, U8, load64
from constellationdb.storage.kernels.versions import HEAD, key_length


@inlined
def _is_less(left: U8, start: int, size: int, right: U8, other: int, length: int) -> bool:
    """Whether the first run of bytes comes before the second."""
    shorter, i = min(size, length), 0
    while i + 8 <= shorter and load64(left, start + i) == load64(right, other + i):
        i += 8
    while i < shorter:
        if left[start + i] != right[other + i]:
            return bool(left[start + i] < right[other + i])
        i += 1
    return size < length


@kernel("i64(const i64[], const i64[], const u8[], const u8[])")
def lower_bound(run: I64, latest: I64, log: U8, key: U8) -> int:
    """How many entries of a sorted run have a key below ``key``."""
    low, high = 0, len(run)
    while low < high:
        middle = (low + high) // 2
        at = latest[run[middle]]
        if _is_less(log, at + HEAD, key_length(log, at), key, 0, len(key)):
            low = middle + 1
        else:
            high = middle
    return low


@kernel("i64(const i64[], i64[], const i64[], const i64[], const u8[], i64[])")
def merge(entries: I64, cursors: I64, ends: I64, latest: I64, log: U8, out: I64) -> int:
    """The next entries of sorted runs in order, as many as ``out`` holds; how many they are.

    Run ``r`` is ``entries[cursors[r]:ends[r]]``; the cursors move on.
    """
    count = 0
    while count < len(out):
        best, best_at = -1, 0
        for r in range(len(cursors)):
            if cursors[r] < ends[r]:
                at = int(latest[entries[cursors[r]]])
                if best < 0 or _is_less(
                    log, at + HEAD, key_length(log, at), log, best_at + HEAD, key_length(log, best_at)
                ):
                    best, best_at = r, at
        if best < 0:
            break
        out[count] = entries[cursors[best]]
        cursors[best] += 1
        count += 1
    return count
