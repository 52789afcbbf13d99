"""Fields of a COPY as columns: their bytes gathered, and the commonest spellings of numbers and moments read.

A reader answers the first row that is spelled in another way, -1 when there is none. Rows of length -1 are NULL.
"""

from __future__ import annotations

import numpy as np

from constellationdb.engine.kernels.copytext import I64, U8
from constellationdb.jit import inlined, kernel
from constellationdb.storage.kernels.memory import copy_bytes

I32 = np.typing.NDArray[np.int32]
_DAYS_OF_MONTHS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int64)


@kernel("i64(const i64[], i64[], u8[])")
def measure(lengths: I64, offsets: I64, valid: U8) -> int:
    """Offsets of the fields one behind the other, and which there are; their bytes in all."""
    total = 0
    for row in range(len(lengths)):
        offsets[row] = total
        valid[row] = lengths[row] >= 0
        total += max(lengths[row], 0)
    offsets[len(lengths)] = total
    return total


@kernel("void(const u8[], const i64[], const i64[], const i64[], u8[])")
def gather(data: U8, starts: I64, lengths: I64, offsets: I64, out: U8) -> None:
    for row in range(len(starts)):
        if lengths[row] > 0:
            copy_bytes(data, starts[row], out, offsets[row], lengths[row])


@kernel("i64(const u8[], const i64[], const i64[], i64, i64[], u8[])")
def read_integers(data: U8, starts: I64, lengths: I64, limit: int, out: I64, valid: U8) -> int:
    """Up to 18 digits with a sign; ``limit`` is the greatest that fits."""
    for row in range(len(starts)):
        at, end = starts[row], starts[row] + lengths[row]
        if lengths[row] < 0:
            out[row], valid[row] = 0, 0
            continue
        negative = at < end and data[at] == 45
        at += negative
        if at >= end or end - at > 18:
            return row
        value = 0
        while at < end:
            digit = np.int64(data[at]) - 48
            if digit < 0 or digit > 9:
                return row
            value = value * 10 + digit  # type: ignore[assignment]
            at += 1
        if value > limit + negative:
            return row
        out[row], valid[row] = -value if negative else value, 1
    return -1


@kernel("i64(const u8[], const i64[], const i64[], u8[], u8[])")
def read_booleans(data: U8, starts: I64, lengths: I64, out: U8, valid: U8) -> int:
    """``t`` and ``f``, as Postgres prints them."""
    for row in range(len(starts)):
        if lengths[row] < 0:
            out[row], valid[row] = 0, 0
            continue
        letter = data[starts[row]] if lengths[row] == 1 else 0
        if letter not in (116, 102):
            return row
        out[row], valid[row] = letter == 116, 1
    return -1


@inlined
def _digits(data: U8, at: int, count: int) -> int:
    """The number in ``count`` digits, or less than 0."""
    value = 0
    for i in range(count):
        digit = np.int64(data[at + i]) - 48
        if digit < 0 or digit > 9:
            return -1_000_000
        value = value * 10 + digit  # type: ignore[assignment]
    return value


@inlined
def _days(data: U8, at: int, months: I64) -> int:
    """The date ``YYYY-MM-DD`` in days since 1970, or -2**40."""
    year, month, day = _digits(data, at, 4), _digits(data, at + 5, 2), _digits(data, at + 8, 2)
    if data[at + 4] != 45 or data[at + 7] != 45 or year < 1 or month < 1 or month > 12 or day < 1:
        return -(1 << 40)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day > months[month] + (1 if leap and month == 2 else 0):
        return -(1 << 40)
    # The year begins in March here, so that the leap day is its last.
    shifted = year - 1 if month <= 2 else year
    era_year = shifted % 400
    of_year = (153 * (month + (9 if month <= 2 else -3)) + 2) // 5 + day - 1
    return (shifted // 400) * 146_097 + era_year * 365 + era_year // 4 - era_year // 100 + of_year - 719_468


@kernel("i64(const u8[], const i64[], const i64[], const i64[], i64[], u8[])")
def read_dates(data: U8, starts: I64, lengths: I64, months: I64, out: I64, valid: U8) -> int:
    for row in range(len(starts)):
        if lengths[row] < 0:
            out[row], valid[row] = 0, 0
            continue
        if lengths[row] != 10:
            return row
        days = _days(data, starts[row], months)
        if days == -(1 << 40):
            return row
        out[row], valid[row] = days, 1
    return -1


@kernel("i64(const u8[], const i64[], const i64[], const i64[], i64[], u8[])")
def read_timestamps(data: U8, starts: I64, lengths: I64, months: I64, out: I64, valid: U8) -> int:
    """``YYYY-MM-DD hh:mm:ss`` with up to six digits behind the point, in microseconds since 1970."""
    for row in range(len(starts)):
        at, length = starts[row], lengths[row]
        if length < 0:
            out[row], valid[row] = 0, 0
            continue
        if length < 19 or length == 20 or length > 26:
            return row
        days = _days(data, at, months)
        hour, minute, second = _digits(data, at + 11, 2), _digits(data, at + 14, 2), _digits(data, at + 17, 2)
        if days == -(1 << 40) or hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
            return row
        if (data[at + 10] != 32 and data[at + 10] != 84) or data[at + 13] != 58 or data[at + 16] != 58:
            return row
        fraction = 0
        if length > 20:
            fraction = _digits(data, at + 20, length - 20)
            if data[at + 19] != 46 or fraction < 0:
                return row
            for _ in range(26 - length):
                fraction *= 10
        out[row] = (days * 86_400 + hour * 3600 + minute * 60 + second) * 1_000_000 + fraction
        valid[row] = 1
    return -1


def days_of_months() -> I64:
    return _DAYS_OF_MONTHS
