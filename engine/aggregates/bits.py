"""bit_and, bit_or and bit_xor of integers, from the number of values that have each bit."""

from __future__ import annotations

from typing import Literal, Self, TypeAlias

import numpy as np
import pyarrow as pa

from constellationdb.engine.aggregates.accumulator import I64, Bool, State, end_of, integers, none
from constellationdb.engine.aggregates.sums import Count
from constellationdb.engine.kernels.accumulate import grow, in_rows
from constellationdb.engine.kernels.bits import add_bits

Operation: TypeAlias = Literal["bit_and", "bit_or", "bit_xor"]

_NO_WEIGHTS: I64 = np.zeros(0, np.int64)
_ALL_VALID: Bool = np.zeros(0, np.bool_)


class Bits:
    """As many counts a slot as the type has bits."""

    def __init__(self, output: pa.DataType, operation: Operation) -> None:
        self._output, self._operation, self._width = output, operation, output.bit_width
        self._values = Count()
        self._bits: I64 = np.zeros(64 * self._width, np.int64)

    def reserve(self, slots: int) -> None:
        self._values.reserve(slots)
        self._bits = grow(self._bits, slots * self._width)

    def update(self, slots: I64, values: pa.Array | None, weights: I64 | None, valid: Bool | None) -> None:
        assert values is not None
        self._values.update(slots, None, weights, valid)
        weights, valid = _NO_WEIGHTS if weights is None else weights, _ALL_VALID if valid is None else valid
        add_bits(self._bits, self._width, slots, integers(values), weights, valid)

    def merge(self, slots: I64, source: Self, others: I64) -> None:
        self._values.merge(slots, source._values, others)
        counts = in_rows(self._bits, self._width)
        np.add.at(counts, slots, in_rows(source._bits, self._width)[others])

    def result(self, slots: I64) -> tuple[pa.Array, Bool]:
        there, counts = self._values.counts[slots], in_rows(self._bits, self._width)[slots]
        match self._operation:
            case "bit_and":
                bits = counts == there[:, None]
            case "bit_or":
                bits = counts > 0
            case "bit_xor":
                bits = counts & 1 == 1
        packed = np.packbits(bits, axis=1, bitorder="little").view(f"<i{self._width // 8}").ravel()
        return pa.array(packed, self._output, mask=there == 0), none(slots)

    def dump(self, slots: I64) -> State:
        bits = in_rows(self._bits, self._width)[slots].ravel()
        return {**self._values.dump(slots), "bits": bits}

    def load(self, state: State, slots: I64) -> None:
        self.reserve(end_of(slots))
        self._values.load(state, slots)
        in_rows(self._bits, self._width)[slots] = np.array(state["bits"]).reshape(-1, self._width)
