"""Rows that lie in many Arrow chunks, taken as if they lay in one.

Arrow takes from one chunk at a time, or joins them all first. Here the addresses of a chunk's buffers are noted when it
comes, so that a take costs what it takes, however many chunks there are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from constellationdb.engine.chunk_columns import column_of
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.rows import I64


def newest(chunks: Sequence[pa.RecordBatch], count: int) -> list[pa.RecordBatch]:
    """The last ``count`` rows, in order: what lies before them is not looked at."""
    found: list[pa.RecordBatch] = []
    for chunk in reversed(chunks):
        if count <= 0:
            break
        found.append(chunk.slice(max(chunk.num_rows - count, 0)))
        count -= chunk.num_rows
    return found[::-1]


class Chunks:
    """``columns``: which of the chunks' columns are taken, under the names of ``schema``; None: all of them."""

    def __init__(self, schema: pa.Schema, columns: Sequence[int] | None = None) -> None:
        self._schema = schema
        self._numbers = range(len(schema)) if columns is None else columns
        self._columns = [column_of(kind) for kind in schema.types]
        self._chunks: Sequence[pa.RecordBatch] = ()
        self._ends: I64 = np.zeros(16, np.int64)  # after a zero, the row behind each chunk

    def follow(self, chunks: Sequence[pa.RecordBatch]) -> None:
        """Take from these. Only the last ones of a store's chunks ever change, so they are compared from behind."""
        known = min(len(chunks), len(self._chunks))
        while known and chunks[known - 1] is not self._chunks[known - 1]:
            known -= 1
        self._ends = grow(self._ends, len(chunks) + 1)
        for place in range(known, len(chunks)):
            self._ends[place + 1] = self._ends[place] + chunks[place].num_rows
            for number, column in zip(self._numbers, self._columns, strict=True):
                column.note(place, chunks[place].column(number))
        self._chunks = chunks

    def take(self, entries: I64) -> pa.RecordBatch:
        """The rows of these numbers, counted through all chunks, in this order."""
        if not self._columns:
            return pa.RecordBatch.from_struct_array(pa.array([{}] * len(entries), pa.struct([])))
        ends = self._ends[1 : len(self._chunks) + 1]
        if len(entries) and not 0 <= entries.min() <= entries.max() < ends[-1]:
            raise IndexError("there is no such row")
        chunks = np.searchsorted(ends, entries, "right")
        places = entries - self._ends[chunks]
        return pa.RecordBatch.from_arrays([c.take(chunks, places) for c in self._columns], schema=self._schema)
