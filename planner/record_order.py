"""Which rows are equal, and which come first, by Postgres' rules: field by field, NULL last and equal to NULL."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.catalog.text.array_literals import array_elements
from constellationdb.catalog.text.reading import parse_jsonb
from constellationdb.catalog.types import SqlType
from constellationdb.errors import UndefinedFunction
from constellationdb.planner.input_texts import parse_texts
from constellationdb.planner.records import Texts, field_texts

_NUMERIC_OID = 1700
_KEYED = frozenset({types.INTERVAL.oid, types.JSONB.oid, types.REAL.oid, types.DOUBLE.oid})
_END, _THERE, _NULL = "0", "1", "2"  # of a list, before a value, instead of one
_END_OF_TEXT = " "  # before any digit
_DAY_NS = 86_400_000_000_000
_REST = 2**63 - 1  # every bit but the sign


def is_keyed(sql_type: SqlType) -> bool:
    """Whether equal values may have different texts: 24 hours and a day, 1.0 and 1.00, 0 and -0."""
    if sql_type.element is not None:
        return is_keyed(sql_type.element)
    if sql_type.fields:
        anonymous = sql_type.oid == types.RECORD_OID
        return any(is_keyed(kind) or (anonymous and kind.oid == _NUMERIC_OID) for _, kind in sql_type.fields)
    return sql_type.pair is None and sql_type.oid in _KEYED


def check_comparable(sql_type: SqlType) -> None:
    for _, kind in sql_type.fields:
        if kind.oid == types.JSON.oid:
            raise UndefinedFunction("could not identify an equality operator for type json")
        check_comparable(kind)


def sort_texts(texts: Texts, sql_type: SqlType) -> list[str]:
    """Texts that sort as the values do, those of equal values the same. ``texts``: the values as they are carried."""
    if sql_type.fields:
        columns = zip(field_texts(texts, sql_type), sql_type.fields, strict=True)
        rows = ["".join(parts) for parts in zip(*(sort_texts(c, kind) for c, (_, kind) in columns), strict=True)]
    elif (element := sql_type.element) is not None:
        rows = ["" if t is None else "".join(sort_texts(array_elements(t), element)) + _END for t in texts]
    else:
        key = _key_of(sql_type)
        rows = ["" if text is None else key(text) for text in texts]
    return [_NULL if text is None else _THERE + row for text, row in zip(texts, rows, strict=True)]


def _key_of(sql_type: SqlType) -> Callable[[str], str]:
    """Of the text of one value."""
    arrow = sql_type.arrow
    if sql_type.labels:
        return lambda text: f"{sql_type.labels.index(text):08x}"
    if sql_type.oid == types.JSONB.oid and sql_type.pair is None:
        return lambda text: _of_text(json.dumps(_one_way(parse_jsonb(text)), sort_keys=True))
    if pa.types.is_string(arrow):
        return _of_text
    if pa.types.is_floating(arrow):
        return lambda text: _of_double(float(text))
    if pa.types.is_decimal(arrow):
        return lambda text: _of_decimal(Decimal(text))
    return lambda text: _of_scalar(parse_texts([text], arrow)[0])


def _of_scalar(scalar: pa.Scalar) -> str:
    kind = scalar.type
    if pa.types.is_interval(kind):
        months, days, nanos = scalar.as_py()
        return _of_integer((months * 30 + days) * _DAY_NS + nanos, 40)
    if pa.types.is_binary(kind):
        return str(scalar.as_py().hex()) + _END_OF_TEXT
    if pa.types.is_temporal(kind):
        scalar = scalar.cast(pa.int32() if pa.types.is_date32(kind) else pa.int64())
    return _of_integer(int(scalar.as_py()), 20)


def _of_text(text: str) -> str:
    return text.encode().hex() + _END_OF_TEXT


def _of_integer(value: int, width: int) -> str:
    return f"{value + (1 << 4 * width - 1):0{width}x}"


def _of_double(value: float) -> str:
    """-inf … -0 = 0 … inf, NaN."""
    bits = int(np.float64(np.nan if np.isnan(value) else value + 0.0).view(np.int64))
    return _of_integer(bits if bits >= 0 else (bits ^ _REST), 20)


def _of_decimal(value: Decimal) -> str:
    """38 digits before the point and 38 behind it: more than any numeric has."""
    return _of_integer(int(value.scaleb(38)), 66)


def _one_way(value: Any) -> Any:
    """A jsonb with one way to say each number."""
    match value:
        case dict():
            return {key: _one_way(inner) for key, inner in value.items()}
        case list():
            return [_one_way(inner) for inner in value]
        case Decimal():
            return format(value.normalize(), "f")
        case str():
            return f"'{value}"
        case _:
            return value
