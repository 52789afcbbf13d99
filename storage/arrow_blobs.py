"""Arrow batches as bytes: one batch on its own, or several behind a small header.

    packed  "CPK1" | header length u32 | batches u32 | reserved u32 | stream length u64 × batches
            | header (msgpack) | streams, each at a multiple of 64

A stream is Arrow's IPC stream of one batch: schema with metadata, dictionaries, buffers. A batch without columns
keeps its row count. Reading copies nothing: the batches point into the bytes they came from, and keep them alive.
Alignment is relative to the start of the bytes, which Python aligns to 16.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar, overload

import msgspec
import pyarrow as pa

from constellationdb.errors import CorruptState, LimitExceeded

Compression = Literal["lz4", "zstd"]
Header = TypeVar("Header")

_MAGIC = b"CPK1"
_HEAD = struct.Struct("<4sIII")
_ALIGN = 64


def ipc_buffer(batch: pa.RecordBatch, compression: Compression | None = None) -> pa.Buffer:
    """The batch as an Arrow IPC stream, where it was written; of a slice, only the slice."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def to_ipc(batch: pa.RecordBatch, compression: Compression | None = None) -> bytes:
    """The same, copied into bytes."""
    encoded: bytes = ipc_buffer(batch, compression).to_pybytes()
    return encoded


def from_ipc(data: bytes | memoryview) -> pa.RecordBatch:
    """The batch of ``to_ipc``, pointing into ``data``. CorruptState when it is not one."""
    try:
        with pa.ipc.open_stream(pa.py_buffer(data)) as reader:
            return reader.read_next_batch()
    except (pa.ArrowException, OSError, StopIteration) as error:
        raise CorruptState("stored batch is not a readable arrow stream", detail=str(error)) from error


def pack(
    header: msgspec.Struct | Mapping[str, Any],
    batches: Sequence[pa.RecordBatch],
    compression: Compression | None = None,
) -> bytes:
    """A header that msgpack can hold, and the batches in order."""
    encoded = msgspec.msgpack.encode(header)
    if len(encoded) >= 2**32:
        raise LimitExceeded(f"the header of a stored record has {len(encoded)} bytes")
    streams = [ipc_buffer(batch, compression) for batch in batches]
    lengths = struct.pack(f"<{len(streams)}Q", *(stream.size for stream in streams))
    parts: list[bytes | pa.Buffer] = [_HEAD.pack(_MAGIC, len(encoded), len(streams), 0), lengths, encoded]
    end = _HEAD.size + len(lengths) + len(encoded)
    for stream in streams:
        parts += [bytes(-end % _ALIGN), stream]
        end += -end % _ALIGN + stream.size
    return b"".join(parts)


@overload
def unpack(data: bytes | memoryview) -> tuple[dict[str, Any], list[pa.RecordBatch]]: ...
@overload
def unpack(data: bytes | memoryview, header_type: type[Header]) -> tuple[Header, list[pa.RecordBatch]]: ...
def unpack(data: bytes | memoryview, header_type: Any = dict[str, Any]) -> tuple[Any, list[pa.RecordBatch]]:
    """Header and batches of ``pack``; the header as ``header_type``. CorruptState when it is not that."""
    try:
        magic, header_length, count, _ = _HEAD.unpack_from(data)
        if magic != _MAGIC:
            raise CorruptState("stored record does not begin as one")
        lengths = struct.unpack_from(f"<{count}Q", data, _HEAD.size)
        view = memoryview(data)
        start = _HEAD.size + 8 * count
        end = start + header_length
        header = msgspec.msgpack.decode(view[start:end], type=header_type)
    except (struct.error, msgspec.MsgspecError) as error:
        raise CorruptState("stored record has no readable header", detail=str(error)) from error
    batches = []
    for length in lengths:
        start = end + -end % _ALIGN
        end = start + length
        batches.append(from_ipc(view[start:end]))
    if end != len(view):
        raise CorruptState(f"stored record has {len(view)} bytes where {end} are due")
    return header, batches
