"""When the watermark closes each key of an operator that keeps rows by key."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.groupby import first_rows
from constellationdb.engine.kernels.rows import I64
from constellationdb.engine.operators.base import ENDED
from constellationdb.engine.operators.punctual import ends_of
from constellationdb.planner import plan


class ClosingKeys:
    """By slot the end of its key, from ``column`` of it; None: no key ever closes."""

    def __init__(self, column: plan.Column | None) -> None:
        self._column = column
        self._ends: I64 = np.full(64, ENDED, np.int64)
        self._next = ENDED

    def opened(self, rows: pa.RecordBatch, slots: I64, known: int, count: int) -> None:
        """Slots from ``known`` up to ``count`` are new, with these rows."""
        self._ends = grow(self._ends, count, ENDED)
        if self._column is not None:
            times = rows.column(self._column.index).take(pa.array(first_rows(slots, known, count)))
            self._ends[known:count] = ends_of(times, self._column.offset_us)
            self._next = min(self._next, int(self._ends[known:count].min()))

    def closed(self, watermark: int, count: int) -> I64 | None:
        """Those of the first ``count`` slots that the watermark has reached, each once; None: there are none."""
        if watermark < self._next:
            return None
        found = np.flatnonzero(self._ends[:count] <= watermark)
        self._ends[found] = ENDED
        self._next = int(self._ends[:count].min(initial=ENDED))
        return found

    def compact(self, slots: I64) -> None:
        """The slots become these old ones, in this order."""
        self._ends = grow(self._ends[slots], 64, ENDED)
