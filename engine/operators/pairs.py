"""A join of a few rows pair by pair, for when the join of all of them fails.

A pair whose condition raises is an error row and joins nothing. Whether a row is alone
is not known where one of its pairs failed and none matched: then its error rows stand for
it, in an outer or anti join, too.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.rows import I64
from constellationdb.engine.operators.base import FailedRow
from constellationdb.engine.operators.condition import Condition
from constellationdb.planner import plan

_MOST_FAILED = 256  # of one key's pairs; each is found by bisection, so beyond them the whole key fails
_AT_ONCE = 65_536  # pairs that are looked at together


class Pairs:
    def __init__(self, node: plan.Recompute) -> None:
        assert node.condition is not None
        self._join = node.join
        self._schema = node.schema
        left, right = (child.schema for child in node.inputs)
        types = [*left.types, *right.types]
        self._pair = pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(types)])
        self._condition = Condition(node.id, node.condition, self._pair)

    def run(self, left: pa.RecordBatch, right: pa.RecordBatch) -> tuple[Delta, list[FailedRow]]:
        """The join of rows that have one key, and its error rows; raises when there would be too many."""
        failed: dict[int, FailedRow] = {}
        found = [np.flatnonzero(self._passing(left, right, failed, *some)) + some[0] for some in _some(left, right)]
        width = max(right.num_rows, 1)
        mine, theirs = np.divmod(np.concatenate([*found, np.zeros(0, np.int64)]), width)
        doubtful, other = np.divmod(np.array(list(failed), np.int64), width)
        lonely = _lonely(left.num_rows, mine, doubtful)
        made = self._made(left, right, (mine, theirs), (lonely, _lonely(right.num_rows, theirs, other)))
        return made, list(failed.values())

    def _passing(
        self, left: pa.RecordBatch, right: pa.RecordBatch, failed: dict[int, FailedRow], first: int, end: int
    ) -> NDArray[np.bool_]:
        mine, theirs = np.divmod(np.arange(first, end, dtype=np.int64), right.num_rows)
        pairs = _beside(zset.take(left, mine), zset.take(right, theirs), self._pair)
        return self._condition.attempt(pairs, failed, first, _MOST_FAILED)

    def _made(
        self, left: pa.RecordBatch, right: pa.RecordBatch, matched: tuple[I64, I64], lonely: tuple[I64, I64]
    ) -> Delta:
        if self._join == "semi":
            return _conformed(zset.take(left, np.unique(matched[0])), self._schema)
        if self._join == "anti":
            return _conformed(zset.take(left, lonely[0]), self._schema)
        parts = [_beside(zset.take(left, matched[0]), zset.take(right, matched[1]), self._schema)]
        if self._join in ("left", "full"):
            alone = zset.take(left, lonely[0])
            parts.append(_beside(alone, _nulls(right.schema, alone.num_rows), self._schema))
        if self._join == "full":
            alone = zset.take(right, lonely[1])
            parts.append(_beside(_nulls(left.schema, alone.num_rows), alone, self._schema))
        return pa.concat_batches(parts)


def _some(left: pa.RecordBatch, right: pa.RecordBatch) -> Iterator[tuple[int, int]]:
    """All pairs by their numbers, from and to."""
    count = left.num_rows * right.num_rows
    for first in range(0, count, _AT_ONCE):
        yield first, min(first + _AT_ONCE, count)


def _lonely(count: int, *busy: I64) -> I64:
    return np.setdiff1d(np.arange(count, dtype=np.int64), np.concatenate(busy))


def _nulls(schema: pa.Schema, count: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(count, kind) for kind in schema.types], schema=schema)


def _beside(left: pa.RecordBatch, right: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([*left.columns, *right.columns], schema=schema)


def _conformed(rows: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(rows.columns, schema=schema)
