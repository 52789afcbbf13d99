"""Columns as text, many rows at once: a kernel for what is common, ``catalog.text`` for the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.catalog.text import PLAIN, REGISTERED, Style, text_encoder
from constellationdb.catalog.types import SqlType
from constellationdb.wire.cells import (
    I32,
    I64,
    U8,
    Cells,
    booleans,
    bytes_cells,
    numbers,
    taken_cells,
    without_nulls_of,
)
from constellationdb.wire.kernels.digits import INTEGER_WIDTH, integers
from constellationdb.wire.kernels.floats import FLOAT_WIDTH, doubles, singles
from constellationdb.wire.kernels.intervals import INTERVAL_WIDTH, intervals
from constellationdb.wire.kernels.numerics import NUMERIC_WIDTH, numeric_texts
from constellationdb.wire.kernels.times import NO_ZONE, TIME_WIDTH, clocks, dates, timestamps
from constellationdb.wire.record_columns import styled

CellEncoder = Callable[[pa.Array], Cells]

_LETTERS: U8 = np.frombuffer(b"ft", np.uint8)
INTERVAL_PARTS = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanos", "<i8")])


def text_cells(arrow: pa.DataType, sql_type: SqlType, style: Style) -> CellEncoder:
    """How a column described as ``sql_type`` whose batches carry ``arrow`` is printed."""
    if pa.types.is_dictionary(arrow):
        value = text_cells(arrow.value_type, sql_type, style)
        return lambda array: taken_cells(value(array.dictionary), array)
    if pa.types.is_decimal128(arrow):
        return _numeric(arrow.scale, trim=sql_type.typmod < 0)
    if style != PLAIN and any(part.fields for part in types.parts_of(sql_type)):
        plain = _from_arrow(arrow, sql_type, PLAIN)
        return lambda array: plain(styled(array, sql_type, style))
    if arrow == types.TIMESTAMPTZ.arrow:
        return lambda array: _zoned(array, style)
    if pa.types.is_floating(arrow) and style.float_digits <= 0:
        return _from_arrow(arrow, sql_type, style)
    if sql_type.oid in REGISTERED and pa.types.is_integer(arrow):
        return _from_arrow(arrow, sql_type, style)
    return _KERNELS.get(arrow) or _from_arrow(arrow, sql_type, style)


def _from_arrow(arrow: pa.DataType, sql_type: SqlType, style: Style) -> CellEncoder:
    encode = text_encoder(arrow, sql_type, style)
    return lambda array: bytes_cells(encode(array))


def printed(array: pa.Array, width: int, kernel: Callable[[U8, I64, I32], object]) -> Cells:
    """``width`` bytes of room for every row."""
    count = len(array)
    out, starts, lengths = np.empty(count * width, np.uint8), np.empty(count, np.int64), np.empty(count, np.int32)
    kernel(out, starts, lengths)
    return Cells(out, starts, without_nulls_of(array, lengths))


def _of(kernel: Callable[..., object], width: int, dtype: Any, wide: Any = None) -> CellEncoder:
    """``dtype`` in the array, ``wide`` for the kernel."""

    def encode(array: pa.Array) -> Cells:
        values = numbers(array, dtype).astype(wide or dtype, copy=False)
        return printed(array, width, lambda *room: kernel(values, *room))

    return encode


def _bool(array: pa.Array) -> Cells:
    return Cells(_LETTERS, booleans(array), without_nulls_of(array, np.ones(len(array), np.int32)))


def _timestamp(array: pa.Array) -> Cells:
    values = numbers(array, np.int64)
    return printed(array, TIME_WIDTH, lambda *room: timestamps(values, NO_ZONE, *room))


def _zoned(array: pa.Array, style: Style) -> Cells:
    values = numbers(array, np.int64)
    offsets = style.zone.offsets(values)
    return printed(array, TIME_WIDTH, lambda *room: timestamps(values, offsets, *room))


def _interval(array: pa.Array) -> Cells:
    parts = numbers(array, INTERVAL_PARTS)
    months, days = parts["months"].astype(np.int64), parts["days"].astype(np.int64)
    us = parts["nanos"] // 1000
    return printed(array, INTERVAL_WIDTH, lambda *room: intervals(months, days, us, *room))


def _numeric(scale: int, trim: bool) -> CellEncoder:
    """A declared numeric prints all its decimals, any other has no scale of its own: zeros at the end go."""

    def encode(array: pa.Array) -> Cells:
        raw = numbers(array, np.int64, 2)
        return printed(array, NUMERIC_WIDTH, lambda *room: numeric_texts(raw, scale, int(trim), *room))

    return encode


_KERNELS: dict[pa.DataType, CellEncoder] = {
    pa.bool_(): _bool,
    pa.int8(): _of(integers, INTEGER_WIDTH, np.int8, np.int64),
    pa.int16(): _of(integers, INTEGER_WIDTH, np.int16, np.int64),
    pa.int32(): _of(integers, INTEGER_WIDTH, np.int32, np.int64),
    pa.int64(): _of(integers, INTEGER_WIDTH, np.int64),
    pa.uint8(): _of(integers, INTEGER_WIDTH, np.uint8, np.int64),
    pa.uint16(): _of(integers, INTEGER_WIDTH, np.uint16, np.int64),
    pa.uint32(): _of(integers, INTEGER_WIDTH, np.uint32, np.int64),
    pa.float32(): _of(singles, FLOAT_WIDTH, np.uint32),
    pa.float64(): _of(doubles, FLOAT_WIDTH, np.uint64),
    pa.date32(): _of(dates, TIME_WIDTH, np.int32),
    pa.time64("us"): _of(clocks, TIME_WIDTH, np.int64),
    pa.timestamp("us"): _timestamp,
    pa.month_day_nano_interval(): _interval,
    pa.string(): bytes_cells,
    pa.large_string(): bytes_cells,
    pa.string_view(): bytes_cells,
}
