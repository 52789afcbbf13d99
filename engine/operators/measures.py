"""The measures of a node by slot: accumulators that can be added up, and the number of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from constellationdb.engine.aggregates.accumulator import Mergeable
from constellationdb.engine.aggregates.choosing import make_accumulator
from constellationdb.engine.aggregates.sums import Count
from constellationdb.engine.kernels.rows import I64
from constellationdb.planner.plan import Measure

Bool: TypeAlias = NDArray[np.bool_]


class Measures:
    """For rows that only come. ``schema``: of the rows; ``outputs``: the measures' types."""

    def __init__(self, measures: Sequence[Measure], schema: pa.Schema, outputs: Sequence[pa.DataType]) -> None:
        self._measures = measures
        self._accumulators: list[Mergeable] = [
            _accumulator(measure, schema, output) for measure, output in zip(measures, outputs, strict=True)
        ]

    def reserve(self, slots: int) -> None:
        for accumulator in self._accumulators:
            accumulator.reserve(slots)

    def update(self, batch: pa.RecordBatch, slots: I64) -> None:
        for measure, accumulator in zip(self._measures, self._accumulators, strict=True):
            values = batch.column(measure.argument) if measure.argument >= 0 else None
            accumulator.update(slots, values, None, _counted(batch, measure))

    def merge(self, slots: I64, source: Measures, others: I64) -> None:
        """Add to each of ``slots`` what ``source`` (it may be this one) has in the other slot in its place."""
        for accumulator, other in zip(self._accumulators, source._accumulators, strict=True):
            accumulator.merge(slots, other, others)

    def shown(
        self, slots: I64, keys: Sequence[pa.Array], schema: pa.Schema, failed: Callable[[str, str], None]
    ) -> pa.RecordBatch:
        """The rows of some slots behind their keys; ``failed`` is told of values that do not fit: these read NULL."""
        columns, misfits = self._read(slots)
        for measure, beyond in zip(self._measures, misfits, strict=True):
            for place in np.flatnonzero(beyond):
                failed(measure.kind, repr([column[int(place)].as_py() for column in keys]))
        return pa.RecordBatch.from_arrays([*keys, *columns], schema=schema)

    def _read(self, slots: I64) -> tuple[list[pa.Array], list[Bool]]:
        """The columns of some slots, and which values do not fit their type: those read NULL."""
        columns, misfits = [], []
        for accumulator in self._accumulators:
            values, beyond = accumulator.result(slots)
            if beyond.any():
                values = pc.if_else(pa.array(beyond), pa.scalar(None, values.type), values)
            columns.append(values)
            misfits.append(beyond)
        return columns, misfits

    def dump(self, slots: I64) -> dict[str, pa.RecordBatch]:
        return {
            f"{number}.{part}": pa.record_batch({"value": pa.array(array)})
            for number, accumulator in enumerate(self._accumulators)
            for part, array in accumulator.dump(slots).items()
        }

    def load(self, state: Mapping[str, pa.RecordBatch], slots: I64) -> None:
        """Put what ``dump`` gave at these slots, in place of what is there."""
        for number, accumulator in enumerate(self._accumulators):
            prefix = f"{number}."
            parts = {k[len(prefix) :]: v.column(0) for k, v in state.items() if k.startswith(prefix)}
            accumulator.load({k: v.to_numpy(zero_copy_only=False) for k, v in parts.items()}, slots)


def _accumulator(measure: Measure, schema: pa.Schema, output: pa.DataType) -> Mergeable:
    argument = schema.field(measure.argument).type if measure.argument >= 0 else None
    made: Mergeable = Count() if measure.kind == "count" else make_accumulator(measure, argument, output, exact=False)  # type: ignore[assignment]
    return made


def _counted(batch: pa.RecordBatch, measure: Measure) -> Bool | None:
    """Which rows a measure counts: its argument is not NULL and its FILTER is true. None: all."""
    counted: Bool | None = None
    if measure.argument >= 0 and batch.column(measure.argument).null_count:
        counted = batch.column(measure.argument).is_valid().to_numpy(zero_copy_only=False)
    if measure.filter >= 0:
        passing = batch.column(measure.filter).fill_null(False).to_numpy(zero_copy_only=False)
        counted = passing if counted is None else counted & passing
    return counted
