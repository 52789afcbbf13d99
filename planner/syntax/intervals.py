"""INTERVAL literals as microseconds: delays and latenesses, so fixed lengths only.

Accepted: INTERVAL '5' SECOND, INTERVAL '5 seconds', '5 seconds'::interval,
INTERVAL '00:00:05' and INTERVAL 5 SECONDS.
"""

from __future__ import annotations

import re
from decimal import Decimal

from constellationdb.errors import InvalidDatetime, InvalidParameter
from constellationdb.planner.syntax.cursor import Cursor

_SECOND = 1_000_000
_UNITS = {
    "us": 1, "usec": 1, "usecs": 1, "microsecond": 1, "microseconds": 1,
    "ms": 1000, "msec": 1000, "msecs": 1000, "millisecond": 1000, "milliseconds": 1000,
    "s": _SECOND, "sec": _SECOND, "secs": _SECOND, "second": _SECOND, "seconds": _SECOND,
    "m": 60 * _SECOND, "min": 60 * _SECOND, "mins": 60 * _SECOND, "minute": 60 * _SECOND, "minutes": 60 * _SECOND,
    "h": 3600 * _SECOND, "hr": 3600 * _SECOND, "hrs": 3600 * _SECOND, "hour": 3600 * _SECOND, "hours": 3600 * _SECOND,
    "d": 86400 * _SECOND, "day": 86400 * _SECOND, "days": 86400 * _SECOND,
    "w": 604800 * _SECOND, "week": 604800 * _SECOND, "weeks": 604800 * _SECOND,
}  # fmt: skip
_VARIABLE = frozenset(("mon", "mons", "month", "months", "y", "yr", "yrs", "year", "years"))
_CLAUSE_UNITS = frozenset(unit for unit in _UNITS if len(unit) > 2) | _VARIABLE

_PART = re.compile(
    r"\s*(?:([+-]?)(\d+):(\d{1,2})(?::(\d{1,2}(?:\.\d+)?))?|([+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*([a-zA-Z]*))"
)


def parse_interval(text: str, unit: str | None = None, position: int | None = None) -> int:
    """Microseconds; ``unit`` is what a bare number counts, seconds when not said."""
    total, at = Decimal(0), 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _PART.match(stripped, at)
        if match is None:
            raise _invalid(text, position)
        total += _part_us(match, unit or "second", text, position)
        at = match.end()
    if not stripped.strip():
        raise _invalid(text, position)
    return int(total)


def interval_literal(cursor: Cursor) -> int:
    """The interval at the cursor, in microseconds and never negative."""
    position = cursor.position + 1
    text, unit = _literal(cursor)
    micros = parse_interval(text, unit, position)
    if micros < 0:
        raise InvalidParameter("interval must not be negative", position=position)
    return micros


def _literal(cursor: Cursor) -> tuple[str, str | None]:
    if cursor.accept("interval"):
        number = cursor.peek().name in ("ICONST", "FCONST")
        text = cursor.next().word if number else cursor.string()
        unit = cursor.next().word if cursor.peek().word in _CLAUSE_UNITS else None
        return text, unit
    text = cursor.string()
    cursor.expect("::", "interval")
    return text, None


def _part_us(match: re.Match[str], unit: str, text: str, position: int | None) -> Decimal:
    sign, hours, minutes, seconds, amount, name = match.groups()
    if hours is not None:
        clock = int(hours) * 3600 + int(minutes) * 60 + Decimal(seconds or 0)
        return -clock * _SECOND if sign == "-" else clock * _SECOND
    name = (name or unit).lower()
    if name in _VARIABLE:
        raise InvalidParameter(
            f'interval "{text}" has no fixed length', hint="say it in weeks, days or smaller units", position=position
        )
    if name not in _UNITS:
        raise _invalid(text, position)
    return Decimal(amount) * _UNITS[name]


def _invalid(text: str, position: int | None) -> InvalidDatetime:
    return InvalidDatetime(f'invalid input syntax for type interval: "{text}"', position=position)
