"""JSON lines to columns: a kernel where all look alike, pyarrow's reader where the types meet, else value by value.

All ways give the same rows: what a fast one accepts the slow one reads the
same. Once the slow way was needed for a block, the blocks after it skip the
attempt, since a file that writes numbers for a text column does so throughout.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.json as pa_json

from constellationdb.catalog.types import of_arrow
from constellationdb.connectors.api import RowError
from constellationdb.connectors.columns import empty_batch
from constellationdb.connectors.file.flat_json import FlatJson
from constellationdb.connectors.file.records import Ends, line_ends
from constellationdb.connectors.values import from_json, from_text, show

_LARGEST = 2**31 - 1


class JsonDecoder:
    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self._flat = FlatJson.of(schema)
        self._fast = True
        wire = pa.schema([(field.name, _reads_as(field.type)) for field in schema])
        self._parse = pa_json.ParseOptions(explicit_schema=wire, unexpected_field_behavior="ignore")

    def ends(self, block: bytes) -> Ends:
        return line_ends(block)

    def decode(self, records: bytes, count: int) -> pa.RecordBatch:
        """pa.ArrowInvalid when a record is bad; the caller halves the block to find it."""
        if self._fast:
            try:
                return self._decode_block(records, count)
            except pa.ArrowInvalid:
                batch = self._decode_each(records)
                self._fast = False
                return batch
        return self._decode_each(records)

    def explain(self, record: bytes) -> RowError:
        text = record.decode(errors="replace").strip()
        try:
            value = _object(record)
        except pa.ArrowInvalid as error:
            return RowError(text, "22P02", str(error))
        for field in self.schema:
            try:
                from_json([value.get(field.name)], field.type)
            except pa.ArrowInvalid:
                found = show(value[field.name])
                kind = of_arrow(field.type).name
                return RowError(text, "22P02", f'invalid input for column "{field.name}" of type {kind}: "{found}"')
        return RowError(text, "22P02", "the row cannot be read as JSON")

    def _decode_block(self, records: bytes, count: int) -> pa.RecordBatch:
        if not records.strip():
            return empty_batch(self.schema)
        _check_utf8(records)
        flat = self._flat.read(records, count) if self._flat is not None else None
        if flat is not None:
            return flat
        read = pa_json.ReadOptions(use_threads=False, block_size=min(len(records) + 1, _LARGEST))
        table = pa_json.read_json(pa.BufferReader(records), read, self._parse).combine_chunks()
        # counting the lines that are not blank is only worth it where there are some
        if table.num_rows != count and table.num_rows != sum(1 for line in records.split(b"\n") if line.strip()):
            raise pa.ArrowInvalid("an object is not on one line of its own")
        columns = []
        for field in self.schema:
            column = table.column(field.name).combine_chunks()
            array = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
            columns.append(array if array.type.equals(field.type) else from_text(array, field.type))
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def _decode_each(self, records: bytes) -> pa.RecordBatch:
        rows = [_object(line) for line in records.split(b"\n") if line.strip()]
        columns = [from_json([row.get(field.name) for row in rows], field.type) for field in self.schema]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line, parse_float=Decimal, object_pairs_hook=_once)
    except UnicodeDecodeError:
        raise pa.ArrowInvalid("invalid byte sequence for encoding UTF8") from None
    except ValueError as error:
        raise pa.ArrowInvalid(f"invalid JSON: {error}") from None
    if not isinstance(value, dict):
        raise pa.ArrowInvalid("invalid JSON: the line is not an object")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object that says a name twice is refused, as the fast reader refuses it."""
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name stands twice in an object")
    return result


def _check_utf8(records: bytes) -> None:
    # the fast reader does not look
    try:
        records.decode()
    except UnicodeDecodeError:
        raise pa.ArrowInvalid("invalid byte sequence for encoding UTF8") from None


def _reads_as(target: pa.DataType) -> pa.DataType:
    """What pyarrow's reader makes of a JSON value by itself; the rest comes as text first."""
    by_text = pa.types.is_temporal(target) or pa.types.is_binary(target)
    return pa.string() if by_text else target
