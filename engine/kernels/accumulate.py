"""Accumulators by slot: counts, exact sums, extremes.

The caller owns the arrays, one item a slot, and keeps them long enough with
``grow``. Everywhere:

- ``slots`` says which item a row belongs to; a slot of -1 belongs to none.
- ``weights`` is how many times each row is added (negative: taken back), or
  None when every row is added once.
- ``valid`` is False where the row's value is NULL, which changes nothing; None
  when no value is.

Sums of integers and decimals are exact for any input and any order: 128 bits
hold 2**63 rows of int64, 192 bits as many of decimal128. What a result type
cannot hold is found when the result is read.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine.kernels.rows import I64, U64, Bool
from constellationdb.engine.kernels.wide import carry, mul_signed
from constellationdb.jit import inlined, kernel
from constellationdb.storage.kernels.memory import prefetch
from constellationdb.storage.scratch.arrays import enlarged

F64 = NDArray[np.float64]
_T = TypeVar("_T", bound=np.generic)

_AHEAD = 16
_NO_WEIGHTS: I64 = np.zeros(0, np.int64)
_ALL_VALID: Bool = np.zeros(0, np.bool_)
_MOST_DIGITS = 10**38 - 1


def grow(array: NDArray[_T], capacity: int, fill: Any = 0) -> NDArray[_T]:
    """The array itself if it has ``capacity`` items, else a larger one that begins with it; new items are ``fill``."""
    if capacity <= len(array):
        return array
    return enlarged(array, len(array), capacity, fill)


def in_rows(array: NDArray[_T], width: int) -> NDArray[_T]:
    """A growing array as rows of ``width`` items; what may be left behind the last one is nothing."""
    return array[: len(array) // width * width].reshape(-1, width)


def add_count(acc: I64, slots: I64, weights: I64 | None = None, valid: Bool | None = None) -> None:
    """Count rows."""
    _add_count(acc, slots, _weights(weights), _valid(valid))


def add_sum_i128(
    hi: I64, lo: U64, slots: I64, values: I64, weights: I64 | None = None, valid: Bool | None = None
) -> None:
    """Sum int64 values into 128 bits."""
    _add_integers(hi, lo, slots, values, _weights(weights), _valid(valid))


def add_sum_decimal(
    top: I64, hi: U64, lo: U64, slots: I64, raw: I64, weights: I64 | None = None, valid: Bool | None = None
) -> None:
    """Sum decimal128 values, given as ``raw_decimals``, into 192 bits."""
    _add_decimals(top, hi, lo, slots, raw, _weights(weights), _valid(valid))


def add_sum_f64(acc: F64, slots: I64, values: F64, weights: I64 | None = None, valid: Bool | None = None) -> None:
    """Sum doubles as they come: rounding depends on their order, so only for what is never taken back."""
    _add_floats(acc, slots, values, _weights(weights), _valid(valid))


def fold_min(acc: NDArray[Any], has: Bool, slots: I64, values: NDArray[Any], valid: Bool | None = None) -> None:
    """The least value by slot, int64 or float64 (NaN above all); ``has`` is True once there is one."""
    _fold(acc, has, slots, values, valid, False)


def fold_max(acc: NDArray[Any], has: Bool, slots: I64, values: NDArray[Any], valid: Bool | None = None) -> None:
    """The greatest value by slot, as ``fold_min``."""
    _fold(acc, has, slots, values, valid, True)


def raw_decimals(array: pa.Array) -> I64:
    """A decimal128 array's numbers as (low, high) pairs of words, without a copy."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(2 * len(array), np.int64)
    return np.frombuffer(buffer, np.int64, 2 * len(array), 16 * array.offset)


def integer_sums(hi: I64, lo: U64, slots: I64) -> tuple[I64, Bool]:
    """The sums as int64, and which of them do not fit."""
    values = lo[slots].view(np.int64)
    return values, hi[slots] != values >> 63


def decimal_sums(hi: NDArray[Any], lo: U64, slots: I64, top: I64 | None = None) -> tuple[I64, Bool]:
    """The sums as raw decimal128 pairs, and which of them have more than 38 digits."""
    high, low = hi[slots].view(np.int64), lo[slots]
    raw = np.empty(2 * len(slots), np.int64)
    raw[0::2], raw[1::2] = low.view(np.int64), high
    most_high, most_low = np.int64(_MOST_DIGITS >> 64), np.uint64(_MOST_DIGITS & (2**64 - 1))
    least_high, least_low = ~most_high, ~most_low + np.uint64(1)
    beyond = (high > most_high) | ((high == most_high) & (low > most_low))
    beyond |= (high < least_high) | ((high == least_high) & (low < least_low))
    if top is not None:
        beyond |= top[slots] != high >> 63
    return raw, beyond


def _weights(weights: I64 | None) -> I64:
    return _NO_WEIGHTS if weights is None else weights


def _valid(valid: Bool | None) -> Bool:
    return _ALL_VALID if valid is None else valid


def _fold(acc: NDArray[Any], has: Bool, slots: I64, values: NDArray[Any], valid: Bool | None, greatest: bool) -> None:
    fold = _fold_integers if acc.dtype == np.int64 else _fold_floats
    fold(acc, has, slots, values, _valid(valid), greatest)


@inlined
def _counts(i: int, slots: I64, valid: Bool) -> bool:
    return bool(slots[i] >= 0 and (len(valid) == 0 or valid[i]))


@kernel("void(i64[], const i64[], const i64[], const bool[])")
def _add_count(acc: I64, slots: I64, weights: I64, valid: Bool) -> None:
    for i in range(len(slots)):
        if i + _AHEAD < len(slots):
            prefetch(acc, slots[i + _AHEAD])
        if _counts(i, slots, valid):
            acc[slots[i]] += weights[i] if len(weights) else 1


@kernel("void(i64[], u64[], const i64[], const i64[], const i64[], const bool[])")
def _add_integers(hi: I64, lo: U64, slots: I64, values: I64, weights: I64, valid: Bool) -> None:
    for i in range(len(slots)):
        if i + _AHEAD < len(slots):
            prefetch(hi, slots[i + _AHEAD])
            prefetch(lo, slots[i + _AHEAD])
        if not _counts(i, slots, valid):
            continue
        slot, high, low = slots[i], values[i] >> 63, np.uint64(values[i])
        if len(weights):
            high, low = mul_signed(values[i], weights[i])
        total = lo[slot] + low
        hi[slot] += high + carry(total, low)
        lo[slot] = total


@kernel("void(i64[], u64[], u64[], const i64[], const i64[], const i64[], const bool[])")
def _add_decimals(top: I64, hi: U64, lo: U64, slots: I64, raw: I64, weights: I64, valid: Bool) -> None:
    for i in range(len(slots)):
        if not _counts(i, slots, valid):
            continue
        slot, weight = slots[i], weights[i] if len(weights) else np.int64(1)
        # (upper * 2**64 + lower) * weight, the lower word taken as signed and corrected by one upper.
        upper, lower = mul_signed(raw[2 * i + 1], weight)
        middle, low = mul_signed(raw[2 * i], weight)
        if raw[2 * i] < 0:
            lifted = lower + np.uint64(weight)
            upper += carry(lifted, lower) + (np.int64(-1) if weight < 0 else np.int64(0))
            lower = lifted
        high = lower + np.uint64(middle)
        upper += carry(high, lower) + (middle >> 63)
        total_low = lo[slot] + low
        carried = np.uint64(carry(total_low, low))
        total_high = hi[slot] + high
        upper += carry(total_high, high)
        hi[slot] = total_high + carried
        upper += carry(hi[slot], carried)
        lo[slot] = total_low
        top[slot] += upper


@kernel("void(i64[], u64[], const i64[], const i64[], const u64[])")
def add_wide(hi: I64, lo: U64, slots: I64, more_hi: I64, more_lo: U64) -> None:
    """Add sums of 128 bits to others."""
    for i in range(len(slots)):
        slot = slots[i]
        total = lo[slot] + more_lo[i]
        hi[slot] += more_hi[i] + carry(total, more_lo[i])
        lo[slot] = total


@kernel("void(i64[], u64[], u64[], const i64[], const i64[], const u64[], const u64[])")
def add_widest(top: I64, hi: U64, lo: U64, slots: I64, more_top: I64, more_hi: U64, more_lo: U64) -> None:
    """Add sums of 192 bits to others."""
    for i in range(len(slots)):
        slot = slots[i]
        low = lo[slot] + more_lo[i]
        carried = np.uint64(carry(low, more_lo[i]))
        middle = hi[slot] + more_hi[i]
        high = middle + carried
        top[slot] += more_top[i] + carry(middle, more_hi[i]) + carry(high, carried)
        hi[slot] = high
        lo[slot] = low


@kernel("void(f64[], const i64[], const f64[], const i64[], const bool[])")
def _add_floats(acc: F64, slots: I64, values: F64, weights: I64, valid: Bool) -> None:
    for i in range(len(slots)):
        if i + _AHEAD < len(slots):
            prefetch(acc, slots[i + _AHEAD])
        if _counts(i, slots, valid):
            acc[slots[i]] += values[i] * weights[i] if len(weights) else values[i]


@kernel("void(i64[], bool[], const i64[], const i64[], const bool[], bool)")
def _fold_integers(acc: I64, has: Bool, slots: I64, values: I64, valid: Bool, greatest: bool) -> None:
    for i in range(len(slots)):
        if i + _AHEAD < len(slots):
            prefetch(acc, slots[i + _AHEAD])
        if not _counts(i, slots, valid):
            continue
        # Written whether it is better or not: a branch that depends on the values is what costs most here.
        slot, value = slots[i], values[i]
        best = acc[slot] if has[slot] else value
        acc[slot] = max(best, value) if greatest else min(best, value)
        has[slot] = True


@kernel("void(f64[], bool[], const i64[], const f64[], const bool[], bool)")
def _fold_floats(acc: F64, has: Bool, slots: I64, values: F64, valid: Bool, greatest: bool) -> None:
    for i in range(len(slots)):
        if i + _AHEAD < len(slots):
            prefetch(acc, slots[i + _AHEAD])
        if not _counts(i, slots, valid):
            continue
        slot, value = slots[i], values[i]
        if greatest:  # a comparison with NaN is false, so NaN wins and stays
            better = not value <= acc[slot] and acc[slot] == acc[slot]
        else:
            better = value < acc[slot] or acc[slot] != acc[slot]
        if better or not has[slot]:
            acc[slot] = value
            has[slot] = True
