"""One file of the epoch log: how records lie in it, and how a damaged file is judged.

    header  magic 8 | version u32 | base u64 | mark 8 | crc32 u32
    record  mark 8 | length u32 | crc32 u32 | epoch u64 | group u64 | payload        (little-endian)

``base`` is one more than the last epoch of the file before, so a missing file shows. ``mark`` is random per file:
it finds the next record behind damage, and no payload can imitate it. ``group`` is the offset in this file where
the record's commit group begins: all bytes before it were synced when the record was written. The checksum is
zlib's CRC-32 (IEEE; not the Castagnoli polynomial, for which the standard library has nothing).

A crash may leave any part of the last group in the file, also its second record without its first. So a place
where no good record starts is

* a **torn tail**, when no good record behind it belongs to a later group: nothing from there on was acknowledged;
* **corruption**, when one does, since the bytes had been synced; when the file is not the log's last; or when all of
  the record is there but for one bit, which no crash leaves (``is_flipped``).

What this cannot tell from a torn tail: more damage inside the last group after it was acknowledged. Nothing later
vouches for it. It is cut off and reported like one.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from constellationdb.errors import CorruptState, FeatureNotSupported

VERSION = 1
MAX_PAYLOAD = 2**32 - 1
_MAGIC = b"CONSTLOG"
_HEADER = struct.Struct("<8sIQ8s")
_SECTOR = 512  # the least that a drive writes, or leaves as zeros
_POLYNOMIAL = 0xEDB88320  # of CRC-32, its bits in reverse
_MOST_SEARCHED = 4 << 20  # bytes of a record that are searched for a flipped bit: a few seconds' worth
_RECORD = struct.Struct("<8sIIQQ")
_CHECKED = struct.Struct("<IQQ")
_CRC = struct.Struct("<I")
HEADER_SIZE = _HEADER.size + _CRC.size
RECORD_OVERHEAD = _RECORD.size


@dataclass(frozen=True)
class Header:
    base: int  # lowest epoch the file may hold
    mark: bytes


@dataclass(frozen=True)
class Record:
    epoch: int
    payload: bytes
    offset: int
    end: int
    group: int


def new_header(base: int) -> Header:
    return Header(base, os.urandom(8))


def encode_header(header: Header) -> bytes:
    fields = _HEADER.pack(_MAGIC, VERSION, header.base, header.mark)
    return fields + _CRC.pack(zlib.crc32(fields))


def decode_header(data: bytes, file: str) -> Header:
    """The header of a segment. A file gets its name only when its header is synced, so no crash explains a bad one."""
    if len(data) < HEADER_SIZE or data[:8] != _MAGIC:
        raise CorruptState(f'epoch log file "{file}" has no valid header at offset 0')
    fields = data[: _HEADER.size]
    if _CRC.unpack_from(data, _HEADER.size) != (zlib.crc32(fields),):
        raise CorruptState(f'epoch log file "{file}" has a header that fails its checksum at offset 0')
    _, version, base, mark = _HEADER.unpack(fields)
    if version > VERSION:
        raise FeatureNotSupported(
            f'epoch log file "{file}" has format {version}, this release reads up to {VERSION}',
            hint="open it with the release that wrote it, or a newer one",
        )
    return Header(base, mark)


def encode_record(header: Header, epoch: int, payload: bytes, group: int) -> bytes:
    checked = zlib.crc32(payload, zlib.crc32(_CHECKED.pack(len(payload), epoch, group)))
    return _RECORD.pack(header.mark, len(payload), checked, epoch, group) + payload


def read_record(data: bytes | bytearray, offset: int, header: Header) -> Record | None:
    """The record that starts at ``offset``, or None when no whole, undamaged one does."""
    start = offset + _RECORD.size
    if start > len(data):
        return None
    mark, length, checksum, epoch, group = _RECORD.unpack_from(data, offset)
    if mark != header.mark or length > len(data) - start:
        return None
    payload = data[start : start + length]
    if zlib.crc32(payload, zlib.crc32(_CHECKED.pack(length, epoch, group))) != checksum:
        return None
    return Record(epoch, bytes(payload), offset, start + length, group)


def records(data: bytes, header: Header, file: str) -> Iterator[Record]:
    """The good records from the front, up to the first place where none starts. CorruptState if epochs go back."""
    offset, lowest = HEADER_SIZE, header.base
    while record := read_record(data, offset, header):
        if record.epoch < lowest:
            raise CorruptState(
                f'epoch log file "{file}" has epoch {record.epoch} at offset {offset} where {lowest} or more is due'
            )
        yield record
        offset, lowest = record.end, record.epoch + 1


def epochs_behind(data: bytes, offset: int, header: Header) -> list[int]:
    """Of the good records behind damage at ``offset``."""
    found, position = [], data.find(header.mark, offset + 1)
    while position >= 0:
        if record := read_record(data, position, header):
            found.append(record.epoch)
        position = data.find(header.mark, position + 1)
    return found


def is_flipped(data: bytes, offset: int, header: Header) -> bool:
    """Whether a good record would stand at ``offset`` if a single bit were another.

    A sector that is all zeros because it was never written may be one bit off by chance: that is a torn tail.
    """
    found = _flipped_in_front(data, offset, header)
    if found is None:
        found = _flipped_behind(data, offset, header)
    if found is None:
        return False
    begin = max(found - found % _SECTOR, offset)
    return any(data[begin : found - found % _SECTOR + _SECTOR])


def _flipped_in_front(data: bytes, offset: int, header: Header) -> int | None:
    """The byte, tried bit by bit, before the payload."""
    tried = bytearray(data[offset:])
    for bit in range(8 * min(RECORD_OVERHEAD, len(tried))):
        tried[bit // 8] ^= 1 << bit % 8
        if read_record(tried, 0, header):
            return offset + bit // 8
        tried[bit // 8] ^= 1 << bit % 8
    return None


def _flipped_behind(data: bytes, offset: int, header: Header) -> int | None:
    """The byte of the payload: how the checksum differs tells how far from the end a single bit is another."""
    start = offset + RECORD_OVERHEAD
    if start > len(data):
        return None
    length: int
    checksum: int
    mark, length, checksum, epoch, group = _RECORD.unpack_from(data, offset)
    if mark != header.mark or length > len(data) - start:
        return None
    payload = data[start : start + length]
    difference = checksum ^ zlib.crc32(payload, zlib.crc32(_CHECKED.pack(length, epoch, group)))
    of_a_bit = 1
    for bit in range(8 * min(length, _MOST_SEARCHED)):  # from the end
        of_a_bit = of_a_bit >> 1 ^ (_POLYNOMIAL if of_a_bit & 1 else 0)
        if of_a_bit == difference:
            return start + length - 1 - bit // 8
    return None


def is_torn_tail(data: bytes, offset: int, header: Header) -> bool:
    """Whether the damage at ``offset`` of the last file can be what a crash left of an unacknowledged group."""
    position = data.find(header.mark, offset + 1)
    while position >= 0:
        record = read_record(data, position, header)
        if record and record.group > offset:
            return False
        position = data.find(header.mark, position + 1)
    return not is_flipped(data, offset, header)
