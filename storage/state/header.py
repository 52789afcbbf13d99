"""The first 64 bytes of every file of a state store: what it is, its format, who wrote it.

    magic 8 | format u32 | writer 20 | three u64 of the file's own | checksum of the rest u32 | of these 60 bytes u32

Later formats keep these 64 bytes, so that an older release can say that the file is newer. Checksums are zlib's CRC-32.
"""

from __future__ import annotations

import struct
import zlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from constellationdb.errors import CorruptState, FeatureNotSupported

FORMAT = 1
_FIELDS = struct.Struct("<8sI20sQQQI")
_CRC = struct.Struct("<I")
SIZE = _FIELDS.size + _CRC.size


class Header(NamedTuple):
    first: int
    second: int
    third: int
    checksum: int


@cache
def _writer() -> bytes:
    """This release; nothing when it runs from sources that are not installed."""
    try:
        return version("constellation-db").encode()
    except PackageNotFoundError:
        return b""


def encode_header(magic: bytes, header: Header) -> bytes:
    fields = _FIELDS.pack(magic, FORMAT, _writer(), *header)
    return fields + _CRC.pack(zlib.crc32(fields))


def decode_header(magic: bytes, data: bytes, file: object) -> Header:
    """The header of ``file``. CorruptState when it is not one, FeatureNotSupported when a newer release wrote it."""
    if len(data) < SIZE or data[:8] != magic:
        raise CorruptState(f'file "{file}" does not begin as what it should be, "{magic.decode()}"')
    if _CRC.unpack_from(data, _FIELDS.size) != (zlib.crc32(data[: _FIELDS.size]),):
        raise CorruptState(f'file "{file}" has a header that fails its checksum at offset 0')
    _, found, writer, *fields = _FIELDS.unpack_from(data)
    if found > FORMAT:
        wrote = writer.rstrip(b"\0").decode("ascii", "replace") or "unknown"
        raise FeatureNotSupported(
            f'file "{file}" has format {found}, this release reads up to {FORMAT}',
            hint=f"open it with release {wrote}, which wrote it, or a newer one",
        )
    return Header(*fields)
