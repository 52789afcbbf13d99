"""An append-only store of rows: Arrow chunks addressed by entry number.

Chunks that arrive small are merged with their neighbour when it is not much
larger, so n rows in batches of one still cost O(log n) chunks. Merging keeps
the order, so entry numbers never move. A whole batch becomes a chunk as it is,
and a take costs what it takes, however many rows lie beside them.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_MERGED_ROWS = 1 << 16
# A table's take joins its chunks first: worth it when few of the rows lie beside those taken.
_JOIN_UP_TO = 4


class RowStore:
    """Rows of one schema; ``append`` at the end, ``take`` by entry number."""

    def __init__(self, schema: pa.Schema, chunks: tuple[pa.RecordBatch, ...] = ()) -> None:
        self.schema = schema
        self.chunks = chunks
        self.rows: int = sum(chunk.num_rows for chunk in chunks)
        self._ends: NDArray[np.int64] | None = None  # the entry behind each chunk, until the next append

    def append(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        chunks = [*self.chunks, batch]
        while len(chunks) > 1 and mergeable(chunks[-2], chunks[-1]):
            tail = chunks.pop()
            chunks[-1] = pa.concat_batches([chunks[-1], tail])
        self.chunks = tuple(chunks)
        self._ends = None

    def take(self, entries: NDArray[np.int64]) -> pa.RecordBatch:
        """The rows with these numbers, in this order."""
        if len(entries) == 0:
            return empty(self.schema)
        if len(self.chunks) == 1:
            return self.chunks[0].take(pa.array(entries, pa.int64()))
        if self.rows <= _JOIN_UP_TO * len(entries):
            table = pa.Table.from_batches(self.chunks, self.schema).take(pa.array(entries, pa.int64()))
            return table.combine_chunks().to_batches()[0]
        if self._ends is None:
            self._ends = np.cumsum([chunk.num_rows for chunk in self.chunks])
        chunk = np.searchsorted(self._ends, entries, "right")
        if bool((chunk[1:] >= chunk[:-1]).all()):
            return self._take_in_order(entries, chunk)
        order = np.argsort(chunk, kind="stable")
        place = np.empty(len(order), np.int64)
        place[order] = np.arange(len(order))
        return self._take_in_order(entries[order], chunk[order]).take(pa.array(place))

    def last(self, count: int) -> pa.RecordBatch:
        """The newest rows, no more than the last append brought: they lie together, so nothing is copied."""
        tail = self.chunks[-1]
        return tail.slice(tail.num_rows - count)

    def select(self, columns: tuple[int, ...]) -> RowStore:
        """The same rows with some of their columns, as they are now."""
        chosen = list(columns)
        return RowStore(
            pa.schema([self.schema.field(i) for i in chosen]), tuple(chunk.select(chosen) for chunk in self.chunks)
        )

    def pick(self, entries: pa.Array) -> pa.RecordBatch:
        """As ``take``, and a row of NULLs for a NULL."""
        if entries.null_count == 0:
            return self.take(entries.to_numpy())
        valid = entries.is_valid().to_numpy(zero_copy_only=False)
        rows = self.take(entries.drop_null().to_numpy())
        return rows.take(pa.array(np.cumsum(valid) - 1, mask=~valid))

    def _take_in_order(self, entries: NDArray[np.int64], chunk: NDArray[np.int64]) -> pa.RecordBatch:
        """The rows of entries that come chunk by chunk: one take from each chunk, not from all of them joined."""
        assert self._ends is not None
        edges = [0, *(np.flatnonzero(chunk[1:] != chunk[:-1]) + 1), len(entries)]
        parts = []
        for first, last in pairwise(edges):
            number = chunk[first]
            begin = self._ends[number] - self.chunks[number].num_rows
            parts.append(self.chunks[number].take(pa.array(entries[first:last] - begin, pa.int64())))
        return parts[0] if len(parts) == 1 else pa.concat_batches(parts)


def mergeable(left: pa.RecordBatch, right: pa.RecordBatch) -> bool:
    """Whether two neighbours are better one: small, and the second not much smaller than the first."""
    return bool(right.num_rows * 2 >= left.num_rows and left.num_rows + right.num_rows <= _MERGED_ROWS)


def empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)
