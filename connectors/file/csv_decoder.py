"""CSV records to columns: pyarrow's reader, with Postgres' spellings of flags, times and bytes."""

from __future__ import annotations

import csv
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.csv as pa_csv

from constellationdb.catalog.types import of_arrow
from constellationdb.connectors.api import RowError
from constellationdb.connectors.columns import empty_batch
from constellationdb.connectors.file.records import Ends, csv_record_ends
from constellationdb.connectors.values import FALSE_TEXTS, TRUE_TEXTS, from_text, show

_LARGEST = 2**31 - 1


class CsvDecoder:
    """``names`` are the fields of a record in their order in the file; ``schema`` what is wanted of them."""

    def __init__(self, schema: pa.Schema, names: Sequence[str], delimiter: str, null: str) -> None:
        self.schema = schema
        self._names = unique_names(names)
        self._delimiter = delimiter
        self._null = null
        self._parse = pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
        self._convert = pa_csv.ConvertOptions(
            column_types={field.name: _reads_as(field.type) for field in schema},
            include_columns=schema.names,
            include_missing_columns=True,
            null_values=[null],
            true_values=list(TRUE_TEXTS),
            false_values=list(FALSE_TEXTS),
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )

    def ends(self, block: bytes) -> Ends:
        return csv_record_ends(block, self._delimiter)

    def decode(self, records: bytes, count: int) -> pa.RecordBatch:
        if b'"' in records and len(self.ends(_closed(records))) != count:
            raise pa.ArrowInvalid("a quote is left open")
        if not records.strip(b"\r\n"):
            return empty_batch(self.schema)
        read = pa_csv.ReadOptions(
            column_names=self._names, use_threads=False, block_size=min(len(records) + 1, _LARGEST)
        )
        table = pa_csv.read_csv(pa.BufferReader(records), read, self._parse, self._convert).combine_chunks()
        columns = [from_text_column(table.column(field.name), field.type) for field in self.schema]
        return pa.RecordBatch.from_arrays(columns, schema=self.schema)

    def explain(self, record: bytes) -> RowError:
        """What is wrong with a record that ``decode`` refuses."""
        try:
            text = record.decode()
        except UnicodeDecodeError:
            return RowError(record.decode(errors="replace"), "22021", "invalid byte sequence for encoding UTF8")
        text = text.rstrip("\r\n")
        if not len(self.ends(text.encode() + b"\n")):
            return RowError(text, "22P04", "unterminated quoted field")
        fields = next(csv.reader([text], delimiter=self._delimiter), [])
        if len(fields) != len(self._names):
            return RowError(text, "22P04", f"row has {len(fields)} fields, expected {len(self._names)}")
        for name, value in zip(self._names, fields, strict=True):
            index = self.schema.get_field_index(name)
            if index >= 0 and not self._converts(value, self.schema.field(index).type):
                kind = of_arrow(self.schema.field(index).type).name
                return RowError(text, "22P02", f'invalid input for column "{name}" of type {kind}: "{show(value)}"')
        return RowError(text, "22P04", "the row cannot be read as CSV")

    def _converts(self, value: str, target: pa.DataType) -> bool:
        if value == self._null:
            return True
        try:
            from_text(pa.array([value], pa.string()), target)
        except pa.ArrowInvalid:
            return False
        return True


def _closed(records: bytes) -> bytes:
    return records if records.endswith(b"\n") else records + b"\n"


def unique_names(names: Sequence[str]) -> list[str]:
    """A header may name a column twice: the first one counts."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return result


def header_names(record: bytes, delimiter: str) -> list[str]:
    text = record.decode("utf-8-sig", errors="replace").rstrip("\r\n")
    return [name.strip() for name in next(csv.reader([text], delimiter=delimiter), [])]


def from_text_column(column: pa.ChunkedArray, target: pa.DataType) -> pa.Array:
    array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    return array if array.type.equals(target) else from_text(array, target)


def _reads_as(target: pa.DataType) -> pa.DataType:
    """What pyarrow's reader converts by itself as Postgres would; the rest is read as text first."""
    by_text = pa.types.is_temporal(target) or pa.types.is_binary(target)
    return pa.string() if by_text else target
