"""Numbers and moments as Postgres' input functions read them, and what is wrong with those that are none."""

from __future__ import annotations

import datetime
import re
import sys
from decimal import Decimal, InvalidOperation
from typing import Any

from constellationdb.catalog import types
from constellationdb.catalog.text.times import one_timestamp
from constellationdb.catalog.text.zones import Zone, zone_of_expression
from constellationdb.errors import (
    DatetimeOverflow,
    FeatureNotSupported,
    InvalidDatetime,
    InvalidParameter,
    InvalidTextRepresentation,
    NumericOutOfRange,
)
from constellationdb.planner.syntax.zones import check_displacement

_SPECIAL = frozenset({"now", "today", "tomorrow", "yesterday", "epoch", "infinity", "-infinity"})
_LEAST_REAL = 7.006492321624085e-46  # half of the least above zero, which rounds down to that
_GREATEST_REAL = 3.4028235677973366e38  # half a step above the greatest, which rounds down to it
_EPOCH, _MICROSECOND = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC), datetime.timedelta(microseconds=1)
_MOMENT = re.compile(
    r"(\d{4,6})-(\d{1,2})-(\d{1,2})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2})(\.\d+)?)?)?"
    r"\s*(Z|UTC|[+-]\d{1,2}(?::?\d{2})?|[A-Z]{2,}(?:_[A-Z]+)*(?:/[\w+-]+)*)?",
    re.IGNORECASE,
)


def number(text: str, read: Any, kind: str, position: int | None) -> Any:
    try:
        if "_" in text or not text.isascii():  # Python reads more than Postgres does
            raise ValueError(text)
        return read(text.strip())
    except (ValueError, InvalidOperation):
        raise InvalidTextRepresentation(f'invalid input syntax for type {kind}: "{text}"', position=position) from None


def check_float(text: str, kind: str, position: int | None) -> None:
    value = number(text, float, kind, position)
    vanished = value == 0 or (kind == types.REAL.name and abs(value) <= _LEAST_REAL)
    if vanished and re.search("[1-9]", re.split("[eE]", text)[0]):
        raise NumericOutOfRange(f'"{text}" is out of range for type {kind}', position=position)
    greatest = _GREATEST_REAL if kind == types.REAL.name else sys.float_info.max
    if abs(value) > greatest and "inf" not in text.lower():
        raise NumericOutOfRange(f'"{text}" is out of range for type {kind}', position=position)


def moment(text: str, kind: str, position: int | None) -> str:
    """The literal written in full, seconds and all; the zone of a type without one is ignored."""
    word = text.strip().lower()
    if word == "epoch":
        return "1970-01-01 00:00:00" + ("+00:00" if kind == types.TIMESTAMPTZ.name else "")
    if word in _SPECIAL:
        raise FeatureNotSupported(f'"{text}" is not supported as a {_short(kind)}', position=position)
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        raise InvalidDatetime(f'invalid input syntax for type {_short(kind)}: "{text}"', position=position)
    check_displacement(text, position)
    zone = _zone(found[8] or "", text, kind, position)
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        date = datetime.date(min(max(year, 1), 9999), month, day)
        clock = hour * 3600 + minute * 60 + second
        if year == 0 or minute > 59 or second > 60 or clock > 86_400:
            raise ValueError
    except ValueError:
        raise DatetimeOverflow(f'date/time field value out of range: "{text}"', position=position) from None
    if date.year != year:
        return text.strip()
    if kind == types.DATE.name:
        return date.isoformat()
    micros = round(Decimal(found[7] or 0) * 1_000_000)
    try:
        moment = datetime.datetime.combine(date, datetime.time()) + datetime.timedelta(
            seconds=clock, microseconds=micros
        )
    except OverflowError:
        return text.strip()
    if kind != types.TIMESTAMPTZ.name or not found[8]:
        return moment.isoformat(sep=" ")
    if zone is None:
        return moment.isoformat(sep=" ") + _offset(found[8])
    local = (moment.replace(tzinfo=datetime.UTC) - _EPOCH) // _MICROSECOND
    return one_timestamp(zone.instant(local), "+00:00")


def _zone(word: str, text: str, kind: str, position: int | None) -> Zone | None:
    """The zone behind a moment, when it is a name or an abbreviation of one."""
    if not word[:1].isalpha():
        return None
    zone = zone_of_expression(word)
    if zone is None and "/" in word:
        raise InvalidParameter(f'time zone "{word.lower()}" not recognized', position=position)
    if zone is None:
        raise InvalidDatetime(f'invalid input syntax for type {_short(kind)}: "{text}"', position=position)
    return zone


def _offset(said: str) -> str:
    """``+2``, ``-0330``, ``UTC`` as ``+02:00``, ``-03:30``, ``+00:00``."""
    if said[0] not in "+-":
        return "+00:00"
    digits = said[1:].replace(":", "")
    hours, minutes = (digits, "00") if len(digits) < 3 else (digits[:-2], digits[-2:])
    return f"{said[0]}{int(hours):02d}:{minutes}"


def instant_us(text: str, zone: Zone, position: int | None) -> int:
    """The instant that ``text`` says, in microseconds since 1970; without an offset it is a time in ``zone``."""
    said = moment(text, types.TIMESTAMPTZ.name, position)
    try:
        found = datetime.datetime.fromisoformat(said)
    except ValueError:
        message = f'"{text}" is not supported as a timestamp with time zone in another time zone than UTC'
        raise FeatureNotSupported(message, position=position) from None
    if found.tzinfo is not None:
        return (found - _EPOCH) // _MICROSECOND
    return zone.instant((found.replace(tzinfo=datetime.UTC) - _EPOCH) // _MICROSECOND)


def _short(kind: str) -> str:
    return kind.split(" without")[0]
