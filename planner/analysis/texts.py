"""String literals that the query turns into values: Postgres' errors for those that cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from pglast import ast

from constellationdb.catalog.text import reading
from constellationdb.catalog.text.array_literals import array_elements, vector_elements
from constellationdb.catalog.text.bytea import read_bytea
from constellationdb.errors import (
    ConstellationError,
    InvalidTextRepresentation,
    NumericOutOfRange,
)
from constellationdb.planner.analysis import kinds
from constellationdb.planner.analysis.clock_texts import time_of_day
from constellationdb.planner.analysis.made_kinds import Made
from constellationdb.planner.records import read_values
from constellationdb.planner.scalar_texts import check_float, moment, number
from constellationdb.planner.syntax.spans import canonical, parse_span

_BITS = {kinds.SMALLINT: 15, kinds.INTEGER: 31, kinds.BIGINT: 63}
_CARRIED: dict[str, Callable[[str], str]] = {
    kinds.UUID: reading.read_uuid, kinds.JSON: reading.read_json, kinds.JSONB: reading.read_jsonb,
    kinds.NAME: reading.read_name, kinds.CHAR: reading.read_char,
}  # fmt: skip
_TRUE = frozenset({"t", "true", "y", "yes", "on", "1", "tr", "tru", "ye"})
_FALSE = frozenset({"f", "false", "n", "no", "off", "0", "fa", "fal", "fals", "of"})


def typed(node: Any, kind: str, position: int | None) -> Any:
    """The literal ``node`` as a value of ``kind``: a cast, once it is known to succeed."""
    if node.isnull or kind in (kinds.TEXT, kinds.UNKNOWN):
        return node
    text = node.val.sval
    stripped = text.strip()
    if isinstance(kind, Made):
        return _made(text, kind, position)
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
        number(text, Decimal, kind, position)
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


def _made(text: str, kind: Made, position: int | None) -> Any:
    """A row, an enum or a map as it is carried; an array of them."""
    with at(position):
        value = read_values([text], kind.sql_type).to_pylist()[0]
    if kinds.is_array(kind):
        return kinds.cast(ast.A_ArrayExpr(elements=tuple(map(_constant, value))), kind)
    return kinds.cast(_string(value), kind)


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
    value = number(text, int, kind, position)
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
    value = number(text, int, kind, position)
    if not -(1 << _BITS[kind]) <= value < 1 << _BITS[kind]:
        raise NumericOutOfRange(f'value "{text}" is out of range for type {kind}', position=position)
    return int(value)


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
