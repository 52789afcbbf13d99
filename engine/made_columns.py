"""Columns of rows, enums and maps in a source: connectors bring them as text, of JSON its own, and they are read here.

A row that cannot be read is an error of its source, like one that cannot be decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from constellationdb.catalog.types import SqlType, field_of, of_field
from constellationdb.connectors.api import Polled, Position, RowError, Source, SourceReader
from constellationdb.errors import ConstellationError
from constellationdb.planner.maps import parse_json, text_of_json
from constellationdb.planner.records import read_values
from constellationdb.planner.statements import ColumnDef


def with_types(schema: pa.Schema, columns: Iterable[ColumnDef]) -> pa.Schema:
    """A connector's schema, which says Arrow types only, with those that are made of others."""
    for column in columns:
        if column.type.is_made:
            schema = schema.set(schema.get_field_index(column.name), field_of(column.name, column.type))
    return schema


def made_columns(schema: pa.Schema) -> dict[int, SqlType]:
    found = {index: of_field(field) for index, field in enumerate(schema)}
    return {index: kind for index, kind in found.items() if kind.is_made}


class MadeSource:
    """A source with such columns, read."""

    def __init__(self, inner: Source, schema: pa.Schema) -> None:
        self._inner = inner
        self.schema = schema

    def partitions(self) -> Sequence[str]:
        return self._inner.partitions()

    def open(self, partition: str, position: Position) -> SourceReader:
        return _Reader(self._inner.open(partition, position), made_columns(self.schema))


class _Reader:
    def __init__(self, inner: SourceReader, kinds: dict[int, SqlType]) -> None:
        self._inner = inner
        self._kinds = kinds

    def poll(self, limit: int) -> Polled:
        polled = self._inner.poll(limit)
        if polled.batch is None or not polled.batch.num_rows:
            return polled
        batch, errors = _read(polled.batch, self._kinds)
        return replace(polled, batch=batch, errors=(*polled.errors, *errors))

    def replay(self, start: Position, end: Position) -> Iterator[pa.RecordBatch]:
        for batch in self._inner.replay(start, end):
            yield _read(batch, self._kinds)[0]

    def close(self) -> None:
        self._inner.close()


def _read(batch: pa.RecordBatch, kinds: dict[int, SqlType]) -> tuple[pa.RecordBatch, list[RowError]]:
    """The rows whose columns can be read, and an error for each of the others."""
    good = np.ones(batch.num_rows, np.bool_)
    errors: list[RowError] = []
    columns = list(batch.columns)
    for index, kind in kinds.items():
        made: list[object] = []
        for row, text in enumerate(columns[index].to_pylist()):
            try:
                made.append(_value(text, kind))
            except ConstellationError as error:
                if good[row]:
                    errors.append(RowError(str(text), error.sqlstate, error.message))
                good[row] = False
                made.append(None)
        columns[index] = pa.array(made, kind.arrow)
    rows = pa.RecordBatch.from_arrays(columns, schema=batch.schema)
    return (rows if good.all() else rows.filter(pa.array(good))), errors


def _value(text: str | None, kind: SqlType) -> object:
    """JSON is told from Postgres' text form by its first character: of a row it is a bracket."""
    if text is not None and kind.fields and text.lstrip().startswith("{"):
        text = text_of_json(parse_json(text, kind.name), kind)
    return read_values([text], kind)[0].as_py()
