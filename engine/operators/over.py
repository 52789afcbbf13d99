"""Over: window functions computed again only where their frames reach what an epoch changed.

    rows    in order, by key
    reach   the rows whose frames hold a changed one, and before and behind them what their frames hold
    change  their new values less the last ones

A function whose frame begins at the beginning goes on from the value of the row
before, so that what comes at the end costs no more than itself.
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
from constellationdb.engine.operators.base import Context, Unheld
from constellationdb.engine.ordered import OrderedRows, Reached
from constellationdb.engine.rowstore import RowStore
from constellationdb.planner import plan

_COMPACT_ABOVE = 4096


class OverOperator(Unheld):
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

    def start(self, context: Context) -> Delta:  # noqa: ARG002
        return None

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:  # noqa: ARG002
        batch = inputs[0]
        if batch is None or not batch.num_rows:
            return None
        if zset.is_weighted(batch):
            batch = zset.netted(batch)
            if batch is None:
                return None
        changed = self._absorb(batch)
        if self._rows.wasteful or self._values.rows > 2 * self._count + _COMPACT_ABOVE:
            self._compact()
        return changed

    def _absorb(self, batch: pa.RecordBatch) -> Delta:
        slots = self._slots(zset.data(batch))
        gone = self._rows.displace(batch, slots)
        self._value_of = grow(self._value_of, self._rows.entries, -1)
        reached = self._rows.reached(
            slots, self._node.before, self._node.after, running=self._node.running, tied=self._node.tied
        )
        parts = [self._shown(gone, self._values.take(self._value_of[gone]), -1)] if len(gone) else []
        self._value_of[gone] = -1
        self._count -= len(gone)
        if reached.computed.any():
            parts += self._recomputed(reached)
        return zset.concat(parts)

    def _slots(self, rows: pa.RecordBatch) -> I64:
        if not self._node.keys:
            self._rows.reserve(1)
            return np.zeros(rows.num_rows, np.int64)
        slots, _ = self._index.upsert(encode_rows(rows, self._node.keys))
        self._rows.reserve(len(self._index))
        return slots

    def _recomputed(self, reached: Reached) -> list[pa.RecordBatch]:
        chosen = np.flatnonzero(reached.computed)
        entries = reached.entries[chosen]
        values = self._moved(reached) if self._node.moving else zset.take(self._computed(reached), chosen)
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
        stretches = stretches_of(reached.spans, reached.computed)
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
        columns = found.columns[1:]
        if self._node.running and bool((reached.carries >= 0).any()):
            columns = self._carried(columns, reached)
        return pa.RecordBatch.from_arrays(columns, schema=self._values_schema)

    def _carried(self, columns: list[pa.Array], reached: Reached) -> list[pa.Array]:
        entries = reached.carries[reached.spans]
        begins = entries < 0
        places = np.where(begins, -1, self._value_of[np.maximum(entries, 0)])
        before = self._values.pick(pa.array(places, mask=begins))
        return [
            _carry(how, before.column(i), column, begins)
            for i, (how, column) in enumerate(zip(self._node.carries, columns, strict=True))
        ]

    def _shown(self, entries: I64, values: pa.RecordBatch, weight: int) -> pa.RecordBatch:
        columns = [*self._rows.take(entries).columns, *values.columns]
        return zset.with_weights(pa.RecordBatch.from_arrays(columns, schema=self._schema), weight)

    def _compact(self) -> None:
        if self._node.keys:
            keep = self._rows.used(len(self._index))
            self._index, _ = self._index.compact(keep)
            kept = self._rows.compact(np.flatnonzero(keep))
        else:
            kept = self._rows.compact(np.zeros(1, np.int64))
        values = self._values.take(self._value_of[kept])
        self._values = RowStore(self._values_schema)
        if len(kept):
            self._values.append(values)
        self._value_of = grow(np.arange(len(kept), dtype=np.int64), 64, -1)

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        return {"rows": self._rows.live()}

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:  # noqa: ARG002
        if state["rows"].num_rows:
            self._absorb(state["rows"])


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
