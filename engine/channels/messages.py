"""What goes through a channel, as bytes: a head, and batches as pieces of Arrow IPC streams.

A channel has one IPC stream for each distinct schema, under a number. A schema travels when its stream opens, a
dictionary when it changed; everything else is the batch alone. A standalone message depends on none before it, so it
may be dropped or cut into pieces: each of its batches is a stream of its own, which nobody remembers, under number 0.

    u32 length of the head | u32 batches | head, to a multiple of 8 | per batch: u32 number, u32 opens, u64 size, stream

The size is 0 unless the batch comes alone, without schema or dictionaries: then no reader of a stream is asked for it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from constellationdb.errors import InternalError

_PREFIX = struct.Struct("=II")
_ENTRY = struct.Struct("=IIQ")
_STANDALONE = _ENTRY.pack(0, 1, 0)
_MOST_STREAMS = 256


@dataclass(frozen=True)
class Message:
    """Bytes of the sender's own, then any batches of any schemas."""

    head: bytes
    batches: tuple[pa.RecordBatch, ...] = ()


def standalone_size(message: Message) -> int:
    """How many bytes ``write_standalone`` will write."""
    return _prefix_size(message) + sum(_ENTRY.size + _stream_size(batch) for batch in message.batches)


def write_standalone(message: Message, sink: pa.NativeFile) -> None:
    """Write a message that can be read alone."""
    _write_prefix(message, sink)
    for batch in message.batches:
        sink.write(_STANDALONE)
        pa.ipc.new_stream(sink, batch.schema).write_batch(batch)


@dataclass(frozen=True)
class _Stream:
    number: int
    schema: pa.Schema
    writer: pa.RecordBatchStreamWriter
    has_dictionaries: bool


class Encoder:
    """Writes messages into a file, and remembers which schemas its reader knows."""

    def __init__(self, sink: pa.NativeFile) -> None:
        self._sink = sink
        self._streams: list[_Stream] = []  # the last used first

    def size(self, message: Message) -> int:
        """How many bytes ``write`` will write at most; nothing changes."""
        size = _prefix_size(message)
        for batch in message.batches:
            stream = self._open_stream(batch.schema)
            size += _ENTRY.size + (_size_alone(stream, batch) or _stream_size(batch))
        return size

    def write(self, message: Message) -> None:
        """Write it where the file is. After a failure all streams open again: it may have lost what a reader needs."""
        try:
            _write_prefix(message, self._sink)
            for batch in message.batches:
                self._write_batch(batch)
        except BaseException:
            self._streams.clear()
            raise

    def _write_batch(self, batch: pa.RecordBatch) -> None:
        stream = self._open_stream(batch.schema)
        if stream is not None:
            self._sink.write(_ENTRY.pack(stream.number, 0, _size_alone(stream, batch)))
        else:
            number = len(self._streams) + 1 if len(self._streams) < _MOST_STREAMS else self._streams.pop().number
            self._sink.write(_ENTRY.pack(number, 1, 0))
            writer = pa.ipc.new_stream(self._sink, batch.schema)
            stream = _Stream(number, batch.schema, writer, any(_has_dictionaries(f.type) for f in batch.schema))
            self._streams.insert(0, stream)
        stream.writer.write_batch(batch)

    def _open_stream(self, schema: pa.Schema) -> _Stream | None:
        for i, stream in enumerate(self._streams):
            if stream.schema.equals(schema, check_metadata=True):
                if i:
                    self._streams.insert(0, self._streams.pop(i))
                return stream
        return None


class Decoder:
    """Reads what an encoder wrote, in the same order."""

    def __init__(self) -> None:
        self._feed = _Feed()
        self._readers: dict[int, pa.RecordBatchStreamReader] = {}

    def read(self, buffer: pa.Buffer) -> Message:
        """The message in this memory, which its batches share from now on."""
        length, batches = _PREFIX.unpack_from(buffer)
        head = buffer.slice(_PREFIX.size, length).to_pybytes()
        if not batches:
            return Message(head)
        self._feed.show(buffer, _aligned(_PREFIX.size + length))
        return Message(head, tuple(self._batches(batches)))

    def _batches(self, count: int) -> Iterator[pa.RecordBatch]:
        for _ in range(count):
            number, opens, size = _ENTRY.unpack_from(self._feed.read(_ENTRY.size))
            if opens:
                # A file of its own, since a reader that goes closes it.
                self._readers[number] = pa.ipc.open_stream(pa.PythonFile(self._feed, mode="r"))
            elif number not in self._readers:
                raise InternalError(f"stream {number} of a channel was opened before its receiver came")
            reader = self._readers[number]
            yield pa.ipc.read_record_batch(self._feed.read(size), reader.schema) if size else reader.read_next_batch()


class _Feed:
    """A file over memory that is exchanged between reads; what is read is a view of it."""

    closed = False

    def __init__(self) -> None:
        self._buffer: pa.Buffer = pa.py_buffer(b"")
        self._at = 0

    def show(self, buffer: pa.Buffer, at: int) -> None:
        self._buffer, self._at = buffer, at

    def read(self, size: int) -> pa.Buffer:
        start, self._at = self._at, self._at + size
        return self._buffer.slice(start, size)

    read_buffer = read  # which Arrow prefers where there is one

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        """The memory is its owner's."""


def _prefix_size(message: Message) -> int:
    return _aligned(_PREFIX.size + len(message.head))


def _write_prefix(message: Message, sink: pa.NativeFile) -> None:
    prefix = _PREFIX.pack(len(message.head), len(message.batches)) + message.head
    sink.write(prefix.ljust(_prefix_size(message), b"\0"))


def _aligned(size: int) -> int:
    return -(-size // 8) * 8


def _size_alone(stream: _Stream | None, batch: pa.RecordBatch) -> int:
    """Of the batch in a stream that is open, if nothing else can come with it; else 0."""
    if stream is None or stream.has_dictionaries:
        return 0
    return int(pa.ipc.get_record_batch_size(batch))


def _stream_size(batch: pa.RecordBatch) -> int:
    """Of a stream that opens, with all dictionaries, and this batch."""
    sink = pa.MockOutputStream()
    pa.ipc.new_stream(sink, batch.schema).write_batch(batch)
    return int(sink.size())


def _has_dictionaries(kind: Any) -> bool:
    if isinstance(kind, pa.BaseExtensionType):
        return _has_dictionaries(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return True
    return any(_has_dictionaries(kind.field(i).type) for i in range(kind.num_fields))
