"""CREATE SINK … WITH (connector = 'file', path = …)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pyarrow as pa

from constellationdb.connectors.api import Options, SinkShape
from constellationdb.connectors.file_sink.commits import Commits
from constellationdb.connectors.file_sink.parts import Format, Parts
from constellationdb.connectors.options import Option, read_options
from constellationdb.connectors.sink_options import column_list
from constellationdb.errors import (
    ConnectorFailure,
    FeatureNotSupported,
    InvalidDefinition,
    InvalidParameter,
    UndefinedColumn,
)
from constellationdb.storage.disk import DISK, Disk

OPTIONS = (
    Option("path", required=True),
    Option("format", "choice", "json", choices=("json", "csv", "parquet")),
    Option("partition_by"),
    Option("max_file_size", "integer", str(128 << 20), minimum=1),
)
OPERATION = "_op"  # of an upsert: what stands before the columns


class FileSink:
    def __init__(self, shape: SinkShape, options: Options, disk: Disk = DISK) -> None:
        settings = read_options("file", OPTIONS, options)
        self._shape = shape
        self._directory = Path(settings.text("path")).absolute()
        self._form = cast("Format", settings.text("format"))
        self._by = column_list(settings.text("partition_by")) if settings.has("partition_by") else ()
        self._largest = settings.integer("max_file_size")
        self._disk = disk
        self._refuse_misfits()

    def _refuse_misfits(self) -> None:
        shape, names = self._shape, self._shape.schema.names
        if shape.type == "debezium" and self._form == "csv":
            raise FeatureNotSupported(
                "type debezium has nested rows, which CSV cannot hold", hint="use format = 'json'"
            )
        if shape.type == "upsert" and OPERATION in names:
            raise InvalidDefinition(f'column "{OPERATION}" has the name of the one that tells upserts from deletes')
        if shape.type == "debezium" and self._by:
            raise FeatureNotSupported("partition_by with type debezium is not supported")
        for name in self._by:
            if name not in names:
                raise UndefinedColumn(f'column "{name}" named in option "partition_by" does not exist')
        if len(set(self._by)) < len(self._by) or (self._by and set(names) == set(self._by)):
            raise InvalidParameter('option "partition_by" must leave a column, and name none twice')

    def check(self) -> None:
        """Whether the directory can be written, and is nobody else's."""
        with _told(self._directory):
            self._commits().last()
            missing = [path for path in (self._directory, *self._directory.parents) if not path.exists()]
            self._directory.mkdir(parents=True, exist_ok=True)
            for path in missing:
                self._disk.sync_directory(path.parent)
            if not os.access(self._directory, os.W_OK | os.X_OK):
                raise PermissionError(13, "Permission denied")

    def open(self) -> FileWriter:
        return FileWriter(self._shape, self._commits(), self._parts, self._directory)

    def _commits(self) -> Commits:
        return Commits(self._directory, self._shape.name, self._shape.id, self._disk)

    def _parts(self, first: int) -> Parts:
        aside = self._commits().staged
        return Parts(self._directory, first, self._form, self._by, self._largest, aside, self._disk)


class FileWriter:
    """See ``SinkWriter``. ``parts``: opens a transaction's files."""

    def __init__(self, shape: SinkShape, commits: Commits, parts: Callable[[int], Parts], directory: Path) -> None:
        self._shape = shape
        self._commits = commits
        self._new_parts = parts
        self._directory = directory
        self._parts: Parts | None = None
        self._position: int | None = None

    def position(self) -> int | None:
        with _told(self._directory):
            found = self._commits.recover()
        self._position = None if found is None else found.epoch
        return self._position

    def write(self, rows: pa.RecordBatch, deleted: pa.RecordBatch | None = None) -> None:
        with _told(self._directory):
            parts = self._begun()
            if self._shape.type == "upsert":
                if deleted is not None:
                    parts.write(_marked("delete", _widened(deleted, self._shape.schema)))
                rows = _marked("upsert", rows)
            parts.write(rows)

    def _begun(self) -> Parts:
        if self._parts is None:
            self._commits.begin()
            self._parts = self._new_parts(0 if self._position is None else self._position + 1)
        return self._parts

    def commit(self, epoch: int) -> int:
        with _told(self._directory):
            parts = self._begun()
            files = parts.finish(epoch)
            self._commits.commit(self._position, epoch, files)
        self._position, self._parts = epoch, None
        return parts.size

    def close(self) -> None:
        if self._parts is not None:
            self._parts.close()
            self._parts = None


def _marked(operation: str, rows: pa.RecordBatch) -> pa.RecordBatch:
    column = pa.array([operation] * rows.num_rows, pa.string())
    fields = pa.schema([pa.field(OPERATION, pa.string()), *rows.schema])
    return pa.RecordBatch.from_arrays([column, *rows.columns], schema=fields)


def _widened(keys: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Keys in the columns of whole rows, the others NULL."""
    there = set(keys.schema.names)
    columns = [keys.column(f.name) if f.name in there else pa.nulls(keys.num_rows, f.type) for f in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


@contextmanager
def _told(directory: Path) -> Iterator[None]:
    """A disk that is full and a folder that may not be written are mended by somebody, so they are tried again."""
    try:
        yield
    except OSError as error:
        raise ConnectorFailure(
            f'could not write to "{directory}": {error.strerror or error}', hint="it is tried again until it works"
        ) from error
