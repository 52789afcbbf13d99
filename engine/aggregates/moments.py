"""Variance, covariance and regression from exact sums of values and of their products.

Sxx = Σx² - (Σx)²/n loses everything where the mean is large beside the spread.
So sums are exact, read to some 106 bits, and where even these cancel the
difference is computed with whole numbers. A group of equal values has exactly
no variance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np
import pyarrow as pa

from constellationdb.engine.aggregates import doubled
from constellationdb.engine.aggregates.accumulator import I64, Bool, State, floats, none
from constellationdb.engine.aggregates.doubled import F64, Pair
from constellationdb.engine.aggregates.sums import Count
from constellationdb.engine.kernels.floatsum import NARROW_WORDS, WIDE_WORDS, ExactSums

_CANCELLED = 2.0**-44  # of 106 bits, less than 62 are left
_UNITS = 1 << 1074  # an exact sum counts smallest doubles


class Spread:
    """S_xy of each group: n, and the sums of x, y and x·y over the rows that have both; x may be y."""

    def __init__(self, *, same: bool) -> None:
        self.count = Count()
        self._same = same
        self._sums = {name: ExactSums() for name in (("x", "xy") if same else ("x", "y", "xy"))}

    def reserve(self, slots: int) -> None:
        self.count.reserve(slots)
        for sums in self._sums.values():
            sums.reserve(slots)

    def add(self, slots: I64, x: F64, y: F64, weights: I64 | None, valid: Bool | None) -> None:
        self.count.update(slots, None, weights, valid)
        self._sums["x"].add(slots, x, weights, valid)
        if not self._same:
            self._sums["y"].add(slots, y, weights, valid)
        with np.errstate(all="ignore"):
            whole, rest = doubled.product(x, y)
        self._sums["xy"].add(slots, whole, weights, valid)
        self._sums["xy"].add(slots, rest, weights, valid)

    def merge(self, slots: I64, source: Spread, others: I64) -> None:
        self.count.merge(slots, source.count, others)
        for name, sums in self._sums.items():
            sums.merge(slots, source._sums[name], others)

    def widen(self, slots: int) -> None:
        """Make what ``dump`` gives of each of the first ``slots`` slots as long as of any other."""
        for sums in self._sums.values():
            sums.widen(slots)

    def central(self, slots: I64) -> F64:
        """Σ(x - mean x)(y - mean y)."""
        counts = np.maximum(self.count.counts[slots], 1).astype(np.float64)
        x, xy = self._pair("x", slots), self._pair("xy", slots)
        y = x if self._same else self._pair("y", slots)
        with np.errstate(all="ignore"):
            large = doubled.times((counts, np.zeros(len(slots))), xy)
            difference, _ = doubled.add(large, doubled.negative(doubled.times(x, y)))
            found = difference / counts
            size = np.abs(large[0]) + np.abs(x[0] * y[0])
            doubtful = np.isfinite(found) & (np.abs(difference) <= _CANCELLED * size) & (counts > 1)
        found[np.isfinite(found) & (counts == 1)] = 0.0
        for place in np.flatnonzero(doubtful):
            found[place] = self._exactly(int(slots[place]))
        found[~np.isfinite(found)] = np.inf  # a square that no double holds
        return np.where(np.isfinite(x[0]) & np.isfinite(y[0]), found, np.nan)

    def _exactly(self, slot: int) -> float:
        n = max(int(self.count.counts[slot]), 1)
        sums = {name: sums.exact(slot) for name, sums in self._sums.items()}
        n_times = n * sums["xy"] * _UNITS - sums["x"] * sums["x" if self._same else "y"]
        if self._same and n_times < 0:  # squares below the smallest double were rounded
            return 0.0
        return n_times / (n * _UNITS * _UNITS)  # of whole numbers, however long: rounded once

    def sum_of(self, name: str, slots: I64) -> F64:
        return self._sums[name].result(slots)[0]

    def _pair(self, name: str, slots: I64) -> Pair:
        high = self._sums[name].result(slots)[0]
        rest = self._sums[name].compact(slots)
        finite = np.isfinite(high)
        rest.add(np.arange(len(slots)), np.where(finite, -high, 0.0))
        return high, np.where(finite, rest.result(np.arange(len(slots)))[0], 0.0)

    def dump(self, slots: I64, name: str) -> State:
        state = {f"{name}.counts": self.count.counts[slots]}
        for part, sums in self._sums.items():
            narrow, wide = sums.dump(slots)
            state |= {f"{name}.{part}.narrow": narrow.ravel(), f"{name}.{part}.wide": wide.ravel()}
        return state

    def load(self, state: State, name: str, slots: I64) -> None:
        self.count.load({"counts": state[f"{name}.counts"]}, slots)
        for part in self._sums:
            narrow, wide = np.array(state[f"{name}.{part}.narrow"]), np.array(state[f"{name}.{part}.wide"])
            self._sums[part].load(slots, narrow.reshape(-1, NARROW_WORDS), wide.reshape(-1, WIDE_WORDS))


class Variance:
    """var and stddev: ``divisor`` is 0 for the population's, 1 for a sample's."""

    def __init__(self, divisor: int, root: bool) -> None:
        self._less, self._root = divisor, root
        self._spread = Spread(same=True)

    def reserve(self, slots: int) -> None:
        self._spread.reserve(slots)

    def update(self, slots: I64, values: pa.Array | None, weights: I64 | None, valid: Bool | None) -> None:
        assert values is not None
        x = floats(values)
        self._spread.add(slots, x, x, weights, valid)

    def merge(self, slots: I64, source: Self, others: I64) -> None:
        self._spread.merge(slots, source._spread, others)

    def widen(self, slots: int) -> None:
        self._spread.widen(slots)

    def result(self, slots: I64) -> tuple[pa.Array, Bool]:
        counts = self._spread.count.counts[slots]
        present = counts > self._less
        with np.errstate(all="ignore"):
            found = self._spread.central(slots) / np.where(present, counts - self._less, 1)
        beyond = np.isinf(found) & present
        return pa.array(np.sqrt(found) if self._root else found, mask=~present), beyond

    def dump(self, slots: I64) -> State:
        return self._spread.dump(slots, "xx")

    def load(self, state: State, slots: I64) -> None:
        self._spread.load(state, "xx", slots)


class Regression:
    """The aggregates of pairs (y, x): covar, corr, regr. Rows count that have both."""

    def __init__(self, kind: str, output: pa.DataType) -> None:
        self._output, self._bounded = output, not kind.startswith("regr_avg")
        self._parts, self._compute = _REGRESSIONS[kind]
        self._spreads = {name: Spread(same=name[0] == name[1]) for name in self._parts}

    def reserve(self, slots: int) -> None:
        for spread in self._spreads.values():
            spread.reserve(slots)

    def update(self, slots: I64, values: pa.Array | None, weights: I64 | None, valid: Bool | None) -> None:
        """``values``: structs of y and x."""
        assert values is not None
        numbers = {"y": floats(values.field(0)), "x": floats(values.field(1))}
        for name, spread in self._spreads.items():
            spread.add(slots, numbers[name[0]], numbers[name[1]], weights, valid)

    def merge(self, slots: I64, source: Self, others: I64) -> None:
        for name, spread in self._spreads.items():
            spread.merge(slots, source._spreads[name], others)

    def widen(self, slots: int) -> None:
        for spread in self._spreads.values():
            spread.widen(slots)

    def result(self, slots: I64) -> tuple[pa.Array, Bool]:
        counts = next(iter(self._spreads.values())).count.counts[slots]
        with np.errstate(all="ignore"):
            found, present = self._compute(self._spreads, slots, counts)
        array = pa.array(found, mask=~present)
        beyond = np.isinf(found) & present if self._bounded else none(slots)
        return array.cast(self._output), beyond

    def dump(self, slots: I64) -> State:
        return {k: v for name, spread in self._spreads.items() for k, v in spread.dump(slots, name).items()}

    def load(self, state: State, slots: I64) -> None:
        for name, spread in self._spreads.items():
            spread.load(state, name, slots)


Spreads = dict[str, Spread]
Computed = tuple[F64, Bool]


def _count(_spreads: Spreads, _slots: I64, counts: I64) -> Computed:
    return counts.astype(np.float64), np.ones(len(counts), np.bool_)


def _average(name: str, of: str) -> Callable[[Spreads, I64, I64], Computed]:
    def compute(spreads: Spreads, slots: I64, counts: I64) -> Computed:
        return spreads[name].sum_of(of, slots) / np.maximum(counts, 1), counts > 0

    return compute


def _central(name: str) -> Callable[[Spreads, I64, I64], Computed]:
    def compute(spreads: Spreads, slots: I64, counts: I64) -> Computed:
        return spreads[name].central(slots), counts > 0

    return compute


def _covariance(less: int) -> Callable[[Spreads, I64, I64], Computed]:
    def compute(spreads: Spreads, slots: I64, counts: I64) -> Computed:
        return spreads["xy"].central(slots) / np.maximum(counts - less, 1), counts > less

    return compute


def _corr(spreads: Spreads, slots: I64, counts: I64) -> Computed:
    xx, yy, xy = (spreads[name].central(slots) for name in ("xx", "yy", "xy"))
    return xy / np.sqrt(xx * yy), (counts > 0) & (xx != 0) & (yy != 0)


def _r2(spreads: Spreads, slots: I64, counts: I64) -> Computed:
    xx, yy, xy = (spreads[name].central(slots) for name in ("xx", "yy", "xy"))
    return np.where(yy == 0, 1.0, (xy / xx) * (xy / yy)), (counts > 0) & (xx != 0)


def _slope(spreads: Spreads, slots: I64, counts: I64) -> Computed:
    xx, xy = (spreads[name].central(slots) for name in ("xx", "xy"))
    return xy / xx, (counts > 0) & (xx != 0)


def _intercept(spreads: Spreads, slots: I64, counts: I64) -> Computed:
    xx, xy = (spreads[name].central(slots) for name in ("xx", "xy"))
    sum_x, sum_y = spreads["xy"].sum_of("x", slots), spreads["xy"].sum_of("y", slots)
    return (sum_y - sum_x * xy / xx) / np.maximum(counts, 1), (counts > 0) & (xx != 0)


_REGRESSIONS: dict[str, tuple[tuple[str, ...], Callable[[Spreads, I64, I64], Computed]]] = {
    "covar_pop": (("xy",), _covariance(0)),
    "covar_samp": (("xy",), _covariance(1)),
    "corr": (("xx", "yy", "xy"), _corr),
    "regr_count": (("xy",), _count),
    "regr_avgx": (("xx",), _average("xx", "x")),
    "regr_avgy": (("yy",), _average("yy", "x")),
    "regr_sxx": (("xx",), _central("xx")),
    "regr_syy": (("yy",), _central("yy")),
    "regr_sxy": (("xy",), _central("xy")),
    "regr_r2": (("xx", "yy", "xy"), _r2),
    "regr_slope": (("xx", "xy"), _slope),
    "regr_intercept": (("xx", "xy"), _intercept),
}
