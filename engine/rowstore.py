"""An append-only store of rows: Arrow chunks addressed by entry number.

Chunks that arrive small are merged with their neighbour when it is not much
larger, so n rows in batches of one still cost O(log n) chunks. Merging keeps
the order, so entry numbers never move. A whole batch becomes a chunk as it is,
and a take costs what it takes, however many rows lie beside them.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine.chunks import Chunks
from constellationdb.storage.scratch.arrays import settled

_MERGED_ROWS = 1 << 16


class RowStore:
    """Rows of one schema; ``append`` at the end, ``take`` by entry number."""

    def __init__(self, schema: pa.Schema, chunks: tuple[pa.RecordBatch, ...] = ()) -> None:
        self.schema = schema
        self.chunks = chunks
        self.rows: int = sum(chunk.num_rows for chunk in chunks)
        self._taken = Chunks(schema)

    def append(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        chunks = [*self.chunks, batch]
        while len(chunks) > 1 and mergeable(chunks[-2], chunks[-1]):
            tail = chunks.pop()
            chunks[-1] = pa.concat_batches([chunks[-1], tail])
        chunks[-1] = settled(chunks[-1])
        self.chunks = tuple(chunks)

    def take(self, entries: NDArray[np.int64]) -> pa.RecordBatch:
        """The rows with these numbers, in this order."""
        if len(entries) == 0:
            return empty(self.schema)
        if len(self.chunks) == 1:
            return self.chunks[0].take(pa.array(entries, pa.int64()))
        self._taken.follow(self.chunks)
        return self._taken.take(entries)

    def last(self, count: int) -> pa.RecordBatch:
        """The newest rows, no more than the last append brought: they lie together, so nothing is copied."""
        tail = self.chunks[-1]
        return tail.slice(tail.num_rows - count)

    def pick(self, entries: pa.Array) -> pa.RecordBatch:
        """As ``take``, and a row of NULLs for a NULL."""
        if entries.null_count == 0:
            return self.take(entries.to_numpy())
        valid = entries.is_valid().to_numpy(zero_copy_only=False)
        rows = self.take(entries.drop_null().to_numpy())
        return rows.take(pa.array(np.cumsum(valid) - 1, mask=~valid))


def mergeable(left: pa.RecordBatch, right: pa.RecordBatch) -> bool:
    """Whether two neighbours are better one: small, and the second not much smaller than the first."""
    return bool(right.num_rows * 2 >= left.num_rows and left.num_rows + right.num_rows <= _MERGED_ROWS)


def empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)
