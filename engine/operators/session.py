"""SessionAssign: each row with the bounds of its session; a row that comes or goes changes those around it.

    before = the stored rows of the sessions that the change lies in or beside
    after  = sessions of (before + change)
    change = after - before

Rows go when no row that is in time can come near them: a session that the
watermark has passed is kept for one more gap, to tell which rows are late for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.groupby import group
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import I64
from constellationdb.engine.kernels.sessions import runs, within_reach
from constellationdb.engine.operators.base import ENDED, NO_WATERMARK, Context, Unheld
from constellationdb.engine.operators.followed import FollowedArrangement
from constellationdb.engine.operators.incremental import Patched
from constellationdb.errors import InternalError
from constellationdb.planner import plan


class SessionAssignOperator(Patched, Unheld):
    """State: the output's rows, by partition. A row without a time lies in no session."""

    def __init__(self, node: plan.SessionAssign) -> None:
        self._node = node
        self._schema = node.schema
        self._width = len(node.input.schema)
        self._rows = FollowedArrangement(self._schema, node.partition)
        self._next_end = ENDED  # no session ends before it

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        return None

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        batch, change = timed(inputs[0], self._node.time_column), None
        if batch is not None:
            change = self._absorb(batch, context)
        if self._node.watermarked and context.watermark > context.watermark_before:
            self._evict(context)
        return change

    def _absorb(self, batch: pa.RecordBatch, context: Context) -> Delta:
        node = self._node
        times = zset.micros(batch.column(node.time_column))
        keys = encode_rows(batch, node.partition)
        groups, firsts = group(keys)
        probes, entries = self._rows.lookup(keys.take(firsts), context.epoch)
        stored = self._rows.take(entries)
        starts, ends = (zset.micros(stored.column(self._width + edge)) for edge in (0, 1))
        if node.watermarked:
            limit = context.late_until(node.lateness_us)
            closed = closed_ends(probes, ends, limit, len(firsts))
            late = (times + node.gap_us <= limit) | (times <= closed[groups])
            if late.any():
                context.late.append(with_own_window(zset.take(batch, np.flatnonzero(late)), node, self._schema))
                kept = np.flatnonzero(~late)
                batch, groups, times = zset.take(batch, kept), groups[kept], times[kept]
        context.used += batch.num_rows
        if not batch.num_rows:
            return None
        near = np.flatnonzero(within_reach(probes, starts, ends, node.gap_us, runs(groups, times, node.gap_us)))
        before = zset.with_weights(zset.take(stored, near), self._rows.weight_of(entries[near]))
        return self._replace(before, batch, context.epoch)

    def _replace(self, before: pa.RecordBatch, batch: pa.RecordBatch, epoch: int) -> Delta:
        after = self._sessions(before, batch)
        change = zset.concat([part for part in (after, zset.negate(before)) if part is not None])
        change = None if change is None else zset.netted(change)
        if change is None:
            return None
        if after is not None:
            self._next_end = min(self._next_end, int(zset.micros(after.column(self._width + 1)).min()))
        self._rows.apply(change, epoch, netted=True)
        self._rows.compact(epoch)
        return change

    def _sessions(self, before: pa.RecordBatch, batch: pa.RecordBatch) -> Delta:
        """The rows that were there and those that come, less those that go, in their sessions."""
        weights = zset.weights(before)
        assert weights is not None
        source = self._node.input.schema
        were = pa.RecordBatch.from_arrays(before.columns[: self._width], schema=source)
        change = zset.weighted(zset.conform(batch, source))
        rows = zset.netted(pa.concat_batches([zset.with_weights(were, weights), change]))
        if rows is None:
            return None
        weights = zset.weights(rows)
        assert weights is not None
        if int(weights.min()) < 0:
            raise InternalError("a row was taken back from a session that it is not in")
        groups, _ = group(encode_rows(rows, self._node.partition))
        times = zset.micros(rows.column(self._node.time_column))
        first, last = runs(groups, times, self._node.gap_us).bounds()
        return with_window(rows, first, last + self._node.gap_us, self._schema)

    def _evict(self, context: Context) -> None:
        limit = context.closed_until(self._node.lateness_us) - self._node.gap_us
        if limit < self._next_end or not len(self._rows):
            return
        ends = zset.micros(self._rows.column(self._width + 1))
        self._rows.evict(ends <= limit, context.epoch)
        open_ends = ends[ends > limit]
        self._next_end = int(open_ends.min()) if len(open_ends) else ENDED
        self._rows.compact(context.epoch)

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        return {"rows": self._rows.snapshot()}

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        rows = state["rows"]
        self._rows.restore(rows, epoch)
        self._note(rows)

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        found = self._rows.news()
        return None if found is None else {"rows": found}

    def patch(self, changes: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        self._rows.patch(changes["rows"], epoch)
        self._note(changes["rows"])

    def _note(self, rows: pa.RecordBatch) -> None:
        if rows.num_rows:
            self._next_end = min(self._next_end, int(zset.micros(rows.column(self._width + 1)).min()))


def timed(batch: Delta, column: int) -> Delta:
    """The rows that have a time."""
    if batch is not None and batch.column(column).null_count:
        batch = batch.filter(batch.column(column).is_valid())
    return batch if batch is not None and batch.num_rows else None


def closed_ends(groups: I64, ends: I64, limit: int, count: int) -> I64:
    """The end of each group's last session that is closed at ``limit``."""
    found = np.full(count, NO_WATERMARK, np.int64)
    closed = ends <= limit
    np.maximum.at(found, groups[closed], ends[closed])
    return found


def with_own_window(
    rows: pa.RecordBatch, node: plan.SessionAssign | plan.SessionAggregate, schema: pa.Schema
) -> pa.RecordBatch:
    """Late rows with the session that each would have begun."""
    times = zset.micros(rows.column(node.time_column))
    return with_window(rows, times, times + node.gap_us, schema)


def with_window(rows: pa.RecordBatch, starts: I64, ends: I64, schema: pa.Schema) -> pa.RecordBatch:
    own = zset.weights(rows)
    edges = [pa.array(edge, pa.int64()).cast(schema.types[-1]) for edge in (starts, ends)]
    made = pa.RecordBatch.from_arrays([*zset.data(rows).columns, *edges], schema=schema)
    return made if own is None else zset.with_weights(made, own)
