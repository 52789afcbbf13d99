"""How an object of ours begins: what it is, who wrote it, and the checksum of the rest.

    magic 8 | format u16 | kind u16 | reserved u32 | writer 24 | body length u64 | SHA-256 of the body 32 | crc32 u32

The crc32 covers everything before it, so no bit of an object can change unnoticed. A later format may mean anything
by the body, but keeps these fields where they are, so that every release can say what it does not understand.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from constellationdb.errors import CorruptState, FeatureNotSupported
from constellationdb.storage.buffers import Bytes, size_of

FORMAT = 1
WRITER = "0.1.0"  # this release
_MAGIC = b"CONSTOBJ"
_FIELDS = struct.Struct("<8sHHI24sQ32s")
_CRC = struct.Struct("<I")
HEADER_SIZE = _FIELDS.size + _CRC.size


class Kind(IntEnum):
    MANIFEST = 1
    PACK = 2
    BLOB = 3
    NAME = 4
    OWNER = 5
    DATABASE = 6
    ORDER = 7


@dataclass(frozen=True)
class Header:
    kind: Kind
    writer: str
    length: int
    sha256: bytes


def digest(pieces: Iterable[Bytes]) -> bytes:
    state = hashlib.sha256()
    for piece in pieces:
        state.update(piece)
    return state.digest()


def encode_header(kind: Kind, length: int, sha256: bytes) -> bytes:
    fields = _FIELDS.pack(_MAGIC, FORMAT, kind, 0, WRITER.encode(), length, sha256)
    return fields + _CRC.pack(zlib.crc32(fields))


def encode(kind: Kind, body: bytes) -> list[Bytes]:
    """A small object, as pieces."""
    return [encode_header(kind, size_of(body), digest((body,))), body]


def decode_header(data: memoryview, kind: Kind, name: str) -> Header:
    """CorruptState when the object is damaged or something else, FeatureNotSupported when it is of a later format."""
    if len(data) < HEADER_SIZE or data[:8] != _MAGIC:
        raise CorruptState(f'object "{name}" does not begin as one of a checkpoint')
    if _CRC.unpack_from(data, _FIELDS.size) != (zlib.crc32(data[: _FIELDS.size]),):
        raise CorruptState(f'object "{name}" has a header that fails its checksum')
    _, version, found, _, writer, length, sha256 = _FIELDS.unpack_from(data)
    by = writer.rstrip(b"\0").decode("ascii", "replace")
    if version > FORMAT:
        raise FeatureNotSupported(
            f'object "{name}" has format {version}, this release reads up to {FORMAT}',
            detail=f"it was written by release {by}",
            hint="open it with the release that wrote it, or a newer one",
        )
    if found != kind:
        raise CorruptState(f'object "{name}" is of kind {found} where {kind.value} is due')
    return Header(kind, by, length, sha256)


def decode(data: memoryview, kind: Kind, name: str) -> tuple[Header, memoryview]:
    """Header and body of a whole object, verified."""
    header = decode_header(data, kind, name)
    body = data[HEADER_SIZE:]
    if len(body) != header.length:
        raise CorruptState(f'object "{name}" has a body of {len(body)} bytes where {header.length} are due')
    if digest((body,)) != header.sha256:
        raise CorruptState(f'object "{name}" fails its checksum')
    return header, body
