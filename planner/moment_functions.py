"""A time of day or a timestamp by its parts: make_time and make_timestamp."""

from __future__ import annotations

import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import pyarrow as pa

from constellationdb.planner.raising import ComputationError

_MICROSECOND = datetime.timedelta(microseconds=1)
_EPOCH, _DAY = datetime.date(1970, 1, 1), 86_400_000_000


def definitions() -> list[tuple[Any, list[pa.DataType], pa.DataType, str]]:
    """(function, arguments, result, name) of each."""
    whole, second = pa.int32(), pa.float64()
    return [
        (_times, [whole, whole, second], pa.time64("us"), "con_make_time"),
        (_timestamps, [whole] * 5 + [second], pa.timestamp("us"), "con_make_timestamp"),
    ]


def _times(*parts: pa.Array) -> pa.Array:
    rows = zip(*(part.to_pylist() for part in parts), strict=True)
    return pa.array([None if None in row else _time(*row) for row in rows], pa.int64()).cast(pa.time64("us"))


def _time(hour: int, minute: int, second: float) -> int:
    micros = _clock(hour, minute, second)
    if micros == _DAY:
        raise ComputationError("0A000", "the time 24:00:00 is not supported")
    return micros


def _timestamps(*parts: pa.Array) -> pa.Array:
    rows = zip(*(part.to_pylist() for part in parts), strict=True)
    return pa.array([None if None in row else _timestamp(*row) for row in rows], pa.int64()).cast(pa.timestamp("us"))


def _timestamp(year: int, month: int, day: int, hour: int, minute: int, second: float) -> int:
    try:
        date = datetime.date(year, month, day)
    except ValueError:
        raise ComputationError("22008", f"date field value out of range: {year}-{month:02}-{day:02}") from None
    return (date - _EPOCH) // _MICROSECOND + _clock(hour, minute, second)


def _clock(hour: int, minute: int, second: float) -> int:
    """Microseconds since midnight; a second may be the sixtieth, and the hour 24 where nothing follows."""
    fits = 0 <= hour <= 24 and 0 <= minute <= 59 and 0 <= second <= 60
    micros = _micros(second) + (hour * 3600 + minute * 60) * 1_000_000 if fits else -1
    if not 0 <= micros <= _DAY:
        raise ComputationError("22008", f"time field value out of range: {hour}:{minute:02}:{_shown(second)}")
    return micros


def _micros(second: float) -> int:
    return int((Decimal(repr(second)) * 1_000_000).to_integral_value(ROUND_HALF_EVEN))


def _shown(second: float) -> str:
    """As Postgres has it: two digits before the point."""
    whole, point, rest = f"{second:.15g}".partition(".")
    return f"{whole:0>2}{point}{rest}"
