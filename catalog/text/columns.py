"""Arrow columns as the text Postgres 15+ prints, byte for byte.

``text_encoder`` picks one function per column, from a whole Arrow array to a
``binary`` array of the same length with nulls where it had nulls. Everything
that frames values (DataRow, CopyData) works on those arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.catalog import types
from constellationdb.catalog.text.floats import float4_text, float8_text, rounded_text
from constellationdb.catalog.text.nested import list_text, record_text, vector_text
from constellationdb.catalog.text.style import PLAIN, Style
from constellationdb.catalog.text.times import (
    date_text,
    duration_text,
    interval_text,
    time_text,
    timestamp_text,
    zoned_text,
)
from constellationdb.catalog.types import INT2VECTOR, OIDVECTOR, SqlType, of_arrow
from constellationdb.errors import FeatureNotSupported

Encoder = Callable[[pa.Array], pa.Array]

# Types whose value 0 stands for nothing, printed as a dash; other values are names, or numbers where there is no name.
REGISTERED = types.REGISTERED - {types.REGOPERATOR.oid}
_VECTORS = frozenset({types.INT2VECTOR.oid, types.OIDVECTOR.oid})


@lru_cache(maxsize=1024)
def text_encoder(arrow: pa.DataType, sql_type: SqlType | None = None, style: Style = PLAIN) -> Encoder:
    """How a column of ``arrow`` is printed. ``sql_type`` decides where the same Arrow type has several texts."""
    if sql_type in (INT2VECTOR, OIDVECTOR):
        return _vector_text
    if pa.types.is_decimal(arrow):
        return _cast_text if sql_type is not None and sql_type.typmod >= 0 and arrow.scale == 0 else _numeric(sql_type)
    if pa.types.is_timestamp(arrow):
        return timestamp_text if arrow.tz is None else zoned_text(style.zone)
    if pa.types.is_floating(arrow) and style.float_digits <= 0:
        return lambda array: rounded_text(array, style.float_digits)
    if _any_binary(arrow) and style.bytea_escape:
        return _bytea_escape
    if sql_type is not None and sql_type.oid in REGISTERED and pa.types.is_integer(arrow):
        return _registered_text
    for predicate, encoder in _ENCODERS:
        if predicate(arrow):
            return encoder
    return _nested(arrow, sql_type, style)


def cast_to_text(array: pa.Array, style: Style = PLAIN) -> pa.Array:
    """The column as a cast to text gives it: a boolean is true or false, not t or f."""
    if pa.types.is_boolean(array.type):
        return array.cast(pa.string())
    return text_encoder(array.type, of_arrow(array.type), style)(array).cast(pa.string())


def _nested(arrow: pa.DataType, sql_type: SqlType | None, style: Style) -> Encoder:
    if pa.types.is_dictionary(arrow):
        inner = text_encoder(arrow.value_type, sql_type, style)
        return lambda array: inner(array.dictionary_decode())
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow) or pa.types.is_fixed_size_list(arrow):
        element = None if sql_type is None else sql_type if pa.types.is_nested(arrow.value_type) else sql_type.element
        item = text_encoder(arrow.value_type, element or of_arrow(arrow.value_type), style)
        if sql_type is not None and sql_type.oid in _VECTORS:
            return lambda array: vector_text(array, item)
        return lambda array: list_text(array, item)
    if pa.types.is_struct(arrow):
        fields = [text_encoder(arrow.field(i).type, None, style) for i in range(arrow.num_fields)]
        return lambda array: record_text(array, fields)
    raise FeatureNotSupported(f"values of Arrow type {arrow} have no text format", hint="cast the column to a SQL type")


def _cast_text(array: pa.Array) -> pa.Array:
    return array.cast(pa.string()).cast(pa.binary())


def _vector_text(array: pa.Array) -> pa.Array:
    """int2vector and oidvector: numbers between blanks."""
    return pc.binary_join(array.cast(pa.list_(pa.string())), " ").cast(pa.binary())


def _string_text(array: pa.Array) -> pa.Array:
    return array.cast(pa.binary())


def _bool_text(array: pa.Array) -> pa.Array:
    return pc.if_else(array, pa.scalar(b"t"), pa.scalar(b"f"))


def _half_text(array: pa.Array) -> pa.Array:
    return float4_text(array.cast(pa.float32()))


def _null_text(array: pa.Array) -> pa.Array:
    return array.cast(pa.binary())


def _bytea_text(array: pa.Array) -> pa.Array:
    """One ``hex()`` over the whole column: every value's text is twice as long, so are its offsets."""
    values = array.cast(pa.binary())
    _, offset_buffer, data = values.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)[values.offset : values.offset + len(values) + 1]
    digits = b"" if data is None else memoryview(data)[offsets[0] : offsets[-1]].hex().encode()
    doubled = ((offsets - offsets[0]) * 2).astype(np.int32)
    hexed = pa.Array.from_buffers(pa.binary(), len(values), [None, pa.py_buffer(doubled), pa.py_buffer(digits)])
    prefixed = pc.binary_join_element_wise(pa.scalar(b"\\x"), hexed, pa.scalar(b""))
    return pc.if_else(values.is_valid(), prefixed, pa.scalar(None, pa.binary())) if values.null_count else prefixed


# What each byte becomes with bytea_output = escape.
_ESCAPED_BYTES = [
    b"\\\\" if byte == 92 else bytes([byte]) if 32 <= byte < 127 else b"\\%03o" % byte for byte in range(256)
]


def _bytea_escape(array: pa.Array) -> pa.Array:
    values = array.cast(pa.binary()).to_pylist()
    return pa.array([None if v is None else b"".join([_ESCAPED_BYTES[b] for b in v]) for v in values], pa.binary())


def _registered_text(array: pa.Array) -> pa.Array:
    return pc.if_else(pc.equal(array, 0), "-", array.cast(pa.string())).cast(pa.binary())


def _numeric(sql_type: SqlType | None) -> Encoder:
    """A declared numeric(p,s) prints its s digits; any other has no scale of its own: trailing zeros go."""
    declared = sql_type is not None and sql_type.typmod >= 0

    def encode(array: pa.Array) -> pa.Array:
        text = _plain_decimals(array)
        if not declared and array.type.scale > 0:
            text = pc.ascii_rtrim(pc.ascii_rtrim(text, "0"), ".")
        return text.cast(pa.binary())

    return encode


def _plain_decimals(array: pa.Array) -> pa.Array:
    """Arrow turns to exponents for small magnitudes; Postgres never does in a numeric."""
    text = array.cast(pa.string())
    exponents = pc.match_substring(text, "E").fill_null(False)
    if not pc.any(exponents).as_py():
        return text
    plain = pa.array([f"{value:f}" for value in array.filter(exponents).to_pylist()], pa.string())
    return pc.replace_with_mask(text, exponents, plain)


def _any_string(arrow: pa.DataType) -> bool:
    return bool(pa.types.is_string(arrow) or pa.types.is_large_string(arrow) or pa.types.is_string_view(arrow))


def _any_binary(arrow: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(arrow)
        or pa.types.is_large_binary(arrow)
        or pa.types.is_binary_view(arrow)
        or pa.types.is_fixed_size_binary(arrow)
    )


_ENCODERS: tuple[tuple[Callable[[pa.DataType], bool], Encoder], ...] = (
    (pa.types.is_integer, _cast_text),
    (_any_string, _string_text),
    (pa.types.is_float64, float8_text),
    (pa.types.is_boolean, _bool_text),
    (pa.types.is_float32, float4_text),
    (pa.types.is_float16, _half_text),
    (pa.types.is_date, date_text),
    (pa.types.is_time, time_text),
    (pa.types.is_interval, interval_text),
    (pa.types.is_duration, duration_text),
    (_any_binary, _bytea_text),
    (pa.types.is_null, _null_text),
)
