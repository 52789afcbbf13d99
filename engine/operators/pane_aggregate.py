"""GROUP BY a hopping window by panes: what a row costs does not depend on how many windows it lies in.

    rows ─▶ panes of this epoch (one accumulator a key and slide) ─▶ added to each window that has the pane

Windows the watermark has passed are freed, and take no pane any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels import windows
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.groupby import first_rows, group
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import I64
from constellationdb.engine.operators.base import ENDED, Context, FailedRow, Unheld
from constellationdb.engine.operators.incremental import ChangedSlots, Patched
from constellationdb.engine.operators.measures import Measures
from constellationdb.engine.operators.session import timed, with_window
from constellationdb.engine.rowstore import RowStore
from constellationdb.planner import plan

_COMPACT_ABOVE = 4096


class PaneAggregateOperator(Patched, Unheld):
    """State: key, start and measures of every open window of a key, by slot."""

    def __init__(self, node: plan.PaneAggregate) -> None:
        self._node = node
        self._schema = node.schema
        width = len(node.keys)
        self._edge = node.schema.types[width]
        self._group_schema = pa.schema(list(node.schema)[: width + 1])
        own = [pa.field(f"c{i}", self._edge) for i in (len(node.input.schema), len(node.input.schema) + 1)]
        self._late_schema = pa.schema([*node.input.schema, *own])
        self._panes = node.size_us // node.slide_us
        self._reset()

    def _reset(self, room: int = 0) -> None:
        self._index = KeyIndex(room)
        self._groups = RowStore(self._group_schema)
        self._ends = np.zeros(max(room, 64), np.int64)
        self._freed = np.zeros(max(room, 64), np.bool_)
        self._free_count = 0
        self._next_end = ENDED
        self._measures = self._fresh()
        self._changed = ChangedSlots()

    def _fresh(self) -> Measures:
        return Measures(self._node.measures, self._node.input.schema, self._schema.types[len(self._node.keys) + 2 :])

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        return None

    @property
    def unused(self) -> int:
        """Groups that are gone, whose place is kept."""
        return self._free_count

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        batch, change = timed(inputs[0], self._node.time_column), None
        if batch is not None:
            change = self._absorb(zset.data(batch), context)
        if self._node.watermarked and context.watermark > context.watermark_before:
            closed = self._close(context)
            return closed if self._node.emit_on_close else change
        return change

    # -- taking rows in ------------------------------------------------------------------------

    def _absorb(self, batch: pa.RecordBatch, context: Context) -> Delta:
        node = self._node
        times = zset.micros(batch.column(node.time_column))
        _, panes = windows.assign(times, node.slide_us, node.slide_us, node.offset_us)
        closed = self._closed(panes, context)
        if closed.any():
            batch, panes = self._in_time(batch, panes, closed, context)
        else:
            context.used += self._panes * len(panes)
        if not len(panes):
            return None
        groups, first = group(encode_rows(self._grouped(batch, panes), range(len(node.keys) + 1)))
        made = self._fresh()
        made.reserve(len(first))
        made.update(batch, groups)
        return self._add(made, zset.take(batch, first), panes[first], context)

    def _closed(self, panes: I64, context: Context) -> I64:
        """How many of each pane's windows were closed: one ends behind the pane, the next a slide later, and so on."""
        if not self._node.watermarked:
            return np.zeros(len(panes), np.int64)
        limit = context.late_until(self._node.lateness_us)
        counts: I64 = np.clip((limit - panes) // self._node.slide_us, 0, self._panes)
        return counts

    def _in_time(self, batch: pa.RecordBatch, panes: I64, closed: I64, context: Context) -> tuple[pa.RecordBatch, I64]:
        """The rows that are not late for all of their windows; those that are late for some leave by the side."""
        row, number = _counted(closed)
        ends = panes[row] + (number + 1) * self._node.slide_us
        context.late.append(with_window(zset.take(batch, row), ends - self._node.size_us, ends, self._late_schema))
        context.used += int((self._panes - closed).sum())
        kept = np.flatnonzero(closed < self._panes)
        return zset.take(batch, kept), panes[kept]

    def _grouped(self, batch: pa.RecordBatch, starts: I64) -> pa.RecordBatch:
        """The key columns of rows, and a start beside them."""
        columns = [batch.column(k) for k in self._node.keys]
        edge = pa.array(starts, pa.int64()).cast(self._edge)
        return pa.RecordBatch.from_arrays([*columns, edge], schema=self._group_schema)

    def _add(self, made: Measures, rows: pa.RecordBatch, panes: I64, context: Context) -> Delta:
        """Add panes (a row of each, for its key) to the windows that are still open."""
        closed = self._closed(panes, context)
        pane, number = _counted(self._panes - closed)
        starts = panes[pane] + (closed[pane] + number + 1) * self._node.slide_us - self._node.size_us
        known = len(self._index)
        slots = self._upsert(self._grouped(zset.take(rows, pane), starts), starts)
        self._changed.mark(slots, len(self._index))
        if self._node.emit_on_close:
            self._measures.merge(slots, made, pane)
            return None
        touched = np.unique(slots)
        old = self._shown(touched[touched < known], context, -1)
        self._measures.merge(slots, made, pane)
        new = self._shown(touched, context, 1)
        change = zset.concat([zset.with_weights(part, sign) for part, sign in ((old, -1), (new, 1))])
        return None if change is None else zset.netted(change)

    def _upsert(self, rows: pa.RecordBatch, starts: I64) -> I64:
        known = len(self._index)
        slots, new = self._index.upsert(encode_rows(rows, range(rows.num_columns)))
        if new:
            count = known + new
            first = first_rows(slots, known, count)
            self._groups.append(zset.take(rows, first))
            self._ends, self._freed = grow(self._ends, count), grow(self._freed, count, False)
            self._ends[known:count] = starts[first] + self._node.size_us
            self._next_end = min(self._next_end, int(self._ends[known:count].min()))
            self._measures.reserve(count)
        return slots

    def _shown(self, slots: I64, context: Context, sign: int) -> pa.RecordBatch:
        groups = self._groups.take(slots)
        end = pa.array(self._ends[slots], pa.int64()).cast(self._edge)

        def failed(measure: str, key: str) -> None:
            context.errors.append(FailedRow(self._node.id, "22003", f"{measure} out of range", key, sign))

        return self._measures.shown(slots, [*groups.columns, end], self._schema, failed)

    # -- closing windows -----------------------------------------------------------------------

    def _close(self, context: Context) -> Delta:
        limit, count = context.closed_until(self._node.lateness_us), len(self._index)
        if limit < self._next_end or not count:
            return None
        due = np.flatnonzero((self._ends[:count] <= limit) & ~self._freed[:count])
        out = self._shown(due, context, 1) if self._node.emit_on_close and len(due) else None
        self._let_go(due)
        self._changed.mark(due, count)
        if self._free_count > _COMPACT_ABOVE and self._free_count * 2 > count:
            self._load(self.snapshot())
        return out

    def _let_go(self, slots: I64) -> None:
        count = len(self._index)
        self._freed[slots] = True
        self._free_count += len(slots)
        open_ends = self._ends[:count][~self._freed[:count]]
        self._next_end = int(open_ends.min()) if len(open_ends) else ENDED

    # -- checkpoints ---------------------------------------------------------------------------

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        self._changed.begin()
        live = np.flatnonzero(~self._freed[: len(self._index)])
        return {"groups": self._groups.take(live), **self._measures.dump(live)}

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        slots = self._changed.take(len(self._index))
        if slots is None:
            return None
        gone = self._freed[slots]
        groups = {"groups": self._groups.take(slots[~gone]), "gone": self._groups.take(slots[gone])}
        return {**groups, **self._measures.dump(slots[~gone])}

    def patch(self, changes: Mapping[str, pa.RecordBatch], epoch: int) -> None:  # noqa: ARG002
        groups, gone = changes["groups"], changes["gone"]
        if groups.num_rows:
            slots = self._upsert(groups, zset.micros(groups.column(len(self._node.keys))))
            self._measures.load(changes, slots)
        if gone.num_rows:
            over = self._index.probe(encode_rows(gone, range(gone.num_columns)))
            self._let_go(over[over >= 0])
        self._changed.begin()

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:  # noqa: ARG002
        self._load(state)
        self._changed.begin()

    def _load(self, state: Mapping[str, pa.RecordBatch]) -> None:
        groups = state["groups"]
        self._reset(groups.num_rows)
        if groups.num_rows:
            self._upsert(groups, zset.micros(groups.column(len(self._node.keys))))
        self._measures.load(state, np.arange(groups.num_rows, dtype=np.int64))


def _counted(times: I64) -> tuple[I64, I64]:
    """Each place as often as it says, with the numbers from 0 on beside it."""
    place = np.repeat(np.arange(len(times), dtype=np.int64), times)
    begins = np.cumsum(times) - times
    return place, np.arange(len(place), dtype=np.int64) - begins[place]
