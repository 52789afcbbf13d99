"""Rows by the tick at which something is due for them: what is not due costs nothing."""

from __future__ import annotations

import heapq

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.rows import I64
from constellationdb.engine.operators.noted import NotedChanges

_PARTS = 32


class Schedule:
    """Z-sets, summed by tick. A row that is added and taken away again leaves nothing behind, once it is netted."""

    def __init__(self) -> None:
        self._parts: dict[int, list[pa.RecordBatch]] = {}
        self._ticks: list[int] = []
        self.noted = NotedChanges()

    def add(self, rows: pa.RecordBatch, ticks: I64) -> None:
        """Weighted ``rows``, each due at its tick."""
        self.noted.note(rows)
        order = np.argsort(ticks, kind="stable")
        ticks = ticks[order]
        starts: list[int] = np.flatnonzero(np.r_[True, ticks[1:] != ticks[:-1]][: len(ticks)]).tolist()
        rows = zset.take(rows, order) if len(starts) > 1 else rows
        for start, end in zip(starts, [*starts[1:], len(ticks)], strict=True):
            self._put(int(ticks[start]), rows.slice(start, end - start))

    def _put(self, tick: int, rows: pa.RecordBatch) -> None:
        if tick not in self._parts:
            self._parts[tick] = []
            heapq.heappush(self._ticks, tick)
        parts = self._parts[tick]
        parts.append(rows)
        if len(parts) >= _PARTS:
            whole = zset.netted(pa.concat_batches(parts))
            self._parts[tick] = [] if whole is None else [whole]

    def due(self, tick: int) -> Delta:
        """Take out what is due at ``tick`` or before."""
        parts: list[pa.RecordBatch] = []
        while self._ticks and self._ticks[0] <= tick:
            parts += self._parts.pop(heapq.heappop(self._ticks))
        gone = zset.netted(pa.concat_batches(parts)) if parts else None
        if gone is not None:
            self.noted.note(zset.negate(gone))
        return gone

    def next(self) -> int | None:
        """The first tick at which something is due."""
        return self._ticks[0] if self._ticks else None

    def rows(self) -> Delta:
        parts = [part for parts in self._parts.values() for part in parts]
        return zset.netted(pa.concat_batches(parts)) if parts else None
