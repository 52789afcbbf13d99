"""Sizes as people write them: ``512MB``."""

from __future__ import annotations

import re

from constellationdb.errors import InvalidParameter

_SIZE = re.compile(r"\s*(\d+)\s*(B|kB|MB|GB|TB)?\s*")
_UNITS = {None: 1, "B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}


def bytes_of(name: str, given: int | str | None) -> int | None:
    """An option's bytes; 22023 when it is no size."""
    if given is None:
        return None
    found = _SIZE.fullmatch(str(given))
    if found is None or int(found[1]) == 0:
        raise InvalidParameter(
            f'invalid value for parameter "{name}": "{given}"',
            hint='Valid units for this parameter are "B", "kB", "MB", "GB", and "TB".',
        )
    return int(found[1]) * _UNITS[found[2]]
