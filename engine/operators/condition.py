"""A boolean per row: the part of a join's condition that its keys do not say."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.fragment import Fragment
from constellationdb.engine.operators.base import Context, FailedRow
from constellationdb.engine.operators.stateless import failed_row


class Condition:
    """Evaluates a plan of one boolean column; NULL is not true. A row that raises is an error row, and not true."""

    def __init__(self, node: int, substrait: bytes, schema: pa.Schema) -> None:
        self._node = node
        self._fragment = Fragment(substrait, [schema], pa.schema([("c0", pa.bool_())]))

    def run(self, batch: pa.RecordBatch, context: Context) -> NDArray[np.bool_]:
        """Which rows of ``batch`` (its weight column is not looked at) pass."""
        failed: dict[int, FailedRow] = {}
        passing = self.attempt(batch, failed)
        context.errors += failed.values()
        return passing

    def attempt(
        self, batch: pa.RecordBatch, failed: dict[int, FailedRow], first: int = 0, most: int = sys.maxsize
    ) -> NDArray[np.bool_]:
        """The same, with the rows that raise in ``failed``, counted from ``first``; raises beyond ``most`` of them."""
        if batch.num_rows == 0:
            return np.zeros(0, np.bool_)
        try:
            return self._evaluate(batch)
        except Exception as error:
            if batch.num_rows == 1:
                failed[first] = failed_row(self._node, batch, error)
                if len(failed) > most:
                    raise
                return np.zeros(1, np.bool_)
        half = batch.num_rows // 2
        halves = ((batch.slice(0, half), first), (batch.slice(half), first + half))
        return np.concatenate([self.attempt(part, failed, start, most) for part, start in halves])

    def _evaluate(self, batch: pa.RecordBatch) -> NDArray[np.bool_]:
        answer = self._fragment.run(zset.data(batch))
        assert answer is not None
        passing: NDArray[np.bool_] = answer.column(0).fill_null(False).to_numpy(zero_copy_only=False)
        return passing
