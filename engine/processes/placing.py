"""Slots of a view's rows: what a worker says of each row that goes or comes, so that the server finds it by number.

A row of a view with a unique key is at the slot of its key, here as in the server (``engine/places.py``). A key's slot
stays its own while the row is there; when many are not, the others get new numbers, and the server is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import I64

_COMPACT_ABOVE = 8192


@dataclass(frozen=True)
class Slotted:
    """See ``places.Placed``."""

    delta: pa.RecordBatch
    gone: int
    slots: I64
    renumbered: I64 | None


class Placing:
    """``unique``: the columns of the view in which no two of its rows agree."""

    def __init__(self, unique: tuple[int, ...]) -> None:
        self._unique = unique
        self._index = KeyIndex()
        self._there: NDArray[np.bool_] = np.zeros(16, np.bool_)
        self._live = 0

    def place(self, delta: pa.RecordBatch) -> Slotted:
        """``delta``: netted, and weighted."""
        renumbered = self._compact()
        weights = zset.weights(delta)
        assert weights is not None
        order = np.argsort(weights > 0, kind="stable")
        gone = int((weights < 0).sum())
        delta = zset.take(delta, order)
        slots, _ = self._index.upsert(encode_rows(zset.data(delta), self._unique))
        self._there = grow(self._there, len(self._index), False)
        self._live -= int(self._there[slots[:gone]].sum())
        self._there[slots[:gone]] = False
        self._live += len(slots) - gone
        self._there[slots[gone:]] = True
        return Slotted(delta, gone, slots, renumbered)

    def _compact(self) -> I64 | None:
        unused = len(self._index) - self._live
        if unused <= _COMPACT_ABOVE or unused * 2 < len(self._index):
            return None
        kept = np.flatnonzero(self._there[: len(self._index)])
        self._index, _ = self._index.compact(self._there)
        self._there = np.ones(max(len(kept), 16), np.bool_)
        return kept
