"""Measures over the different values of each group, and those that need these in order: several share a multiset."""

from __future__ import annotations

from typing import Protocol

import pyarrow as pa

from constellationdb.engine.aggregates.accumulator import I64, Accumulator, Bool
from constellationdb.engine.aggregates.choosing import make_accumulator
from constellationdb.engine.aggregates.extremes import End
from constellationdb.engine.aggregates.multiset import Multiset, Turns
from constellationdb.planner.plan import Measure


class Follower(Protocol):
    """A measure without state of its own that could not be had again from the multiset's values."""

    def reserve(self, slots: int) -> None: ...

    def follow(self, turns: Turns) -> None: ...

    def result(self, slots: I64) -> tuple[pa.Array, Bool]: ...


class Distinct:
    """An accumulator that is given each value of a group once, and has it taken back with the last row that has it."""

    def __init__(self, accumulator: Accumulator) -> None:
        self._accumulator = accumulator

    def reserve(self, slots: int) -> None:
        self._accumulator.reserve(slots)

    def follow(self, turns: Turns) -> None:
        if len(turns.slots):
            self._accumulator.update(turns.slots, turns.values, turns.weights, None)

    def result(self, slots: I64) -> tuple[pa.Array, Bool]:
        return self._accumulator.result(slots)


class DistinctValues:
    """The multiset of one argument (under one FILTER) and the measures that follow it."""

    def __init__(
        self, measures: list[Measure], argument: pa.DataType, outputs: list[pa.DataType], *, growing: bool
    ) -> None:
        kinds = {measure.kind for measure in measures}
        self._argument = argument
        self._values = Multiset(argument, least="min" in kinds, greatest="max" in kinds, growing=growing)
        self.followers = [self._follower(m, output) for m, output in zip(measures, outputs, strict=True)]

    def _follower(self, measure: Measure, output: pa.DataType) -> Follower:
        if measure.kind in ("min", "max"):
            return End(self._values, greatest=measure.kind == "max")
        return Distinct(make_accumulator(measure, self._argument, output, exact=True))

    def reserve(self, slots: int) -> None:
        self._values.reserve(slots)
        for follower in self.followers:
            follower.reserve(slots)

    def update(self, slots: I64, values: pa.Array, weights: I64 | None, valid: Bool | None) -> None:
        self._follow(self._values.update(slots, values, weights, valid))

    def dump(self, slots: I64) -> pa.RecordBatch:
        return self._values.dump(slots)

    def load(self, rows: pa.RecordBatch, slots: int) -> None:
        """Into fresh measures: what ``dump`` gave."""
        self._values.load(rows, slots)
        self.reserve(slots)
        self._follow(self._values.all())

    def follow_changes(self) -> None:
        """From now on note what changes."""
        self._values.follow_changes()

    def changes(self, slots: I64) -> pa.RecordBatch | None:
        """What has changed since the last time; None where that is not known."""
        return self._values.changes(slots)

    def put(self, rows: pa.RecordBatch, slots: I64) -> None:
        """Take what ``changes`` gave, of groups that are at ``slots`` here."""
        self._follow(self._values.put(rows, slots))

    def _follow(self, turns: Turns) -> None:
        for follower in self.followers:
            follower.follow(turns)
