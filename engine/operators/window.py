"""WindowAssign: each row once per window it lies in; late rows leave by the side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.operators.base import Context, Stateless
from constellationdb.planner import plan


class WindowAssignOperator(Stateless):
    """TUMBLE (slide = size) and HOP. A row without a time lies in no window.

    Per row and window, assigned = used + late: late when the window, with its
    lateness, had closed by the end of the previous epoch.
    """

    def __init__(self, node: plan.WindowAssign) -> None:
        self._node = node
        self._schema = node.schema
        self._copies = -(-node.size_us // node.slide_us)

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        batch = inputs[0]
        if batch is None or batch.num_rows == 0:
            return None
        node = self._node
        times = batch.column(node.time_column)
        if times.null_count:
            batch = batch.filter(times.is_valid())
            times = batch.column(node.time_column)
        if batch.num_rows == 0:
            return None
        micros = times.cast(pa.int64()).to_numpy(zero_copy_only=False)
        row, start = self._assign(micros)
        if node.watermarked:
            limit = context.watermark_before - node.lateness_us
            late = start + node.size_us <= limit
            if late.any():
                context.late.append(self._windowed(batch, row[late], start[late]))
                row, start = row[~late], start[~late]
        context.used += len(row)
        return self._windowed(batch, row, start) if len(row) else None

    def _assign(self, micros: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(row, window start) pairs, grouped by row."""
        node = self._node
        last = (micros - node.offset_us) // node.slide_us * node.slide_us + node.offset_us
        if self._copies == 1 and node.slide_us == node.size_us:
            return np.arange(len(micros), dtype=np.int64), last
        row = np.repeat(np.arange(len(micros), dtype=np.int64), self._copies)
        back = np.tile(np.arange(self._copies, dtype=np.int64) * node.slide_us, len(micros))
        start = last[row] - back
        inside = start + node.size_us > micros[row]
        return row[inside], start[inside]

    def _windowed(self, batch: pa.RecordBatch, row: NDArray[np.int64], start: NDArray[np.int64]) -> pa.RecordBatch:
        whole = len(row) == batch.num_rows and self._copies == 1
        rows = batch if whole else zset.take(batch, row)
        own = zset.weights(rows)
        kind = self._schema.types[-1]
        edges = [pa.array(edge, pa.int64()).cast(kind) for edge in (start, start + self._node.size_us)]
        made = pa.RecordBatch.from_arrays([*zset.data(rows).columns, *edges], schema=self._schema)
        return made if own is None else zset.with_weights(made, own)
