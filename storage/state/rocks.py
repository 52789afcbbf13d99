"""A state store in RocksDB, for state beyond memory; a crash goes back to the last ``flush``, or a bit less far.

    D/format    64 bytes of header; everything else in D is RocksDB's, which has checksums of its own

Counting keys and bytes exactly costs one read per write, and one scan at opening. RocksDB cannot say which keys changed
since a snapshot, so from the first snapshot on their names are noted here, each with the snapshot it came after.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import cast

import pyarrow as pa
from rocksdict import Rdict, RdictIter, WriteBatch, WriteOptions

from constellationdb.errors import CorruptState, StorageFailure
from constellationdb.storage.disk import DISK
from constellationdb.storage.lockfile import DirectoryLock
from constellationdb.storage.rocks import close_rocks, open_rocks, rocks_errors
from constellationdb.storage.state.changed_keys import ChangedKeys
from constellationdb.storage.state.header import Header, decode_header, encode_header
from constellationdb.storage.state.store import (
    BYTES,
    ITEMS,
    Item,
    StateSnapshot,
    items,
    keys_of,
    plain,
    prefix_end,
    texts_of,
)

MAGIC = b"CONSTRDB"
_CHUNK = 4_096  # rows of a read or a write: RocksDB keeps the interpreter lock for the whole of a write


class _RocksView:
    """What is read of an iterator, which is pinned at the moment it was made.

    `rocksdict`'s Snapshot would be the natural choice, but only its point reads are of the past: its iterators see
    every later write (0.3.29).
    """

    def __init__(self, rows: RdictIter, directory: Path) -> None:
        self._rows = rows
        self._directory = directory
        self._turn = threading.Lock()  # the iterator has one position for all its readers

    def get(self, key: bytes) -> bytes | None:
        with self._turn, rocks_errors(self._directory):
            self._rows.seek(key)
            if self._rows.valid() and self._rows.key() == key:
                return cast(bytes, self._rows.value())
            self._rows.status()
            return None

    def get_many(self, keys: pa.Array) -> pa.Array:
        keys_of(keys)
        return pa.array([self.get(key) for key in plain(keys).to_pylist()], BYTES)

    def scan(self, start: bytes = b"", end: bytes | None = None) -> Iterator[pa.RecordBatch]:
        while chunk := self._read(start, end):
            yield _batch(chunk)
            start = chunk[-1][0] + b"\0"

    def _read(self, start: bytes, end: bytes | None) -> list[Item]:
        with self._turn, rocks_errors(self._directory):
            self._rows.seek(start)
            return list(islice(_items(self._rows, end), _CHUNK))

    def range_scan(self, start: bytes, end: bytes | None) -> Iterator[Item]:
        return items(self.scan(start, end))

    def prefix_scan(self, prefix: bytes) -> Iterator[Item]:
        return self.range_scan(prefix, prefix_end(prefix))


class RocksSnapshot(_RocksView):
    """The store at a moment, with the keys that had changed by then since the last committed one."""

    def __init__(self, rows: RdictIter, directory: Path, noted: ChangedKeys) -> None:
        super().__init__(rows, directory)
        self.moment, self.noted = noted.moment, noted
        self._changed = dict(noted.keys)

    def changes(self) -> Iterator[pa.RecordBatch] | None:
        base = self.noted.base
        if base is None:
            return None
        return self._chunks([key for key, moment in self._changed.items() if moment > base])

    def _chunks(self, keys: list[bytes]) -> Iterator[pa.RecordBatch]:
        for first in range(0, len(keys), _CHUNK):
            chunk = keys[first : first + _CHUNK]
            yield _batch([(key, self.get(key)) for key in chunk])


class RocksStateStore:
    """RocksDB in ``directory``. Content survives ``close``."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = Path(directory)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._owner = DirectoryLock(self._directory)
        except OSError as error:
            raise StorageFailure(f'could not open state in "{directory}": {error.strerror}') from error
        try:
            self._check_format()
            self._db: Rdict = open_rocks(self._directory)
            self._write = WriteOptions()
            self._write.disable_wal = True
            self._count = self._size = 0
            self._noted = ChangedKeys()
            for key, value in self.range_scan(b"", None):
                self._grow(1, len(key) + len(value))
        except BaseException:
            self._owner.release()
            raise

    def _check_format(self) -> None:
        path = self._directory / "format"
        try:
            if path.exists():
                decode_header(MAGIC, path.read_bytes(), path)
            elif (self._directory / "CURRENT").exists():
                raise CorruptState(f'directory "{self._directory}" has a database, and no file that tells its format')
            else:
                DISK.create(path, encode_header(MAGIC, Header(0, 0, 0, 0)))
        except OSError as error:
            raise StorageFailure(f'could not open state in "{self._directory}": {error.strerror}') from error

    def _grow(self, rows: int, size: int) -> None:
        self._count += rows
        self._size += size

    def __len__(self) -> int:
        return self._count

    @property
    def size_bytes(self) -> int:
        return self._size

    def _view(self) -> _RocksView:
        with rocks_errors(self._directory):
            return _RocksView(self._db.iter(), self._directory)

    def get(self, key: bytes) -> bytes | None:
        with rocks_errors(self._directory):
            return cast(bytes | None, self._db.get(key))

    def get_many(self, keys: pa.Array) -> pa.Array:
        keys_of(keys)
        with rocks_errors(self._directory):
            return pa.array(self._db.get(plain(keys).to_pylist()) if len(keys) else [], BYTES)

    def scan(self, start: bytes = b"", end: bytes | None = None) -> Iterator[pa.RecordBatch]:
        return self._view().scan(start, end)

    def range_scan(self, start: bytes, end: bytes | None) -> Iterator[Item]:
        return self._view().range_scan(start, end)

    def prefix_scan(self, prefix: bytes) -> Iterator[Item]:
        return self._view().prefix_scan(prefix)

    def put(self, key: bytes, value: bytes) -> None:
        self._change({key: value})

    def delete(self, key: bytes) -> None:
        self._change({key: None})

    def put_many(self, keys: pa.Array, values: pa.Array) -> None:
        if len(keys) != len(values):
            raise ValueError(f"{len(keys)} keys for {len(values)} values")
        keys_of(keys), texts_of(values)
        for first in range(0, len(keys), _CHUNK):
            names = plain(keys.slice(first, _CHUNK)).to_pylist()
            self._change(dict(zip(names, plain(values.slice(first, _CHUNK)).to_pylist(), strict=True)))

    def delete_many(self, keys: pa.Array) -> None:
        self.put_many(keys, pa.nulls(len(keys), BYTES))

    def _change(self, changes: dict[bytes, bytes | None]) -> None:
        rows = size = 0
        batch, keys = WriteBatch(raw_mode=True), sorted(changes)  # neighbours lie in one block
        with rocks_errors(self._directory):
            for key, before in zip(keys, self._db.get(keys), strict=True):
                value = changes[key]
                if before is not None:
                    rows, size = rows - 1, size - len(key) - len(before)
                if value is not None:
                    rows, size = rows + 1, size + len(key) + len(value)
                    batch.put(key, value)
                elif before is not None:
                    batch.delete(key)
            self._db.write(batch, write_opt=self._write)
        self._grow(rows, size)
        self._noted.note(changes)

    def clear(self) -> None:
        with rocks_errors(self._directory):
            rows = self._db.iter()
            rows.seek_to_last()
            if rows.valid():
                self._db.delete_range(b"", rows.key(), write_opt=self._write)
                self._db.delete(rows.key(), write_opt=self._write)
            rows.status()
        self._count = self._size = 0
        self._noted = ChangedKeys()

    def snapshot(self) -> RocksSnapshot:
        self._noted.moment += 1
        with rocks_errors(self._directory):
            return RocksSnapshot(self._db.iter(), self._directory, self._noted)

    def committed(self, snapshot: StateSnapshot) -> None:
        assert isinstance(snapshot, RocksSnapshot)
        if snapshot.noted is self._noted:  # else all was replaced since
            self._noted.committed(snapshot.moment)

    def restore(self, batches: Iterable[pa.RecordBatch]) -> None:
        self.clear()
        for batch in batches:
            self.put_many(batch.column(0), batch.column(1))

    def flush(self) -> None:
        with rocks_errors(self._directory):
            self._db.flush(True)

    def close(self) -> None:
        with rocks_errors(self._directory):
            self._db.flush()
            close_rocks(self._db)
        self._owner.release()


def _batch(rows: list[Item] | list[tuple[bytes, bytes | None]]) -> pa.RecordBatch:
    columns = [pa.array([row[part] for row in rows], BYTES) for part in (0, 1)]
    return pa.RecordBatch.from_arrays(columns, schema=ITEMS)


def _items(rows: RdictIter, end: bytes | None) -> Iterator[Item]:
    while rows.valid() and (end is None or rows.key() < end):
        yield rows.key(), rows.value()
        rows.next()
    rows.status()  # damage ends an iteration just like the last row does
