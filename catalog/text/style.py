"""How a session wants its values printed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from constellationdb.catalog.text.zones import UTC_ZONE, Zone, zone_named


@dataclass(frozen=True)
class Style:
    zone: Zone = UTC_ZONE
    float_digits: int = 1  # extra_float_digits: above 0 the shortest exact text, else so many fewer than 15 or 6
    bytea_escape: bool = False


PLAIN = Style()
# The settings a Style is made of.
STYLE_SETTINGS = ("timezone", "extra_float_digits", "bytea_output")


@lru_cache(maxsize=256)
def style_of(timezone: str, float_digits: str, bytea_output: str) -> Style:
    """From the values SHOW prints."""
    zone = zone_named(timezone)
    assert zone is not None, timezone
    return Style(zone, int(float_digits), bytea_output == "escape")
