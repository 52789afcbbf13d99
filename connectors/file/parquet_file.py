"""One Parquet file, read by row numbers, one row group in memory at a time."""

from __future__ import annotations

import bisect
import itertools
import json

import pyarrow as pa
import pyarrow.parquet as pq

from constellationdb.catalog.types import of_arrow
from constellationdb.connectors.api import RowError
from constellationdb.connectors.file.text_file import Piece
from constellationdb.connectors.values import show
from constellationdb.errors import ConnectorFailure


class ParquetFile:
    def __init__(self, path: str, schema: pa.Schema) -> None:
        self._schema = schema
        try:
            self._file = pq.ParquetFile(path)
        except pa.ArrowInvalid as error:
            raise ConnectorFailure(f'file "{path}" is not Parquet: {error}') from None
        metadata = self._file.metadata
        # the number of the first row of each group, and of the row behind the last
        sizes = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        self._starts = [0, *itertools.accumulate(sizes)]
        self._columns = [name for name in schema.names if name in self._file.schema_arrow.names]
        self._group: tuple[int, pa.Table] | None = None

    def read(self, offset: int, limit: int, stop: int | None = None) -> Piece:
        rows = self._starts[-1]
        end = min(offset + limit, rows, rows if stop is None else stop)
        if end <= offset:
            return Piece((), (), offset, at_end=True)
        group = bisect.bisect_right(self._starts, offset) - 1
        end = min(end, self._starts[group + 1])
        part = self._read_group(group).slice(offset - self._starts[group], end - offset)
        batches: list[pa.RecordBatch] = []
        errors: list[RowError] = []
        _convert(part, self._schema, batches, errors)
        return Piece(tuple(batches), tuple(errors), end, at_end=False)

    def close(self) -> None:
        self._file.close()

    def _read_group(self, group: int) -> pa.Table:
        if self._group is None or self._group[0] != group:
            self._group = (group, self._file.read_row_group(group, columns=self._columns, use_threads=False))
        return self._group[1]


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns of ``schema`` by name, NULL where absent; pa.ArrowInvalid when a value does not fit."""
    columns = []
    for field in schema:
        if field.name in table.schema.names:
            columns.append(cast_column(table.column(field.name), field.type))
        else:
            columns.append(pa.chunked_array([pa.nulls(table.num_rows, field.type)]))
    return pa.Table.from_arrays(columns, schema=schema)


def cast_column(column: pa.ChunkedArray, target: pa.DataType) -> pa.ChunkedArray:
    # times finer than µs lose the rest, as they do in Postgres
    finer = pa.types.is_timestamp(column.type) and pa.types.is_timestamp(target)
    try:
        return column.cast(target, safe=not finer)
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise pa.ArrowInvalid(str(error)) from None


def _convert(table: pa.Table, schema: pa.Schema, batches: list[pa.RecordBatch], errors: list[RowError]) -> None:
    try:
        batches.extend(batch for batch in conform(table, schema).combine_chunks().to_batches() if batch.num_rows)
    except pa.ArrowInvalid:
        if table.num_rows == 1:
            errors.append(_explain(table, schema))
            return
        middle = table.num_rows // 2
        _convert(table.slice(0, middle), schema, batches, errors)
        _convert(table.slice(middle), schema, batches, errors)


def _explain(row: pa.Table, schema: pa.Schema) -> RowError:
    values = row.to_pylist()[0]
    payload = json.dumps(values, default=str, ensure_ascii=False)
    for name in row.schema.names:
        try:
            cast_column(row.column(name), schema.field(name).type)
        except pa.ArrowInvalid:
            kind = of_arrow(schema.field(name).type).name
            found = show(values[name])
            return RowError(payload, "22P02", f'invalid input for column "{name}" of type {kind}: "{found}"')
    return RowError(payload, "22P02", "the row does not fit the columns")
