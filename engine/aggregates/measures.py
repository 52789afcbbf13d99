"""All measures of a GROUP BY by group slot, fed from batches: of rows, or of the different values among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine.aggregates.accumulator import I64, Accumulator, Bool
from constellationdb.engine.aggregates.choosing import make_accumulator
from constellationdb.engine.aggregates.distinct import DistinctValues, Follower
from constellationdb.engine.aggregates.objects import Objects
from constellationdb.engine.aggregates.sums import Count
from constellationdb.errors import InternalError, NumericOutOfRange
from constellationdb.planner import plan
from constellationdb.planner.python_functions import EXCEPTION

# Of different values: what counts them, their columns, and the filter's.
_Source: TypeAlias = tuple[plan.MeasureKind, int, tuple[int, ...], int]


class Measures:
    """A row count and the measures of one node; those over the same different values share them."""

    def __init__(self, node: plan.Aggregate) -> None:
        self._node = node
        self._count = Count()
        self._shown: list[Accumulator | Follower] = [self._count] * len(node.measures)
        self._own: dict[int, Accumulator] = {}
        self._sources = sources(node)
        self._distinct: list[DistinctValues] = []
        # Added up in parts or taken back, a sum of doubles must not depend on the order.
        exact = not node.input.append_only or isinstance(node.input, plan.PartialAggregate)
        together: dict[_Source, list[int]] = {}
        for place, measure in enumerate(node.measures):
            if measure.distinct:
                together.setdefault(_source(measure), []).append(place)
            elif not _counts_rows(measure):
                argument = self._type_of(measure) if measure.argument >= 0 else None
                made = make_accumulator(measure, argument, self._output(place), exact)
                self._own[place] = self._shown[place] = made
        for places in together.values():
            measures = [node.measures[place] for place in places]
            outputs = [self._output(place) for place in places]
            growing = node.input.append_only
            shared = DistinctValues(measures, self._type_of(measures[0]), outputs, growing=growing)
            self._distinct.append(shared)
            for place, follower in zip(places, shared.followers, strict=True):
                self._shown[place] = follower

    @property
    def rows(self) -> I64:
        """How many rows each group has."""
        return self._count.counts

    def _type_of(self, measure: plan.Measure) -> pa.DataType:
        schema = self._node.input.schema
        types = [schema.field(column).type for column in (measure.argument, *measure.more)]
        return pa.struct([(f"c{i}", kind) for i, kind in enumerate(types)]) if measure.more else types[0]

    def _output(self, place: int) -> pa.DataType:
        return self._node.schema.field(len(self._node.keys) + place).type

    def reserve(self, slots: int) -> None:
        self._count.reserve(slots)
        for accumulator in self._own.values():
            accumulator.reserve(slots)
        for shared in self._distinct:
            shared.reserve(slots)

    def update(self, batch: pa.RecordBatch, slots: I64, weights: I64 | None) -> None:
        """Add or take back rows."""
        self._count.update(slots, None, weights, None)
        for place, accumulator in self._own.items():
            measure = self._node.measures[place]
            accumulator.update(slots, _values(batch, measure), weights, counted(batch, measure))
        for number, measure in enumerate(self._sources):
            self.update_values(number, batch, slots, weights, counted(batch, measure))

    def update_values(
        self, number: int, batch: pa.RecordBatch, slots: I64, weights: I64 | None, valid: Bool | None = None
    ) -> None:
        """Add or take back the values of one of ``sources``, by its number, and nothing else."""
        values = _values(batch, self._sources[number])
        assert values is not None
        self._distinct[number].update(slots, values, weights, valid)

    def merge(self, slots: I64, source: Measures, others: I64) -> None:
        """Add to each of ``slots`` what ``source``, measures without different values, has in the other slot."""
        for mine, theirs in zip(self.accumulators, source.accumulators, strict=True):
            mine.merge(slots, theirs, others)  # type: ignore[attr-defined]

    def check(self, slots: I64) -> None:
        """After an epoch's changes: no group has less than nothing."""
        if bool((self._count.counts[slots] < 0).any()):
            raise InternalError("a group would have a negative number of rows")

    def results(self, slots: I64) -> Iterator[tuple[pa.Array, Bool]]:
        """Measure by measure: its values, and which do not fit their type."""
        return (measure.result(slots) for measure in self._shown)

    def failure(self, place: int, slot: int) -> tuple[str, str]:
        """Why a measure has no value: SQLSTATE and message."""
        shown = self._shown[place]
        if isinstance(shown, Objects):
            return EXCEPTION, shown.failure(slot)
        return NumericOutOfRange.sqlstate, out_of_range(self._node.measures[place])

    def dump(self, slots: I64) -> dict[str, pa.RecordBatch]:
        state = self._dump(slots)
        for number, shared in enumerate(self._distinct):
            state[f"values{number}"] = shared.dump(slots)
        return state

    def _dump(self, slots: I64) -> dict[str, pa.RecordBatch]:
        return {
            f"{name}.{part}": pa.record_batch({"value": pa.array(array)})
            for name, accumulator in self._named()
            for part, array in accumulator.dump(slots).items()
        }

    def follow_changes(self) -> None:
        """From now on note what changes within groups."""
        for shared in self._distinct:
            shared.follow_changes()

    def changes(self, slots: I64) -> dict[str, pa.RecordBatch] | None:
        """The state of groups that have changed; of their different values those that did. None: not known."""
        state = self._dump(slots)
        for number, shared in enumerate(self._distinct):
            if (found := shared.changes(slots)) is None:
                return None
            state[f"values{number}"] = found
        return state

    def load(self, state: Mapping[str, pa.RecordBatch], slots: int) -> None:
        """Into fresh measures: what ``dump`` gave of so many slots."""
        self._put(state, np.arange(slots, dtype=np.int64))
        for number, shared in enumerate(self._distinct):
            shared.load(state[f"values{number}"], slots)

    def put(self, changes: Mapping[str, pa.RecordBatch], slots: I64) -> None:
        """Take what ``changes`` gave, of groups that are at ``slots`` here."""
        self._put(changes, slots)
        for number, shared in enumerate(self._distinct):
            shared.put(changes[f"values{number}"], slots)

    def _put(self, state: Mapping[str, pa.RecordBatch], slots: I64) -> None:
        for name, accumulator in self._named():
            prefix = f"{name}."
            arrays = {k[len(prefix) :]: _array(v) for k, v in state.items() if k.startswith(prefix)}
            accumulator.load(arrays, slots)

    @property
    def accumulators(self) -> list[Accumulator]:
        """All that is not kept as different values."""
        return [accumulator for _, accumulator in self._named()]

    def _named(self) -> list[tuple[str, Accumulator]]:
        return [("rows", self._count), *((str(place), accumulator) for place, accumulator in self._own.items())]


def sources(node: plan.Aggregate) -> list[plan.Measure]:
    """Where the different values come from that its measures look at, each once: as what counts them."""
    found = dict.fromkeys(_source(measure) for measure in node.measures if measure.distinct)
    return [plan.Measure(kind, argument, guard, more=more) for kind, argument, more, guard in found]


def _source(measure: plan.Measure) -> _Source:
    """A row counts whatever is NULL in it; a pair only if nothing is."""
    kind: plan.MeasureKind = "regr_count" if measure.more and measure.kind != "count" else "count"
    return kind, measure.argument, measure.more, measure.filter


def out_of_range(measure: plan.Measure) -> str:
    return f"{measure.kind} out of range" if measure.kind in ("sum", "avg") else "value out of range: overflow"


def _counts_rows(measure: plan.Measure) -> bool:
    """count(*): the number of rows is known anyway."""
    return measure.kind == "count" and measure.argument < 0 and measure.filter < 0


def _array(batch: pa.RecordBatch) -> NDArray[np.generic]:
    array: NDArray[np.generic] = batch.column(0).to_numpy(zero_copy_only=False)
    return array


def _values(batch: pa.RecordBatch, measure: plan.Measure) -> pa.Array | None:
    """A measure's argument; of several, structs of them."""
    if measure.argument < 0:
        return None
    columns = [batch.column(argument) for argument in (measure.argument, *measure.more)]
    return pa.StructArray.from_arrays(columns, [f"c{i}" for i in range(len(columns))]) if measure.more else columns[0]


def counted(batch: pa.RecordBatch, measure: plan.Measure) -> Bool | None:
    """Which rows a measure counts: no argument is NULL and its FILTER is true; a row of NULLs is none. None: all.

    What a user's own makes of NULLs is its own affair.
    """
    valid: Bool | None = None
    takes_nulls = measure.kind == "python" or (measure.kind == "count" and measure.more)
    for argument in () if takes_nulls else (measure.argument, *measure.more):
        if argument >= 0 and batch.column(argument).null_count:
            given = batch.column(argument).is_valid().to_numpy(zero_copy_only=False)
            valid = given if valid is None else valid & given
    if measure.filter >= 0:
        passing = batch.column(measure.filter).fill_null(False).to_numpy(zero_copy_only=False)
        valid = passing if valid is None else valid & passing
    return valid
