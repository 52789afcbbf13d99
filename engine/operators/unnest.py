"""Unnest: each row once for each element of its arrays, with the weight it has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import I64
from constellationdb.engine.batch import Delta
from constellationdb.engine.operators.base import Context, Stateless
from constellationdb.planner import plan


class UnnestOperator(Stateless):
    """A NULL for an array is one without elements; where one ends before another its column goes on with NULLs."""

    def __init__(self, node: plan.Unnest) -> None:
        self._schema = node.schema
        self._count = node.count

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:  # noqa: ARG002
        batch = inputs[0]
        if batch is None or not batch.num_rows:
            return None
        arrays = zset.data(batch).columns[self._count :]
        lengths = [_lengths(array) for array in arrays]
        longest = np.maximum.reduce(lengths)
        if not longest.any():
            return None
        row = np.repeat(np.arange(batch.num_rows, dtype=np.int64), longest)
        place = np.arange(len(row), dtype=np.int64) - np.repeat(np.cumsum(longest) - longest, longest)
        kept = zset.take(batch.select(range(self._count)), row).columns if self._count else []
        elements = [_elements(array, own, row, place) for array, own in zip(arrays, lengths, strict=True)]
        made = pa.RecordBatch.from_arrays([*kept, *elements], schema=self._schema)
        weights = zset.weights(batch)
        return made if weights is None else zset.with_weights(made, weights[row])


def _lengths(array: pa.Array) -> I64:
    lengths: I64 = pc.fill_null(pc.list_value_length(array), 0).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return lengths


def _elements(array: pa.Array, lengths: I64, row: I64, place: I64) -> pa.Array:
    """The elements at ``place`` of the arrays in ``row``."""
    there = place < lengths[row]
    starts = np.cumsum(lengths) - lengths
    return pc.list_flatten(array).take(pa.array(starts[row] + place, pa.int64(), mask=~there))
