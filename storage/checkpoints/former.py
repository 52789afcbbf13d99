"""The checkpoint of a data directory of format 1, which kept one, in RocksDB. Only read, and removed when taken over.

"m"                     crc32 | epoch u64 | how many blobs u64 | manifest
"i" + name              epoch u64 | length u64 | crc32 of name and body u32
"b" + epoch u64 + name  a blob                                                (epoch big-endian, the rest little)
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from constellationdb.errors import CorruptState
from constellationdb.storage.disk import DISK, Disk
from constellationdb.storage.rocks import close_rocks, open_rocks, rocks_errors

_INDEX = struct.Struct("<QQI")
_MANIFEST_HEAD = struct.Struct("<QQ")
_CRC = struct.Struct("<I")


@dataclass(frozen=True)
class _Entry:
    epoch: int
    length: int
    checksum: int


class FormerCheckpoints:
    """What is in ``directory``. Verified as it is read: CorruptState, never wrong bytes."""

    def __init__(self, directory: Path, disk: Disk = DISK) -> None:
        self._directory = directory
        self._disk = disk
        self._db = open_rocks(directory, read_only=True)
        try:
            with rocks_errors(directory):
                self._latest, live = self._read_manifest()
                self._index = self._read_index()
            if len(self._index) != live:
                raise self._corrupt(f"the manifest counts {live} blobs, the index has {len(self._index)}")
        except BaseException:
            close_rocks(self._db)
            raise

    def _read_manifest(self) -> tuple[tuple[int, bytes] | None, int]:
        value = cast(bytes | None, self._db.get(b"m"))
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

    def latest(self) -> tuple[int, bytes] | None:
        """Epoch and manifest."""
        return self._latest

    def keys(self) -> list[str]:
        return sorted(self._index)

    def get(self, key: str) -> bytes:
        entry, name = self._index[key], key.encode()
        with rocks_errors(self._directory):
            body = cast(bytes | None, self._db.get(b"b" + entry.epoch.to_bytes(8, "big") + name))
        if body is None:
            raise self._corrupt(f'blob "{key}" is missing')
        if len(body) != entry.length or zlib.crc32(body, zlib.crc32(name)) != entry.checksum:
            raise self._corrupt(f'blob "{key}" fails its checksum')
        return body

    def _corrupt(self, what: str) -> CorruptState:
        return CorruptState(
            f'the checkpoint in "{self._directory}" is damaged',
            detail=what,
            hint="restore the directory from a copy",
        )

    def remove(self) -> None:
        """Every file of it; ``CURRENT`` first, so that a removal cut short is not taken for a database."""
        self.close()
        (self._directory / "CURRENT").unlink(missing_ok=True)
        self._disk.sync_directory(self._directory)
        remove_remains(self._directory)

    def close(self) -> None:
        close_rocks(self._db)


def find_former(directory: Path) -> FormerCheckpoints | None:
    return FormerCheckpoints(directory) if (directory / "CURRENT").exists() else None


def remove_remains(directory: Path) -> None:
    """The plain files in ``directory``: what is ours now lies in folders, or is called ``database``."""
    for path in directory.iterdir():
        if path.is_file() and path.name != "database":
            path.unlink()
