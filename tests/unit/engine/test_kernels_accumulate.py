"""Accumulators against Python's own integers and decimals."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constellationdb.engine.kernels import accumulate as acc
from constellationdb.engine.kernels.rows import I64, Bool

_SLOTS = 5
_INT64 = st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63)]) | st.integers(-(2**63), 2**63 - 1)
_WEIGHT = st.sampled_from([1, -1, 2, -3, 2**63 - 1, -(2**63)]) | st.integers(-5, 5)
_ROW = st.tuples(st.integers(-1, _SLOTS - 1), _INT64, _WEIGHT, st.booleans())
_DIGITS_38 = st.sampled_from([0, 1, -1, 10**38 - 1, 1 - 10**38, 2**64, -(2**64), 2**63]) | st.integers(
    -(10**38) + 1, 10**38 - 1
)


def _columns(rows: list[tuple[int, int, int, bool]]) -> tuple[I64, I64, I64, Bool]:
    slots, values, weights, valid = zip(*rows, strict=True) if rows else ((), (), (), ())
    as_int = [np.array(column, np.int64) for column in (slots, values, weights)]
    return as_int[0], as_int[1], as_int[2], np.array(valid, np.bool_)


def _sums(rows: list[tuple[int, int, int, bool]], weighted: bool, masked: bool) -> list[int]:
    sums = [0] * _SLOTS
    for slot, value, weight, valid in rows:
        if slot >= 0 and (valid or not masked):
            sums[slot] += value * (weight if weighted else 1)
    return sums


@settings(deadline=None, max_examples=300)
@given(st.lists(_ROW, max_size=30), st.booleans(), st.booleans())
def test_integer_sums_are_exact(rows: list[tuple[int, int, int, bool]], weighted: bool, masked: bool) -> None:
    slots, values, weights, valid = _columns(rows)
    hi, lo = np.zeros(_SLOTS, np.int64), np.zeros(_SLOTS, np.uint64)
    acc.add_sum_i128(hi, lo, slots, values, weights if weighted else None, valid if masked else None)
    expected = [(total + 2**127) % 2**128 - 2**127 for total in _sums(rows, weighted, masked)]
    assert [(int(h) << 64) + int(low) for h, low in zip(hi, lo, strict=True)] == expected
    narrow, beyond = acc.integer_sums(hi, lo, np.arange(_SLOTS))
    assert beyond.tolist() == [not -(2**63) <= total < 2**63 for total in expected]
    assert all(beyond[i] or narrow[i] == total for i, total in enumerate(expected))
    raw, beyond = acc.decimal_sums(hi, lo, np.arange(_SLOTS))
    _assert_decimals(raw, beyond, expected)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(-1, _SLOTS - 1), _DIGITS_38, _WEIGHT, st.booleans()), max_size=20), st.booleans())
def test_decimal_sums_are_exact(rows: list[tuple[int, int, int, bool]], weighted: bool) -> None:
    values = pa.array([None, *(Decimal(value) for _, value, _, _ in rows)], pa.decimal128(38, 0)).slice(1)
    slots, weights = (np.array([row[i] for row in rows], np.int64) for i in (0, 2))
    valid = np.array([row[3] for row in rows], np.bool_)
    top, hi, lo = np.zeros(_SLOTS, np.int64), np.zeros(_SLOTS, np.uint64), np.zeros(_SLOTS, np.uint64)
    acc.add_sum_decimal(top, hi, lo, slots, acc.raw_decimals(values), weights if weighted else None, valid)
    expected = [(total + 2**191) % 2**192 - 2**191 for total in _sums(rows, weighted, True)]
    assert [(int(t) << 128) + (int(h) << 64) + int(low) for t, h, low in zip(top, hi, lo, strict=True)] == expected
    _assert_decimals(*acc.decimal_sums(hi, lo, np.arange(_SLOTS), top), expected)


def _assert_decimals(raw: I64, beyond: Bool, expected: list[int]) -> None:
    assert beyond.tolist() == [abs(total) >= 10**38 for total in expected]
    array = pa.Array.from_buffers(pa.decimal128(38, 0), _SLOTS, [None, pa.py_buffer(raw)])
    assert all(beyond[i] or array[i].as_py() == total for i, total in enumerate(expected))


@settings(deadline=None, max_examples=100)
@given(st.lists(_ROW, max_size=30), st.booleans(), st.booleans())
def test_counts(rows: list[tuple[int, int, int, bool]], weighted: bool, masked: bool) -> None:
    slots, _, weights, valid = _columns(rows)
    counts = np.zeros(_SLOTS, np.int64)
    acc.add_count(counts, slots, weights if weighted else None, valid if masked else None)
    ones = [(slot, 1, weight, ok) for slot, _, weight, ok in rows]
    assert [int(count) % 2**64 for count in counts] == [total % 2**64 for total in _sums(ones, weighted, masked)]


def test_plain_float_sums_add_in_order() -> None:
    sums, slots = np.zeros(2), np.array([0, 1, 0, -1, 0])
    acc.add_sum_f64(
        sums, slots, np.array([1e16, 2.0, 1.0, 9.0, -1e16]), None, np.array([True, True, True, True, False])
    )
    acc.add_sum_f64(sums, np.array([1]), np.array([0.5]), np.array([3]))
    assert sums.tolist() == [1e16 + 1.0, 3.5]


_SPECIALS = [0.0, -0.0, math.nan, math.inf, -math.inf, 1.5, -1.5]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(st.integers(-1, _SLOTS - 1), st.sampled_from(_SPECIALS), st.booleans()), max_size=30))
def test_extremes_of_floats_put_nan_above_all(rows: list[tuple[int, float, bool]]) -> None:
    slots = np.array([slot for slot, _, _ in rows], np.int64)
    values = np.array([value for _, value, _ in rows], np.float64)
    valid = np.array([ok for _, _, ok in rows], np.bool_)
    for fold, choose in ((acc.fold_min, min), (acc.fold_max, max)):
        best, has = np.zeros(_SLOTS), np.zeros(_SLOTS, np.bool_)
        half = len(rows) // 2
        for part in (slice(0, half), slice(half, None)):
            fold(best, has, slots[part], values[part], valid[part])
        for slot in range(_SLOTS):
            mine = [
                (value != value, value + 0.0 if value == value else 0.0) for s, value, ok in rows if s == slot and ok
            ]
            assert has[slot] == bool(mine)
            if mine:
                is_nan, value = choose(mine)
                assert (math.isnan(best[slot]), 0.0 if is_nan else best[slot]) == (is_nan, value)


@settings(deadline=None, max_examples=100)
@given(st.lists(_ROW, max_size=30), st.booleans())
def test_extremes_of_integers(rows: list[tuple[int, int, int, bool]], masked: bool) -> None:
    slots, values, _, valid = _columns(rows)
    for fold, choose in ((acc.fold_min, min), (acc.fold_max, max)):
        best, has = np.zeros(_SLOTS, np.int64), np.zeros(_SLOTS, np.bool_)
        fold(best, has, slots, values, valid if masked else None)
        for slot in range(_SLOTS):
            mine = [value for s, value, _, ok in rows if s == slot and (ok or not masked)]
            assert has[slot] == bool(mine)
            assert not mine or best[slot] == choose(mine)


@pytest.mark.parametrize(("capacity", "length"), [(0, 3), (3, 3), (4, 6), (100, 100)])
def test_growing_keeps_what_is_there(capacity: int, length: int) -> None:
    grown = acc.grow(np.array([1, 2, 3]), capacity, -7)
    assert grown.tolist() == [1, 2, 3] + [-7] * (length - 3)
