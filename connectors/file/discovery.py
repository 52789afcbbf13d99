"""Which files a source reads, how they are written, and what columns they have."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from constellationdb.catalog.types import INTERVAL, storage_type
from constellationdb.connectors.file.csv_decoder import CsvDecoder, header_names, unique_names
from constellationdb.connectors.file.decoding import Decoder
from constellationdb.connectors.file.json_decoder import JsonDecoder
from constellationdb.connectors.file.parquet_file import ParquetFile
from constellationdb.connectors.file.records import csv_record_ends, line_ends
from constellationdb.connectors.file.text_file import TextFile
from constellationdb.connectors.options import Option, Settings
from constellationdb.errors import ConnectorFailure, FeatureNotSupported, InvalidParameter

SHAPE_OPTIONS = (
    Option("path", required=True),
    Option("format", "choice", choices=("csv", "json", "jsonl", "ndjson", "parquet")),
    Option("header", "flag", "true"),
    Option("delimiter", "character"),  # a comma, but a tab for .tsv
    Option("null", "text", ""),
)
_BY_SUFFIX = {
    ".csv": "csv", ".tsv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet",
}  # fmt: skip
_SAMPLE_BYTES = 1 << 20

AnyFile = TextFile | ParquetFile


@dataclass(frozen=True)
class FileShape:
    """How the files are written."""

    path: str
    format: str  # csv, json or parquet
    header: bool
    delimiter: str
    null: str

    @classmethod
    def of(cls, settings: Settings) -> FileShape:
        path = settings.text("path")
        suffix = os.path.splitext(path)[1].lower()
        name = settings.text_or_none("format") or _BY_SUFFIX.get(suffix)
        if name is None:
            raise InvalidParameter(
                f'cannot tell the format of "{path}" from its name',
                hint='set option "format" to csv, json or parquet; compressed text is not read',
            )
        delimiter = settings.text_or_none("delimiter") or ("\t" if suffix == ".tsv" else ",")
        kind = name if name in ("csv", "parquet") else "json"
        return cls(path, kind, settings.flag("header"), delimiter, settings.text("null"))

    def files(self) -> list[str]:
        """The files there are now, in the order of their names."""
        if os.path.isdir(self.path):
            found = [os.path.join(self.path, name) for name in os.listdir(self.path)]
            return sorted(name for name in found if _BY_SUFFIX.get(os.path.splitext(name)[1].lower()) == self.format)
        found = glob.glob(self.path, recursive=True) if glob.has_magic(self.path) else [self.path]
        return sorted(name for name in found if os.path.isfile(name))

    def existing_files(self) -> list[str]:
        files = self.files()
        if not files:
            raise ConnectorFailure(
                f'no file matches "{self.path}"', hint="a relative path starts where the server runs"
            )
        return files

    def open(self, path: str, schema: pa.Schema, growing: bool) -> AnyFile:
        try:
            if self.format == "parquet":
                return ParquetFile(path, schema)
            with_header = self.delimiter if self.format == "csv" and self.header else None
            return TextFile(path, lambda header: self.decoder(path, schema, header), with_header, growing)
        except OSError as error:
            raise ConnectorFailure(f'cannot open file "{path}": {error.strerror or error}') from None

    def decoder(self, path: str, schema: pa.Schema, header: bytes) -> Decoder:
        if self.format == "json":
            return JsonDecoder(schema)
        names = header_names(header, self.delimiter) if self.header else schema.names
        if not set(names) & set(schema.names):
            raise ConnectorFailure(
                f'the header of file "{path}" names none of the columns', hint="its columns are " + ", ".join(names)
            )
        return CsvDecoder(schema, names, self.delimiter, self.null)


def check_types(schema: pa.Schema) -> pa.Schema:
    for field in schema:
        if field.type.equals(INTERVAL.arrow):
            raise FeatureNotSupported(
                f'column "{field.name}" is an interval, which a file cannot hold', hint="declare it as text and cast it"
            )
    return schema


def infer_schema(shape: FileShape, path: str) -> pa.Schema:
    """The columns of a file: a Parquet file says them, of a text file the first MiB is looked at."""
    try:
        found = _sampled(shape, path)
    except OSError as error:
        raise ConnectorFailure(f'cannot open file "{path}": {error.strerror or error}') from None
    except pa.ArrowInvalid as error:
        raise ConnectorFailure(
            f'cannot tell the columns of file "{path}": {error}', hint="name the columns in the statement"
        ) from None
    if not len(found):
        raise ConnectorFailure(f'cannot tell the columns of file "{path}": it is empty')
    return check_types(pa.schema([(field.name, _column_type(field.type)) for field in found]))


def _column_type(found: pa.DataType) -> pa.DataType:
    """What is nested comes as its text: decoders make no arrays."""
    return pa.string() if pa.types.is_nested(found) else storage_type(found)


def _sampled(shape: FileShape, path: str) -> pa.Schema:
    if shape.format == "parquet":
        return pq.read_schema(path)
    with open(path, "rb") as file:
        sample = file.read(_SAMPLE_BYTES)
    if not sample:
        return pa.schema([])
    whole = len(sample) < _SAMPLE_BYTES
    if shape.format == "json":
        ends = line_ends(sample)
        read = pa_json.ReadOptions(use_threads=False, block_size=_SAMPLE_BYTES)
        return pa_json.read_json(pa.BufferReader(_cut(sample, list(ends), whole)), read).schema
    ends = csv_record_ends(sample, shape.delimiter)
    header = sample[: int(ends[0])] if len(ends) else sample
    names = unique_names(header_names(header, shape.delimiter)) if shape.header else []
    return pa_csv.read_csv(
        pa.BufferReader(_cut(sample, list(ends), whole)),
        pa_csv.ReadOptions(
            column_names=names,
            autogenerate_column_names=not names,
            skip_rows_after_names=1 if names else 0,
            use_threads=False,
            block_size=_SAMPLE_BYTES + 1,
        ),
        pa_csv.ParseOptions(delimiter=shape.delimiter, newlines_in_values=True),
        pa_csv.ConvertOptions(null_values=[shape.null], strings_can_be_null=True, quoted_strings_can_be_null=False),
    ).schema


def _cut(sample: bytes, ends: list[int], whole: bool) -> bytes:
    """Only complete records, unless this is all there is."""
    return sample if whole or not ends else sample[: int(ends[-1])]
