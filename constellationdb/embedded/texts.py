"""From what the wire carries to Arrow: a column of texts as Postgres prints them, read by its type's oid."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pyarrow as pa

from constellationdb.catalog.types import INTERVAL, REGISTERED, TEXT, SqlType, by_oid, numeric
from constellationdb.connectors.values import from_text

_NUMERIC_OID = 1700
_PART = re.compile(r"(-?\d+) (year|mon|day)s?")
_CLOCK = re.compile(r"(-?)(\d+):(\d\d):(\d\d)(?:\.(\d{1,6}))?")
_MONTHS = {"year": 12, "mon": 1}


def type_of(oid: int, modifier: int) -> SqlType:
    """A type that we do not know travels as its text."""
    if oid == _NUMERIC_OID and modifier >= 4:
        return numeric((modifier - 4) >> 16, (modifier - 4) & 0xFFFF)
    return TEXT if oid in REGISTERED else by_oid(oid) or TEXT


def column_of(values: Sequence[bytes | str | None], kind: SqlType) -> pa.Array:
    texts = pa.array(values, pa.binary() if any(isinstance(value, bytes) for value in values) else pa.string())
    texts = texts.cast(pa.string())
    if kind.oid == INTERVAL.oid:
        return pa.array([None if value is None else _interval(value) for value in texts.to_pylist()], INTERVAL.arrow)
    return from_text(texts, kind.arrow)


def _interval(text: str) -> tuple[int, int, int]:
    """``1 year 2 mons 3 days -04:05:06.7`` as (months, days, nanoseconds)."""
    months = days = nanoseconds = 0
    for amount, unit in _PART.findall(text):
        if unit == "day":
            days += int(amount)
        else:
            months += int(amount) * _MONTHS[unit]
    if clock := _CLOCK.search(text):
        sign, hours, minutes, seconds, fraction = clock.groups()
        micros = (int(hours) * 3600 + int(minutes) * 60 + int(seconds)) * 1_000_000 + int(
            (fraction or "0").ljust(6, "0")
        )
        nanoseconds = (-micros if sign else micros) * 1_000
    return months, days, nanoseconds
