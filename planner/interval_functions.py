"""Functions over intervals, with Postgres' rules for months, days and time; rounding halves to even; one-row checks."""

from __future__ import annotations

import calendar
import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from constellationdb.planner.raising import ComputationError

_PARTS = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanos", "<i8")])
_DAYS_A_MONTH, _DAY_US = 30, 86_400_000_000
_GREATEST, _LONGEST_US = 2**31 - 1, (2**63 - 1) // 1000  # months and days, and the nanoseconds that Arrow counts
_MICROSECOND = datetime.timedelta(microseconds=1)
INTERVAL = pa.month_day_nano_interval()


def parts_of(values: pa.Array) -> NDArray[Any]:
    raw = np.frombuffer(values.buffers()[1], dtype=_PARTS)
    return raw[values.offset : values.offset + len(values)]


def _interval(months: NDArray[Any], days: NDArray[Any], micros: NDArray[Any], null: NDArray[np.bool_]) -> pa.Array:
    for parts, limit in ((months, _GREATEST), (days, _GREATEST), (micros, _LONGEST_US)):
        if not np.all(null | (np.abs(parts) <= limit)):  # NaN is not less than anything
            raise ComputationError("22008", "interval out of range")
    months, days, micros = (np.where(null, 0, parts).astype(np.int64) for parts in (months, days, micros))
    made = np.zeros(len(months), _PARTS)
    made["months"], made["days"], made["nanos"] = months, days, micros * 1000
    validity = pa.py_buffer(np.packbits(~null, bitorder="little").tobytes())
    return pa.Array.from_buffers(INTERVAL, len(made), [validity, pa.py_buffer(made.tobytes())])


def _nulls(*values: pa.Array) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = np.logical_or.reduce([v.is_null().to_numpy(zero_copy_only=False) for v in values])
    return mask


def order(values: pa.Array) -> pa.Array:
    """What intervals compare by: µs, a month being 30 days and a day 24 hours."""
    parts = parts_of(values)
    days = parts["months"].astype(np.int64) * _DAYS_A_MONTH + parts["days"]
    return pa.array(days * _DAY_US + parts["nanos"] // 1000, mask=_nulls(values))


_SORTED = np.dtype([("order", ">i8"), ("months", ">i4"), ("days", ">i4"), ("nanos", ">i8")])
_SIGN = np.uint8(0x80)


def sorted_text(values: pa.Array) -> pa.Array:
    """A text for each interval that sorts as it does: its key, and its parts behind that."""
    parts, made = parts_of(values), np.zeros(len(values), _SORTED)
    made["order"] = pc.fill_null(order(values), 0).to_numpy(zero_copy_only=False)
    for name in ("months", "days", "nanos"):
        made[name] = parts[name]
    raw = made.view(np.uint8).reshape(len(made), _SORTED.itemsize)
    for name in _SORTED.names or ():
        raw[:, _SORTED.fields[name][1]] ^= _SIGN  # type: ignore[index]  # negative ones come first
    texts = [None if null else row.tobytes().hex() for row, null in zip(raw, _nulls(values), strict=True)]
    return pa.array(texts, pa.string())


def of_sorted_text(texts: pa.Array) -> pa.Array:
    null = _nulls(texts)
    empty = bytes(_SORTED.itemsize)
    rows = b"".join(empty if text is None else bytes.fromhex(text) for text in texts.to_pylist())
    raw = np.frombuffer(bytearray(rows), np.uint8).reshape(len(texts), _SORTED.itemsize)
    for name in _SORTED.names or ():
        raw[:, _SORTED.fields[name][1]] ^= _SIGN  # type: ignore[index]
    parts = raw.reshape(-1).view(_SORTED)
    return _interval(parts["months"], parts["days"], parts["nanos"] // 1000, null)


def epoch(values: pa.Array) -> pa.Array:
    """Seconds; a year has 365¼ days here, a month 30."""
    parts = parts_of(values)
    years, months = np.trunc(parts["months"] / 12), np.fmod(parts["months"], 12)
    days = years * 365.25 + months * _DAYS_A_MONTH + parts["days"]
    return pa.array(days * 86_400 + parts["nanos"] / 1e9, mask=_nulls(values))


def minute(values: pa.Array) -> pa.Array:
    """Microseconds since the minute began, with the sign of the time."""
    return pa.array(np.fmod(parts_of(values)["nanos"] // 1000, 60_000_000), mask=_nulls(values))


def between(left: pa.Array, right: pa.Array) -> pa.Array:
    """The time from ``right`` to ``left`` in days and what is less than a day."""
    null = _nulls(left, right)
    ends = [pc.fill_null(v.cast(pa.int64()), 0).to_numpy(zero_copy_only=False) for v in (left, right)]
    micros = ends[0] - ends[1]
    days = np.trunc(micros / _DAY_US).astype(np.int64)
    # The division above is inexact for spans of centuries: put right what it took too many.
    days -= np.where(np.sign(micros - days * _DAY_US) * np.sign(micros) < 0, np.sign(micros), 0)
    return _interval(np.zeros(len(days), np.int64), days, micros - days * _DAY_US, null)


def age(left: pa.Array, right: pa.Array) -> pa.Array:
    """The time from ``right`` to ``left`` in years, months, days and time, as a calendar counts it."""
    null = _nulls(left, right)
    pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
    found = [(0, 0, 0) if a is None or b is None else _calendar(a, b) for a, b in pairs]
    months, days, micros = np.array(found, np.int64).reshape(-1, 3).T
    return _interval(months, days, micros, null)


def _calendar(left: datetime.datetime, right: datetime.datetime) -> tuple[int, int, int]:
    """(months, days, µs). A day that is missing is borrowed from the month of the earlier moment."""
    sign, late, early = (1, left, right) if left >= right else (-1, right, left)
    micros = (_of_day(late) - _of_day(early)) // _MICROSECOND
    days = late.day - early.day
    months = (late.year - early.year) * 12 + late.month - early.month
    if micros < 0:
        micros, days = micros + _DAY_US, days - 1
    if days < 0:
        days, months = days + calendar.monthrange(early.year, early.month)[1], months - 1
    return sign * months, sign * days, sign * micros


def _of_day(moment: datetime.datetime) -> datetime.timedelta:
    return moment - moment.replace(hour=0, minute=0, second=0, microsecond=0)


def multiply(values: pa.Array, factors: pa.Array) -> pa.Array:
    """A fraction of a month spills into days, a fraction of a day into time."""
    null = _nulls(values, factors)
    factor = pc.fill_null(factors, 0.0).to_numpy(zero_copy_only=False)
    parts = parts_of(values)
    months, days = np.trunc(parts["months"] * factor), np.trunc(parts["days"] * factor)
    spilled = np.round((parts["months"] * factor - months) * _DAYS_A_MONTH, 6)
    seconds = np.round((parts["days"] * factor - days + spilled - np.trunc(spilled)) * 86_400, 6)
    whole = np.where(np.abs(seconds) >= 86_400, np.trunc(seconds / 86_400), 0)
    micros = np.rint(parts["nanos"] // 1000 * factor + (seconds - whole * 86_400) * 1e6)
    return _interval(months, days + whole + np.trunc(spilled), micros, null)


def divide(values: pa.Array, divisors: pa.Array) -> pa.Array:
    zero = pc.fill_null(pc.and_(pc.equal(divisors, 0.0), values.is_valid()), False)
    if pc.any(zero).as_py():
        raise ComputationError("22012", "division by zero")
    return multiply(values, pc.divide(pa.scalar(1.0), divisors))


def make(*arguments: pa.Array) -> pa.Array:
    """years, months, weeks, days, hours, minutes and seconds as one interval."""
    null = _nulls(*arguments)
    *whole, seconds = (pc.fill_null(a, 0).to_numpy(zero_copy_only=False) for a in arguments)
    years, months, weeks, days, hours, minutes = (part.astype(np.int64) for part in whole)
    micros = (hours * 3600 + minutes * 60) * 1_000_000 + np.rint(seconds * 1e6)
    return _interval(years * 12 + months, weeks * 7 + days, micros, null)


def justify_days(values: pa.Array) -> pa.Array:
    """30 days become a month; both have one sign then."""
    months, days, micros = _numbers(values)
    return _interval(*_carried(months, days, _DAYS_A_MONTH), micros, _nulls(values))


def justify_hours(values: pa.Array) -> pa.Array:
    """24 hours become a day; both have one sign then."""
    months, days, micros = _numbers(values)
    return _interval(months, *_carried(days, micros, _DAY_US), _nulls(values))


def justify_interval(values: pa.Array) -> pa.Array:
    """Hours become days, and days months; all have one sign then."""
    months, days, micros = _numbers(values)
    days, micros = days + _quotient(micros, _DAY_US), np.fmod(micros, _DAY_US)
    months, days = months + _quotient(days, _DAYS_A_MONTH), np.fmod(days, _DAYS_A_MONTH)
    less = (months > 0) & ((days < 0) | ((days == 0) & (micros < 0)))
    more = (months < 0) & ((days > 0) | ((days == 0) & (micros > 0)))
    step = less.astype(np.int64) - more
    months, days = months - step, days + step * _DAYS_A_MONTH
    step = ((days > 0) & (micros < 0)).astype(np.int64) - ((days < 0) & (micros > 0))
    return _interval(months, days - step, micros + step * _DAY_US, _nulls(values))


def _numbers(values: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    parts = parts_of(values)
    return parts["months"].astype(np.int64), parts["days"].astype(np.int64), parts["nanos"] // 1000


def _quotient(values: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Towards zero."""
    return (values - np.fmod(values, size)) // size


def _carried(large: NDArray[np.int64], small: NDArray[np.int64], size: int) -> tuple[Any, Any]:
    large, small = large + _quotient(small, size), np.fmod(small, size)
    step = ((large > 0) & (small < 0)).astype(np.int64) - ((large < 0) & (small > 0))
    return large - step, small + step * size


def rint(values: pa.Array) -> pa.Array:
    """The nearest whole double, halves to even."""
    return pc.round(values, round_mode="half_to_even")


def at_most_one(counts: pa.Array) -> pa.Array:
    """True, or the error for a scalar subquery with more rows than one."""
    if pc.any(pc.greater(counts, 1)).as_py():
        raise ComputationError("21000", "more than one row returned by a subquery used as an expression")
    return pa.array(np.ones(len(counts), np.bool_))


def definitions() -> list[tuple[Any, list[pa.DataType], pa.DataType, str]]:
    """(function, arguments, result, name) of each."""
    moment, double = pa.timestamp("us"), pa.float64()
    return [
        (order, [INTERVAL], pa.int64(), "con_interval_order"),
        (sorted_text, [INTERVAL], pa.string(), "con_interval_sorted"),
        (of_sorted_text, [pa.string()], INTERVAL, "con_interval_unsorted"),
        (epoch, [INTERVAL], double, "con_interval_epoch"),
        (minute, [INTERVAL], pa.int64(), "con_interval_minute"),
        (between, [moment, moment], INTERVAL, "con_interval_between"),
        (age, [moment, moment], INTERVAL, "con_age"),
        (multiply, [INTERVAL, double], INTERVAL, "con_interval_multiply"),
        (divide, [INTERVAL, double], INTERVAL, "con_interval_divide"),
        (make, [pa.int32()] * 6 + [double], INTERVAL, "con_make_interval"),
        (justify_days, [INTERVAL], INTERVAL, "con_justify_days"),
        (justify_hours, [INTERVAL], INTERVAL, "con_justify_hours"),
        (justify_interval, [INTERVAL], INTERVAL, "con_justify_interval"),
        (rint, [double], double, "con_rint"),
        (at_most_one, [pa.int64()], pa.bool_(), "con_at_most_one"),
    ]
