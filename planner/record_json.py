"""Rows, enums and maps as JSON, spelled as Postgres' to_json spells it: without blanks, json as it is written."""

from __future__ import annotations

import json

import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.catalog.text.array_literals import array_elements
from constellationdb.catalog.text.record_literals import record_fields
from constellationdb.catalog.types import SqlType

_JSON = (types.JSON.oid, types.JSONB.oid)


def as_json(text: str | None, sql_type: SqlType) -> str:
    """Of a value as it is carried in a row."""
    if text is None:
        return "null"
    if sql_type.fields:
        return object_of(record_fields(text), sql_type)
    if sql_type.element is not None:
        return f"[{','.join(as_json(element, sql_type.element) for element in array_elements(text))}]"
    arrow = sql_type.arrow
    if sql_type.oid in _JSON:  # a map is one
        return text
    if pa.types.is_boolean(arrow):
        return "true" if text == "t" else "false"
    if pa.types.is_floating(arrow):
        return f'"{text}"' if text in ("NaN", "Infinity", "-Infinity") else text
    if pa.types.is_decimal(arrow) or (pa.types.is_integer(arrow) and sql_type.oid not in types.REGISTERED):
        return text
    if pa.types.is_timestamp(arrow):
        text = text.replace(" ", "T") + (":00" if arrow.tz is not None else "")
    return json.dumps(text, ensure_ascii=False)


def object_of(fields: list[str | None], sql_type: SqlType) -> str:
    named = zip(sql_type.fields, fields, strict=True)
    members = (f"{json.dumps(name, ensure_ascii=False)}:{as_json(text, kind)}" for (name, kind), text in named)
    return "{" + ",".join(members) + "}"
