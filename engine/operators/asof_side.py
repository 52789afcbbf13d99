"""One side of an ASOF join: its rows by key, and which of its rows can match at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import FOREVER
from constellationdb.engine.closest import Bool, ticks
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import I64, Rows
from constellationdb.engine.operators.followed import FollowedArrangement
from constellationdb.planner import plan

_SMALL = 1024


class AsofSide:
    """An arrangement of the operator's own: what is kept here expires, or is read while it changes."""

    def __init__(self, node: plan.AnyNode, keys: tuple[int, ...], time: int, null_safe: Sequence[bool]) -> None:
        self.time = time
        self._keys = keys
        self._needed = [key for key, safe in zip(keys, null_safe, strict=True) if not safe]
        self._rows = FollowedArrangement(node.schema, keys)
        self._left_over = 0

    def matchable(self, rows: pa.RecordBatch) -> Bool:
        """The rows that have a time and a key."""
        _, valid = ticks(rows.column(self.time))
        for key in self._needed:
            if rows.column(key).null_count:
                valid = valid & rows.column(key).is_valid().to_numpy(zero_copy_only=False)
        return valid

    def encode(self, rows: pa.RecordBatch) -> Rows:
        return encode_rows(rows, self._keys)

    def apply(self, delta: pa.RecordBatch, epoch: int, *, compact: bool = True) -> None:
        self._rows.apply(delta, epoch)
        if compact:
            self.compact(epoch)

    def compact(self, epoch: int) -> None:
        """Entries may get other numbers."""
        self._rows.compact(epoch)

    def lookup(self, keys: Rows, epoch: int) -> tuple[I64, I64]:
        return self._rows.lookup(keys, epoch)

    def take(self, entries: I64) -> pa.RecordBatch:
        return self._rows.take(entries)

    rows = take

    def column(self, entries: I64, index: int) -> pa.Array:
        return self._rows.take(entries).column(index)

    def weight_of(self, entries: I64) -> I64:
        return self._rows.weight_of(entries)

    # -- what the watermark frees

    def has_grown(self) -> bool:
        return self._rows.live > max(2 * self._left_over, _SMALL)

    def live(self) -> I64:
        version = self._rows.version
        return np.flatnonzero(version.died[: version.rows] == FOREVER)

    def free(self, entries: I64, epoch: int) -> None:
        if len(entries):
            dead = np.zeros(len(self._rows), np.bool_)
            dead[entries] = True
            self._rows.evict(dead, epoch)
        self._left_over = self._rows.live
        self._rows.compact(epoch)

    def snapshot(self) -> pa.RecordBatch:
        return zset.weighted(self._rows.snapshot())

    def restore(self, rows: pa.RecordBatch, epoch: int) -> None:
        self._rows.restore(rows, epoch)

    def changes(self) -> pa.RecordBatch | None:
        return self._rows.news()

    def patch(self, changes: pa.RecordBatch, epoch: int) -> None:
        self._rows.patch(changes, epoch)
