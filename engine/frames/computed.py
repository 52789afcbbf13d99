"""Functions over frames: values looked up, and aggregates of each row's frame.

An aggregate is fed pairs of a row and a row of its frame, in the frame's order, so many at a time that memory
stays bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import structs

from constellationdb.engine import batch as zset
from constellationdb.engine.aggregates.measures import Measures, out_of_range
from constellationdb.engine.fragment import Fragment
from constellationdb.engine.frames.bounds import Frames, frames_of
from constellationdb.engine.frames.ordered import ordered
from constellationdb.engine.frames.totals import total
from constellationdb.engine.kernels.rows import I64
from constellationdb.errors import InvalidNthValueArgument, NumericOutOfRange
from constellationdb.planner import plan

_PAIRS = 1 << 20


class FramedRows:
    """Rows in, the same rows out with the values of all sets behind their columns."""

    def __init__(self, sets: Sequence[plan.FrameSet], schema: pa.Schema) -> None:
        self._schema = pa.schema([pa.field(f.name, f.type) for f in schema])
        self._sets = [(part, _Aggregates(part, self._schema)) for part in sets]

    def run(self, *inputs: pa.RecordBatch) -> pa.RecordBatch | None:
        (rows,) = inputs
        if not rows.num_rows:
            return None
        found: dict[int, pa.Array] = {}
        for part, aggregates in self._sets:
            values = _computed(part, aggregates, rows)
            found.update(zip(part.outputs, values, strict=True))
        width = rows.num_columns
        columns = [found[i].cast(self._schema.field(i).type) for i in range(width, len(self._schema))]
        return pa.RecordBatch.from_arrays([*rows.columns, *columns], schema=self._schema)


def _computed(part: plan.FrameSet, aggregates: _Aggregates, rows: pa.RecordBatch) -> Iterator[pa.Array]:
    order = ordered(rows, part)
    rows = zset.take(rows, order.places)
    frames = frames_of(part.frame, order, rows.column(part.value) if part.value >= 0 else None, part.order)
    back = np.empty_like(order.places)
    back[order.places] = np.arange(len(back))
    measures, generic = aggregates.run(frames, rows)
    for call in part.calls:
        match call.kind:
            case "measure":
                values = measures[call.place]
            case "generic":
                values = generic[call.place]
            case _:
                values = _looked_up(call, frames, rows)
        yield values.take(pa.array(back))


def _looked_up(call: plan.FrameCall, frames: Frames, rows: pa.RecordBatch) -> pa.Array:
    """first_value, last_value and nth_value."""
    sizes, here = frames.sizes, np.arange(rows.num_rows)
    match call.name:
        case "first_value":
            numbers = np.zeros(len(here), np.int64)
        case "last_value":
            numbers = sizes - 1
        case _:
            numbers = _nth(rows.column(call.columns[1])) - 1
    there = (numbers >= 0) & (numbers < sizes)
    members = frames.members(here, np.where(there, numbers, 0))
    return rows.column(call.columns[0]).take(pa.array(members, mask=~there))


def _nth(numbers: pa.Array) -> I64:
    """Which value of its frame each row asks for; 0 for a NULL."""
    if bool(pc.any(pc.less_equal(numbers, 0)).as_py()):
        raise InvalidNthValueArgument("argument of nth_value must be greater than zero")
    found: I64 = pc.fill_null(numbers.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    return found


class _Aggregates:
    """The aggregates of one set."""

    def __init__(self, part: plan.FrameSet, schema: pa.Schema) -> None:
        self._part = part
        calls = zip(part.calls, part.outputs, strict=True)
        types = {call.place: schema.field(output).type for call, output in calls if call.kind == "generic"}
        self._generic = pa.schema([pa.field(f"c{1 + place}", types[place]) for place in range(len(types))])
        self._fragment = None
        if part.generic is not None:
            number = pa.field("c0", pa.int64())
            seen = [pa.field(f"c{i}", schema.field(column).type) for i, column in enumerate(part.reads, 1)]
            self._fragment = Fragment(part.generic, [pa.schema([number, *seen])], pa.schema([number, *self._generic]))

    def run(self, frames: Frames, rows: pa.RecordBatch) -> tuple[list[pa.Array], list[pa.Array]]:
        """Of every row the measures, and what is generic."""
        seen, node = rows.select(list(self._part.reads)), self._part.measures
        measures = () if node is None else node.measures
        types = () if node is None else node.schema.types
        found = [total(made, kind, frames, seen) for made, kind in zip(measures, types, strict=True)]
        places = [place for place, values in enumerate(found) if values is None]
        generic: list[pa.Array] = []
        if places or self._fragment is not None:
            left = None if node is None else _of(node, places)
            parts = [self._part_of(left, frames, seen, first, end) for first, end in _chunks(frames.sizes)]
            columns = [pa.concat_arrays(column) for column in zip(*parts, strict=True)]
            generic = columns[len(places) :]
            for place, values in zip(places, columns, strict=False):
                found[place] = values
        return found, generic

    def _part_of(
        self, node: plan.Aggregate | None, frames: Frames, seen: pa.RecordBatch, first: int, end: int
    ) -> list[pa.Array]:
        """The measures of ``node`` and what is generic, of the rows from ``first`` on."""
        sizes = frames.sizes[first:end]
        rows = np.repeat(np.arange(end - first), sizes)
        numbers = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        shown = (
            zset.take(seen, frames.members(rows + first, numbers))
            if seen.num_columns
            else zset.rows_of_nothing(len(rows))
        )
        return [*_measured(node, shown, rows, end - first), *self._grouped(shown, rows, end - first)]

    def _grouped(self, shown: pa.RecordBatch, rows: I64, count: int) -> list[pa.Array]:
        if self._fragment is None:
            return []
        names = [f"c{i}" for i in range(1 + shown.num_columns)]
        found = self._fragment.run(pa.RecordBatch.from_arrays([pa.array(rows), *shown.columns], names=names))
        places = np.full(count, -1, np.int64)
        if found is not None:
            places[found.column(0).to_numpy()] = np.arange(found.num_rows)
        taken = pa.array(places, mask=places < 0)
        columns = []
        for place, field in enumerate(self._generic):
            column = pa.nulls(count, field.type) if found is None else found.column(1 + place).take(taken)
            columns.append(pc.fill_null(column, 0) if place in self._part.zeros else column)
        return columns


def _of(node: plan.Aggregate, places: Sequence[int]) -> plan.Aggregate | None:
    """With some of its measures."""
    if not places:
        return None
    schema = pa.schema([node.schema.field(place) for place in places])
    measures = tuple(node.measures[place] for place in places)
    return structs.replace(node, measures=measures, schema_ipc=plan.encode_schema(schema))


def _measured(node: plan.Aggregate | None, shown: pa.RecordBatch, rows: I64, count: int) -> list[pa.Array]:
    if node is None:
        return []
    measures = Measures(node)
    measures.reserve(count)
    measures.update(shown, rows, None)
    found = []
    for measure, (values, beyond) in zip(node.measures, measures.results(np.arange(count)), strict=True):
        if bool(beyond.any()):
            raise NumericOutOfRange(out_of_range(measure))
        found.append(values)
    return found


def _chunks(sizes: I64) -> Iterator[tuple[int, int]]:
    """Stretches of rows whose frames together hold not much more than ``_PAIRS`` rows."""
    upto, first = np.cumsum(sizes), 0
    while first < len(sizes):
        base = upto[first - 1] if first else 0
        end = max(first + 1, int(np.searchsorted(upto, base + _PAIRS, side="right")))
        yield first, end
        first = end
