"""Result columns in Postgres' binary formats.

Encoders have the shape of ``catalog/text/columns.py``: a whole array in, a ``binary``
array out. Numbers are written big-endian; dates and timestamps count from the
year 2000. A type without an encoder here is refused with 0A000 before any row
is sent: clients then ask again for text.
"""

from __future__ import annotations

import struct
from decimal import Decimal
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.catalog import types
from constellationdb.catalog.text import Encoder, text_encoder
from constellationdb.catalog.types import SqlType
from constellationdb.errors import FeatureNotSupported

_EPOCH_DAYS = 10_957  # 2000-01-01 in days since 1970
_EPOCH_US = _EPOCH_DAYS * 86_400_000_000
_INTERVAL = np.dtype([("us", ">i8"), ("days", ">i4"), ("months", ">i4")])


@lru_cache(maxsize=1024)
def binary_encoder(arrow: pa.DataType, sql_type: SqlType) -> Encoder:
    """The encoder of a column described as ``sql_type`` whose batches carry ``arrow``."""
    if sql_type.oid in (types.TEXT.oid, types.VARCHAR.oid):
        return text_encoder(arrow, sql_type)
    encoder = _ENCODERS.get(sql_type.oid)
    if encoder is None:
        raise FeatureNotSupported(
            f"type {sql_type.name} has no binary result format here", hint="ask for text results of this column"
        )
    if arrow == sql_type.arrow or sql_type.oid == 1700:
        return encoder
    return lambda array: encoder(array.cast(sql_type.arrow, safe=False))


def check_binary(sql_type: SqlType) -> None:
    """Raise what ``binary_encoder`` would raise, at Bind, before the statement runs."""
    binary_encoder(sql_type.arrow, sql_type)


def _fixed(numbers: np.ndarray, nulls_from: pa.Array) -> pa.Array:
    width = numbers.dtype.itemsize
    data = pa.py_buffer(np.ascontiguousarray(numbers))
    values = pa.Array.from_buffers(pa.binary(width), len(numbers), [None, data]).cast(pa.binary())
    if not nulls_from.null_count:
        return values
    return pc.if_else(nulls_from.is_valid(), values, pa.scalar(None, pa.binary()))


def _plain(dtype: str) -> Encoder:
    return lambda array: _fixed(array.fill_null(0).to_numpy(zero_copy_only=False).astype(dtype), array)


def _bool(array: pa.Array) -> pa.Array:
    return pc.if_else(array, pa.scalar(b"\x01"), pa.scalar(b"\x00"))


def _date(array: pa.Array) -> pa.Array:
    days = array.cast(pa.int32()).fill_null(0).to_numpy(zero_copy_only=False)
    return _fixed(_rebased(days, _EPOCH_DAYS).astype(">i4"), array)


def _timestamp(array: pa.Array) -> pa.Array:
    us = array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return _fixed(_rebased(us, _EPOCH_US).astype(">i8"), array)


def _rebased(values: np.ndarray, epoch: int) -> np.ndarray:
    """The two ends of the range are infinity here and there: they stay."""
    limits = np.iinfo(values.dtype)
    infinite = (values == limits.min) | (values == limits.max)
    with np.errstate(over="ignore"):
        return np.where(infinite, values, values - values.dtype.type(epoch))


def _time(array: pa.Array) -> pa.Array:
    return _plain(">i8")(array.cast(pa.int64()))


def _interval(array: pa.Array) -> pa.Array:
    parts = [(0, 0, 0) if v is None else (v.nanoseconds // 1000, v.days, v.months) for v in array.to_pylist()]
    return _fixed(np.array(parts, _INTERVAL), array)


def _numeric(array: pa.Array) -> pa.Array:
    return pa.array([None if v is None else numeric_bytes(v) for v in array.to_pylist()], pa.binary())


def numeric_bytes(value: Decimal) -> bytes:
    """Base 10,000 digits, the weight of the first one, the sign, and how many decimals to show."""
    sign, digit_tuple, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    scale = max(-exponent, 0)
    text = "".join(map(str, digit_tuple)) + "0" * max(exponent, 0)
    whole, fraction = (text[:-scale], text[-scale:].zfill(scale)) if scale else (text, "")
    whole = whole.zfill(-(-len(whole) // 4) * 4)
    fraction = fraction.ljust(-(-len(fraction) // 4) * 4, "0")
    digits = [int((whole + fraction)[i : i + 4]) for i in range(0, len(whole) + len(fraction), 4)]
    weight = len(whole) // 4 - 1
    while digits and digits[0] == 0:
        del digits[0]
        weight -= 1
    while digits and digits[-1] == 0:
        del digits[-1]
    if not digits:
        weight = 0
    return struct.pack(f">hhHh{len(digits)}h", len(digits), weight, 0x4000 if sign and digits else 0, scale, *digits)


_ENCODERS: dict[int, Encoder] = {
    types.BOOLEAN.oid: _bool,
    types.BYTEA.oid: lambda array: array.cast(pa.binary()),
    types.BIGINT.oid: _plain(">i8"),
    types.SMALLINT.oid: _plain(">i2"),
    types.INTEGER.oid: _plain(">i4"),
    types.REAL.oid: _plain(">f4"),
    types.DOUBLE.oid: _plain(">f8"),
    types.DATE.oid: _date,
    types.TIME.oid: _time,
    types.TIMESTAMP.oid: _timestamp,
    types.TIMESTAMPTZ.oid: _timestamp,
    types.INTERVAL.oid: _interval,
    1700: _numeric,
}
