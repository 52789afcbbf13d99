"""How one result column is printed: many rows at once, or a few rows one by one.

The Arrow functions behind ``vector`` cost some hundred microseconds a column
however few the rows are; ``few`` is a plain loop and wins for the answers of a
few rows that make up most traffic. Both give the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.catalog.text import Encoder, text_encoder
from constellationdb.catalog.text.floats import double_text, single_text
from constellationdb.catalog.text.times import clock_text, one_date, one_timestamp
from constellationdb.catalog.types import SqlType
from constellationdb.wire.binary import binary_encoder

Values = list[bytes | None]
# Below this many rows the loop is faster.
FEW_ROWS = 32


@dataclass(frozen=True)
class ColumnEncoder:
    vector: Encoder
    few: Callable[[pa.Array], Values]


@lru_cache(maxsize=1024)
def column_encoder(arrow: pa.DataType, sql_type: SqlType, format_code: int) -> ColumnEncoder:
    if format_code:
        vector = binary_encoder(arrow, sql_type)
        layout = _LAYOUTS.get(sql_type.oid) if arrow == sql_type.arrow else None
        return ColumnEncoder(vector, _listed(vector) if layout is None else _each(struct.Struct(layout).pack))
    vector = text_encoder(arrow, sql_type)
    return ColumnEncoder(vector, _few_texts(arrow, sql_type) or _listed(vector))


def _listed(vector: Encoder) -> Callable[[pa.Array], Values]:
    def encode(array: pa.Array) -> Values:
        values: Values = vector(array).to_pylist()
        return values

    return encode


def _each(one: Callable[[Any], bytes]) -> Callable[[pa.Array], Values]:
    return lambda array: [None if value is None else one(value) for value in array.to_pylist()]


def _each_number(arrow: pa.DataType, one: Callable[[int], str]) -> Callable[[pa.Array], Values]:
    """Of a type that Python's own cannot hold entirely: through the integers below."""
    print_numbers = _each(lambda number: one(number).encode())
    return lambda array: print_numbers(array.view(arrow))


def _few_texts(arrow: pa.DataType, sql_type: SqlType) -> Callable[[pa.Array], Values] | None:
    if arrow == pa.timestamp("us"):
        return _each_number(pa.int64(), lambda us: one_timestamp(us, ""))
    if pa.types.is_timestamp(arrow) and arrow.unit == "us":
        return _each_number(pa.int64(), lambda us: one_timestamp(us, "+00"))
    if pa.types.is_decimal(arrow):
        return _each(_declared_numeric if sql_type.typmod >= 0 else _bare_numeric)
    return _FEW.get(arrow)


def _bare_numeric(value: Any) -> bytes:
    text = f"{value:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text).encode()


def _declared_numeric(value: Any) -> bytes:
    return f"{value:f}".encode()


_FEW: dict[pa.DataType, Callable[[pa.Array], Values]] = {
    pa.int16(): _each(lambda value: b"%d" % value),
    pa.int32(): _each(lambda value: b"%d" % value),
    pa.int64(): _each(lambda value: b"%d" % value),
    pa.string(): _each(str.encode),
    pa.bool_(): _each(lambda value: b"t" if value else b"f"),
    pa.float64(): _each(lambda value: double_text(value).encode()),
    pa.float32(): _each(lambda value: single_text(np.float32(value)).encode()),
    pa.date32(): _each_number(pa.int32(), one_date),
    pa.time64("us"): _each_number(pa.int64(), clock_text),
    pa.binary(): _each(lambda value: b"\\x" + value.hex().encode()),
}

_LAYOUTS = {
    types.BOOLEAN.oid: ">?",
    types.BIGINT.oid: ">q",
    types.SMALLINT.oid: ">h",
    types.INTEGER.oid: ">i",
    types.REAL.oid: ">f",
    types.DOUBLE.oid: ">d",
}
