"""An append-only store of rows: Arrow chunks addressed by entry number.

Chunks that arrive small are merged with their neighbour when it is not much
larger, so n rows in batches of one still cost O(log n) chunks. Merging keeps
the order, so entry numbers never move.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_MERGED_ROWS = 1 << 17


class RowStore:
    """Rows of one schema; ``append`` at the end, ``take`` by entry number."""

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.chunks: tuple[pa.RecordBatch, ...] = ()
        self.rows = 0
        self._table: pa.Table | None = None

    def append(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        chunks = [*self.chunks, batch]
        while len(chunks) > 1 and _mergeable(chunks[-2], chunks[-1]):
            tail = chunks.pop()
            chunks[-1] = pa.concat_batches([chunks[-1], tail])
        self.chunks = tuple(chunks)
        self._table = None

    def take(self, entries: NDArray[np.int64]) -> pa.RecordBatch:
        """The rows with these numbers, in this order."""
        if len(self.chunks) == 1:
            return self.chunks[0].take(pa.array(entries, pa.int64()))
        if self._table is None:
            self._table = pa.Table.from_batches(list(self.chunks), self.schema)
        taken = self._table.take(pa.array(entries, pa.int64())).combine_chunks()
        batches = taken.to_batches()
        return batches[0] if batches else empty(self.schema)


def _mergeable(left: pa.RecordBatch, right: pa.RecordBatch) -> bool:
    return bool(right.num_rows * 2 >= left.num_rows and left.num_rows + right.num_rows <= _MERGED_ROWS)


def empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)
