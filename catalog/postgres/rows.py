"""The rows that ship: each file read once, into the Arrow types of its relation's columns."""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyarrow as pa

from constellationdb.catalog.text.array_literals import array_elements, vector_elements
from constellationdb.catalog.types import INT2VECTOR, OIDVECTOR, SqlType

_FOLDER = Path(__file__).parent
_NULL = "\\N"


def exist(name: str) -> bool:
    return (_FOLDER / f"{name}.csv").exists()


@cache
def texts(name: str) -> tuple[dict[str, str], ...]:
    """The rows of a file, by oid where they have one, as in Postgres: a driver takes the first type that fits."""
    with (_FOLDER / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return tuple(sorted(rows, key=lambda row: int(row.get("oid") or 0)))


def table(name: str, columns: list[tuple[str, SqlType]], schema: pa.Schema) -> pa.Table:
    rows = texts(name)
    arrays = [
        pa.array([_value(row[column], sql_type) for row in rows], field.type)
        for (column, sql_type), field in zip(columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def truth(text: str) -> bool:
    return text in ("t", "true")


def _value(text: str | None, sql_type: SqlType) -> object:
    if text is None or text == _NULL:
        return None
    if sql_type.element is not None:
        split = vector_elements if sql_type in (INT2VECTOR, OIDVECTOR) else array_elements
        return [_value(element, sql_type.element) for element in split(text)]
    return _reader(sql_type.arrow)(text)


def _reader(arrow: pa.DataType) -> Callable[[str], object]:
    if pa.types.is_boolean(arrow):
        return truth
    if pa.types.is_integer(arrow):
        return int
    return float if pa.types.is_floating(arrow) else str
