"""Integer keys that lie close together need no hash: a row number at every place between the least and the greatest.

A table of ids 1 … n is of this kind, and what it costs to look a key up is one
read of memory. ``place`` makes the array for keys that are all there, ``find``
reads it, ``upsert`` adds to it; ``widened`` makes room for keys outside.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from constellationdb.engine.kernels.rows import I64
from constellationdb.jit import kernel
from constellationdb.storage.scratch.arrays import filled

I32 = NDArray[np.int32]

ABSENT = -1
_LEAST = 1024


def place(keys: I64, entries: I64) -> tuple[int, I32] | None:
    """(least key, entry by key minus the least), or None where the array would be much larger than the keys."""
    if len(keys) == 0:
        return None
    low, high = int(keys.min()), int(keys.max())
    if high - low >= max(_LEAST, 4 * len(keys)) or int(entries.max()) >= 1 << 31:
        return None
    by_key = filled(high - low + 1, np.dtype(np.int32), ABSENT)
    by_key[keys - low] = entries
    return low, by_key


def widened(low: int, by_key: I32, least: int, greatest: int, most: int) -> tuple[int, I32] | None:
    """(least key, array) with a place for these keys too, and as much again on the side that grew.

    None where that takes more than ``most`` places.
    """
    first, behind = (min(low, least), max(low + len(by_key), greatest + 1)) if len(by_key) else (least, greatest + 1)
    if behind - first > most:
        return None
    if first < low and len(by_key):
        first = max(first - (behind - first), -(1 << 63))
    else:
        behind += behind - first
    larger = filled(behind - first, np.dtype(np.int32), ABSENT)
    larger[low - first : low - first + len(by_key)] = by_key
    return first, larger


@kernel("i64(const i64[], i64, i32[], i64[], i64, i64[])")
def upsert(keys: I64, low: int, by_key: I32, values: I64, count: int, out: I64) -> int:
    """The entry of every key, all of which have a place; new ones get the next and are noted in ``values``."""
    for i in range(len(keys)):
        entry = by_key[keys[i] - low]
        if entry < 0:
            entry = np.int32(count)
            by_key[keys[i] - low] = entry
            values[count] = keys[i]
            count += 1
        out[i] = entry
    return count


@kernel("void(const i64[], i64, const i32[], i64[])")
def find(keys: I64, low: int, by_key: I32, out: I64) -> None:
    """The entry of every key, or ABSENT."""
    count = np.uint64(len(by_key))
    for i in range(len(keys)):
        at = np.uint64(keys[i] - low)  # wraps around, and so is large, for a key below the least
        out[i] = by_key[at] if at < count else ABSENT
