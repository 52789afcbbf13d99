"""Rows in order with the values that they have, as state: where values came from rows that are gone.

Equal rows may have different values, which follow their order, and that is the order in which they came. So each is
written with a number that tells it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.rows import I64
from constellationdb.engine.operators.noted import NotedChanges

_PART, _NUMBER = "shown", "__number"


class ShownRows:
    """``show``: the rows of some entries with the values given. Entries are numbered as they come."""

    def __init__(self, show: Callable[[I64, pa.RecordBatch], pa.RecordBatch]) -> None:
        self._show = show
        self._numbers: I64 = np.zeros(64, np.int64)
        self._count = self._next = 0
        self._noted = NotedChanges()

    def came(self, entries: int) -> None:
        """So many there are by now."""
        self._numbers = grow(self._numbers, entries)
        fresh = entries - self._count
        self._numbers[self._count : entries] = np.arange(self._next, self._next + fresh)
        self._count, self._next = entries, self._next + fresh

    def compact(self, kept: I64) -> None:
        self._numbers, self._count = grow(self._numbers[kept], 64), len(kept)

    def note(self, entries: I64, values: pa.RecordBatch, weight: int) -> None:
        """These rows have, or no longer have, these values."""
        if self._noted.known and len(entries):
            self._noted.note(self._numbered(entries, values, weight))

    def _numbered(self, entries: I64, values: pa.RecordBatch, weight: int) -> pa.RecordBatch:
        rows = self._show(entries, values).append_column(_NUMBER, pa.array(self._numbers[entries]))
        return zset.with_weights(rows, weight)

    def snapshot(self, entries: I64, values: pa.RecordBatch) -> dict[str, pa.RecordBatch]:
        self._noted.begin()
        return {_PART: self._numbered(entries, values, 1)}

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        if not self._noted.known:
            return None
        changed = self._noted.take()
        return {} if changed is None else {_PART: changed}

    def restored(self, shown: pa.RecordBatch) -> pa.RecordBatch:
        """The rows with their values, in the order they came in: they are to be the first entries."""
        numbers: I64 = shown.column(shown.num_columns - 2).to_numpy(zero_copy_only=False)
        order = np.argsort(numbers, kind="stable")
        self._numbers, self._count = grow(numbers[order], 64), len(order)
        self._next = int(numbers.max()) + 1 if len(numbers) else 0
        self._noted.begin()
        return zset.take(shown, order).select(range(shown.num_columns - 2))
