"""How a session wants its values printed, and which of Postgres' styles there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from constellationdb.catalog.text.zones import UTC_ZONE, Zone, is_number, zone_named
from constellationdb.errors import FeatureNotSupported, InvalidParameter


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


def checked_style_setting(name: str, value: str) -> str:
    """The value as SHOW prints it; 22023 when it is none, 0A000 when values cannot be printed in that style."""
    check = _CHECKS.get(name)
    return value if check is None else check(value)


def _timezone(value: str) -> str:
    zone = zone_named(value)
    if zone is None:
        too_far = "UTC timezone offset is out of range." if is_number(value) else None
        raise InvalidParameter(f'invalid value for parameter "TimeZone": "{value}"', detail=too_far)
    return zone.name


def _float_digits(value: str) -> str:
    try:
        digits = int(value)
    except ValueError:
        raise InvalidParameter(f'invalid value for parameter "extra_float_digits": "{value}"') from None
    if not -15 <= digits <= 3:
        raise InvalidParameter(f'{digits} is outside the valid range for parameter "extra_float_digits" (-15 .. 3)')
    return str(digits)


def _bytea_output(value: str) -> str:
    if value.lower() not in ("hex", "escape"):
        raise InvalidParameter(
            f'invalid value for parameter "bytea_output": "{value}"', hint="Available values: escape, hex."
        )
    return value.lower()


_DATE_STYLES = ("iso", "sql", "postgres", "german")
_DATE_ORDERS = {
    "mdy": "MDY", "us": "MDY", "noneuro": "MDY", "noneuropean": "MDY",
    "dmy": "DMY", "euro": "DMY", "european": "DMY", "ymd": "YMD",
}  # fmt: skip


def _datestyle(value: str) -> str:
    """The order matters to nothing that is printed in ISO style."""
    order = "MDY"
    for word in (part.strip().lower() for part in value.split(",")):
        if word in _DATE_ORDERS:
            order = _DATE_ORDERS[word]
        elif word not in ("iso", "default"):
            if not word.startswith(_DATE_STYLES):
                raise InvalidParameter(
                    f'invalid value for parameter "DateStyle": "{value}"', detail=f'Unrecognized key word: "{word}".'
                )
            raise FeatureNotSupported(f'DateStyle "{value}" is not supported', hint="dates are printed in ISO style")
    return f"ISO, {order}"


def _intervalstyle(value: str) -> str:
    if value.lower() in ("postgres_verbose", "sql_standard", "iso_8601"):
        raise FeatureNotSupported(
            f'IntervalStyle "{value}" is not supported', hint="intervals are printed in the style postgres"
        )
    if value.lower() != "postgres":
        raise InvalidParameter(
            f'invalid value for parameter "intervalstyle": "{value}"',
            hint="Available values: postgres, postgres_verbose, sql_standard, iso_8601.",
        )
    return "postgres"


_CHECKS: dict[str, Callable[[str], str]] = {
    "timezone": _timezone,
    "extra_float_digits": _float_digits,
    "bytea_output": _bytea_output,
    "datestyle": _datestyle,
    "intervalstyle": _intervalstyle,
}
