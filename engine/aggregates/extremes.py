"""min and max: of rows that are only ever added a value, else the end of a multiset."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from constellationdb.engine.aggregates.accumulator import I64, Bool, State, end_of, floats, integers, none
from constellationdb.engine.aggregates.multiset import Multiset, Turns
from constellationdb.engine.kernels import accumulate
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.errors import InternalError


class Extreme:
    """min and max over rows that are only ever added."""

    def __init__(self, output: pa.DataType, greatest: bool) -> None:
        self._output = output
        self._float = pt.is_floating(output)
        self._fold = accumulate.fold_max if greatest else accumulate.fold_min
        self._values: NDArray[Any] = np.zeros(64, np.float64 if self._float else np.int64)
        self._has: Bool = np.zeros(64, np.bool_)

    def reserve(self, slots: int) -> None:
        self._values, self._has = grow(self._values, slots), grow(self._has, slots, False)

    def update(self, slots: I64, values: pa.Array | None, weights: I64 | None, valid: Bool | None) -> None:
        assert values is not None
        if weights is not None and bool((weights < 0).any()):
            raise InternalError("a row was taken back from a min or max that only grows")
        if values.type == pa.date32():
            values = values.cast(pa.int32())
        given = floats(values) if self._float else integers(values)
        self._fold(self._values, self._has, slots, given, valid)

    def merge(self, slots: I64, source: Self, others: I64) -> None:
        self._fold(self._values, self._has, slots, source._values[others], source._has[others])

    def result(self, slots: I64) -> tuple[pa.Array, Bool]:
        found = pa.array(self._values[slots], mask=~self._has[slots])
        if self._output == pa.date32():
            found = found.cast(pa.int32())
        return found.cast(self._output), np.zeros(len(slots), np.bool_)

    def dump(self, slots: I64) -> State:
        return {"values": self._values[slots], "has": self._has[slots]}

    def load(self, state: State, slots: I64) -> None:
        self.reserve(end_of(slots))
        self._values[slots], self._has[slots] = state["values"], state["has"]


class End:
    """min or max over rows that come and go; the multiset, which others may share, is all its state."""

    def __init__(self, values: Multiset, greatest: bool) -> None:
        self._values, self._greatest = values, greatest

    def reserve(self, slots: int) -> None:
        """Nothing of its own to reserve."""

    def follow(self, turns: Turns) -> None:
        """Nothing to do: the multiset knows its ends."""

    def result(self, slots: I64) -> tuple[pa.Array, Bool]:
        return self._values.first(slots, greatest=self._greatest), none(slots)
