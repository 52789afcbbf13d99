"""Columns named in SQL against the columns a connector has: by name, with the few casts that lose nothing."""

from __future__ import annotations

import pyarrow as pa

from constellationdb.catalog.types import of_arrow
from constellationdb.errors import DatatypeMismatch, UndefinedColumn

_DIGITS = {8: 3, 16: 5, 32: 10, 64: 20}  # of the widest integer, unsigned included


def pick_columns(available: pa.Schema, wanted: pa.Schema | None, owner: str) -> pa.Schema:
    """``wanted`` when each of its columns can be had from ``available``; all of them when nothing is wanted."""
    if wanted is None:
        return available
    for field in wanted:
        index = available.get_field_index(field.name)
        if index < 0:
            raise UndefinedColumn(f'{owner} has no column "{field.name}"', hint="it has " + ", ".join(available.names))
        if not castable(available.field(index).type, field.type):
            raise DatatypeMismatch(
                f'column "{field.name}" of {owner} is {of_arrow(available.field(index).type).name}, '
                f"not {of_arrow(field.type).name}",
                hint="declare it with its own type, or leave the column list out",
            )
    return available if wanted.equals(available) else wanted


def castable(have: pa.DataType, want: pa.DataType) -> bool:
    """True for the casts that keep every value (a number as double may round, as it does in SQL)."""
    if have.equals(want):
        return True
    if pa.types.is_floating(want):
        return bool(pa.types.is_integer(have) or pa.types.is_decimal(have))
    if pa.types.is_signed_integer(want) and pa.types.is_integer(have):
        return bool(want.bit_width > have.bit_width - pa.types.is_signed_integer(have))
    if pa.types.is_decimal(want) and pa.types.is_decimal(have):
        return bool(want.scale >= have.scale and want.precision - want.scale >= have.precision - have.scale)
    if pa.types.is_decimal(want) and pa.types.is_integer(have):
        return bool(want.precision - want.scale >= _DIGITS[have.bit_width])
    if pa.types.is_string(want):
        return bool(pa.types.is_large_string(have) or pa.types.is_string_view(have) or _holds_text(have))
    return bool(pa.types.is_timestamp(have) and pa.types.is_timestamp(want))


def _holds_text(have: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(have) and pa.types.is_string(have.value_type))


def empty_batch(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], field.type) for field in schema], schema=schema)
