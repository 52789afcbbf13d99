"""Python values as parameters of a statement: the text that Postgres reads, and the type where it is certain."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from constellationdb.catalog import types
from constellationdb.errors import InvalidParameter

UNKNOWN = 0  # the statement says what it is, as it does of a string constant


class Parameter(NamedTuple):
    """The value of ``$n``; None is NULL."""

    text: str | None
    oid: int = UNKNOWN


def as_parameters(values: Sequence[Any]) -> tuple[Parameter, ...]:
    """The first value is ``$1``."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence):
        raise InvalidParameter(
            "parameters must be a sequence: $1 is the first of them", hint="pass [value] or (value,)"
        )
    return tuple(map(as_parameter, values))


def as_parameter(value: Any) -> Parameter:
    if hasattr(value, "item") and not isinstance(value, list | tuple):  # a scalar of numpy
        value = value.item()
    match value:
        case None | str():
            return Parameter(value)
        case bool():
            return Parameter("true" if value else "false", types.BOOLEAN.oid)
        case int():
            return Parameter(str(value), _integer_oid(value))
        case float():
            return Parameter(_float(value), types.DOUBLE.oid)
        case Decimal():
            return Parameter(str(value), types.numeric().oid)
        case bytes() | bytearray() | memoryview():
            return Parameter("\\x" + bytes(value).hex(), types.BYTEA.oid)
        case datetime():
            kind = types.TIMESTAMP if value.tzinfo is None else types.TIMESTAMPTZ
            return Parameter(value.isoformat(" "), kind.oid)
        case date():
            return Parameter(value.isoformat(), types.DATE.oid)
        case time():
            return Parameter(value.isoformat(), types.TIME.oid)
        case timedelta():
            seconds = value.seconds + value.microseconds / 1_000_000
            return Parameter(f"{value.days} days {seconds:.6f} seconds", types.INTERVAL.oid)
        case UUID():
            return Parameter(str(value))
        case Mapping():
            return Parameter(json.dumps(value))
        case list() | tuple():
            return Parameter(_array(value), _array_oid(value))
        case _:
            raise InvalidParameter(f"a {type(value).__name__} cannot be a parameter", hint="pass its text")


def _integer_oid(value: int) -> int:
    """The narrowest type, as the constant would have."""
    if -(2**31) <= value < 2**31:
        return types.INTEGER.oid
    return types.BIGINT.oid if -(2**63) <= value < 2**63 else types.numeric().oid


def _float(value: float) -> str:
    if value != value:
        return "NaN"
    return repr(value).replace("inf", "Infinity")


def _array(values: Sequence[Any]) -> str:
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: Any) -> str:
    if isinstance(value, list | tuple):
        return _array(value)
    text = as_parameter(value).text
    return "NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _array_oid(values: Sequence[Any]) -> int:
    """Of the widest element; UNKNOWN where the elements say no type, or not one."""
    known = {parameter.oid for parameter in map(as_parameter, values) if parameter.text is not None}
    for integers in (types.INTEGER, types.BIGINT, types.numeric()):
        if integers.oid in known and known <= {types.INTEGER.oid, types.BIGINT.oid, integers.oid}:
            widest = types.BIGINT if integers is types.INTEGER and types.BIGINT.oid in known else integers
            widest = types.numeric() if types.numeric().oid in known else widest
            return types.array_of(widest).oid
    kind = types.by_oid(known.pop()) if len(known) == 1 else None
    return UNKNOWN if kind is None or kind.element is not None else types.array_of(kind).oid
