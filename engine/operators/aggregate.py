"""GROUP BY by accumulators: keys to slots, values into the slots, old and new rows of the touched slots out.

What a group shows is a pure function of its accumulators, so its last output
need not be stored: it is read before the epoch's rows go in, and again after.
Under EMIT ON WINDOW CLOSE nothing is shown until the watermark passes the
window, and then once. Groups whose window has closed are freed, not retracted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.aggregates.measures import Measures
from constellationdb.engine.aggregates.partials import Partials
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.groupby import first_rows, touched
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.operators.base import ENDED, Context, FailedRow, Unheld
from constellationdb.engine.operators.incremental import ChangedSlots
from constellationdb.engine.operators.punctual import ends_of
from constellationdb.engine.operators.windowed import determining
from constellationdb.engine.rowstore import RowStore, empty
from constellationdb.planner import plan

I64: TypeAlias = NDArray[np.int64]
Bool: TypeAlias = NDArray[np.bool_]

_COMPACT_ABOVE = 4096


class AggregateOperator(Unheld):
    """State: a key index, the key rows by slot, and the measures by slot."""

    def __init__(self, node: plan.Aggregate) -> None:
        self._node = node
        self._schema = node.schema
        self._key_schema = pa.schema(list(node.schema)[: len(node.keys)])
        self._closing = min(node.closing, key=lambda c: (c.offset_us, c.index)) if node.closing else None
        self._index_keys = determining(node)
        self._reset()

    def _reset(self) -> None:
        self._index = KeyIndex()
        self._keys = RowStore(self._key_schema)
        self._ends: I64 = np.zeros(64, np.int64)
        self._freed: Bool = np.zeros(64, np.bool_)
        self._free_count = 0
        self._next_end = ENDED
        self._measures = Measures(self._node)
        self._partials = Partials(self._node) if isinstance(self._node.input, plan.PartialAggregate) else None
        self._changed = ChangedSlots()
        self.answer: pa.RecordBatch | None = None  # without keys, what it shows

    def start(self, context: Context) -> Delta:
        """Without keys there is one group, and it has an answer before any row."""
        if self._node.keys or len(self._index):
            return None
        self._upsert(zset.rows_of_nothing(1))
        slots = np.zeros(1, np.int64)
        self.answer = self._shown(slots, self._keys_of(slots), context, 1)
        return zset.with_weights(self.answer, 1)

    @property
    def unused(self) -> int:
        """Groups that are gone, whose place is kept."""
        return self._free_count

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        batch = inputs[0]
        changed = None
        if batch is not None and batch.num_rows:
            changed = self._absorb(batch, context)
        if context.watermark > context.watermark_before or self._node.emit_on_close:
            closed = self._close(context)
            if self._node.emit_on_close:
                return closed
        return changed

    # -- taking rows in ------------------------------------------------------------------------

    def _absorb(self, batch: pa.RecordBatch, context: Context) -> Delta:
        known = len(self._index)
        slots = self._upsert(zset.data(batch))
        self._changed.mark(slots, len(self._index))
        if self._node.emit_on_close:
            self._take_in(batch, slots)
            return None
        if self._node.append_only:  # no measures, and no group ever goes: only the new ones show
            self._take_in(batch, slots)
            return self._keys.last(len(self._index) - known) if len(self._index) > known else None
        unique, _ = touched(slots, len(self._index))
        keys = self._keys_of(unique)
        before = self._alive(unique)
        old = self._shown(unique[before], _where(keys, before), context, -1)
        self._take_in(batch, slots)
        after = self._alive(unique)
        new = self._shown(unique[after], _where(keys, after), context, 1)
        if not self._node.keys:
            self.answer = new
        return self._difference(old, after[before], new, before[after])

    def _take_in(self, batch: pa.RecordBatch, slots: I64) -> None:
        if self._partials is None:
            self._measures.update(batch, slots, zset.weights(batch))
        else:
            self._partials.take_in(self._measures, batch, slots)
        if zset.is_weighted(batch):
            self._measures.check(slots)

    def _upsert(self, rows: pa.RecordBatch) -> I64:
        known = len(self._index)
        slots, new = self._index.upsert(encode_rows(rows, [self._node.keys[i] for i in self._index_keys]))
        if new:
            self._add_keys(rows, first_rows(slots, known, known + new))
        return slots

    def _add_keys(self, rows: pa.RecordBatch, first: I64) -> None:
        self._append_keys(
            pa.RecordBatch.from_arrays([rows.column(k) for k in self._node.keys], schema=self._key_schema), first
        )

    def _append_keys(self, chosen: pa.RecordBatch, first: I64) -> None:
        """The keys of new slots: of rows, the first that has each."""
        count = len(self._index)
        if self._node.keys:
            keys = chosen if len(first) == chosen.num_rows else zset.take(chosen, first)
            self._keys.append(keys)
            if self._closing is not None:
                self._ends = grow(self._ends, count)
                ends = ends_of(keys.column(self._closing.index), self._closing.offset_us)
                self._ends[count - len(first) : count] = ends
                self._next_end = min(self._next_end, int(ends.min()))
        self._freed = grow(self._freed, count, False)
        self._measures.reserve(count)

    # -- showing groups ------------------------------------------------------------------------

    def _alive(self, slots: I64) -> Bool:
        if not self._node.keys:
            return np.ones(len(slots), np.bool_)
        alive: Bool = self._measures.rows[slots] > 0
        return alive

    def _keys_of(self, slots: I64) -> pa.RecordBatch:
        return self._keys.take(slots) if self._node.keys and len(slots) else empty(self._key_schema)

    def _shown(self, slots: I64, keys: pa.RecordBatch, context: Context, sign: int) -> pa.RecordBatch:
        """The output rows of some slots. A measure that does not fit its type reads NULL and is an error row."""
        columns = list(keys.columns)
        for i, (values, beyond) in enumerate(self._measures.results(slots)):
            if beyond.any():
                values = pc.if_else(pa.array(beyond), pa.scalar(None, values.type), values)
                self._report(slots[beyond], i, context, sign)
            columns.append(values)
        if not columns:
            return zset.rows_of_nothing(len(slots))
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def _report(self, slots: I64, measure: int, context: Context, sign: int) -> None:
        for slot in slots:
            sqlstate, message = self._measures.failure(measure, int(slot))
            key = self._keys.take(np.array([slot])).to_pylist() if self._node.keys else [{}]
            shown = repr(list(key[0].values()))
            context.errors.append(FailedRow(self._node.id, sqlstate, message, shown, sign))

    def _difference(self, old: pa.RecordBatch, stay: Bool, new: pa.RecordBatch, stayed: Bool) -> Delta:
        """-old +new, without the groups that show what they showed; ``stay``, ``stayed``: those there both times."""
        if not old.num_columns:
            return None
        same = _same(_where(old, stay), _where(new, stayed), len(self._node.keys))
        if same.any():
            old, new = _without(old, np.flatnonzero(stay)[same]), _without(new, np.flatnonzero(stayed)[same])
        return zset.concat([zset.with_weights(b, w) for b, w in ((old, -1), (new, 1))])

    # -- closing windows -----------------------------------------------------------------------

    def _close(self, context: Context) -> Delta:
        """Let go the groups whose window the watermark has passed; under EMIT ON WINDOW CLOSE show them first."""
        limit = context.closed_until(self._node.lateness_us)
        if self._closing is None or limit < self._next_end or not len(self._index):
            return None
        count = len(self._index)
        due = (self._ends[:count] <= limit) & ~self._freed[:count]
        slots = np.flatnonzero(due)
        out = None
        if self._node.emit_on_close:
            alive = slots[self._alive(slots)]
            out = self._shown(alive, self._keys_of(alive), context, 1) if len(alive) else None
        self._let_go(slots)
        self._changed.mark(slots, count)
        if self._free_count > _COMPACT_ABOVE and self._free_count * 2 > count:
            self._load(self._dump(np.flatnonzero(~self._freed[:count])), count)
        return out

    def _let_go(self, slots: I64) -> None:
        count = len(self._index)
        self._freed[slots] = True
        self._free_count += len(slots)
        open_ends = self._ends[:count][~self._freed[:count]]
        self._next_end = int(open_ends.min()) if len(open_ends) else ENDED

    # -- checkpoints ---------------------------------------------------------------------------

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        self._follow_changes()
        return self._dump(np.flatnonzero(~self._freed[: len(self._index)]))

    def _follow_changes(self) -> None:
        self._changed.begin()
        self._measures.follow_changes()

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        slots = self._changed.take(len(self._index))
        if slots is None:
            return None
        gone = self._freed[slots]
        found = self._measures.changes(slots[~gone])
        if found is None:
            return None
        return {**found, "keys": self._key_rows(slots[~gone]), "gone": self._key_rows(slots[gone])}

    def patch(self, changes: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        keys, gone = changes["keys"], changes["gone"]
        rows = keys if self._node.keys else zset.rows_of_nothing(keys.num_rows)
        known = len(self._index)
        slots, new = self._index.upsert(encode_rows(rows, self._index_keys))
        if new:
            self._append_keys(keys, first_rows(slots, known, known + new))
        self._measures.put(changes, slots)
        if gone.num_rows:
            over = self._index.probe(encode_rows(gone, self._index_keys))
            self._let_go(over[over >= 0])
        self._follow_changes()
        self._answer_again(epoch)

    def _dump(self, slots: I64) -> dict[str, pa.RecordBatch]:
        """The state of some slots: their keys and measures."""
        return {"keys": self._key_rows(slots)} | self._measures.dump(slots)

    def _key_rows(self, slots: I64) -> pa.RecordBatch:
        return self._keys_of(slots) if self._node.keys else pa.record_batch({"slots": pa.array(slots)})

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        self._load(state)
        self._follow_changes()
        self._answer_again(epoch)

    def _answer_again(self, epoch: int) -> None:
        if not self._node.keys and len(self._index):
            slots = np.zeros(1, np.int64)
            self.answer = self._shown(slots, self._keys_of(slots), Context(epoch), 1)

    def _load(self, state: Mapping[str, pa.RecordBatch], room: int = 0) -> None:
        keys = state["keys"]
        self._reset()
        self._index = KeyIndex(room)
        if keys.num_rows:
            self._index.upsert(encode_rows(keys, self._index_keys))
            self._replace_keys(keys)
        self._measures.load(state, keys.num_rows)

    def _replace_keys(self, keys: pa.RecordBatch) -> None:
        if not self._node.keys:
            return
        self._keys.append(keys)
        self._freed = np.zeros(max(64, keys.num_rows), np.bool_)
        self._free_count = 0
        if self._closing is not None:
            ends = ends_of(keys.column(self._closing.index), self._closing.offset_us)
            self._ends = grow(ends, 64)
            self._next_end = int(self._ends[: keys.num_rows].min())


def _where(rows: pa.RecordBatch, mask: Bool) -> pa.RecordBatch:
    return rows if mask.all() or not rows.num_columns else rows.filter(pa.array(mask))


def _without(rows: pa.RecordBatch, places: I64) -> pa.RecordBatch:
    kept = np.ones(rows.num_rows, np.bool_)
    kept[places] = False
    return rows.filter(pa.array(kept))


def _same(old: pa.RecordBatch, new: pa.RecordBatch, first: int) -> Bool:
    """Which rows agree in all columns from ``first`` on; NULL agrees with NULL and NaN with NaN."""
    same: Bool = np.ones(old.num_rows, np.bool_)
    for i in range(first, old.num_columns):
        same &= _agreeing(old.column(i), new.column(i)).to_numpy(zero_copy_only=False)
        if not same.any():
            break
    return same


def _agreeing(a: pa.Array, b: pa.Array) -> pa.Array:
    equal = pc.equal(a, b)
    if equal.null_count:
        equal = pc.or_(equal.fill_null(False), pc.and_(a.is_null(), b.is_null()))
    if pa.types.is_floating(a.type):
        equal = pc.or_(equal, pc.and_(pc.is_nan(a), pc.is_nan(b)).fill_null(False))
    return equal
