"""How one result column is printed: many rows at once, or a few rows one by one.

``vector`` costs some ten microseconds a column however few the rows are;
``few`` is a plain loop and wins for the answers of a few rows that make up
most traffic. Both give the same bytes.
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
from constellationdb.catalog.text import PLAIN, REGISTERED, Style
from constellationdb.catalog.text.floats import double_text, rounded, single_text
from constellationdb.catalog.text.times import clock_text, one_date, one_timestamp, one_zoned
from constellationdb.catalog.types import SqlType
from constellationdb.wire.binary_columns import binary_cells
from constellationdb.wire.cells import Cells
from constellationdb.wire.text_columns import CellEncoder, text_cells

Values = list[bytes | None]
# Below this many rows the loop is faster.
FEW_ROWS = 4


@dataclass(frozen=True)
class ColumnEncoder:
    vector: Callable[[pa.Array], Cells]
    few: Callable[[pa.Array], Values]


@lru_cache(maxsize=1024)
def column_encoder(arrow: pa.DataType, sql_type: SqlType, format_code: int, style: Style = PLAIN) -> ColumnEncoder:
    if format_code:
        vector = binary_cells(arrow, sql_type, style)
        return ColumnEncoder(vector, _few_binaries(arrow, sql_type) or _listed(vector))
    vector = text_cells(arrow, sql_type, style)
    return ColumnEncoder(vector, _few_texts(arrow, sql_type, style) or _listed(vector))


def _listed(vector: CellEncoder) -> Callable[[pa.Array], Values]:
    return lambda array: vector(array).listed()


def _each(one: Callable[[Any], bytes]) -> Callable[[pa.Array], Values]:
    return lambda array: [None if value is None else one(value) for value in array.to_pylist()]


def _each_number(arrow: pa.DataType, one: Callable[[int], str]) -> Callable[[pa.Array], Values]:
    """Of a type that Python's own cannot hold entirely: through the integers below."""
    print_numbers = _each(lambda number: one(number).encode())
    return lambda array: print_numbers(array.view(arrow))


def _few_binaries(arrow: pa.DataType, sql_type: SqlType) -> Callable[[pa.Array], Values] | None:
    if arrow != sql_type.arrow:
        return None
    if arrow == pa.string() and sql_type.oid in (types.TEXT.oid, types.VARCHAR.oid):
        return _each(str.encode)
    layout = _LAYOUTS.get(sql_type.oid)
    return None if layout is None else _each(struct.Struct(layout).pack)


def _few_texts(arrow: pa.DataType, sql_type: SqlType, style: Style) -> Callable[[pa.Array], Values] | None:
    if arrow == pa.timestamp("us"):
        return _each_number(pa.int64(), lambda us: one_timestamp(us, ""))
    if arrow == types.TIMESTAMPTZ.arrow:
        return _each_number(pa.int64(), lambda us: one_zoned(us, style.zone))
    if pa.types.is_decimal(arrow):
        return _each(_declared_numeric if sql_type.typmod >= 0 else _bare_numeric)
    if pa.types.is_floating(arrow) and style.float_digits <= 0:
        digits = max((15 if pa.types.is_float64(arrow) else 6) + style.float_digits, 1)
        return _each(lambda value: rounded(value, digits))
    if sql_type.oid in REGISTERED or (pa.types.is_binary(arrow) and style.bytea_escape):
        return None
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
