"""Which row of the right is closest in time: the arithmetic of ASOF joins, on arrays.

    key  0  0  0 | 1          the right's rows, sorted by key and time
    time 10 20 20| 5          of several at one time the least stays, by all of its columns

Keys are numbers here and times integers. All rows of the left are looked up at
once, in one sorted array of (key, rank of the time).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import I64
from constellationdb.planner.plan import AsofDirection

Bool: TypeAlias = NDArray[np.bool_]
NOTHING = -1


def ticks(column: pa.Array | pa.ChunkedArray) -> tuple[I64, Bool]:
    """Times as integers, and which of them are there at all."""
    valid = column.is_valid().to_numpy(zero_copy_only=False) if column.null_count else np.ones(len(column), np.bool_)
    whole = column.cast(pa.int32()) if pa.types.is_date32(column.type) else column
    numbers: I64 = whole.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return numbers, valid


class Timeline:
    """The right's rows by key and time. ``rows`` are consulted only where two have the same."""

    def __init__(self, keys: I64, times: I64, rows: pa.RecordBatch) -> None:
        order = np.lexsort((times, keys))
        keys, times = keys[order], times[order]
        same = np.zeros(len(order), np.bool_)
        same[1:] = (keys[1:] == keys[:-1]) & (times[1:] == times[:-1])
        if same.any():
            order = _least_first(order, same, rows)
        self._row: I64 = order[~same]
        self._keys, self._times = keys[~same], times[~same]
        self._moments = np.unique(self._times)
        self._places = self._keys * self._width + np.searchsorted(self._moments, self._times)

    @property
    def _width(self) -> int:
        return len(self._moments) + 1

    def find(self, keys: I64, times: I64, direction: AsofDirection, *, inclusive: bool) -> I64:
        """For each (key, time) the row that is closest, NOTHING where there is none."""
        if not len(self._row):
            return np.full(len(keys), NOTHING, np.int64)
        if direction == "backward":
            return self._row_at(self._before(keys, times, inclusive=inclusive))
        if direction == "forward":
            return self._row_at(self._behind(keys, times, inclusive=inclusive))
        back = self._before(keys, times, inclusive=True)
        ahead = self._behind(keys, times, inclusive=True)
        # As unsigned numbers: the distance of two times may be more than a signed one holds.
        since = (times - self._times[np.maximum(back, 0)]).astype(np.uint64)
        until = (self._times[np.maximum(ahead, 0)] - times).astype(np.uint64)
        earlier = (back >= 0) & ((ahead < 0) | (since <= until))
        return self._row_at(np.where(earlier, back, ahead))

    def _before(self, keys: I64, times: I64, *, inclusive: bool) -> I64:
        rank = np.searchsorted(self._moments, times, side="right" if inclusive else "left")
        at = np.searchsorted(self._places, keys * self._width + rank - 1, side="right") - 1
        return self._of_key(at, keys)

    def _behind(self, keys: I64, times: I64, *, inclusive: bool) -> I64:
        rank = np.searchsorted(self._moments, times, side="left" if inclusive else "right")
        return self._of_key(np.searchsorted(self._places, keys * self._width + rank, side="left"), keys)

    def _of_key(self, at: I64, keys: I64) -> I64:
        inside = (at >= 0) & (at < len(self._keys))
        at = np.where(inside, at, 0)
        found: I64 = np.where(inside & (self._keys[at] == keys), at, NOTHING)
        return found

    def _row_at(self, at: I64) -> I64:
        found: I64 = np.where(at >= 0, self._row[np.maximum(at, 0)], NOTHING)
        return found


def _least_first(order: I64, same: Bool, rows: pa.RecordBatch) -> I64:
    """Rows at one time, which stand side by side, in the order of their bytes."""
    tied = same.copy()
    tied[:-1] |= same[1:]
    places = np.flatnonzero(tied)
    encoded = encode_rows(rows.take(pa.array(order[places])), range(rows.num_columns))
    offsets = pa.py_buffer(encoded.offsets.astype(np.int64))
    texts = pa.Array.from_buffers(pa.large_binary(), len(encoded), [None, offsets, pa.py_buffer(encoded.data)])
    rank = pc.rank(texts, tiebreaker="first").to_numpy().astype(np.int64)
    group = np.cumsum(~same)[places]
    sorted_order = order.copy()
    sorted_order[places] = order[places][np.lexsort((rank, group))]
    return sorted_order
