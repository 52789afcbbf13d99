"""What ``insert`` takes, made one Arrow batch of the relation's own columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from constellationdb.errors import DatatypeMismatch, InvalidParameter, UndefinedColumn


def as_batch(name: str, rows: Any, schema: pa.Schema) -> pa.RecordBatch:
    """Rows as mappings or sequences, one mapping of columns, or anything that speaks Arrow (pandas, polars).

    Columns go by name and come out in the order of ``schema``, those that were
    not given are left out; a sequence must hold every column.
    """
    try:
        found = _table(rows, schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise DatatypeMismatch(f'rows for "{name}" do not fit its columns: {error}') from None
    unknown = [column for column in found.column_names if column not in schema.names]
    if unknown:
        raise UndefinedColumn(
            f'column "{unknown[0]}" of relation "{name}" does not exist', hint="it has " + ", ".join(schema.names)
        )
    return _conformed(name, found, schema)


def _table(rows: Any, schema: pa.Schema) -> pa.Table:
    if isinstance(rows, pa.RecordBatch):
        return pa.Table.from_batches([rows])
    if isinstance(rows, pa.Table):
        return rows
    if hasattr(rows, "__arrow_c_stream__"):  # polars, pandas, another Relation
        table = pa.table(rows)
        return table.drop_columns([column for column in table.column_names if column.startswith("__index_level_")])
    if isinstance(rows, Mapping):
        return _from_columns({key: list(values) for key, values in rows.items()}, schema)
    return _from_rows(list(rows), schema)


def _from_rows(rows: list[Any], schema: pa.Schema) -> pa.Table:
    if not rows:
        return schema.empty_table()
    if all(isinstance(row, Mapping) for row in rows):
        names = dict.fromkeys(key for row in rows for key in row)
        return _from_columns({key: [row.get(key) for row in rows] for key in names}, schema)
    if any(not isinstance(row, Sequence) or isinstance(row, str | bytes) for row in rows):
        raise InvalidParameter(
            "a row must be a mapping or a sequence", hint="insert takes [{'a': 1}], [(1,)], Arrow, pandas or polars"
        )
    for row in rows:
        if len(row) != len(schema):
            raise InvalidParameter(f"a row has {len(row)} values, the relation has {len(schema)} columns")
    return _from_columns(dict(zip(schema.names, map(list, zip(*rows, strict=True)), strict=True)), schema)


def _from_columns(columns: Mapping[str, list[Any]], schema: pa.Schema) -> pa.Table:
    """With the relation's type where it has the column; the caller names the ones that it does not have."""
    arrays = {}
    for name, values in columns.items():
        kind = schema.field(name).type if name in schema.names else None
        arrays[name] = pa.array(_exact(values) if kind is not None and pa.types.is_decimal(kind) else values, kind)
    return pa.table(arrays)


def _exact(values: Iterable[Any]) -> list[Any]:
    """Arrow makes a decimal of an integer only; a float or a text says its digits."""
    from decimal import Decimal

    return [Decimal(str(value)) if isinstance(value, float | str) else value for value in values]


def _conformed(name: str, table: pa.Table, schema: pa.Schema) -> pa.RecordBatch:
    fields = [field for field in schema if field.name in table.column_names]
    arrays = []
    for field in fields:
        try:
            column = table.column(field.name).cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DatatypeMismatch(f'column "{field.name}" of "{name}" cannot take these values: {error}') from None
        arrays.append(column.combine_chunks() if column.num_chunks != 1 else column.chunk(0))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))
