"""A column of binary fields as the column's type: numbers and moments by a kernel, texts as they are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.catalog.text.binary import DATE_RANGE, EPOCH_DAYS, EPOCH_US, MOMENT_RANGE, binary_reader
from constellationdb.catalog.text.reading import read_column
from constellationdb.catalog.types import SqlType, of_field
from constellationdb.engine.copying.fields import I64, Fields, booleans, numbers
from constellationdb.engine.copying.texts import checked_texts
from constellationdb.engine.kernels import copybinary
from constellationdb.planner.input_texts import parse_texts

_WIDTHS = {
    types.BOOLEAN.oid: 1, types.SMALLINT.oid: 2, types.INTEGER.oid: 4, types.BIGINT.oid: 8, types.REAL.oid: 4,
    types.DOUBLE.oid: 8, types.DATE.oid: 4, types.TIMESTAMP.oid: 8, types.TIMESTAMPTZ.oid: 8,
}  # fmt: skip
_PLAIN_TEXTS = frozenset({types.TEXT.oid, types.VARCHAR.oid, types.BPCHAR.oid})


def binary_column(fields: Fields, column: int, field: pa.Field) -> pa.Array:
    """Raises what one of the fields deserves, not necessarily the first."""
    sql_type = of_field(field)
    fast = _fast(fields, column, sql_type)
    if fast is not None:
        return fast
    read = binary_reader(sql_type.oid)
    texts = [None if value is None else read(value) for value in fields.values(column)]
    return read_column(parse_texts(texts, field.type), sql_type)


def _fast(fields: Fields, column: int, sql_type: SqlType) -> pa.Array | None:
    if sql_type.oid in _PLAIN_TEXTS:
        return checked_texts(fields, column)
    if sql_type.oid == types.BYTEA.oid:
        return fields.gathered(column, pa.binary())
    width = _WIDTHS.get(sql_type.oid)
    if width is None:
        return None
    values, valid = np.empty(fields.rows, np.int64), np.empty(fields.rows, np.uint8)
    lengths = fields.lengths[column]
    if copybinary.take_numbers(fields.data, fields.starts[column], lengths, width, values, valid) >= 0:
        return None
    if sql_type.oid == types.BOOLEAN.oid:
        return booleans((values != 0).astype(np.uint8), valid)
    if sql_type.oid == types.DATE.oid:
        if not _within(values, DATE_RANGE):
            return None
        values += EPOCH_DAYS
    elif sql_type.arrow == pa.timestamp("us") or sql_type.oid == types.TIMESTAMPTZ.oid:
        if not _within(values, MOMENT_RANGE):
            return None
        values += EPOCH_US
    return numbers(sql_type.arrow, values if width == 8 else values.astype(f"i{width}"), valid)


def _within(values: I64, bounds: tuple[int, int]) -> bool:
    """Infinity is outside: no column holds it."""
    return bool(((values >= bounds[0]) & (values < bounds[1])).all())
