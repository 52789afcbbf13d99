"""A column of text fields as the column's type: the common spellings by a kernel or Arrow, the others one by one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from constellationdb.catalog.text.binary import utf8_text
from constellationdb.catalog.text.reading import reader_of
from constellationdb.catalog.text.zones import UTC_ZONE, Zone
from constellationdb.catalog.types import of_field
from constellationdb.engine.copying.fields import Fields, booleans, numbers
from constellationdb.engine.kernels import copyfields
from constellationdb.planner.records import read_values


def text_column(fields: Fields, column: int, field: pa.Field, zone: Zone = UTC_ZONE) -> pa.Array:
    """Raises what one of the fields deserves, not necessarily the first."""
    fast = _fast(fields, column, field)
    if fast is not None:
        return fast
    texts = [None if value is None else utf8_text(value) for value in fields.values(column)]
    return read_values(texts, of_field(field), zone)


def _fast(fields: Fields, column: int, field: pa.Field) -> pa.Array | None:
    """The column where all of its fields are spelled in the usual way, else None."""
    kind = field.type
    if pa.types.is_string(kind):
        sql_type = of_field(field)
        plain = reader_of(sql_type) is None and not sql_type.is_made
        return checked_texts(fields, column) if plain else None
    if pa.types.is_integer(kind) and pa.types.is_signed_integer(kind):
        limit = (1 << (kind.bit_width - 1)) - 1
        return _read(copyfields.read_integers, fields, column, kind, limit)
    if pa.types.is_date32(kind):
        return _read(copyfields.read_dates, fields, column, kind, copyfields.days_of_months())
    if kind == pa.timestamp("us"):
        return _read(copyfields.read_timestamps, fields, column, kind, copyfields.days_of_months())
    if pa.types.is_boolean(kind):
        return _booleans(fields, column)
    return _floats(fields, column, kind) if pa.types.is_floating(kind) else None


def checked_texts(fields: Fields, column: int) -> pa.Array | None:
    """A column of strings; None when one is no UTF-8 or has a zero byte."""
    texts = fields.gathered(column, pa.string())
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return None
    data = texts.buffers()[2]
    return None if data is not None and b"\0" in memoryview(data).tobytes() else texts


def _read(
    kernel: Callable[..., int], fields: Fields, column: int, kind: pa.DataType, argument: object
) -> pa.Array | None:
    values, valid = np.empty(fields.rows, np.int64), np.empty(fields.rows, np.uint8)
    if kernel(fields.data, fields.starts[column], fields.lengths[column], argument, values, valid) >= 0:
        return None
    narrow: NDArray[np.generic] = values if kind.bit_width == 64 else values.astype(f"i{kind.bit_width // 8}")
    return numbers(kind, narrow, valid)


def _booleans(fields: Fields, column: int) -> pa.Array | None:
    values, valid = np.empty(fields.rows, np.uint8), np.empty(fields.rows, np.uint8)
    odd = copyfields.read_booleans(fields.data, fields.starts[column], fields.lengths[column], values, valid)
    return None if odd >= 0 else booleans(values, valid)


_WORDS = np.array([letter in b"nNyYpPxX" for letter in range(256)])


def _floats(fields: Fields, column: int, kind: pa.DataType) -> pa.Array | None:
    """By Arrow, which reads digits exactly; words, and what overflows or vanishes, are Postgres' to judge."""
    texts = fields.gathered(column, pa.string())
    letters = np.frombuffer(texts.buffers()[2], np.uint8)
    if bool(_WORDS[letters].any()):
        return None
    try:
        found = pc.cast(texts, kind)
    except pa.ArrowInvalid:
        return None
    values = found.fill_null(1).to_numpy(zero_copy_only=False)
    vanished = bool((values == 0).any()) and bool(((letters == ord("e")) | (letters == ord("E"))).any())
    return found if bool(np.isfinite(values).all()) and not vanished else None
