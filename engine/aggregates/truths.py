"""bool_and and bool_or: how many of a group's values are there, and how many are true."""

from __future__ import annotations

from typing import Self

import pyarrow as pa

from constellationdb.engine.aggregates.accumulator import I64, Bool, State, none
from constellationdb.engine.aggregates.sums import Count


class Truth:
    """``every``: all values must be true, else one is enough."""

    def __init__(self, every: bool) -> None:
        self._every = every
        self._values, self._true = Count(), Count()

    def reserve(self, slots: int) -> None:
        self._values.reserve(slots)
        self._true.reserve(slots)

    def update(self, slots: I64, values: pa.Array | None, weights: I64 | None, valid: Bool | None) -> None:
        assert values is not None
        self._values.update(slots, None, weights, valid)
        true = values.fill_null(False).to_numpy(zero_copy_only=False)
        self._true.update(slots, None, weights, true if valid is None else true & valid)

    def merge(self, slots: I64, source: Self, others: I64) -> None:
        self._values.merge(slots, source._values, others)
        self._true.merge(slots, source._true, others)

    def result(self, slots: I64) -> tuple[pa.Array, Bool]:
        there, true = self._values.counts[slots], self._true.counts[slots]
        return pa.array(true == there if self._every else true > 0, mask=there == 0), none(slots)

    def dump(self, slots: I64) -> State:
        return {"values": self._values.counts[slots], "true": self._true.counts[slots]}

    def load(self, state: State, slots: I64) -> None:
        self._values.load({"counts": state["values"]}, slots)
        self._true.load({"counts": state["true"]}, slots)
