"""Inner equi-join by deltas: dL ⋈ R_before + L_after ⋈ dR.

Both inputs are arranged by key; rows whose key is NULL match nothing and are
kept only for a null-safe key. State goes when the watermark closes its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.operators.base import Context, Unheld
from constellationdb.engine.operators.condition import Condition
from constellationdb.planner import plan


class JoinOperator(Unheld):
    """State: one arrangement a side."""

    def __init__(self, node: plan.Join) -> None:
        self._node = node
        self._schema = node.schema
        self._left = Arrangement(node.left.schema, node.left_keys, append_only=node.left.append_only)
        self._right = Arrangement(node.right.schema, node.right_keys, append_only=node.right.append_only)
        self._weighted = not node.append_only
        self._expiry = _expiry(node)
        self._residual = None if node.residual is None else Condition(node.id, node.residual, self._schema)

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        return None

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        left = self._matchable(inputs[0], self._node.left_keys)
        right = self._matchable(inputs[1], self._node.right_keys)
        parts = []
        if left is not None:
            parts.append(self._match(left, self._node.left_keys, self._right, context.epoch, swapped=False))
            self._left.apply(left, context.epoch)
            self._left.compact(context.epoch)
        if right is not None:
            parts.append(self._match(right, self._node.right_keys, self._left, context.epoch, swapped=True))
            self._right.apply(right, context.epoch)
            self._right.compact(context.epoch)
        self._evict(context)
        whole = zset.concat([p for p in parts if p is not None])
        if whole is None or self._residual is None:
            return whole
        return self._filter(whole, context)

    def _matchable(self, batch: Delta, keys: tuple[int, ...]) -> Delta:
        """The rows whose key can match: none of its plain-equality columns is NULL."""
        if batch is None or batch.num_rows == 0:
            return None
        keep = None
        for column, null_safe in zip(keys, self._node.null_safe, strict=True):
            if not null_safe and batch.column(column).null_count:
                valid = batch.column(column).is_valid().to_numpy(zero_copy_only=False)
                keep = valid if keep is None else keep & valid
        if keep is None:
            return batch
        return zset.take(batch, np.flatnonzero(keep)) if keep.any() else None

    def _match(
        self, delta: pa.RecordBatch, keys: tuple[int, ...], other: Arrangement, epoch: int, *, swapped: bool
    ) -> Delta:
        rows = zset.data(delta)
        probe, entries = other.lookup(encode_rows(rows, keys), epoch)
        if len(entries) == 0:
            return None
        mine, theirs = zset.take(rows, probe), other.take(entries)
        columns = [*theirs.columns, *mine.columns] if swapped else [*mine.columns, *theirs.columns]
        made = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        if not self._weighted:
            return made
        own = zset.weights(delta)
        weight = other.weight_of(entries)
        return zset.with_weights(made, weight if own is None else weight * own[probe])

    def _filter(self, whole: pa.RecordBatch, context: Context) -> Delta:
        assert self._residual is not None
        passing = self._residual.run(whole, context)
        return zset.take(whole, np.flatnonzero(passing)) if passing.any() else None

    def _evict(self, context: Context) -> None:
        for arrangement, column in zip((self._left, self._right), self._expiry, strict=True):
            if column is None or context.watermark <= context.watermark_before or not len(arrangement):
                continue
            ends = arrangement.column(column.index).cast(pa.int64()).fill_null(0).to_numpy()
            arrangement.evict(ends + column.offset_us <= context.watermark, context.epoch)
            arrangement.compact(context.epoch)

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        return {"left": self._left.snapshot(), "right": self._right.snapshot()}

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        self._left.restore(state["left"], epoch)
        self._right.restore(state["right"], epoch)


def _expiry(node: plan.Join) -> tuple[plan.Column | None, plan.Column | None]:
    """The key column by which each side's rows expire: only when the watermark closes that key on both sides."""
    left = {c.index: c for c in node.left.closing}
    right = {c.index: c for c in node.right.closing}
    for a, b in zip(node.left_keys, node.right_keys, strict=True):
        if a in left and b in right:
            offset_us = max(left[a].offset_us, right[b].offset_us)
            return plan.Column(a, offset_us), plan.Column(b, offset_us)
    return None, None
