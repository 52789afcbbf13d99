"""The files of one transaction: one or more a partition, each no larger than it may be."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.catalog.types import INTERVAL
from constellationdb.connectors.output.csv import csv_header, csv_lines, texts
from constellationdb.connectors.output.json import json_lines
from constellationdb.storage.disk import DISK, Disk

Format = Literal["json", "csv", "parquet"]
ENDINGS: dict[Format, str] = {"json": "jsonl", "csv": "csv", "parquet": "parquet"}
_CHUNK_ROWS = 8192
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # what a partition is called whose column is NULL


class Part:
    """One file aside, open to be written."""

    def __init__(self, path: Path, form: Format, schema: pa.Schema, disk: Disk) -> None:
        self.path = path
        self._disk = disk
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        self.size = 0
        self._parquet: _Parquet | None = None
        self._lines: Callable[[pa.RecordBatch], bytes] = csv_lines if form == "csv" else json_lines
        if form == "csv":
            self._put(csv_header(schema))
        elif form == "parquet":
            self._parquet = _Parquet(schema)

    def write(self, rows: pa.RecordBatch) -> None:
        self._put(self._lines(rows) if self._parquet is None else self._parquet.write(rows))

    def _put(self, data: bytes) -> None:
        self._disk.write(self._fd, data)
        self.size += len(data)

    def finish(self) -> None:
        """Whole, and on the medium."""
        if self._parquet is not None:
            self._put(self._parquet.end())
        self._disk.sync(self._fd)
        self.close()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Parquet:
    """A Parquet file as bytes to be written on, row group after row group. Parquet has no interval: it is its text."""

    def __init__(self, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        self._intervals = [i for i, kind in enumerate(schema.types) if kind == INTERVAL.arrow]
        for index in self._intervals:
            schema = schema.set(index, pa.field(schema.field(index).name, pa.string()))
        self._written = _Written()
        self._schema = schema
        self._writer = pq.ParquetWriter(pa.PythonFile(self._written, mode="w"), schema, compression="zstd")

    def write(self, rows: pa.RecordBatch) -> bytes:
        columns = list(rows.columns)
        for index in self._intervals:
            columns[index] = texts(columns[index], rows.schema.field(index))
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        return self._written.taken()

    def end(self) -> bytes:
        self._writer.close()
        return self._written.taken()


class _Written(io.RawIOBase):
    """What a writer has written since it was last ``taken``; ``tell`` counts from the beginning of the file."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._before = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pending += memoryview(data)
        return memoryview(data).nbytes

    def tell(self) -> int:
        return self._before + len(self._pending)

    def taken(self) -> bytes:
        data, self._pending = bytes(self._pending), bytearray()
        self._before += len(data)
        return data


class Parts:
    """``first``: the epoch it begins with. ``aside(first, n)``: its n-th name aside.

    ``largest``: a file of so many bytes gets no more rows.
    """

    def __init__(
        self,
        directory: Path,
        first: int,
        form: Format,
        partition_by: tuple[str, ...],
        largest: int,
        aside: Callable[[int, int], str],
        disk: Disk = DISK,
    ) -> None:
        self._directory = directory
        self._first = first
        self._form = form
        self._by = partition_by
        self._largest = largest
        self._aside = aside
        self._disk = disk
        self._open: dict[str, Part] = {}
        self._made: list[tuple[str, Part]] = []  # the folder of each

    def write(self, rows: pa.RecordBatch) -> None:
        for folder, part_rows in self._partitioned(rows):
            chunk = 8 * _CHUNK_ROWS if self._form == "parquet" else _CHUNK_ROWS
            for at in range(0, part_rows.num_rows, chunk):
                self._part(folder, part_rows.schema).write(part_rows.slice(at, chunk))

    def _part(self, folder: str, schema: pa.Schema) -> Part:
        found = self._open.get(folder)
        if found is not None and found.size >= self._largest:
            found.finish()
            found = None
        if found is None:
            path = self._directory / self._aside(self._first, len(self._made))
            found = self._open[folder] = Part(path, self._form, schema, self._disk)
            self._made.append((folder, found))
        return found

    def _partitioned(self, rows: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        """By folder; the columns that are in its name are not in the file."""
        if not self._by:
            yield "", rows
            return
        named = [_named(name, texts(rows.column(name), rows.schema.field(name))) for name in self._by]
        folders = pc.binary_join_element_wise(*named, "/").dictionary_encode()
        codes = folders.indices.to_numpy()
        kept = rows.drop_columns(list(self._by))
        for code, folder in enumerate(folders.dictionary.to_pylist()):
            yield folder, kept.take(pa.array(np.flatnonzero(codes == code)))

    def finish(self, last: int) -> tuple[tuple[str, str], ...]:
        """All of them whole and on the medium: the name aside and the final one of each."""
        for part in self._open.values():
            part.finish()
        return tuple(
            (self._aside(self._first, number), f"{folder}/{name}" if folder else name)
            for number, (folder, _) in enumerate(self._made)
            for name in (f"{self._first:012}-{last:012}-{number}.{ENDINGS[self._form]}",)
        )

    @property
    def size(self) -> int:
        return sum(part.size for _, part in self._made)

    def close(self) -> None:
        for _, part in self._made:
            part.close()


def _named(name: str, values: pa.Array) -> pa.Array:
    """``name=value``, as Hive calls folders."""
    encoded = [_NO_VALUE if value is None else quote(value, safe=" ") for value in values.to_pylist()]
    return pa.array([f"{quote(name, safe=' ')}={value}" for value in encoded], pa.string())
