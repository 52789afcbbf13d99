"""Partial aggregates: what a worker knows of some rows, as rows itself, and how a group's owner takes them in.

A row of an aggregate's input leaves a worker as one of three, which its last column tells apart:

    NULL                 the row as it came
    a number, one byte   a value that DISTINCT, or a min or max of changing rows, has to see; how often, by its weight
    more bytes           of a group all accumulators, of however many rows: the other columns are NULL but for the key

Accumulators are sums over rows, or extremes, so it does not matter which rows were added up before. Sums of doubles
are exact wherever they are added up in parts: the answer does not depend on how many workers there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import structs
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.aggregates.accumulator import I64, Accumulator
from constellationdb.engine.aggregates.measures import Measures, counted, sources
from constellationdb.engine.aggregates.moments import Regression, Variance
from constellationdb.engine.aggregates.sums import FloatSum
from constellationdb.engine.batch import Delta
from constellationdb.planner import plan

_U8: TypeAlias = NDArray[np.uint8]
_ONE = np.zeros(1, np.int64)


def summing(node: plan.Aggregate) -> plan.Aggregate:
    """The same with those of its measures that do not need to see every value."""
    kept = [place for place, measure in enumerate(node.measures) if not measure.distinct]
    fields = [*range(len(node.keys)), *(len(node.keys) + place for place in kept)]
    schema = pa.schema([node.schema.field(i) for i in fields])
    return structs.replace(
        node, measures=tuple(node.measures[place] for place in kept), schema_ipc=plan.encode_schema(schema)
    )


class Partials:
    """Of one aggregate whose input is ``plan.PartialAggregate``."""

    def __init__(self, node: plan.Aggregate) -> None:
        self._node = node
        self._summing = summing(node)
        self._schema = node.input.schema
        self._sources = sources(node)

    # -- the sender ----------------------------------------------------------------------------

    def unchanged(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows as they came."""
        columns = dict(enumerate(zset.data(batch).columns))
        return self._rows(columns, pa.nulls(batch.num_rows, pa.binary()), zset.weights(batch))

    def combined(self, batch: pa.RecordBatch, groups: I64, first: I64) -> Iterator[pa.RecordBatch]:
        """Accumulators of the groups of a batch (``first``: a row of each), and the values that must be seen."""
        measures = Measures(self._summing)
        measures.reserve(len(first))
        measures.update(batch, groups, zset.weights(batch))
        keys = {k: batch.column(k).take(pa.array(first)) for k in self._node.keys}
        yield self._rows(keys, _pack(measures.accumulators, len(first)), None)
        for number, source in enumerate(self._sources):
            columns = list(dict.fromkeys((*self._node.keys, source.argument, *source.more)))
            values = self._values(batch, source, columns)
            if values is not None:
                mark = pa.array([bytes([number])] * values.num_rows, pa.binary())
                found = dict(zip(columns, zset.data(values).columns, strict=True))
                yield self._rows(found, mark, zset.weights(values))

    def _values(self, batch: pa.RecordBatch, source: plan.Measure, columns: list[int]) -> Delta:
        """The different values of ``columns`` among the rows that a source counts, and how often they came or went."""
        valid = counted(batch, source)
        rows = batch if valid is None else batch.filter(pa.array(valid))
        weights = zset.weights(rows)
        schema = pa.schema([self._schema.field(c) for c in columns])
        values = pa.RecordBatch.from_arrays([rows.column(c) for c in columns], schema=schema)
        return zset.netted(values if weights is None else zset.with_weights(values, weights))

    def _rows(self, columns: Mapping[int, pa.Array], mark: pa.Array, weights: I64 | None) -> pa.RecordBatch:
        """Some columns, NULLs for the others, then the mark, then the weight if rows of this edge have one."""
        count, fields = len(mark), list(self._schema)[:-1]
        arrays = [columns[i] if i in columns else pa.nulls(count, field.type) for i, field in enumerate(fields)]
        rows = pa.RecordBatch.from_arrays([*arrays, mark], schema=self._schema)
        if self._node.input.append_only:
            return rows
        return zset.with_weights(rows, 1 if weights is None else weights)

    # -- the receiver --------------------------------------------------------------------------

    def take_in(self, measures: Measures, batch: pa.RecordBatch, slots: I64) -> None:
        """Add rows of any kind to the groups at ``slots``."""
        weights, marks = zset.weights(batch), batch.column(len(self._schema) - 1)
        if marks.null_count == len(marks):
            measures.update(batch, slots, weights)
            return
        lengths = pc.binary_length(marks).fill_null(0).to_numpy(zero_copy_only=False)
        if len(plain := np.flatnonzero(lengths == 0)):
            measures.update(zset.take(batch, plain), slots[plain], None if weights is None else weights[plain])
        for number in range(len(self._sources)):
            seen = np.flatnonzero(pc.equal(marks, bytes([number])).fill_null(False).to_numpy(zero_copy_only=False))
            if len(seen):
                own = None if weights is None else weights[seen]
                measures.update_values(number, zset.take(batch, seen), slots[seen], own)
        if len(sums := np.flatnonzero(lengths > 1)):
            added = Measures(self._summing)
            _unpack(added.accumulators, marks.take(pa.array(sums)))
            measures.merge(slots[sums], added, np.arange(len(sums)))


def _pack(accumulators: Iterable[Accumulator], count: int) -> pa.Array:
    """The state of slots 0 to ``count - 1`` of all accumulators, a row a slot."""
    slots = np.arange(count, dtype=np.int64)
    parts = [_bytes_of(array).reshape(count, -1) for one in accumulators for array in _state(one, slots)]
    rows = np.ascontiguousarray(np.hstack(parts))
    offsets = np.arange(count + 1, dtype=np.int32) * rows.shape[1]
    return pa.Array.from_buffers(pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(rows)])


def _unpack(accumulators: Iterable[Accumulator], packed: pa.Array) -> None:
    """Into fresh accumulators: what ``_pack`` gave, at slots 0, 1, 2, …"""
    count = len(packed)
    offsets = np.frombuffer(packed.buffers()[1], np.int32)[packed.offset : packed.offset + count + 1]
    rows = np.frombuffer(packed.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].reshape(count, -1)
    at = 0
    for accumulator in accumulators:
        accumulator.reserve(count)
        state = {}
        _widen(accumulator, 1)
        for name, like in accumulator.dump(_ONE).items():
            size = like.nbytes
            state[name] = np.ascontiguousarray(rows[:, at : at + size]).view(like.dtype).ravel()
            at += size
        accumulator.load(state, np.arange(count, dtype=np.int64))


def _state(accumulator: Accumulator, slots: I64) -> Iterable[NDArray[np.generic]]:
    _widen(accumulator, len(slots))
    return accumulator.dump(slots).values()


def _widen(accumulator: Accumulator, slots: int) -> None:
    """An exact sum of doubles is longer for some slots than for others, unless it is asked to be long for all."""
    if isinstance(accumulator, FloatSum | Variance | Regression):
        accumulator.widen(slots)


def _bytes_of(array: NDArray[np.generic]) -> _U8:
    return np.ascontiguousarray(array).view(np.uint8)
