"""RecomputeAffected: any per-key function, incremental by asking again for the keys an epoch touched.

    touched = keys of all deltas
    inputs  += deltas
    output' = plan(rows of the touched keys)
    change  = output' - the stored output of the touched keys

The last output is stored, not computed again: a function that depends on row
order could answer differently for the same rows and leave negative counts.
Where order matters the rows are fed in the order of their canonical bytes.
A key that cannot be computed has an error row instead of an answer, until it
is touched again; of a join's key that are the pairs that cannot be computed. Keys that the
watermark closes are freed, not retracted. Frames in the order of time keep the
rows that those of rows to come can reach, and answers that are not final yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.fragment import Fragment
from constellationdb.engine.frames import FramedRows
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import Rows
from constellationdb.engine.operators.arranged import Arranged, Borrow, Own, arrange, changes_of
from constellationdb.engine.operators.base import ENDED, Context, Unheld
from constellationdb.engine.operators.expiring import Expiring, expiring
from constellationdb.engine.operators.failures import Failures
from constellationdb.engine.operators.incremental import Patched
from constellationdb.engine.operators.pairs import Pairs
from constellationdb.engine.operators.punctual import ends_of, punctual
from constellationdb.engine.rowstore import empty
from constellationdb.planner import plan


class RecomputeOperator(Patched, Unheld):
    """State: an arrangement of each input by key, unless it is borrowed, and of the output by key."""

    def __init__(self, node: plan.Recompute, borrow: Borrow | None = None) -> None:
        self._node = node
        self._schema = node.schema
        borrow = borrow if plan.late_by(node) is None else None  # the owner has late rows, too
        self.arranged = tuple(arrange(child, keys, borrow) for child, keys in zip(node.inputs, node.keys, strict=True))
        self._key_width = len(node.out_keys)
        # The output is kept with its key in front, for the key may be spread over several columns.
        keyed = [pa.field(f"k{i}", self._key_type(i)) for i in range(self._key_width)] + list(self._schema)
        self._output = Own(pa.schema(keyed), tuple(range(self._key_width)))
        self._keyed_schema = pa.schema(keyed)
        self._plan = _plan(node)
        self._pairs = None if node.condition is None else Pairs(node)
        self._failures = Failures(node.id)
        self._expiring = expiring(node)
        self._late = plan.late_by(node)
        self._final = self._until = None
        if node.expiry is not None and (node.expiry.index,) not in node.out_keys:
            self._final = plan.Column(node.expiry.index, node.expiry.offset_us + node.ahead_us)
            self._until = plan.Column(node.expiry.index, self._final.offset_us + node.behind_us)

    def _key_type(self, index: int) -> pa.DataType:
        return self._schema.field(self._node.out_keys[index][0]).type

    def start(self, context: Context) -> Delta:
        """A plan without keys may owe a row for empty input (a global aggregate)."""
        if self._key_width or any(self._node.keys):
            return None
        return self._recompute(None, context)

    def process(self, inputs: Sequence[Delta], context: Context) -> Delta:
        if self._late is not None:
            inputs = [punctual(b, self._late, context) for b in inputs]
        changed = [(i, b) for i, b in enumerate(inputs) if b is not None and b.num_rows]
        change = self._absorb(changed, context) if changed else None
        if self._final is not None and self._until is not None and context.watermark > context.watermark_before:
            self.arranged[0].evict(self._until, context.watermark, context.epoch)
            place = plan.Column(self._final.index + self._key_width, self._final.offset_us)
            self._output.evict(place, context.watermark, context.epoch)
        if self._expiring is not None and self._expiring.close(context.watermark):
            self._free(self._expiring, context)
        return change

    def _absorb(self, changed: list[tuple[int, pa.RecordBatch]], context: Context) -> Delta:
        touched = _distinct([encode_rows(zset.data(b), self._node.keys[i]) for i, b in changed])
        for i, b in changed:
            self.arranged[i].apply(b, context.epoch)
            if self._expiring is not None:
                self._expiring.note(b, self._expiring.inputs[i])
        return self._recompute(touched, context)

    def _free(self, closed: Expiring, context: Context) -> None:
        """Keep nothing of the keys that the watermark has closed; what was said of them stays said."""
        for side, column in zip((*self.arranged, self._output), (*closed.inputs, closed.output), strict=True):
            side.evict(column, context.watermark, context.epoch)

    def _recompute(self, touched: Rows | None, context: Context) -> Delta:
        if touched is None:
            touched = encode_rows(zset.rows_of_nothing(1), ())
        rows = [self._rows_of(a, touched, context.epoch) for a in self.arranged]
        self._failures.take_back(touched, context)
        after = self._open(self._run(rows, context), context, 0)
        before = self._open(self._stored(touched, context.epoch), context, self._key_width)
        parts = [] if after is None else [zset.weighted(self._keyed(after))]
        if before is not None:
            parts.append(zset.negate(before))
        if not parts:
            return None
        change = zset.netted(pa.concat_batches(parts))
        if change is None:
            return None
        self._output.apply(change, context.epoch)
        columns = change.columns[self._key_width :]
        return pa.RecordBatch.from_arrays(columns, schema=self._schema.append(pa.field(zset.WEIGHT, pa.int64())))

    def _open(self, answers: Delta, context: Context, first: int) -> Delta:
        """Less those that are final: of their frames rows may be gone. ``first``: columns in front of the output's."""
        if answers is None or self._final is None:
            return answers
        ends = ends_of(answers.column(first + self._final.index), self._final.offset_us)
        kept = np.flatnonzero((ends > context.watermark_before) | (ends == ENDED))
        return zset.take(answers, kept) if len(kept) else None

    def _rows_of(self, arrangement: Arranged, touched: Rows, epoch: int) -> pa.RecordBatch:
        _, entries = arrangement.whole(touched, epoch)
        rows = arrangement.take(entries)
        weight = arrangement.weight_of(entries)
        if len(weight) and bool((weight != 1).any()):
            rows = zset.take(rows, np.repeat(np.arange(len(weight), dtype=np.int64), weight))
        rows = zset.canonical_floats(rows)
        return _in_order(rows) if self._node.ordered else rows

    def _stored(self, touched: Rows, epoch: int) -> Delta:
        _, entries = self._output.before(touched, epoch)
        if len(entries) == 0:
            return None
        return zset.with_weights(self._output.take(entries), self._output.weight_of(entries))

    def _run(self, rows: list[pa.RecordBatch], context: Context) -> Delta:
        try:
            return self._plan.run(*rows)
        except Exception as error:
            return self._one_by_one(rows, context, error)

    def _one_by_one(self, rows: list[pa.RecordBatch], context: Context, error: BaseException) -> Delta:
        """A group that cannot be computed has no answer, or some of it; the other groups of the batch keep theirs."""
        keys = [encode_rows(r, k) for r, k in zip(rows, self._node.keys, strict=True)]
        distinct = _distinct(keys)
        if len(distinct) <= 1:
            return self._by_pairs(distinct, rows, context, error)
        index = KeyIndex()
        index.upsert(distinct)
        slots = [index.probe(k) for k in keys]
        found = []
        for slot in range(len(distinct)):
            group = [zset.take(r, np.flatnonzero(s == slot)) for r, s in zip(rows, slots, strict=True)]
            try:
                found.append(self._plan.run(*group))
            except Exception as failure:
                found.append(self._by_pairs(distinct.take(np.array([slot])), group, context, failure))
        return zset.concat([f for f in found if f is not None])

    def _by_pairs(self, key: Rows, rows: list[pa.RecordBatch], context: Context, error: BaseException) -> Delta:
        """One group: of a join, the pairs that can be computed."""
        if self._pairs is not None:
            try:
                found, failed = self._pairs.run(*rows)
            except Exception as one:
                error = one
            else:
                self._failures.note_rows(key, failed, context)
                return found
        self._failures.note(key, rows, error, context)
        return None

    def _keyed(self, output: pa.RecordBatch) -> pa.RecordBatch:
        keys = [_first_of(output, columns) for columns in self._node.out_keys]
        return pa.RecordBatch.from_arrays([*keys, *output.columns], schema=self._keyed_schema)

    def snapshot(self) -> dict[str, pa.RecordBatch]:
        state = {f"input{i}": rows for i, a in enumerate(self.arranged) for rows in a.snapshot().values()}
        return {**state, "output": self._output.snapshot()[""], "failures": self._failures.snapshot()}

    def restore(self, state: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        for i, arrangement in enumerate(self.arranged):
            arrangement.restore(state.get(f"input{i}"), epoch)
        self._output.restore(state["output"], epoch)
        self._note(state)
        self._failures.restore(state["failures"])

    def changes(self) -> dict[str, pa.RecordBatch] | None:
        inputs: list[tuple[str, Arranged]] = [(f"input{i}", side) for i, side in enumerate(self.arranged)]
        found = changes_of([*inputs, ("output", self._output)])
        return None if found is None else {**found, "failures": self._failures.snapshot()}

    def patch(self, changes: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        for i, arrangement in enumerate(self.arranged):
            arrangement.patch(changes.get(f"input{i}"), epoch)
        self._output.patch(changes["output"], epoch)
        self._note(changes)
        self._failures = Failures(self._node.id)
        self._failures.restore(changes["failures"])

    def _note(self, state: Mapping[str, pa.RecordBatch]) -> None:
        """When the watermark closes what has been restored."""
        if self._expiring is not None:
            self._expiring.note(state["output"], self._expiring.output)
            for i, column in enumerate(self._expiring.inputs):
                if f"input{i}" in state:
                    self._expiring.note(state[f"input{i}"], column)


def _plan(node: plan.Recompute) -> Fragment | FramedRows:
    if node.frames:
        return FramedRows(node.frames, node.schema)
    return Fragment(node.substrait, [child.schema for child in node.inputs], node.schema)


def _first_of(batch: pa.RecordBatch, columns: tuple[int, ...]) -> pa.Array:
    """The first of these columns that is not NULL, row by row."""
    found = batch.column(columns[0])
    for column in columns[1:]:
        found = pc.coalesce(found, batch.column(column).cast(found.type))
    return found


def _distinct(keys: Sequence[Rows]) -> Rows:
    """The distinct keys of several columns of keys."""
    index = KeyIndex()
    for rows in keys:
        index.upsert(rows)
    return index.keys_at(np.arange(len(index), dtype=np.int64))


def _in_order(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows sorted by their canonical bytes: one order for one multiset, however it arrived."""
    if rows.num_rows < 2:
        return rows if rows.num_rows else empty(rows.schema)
    encoded = encode_rows(rows, range(rows.num_columns))
    offsets = pa.py_buffer(encoded.offsets.astype(np.int64))
    keys = pa.Array.from_buffers(pa.large_binary(), len(encoded), [None, offsets, pa.py_buffer(encoded.data)])
    return rows.take(pc.sort_indices(keys))
