"""Counts, sums and averages, exact: 128 or 192 bits, doubles that can be taken back in a long fixed-point number."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from constellationdb.engine.aggregates.accumulator import I64, Bool, State, end_of, filled, floats, integers
from constellationdb.engine.kernels import accumulate
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.floatsum import NARROW_WORDS, WIDE_WORDS, ExactSums


class Count:
    """count(*) and count(x): ``valid`` is False where x is NULL."""

    def __init__(self) -> None:
        self.counts: I64 = np.zeros(64, np.int64)

    def reserve(self, slots: int) -> None:
        self.counts = grow(self.counts, slots)

    def update(self, slots: I64, values: pa.Array | None, weights: I64 | None, valid: Bool | None) -> None:  # noqa: ARG002
        accumulate.add_count(self.counts, slots, weights, valid)

    def merge(self, slots: I64, source: Self, others: I64) -> None:
        accumulate.add_count(self.counts, slots, source.counts[others])

    def result(self, slots: I64) -> tuple[pa.Array, Bool]:
        return pa.array(self.counts[slots]), np.zeros(len(slots), np.bool_)

    def dump(self, slots: I64) -> State:
        return {"counts": self.counts[slots]}

    def load(self, state: State, slots: I64) -> None:
        self.reserve(end_of(slots))
        self.counts[slots] = state["counts"]


class IntegerSum:
    """sum of integers in 128 bits, read as numeric or, for narrower arguments, bigint."""

    def __init__(self, output: pa.DataType) -> None:
        self._output = output
        self._count = Count()
        self._hi: I64 = np.zeros(64, np.int64)
        self._lo: NDArray[np.uint64] = np.zeros(64, np.uint64)

    def reserve(self, slots: int) -> None:
        self._count.reserve(slots)
        self._hi, self._lo = grow(self._hi, slots), grow(self._lo, slots)

    def update(self, slots: I64, values: pa.Array | None, weights: I64 | None, valid: Bool | None) -> None:
        assert values is not None
        self._count.update(slots, None, weights, valid)
        accumulate.add_sum_i128(self._hi, self._lo, slots, integers(values), weights, valid)

    def merge(self, slots: I64, source: Self, others: I64) -> None:
        self._count.merge(slots, source._count, others)
        accumulate.add_wide(self._hi, self._lo, slots, source._hi[others], source._lo[others])

    def result(self, slots: I64) -> tuple[pa.Array, Bool]:
        present = self._count.counts[slots] > 0
        if pt.is_decimal(self._output):
            raw, beyond = accumulate.decimal_sums(self._hi, self._lo, slots)
            return _decimals(raw, present, self._output), beyond & present
        values, beyond = accumulate.integer_sums(self._hi, self._lo, slots)
        return pa.array(values, mask=~present), beyond & present

    def dump(self, slots: I64) -> State:
        return {**self._count.dump(slots), "hi": self._hi[slots], "lo": self._lo[slots]}

    def load(self, state: State, slots: I64) -> None:
        self.reserve(end_of(slots))
        self._count.load(state, slots)
        self._hi[slots], self._lo[slots] = state["hi"], state["lo"]


class IntegerAverage(IntegerSum):
    """avg of integers: the exact sum divided once."""

    def __init__(self) -> None:
        super().__init__(pa.int64())

    def result(self, slots: I64) -> tuple[pa.Array, Bool]:
        counts = self._count.counts[slots]
        present = counts > 0
        values, beyond = accumulate.integer_sums(self._hi, self._lo, slots)
        averages = values / np.where(present, counts, 1)
        for i in np.flatnonzero((beyond | (np.abs(values) > 1 << 53)) & present):
            total = (int(self._hi[slots[i]]) << 64) + int(self._lo[slots[i]])
            averages[i] = total / int(counts[i])
        return pa.array(averages, mask=~present), np.zeros(len(slots), np.bool_)


class DecimalSum:
    """sum of numeric in 192 bits, read with 38 digits."""

    def __init__(self, output: pa.DataType) -> None:
        self._output = output
        self._count = Count()
        self._top: I64 = np.zeros(64, np.int64)
        self._hi: NDArray[np.uint64] = np.zeros(64, np.uint64)
        self._lo: NDArray[np.uint64] = np.zeros(64, np.uint64)

    def reserve(self, slots: int) -> None:
        self._count.reserve(slots)
        self._top, self._hi, self._lo = grow(self._top, slots), grow(self._hi, slots), grow(self._lo, slots)

    def update(self, slots: I64, values: pa.Array | None, weights: I64 | None, valid: Bool | None) -> None:
        assert values is not None
        self._count.update(slots, None, weights, valid)
        raw = accumulate.raw_decimals(filled(values, Decimal(0)))
        accumulate.add_sum_decimal(self._top, self._hi, self._lo, slots, raw, weights, valid)

    def merge(self, slots: I64, source: Self, others: I64) -> None:
        self._count.merge(slots, source._count, others)
        parts = source._top[others], source._hi[others], source._lo[others]
        accumulate.add_widest(self._top, self._hi, self._lo, slots, *parts)

    def result(self, slots: I64) -> tuple[pa.Array, Bool]:
        present = self._count.counts[slots] > 0
        raw, beyond = accumulate.decimal_sums(self._hi, self._lo, slots, self._top)
        return _decimals(raw, present, self._output), beyond & present

    def dump(self, slots: I64) -> State:
        state = {"top": self._top[slots], "hi": self._hi[slots], "lo": self._lo[slots]}
        return {**self._count.dump(slots), **state}

    def load(self, state: State, slots: I64) -> None:
        self.reserve(end_of(slots))
        self._count.load(state, slots)
        self._top[slots], self._hi[slots], self._lo[slots] = state["top"], state["hi"], state["lo"]


class FloatSum:
    """sum and avg of doubles: exact when rows can be taken back, else added as they come."""

    def __init__(self, exact: bool, average: bool) -> None:
        self._average = average
        self._count = Count()
        self._exact = ExactSums() if exact else None
        self._plain: NDArray[np.float64] = np.zeros(64, np.float64)

    def reserve(self, slots: int) -> None:
        self._count.reserve(slots)
        if self._exact is not None:
            self._exact.reserve(slots)
        else:
            self._plain = grow(self._plain, slots)

    def update(self, slots: I64, values: pa.Array | None, weights: I64 | None, valid: Bool | None) -> None:
        assert values is not None
        self._count.update(slots, None, weights, valid)
        if self._exact is not None:
            self._exact.add(slots, floats(values), weights, valid)
        else:
            accumulate.add_sum_f64(self._plain, slots, floats(values), weights, valid)

    def merge(self, slots: I64, source: Self, others: I64) -> None:
        self._count.merge(slots, source._count, others)
        if self._exact is None or source._exact is None:
            accumulate.add_sum_f64(self._plain, slots, source._plain[others])
        else:
            self._exact.merge(slots, source._exact, others)

    def widen(self, slots: int) -> None:
        """Make what ``dump`` gives of each of the first ``slots`` slots as long as of any other."""
        if self._exact is not None:
            self._exact.widen(slots)

    def result(self, slots: I64) -> tuple[pa.Array, Bool]:
        counts = self._count.counts[slots]
        present = counts > 0
        sums = self._plain[slots] if self._exact is None else self._exact.result(slots)[0]
        if self._average:
            sums = sums / np.where(present, counts, 1)
        return pa.array(sums, mask=~present), np.zeros(len(slots), np.bool_)

    def dump(self, slots: I64) -> State:
        state = self._count.dump(slots)
        if self._exact is None:
            return {**state, "plain": self._plain[slots]}
        narrow, wide = self._exact.dump(slots)
        return {**state, "narrow": narrow.ravel(), "wide": wide.ravel()}

    def load(self, state: State, slots: I64) -> None:
        self.reserve(end_of(slots))
        self._count.load(state, slots)
        if self._exact is None:
            self._plain[slots] = state["plain"]
        else:
            narrow, wide = np.array(state["narrow"]), np.array(state["wide"])
            self._exact.load(slots, narrow.reshape(-1, NARROW_WORDS), wide.reshape(-1, WIDE_WORDS))


def _decimals(raw: I64, present: Bool, kind: pa.DataType) -> pa.Array:
    """Decimal128 from (low, high) words; NULL where not present."""
    validity = pa.array(present).buffers()[1]
    return pa.Array.from_buffers(kind, len(present), [validity, pa.py_buffer(raw)])
