"""Rows as JSON, an object a line, values as Postgres' to_json() prints them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.catalog.types import JSON, JSONB, of_field
from constellationdb.connectors.output.csv import texts

_ENCODER = msgspec.json.Encoder()
_NOT_FINITE = ("NaN", "Infinity", "-Infinity")


def json_lines(rows: pa.RecordBatch) -> bytes:
    columns = [values(column, field) for column, field in zip(rows.columns, rows.schema, strict=True)]
    names = rows.schema.names
    found = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)] if columns else []
    return bytes(_ENCODER.encode_lines(found))


def values(column: pa.Array, field: pa.Field) -> list[Any]:
    """What stands for a column's values in an object."""
    kind = field.type
    if pa.types.is_boolean(kind) or pa.types.is_integer(kind):
        found: list[Any] = column.to_pylist()
        return found
    if pa.types.is_struct(kind):
        return _objects(column)
    if pa.types.is_list(kind):
        return _lists(column, kind.value_field)
    printed = texts(column, field)
    if pa.types.is_timestamp(kind):
        return _moments(printed, zoned=kind.tz is not None)
    if pa.types.is_decimal(kind) or pa.types.is_floating(kind):
        return [t if t is None or t in _NOT_FINITE else msgspec.Raw(t.encode()) for t in printed.to_pylist()]
    if of_field(field) in (JSON, JSONB):
        return [None if t is None else msgspec.Raw(_one_line(t).encode()) for t in printed.to_pylist()]
    return printed.to_pylist()  # type: ignore[no-any-return]


def _one_line(text: str) -> str:
    """A json keeps its white space, and a line of ours must be one: a line break in it stands between two tokens."""
    return text.replace("\r", " ").replace("\n", " ") if "\n" in text or "\r" in text else text


def _moments(printed: pa.Array, *, zoned: bool) -> list[Any]:
    """2024-01-01T10:00:00, with +00:00 where there is a zone."""
    moments = pc.replace_substring(printed, " ", "T", max_replacements=1)
    if zoned:
        moments = pc.replace_substring_regex(moments, r"([+-]\d\d)$", r"\1:00")
    found: list[Any] = moments.to_pylist()
    return found


def _objects(column: pa.StructArray) -> list[Any]:
    fields = list(column.type)
    parts = [values(part, field) for part, field in zip(column.flatten(), fields, strict=True)]
    rows = zip(*parts, strict=True)
    names = [field.name for field in fields]
    valid = column.is_valid().to_pylist()
    return [dict(zip(names, row, strict=True)) if there else None for row, there in zip(rows, valid, strict=True)]


def _lists(column: pa.ListArray, element: pa.Field) -> list[Any]:
    found = values(column.values, element)
    spans = pairwise(column.offsets.to_pylist())
    valid = column.is_valid().to_pylist()
    return [found[start:end] if there else None for (start, end), there in zip(spans, valid, strict=True)]
