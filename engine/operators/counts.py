"""Counts by key, with the time at which the watermark frees each key: the state of an outer join's matches.

A key whose first count is zero is not in use; when such are the most, they are forgotten.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.keyindex import KeyIndex, stored_rows
from constellationdb.engine.kernels.rows import I64, Rows
from constellationdb.engine.operators.incremental import ChangedSlots
from constellationdb.engine.operators.sweep import Sweep

_FOREVER = np.int64(np.iinfo(np.int64).max)
_COMPACT_ABOVE = 4096


class Counts:
    """``columns``: arrays of ``width`` counts by slot, which callers change in place."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._sweep = Sweep()
        self._clear(0)

    def _clear(self, room: int) -> None:
        self._index = KeyIndex(room)
        self.columns = [np.zeros(64, np.int64) for _ in range(self._width)]
        self._ends = np.full(64, _FOREVER, np.int64)
        self._changed = ChangedSlots()
        self._look_above = _COMPACT_ABOVE

    def __len__(self) -> int:
        """Keys, those not in use included."""
        return len(self._index)

    def upsert(self, keys: Rows, ends: I64 | None) -> I64:
        """The slot of each key; ``ends``: when the watermark frees it."""
        slots, new = self._index.upsert(keys)
        count = len(self._index)
        if new:
            self.columns = [grow(column, count) for column in self.columns]
            self._ends = grow(self._ends, count, _FOREVER)
        if ends is not None:
            self._ends[slots] = ends
        self._changed.mark(slots, count)
        return slots

    def first_of(self, keys: Rows) -> I64:
        """The first count of each key; 0 where the key is not known."""
        slots = self._index.probe(keys)
        return np.where(slots >= 0, self.columns[0][np.maximum(slots, 0)], 0)

    def evict(self, watermark: int) -> None:
        count = len(self._index)
        if not self._sweep.due(count, count):
            return
        over = np.flatnonzero(self._ends[:count] <= watermark)
        for column in self.columns:
            column[over] = 0
        self._changed.mark(over, count)
        self.compact()
        self._sweep.swept(len(self._index))

    def compact(self) -> None:
        """Forget the keys that are not in use, when they are the most. Slots change."""
        count = len(self._index)
        if count <= self._look_above:
            return
        used = self._used()
        if 2 * len(used) > count:
            self._look_above = count + count // 2
            return
        state = self._dump(used)
        self._clear(count)
        self._put(state)
        self._look_above = max(_COMPACT_ABOVE, 2 * len(used))

    def _used(self) -> I64:
        return np.flatnonzero(self.columns[0][: len(self._index)])

    # -- checkpoints ---------------------------------------------------------------------------

    def snapshot(self) -> pa.RecordBatch:
        self._changed.begin()
        return self._dump(self._used())

    def changes(self) -> pa.RecordBatch | None:
        slots = self._changed.take(len(self._index))
        return None if slots is None else self._dump(slots)

    def patch(self, changes: pa.RecordBatch) -> None:
        self._put(changes)
        self._changed.begin()

    def _dump(self, slots: I64) -> pa.RecordBatch:
        keys = self._index.keys_at(slots)
        buffers = [None, pa.py_buffer(keys.offsets.astype(np.int64)), pa.py_buffer(keys.data)]
        columns = {"key": pa.Array.from_buffers(pa.large_binary(), len(slots), buffers)}
        columns |= {f"count{i}": pa.array(column[slots]) for i, column in enumerate(self.columns)}
        return pa.record_batch({**columns, "end": pa.array(self._ends[slots])})

    def restore(self, state: pa.RecordBatch) -> None:
        """Into an empty one."""
        self._put(state)
        self._changed.begin()

    def _put(self, state: pa.RecordBatch) -> None:
        if not state.num_rows:
            return
        keys = pa.concat_arrays([state.column(0)])  # without an offset
        _, offsets, data = keys.buffers()
        bounds = np.frombuffer(offsets, np.int64)[: len(keys) + 1]
        slots = self.upsert(stored_rows(np.frombuffer(data, np.uint8)[: bounds[-1]], bounds), None)
        *columns, ends = (column.to_numpy() for column in state.columns[1:])
        for column, values in zip(self.columns, columns, strict=True):
            column[slots] = values
        self._ends[slots] = ends
