"""Results made of text: SHOW, EXPLAIN."""

from __future__ import annotations

import pyarrow as pa

from constellationdb.catalog import types
from constellationdb.engine.result import Result, ResultColumn

SETTINGS = tuple(ResultColumn(name, types.TEXT) for name in ("name", "setting", "description"))
EXPLAIN = (ResultColumn("QUERY PLAN", types.TEXT),)


def text_rows(names: tuple[str, ...], rows: list[tuple[str, ...]], tag: str) -> Result:
    """Rows of text columns."""
    columns = tuple(ResultColumn(name, types.TEXT) for name in names)
    arrays = [pa.array([row[i] for row in rows], pa.string()) for i in range(len(names))]
    batch = pa.RecordBatch.from_arrays(arrays, names=list(names))
    return Result(tag, columns, iter([batch] if rows else []))


def settings(values: list[tuple[str, str, str]]) -> Result:
    return text_rows(("name", "setting", "description"), list(values), "SHOW")


def columns_of(schema: pa.Schema) -> tuple[ResultColumn, ...]:
    """A schema as a client is told of it."""
    return tuple(ResultColumn(field.name, types.of_field(field)) for field in schema)
