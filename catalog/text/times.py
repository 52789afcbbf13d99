"""Dates, times and intervals as Postgres prints them with DateStyle ISO and IntervalStyle postgres.

Arrow's casts are Postgres' text for the years 1 to 9999 once the trailing
zeros of the fraction are gone. The rest is done value by value: longer years,
BC (Postgres has no year 0), 24:00:00, and the ends of the range, which stand
for infinity.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.catalog.text.zones import UTC_ZONE, Zone, offset_text

_DAY_US = 86_400_000_000
# 0001-01-01 and 10000-01-01 in days since 1970.
_FIRST_DAY, _END_DAY = -719_162, 2_932_897
_FIRST_US, _END_US = _FIRST_DAY * _DAY_US, _END_DAY * _DAY_US
_EPOCH = datetime(1970, 1, 1)
_INFINITE = (-(1 << 63), (1 << 63) - 1)
_INT32 = np.iinfo(np.int32)


def timestamp_text(array: pa.Array) -> pa.Array:
    return _timestamps(array, "")


def zoned_text(zone: Zone) -> Callable[[pa.Array], pa.Array]:
    """A timestamptz in a zone; the hot one, UTC, keeps to Arrow's own functions."""
    if zone is UTC_ZONE:
        return lambda array: _timestamps(array, "+00")
    return lambda array: _in_zone(array, zone)


def _in_zone(array: pa.Array, zone: Zone) -> pa.Array:
    values = array.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64()).to_pylist()
    return pa.array([None if us is None else one_zoned(us, zone) for us in values], pa.string()).cast(pa.binary())


def date_text(array: pa.Array) -> pa.Array:
    days = array.cast(pa.date32())
    numbers = days.cast(pa.int32()).fill_null(0).to_numpy(zero_copy_only=False)
    odd = (numbers < _FIRST_DAY) | (numbers >= _END_DAY)
    return _with_odd(days, numbers, odd, lambda usual: usual.cast(pa.string()), one_date)


def time_text(array: pa.Array) -> pa.Array:
    times = array.cast(pa.time64("us"), safe=False)
    numbers = times.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return _with_odd(times, numbers, numbers >= _DAY_US, _usual_fraction, clock_text)


def interval_text(array: pa.Array) -> pa.Array:
    values = array.to_pylist()
    return pa.array(
        [None if v is None else interval(v.months, v.days, v.nanoseconds // 1000) for v in values], pa.binary()
    )


def duration_text(array: pa.Array) -> pa.Array:
    numbers = array.cast(pa.duration("us"), safe=False).cast(pa.int64()).to_pylist()
    return pa.array([None if n is None else interval(0, 0, n) for n in numbers], pa.binary())


def _timestamps(array: pa.Array, zone: str) -> pa.Array:
    local = array.cast(pa.timestamp("us", array.type.tz), safe=False).cast(pa.int64())
    numbers = local.fill_null(0).to_numpy(zero_copy_only=False)
    odd = (numbers < _FIRST_US) | (numbers >= _END_US)

    def usual(values: pa.Array) -> pa.Array:
        text = _usual_fraction(values.cast(pa.timestamp("us")))
        return pc.binary_join_element_wise(text, zone, "") if zone else text

    return _with_odd(local, numbers, odd, usual, lambda us: one_timestamp(us, zone))


def _usual_fraction(values: pa.Array) -> pa.Array:
    """The cast always prints six digits after the point, so trimming zeros cannot touch the seconds."""
    return pc.ascii_rtrim(pc.ascii_rtrim(values.cast(pa.string()), "0"), ".")


def _with_odd(
    array: pa.Array,
    numbers: np.ndarray,
    odd: np.ndarray,
    usual: Callable[[pa.Array], pa.Array],
    one: Callable[[int], str],
) -> pa.Array:
    """``usual`` for the whole column, with each ``odd`` row hidden from it and printed by ``one``."""
    if not odd.any():
        return usual(array).cast(pa.binary())
    mask = pa.array(odd)
    text = usual(pc.if_else(mask, pa.scalar(None, array.type), array))
    replacement = pa.array([one(int(number)) for number in numbers[odd]], pa.string())
    return pc.replace_with_mask(text, mask, replacement).cast(pa.binary())


def one_timestamp(us: int, zone: str) -> str:
    return _infinity(us) or _moment(us, zone)


def one_zoned(us: int, zone: Zone) -> str:
    offset = zone.offset(us)
    return _infinity(us) or _moment(us + offset * 1_000_000, offset_text(offset))


def _infinity(us: int) -> str:
    if us in _INFINITE:
        return "infinity" if us > 0 else "-infinity"
    return ""


def _moment(us: int, zone: str) -> str:
    if _FIRST_US <= us < _END_US:  # years that Python knows, too
        text = (_EPOCH + timedelta(microseconds=us)).isoformat(" ")
        return (text.rstrip("0") if us % 1_000_000 else text) + zone
    days, rest = divmod(us, _DAY_US)
    year, month, day = civil(days)
    return f"{_iso(year, month, day)} {clock_text(rest)}{zone}{_era(year)}"


def one_date(days: int) -> str:
    if _FIRST_DAY <= days < _END_DAY:
        return date.fromordinal(days + 719_163).isoformat()
    if days in (_INT32.min, _INT32.max):
        return "infinity" if days > 0 else "-infinity"
    year, month, day = civil(days)
    return _iso(year, month, day) + _era(year)


def _iso(year: int, month: int, day: int) -> str:
    return f"{year if year > 0 else 1 - year:04d}-{month:02d}-{day:02d}"


def _era(year: int) -> str:
    return "" if year > 0 else " BC"


def civil(days: int) -> tuple[int, int, int]:
    """Days since 1970 to the proleptic Gregorian (year, month, day); year 0 is 1 BC.

    Years are counted from March, so that the leap day is the last of its year.
    """
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    return year_of_era + era * 400 + (month <= 2), month, day


def clock_text(us: int) -> str:
    """``HH:MM:SS[.ffffff]``; hours may pass 24."""
    seconds, fraction = divmod(us, 1_000_000)
    minutes, second = divmod(seconds, 60)
    text = f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"
    return f"{text}.{fraction:06d}".rstrip("0") if fraction else text


def interval(months: int, days: int, us: int) -> bytes:
    """Once a part was negative, the next positive one carries a plus sign."""
    years, rest = abs(months) // 12, abs(months) % 12
    sign = -1 if months < 0 else 1
    parts: list[str] = []
    after_negative = False
    for amount, unit in ((sign * years, "year"), (sign * rest, "mon"), (days, "day")):
        if amount:
            plus = "+" if after_negative and amount > 0 else ""
            parts.append(f"{plus}{amount} {unit}{'' if amount == 1 else 's'}")
            after_negative = amount < 0
    if us or not parts:
        mark = "-" if us < 0 else "+" if after_negative else ""
        parts.append(mark + clock_text(abs(us)))
    return " ".join(parts).encode()
