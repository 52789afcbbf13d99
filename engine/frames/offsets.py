"""RANGE with offsets: the values of rows, and what lies an offset from them, as integers in one order.

What lies beyond the integers is taken for the least or the greatest; a double that is infinite or NaN keeps to
Postgres' rules: NaN is above all others and its own peer, and an infinite offset from the same infinity is not NaN.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from constellationdb.engine.batch import micros
from constellationdb.engine.kernels.rows import I64
from constellationdb.errors import DatetimeOverflow
from constellationdb.planner.frame import Offset

_LEAST, _MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max
_DAY_US = 86_400_000_000
_EARLIEST_US, _LATEST_US = -211_813_488_000_000_000, 9_224_318_016_000_000_000 - 946_684_800_000_000
_FINITE_US = 9_000_000_000_000_000_000


def values_and_bounds(values: pa.Array, offset: Offset, *, up: bool, greatest: bool) -> tuple[I64, I64]:
    """The values, and those an offset above or below each. ``greatest``: where that is not a number, it is infinite.

    A NULL is an integer of no meaning.
    """
    if pt.is_integer(values.type):
        assert isinstance(offset, int)
        own = pc.fill_null(values.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
        return own, _moved(own, offset if up else -offset)
    if pt.is_floating(values.type):
        return _doubles(values, float(str(offset)), up=up, greatest=greatest)
    if pt.is_decimal(values.type):
        return _decimals(values, Decimal(str(offset)), up=up)
    assert isinstance(offset, tuple)
    months, days, rest = offset if up else (-offset[0], -offset[1], -offset[2])
    if pt.is_time(values.type):
        own = micros(values.cast(pa.time64("us")))
        return own, _moved(own, rest)
    own = micros(values.cast(pa.timestamp("us"))) if pt.is_date(values.type) else micros(values)
    return own, _later(own, months, days, rest)


def _moved(own: I64, by: int) -> I64:
    """Without running over."""
    by = max(min(by, _MOST), _LEAST)
    found = own + np.int64(by)
    if by >= 0:
        return np.where(found < own, _MOST, found)
    return np.where(found > own, _LEAST, found)


def _later(own: I64, months: int, days: int, rest: int) -> I64:
    """A timestamp and an interval: months first, at most to the end of the month, then days, then the time."""
    day, clock = np.floor_divide(own, _DAY_US), np.mod(own, _DAY_US)
    if months:
        dates = day.astype("M8[D]")
        month = dates.astype("M8[M]")
        into = (dates - month.astype("M8[D]")).astype(np.int64)
        month = month + np.timedelta64(months, "M")
        begins, next_begins = month.astype("M8[D]").astype(np.int64), (month + 1).astype("M8[D]").astype(np.int64)
        day = begins + np.minimum(into, next_begins - begins - 1)
    day = day + days
    about = day.astype(np.float64) * _DAY_US + clock + float(rest)
    if bool((np.abs(about) > _FINITE_US).any()):
        raise DatetimeOverflow("timestamp out of range")
    found: I64 = day * _DAY_US + clock + rest
    return found


def _doubles(values: pa.Array, offset: float, *, up: bool, greatest: bool) -> tuple[I64, I64]:
    own = pc.fill_null(values.cast(pa.float64()), 0.0).to_numpy(zero_copy_only=False)
    with np.errstate(invalid="ignore", over="ignore"):
        found = own + offset if up else own - offset
    lost = np.isnan(found) & ~np.isnan(own)
    found = np.where(lost, np.inf if greatest else -np.inf, found)
    return _ranks(own), _ranks(found)


def _ranks(doubles: NDArray[np.float64]) -> I64:
    whole = doubles + 0.0
    bits = np.where(np.isnan(whole), np.nan, whole).view(np.int64)
    return np.where(bits < 0, bits ^ np.int64(_MOST), bits)


def _decimals(values: pa.Array, offset: Decimal, *, up: bool) -> tuple[I64, I64]:
    scale = max(values.type.scale, -int(offset.as_tuple().exponent))
    own = [0 if value is None else _units(value, scale) for value in values.to_pylist()]
    by = _units(offset, scale) if up else -_units(offset, scale)
    found = [value + by for value in own]
    ranks = {value: rank for rank, value in enumerate(sorted({*own, *found}))}
    return np.array([ranks[v] for v in own], np.int64), np.array([ranks[v] for v in found], np.int64)


def _units(value: Decimal, scale: int) -> int:
    """A number as a multiple of its last digit, however many it has."""
    sign, digits, exponent = value.as_tuple()
    number: int = int("".join(map(str, digits)) or "0") * 10 ** (int(exponent) + scale)
    return -number if sign else number
