"""Columns in Postgres' binary formats, many rows at once.

Numbers are written big-endian; dates and timestamps count from the year 2000.
A type without an encoder here is refused with 0A000 before any row is sent:
clients then ask again for text.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from constellationdb.catalog import types
from constellationdb.catalog.text import PLAIN, Style
from constellationdb.catalog.types import SqlType
from constellationdb.errors import FeatureNotSupported, InvalidTextRepresentation
from constellationdb.wire.array_columns import array_cells
from constellationdb.wire.cells import Cells, booleans, bytes_cells, fixed_cells, numbers, taken_cells, without_nulls_of
from constellationdb.wire.kernels.binaries import uuids
from constellationdb.wire.kernels.numerics import BINARY_WIDTH, numeric_words
from constellationdb.wire.record_columns import record_cells
from constellationdb.wire.text_columns import INTERVAL_PARTS, CellEncoder, printed, text_cells

EPOCH_DAYS = 10_957  # 2000-01-01 in days since 1970
EPOCH_US = EPOCH_DAYS * 86_400_000_000
_SENT_INTERVAL = np.dtype([("us", ">i8"), ("days", ">i4"), ("months", ">i4")])
_BITS = np.frombuffer(b"\x00\x01", np.uint8)


def binary_cells(arrow: pa.DataType, sql_type: SqlType, style: Style) -> CellEncoder:
    """How a column described as ``sql_type`` whose batches carry ``arrow`` is sent."""
    if pa.types.is_dictionary(arrow):
        value = binary_cells(arrow.value_type, sql_type, style)
        return lambda array: taken_cells(value(array.dictionary), array)
    if sql_type.fields:
        fields = [binary_cells(kind.arrow, kind, style) for _, kind in sql_type.fields]
        return record_cells(sql_type, fields)
    if sql_type.oid in _TEXTS or sql_type.labels:
        return text_cells(arrow, sql_type, style)
    if sql_type.oid == _NUMERIC_OID:
        return _numeric(arrow, trim=sql_type.typmod < 0)
    if sql_type.element is not None:
        return _array(arrow, sql_type, style)
    encoder = _ENCODERS.get(sql_type.oid)
    if encoder is None:
        raise FeatureNotSupported(
            f"type {sql_type.name} has no binary result format here", hint="ask for text results of this column"
        )
    if arrow == sql_type.arrow:
        return encoder
    return lambda array: encoder(array.cast(sql_type.arrow, safe=False))


def check_binary(sql_type: SqlType) -> None:
    """Raise what ``binary_cells`` would raise, at Bind, before the statement runs."""
    binary_cells(sql_type.arrow, sql_type, PLAIN)


def _plain(stored: type, sent: str) -> CellEncoder:
    return lambda array: fixed_cells(numbers(array, stored).astype(sent), array)


def _bool(array: pa.Array) -> Cells:
    return Cells(_BITS, booleans(array), without_nulls_of(array, np.ones(len(array), np.int32)))


def _since_2000(stored: type, sent: str, epoch: int) -> CellEncoder:
    """The two ends of the range are infinity here and there: they stay."""
    limits = np.iinfo(stored)

    def rebased(values: NDArray[np.int64]) -> NDArray[np.int64]:
        infinite = (values == limits.min) | (values == limits.max)
        with np.errstate(over="ignore"):
            return np.where(infinite, values, values - values.dtype.type(epoch))

    return lambda array: fixed_cells(rebased(numbers(array, stored)).astype(sent), array)


def _interval(array: pa.Array) -> Cells:
    parts = numbers(array, INTERVAL_PARTS)
    sent = np.empty(len(parts), _SENT_INTERVAL)
    sent["us"], sent["days"], sent["months"] = parts["nanos"] // 1000, parts["days"], parts["months"]
    return fixed_cells(sent, array)


def _numeric(arrow: pa.DataType, trim: bool) -> CellEncoder:
    """As many decimals as its text shows."""
    scale = arrow.scale if pa.types.is_decimal(arrow) else 0

    def encode(array: pa.Array) -> Cells:
        raw = numbers(array.cast(pa.decimal128(38, scale)), np.int64, 2)
        return printed(array, BINARY_WIDTH, lambda *room: numeric_words(raw, scale, int(trim), *room))

    return encode


def _uuid(array: pa.Array) -> Cells:
    text = bytes_cells(array)
    out = np.zeros((len(array), 16), np.uint8)
    if uuids(text.data, text.starts, text.lengths, out.reshape(-1)):
        raise InvalidTextRepresentation("invalid input syntax for type uuid")
    return fixed_cells(out.view("S16").reshape(-1), array)


def _jsonb(array: pa.Array) -> Cells:
    """The version of its format, and the text."""
    return bytes_cells(pc.binary_join_element_wise(b"\x01", array.cast(pa.binary()), b""))


def _array(arrow: pa.DataType, sql_type: SqlType, style: Style) -> CellEncoder:
    leaf = arrow
    while pa.types.is_list(leaf) or pa.types.is_large_list(leaf):
        leaf = leaf.value_type
    assert sql_type.element is not None
    element = binary_cells(leaf, sql_type.element, style)
    return lambda array: array_cells(array, sql_type, element)


_NUMERIC_OID = 1700
_TEXTS = frozenset(
    t.oid for t in (types.TEXT, types.VARCHAR, types.BPCHAR, types.NAME, types.CHAR, types.JSON, types.VOID)
)
_UNSIGNED = _plain(np.int64, ">u4")
_ENCODERS: dict[int, Callable[[pa.Array], Cells]] = {
    types.BOOLEAN.oid: _bool,
    types.BYTEA.oid: bytes_cells,
    types.BIGINT.oid: _plain(np.int64, ">i8"),
    types.SMALLINT.oid: _plain(np.int16, ">i2"),
    types.INTEGER.oid: _plain(np.int32, ">i4"),
    types.REAL.oid: _plain(np.int32, ">i4"),
    types.DOUBLE.oid: _plain(np.int64, ">i8"),
    types.DATE.oid: _since_2000(np.int32, ">i4", EPOCH_DAYS),
    types.TIME.oid: _plain(np.int64, ">i8"),
    types.TIMESTAMP.oid: _since_2000(np.int64, ">i8", EPOCH_US),
    types.TIMESTAMPTZ.oid: _since_2000(np.int64, ">i8", EPOCH_US),
    types.INTERVAL.oid: _interval,
    types.UUID.oid: _uuid,
    types.JSONB.oid: _jsonb,
    types.OID.oid: _UNSIGNED,
    types.XID.oid: _UNSIGNED,
    types.REGPROC.oid: _UNSIGNED,
    types.REGCLASS.oid: _UNSIGNED,
    types.REGTYPE.oid: _UNSIGNED,
    types.REGROLE.oid: _UNSIGNED,
    types.REGPROCEDURE.oid: _UNSIGNED,
    types.REGOPERATOR.oid: _UNSIGNED,
    types.REGNAMESPACE.oid: _UNSIGNED,
}
