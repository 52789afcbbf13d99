"""String literals that the query turns into values: Postgres' errors for those that cannot be."""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import Any

from pglast import ast

from constellationdb.catalog.text import reading
from constellationdb.catalog.text.array_literals import array_elements, vector_elements
from constellationdb.catalog.text.bytea import read_bytea
from constellationdb.catalog.text.times import one_timestamp
from constellationdb.catalog.text.zones import Zone, zone_of_expression
from constellationdb.errors import (
    ConstellationError,
    DatetimeOverflow,
    FeatureNotSupported,
    InvalidDatetime,
    InvalidParameter,
    InvalidTextRepresentation,
    NumericOutOfRange,
)
from constellationdb.planner.analysis import kinds
from constellationdb.planner.analysis.clock_texts import time_of_day
from constellationdb.planner.syntax.spans import canonical, parse_span
from constellationdb.planner.syntax.zones import check_displacement

_BITS = {kinds.SMALLINT: 15, kinds.INTEGER: 31, kinds.BIGINT: 63}
_CARRIED: dict[str, Callable[[str], str]] = {
    kinds.UUID: reading.read_uuid, kinds.JSON: reading.read_json, kinds.JSONB: reading.read_jsonb,
    kinds.NAME: reading.read_name, kinds.CHAR: reading.read_char,
}  # fmt: skip
_TRUE = frozenset({"t", "true", "y", "yes", "on", "1", "tr", "tru", "ye"})
_FALSE = frozenset({"f", "false", "n", "no", "off", "0", "fa", "fal", "fals", "of"})
_SPECIAL = frozenset({"now", "today", "tomorrow", "yesterday", "epoch", "infinity", "-infinity"})
_EPOCH, _MICROSECOND = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC), datetime.timedelta(microseconds=1)
_LEAST_REAL = 7.006492321624085e-46  # half of the least above zero, which rounds down to that
_GREATEST_REAL = 3.4028235677973366e38  # half a step above the greatest, which rounds down to it
_MOMENT = re.compile(
    r"(\d{4,6})-(\d{1,2})-(\d{1,2})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2})(\.\d+)?)?)?"
    r"\s*(Z|UTC|[+-]\d{1,2}(?::?\d{2})?|[A-Z]{2,}(?:_[A-Z]+)*(?:/[\w+-]+)*)?",
    re.IGNORECASE,
)


def typed(node: Any, kind: str, position: int | None) -> Any:
    """The literal ``node`` as a value of ``kind``: a cast, once it is known to succeed."""
    if node.isnull or kind in (kinds.TEXT, kinds.UNKNOWN):
        return node
    text = node.val.sval
    stripped = text.strip()
    if kinds.is_array(kind):
        return _array(text, kind, position)
    if kind in kinds.REGS:
        return ast.FuncCall(funcname=(ast.String(sval=f"con_{kind}_in"),), args=(_string(text),))
    if kind in kinds.OIDS:
        return kinds.cast(_string(str(_oid(text, kind, position))), kind)
    if kind in _CARRIED:
        with at(position):
            return kinds.cast(_string(_CARRIED[kind](text)), kind)
    if kind in _BITS:
        return kinds.cast(_string(str(_integer(text, kind, position))), kind)
    if kind == kinds.BOOLEAN:
        return ast.A_Const(isnull=False, val=ast.Boolean(boolval=_boolean(text, position)))
    if kind == kinds.NUMERIC:
        _number(text, Decimal, kind, position)
    elif kind in (kinds.REAL, kinds.DOUBLE):
        check_float(text, kind, position)
    elif kind in kinds.MOMENTS:
        stripped = moment(text, kind, position)
    elif kind == kinds.TIME:
        stripped = time_of_day(text, position)
    elif kind == kinds.INTERVAL:
        stripped = canonical(parse_span(text, position))
    elif kind == kinds.BYTEA:
        return _bytes(text, position)
    return kinds.cast(_string(stripped), kind)


def _array(text: str, kind: str, position: int | None) -> Any:
    """``{1,2}`` as ARRAY[1, 2]; int2vector and oidvector are written ``1 2``."""
    element = kinds.element(kind)
    with at(position):
        found = array_elements(text) if kind.endswith("[]") else vector_elements(text)
    elements = tuple(typed(_constant(member), element, position) for member in found)
    return kinds.cast(ast.A_ArrayExpr(elements=elements), kind)


def _constant(text: str | None) -> Any:
    return ast.A_Const(isnull=True) if text is None else _string(text)


def _oid(text: str, kind: str, position: int | None) -> int:
    value = _number(text, int, kind, position)
    if not -(1 << 31) <= value < 1 << 32:
        raise NumericOutOfRange(f'value "{text}" is out of range for type {kind}', position=position)
    return int(value) % (1 << 32)


@contextmanager
def at(position: int | None) -> Iterator[None]:
    """An error of a reader that does not know where its text stands."""
    try:
        yield
    except ConstellationError as error:
        error.position = position
        raise


def _string(text: str) -> Any:
    return ast.A_Const(isnull=False, val=ast.String(sval=text))


def _integer(text: str, kind: str, position: int | None) -> int:
    value = _number(text, int, kind, position)
    if not -(1 << _BITS[kind]) <= value < 1 << _BITS[kind]:
        raise NumericOutOfRange(f'value "{text}" is out of range for type {kind}', position=position)
    return int(value)


def _number(text: str, read: Any, kind: str, position: int | None) -> Any:
    try:
        if "_" in text or not text.isascii():  # Python reads more than Postgres does
            raise ValueError(text)
        return read(text.strip())
    except (ValueError, InvalidOperation):
        raise InvalidTextRepresentation(f'invalid input syntax for type {kind}: "{text}"', position=position) from None


def check_float(text: str, kind: str, position: int | None) -> None:
    value = _number(text, float, kind, position)
    vanished = value == 0 or (kind == kinds.REAL and abs(value) <= _LEAST_REAL)
    if vanished and re.search("[1-9]", re.split("[eE]", text)[0]):
        raise NumericOutOfRange(f'"{text}" is out of range for type {kind}', position=position)
    greatest = _GREATEST_REAL if kind == kinds.REAL else sys.float_info.max
    if abs(value) > greatest and "inf" not in text.lower():
        raise NumericOutOfRange(f'"{text}" is out of range for type {kind}', position=position)


def _bytes(text: str, position: int | None) -> Any:
    with at(position):
        value = read_bytea(text)
    function = (ast.String(sval="decode"),)
    return ast.FuncCall(funcname=function, args=(_string(value.hex()), _string("hex")))


def _boolean(text: str, position: int | None) -> bool:
    lowered = text.strip().lower()
    if lowered in _TRUE or lowered in _FALSE:
        return lowered in _TRUE
    raise InvalidTextRepresentation(f'invalid input syntax for type boolean: "{text}"', position=position)


def moment(text: str, kind: str, position: int | None) -> str:
    """The literal written in full, seconds and all; the zone of a type without one is ignored."""
    word = text.strip().lower()
    if word == "epoch":
        return "1970-01-01 00:00:00" + ("+00:00" if kind == kinds.TIMESTAMPTZ else "")
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
    if kind == kinds.DATE:
        return date.isoformat()
    micros = round(Decimal(found[7] or 0) * 1_000_000)
    try:
        moment = datetime.datetime.combine(date, datetime.time()) + datetime.timedelta(
            seconds=clock, microseconds=micros
        )
    except OverflowError:
        return text.strip()
    if kind != kinds.TIMESTAMPTZ or not found[8]:
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
    said = moment(text, kinds.TIMESTAMPTZ, position)
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
