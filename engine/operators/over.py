"""Over: window functions computed again only where their frames reach what an epoch changed.

    rows    in order, by key
    reach   the rows whose frames hold a changed one, and before and behind them what their frames hold
    change  their new values less the last ones

A function whose frame begins at the beginning goes on from the value of the row
before, so that what comes at the end costs no more than itself.

Where rows come in order but for late ones, which are counted and dropped, those
that no frame will reach are freed; and keys that the watermark closes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.chunks import Chunks
from constellationdb.engine.fragment import Fragment
from constellationdb.engine.frames import FramedRows
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import I64, Bool
from constellationdb.engine.moving import stretches_of, values_of
from constellationdb.engine.operators.base import ENDED, Context, Unheld
from constellationdb.engine.operators.closing_keys import ClosingKeys
from constellationdb.engine.operators.incremental import Summed
from constellationdb.engine.operators.punctual import ends_of, punctual
from constellationdb.engine.operators.shown_rows import ShownRows
from constellationdb.engine.operators.sweep import Sweep
from constellationdb.engine.ordered import OrderedRows, Reached
from constellationdb.engine.rowstore import RowStore
from constellationdb.planner import plan

_COMPACT_ABOVE = 4096


class OverOperator(Summed, Unheld):
    """State: the rows in order, and the functions' last values by entry."""

    def __init__(self, node: plan.Over) -> None:
        self._node = node
        self._schema = node.schema
        source = node.input.schema
        numbers = [pa.field(name, pa.int64()) for name in ("span", "place", "peers")]
        self._read_schema = pa.schema([*source, *numbers])
        self._values_schema = pa.schema(list(node.schema)[len(source) :])
        found = pa.schema([numbers[1], *self._values_schema])
        self._fragment = None if node.frames else Fragment(node.substrait, [self._read_schema], found)
        self._frames = FramedRows(node.frames, pa.schema([*self._read_schema, *self._values_schema]))
        self._index = KeyIndex()
        self._rows = OrderedRows(source, node.order, node.ties)
        self._values = RowStore(self._values_schema)
        self._columns = sorted({m.column for m in node.moving if m.column >= 0})
        self._arguments = Chunks(pa.schema([source.field(c) for c in self._columns]), self._columns)
        self._value_of: I64 = np.full(64, -1, np.int64)
        self._count = 0  # entries with a value
        self._late = plan.late_by(node)
        keyed = node.expiry is not None and node.expiry.index in node.keys
        self._closing = ClosingKeys(node.expiry if keyed else None)
        self._time = None if keyed else node.expiry
        self._ends: I64 = np.full(64, ENDED, np.int64)  # by entry, where rows expire by their time
        self._sweep = Sweep()
        self._written = None if self._time is None else ShownRows(self._with_values)

    @property
    def unused(self) -> int:
        """See ``footprint``."""
        return self._values.rows - self._count

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        return None

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        batch = punctual(inputs[0], self._late, context)
        if batch is not None and zset.is_weighted(batch):
            batch = zset.netted(batch)
        changed = self._absorb(batch) if batch is not None and batch.num_rows else None
        if self._node.expiry is not None and context.watermark > context.watermark_before:
            self._free(context.watermark)
        if self._rows.wasteful or self._values.rows > 2 * self._count + _COMPACT_ABOVE:
            self._compact()
        return changed

    def _free(self, watermark: int) -> None:
        gone = self._closing.closed(watermark, len(self._index))
        if gone is not None:
            self._forget(self._rows.free(gone))
        if self._time is not None and self._sweep.due(self._rows.entries, self._rows.count):
            node = self._node
            slots = np.flatnonzero(self._rows.used(len(self._index) if node.keys else 1))
            gone = self._rows.behead(
                slots, self._ends, watermark, node.before, node.after, running=node.running, tied=node.tied
            )
            self._note(gone, self._values.take(self._value_of[gone]), -1)
            self._forget(gone)
            self._sweep.swept(self._rows.entries)

    def _forget(self, gone: I64) -> None:
        self._value_of[gone] = -1
        self._count -= len(gone)

    def _displace(self, batch: pa.RecordBatch, slots: I64) -> I64:
        """Take the rows in; the entries that are gone."""
        known = self._rows.entries
        gone = self._rows.displace(batch, slots)
        self._value_of = grow(self._value_of, self._rows.entries, -1)
        if self._time is not None:
            times = self._rows.take(np.arange(known, self._rows.entries)).column(self._time.index)
            self._ends = grow(self._ends, self._rows.entries, ENDED)
            self._ends[known : self._rows.entries] = ends_of(times, self._time.offset_us)
        if self._written is not None:
            self._written.came(self._rows.entries)
        return gone

    def _absorb(self, batch: pa.RecordBatch) -> Delta:
        slots = self._slots(zset.data(batch))
        gone = self._displace(batch, slots)
        reached = self._rows.reached(
            slots, self._node.before, self._node.after, running=self._node.running, tied=self._node.tied
        )
        parts = [self._shown(gone, self._values.take(self._value_of[gone]), -1)] if len(gone) else []
        self._forget(gone)
        if reached.computed.any():
            parts += self._recomputed(reached)
        return zset.concat(parts)

    def _slots(self, rows: pa.RecordBatch) -> I64:
        if not self._node.keys:
            self._rows.reserve(1)
            return np.zeros(rows.num_rows, np.int64)
        known = len(self._index)
        slots, new = self._index.upsert(encode_rows(rows, self._node.keys))
        if new:
            self._rows.reserve(known + new)
            self._closing.opened(rows, slots, known, known + new)
        return slots

    def _recomputed(self, reached: Reached) -> list[pa.RecordBatch]:
        chosen = np.flatnonzero(reached.computed)
        entries = reached.entries[chosen]
        values = self._moved(reached) if self._node.moving else zset.take(self._computed(reached), chosen)
        if self._node.running and bool((reached.carries >= 0).any()):
            values = self._carried(values, reached.carries[reached.spans[chosen]])
        places = self._value_of[entries]
        known = np.flatnonzero(places >= 0)
        new = places < 0
        old = self._values.take(places[known])
        new[known] = ~_same(old, zset.take(values, known) if len(known) < len(places) else values)
        parts = []
        changed = np.flatnonzero(new[known])
        if len(changed):
            parts.append(self._shown(entries[known[changed]], zset.take(old, changed), -1))
        fresh = np.flatnonzero(new)
        if len(fresh):
            values = zset.take(values, fresh) if len(fresh) < len(new) else values
            self._value_of[entries[fresh]] = np.arange(self._values.rows, self._values.rows + len(fresh))
            self._values.append(values)
            self._count += len(fresh) - len(changed)
            parts.append(self._shown(entries[fresh], values, 1))
        return parts

    def _moved(self, reached: Reached) -> pa.RecordBatch:
        """The values of the rows to be computed, where they follow from sums and places."""
        self._arguments.follow(self._rows.chunks)
        read = self._arguments.take(reached.entries)
        columns = dict(zip(self._columns, read.columns, strict=True))
        stretches = stretches_of(reached.spans, reached.computed, reached.peers)
        return pa.RecordBatch.from_arrays(
            [
                values_of(m, columns.get(m.column), stretches, kind)
                for m, kind in zip(self._node.moving, self._values_schema.types, strict=True)
            ],
            schema=self._values_schema,
        )

    def _computed(self, reached: Reached) -> pa.RecordBatch:
        """The values of everything that was read; those of its edges are of no use."""
        rows = self._rows.take(reached.entries)
        places = np.arange(rows.num_rows)
        extra = [pa.array(numbers) for numbers in (reached.spans, places, reached.peers)]
        read = pa.RecordBatch.from_arrays([*rows.columns, *extra], schema=self._read_schema)
        if self._fragment is None:
            framed = self._frames.run(read)
            assert framed is not None
            return pa.RecordBatch.from_arrays(framed.columns[read.num_columns :], schema=self._values_schema)
        found = self._fragment.run(read)
        assert found is not None
        order = found.column(0).to_numpy()
        if bool((order != places).any()):
            back = np.empty_like(order)
            back[order] = places
            found = zset.take(found, back)
        return pa.RecordBatch.from_arrays(found.columns[1:], schema=self._values_schema)

    def _carried(self, values: pa.RecordBatch, entries: I64) -> pa.RecordBatch:
        """The values of rows as they go on from those of the entries before their stretches; -1: there is none."""
        begins = entries < 0
        places = np.where(begins, -1, self._value_of[np.maximum(entries, 0)])
        before = self._values.pick(pa.array(places, mask=begins))
        columns = [
            _carry(how, before.column(i), column, begins)
            for i, (how, column) in enumerate(zip(self._node.carries, values.columns, strict=True))
        ]
        return pa.RecordBatch.from_arrays(columns, schema=self._values_schema)

    def _shown(self, entries: I64, values: pa.RecordBatch, weight: int) -> pa.RecordBatch:
        self._note(entries, values, weight)
        return zset.with_weights(self._with_values(entries, values), weight)

    def _note(self, entries: I64, values: pa.RecordBatch, weight: int) -> None:
        if self._written is not None:
            self._written.note(entries, values, weight)

    def _with_values(self, entries: I64, values: pa.RecordBatch) -> pa.RecordBatch:
        columns = [*self._rows.take(entries).columns, *values.columns]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)

    def _compact(self) -> None:
        if self._node.keys:
            keep = self._rows.used(len(self._index))
            self._index, _ = self._index.compact(keep)
            slots = np.flatnonzero(keep)
            kept = self._rows.compact(slots)
            self._closing.compact(slots)
        else:
            kept = self._rows.compact(np.zeros(1, np.int64))
        values = self._values.take(self._value_of[kept])
        self._values = RowStore(self._values_schema)
        if len(kept):
            self._values.append(values)
        self._value_of = grow(np.arange(len(kept), dtype=np.int64), 64, -1)
        if self._time is not None:
            self._ends = grow(self._ends[kept], 64, ENDED)
            self._sweep.swept(len(kept))
        if self._written is not None:
            self._written.compact(kept)

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        if self._written is None:
            return {"rows": self._rows.snapshot()}
        entries = self._rows.live_entries()
        return self._written.snapshot(entries, self._values.take(self._value_of[entries]))

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        if self._written is not None:
            return self._written.changes()
        rows = self._rows.changes()
        return None if rows is None else {"rows": rows}

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:  # noqa: ARG002
        width = len(self._node.input.schema)
        if self._written is None:
            if state["rows"].num_rows:
                self._absorb(state["rows"])
            self._rows.follow()
        elif "rows" in state:  # of an earlier release: the next checkpoint writes it anew
            self._restore(state["rows"], state["values"])
        else:
            shown = self._written.restored(state["shown"])
            self._restore(shown.select(range(width)), shown.select(range(width, shown.num_columns)))

    def _restore(self, rows: pa.RecordBatch, values: pa.RecordBatch) -> None:
        if not rows.num_rows:
            return
        rows, node = zset.named_like(rows, self._node.input.schema), self._node
        slots = self._slots(rows)
        self._displace(rows, slots)
        self._rows.reached(slots, node.before, node.after, running=node.running, tied=node.tied)  # none is to be said
        self._value_of[: rows.num_rows] = np.arange(rows.num_rows)
        self._values.append(zset.named_like(values, self._values_schema))
        self._count = rows.num_rows


def _carry(how: plan.Carry, before: pa.Array, column: pa.Array, begins: Bool) -> pa.Array:
    """A running function's values, which began with the stretch, as they go on from those before it."""
    match how:
        case "none":
            return column
        case "keep":
            return pc.if_else(pa.array(begins), column, before)
        case "least":
            return pc.min_element_wise(_instants(before), _instants(column)).cast(column.type)
        case "greatest":
            return pc.max_element_wise(_instants(before), _instants(column)).cast(column.type)
        case "add":  # NULL, of nothing yet, changes nothing
            kind = pa.decimal256(40, 0) if pt.is_decimal(column.type) else column.type
            both = pc.add(before.cast(kind), column.cast(kind)).cast(column.type)
            return pc.coalesce(both, before, column)


def _instants(times: pa.Array) -> pa.Array:
    """Arrow compares no times of a zone."""
    return times.cast(pa.timestamp(times.type.unit)) if pt.is_timestamp(times.type) else times


def _same(left: pa.RecordBatch, right: pa.RecordBatch) -> Bool:
    """Row by row, whether all columns agree."""
    same: Bool = np.ones(left.num_rows, np.bool_)
    for a, b in zip(left.columns, right.columns, strict=True):
        equal = pc.or_(pc.fill_null(pc.equal(a, b), False), pc.and_(pc.is_null(a), pc.is_null(b)))
        if pt.is_floating(a.type):
            equal = pc.or_(equal, pc.fill_null(pc.and_(pc.is_nan(a), pc.is_nan(b)), False))
        same &= equal.to_numpy(zero_copy_only=False)
    return same
