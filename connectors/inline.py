"""Connector ``inline``: a small lookup table written into its own CREATE statement.

    rows = '[{"symbol": "AAPL", "sector": "tech"}, ["MSFT", "tech"]]'
    data = 'symbol,sector
            AAPL,tech'

A row of ``rows`` is an object (missing names are NULL) or an array in the
order of the columns. ``data`` is CSV whose first line names the columns; an
empty field is NULL. A bad row refuses the statement: there is nobody to look
at an error table yet.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from constellationdb.catalog.types import of_arrow
from constellationdb.connectors.api import Options
from constellationdb.connectors.key_index import canonical
from constellationdb.connectors.memory_lookup import MemoryLookup
from constellationdb.connectors.options import Option, read_options
from constellationdb.connectors.values import from_json
from constellationdb.errors import InvalidParameter, UniqueViolation

OPTIONS = (Option("rows"), Option("data"))


def open_inline(schema: pa.Schema, primary_key: Sequence[str], options: Options) -> MemoryLookup:
    settings = read_options("inline", OPTIONS, options)
    if len(settings.given) != 1:
        raise InvalidParameter(
            'connector "inline" needs exactly one of the options "rows" and "data"',
            hint="rows is a JSON array of rows, data is CSV with a header line",
        )
    rows = (
        _json_rows(settings.text("rows"), schema) if settings.has("rows") else _csv_rows(settings.text("data"), schema)
    )
    table = pa.Table.from_arrays(
        [_column(field, [row[i] for row in rows]) for i, field in enumerate(schema)], schema=schema
    )
    _check_keys(table, primary_key)
    return MemoryLookup(table, primary_key, f"{len(rows)} inline rows")


def _json_rows(text: str, schema: pa.Schema) -> list[list[Any]]:
    try:
        rows = json.loads(text, parse_float=Decimal)
    except ValueError as error:
        raise _malformed("rows", str(error)) from None
    if not isinstance(rows, list):
        raise _malformed("rows", "not an array")
    return [_values(row, number, schema) for number, row in enumerate(rows, 1)]


def _values(row: object, number: int, schema: pa.Schema) -> list[Any]:
    if isinstance(row, dict):
        unknown = sorted(set(row) - set(schema.names))
        if unknown:
            raise _malformed("rows", f'row {number} has "{unknown[0]}", which is no column')
        return [row.get(name) for name in schema.names]
    if isinstance(row, list) and len(row) == len(schema):
        return row
    raise _malformed("rows", f"row {number} is neither an object nor an array of {len(schema)} values")


def _csv_rows(text: str, schema: pa.Schema) -> list[list[Any]]:
    lines = [line for line in csv.reader(text.strip().splitlines(), skipinitialspace=True) if line]
    if not lines:
        raise _malformed("data", "no header line")
    header = [name.strip() for name in lines[0]]
    unknown = sorted(set(header) - set(schema.names))
    if unknown:
        raise _malformed("data", f'the header names "{unknown[0]}", which is no column')
    rows: list[list[Any]] = []
    for number, line in enumerate(lines[1:], 1):
        if len(line) != len(header):
            raise _malformed("data", f"row {number} has {len(line)} fields, the header {len(header)}")
        by_name = {name: value.strip() or None for name, value in zip(header, line, strict=True)}
        rows.append([by_name.get(name) for name in schema.names])
    return rows


def _column(field: pa.Field, values: list[Any]) -> pa.Array:
    try:
        return from_json(values, field.type)
    except pa.ArrowInvalid:
        number, value = next((i, value) for i, value in enumerate(values, 1) if not _converts(value, field.type))
        raise InvalidParameter(
            f'inline row {number}: invalid value for column "{field.name}": "{value}"',
            hint=f"expected {of_arrow(field.type).name}",
        ) from None


def _converts(value: Any, target: pa.DataType) -> bool:
    try:
        from_json([value], target)
    except pa.ArrowInvalid:
        return False
    return True


def _check_keys(table: pa.Table, primary_key: Sequence[str]) -> None:
    columns = [table.column(name).to_pylist() for name in primary_key]
    seen: set[tuple[Any, ...]] = set()
    for number, values in enumerate(zip(*columns, strict=True), 1):
        if None in values:
            raise InvalidParameter(f"inline row {number} has NULL in its primary key ({', '.join(primary_key)})")
        key = tuple(canonical(value) for value in values)
        if key in seen:
            shown = ", ".join(str(value) for value in values)
            raise UniqueViolation(f"inline row {number} repeats the primary key ({', '.join(primary_key)})=({shown})")
        seen.add(key)


def _malformed(option: str, why: str) -> InvalidParameter:
    return InvalidParameter(
        f'invalid value for option "{option}" of connector "inline": {why}',
        hint="rows is a JSON array of rows, data is CSV with a header line",
    )
