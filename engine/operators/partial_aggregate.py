"""The first phase of an aggregate: an epoch's rows of one worker, added up before they are exchanged.

It keeps nothing, so it does not matter which worker a row that is taken back comes to. Whether to add up is decided
batch by batch, and only that it pays: few rows, or rows of many groups, leave as they came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.aggregates.accumulator import I64
from constellationdb.engine.aggregates.partials import Partials
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.groupby import group
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.operators.base import NO_WATERMARK, Context, Stateless
from constellationdb.engine.operators.partial_map import Part
from constellationdb.planner import plan

LEAST_ROWS = 4096  # below, building accumulators costs more than sending the rows
ROWS_PER_SENT = 8.0
_SAMPLE = 256
_PAUSE = 15  # batches that leave as they came after one that did not pay


class PartialAggregateOperator(Stateless):
    def __init__(self, node: plan.PartialAggregate) -> None:
        self._node = node
        self._partials = Partials(
            plan.Aggregate(
                id=node.id, schema_ipc=node.result_ipc, append_only=False, input=node, keys=node.keys,
                measures=node.measures,
            )
        )  # fmt: skip
        self._pause = 0
        self.part: Part | None = None

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        changed = self._changed(inputs[0])
        self.part = Part(context.epoch, context.at_us, context.watermark)
        return changed

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:  # noqa: ARG002
        self.part = Part(epoch, 0, NO_WATERMARK)

    def _changed(self, batch: Delta) -> Delta:
        if batch is None or not batch.num_rows:
            return None
        if batch.num_rows < LEAST_ROWS:
            return self._partials.unchanged(batch)
        if self._pause:
            self._pause -= 1
        elif (combined := self._combined(batch)) is not None:
            return combined
        else:
            self._pause = _PAUSE
        return self._partials.unchanged(batch)

    def _combined(self, batch: pa.RecordBatch) -> Delta:
        """None where it is not much smaller than the batch."""
        most = int(batch.num_rows / ROWS_PER_SENT)
        found = self._groups(batch, most)
        if found is None:
            return None
        combined = zset.concat(list(self._partials.combined(batch, *found)))
        return combined if combined is not None and combined.num_rows <= most else None

    def _groups(self, batch: pa.RecordBatch, most: int) -> tuple[I64, I64] | None:
        """The group of each row, and a row of each group; None where there are more than ``most``."""
        if not self._node.keys:
            return np.zeros(batch.num_rows, np.int64), np.zeros(1, np.int64)
        rows = zset.data(batch)
        if rows.num_rows > 4 * _SAMPLE:  # a look at some rows, lest the others are encoded for nothing
            some = zset.take(rows, np.arange(_SAMPLE) * (rows.num_rows // _SAMPLE))
            if len(group(encode_rows(some, self._node.keys))[1]) > min(most, _SAMPLE // 2):
                return None
        groups, first = group(encode_rows(rows, self._node.keys))
        return (groups, first) if len(first) <= most else None
