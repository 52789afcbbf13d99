"""Inner equi-join by deltas: dL ⋈ R_before + L_after ⋈ dR.

Both inputs are arranged by key, or borrowed from relations that are; rows whose
key is NULL match nothing and are kept only for a null-safe key. State goes when
the watermark closes its key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import I64, Rows
from constellationdb.engine.operators.arranged import Arranged, Borrow, Own, arrange
from constellationdb.engine.operators.base import Context, Unheld
from constellationdb.engine.operators.condition import Condition
from constellationdb.engine.operators.windowed import determining_pairs
from constellationdb.planner import plan


class JoinOperator(Unheld):
    """State: one arrangement a side, unless it is borrowed."""

    def __init__(self, node: plan.Join, borrow: Borrow | None = None) -> None:
        self._node = node
        self._schema = node.schema
        self._weighted = not node.append_only
        self._expiry = _expiry(node)
        pairs = determining_pairs(node)
        self._left_keys, self._right_keys = (tuple(k[i] for i in pairs) for k in (node.left_keys, node.right_keys))
        self._left, self._right = self._sides(borrow)
        self.arranged = (self._left, self._right)
        self._residual = None if node.residual is None else Condition(node.id, node.residual, self._schema)

    def _sides(self, borrow: Borrow | None) -> tuple[Arranged, Arranged]:
        """Not borrowed: what expires, and what a self-join reads, for its first rows come to both sides at once."""
        node = self._node
        common = set(plan.relations_of(node.left)) & set(plan.relations_of(node.right))
        left, right = (
            Own(child.schema, keys, append_only=child.append_only)
            if column is not None or common & set(plan.relations_of(child))
            else arrange(child, keys, borrow, append_only=child.append_only)
            for child, keys, column in zip(
                node.children, (self._left_keys, self._right_keys), self._expiry, strict=True
            )
        )
        return left, right

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        return None

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        left = self._matchable(inputs[0], self._node.left_keys)
        right = self._matchable(inputs[1], self._node.right_keys)
        parts = []
        if left is not None:
            parts.append(self._match(left, self._left_keys, self._right, context.epoch, swapped=False))
            self._left.apply(left, context.epoch)
        if right is not None:
            parts.append(self._match(right, self._right_keys, self._left, context.epoch, swapped=True))
            right = self._lasting(right, context)
            if right.num_rows:
                self._right.apply(right, context.epoch)
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
        self, delta: pa.RecordBatch, keys: tuple[int, ...], other: Arranged, epoch: int, *, swapped: bool
    ) -> Delta:
        rows = zset.data(delta)
        probe, entries = _ask(other, encode_rows(rows, keys), epoch, swapped=swapped)
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

    def _lasting(self, right: pa.RecordBatch, context: Context) -> pa.RecordBatch:
        """The right's rows that a later epoch may ask for; what the watermark closes now has met the left's already."""
        column = self._expiry[1]
        if column is None:
            return right
        ends = zset.micros(right.column(column.index)) + column.offset_us
        return zset.take(right, np.flatnonzero(ends > context.watermark)) if ends.min() <= context.watermark else right

    def _evict(self, context: Context) -> None:
        for side, column in zip(self.arranged, self._expiry, strict=True):
            if column is not None and context.watermark > context.watermark_before:
                side.evict(column, context.watermark, context.epoch)

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        sides = {"left": self._left, "right": self._right}
        return {name: rows for name, side in sides.items() for rows in side.snapshot().values()}

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        self._left.restore(state.get("left"), epoch)
        self._right.restore(state.get("right"), epoch)


def _ask(other: Arranged, keys: Rows, epoch: int, *, swapped: bool) -> tuple[I64, I64]:
    """The left's change meets the right as it was; the right's change meets the left as it is now."""
    return other.after(keys, epoch) if swapped else other.before(keys, epoch)


def _expiry(node: plan.Join) -> tuple[plan.Column | None, plan.Column | None]:
    """The key column by which each side's rows expire: only when the watermark closes that key on both sides."""
    left = {c.index: c for c in node.left.closing}
    right = {c.index: c for c in node.right.closing}
    for a, b in zip(node.left_keys, node.right_keys, strict=True):
        if a in left and b in right:
            offset_us = max(left[a].offset_us, right[b].offset_us)
            return plan.Column(a, offset_us), plan.Column(b, offset_us)
    return None, None
