"""WindowAssign: each row once per window it lies in; late rows leave by the side."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels import windows
from constellationdb.engine.kernels.rows import I64
from constellationdb.engine.operators.base import Context, Stateless
from constellationdb.planner import plan


class WindowAssignOperator(Stateless):
    """TUMBLE (slide = size), HOP and CUMULATE. A row without a time lies in no window.

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
        row, start, end = self._assigned(micros)
        if node.watermarked and len(end):
            limit = context.late_until(node.lateness_us)
            if int(end.min()) <= limit:
                late = end <= limit
                context.late.append(self._windowed(batch, row[late], start[late], end[late]))
                row, start, end = row[~late], start[~late], end[~late]
        context.used += len(row)
        return self._windowed(batch, row, start, end) if len(row) else None

    def _assigned(self, micros: I64) -> tuple[I64, I64, I64]:
        node = self._node
        if node.cumulative:
            return windows.assign_cumulative(micros, node.slide_us, node.size_us, node.offset_us)
        row, start = windows.assign(micros, node.slide_us, node.size_us, node.offset_us)
        return row, start, start + node.size_us

    def _windowed(self, batch: pa.RecordBatch, row: I64, start: I64, end: I64) -> pa.RecordBatch:
        whole = len(row) == batch.num_rows and self._copies == 1
        rows = batch if whole else zset.take(batch, row)
        own = zset.weights(rows)
        kind = self._schema.types[-1]
        edges = [pa.array(edge, pa.int64()).cast(kind) for edge in (start, end)]
        made = pa.RecordBatch.from_arrays([*zset.data(rows).columns, *edges], schema=self._schema)
        return made if own is None else zset.with_weights(made, own)
