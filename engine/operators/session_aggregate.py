"""GROUP BY a session by accumulators: rows to runs, runs to sessions, and sessions that meet become one.

What an epoch touches is read before and after, as in ``AggregateOperator``.
Sessions the watermark has passed are freed; of a key's last one the end is
kept for one more gap, to tell which rows are late for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.groupby import first_rows
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import I64
from constellationdb.engine.kernels.sessions import Absorbed, absorb, runs
from constellationdb.engine.operators.base import ENDED, NO_WATERMARK, Context, FailedRow, Unheld
from constellationdb.engine.operators.incremental import ChangedSlots, Patched
from constellationdb.engine.operators.measures import Measures
from constellationdb.engine.operators.session import timed, with_own_window
from constellationdb.engine.rowstore import RowStore, empty
from constellationdb.planner import plan

_COMPACT_ABOVE = 4096


class SessionAggregateOperator(Patched, Unheld):
    """State: keys by slot with the newest session and the end of the last closed one; sessions by slot of their own.

    A session's slot says its key, its first and last time, the next older session and, in ``Measures``, the rest.
    """

    def __init__(self, node: plan.SessionAggregate) -> None:
        self._node = node
        self._schema = node.schema
        width = len(node.keys)
        self._key_schema = pa.schema(list(node.schema)[:width])
        edge = node.schema.types[width]
        own = [pa.field(f"c{i}", edge) for i in (len(node.input.schema), len(node.input.schema) + 1)]
        self._late_schema = pa.schema([*node.input.schema, *own])
        self._reset()

    def _reset(self, keys: int = 0, sessions: int = 0) -> None:
        self._index = KeyIndex(keys)
        self._keys = RowStore(self._key_schema)
        self._head = np.full(max(keys, 64), -1, np.int64)
        self._closed_end = np.full(max(keys, 64), NO_WATERMARK, np.int64)
        size = max(sessions, 64)
        self._key, self._first, self._last, self._older = (np.full(size, -1, np.int64) for _ in range(4))
        self._gone = np.zeros(size, np.bool_)
        self._count = self._gone_count = 0
        self._next_end = ENDED  # no open session ends before it
        self._changed = ChangedSlots()  # of keys
        outputs = self._schema.types[len(self._node.keys) + 2 :]
        self._measures = Measures(self._node.measures, self._node.input.schema, outputs)

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        return None

    @property
    def unused(self) -> int:
        """What its keys are more than its sessions: these are what it keeps."""
        return self._keys.rows - (self._count - self._gone_count)

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
        keys = self._upsert(batch)
        times = zset.micros(batch.column(self._node.time_column))
        if self._node.watermarked:
            batch, keys, times = self._in_time(batch, keys, times, context)
        context.used += batch.num_rows
        if not batch.num_rows:
            return None
        self._changed.mark(keys, len(self._index))
        given = runs(keys, times, self._node.gap_us)
        self._make_room(self._count + len(given.group))
        arrays = self._head, self._key, self._first, self._last, self._older
        absorbed = absorb(given, self._node.gap_us, *arrays, self._count)
        self._next_end = min(self._next_end, int(given.last.min()) + self._node.gap_us)
        if self._node.emit_on_close:
            self._take_in(batch, absorbed, absorbed.slot[given.run])
            return None
        old = self._shown(absorbed.met, absorbed.met_first, absorbed.met_last, context, -1)
        self._take_in(batch, absorbed, absorbed.slot[given.run])
        now = np.unique(absorbed.slot)
        new = self._shown(now, self._first[now], self._last[now], context, 1)
        change = zset.concat([zset.with_weights(rows, sign) for rows, sign in ((old, -1), (new, 1))])
        return None if change is None else zset.netted(change)

    def _upsert(self, batch: pa.RecordBatch) -> I64:
        known = len(self._index)
        slots, new = self._index.upsert(encode_rows(batch, self._node.keys))
        if new and self._node.keys:
            columns = [batch.column(k) for k in self._node.keys]
            rows = pa.RecordBatch.from_arrays(columns, schema=self._key_schema)
            self._add_keys(zset.take(rows, first_rows(slots, known, known + new)))
        elif new:
            self._add_keys(zset.rows_of_nothing(1))
        return slots

    def _add_keys(self, rows: pa.RecordBatch) -> None:
        """Those that the index has learned."""
        if self._node.keys:
            self._keys.append(rows)
        count = len(self._index)
        self._head = grow(self._head, count, -1)
        self._closed_end = grow(self._closed_end, count, NO_WATERMARK)

    def _in_time(
        self, batch: pa.RecordBatch, keys: I64, times: I64, context: Context
    ) -> tuple[pa.RecordBatch, I64, I64]:
        """The rows that are not late."""
        limit = context.late_until(self._node.lateness_us)
        if int(times.min()) > limit:  # a session that is closed ends no later than that
            return batch, keys, times
        late = (times + self._node.gap_us <= limit) | (times <= self._closed_end[keys])
        if late.any():
            rows = zset.take(batch, np.flatnonzero(late))
            context.late.append(with_own_window(rows, self._node, self._late_schema))
            kept = np.flatnonzero(~late)
            batch, keys, times = zset.take(batch, kept), keys[kept], times[kept]
        return batch, keys, times

    def _make_room(self, count: int) -> None:
        self._key, self._first = grow(self._key, count, -1), grow(self._first, count, -1)
        self._last, self._older = grow(self._last, count, -1), grow(self._older, count, -1)
        self._gone = grow(self._gone, count, False)
        self._measures.reserve(count)

    def _take_in(self, batch: pa.RecordBatch, absorbed: Absorbed, slots: I64) -> None:
        self._count = absorbed.count
        if len(absorbed.gone):
            self._measures.merge(absorbed.into, self._measures, absorbed.gone)
            self._gone[absorbed.gone] = True
            self._gone_count += len(absorbed.gone)
        self._measures.update(batch, slots)

    # -- showing sessions ----------------------------------------------------------------------

    def _shown(self, slots: I64, first: I64, last: I64, context: Context, sign: int) -> pa.RecordBatch:
        """The output rows of some sessions. A measure that does not fit its type reads NULL and is an error row."""
        keys = list(self._keys.take(self._key[slots]).columns) if self._node.keys else []
        kind = self._schema.types[len(keys)]
        edges = [pa.array(edge, pa.int64()).cast(kind) for edge in (first, last + self._node.gap_us)]

        def failed(measure: str, key: str) -> None:
            context.errors.append(FailedRow(self._node.id, "22003", f"{measure} out of range", key, sign))

        return self._measures.shown(slots, [*keys, *edges], self._schema, failed)

    # -- closing sessions ----------------------------------------------------------------------

    def _close(self, context: Context) -> Delta:
        limit = context.closed_until(self._node.lateness_us)
        if limit < self._next_end or not self._count:
            return None
        live = np.flatnonzero(~self._gone[: self._count])
        ends = self._last[live] + self._node.gap_us
        due = ends <= limit
        self._next_end = int(ends[~due].min()) if not due.all() else ENDED
        slots = live[due]
        if not len(slots):
            return None
        out = None
        if self._node.emit_on_close:
            out = self._shown(slots, self._first[slots], self._last[slots], context, 1)
        self._changed.mark(self._key[slots], len(self._index))
        np.maximum.at(self._closed_end, self._key[slots], ends[due])
        self._forget(slots)
        if self._gone_count > _COMPACT_ABOVE and self._gone_count * 2 > self._count:
            self._compact(limit - self._node.gap_us)
        return out

    def _forget(self, slots: I64) -> None:
        """Take sessions out of the lists: they are the oldest of their keys."""
        self._gone[slots] = True
        self._gone_count += len(slots)
        older, head = self._older[: self._count], self._head[: len(self._index)]
        older[(older >= 0) & self._gone[older]] = -1
        head[(head >= 0) & self._gone[head]] = -1

    def _compact(self, limit: int) -> None:
        """Keep the live sessions, and the keys that have one or closed one that a row might still come near."""
        count = len(self._index)
        kept = np.flatnonzero((self._head[:count] >= 0) | (self._closed_end[:count] > limit))
        self._load(self._dump(kept))

    # -- checkpoints ---------------------------------------------------------------------------

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        self._changed.begin()
        return self._dump(np.arange(len(self._index), dtype=np.int64))

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        """The keys that changed, each with all its sessions."""
        keys = self._changed.take(len(self._index))
        return None if keys is None else self._dump(keys)

    def _dump(self, keys: I64) -> dict[str, pa.RecordBatch]:
        place = np.full(len(self._index) + 1, -1, np.int64)
        place[keys] = np.arange(len(keys))
        live = np.flatnonzero(~self._gone[: self._count] & (place[self._key[: self._count]] >= 0))
        number = np.full(self._count + 1, -1, np.int64)  # the last stands for -1
        number[live] = np.arange(len(live))
        sessions = {
            "key": place[self._key[live]],
            "first": self._first[live],
            "last": self._last[live],
            "older": number[self._older[live]],
        }
        rows = self._keys.take(keys) if self._node.keys and len(keys) else empty(self._key_schema)
        return {
            "keys": rows,
            "heads": pa.record_batch({"head": number[self._head[keys]], "closed": self._closed_end[keys]}),
            "sessions": pa.record_batch(sessions),
            **self._measures.dump(live),
        }

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:  # noqa: ARG002
        self._load(state)
        self._changed.begin()

    def patch(self, changes: Mapping[str, pa.RecordBatch], epoch: int) -> None:  # noqa: ARG002
        self._put(changes)
        self._changed.begin()

    def _load(self, state: Mapping[str, pa.RecordBatch]) -> None:
        self._reset(state["heads"].num_rows, state["sessions"].num_rows)
        self._put(state)

    def _put(self, state: Mapping[str, pa.RecordBatch]) -> None:
        """These keys have these sessions, and no others."""
        heads, sessions = state["heads"], state["sessions"]
        if not heads.num_rows:
            return
        keys = self._slots_of(state["keys"] if self._node.keys else zset.rows_of_nothing(heads.num_rows))
        self._drop_sessions(keys)
        begin, self._count = self._count, self._count + sessions.num_rows
        self._make_room(self._count)
        at = np.arange(begin, self._count, dtype=np.int64)
        key, self._first[at], self._last[at], older = (column.to_numpy() for column in sessions.columns)
        head, self._closed_end[keys] = (column.to_numpy() for column in heads.columns)
        self._key[at] = keys[key]
        self._older[at] = np.where(older >= 0, older + begin, -1)
        self._head[keys] = np.where(head >= 0, head + begin, -1)
        if len(at):
            self._next_end = min(self._next_end, int(self._last[at].min()) + self._node.gap_us)
        self._measures.load(state, at)

    def _slots_of(self, rows: pa.RecordBatch) -> I64:
        """The slots of different keys."""
        known = len(self._index)
        slots, new = self._index.upsert(encode_rows(rows, range(len(self._node.keys))))
        if new:
            self._add_keys(zset.take(rows, np.flatnonzero(slots >= known)))
        return slots

    def _drop_sessions(self, keys: I64) -> None:
        theirs = np.zeros(len(self._index), np.bool_)
        theirs[keys] = True
        gone = np.flatnonzero(~self._gone[: self._count] & theirs[self._key[: self._count]])
        self._gone[gone] = True
        self._gone_count += len(gone)
