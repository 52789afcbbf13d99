"""Dates, times and timestamps with DateStyle ISO: every year, BC, infinity, and the zone's offset behind."""

from __future__ import annotations

import numpy as np

from constellationdb.jit import inlined, kernel
from constellationdb.wire.kernels.digits import I32, I64, MINUS, U8, put_padded, put_pair

TIME_WIDTH = 48  # the longest: 294276-12-31 23:59:59.999999+00:00:00 BC, and room to lay a year out
_DAY_US = 86_400_000_000
_COLON, _POINT, _SPACE, _PLUS, _ZERO = 58, 46, 32, 43, 48
_NO_OFFSET = -(1 << 31)  # as a row's offset: a timestamp without a zone
_LEAST, _GREATEST = -(1 << 63), (1 << 63) - 1
_LEAST_DAY, _GREATEST_DAY = -(1 << 31), (1 << 31) - 1
_INFINITY: U8 = np.frombuffer(b"-infinity", np.uint8)
NO_ZONE: I64 = np.array([_NO_OFFSET], np.int64)


@inlined
def _civil(days: int) -> tuple[int, int, int]:
    """Days since 1970 as the proleptic Gregorian year, month and day; years are counted from March meanwhile."""
    shifted = days + 719_468
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    if month < 10:
        return year + era * 400, month + 3, day
    return year + era * 400 + 1, month - 9, day


@inlined
def _put_infinity(out: U8, at: int, negative: bool) -> int:
    first = 0 if negative else 1
    for i in range(first, len(_INFINITY)):
        out[at + i - first] = _INFINITY[i]
    return at + len(_INFINITY) - first


@inlined
def _put_date(out: U8, at: int, year: int, month: int, day: int) -> int:
    """There is no year 0: it is 1 BC, which is said at the very end."""
    shown = year if year > 0 else 1 - year
    at = (
        put_padded(out, at, shown, 4)
        if shown >= 10_000
        else put_pair(out, put_pair(out, at, shown // 100), shown % 100)
    )
    out[at] = MINUS
    at = put_pair(out, at + 1, month)
    out[at] = MINUS
    return put_pair(out, at + 1, day)


@inlined
def _put_era(out: U8, at: int, year: int) -> int:
    if year > 0:
        return at
    out[at] = _SPACE
    out[at + 1] = 66
    out[at + 2] = 67
    return at + 3


@inlined
def _put_fraction(out: U8, at: int, us: int) -> int:
    """``.ffffff`` without the zeros at its end; nothing for a whole second."""
    if us == 0:
        return at
    out[at] = _POINT
    put_pair(out, at + 1, us // 10_000)
    put_pair(out, at + 3, us // 100 % 100)
    put_pair(out, at + 5, us % 100)
    end = at + 7
    while out[end - 1] == _ZERO:
        end -= 1
    return end


@inlined
def put_clock(out: U8, at: int, us: int) -> int:
    """``HH:MM:SS[.ffffff]``; an interval's hours may be many."""
    seconds = us // 1_000_000
    minutes = seconds // 60
    hours = minutes // 60
    at = put_pair(out, at, hours) if hours < 100 else put_padded(out, at, hours, 2)
    out[at] = _COLON
    at = put_pair(out, at + 1, minutes - hours * 60)
    out[at] = _COLON
    at = put_pair(out, at + 1, seconds - minutes * 60)
    return _put_fraction(out, at, us - seconds * 1_000_000)


@inlined
def _put_offset(out: U8, at: int, offset: int) -> int:
    """``+02``, with minutes and seconds where there are any."""
    out[at] = MINUS if offset < 0 else _PLUS
    size = abs(offset)
    at = put_pair(out, at + 1, size // 3600)
    if size % 3600:
        out[at] = _COLON
        at = put_pair(out, at + 1, size // 60 % 60)
    if size % 60:
        out[at] = _COLON
        at = put_pair(out, at + 1, size % 60)
    return at


@inlined
def _put_timestamp(out: U8, at: int, us: int, offset: int) -> int:
    if us in (_LEAST, _GREATEST):
        return _put_infinity(out, at, us < 0)
    days = us // _DAY_US
    clock = us - days * _DAY_US
    if offset != _NO_OFFSET:  # added here, where no sum can be too large
        clock += offset * 1_000_000
        past = clock // _DAY_US
        days, clock = days + past, clock - past * _DAY_US
    year, month, day = _civil(days)
    at = _put_date(out, at, year, month, day)
    out[at] = _SPACE
    at = put_clock(out, at + 1, clock)
    if offset != _NO_OFFSET:
        at = _put_offset(out, at, offset)
    return _put_era(out, at, year)


@kernel("void(const i64[], const i64[], u8[], i64[], i32[])")
def timestamps(values: I64, offsets: I64, out: U8, starts: I64, lengths: I32) -> None:
    """Microseconds since 1970. ``offsets``: each row's seconds from UTC, or one for all; ``NO_ZONE`` prints none."""
    step = 1 if len(offsets) > 1 else 0
    for i in range(len(values)):
        start = i * TIME_WIDTH
        starts[i] = start
        lengths[i] = _put_timestamp(out, start, values[i], offsets[i * step]) - start


@kernel("void(const i32[], u8[], i64[], i32[])")
def dates(values: I32, out: U8, starts: I64, lengths: I32) -> None:
    """Days since 1970."""
    for i in range(len(values)):
        start, value = i * TIME_WIDTH, int(values[i])
        if value in (_LEAST_DAY, _GREATEST_DAY):
            end = _put_infinity(out, start, value < 0)
        else:
            year, month, day = _civil(value)
            end = _put_era(out, _put_date(out, start, year, month, day), year)
        starts[i] = start
        lengths[i] = end - start


@kernel("void(const i64[], u8[], i64[], i32[])")
def clocks(values: I64, out: U8, starts: I64, lengths: I32) -> None:
    """Microseconds since midnight. Less than none can only stand under a NULL."""
    for i in range(len(values)):
        start = i * TIME_WIDTH
        starts[i] = start
        lengths[i] = put_clock(out, start, max(values[i], 0)) - start
