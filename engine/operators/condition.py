"""A boolean per row: the part of a join's condition that its keys do not say."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.fragment import Fragment
from constellationdb.engine.operators.base import Context
from constellationdb.engine.operators.stateless import failed_row


class Condition:
    """Evaluates a plan of one boolean column; NULL is not true. A row that raises is an error row, and not true."""

    def __init__(self, node: int, substrait: bytes, schema: pa.Schema) -> None:
        self._node = node
        self._fragment = Fragment(substrait, [schema], pa.schema([("c0", pa.bool_())]))

    def run(self, batch: pa.RecordBatch, context: Context) -> NDArray[np.bool_]:
        """Which rows of ``batch`` (its weight column is not looked at) pass."""
        if batch.num_rows == 0:
            return np.zeros(0, np.bool_)
        try:
            answer = self._fragment.run(zset.data(batch))
        except Exception as error:
            if batch.num_rows == 1:
                context.errors.append(failed_row(self._node, batch, error))
                return np.zeros(1, np.bool_)
            half = batch.num_rows // 2
            return np.concatenate([self.run(batch.slice(0, half), context), self.run(batch.slice(half), context)])
        assert answer is not None
        passing: NDArray[np.bool_] = answer.column(0).fill_null(False).to_numpy(zero_copy_only=False)
        return passing
