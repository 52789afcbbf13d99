"""Ordered keys and values: the bytes-level seam below keyed state (F-STATE-001 to 003).

Keys and values are any bytes, also empty ones; order is byte order. `MemoryStateStore` holds them in a dict beside an
ordered key set, `RocksStateStore` on disk for state beyond memory. Both pass one conformance suite.

Left out: durability (checkpoints and the epoch log are durable; a store is derived from them and rebuilt with
``restore``), deltas (operators know what they changed), transactions over several keys.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Protocol, cast

from rocksdict import RdictIter, WriteOptions

from constellationdb.errors import StorageFailure
from constellationdb.storage.lockfile import DirectoryLock
from constellationdb.storage.rocks import close_rocks, open_rocks, rocks_errors
from constellationdb.storage.sorted_keys import SortedKeys

Item = tuple[bytes, bytes]


class StateView(Protocol):
    """Something to read from. A scan gives the items as they were when it was asked for."""

    def get(self, key: bytes) -> bytes | None: ...

    def prefix_scan(self, prefix: bytes) -> Iterator[Item]:
        """The items whose key begins with ``prefix``, in order of key."""
        ...

    def range_scan(self, start: bytes, end: bytes | None) -> Iterator[Item]:
        """The items with start <= key < end, in order of key; without ``end``, to the last."""
        ...


class StateStore(StateView, Protocol):
    """A view that can change. For one thread; snapshots may be read by any."""

    def __len__(self) -> int: ...

    @property
    def size_bytes(self) -> int:
        """The exact sum of the lengths of all keys and values."""
        ...

    def put(self, key: bytes, value: bytes) -> None:
        """Sets or replaces."""
        ...

    def delete(self, key: bytes) -> None:
        """Removes; a missing key is fine."""
        ...

    def clear(self) -> None: ...

    def snapshot(self) -> StateView:
        """A view that later changes do not reach. Reading it after ``close`` is undefined."""
        ...

    def restore(self, items: Iterable[Item]) -> None:
        """Replaces the whole content; of equal keys the last one counts."""
        ...

    def close(self) -> None: ...


def prefix_end(prefix: bytes) -> bytes | None:
    """The least key above every key with this prefix, or None when there is none (b"" or all 0xFF)."""
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None


class _MemoryView:
    def __init__(self, values: dict[bytes, bytes], keys: SortedKeys) -> None:
        self._values = values
        self._keys = keys  # invariant: the keys of _values

    def get(self, key: bytes) -> bytes | None:
        return self._values.get(key)

    def prefix_scan(self, prefix: bytes) -> Iterator[Item]:
        return self.range_scan(prefix, prefix_end(prefix))

    def range_scan(self, start: bytes, end: bytes | None) -> Iterator[Item]:
        return iter([(key, self._values[key]) for key in self._keys.range(start, end)])


class MemoryStateStore(_MemoryView):
    """Everything in memory. ``snapshot`` copies the references, O(n)."""

    def __init__(self) -> None:
        super().__init__({}, SortedKeys())
        self._size = 0

    def __len__(self) -> int:
        return len(self._values)

    @property
    def size_bytes(self) -> int:
        return self._size

    def put(self, key: bytes, value: bytes) -> None:
        old = self._values.get(key)
        if old is None:
            self._keys.add(key)
        self._size += len(value) - len(old) if old is not None else len(key) + len(value)
        self._values[key] = value

    def delete(self, key: bytes) -> None:
        if (old := self._values.pop(key, None)) is not None:
            self._keys.remove(key)
            self._size -= len(key) + len(old)

    def clear(self) -> None:
        self.restore(())

    def snapshot(self) -> StateView:
        return _MemoryView(dict(self._values), self._keys.copy())

    def restore(self, items: Iterable[Item]) -> None:
        self._values = dict(items)
        self._keys = SortedKeys(self._values)
        self._size = sum(len(key) + len(value) for key, value in self._values.items())

    def close(self) -> None: ...


class _RocksSnapshot:
    """One RocksDB iterator, pinned at the moment it was made and shared by all readers.

    `rocksdict`'s Snapshot would be the natural choice, but only its point reads are of the past: its iterators see
    every later write (0.3.29).
    """

    _CHUNK = 1_000  # rows read per turn at the iterator

    def __init__(self, rows: RdictIter, directory: Path) -> None:
        self._rows = rows
        self._directory = directory
        self._turn = threading.Lock()

    def get(self, key: bytes) -> bytes | None:
        with self._turn, rocks_errors(self._directory):
            self._rows.seek(key)
            if self._rows.valid() and self._rows.key() == key:
                return cast(bytes, self._rows.value())
            self._rows.status()
            return None

    def prefix_scan(self, prefix: bytes) -> Iterator[Item]:
        return self.range_scan(prefix, prefix_end(prefix))

    def range_scan(self, start: bytes, end: bytes | None) -> Iterator[Item]:
        while chunk := self._read(start, end):
            yield from chunk
            start = chunk[-1][0] + b"\0"

    def _read(self, start: bytes, end: bytes | None) -> list[Item]:
        with self._turn, rocks_errors(self._directory):
            self._rows.seek(start)
            return list(islice(_items(self._rows, end), self._CHUNK))


def _items(rows: RdictIter, end: bytes | None) -> Iterator[Item]:
    while rows.valid() and (end is None or rows.key() < end):
        yield rows.key(), rows.value()
        rows.next()
    rows.status()  # damage ends an iteration just like the last row does


class RocksStateStore:
    """RocksDB in ``directory``. Content survives ``close``; a crash may lose the latest changes.

    ``len`` and ``size_bytes`` are exact at the price of one read per write and one scan at opening.
    """

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        path = Path(directory)
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._owner = DirectoryLock(path)
        except OSError as error:
            raise StorageFailure(f'could not open state in "{path}": {error.strerror}') from error
        try:
            self._db = open_rocks(path)
            self._directory = path
            self._write = WriteOptions()
            self._write.disable_wal = True
            self._count = self._size = 0
            for key, value in self.range_scan(b"", None):
                self._grow(1, len(key) + len(value))
        except BaseException:
            self._owner.release()
            raise

    def _grow(self, items: int, size: int) -> None:
        self._count += items
        self._size += size

    def __len__(self) -> int:
        return self._count

    @property
    def size_bytes(self) -> int:
        return self._size

    def get(self, key: bytes) -> bytes | None:
        with rocks_errors(self._directory):
            return cast(bytes | None, self._db.get(key))

    def prefix_scan(self, prefix: bytes) -> Iterator[Item]:
        return self.range_scan(prefix, prefix_end(prefix))

    def range_scan(self, start: bytes, end: bytes | None) -> Iterator[Item]:
        with rocks_errors(self._directory):
            rows = self._db.iter()  # pins the moment, before the first row is asked for
            rows.seek(start)
        return self._verified(rows, end)

    def _verified(self, rows: RdictIter, end: bytes | None) -> Iterator[Item]:
        with rocks_errors(self._directory):
            yield from _items(rows, end)

    def put(self, key: bytes, value: bytes) -> None:
        old = self.get(key)
        with rocks_errors(self._directory):
            self._db.put(key, value, write_opt=self._write)
        if old is None:
            self._grow(1, len(key) + len(value))
        else:
            self._grow(0, len(value) - len(old))

    def delete(self, key: bytes) -> None:
        if (old := self.get(key)) is None:
            return
        with rocks_errors(self._directory):
            self._db.delete(key, write_opt=self._write)
        self._grow(-1, -len(key) - len(old))

    def clear(self) -> None:
        with rocks_errors(self._directory):
            rows = self._db.iter()
            rows.seek_to_last()
            if rows.valid():
                self._db.delete_range(b"", rows.key(), write_opt=self._write)
                self._db.delete(rows.key(), write_opt=self._write)
            rows.status()
        self._count = self._size = 0

    def snapshot(self) -> StateView:
        with rocks_errors(self._directory):
            return _RocksSnapshot(self._db.iter(), self._directory)

    def restore(self, items: Iterable[Item]) -> None:
        self.clear()
        for key, value in items:
            self.put(key, value)

    def close(self) -> None:
        with rocks_errors(self._directory):
            self._db.flush()
            close_rocks(self._db)
        self._owner.release()
