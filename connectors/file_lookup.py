"""Connector ``file`` for lookup tables: a CSV or JSON file in memory, a Parquet file where it lies.

A text file is read whole, and again when it changes (its time or size). Of a
Parquet file the metadata is kept, and a fetch reads only the row groups whose
statistics can hold a key, and of those only the columns that are needed.
A bad row makes the fetch fail: leaving it out would be a guess.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from constellationdb.connectors.api import LookupPredicate, LookupSource, Options
from constellationdb.connectors.columns import pick_columns
from constellationdb.connectors.file.discovery import SHAPE_OPTIONS, FileShape, check_types
from constellationdb.connectors.file.parquet_file import conform
from constellationdb.connectors.key_index import rows_with_keys
from constellationdb.connectors.memory_lookup import MemoryLookup
from constellationdb.connectors.options import read_options
from constellationdb.connectors.predicates import evaluate, show
from constellationdb.connectors.pruning import group_bounds, may_hold_keys, may_match, sorted_keys
from constellationdb.connectors.pushdown import ALL_PREDICATES
from constellationdb.errors import ConnectorFailure

_Signature = tuple[tuple[str, int, int], ...]


def open_file_lookup(schema: pa.Schema, primary_key: Sequence[str], options: Options) -> LookupSource:
    shape = FileShape.of(read_options("file", SHAPE_OPTIONS, options))
    check_types(schema)
    if shape.format == "parquet":
        return ParquetLookup(shape, schema, primary_key)
    return TextLookup(shape, schema, primary_key)


class TextLookup:
    """CSV or JSON: what a MemoryLookup answers about the files as they are now."""

    capabilities = ALL_PREDICATES

    def __init__(self, shape: FileShape, schema: pa.Schema, primary_key: Sequence[str]) -> None:
        self.schema = schema
        self._shape = shape
        self._key = tuple(primary_key)
        self._lock = threading.Lock()
        self._loaded: tuple[_Signature, MemoryLookup] | None = None

    def check(self) -> None:
        """Read it: a file that is not there or does not fit its columns is said now."""
        self._current()

    def fetch(self, keys: pa.RecordBatch, columns: Sequence[str], predicates: Sequence[LookupPredicate]) -> pa.Table:
        return self._current().fetch(keys, columns, predicates)

    def describe(self, columns: Sequence[str], predicates: Sequence[LookupPredicate]) -> str:
        return self._current().describe(columns, predicates)

    def version(self) -> _Signature:
        return _signature(self._shape)

    def size(self) -> int:
        return sum(length for _, _, length in self.version())

    def table(self) -> pa.Table:
        return self._current().table()

    def close(self) -> None:
        return None

    def _current(self) -> MemoryLookup:
        with self._lock:
            signature = _signature(self._shape)
            if self._loaded is None or self._loaded[0] != signature:
                self._loaded = (signature, self._load())
            return self._loaded[1]

    def _load(self) -> MemoryLookup:
        batches: list[pa.RecordBatch] = []
        for path in self._shape.existing_files():
            batches += _read_whole(self._shape, path, self.schema)
        table = pa.Table.from_batches(batches, schema=self.schema)
        return MemoryLookup(table, self._key, f"{self._shape.format} {self._shape.path}")


class ParquetLookup:
    capabilities = ALL_PREDICATES

    def __init__(self, shape: FileShape, schema: pa.Schema, primary_key: Sequence[str]) -> None:
        self.schema = schema
        self._shape = shape
        self._key = tuple(primary_key)
        self._lock = threading.Lock()
        self._metadata: dict[tuple[str, int, int], pq.FileMetaData] = {}
        self._read = (0, 0)

    def check(self) -> None:
        """Compare the declared columns with those of the files that are there."""
        for path in self._shape.existing_files():
            pick_columns(self._metadata_of(path).schema.to_arrow_schema(), self.schema, f'file "{path}"')

    def version(self) -> _Signature:
        return _signature(self._shape)

    def size(self) -> int:
        """Uncompressed, by the files' own account."""
        return sum(
            metadata.row_group(i).total_byte_size
            for metadata in map(self._metadata_of, self._shape.existing_files())
            for i in range(metadata.num_row_groups)
        )

    def table(self) -> pa.Table:
        self.check()
        parts = []
        for path in self._shape.existing_files():
            try:
                with pq.ParquetFile(path) as file:
                    parts.append(conform(file.read(columns=self.schema.names, use_threads=False), self.schema))
            except (OSError, pa.ArrowInvalid) as error:
                raise ConnectorFailure(f'cannot read file "{path}": {error}') from None
        return pa.concat_tables(parts)

    @property
    def groups_read(self) -> tuple[int, int]:
        """(row groups read, row groups skipped) so far."""
        return self._read

    def fetch(self, keys: pa.RecordBatch, columns: Sequence[str], predicates: Sequence[LookupPredicate]) -> pa.Table:
        wanted = list(dict.fromkeys([*keys.schema.names, *columns]))
        needed = list(dict.fromkeys([*wanted, *(each.column for each in predicates)]))
        parts = [
            self._fetch_from(path, keys, needed, predicates).select(wanted) for path in self._shape.existing_files()
        ]
        return pa.concat_tables(parts)

    def describe(self, columns: Sequence[str], predicates: Sequence[LookupPredicate]) -> str:
        text = f"parquet {self._shape.path} by ({', '.join(self._key)}) for ({', '.join(columns)})"
        where = " where " + " and ".join(show(each) for each in predicates) if predicates else ""
        return f"{text}{where}, row groups pruned by statistics"

    def close(self) -> None:
        return None

    def _fetch_from(
        self, path: str, keys: pa.RecordBatch, names: Sequence[str], predicates: Sequence[LookupPredicate]
    ) -> pa.Table:
        fields = pa.schema([self.schema.field(name) for name in names])
        metadata = self._metadata_of(path)
        groups = self._groups(metadata, keys, predicates)
        with self._lock:
            self._read = (self._read[0] + len(groups), self._read[1] + metadata.num_row_groups - len(groups))
        if not groups:
            return fields.empty_table()
        try:
            # a reader of its own for every fetch: one is not safe between threads, and the metadata is here
            with pq.ParquetFile(path, metadata=metadata) as file:
                table = conform(file.read_row_groups(groups, columns=list(names), use_threads=False), fields)
        except (OSError, pa.ArrowInvalid) as error:
            raise ConnectorFailure(f'cannot read file "{path}": {error}') from None
        return evaluate(rows_with_keys(table, keys), predicates)

    def _groups(
        self, metadata: pq.FileMetaData, keys: pa.RecordBatch, predicates: Sequence[LookupPredicate]
    ) -> list[int]:
        by_column = sorted_keys(keys)
        groups = []
        for group in range(metadata.num_row_groups):
            bounds = group_bounds(metadata, group, self.schema)
            possible = all(each.column not in bounds or may_match(bounds[each.column], each) for each in predicates)
            if possible and may_hold_keys(bounds, by_column):
                groups.append(group)
        return groups

    def _metadata_of(self, path: str) -> pq.FileMetaData:
        stamp = _stamp(path)
        with self._lock:
            if stamp not in self._metadata:
                try:
                    metadata = pq.read_metadata(path)
                except (OSError, pa.ArrowInvalid) as error:
                    raise ConnectorFailure(f'file "{path}" is not Parquet: {error}') from None
                older = [known for known in self._metadata if known[0] == path]
                for known in older:
                    del self._metadata[known]
                self._metadata[stamp] = metadata
            return self._metadata[stamp]


def _read_whole(shape: FileShape, path: str, schema: pa.Schema) -> list[pa.RecordBatch]:
    file = shape.open(path, schema, growing=False)
    batches: list[pa.RecordBatch] = []
    try:
        offset = 0
        while not (piece := file.read(offset, 1 << 20)).at_end:
            if piece.errors:
                first = piece.errors[0]
                raise ConnectorFailure(
                    f'file "{path}" has a bad row: {first.message}', detail=f"the row is: {first.payload[:200]}"
                )
            batches += piece.batches
            offset = piece.offset
    finally:
        file.close()
    return batches


def _signature(shape: FileShape) -> _Signature:
    return tuple(_stamp(path) for path in shape.existing_files())


def _stamp(path: str) -> tuple[str, int, int]:
    try:
        found = os.stat(path)
    except OSError as error:
        raise ConnectorFailure(f'cannot open file "{path}": {error.strerror or error}') from None
    return (path, found.st_mtime_ns, found.st_size)
