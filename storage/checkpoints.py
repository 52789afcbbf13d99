"""Checkpoints: state as of an epoch, as named blobs and one manifest, committed as one.

    commit(40, manifest, {"job1/agg/3/40": …, "job1/join/0/40": …}, deleted={"job1/agg/3/10"})
    latest()            (40, manifest)
    blobs("job1/agg/")  every live blob under the prefix, those of earlier checkpoints too

A blob lives from the commit that brings it to the one that deletes it. Names are the caller's; by convention
``job/operator/vnode group/epoch``. Left out: keeping older checkpoints, and deciding what is still referred to.

In RocksDB a blob is two records: its body under (epoch, name), and a small index record under its name. Bodies go in
one by one, then one atomic batch with the index records, the deletions and the manifest, then one sync of it all. A
kill in between leaves bodies of an epoch above the manifest's that no index record names; the next opening deletes
them. (One batch with everything in it would be simpler, and would stop every thread of the process for 0.1–0.3 s per
48 MB; see `rocks.py`.)

Damage to the end of RocksDB's own log can bring back the checkpoint before the last one, whole. Whoever replays the
epoch log from there then gets HistoryExpired if it has been shortened, and right answers if not.
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from rocksdict import Snapshot, WriteBatch

from constellationdb.errors import CorruptState, InternalError, StorageFailure
from constellationdb.storage.lockfile import DirectoryLock
from constellationdb.storage.rocks import close_rocks, open_rocks, rocks_errors, snapshot_get


class CheckpointStore(Protocol):
    """The latest checkpoint and its blobs. Any thread may call anything; commits queue up.

    What is read is verified against its checksum: CorruptState, never wrong bytes.
    """

    def commit(self, epoch: int, manifest: bytes, blobs: Mapping[str, bytes], deleted: Iterable[str] = ()) -> None:
        """Makes this the latest checkpoint: durable when it returns, wholly absent if it does not.

        Deletions come first; deleting what is not there is fine. InternalError unless ``epoch`` is above the latest.
        """
        ...

    def latest(self) -> tuple[int, bytes] | None:
        """Epoch and manifest of the last commit."""
        ...

    def get(self, key: str) -> bytes | None: ...

    def keys(self, prefix: str = "") -> list[str]:
        """The live blobs' names in order, without reading the blobs."""
        ...

    def blobs(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """Names and contents in order of name, as of the call."""
        ...

    def close(self) -> None: ...


def _require_above(latest: int, epoch: int) -> None:
    if epoch <= latest:
        raise InternalError(f"checkpoint of epoch {epoch} committed after that of epoch {latest}")


class MemoryCheckpointStore:
    """Checkpoints for as long as the process lives."""

    def __init__(self) -> None:
        self._latest: tuple[int, bytes] | None = None
        self._blobs: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def commit(self, epoch: int, manifest: bytes, blobs: Mapping[str, bytes], deleted: Iterable[str] = ()) -> None:
        with self._lock:
            _require_above(self._latest[0] if self._latest else 0, epoch)
            gone = set(deleted)
            self._blobs = {key: body for key, body in self._blobs.items() if key not in gone} | dict(blobs)
            self._latest = (epoch, manifest)

    def latest(self) -> tuple[int, bytes] | None:
        return self._latest

    def get(self, key: str) -> bytes | None:
        return self._blobs.get(key)

    def keys(self, prefix: str = "") -> list[str]:
        return sorted(key for key in self._blobs if key.startswith(prefix))

    def blobs(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        return iter(sorted(item for item in self._blobs.items() if item[0].startswith(prefix)))

    def close(self) -> None: ...


# Record keys: "m" the manifest, "i" + name an index record, "b" + epoch + name a body.
_MANIFEST = b"m"
_INDEX = struct.Struct("<QQI")  # epoch, length, crc32 of name and body
_MANIFEST_HEAD = struct.Struct("<QQ")  # epoch, how many blobs are live
_CRC = struct.Struct("<I")


@dataclass(frozen=True, order=True)
class _Entry:
    epoch: int
    length: int
    checksum: int


def _checksum(name: bytes, body: bytes) -> int:
    return zlib.crc32(body, zlib.crc32(name))


def _body_key(epoch: int, name: bytes) -> bytes:
    return b"b" + epoch.to_bytes(8, "big") + name


class RocksCheckpointStore:
    """Checkpoints in RocksDB in ``directory``. One process at a time (DirectoryInUse)."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self._directory = Path(directory)
        self._committing = threading.Lock()
        self._failed = False
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._owner = DirectoryLock(self._directory)
        except OSError as error:
            raise StorageFailure(f'could not open checkpoints in "{directory}": {error.strerror}') from error
        try:
            self._db = open_rocks(self._directory, large_values=True)
            with rocks_errors(self._directory):
                self._recover()
        except BaseException:
            self._owner.release()
            raise

    def _recover(self) -> None:
        self._latest, live = self._read_manifest()
        self._index = self._read_index()
        if len(self._index) != live:
            raise self._corrupt(f"the manifest counts {live} blobs, the index has {len(self._index)}")
        self._remove_unfinished(_body_key((self._latest[0] if self._latest else 0) + 1, b""))

    def _remove_unfinished(self, start: bytes) -> None:
        rows = self._db.iter()
        rows.seek(start)
        if rows.valid() and rows.key() < b"c":
            self._db.delete_range(start, b"c")
        rows.status()

    def _read_manifest(self) -> tuple[tuple[int, bytes] | None, int]:
        value = cast(bytes | None, self._db.get(_MANIFEST))
        if value is None:
            return None, 0
        head = _CRC.size + _MANIFEST_HEAD.size
        if len(value) < head or _CRC.unpack_from(value) != (zlib.crc32(value[_CRC.size :]),):
            raise self._corrupt("the manifest fails its checksum")
        epoch, live = _MANIFEST_HEAD.unpack_from(value, _CRC.size)
        return (epoch, value[head:]), live

    def _read_index(self) -> dict[str, _Entry]:
        index: dict[str, _Entry] = {}
        rows = self._db.iter()
        rows.seek(b"i")
        while rows.valid() and (key := cast(bytes, rows.key())).startswith(b"i"):
            if len(value := cast(bytes, rows.value())) != _INDEX.size:
                raise self._corrupt(f"the index record of {key[1:]!r} has {len(value)} bytes")
            index[key[1:].decode()] = _Entry(*_INDEX.unpack(value))
            rows.next()
        rows.status()
        return index

    def commit(self, epoch: int, manifest: bytes, blobs: Mapping[str, bytes], deleted: Iterable[str] = ()) -> None:
        with self._committing:
            _require_above(self._latest[0] if self._latest else 0, epoch)
            if self._failed:
                raise StorageFailure(f'an earlier commit to checkpoints in "{self._directory}" failed')
            self._failed = True  # until the end is reached: a half-done commit must not be built upon
            with rocks_errors(self._directory):
                added = {key: self._put_body(epoch, key.encode(), body) for key, body in blobs.items()}
                gone = [key for key in deleted if key in self._index]
                index = {key: e for key, e in self._index.items() if key not in set(gone)} | added
                batch = self._closing_batch(epoch, manifest, added, gone, len(index))
                self._db.write(batch)
                self._db.flush_wal(True)  # syncs every log file not yet synced, and lets other threads run meanwhile
            self._index, self._latest = index, (epoch, manifest)
            self._failed = False

    def _put_body(self, epoch: int, name: bytes, body: bytes) -> _Entry:
        self._db.put(_body_key(epoch, name), body)
        return _Entry(epoch, len(body), _checksum(name, body))

    def _closing_batch(
        self, epoch: int, manifest: bytes, added: Mapping[str, _Entry], gone: list[str], live: int
    ) -> WriteBatch:
        batch = WriteBatch(raw_mode=True)
        for key in (*gone, *added):
            if old := self._index.get(key):
                batch.delete(_body_key(old.epoch, key.encode()))
        for key in gone:
            batch.delete(b"i" + key.encode())
        for key, entry in added.items():
            batch.put(b"i" + key.encode(), _INDEX.pack(entry.epoch, entry.length, entry.checksum))
        value = _MANIFEST_HEAD.pack(epoch, live) + manifest
        batch.put(_MANIFEST, _CRC.pack(zlib.crc32(value)) + value)
        return batch

    def latest(self) -> tuple[int, bytes] | None:
        return self._latest

    def get(self, key: str) -> bytes | None:
        with self._committing, rocks_errors(self._directory):
            if (entry := self._index.get(key)) is None:
                return None
            return self._verified(key, entry, self._db.get(_body_key(entry.epoch, key.encode())))

    def keys(self, prefix: str = "") -> list[str]:
        return sorted(key for key in self._index if key.startswith(prefix))

    def blobs(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        with self._committing, rocks_errors(self._directory):
            entries = sorted((key, entry) for key, entry in self._index.items() if key.startswith(prefix))
            return self._read(entries, self._db.snapshot())  # for point reads: its iterators see later writes

    def _read(self, entries: list[tuple[str, _Entry]], snapshot: Snapshot) -> Iterator[tuple[str, bytes]]:
        for key, entry in entries:
            with rocks_errors(self._directory):
                body = self._verified(key, entry, snapshot_get(snapshot, _body_key(entry.epoch, key.encode())))
            yield key, body

    def _verified(self, key: str, entry: _Entry, body: bytes | None) -> bytes:
        if body is None:
            raise self._corrupt(f'blob "{key}" is missing')
        if len(body) != entry.length or _checksum(key.encode(), body) != entry.checksum:
            raise self._corrupt(f'blob "{key}" fails its checksum')
        return body

    def _corrupt(self, what: str) -> CorruptState:
        return CorruptState(
            f'the checkpoint in "{self._directory}" is damaged',
            detail=what,
            hint="restore the directory from a copy",
        )

    def close(self) -> None:
        with self._committing:
            close_rocks(self._db)
            self._owner.release()
