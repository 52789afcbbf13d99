"""A part of a snapshot as a file: all items of a moment, or what changed since the part before.

    header (64 bytes) | base's digest 32 | batches as an Arrow IPC stream | rows u64 | SHA-256 of all before, 32

The header has the part's epoch, its base's epoch, and how many deltas lie below it (0: it is a full one). The digest at
the end names this content: the next delta repeats it, so a chain cannot be put together of parts that do not belong to
each other, and any bit that flips is noticed.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from constellationdb.errors import CorruptState, StorageFailure
from constellationdb.storage.disk import Disk
from constellationdb.storage.state.header import SIZE, Header, decode_header, encode_header
from constellationdb.storage.state.store import ITEMS

MAGIC = b"CONSTSNP"
_ROWS = struct.Struct("<Q")
_DIGEST = 32
_NO_BASE = bytes(_DIGEST)


@dataclass(frozen=True)
class Part:
    """What a part is, without its items. ``depth`` counts the deltas from the last full one up to it."""

    epoch: int
    depth: int
    base_epoch: int
    base_digest: bytes
    rows: int
    digest: bytes
    bytes: int


def write_part(
    path: Path, epoch: int, base: Part | None, batches: Iterable[pa.RecordBatch], disk: Disk
) -> Part:  # fmt: skip
    """The part of ``epoch`` in a new file, durable when it returns and absent if it does not. With ``base`` a delta."""
    try:
        aside = path.with_name(path.name + ".tmp")
        fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            part = _written(_Hashed(lambda data: disk.write(fd, data)), epoch, base, batches)
            disk.sync(fd)
        finally:
            os.close(fd)
        disk.rename(aside, path)
        disk.sync_directory(path.parent)
    except OSError as error:
        raise StorageFailure(f'could not write "{path}": {error.strerror}') from error
    return part


class _Hashed:
    """A file to write to, with the digest and the number of the bytes so far."""

    closed = False

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write = write
        self.digest = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes) -> int:
        self._write(data)
        self.digest.update(data)
        self.bytes += len(data)
        return len(data)


def _written(out: _Hashed, epoch: int, base: Part | None, batches: Iterable[pa.RecordBatch]) -> Part:
    depth, base_epoch = (base.depth + 1, base.epoch) if base else (0, 0)
    base_digest = base.digest if base else _NO_BASE
    out.write(encode_header(MAGIC, Header(epoch, base_epoch, depth, 0)))
    out.write(base_digest)
    rows = 0
    with pa.ipc.new_stream(pa.PythonFile(out, mode="w"), ITEMS) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    out.write(_ROWS.pack(rows))
    digest = out.digest.digest()
    out.write(digest)
    return Part(epoch, depth, base_epoch, base_digest, rows, digest, out.bytes)


def read_part(path: Path) -> tuple[Part, Iterator[pa.RecordBatch]]:
    """A part that was checked as a whole, and its batches. CorruptState when any bit of it is not as it was written."""
    try:
        data = pa.memory_map(str(path)).read_buffer() if path.stat().st_size else pa.py_buffer(b"")
    except FileNotFoundError as error:
        raise CorruptState(f'the snapshot part "{path}" is missing') from error
    except OSError as error:
        raise StorageFailure(f'could not read "{path}": {error.strerror}') from error
    view = memoryview(data)
    epoch, base_epoch, depth, _ = decode_header(MAGIC, bytes(view[:SIZE]), path)
    end = len(view) - _DIGEST
    digest = bytes(view[end:])
    if end < SIZE + _DIGEST + _ROWS.size or hashlib.sha256(view[:end]).digest() != digest:
        raise CorruptState(f'the snapshot part "{path}" fails its checksum')
    (rows,) = _ROWS.unpack_from(view, end - _ROWS.size)
    part = Part(epoch, depth, base_epoch, bytes(view[SIZE : SIZE + _DIGEST]), rows, digest, len(view))
    return part, _batches(data.slice(SIZE + _DIGEST, end - _ROWS.size - SIZE - _DIGEST))


def _batches(stream: pa.Buffer) -> Iterator[pa.RecordBatch]:
    with pa.ipc.open_stream(stream) as reader:
        yield from reader
