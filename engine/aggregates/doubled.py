"""Numbers as unevaluated sums of two doubles, about 106 bits: what a difference of large sums needs to be right."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

F64: TypeAlias = NDArray[np.float64]
Pair: TypeAlias = tuple[F64, F64]  # the number, rounded, and what that left out

_SPLIT = 134217729.0  # 2**27 + 1


def product(a: F64, b: F64) -> Pair:
    """Of two doubles, exactly, unless the rest is below the smallest double. Halves multiply without rounding."""
    (a, shift_a), (b, shift_b) = np.frexp(a), np.frexp(b)
    shift = shift_a + shift_b
    high = a * b
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    rest = ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2
    whole = np.ldexp(high, shift)
    return whole, np.where(np.isfinite(whole), np.ldexp(rest, shift), 0.0)


def _halves(a: F64) -> Pair:
    large = a * _SPLIT
    upper = large - (large - a)
    return upper, a - upper


def add(a: Pair, b: Pair) -> Pair:
    high, rest = _sum(a[0], b[0])
    low, least = _sum(a[1], b[1])
    high, rest = _sum(high, rest + low)
    return _sum(high, rest + least)


def times(a: Pair, b: Pair) -> Pair:
    high, rest = product(a[0], b[0])
    return _sum(high, rest + (a[0] * b[1] + a[1] * b[0]))


def negative(a: Pair) -> Pair:
    return -a[0], -a[1]


def _sum(a: F64, b: F64) -> Pair:
    """Of two doubles, exactly."""
    high = a + b
    part = high - a
    return high, (a - (high - part)) + (b - part)
