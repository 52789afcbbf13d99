"""Settings whose values are words of their own: DateStyle, TimeZone, client_encoding, names of objects."""

from __future__ import annotations

import re
from collections.abc import Callable

from constellationdb.catalog.text.zones import is_number, zone_named
from constellationdb.engine.setting_kinds import invalid
from constellationdb.errors import FeatureNotSupported

_STYLES = {"iso": "ISO", "sql": "SQL", "german": "German", "postgres": "Postgres"}
_ORDERS = {
    "mdy": "MDY", "us": "MDY", "noneuro": "MDY", "noneuropean": "MDY", "dmy": "DMY", "euro": "DMY", "european": "DMY",
    "ymd": "YMD",
}  # fmt: skip
_CLOCK = re.compile(r"([+-])(\d\d:\d\d)")
_ENCODINGS = frozenset(
    ["sqlascii", "latin1", "latin2", "latin3", "latin4", "latin5", "latin6", "latin7", "latin8", "latin9", "latin10",
     "iso88591", "iso88595", "iso88596", "iso88597", "iso88598", "win1250", "win1251", "win1252", "win1253", "win1254",
     "win1255", "win1256", "win1257", "win1258", "win866", "win874", "windows1252", "koi8r", "koi8u", "eucjp", "euckr",
     "euccn", "euctw", "eucjis2004", "sjis", "shiftjis", "shiftjis2004", "big5", "gbk", "gb18030", "uhc", "johab",
     "muleinternal"]
)  # fmt: skip


def date_style(name: str, value: str) -> str:
    """Style and order; what is not said is ISO and MDY."""
    style: str | None = None
    order: str | None = None
    for word in (part.strip().strip('"').lower() for part in value.split(",")):
        if word in _STYLES:
            before, style = style, _STYLES[word]
            conflict = before not in (None, style)
        elif word in _ORDERS:
            before, order = order, _ORDERS[word]
            conflict = before not in (None, order)
        elif word == "default":
            conflict = False
        else:
            raise invalid(name, value, detail=f'Unrecognized key word: "{word}".')
        if conflict:
            raise invalid(name, value, detail='Conflicting "datestyle" specifications.')
    if style not in (None, "ISO"):
        raise FeatureNotSupported(f'DateStyle "{style}" is not supported', hint="dates are read and printed in ISO")
    return f"ISO, {order or 'MDY'}"


def time_zone(name: str, value: str) -> str:
    """A zone as Postgres prints it; ``-08:00`` is how SET TIME ZONE INTERVAL says an offset."""
    zone = zone_named(_offset(value.strip()))
    if zone is None:
        refused = invalid(name, value)
        refused.detail = "UTC timezone offset is out of range." if is_number(value) else None
        raise refused
    return zone.name


def _offset(text: str) -> str:
    """``-08:00`` as a zone's name; anything else as it is."""
    found = _CLOCK.fullmatch(text)
    if found is None:
        return text
    shown = found[2].removesuffix(":00")
    west = "+" if found[1] == "-" else "-"
    return f"<{found[1]}{shown}>{west}{shown}"


def client_encoding(name: str, value: str) -> str:
    plain = re.sub(r"[^a-z0-9]", "", value.lower())
    if plain in ("utf8", "unicode"):
        return "UTF8"
    if plain in _ENCODINGS:
        raise FeatureNotSupported(f'client encoding "{value}" is not supported', hint="set client_encoding to UTF8")
    raise invalid(name, value)


def existing(kind: str, *names: str) -> Callable[[str, str], str]:
    """The name of one of the few objects of its kind that there are; ``kind`` opens the sentence of the error."""

    def check(name: str, value: str) -> str:
        if value not in names:
            raise invalid(name, value, detail=f'{kind} "{value}" does not exist.')
        return value

    return check


def locale(name: str, value: str) -> str:
    if value not in ("", "C", "POSIX", "C.UTF-8", "en_US.UTF-8"):
        raise invalid(name, value)
    return value


def text_search(name: str, value: str) -> str:
    plain = value.removeprefix("pg_catalog.")
    if plain not in ("simple", "english", "german", "french", "spanish", "italian", "portuguese", "dutch", "russian"):
        raise invalid(name, value)
    return f"pg_catalog.{plain}"


def ascii_name(_name: str, value: str) -> str:
    """As Postgres keeps names that go to its log: what is not printable ASCII is written as bytes in hexadecimal."""
    return "".join(chr(b) if 32 <= b < 127 else f"\\x{b:02x}" for b in value.encode())


def only(allowed: Callable[[str], bool], hint: str) -> Callable[[str, str], str]:
    """Values that would change answers in ways we do not are refused, not taken in silence."""

    def check(name: str, value: str) -> str:
        if not allowed(value):
            raise FeatureNotSupported(f'"{value}" for parameter "{name}" is not supported', hint=hint)
        return value

    return check
