"""The literals of ``time``: a time of day, with or without a date before it and a zone behind, both of no meaning."""

from __future__ import annotations

import re
from decimal import Decimal

from constellationdb.errors import DatetimeOverflow, FeatureNotSupported, InvalidDatetime

_TIME = re.compile(
    r"(?:\d{4,6}-\d{1,2}-\d{1,2}[ T]+)?(\d{1,2}):(\d{1,2})(?::(\d{1,2})(\.\d*)?)?\s*(am|pm)?"
    r"\s*(?:Z|UTC|[+-]\d{1,2}(?::?\d{2})?)?",
    re.IGNORECASE,
)
_SECOND, _DAY = 1_000_000, 86_400_000_000


def time_of_day(text: str, position: int | None) -> str:
    """The literal in full."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise InvalidDatetime(f'invalid input syntax for type time: "{text}"', position=position)
    hour, minute, second = (int(part or 0) for part in found.groups()[:3])
    half = (found[5] or "").lower()
    if minute > 59 or second > 60 or hour > 24 or (half and not 1 <= hour <= 12):
        raise _out_of_range(text, position)
    if half:
        hour = hour % 12 + 12 * (half == "pm")
    micros = (hour * 3600 + minute * 60 + second) * _SECOND + round(Decimal(found[4] or 0) * _SECOND)
    if micros > _DAY:
        raise _out_of_range(text, position)
    if micros == _DAY:
        raise FeatureNotSupported("the time 24:00:00 is not supported", hint="write 00:00:00", position=position)
    seconds, rest = divmod(micros, _SECOND)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:06}"


def _out_of_range(text: str, position: int | None) -> DatetimeOverflow:
    return DatetimeOverflow(f'date/time field value out of range: "{text}"', position=position)
