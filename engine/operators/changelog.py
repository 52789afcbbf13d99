"""changelog(t): what came and went in an epoch, as rows that only come. No state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.operators.base import Context, Stateless
from constellationdb.planner import plan


class ChangelogOperator(Stateless):
    """A row of weight n is one row whose ``_diff`` is n; what cancels within an epoch does not show. Where rows only
    come, each is a change of its own."""

    def __init__(self, node: plan.Changelog) -> None:
        self._schema = node.schema

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        changes = inputs[0]
        if changes is None or changes.num_rows == 0:
            return None
        if zset.is_weighted(changes) and (changes := zset.netted(changes)) is None:
            return None
        weights = zset.weights(changes)
        counts = np.ones(changes.num_rows, np.int64) if weights is None else weights
        epochs = np.full(changes.num_rows, context.epoch, np.int64)
        columns = [pa.array(epochs), pa.array(counts), *zset.data(changes).columns]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)
