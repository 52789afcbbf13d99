"""Interval literals as Postgres reads them: months, days and microseconds, each of its own.

    '1 year 2 mons 3 days 04:05:06'   '1-2'   'P1Y2M3DT4H5M6S'   '3 04:05'   '1.5 days ago'

A fraction of a month goes on as days (30 to a month), a fraction of a day as time.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from constellationdb.errors import InvalidDatetime

Span = tuple[int, int, int]

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_TIMES = {
    "us": 1, "usec": 1, "usecs": 1, "microsecond": 1, "microseconds": 1,
    "ms": 1000, "msec": 1000, "msecs": 1000, "millisecond": 1000, "milliseconds": 1000,
    "s": _SECOND, "sec": _SECOND, "secs": _SECOND, "second": _SECOND, "seconds": _SECOND,
    "m": 60 * _SECOND, "min": 60 * _SECOND, "mins": 60 * _SECOND, "minute": 60 * _SECOND, "minutes": 60 * _SECOND,
    "h": 3600 * _SECOND, "hr": 3600 * _SECOND, "hrs": 3600 * _SECOND, "hour": 3600 * _SECOND, "hours": 3600 * _SECOND,
}  # fmt: skip
_DAYS = {"d": 1, "day": 1, "days": 1, "w": 7, "week": 7, "weeks": 7}
_MONTHS = {
    "mon": 1, "mons": 1, "month": 1, "months": 1, "y": 12, "yr": 12, "yrs": 12, "year": 12, "years": 12,
    "decade": 120, "decades": 120, "century": 1200, "centuries": 1200,
}  # fmt: skip
_PART = re.compile(
    r"\s*(?:(?P<sign>[+-]?)(?P<hours>\d+):(?P<minutes>\d{1,2})(?::(?P<seconds>\d{1,2}(?:\.\d+)?))?"
    r"|(?P<days>[+-]?\d+)(?=\s+[+-]?\d+:)"
    r"|(?P<years>[+-]?\d+)-(?P<months>\d{1,2})(?!\d)"
    r"|(?P<amount>[+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*(?P<unit>[a-zA-Z]*))"
)
_ISO_DATE = {"Y": "years", "M": "months", "W": "weeks", "D": "days"}
_ISO_TIME = {"H": "hours", "M": "minutes", "S": "seconds"}
_ISO_PART = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))([YMWDHS])")


def parse_span(text: str, position: int | None = None) -> Span:
    """(months, days, microseconds); InvalidDatetime when it is none."""
    stripped = text.strip()
    if stripped[:1] in ("P", "p"):
        stripped = _from_iso(stripped.upper(), text, position)
    stripped, ago = re.subn(r"\s+ago$", "", stripped.removeprefix("@"), flags=re.IGNORECASE)
    total, at = (0, 0, 0), 0
    if not stripped.strip():
        raise _invalid(text, position)
    while at < len(stripped):
        match = _PART.match(stripped, at)
        part = None if match is None else _part(match)
        if match is None or part is None:
            raise _invalid(text, position)
        total = (total[0] + part[0], total[1] + part[1], total[2] + part[2])
        at = match.end()
    return (-total[0], -total[1], -total[2]) if ago else total


def canonical(span: Span) -> str:
    """The span in words that every parser of intervals reads alike."""
    words = [f"{count} {unit}" for count, unit in zip(span, ("months", "days", "microseconds"), strict=True) if count]
    return " ".join(words) or "0 days"


def _part(match: re.Match[str]) -> Span | None:
    if match["hours"] is not None:
        clock = int(match["hours"]) * 3600 + int(match["minutes"]) * 60 + Decimal(match["seconds"] or 0)
        return 0, 0, round(-clock * _SECOND if match["sign"] == "-" else clock * _SECOND)
    if match["days"] is not None:
        return 0, int(match["days"]), 0
    if match["years"] is not None:
        months = int(match["months"])
        years = int(match["years"])
        return years * 12 + (-months if match["years"].startswith("-") else months), 0, 0
    try:
        amount = Decimal(match["amount"])
    except InvalidOperation:
        return None
    return _counted(amount, (match["unit"] or "second").lower())


def _counted(amount: Decimal, unit: str) -> Span | None:
    if unit in _TIMES:
        return 0, 0, round(amount * _TIMES[unit])
    if unit in _DAYS:
        return 0, *_days(amount * _DAYS[unit])
    if unit in _MONTHS:
        months = amount * _MONTHS[unit]
        return int(months), *_days((months - int(months)) * 30)
    return None


def _days(amount: Decimal) -> tuple[int, int]:
    return int(amount), round((amount - int(amount)) * _DAY)


def _from_iso(text: str, written: str, position: int | None) -> str:
    date, mark, time = text[1:].partition("T")
    found = []
    for part, units in ((date, _ISO_DATE), (time, _ISO_TIME)):
        if _ISO_PART.sub("", part) or any(unit not in units for _, unit in _ISO_PART.findall(part)):
            raise _invalid(written, position)
        found += [f"{amount} {units[unit]}" for amount, unit in _ISO_PART.findall(part)]
    if mark and not time:
        raise _invalid(written, position)
    return " ".join(found)


def _invalid(text: str, position: int | None) -> InvalidDatetime:
    return InvalidDatetime(f'invalid input syntax for type interval: "{text}"', position=position)
