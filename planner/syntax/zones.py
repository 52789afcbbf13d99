"""The zone behind a timestamp, as far as it can be wrong by itself."""

from __future__ import annotations

import re

from constellationdb.errors import InvalidTimeZone

_DISPLACEMENT = re.compile(r":\d{2}(?:\.\d+)?\s*[+-](\d{1,2})(?::?(\d{2}))?\s*$")
_FARTHEST = 15  # hours; Postgres takes what is less than 16


def check_displacement(text: str, position: int | None = None) -> None:
    found = _DISPLACEMENT.search(text)
    if found is not None and (int(found[1]) > _FARTHEST or int(found[2] or 0) > 59):
        raise InvalidTimeZone(f'time zone displacement out of range: "{text}"', position=position)
