"""The two ends of what carries rows between processes, alike to use; and the child that has the other end.

``python -m bench.channel_ends transport task numbers of fds``, as ``bench.channels`` starts it.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Protocol

import pyarrow as pa

from constellationdb.engine.channels.messages import Message
from constellationdb.engine.channels.ring import Ring
from constellationdb.engine.channels.waiting import Park, Spin, SpinYield, WaitStrategy, wait_any

NOTE_BYTES = 16
_CAPACITY = 16 << 20  # room for two of the largest batches; more memory than the caches hold only costs time


class End(Protocol):
    """Notes of 16 bytes both ways, batches one way; each call waits until it is done."""

    def send_note(self, note: bytes) -> None: ...

    def receive_note(self) -> bytes: ...

    def send(self, batch: pa.RecordBatch) -> None: ...

    def receive(self) -> pa.RecordBatch: ...


class RingEnd:
    """Two of our rings."""

    def __init__(self, out: Ring, back: Ring, wait: WaitStrategy) -> None:
        self._sender, self._receiver, self._wait = out.sender(wait=wait), back.receiver(), wait

    def send_note(self, note: bytes) -> None:
        self._sender.push(Message(note))

    def receive_note(self) -> bytes:
        return self._next().head

    def send(self, batch: pa.RecordBatch) -> None:
        self._sender.push(Message(b"", (batch,)))

    def receive(self) -> pa.RecordBatch:
        return self._next().batches[0]

    def _next(self) -> Message:
        while (message := self._receiver.pull()) is None:
            wait_any([self._receiver], wait=self._wait)
        return message


class SocketEnd:
    """A Unix socket with an Arrow stream on it."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._out, self._in = connection.makefile("wb"), connection.makefile("rb")
        self._writer: pa.RecordBatchStreamWriter | None = None
        self._reader: pa.RecordBatchStreamReader | None = None

    def send_note(self, note: bytes) -> None:
        self._socket.sendall(note)

    def receive_note(self) -> bytes:
        return self._in.read(NOTE_BYTES)

    def send(self, batch: pa.RecordBatch) -> None:
        if self._writer is None:
            self._writer = pa.ipc.new_stream(self._out, batch.schema)
        self._writer.write_batch(batch)
        self._out.flush()

    def receive(self) -> pa.RecordBatch:
        if self._reader is None:
            self._reader = pa.ipc.open_stream(self._in)
        return self._reader.read_next_batch()


class PipeEnd:
    """What ``multiprocessing.Pipe`` gives, with Arrow's bytes of a batch."""

    def __init__(self, connection: Connection, schema: pa.Schema) -> None:
        self._connection, self._schema = connection, schema

    def send_note(self, note: bytes) -> None:
        self._connection.send_bytes(note)

    def receive_note(self) -> bytes:
        return self._connection.recv_bytes()

    def send(self, batch: pa.RecordBatch) -> None:
        self._connection.send_bytes(batch.serialize())

    def receive(self) -> pa.RecordBatch:
        return pa.ipc.read_record_batch(pa.py_buffer(self._connection.recv_bytes()), self._schema)


RINGS: dict[str, WaitStrategy] = {"ring": SpinYield(), "ring, spins": Spin(), "ring, parks": Park()}
TRANSPORTS = (*RINGS, "unix socket", "mp.Pipe")
SCHEMA = pa.schema([*((f"n{i}", pa.int64()) for i in range(12)), ("flag", pa.bool_())])


@contextmanager
def ends(transport: str, task: str) -> Iterator[End]:
    """This end, and a child at the other that does the task."""
    if transport in RINGS:
        out, back = Ring.create(_CAPACITY), Ring.create(_CAPACITY)
        with _child(transport, task, (*out.fds, *back.fds)):
            yield RingEnd(out, back, RINGS[transport])
        out.close()
        back.close()
        return
    ours, theirs = socket.socketpair()
    with ours, theirs, _child(transport, task, (theirs.fileno(),)):
        yield _socket_end(transport, ours)


def _socket_end(transport: str, connection: socket.socket) -> End:
    """Python's duplex pipe is a pair of Unix sockets, too."""
    if transport == "unix socket":
        return SocketEnd(connection)
    return PipeEnd(Connection(connection.detach()), SCHEMA)


@contextmanager
def _child(transport: str, task: str, fds: tuple[int, ...]) -> Iterator[None]:
    command = [sys.executable, "-m", __name__, transport, task, *map(str, fds)]
    with subprocess.Popen(command, pass_fds=fds) as process:
        try:
            yield
            process.wait(60)
        finally:
            process.kill()


def note_of(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(8, "little") for number in numbers)


def numbers_of(note: bytes) -> tuple[int, int]:
    return int.from_bytes(note[:8], "little"), int.from_bytes(note[8:], "little")


def _echo(end: End) -> None:
    """Send each note back, up to one of zeros."""
    while any(note := end.receive_note()):
        end.send_note(note)


def _add_up(end: End) -> None:
    """As many batches as a note says, then how many rows they had and their sum; over again until it says 0."""
    while count := numbers_of(end.receive_note())[0]:
        rows = total = 0
        for _ in range(count):
            batch = end.receive()
            rows += batch.num_rows
            total += int(batch.column(0).to_numpy().sum())
        end.send_note(note_of(rows, total))


def main() -> None:
    transport, task, *numbers = sys.argv[1:]
    fds = [int(number) for number in numbers]
    end: End
    if transport in RINGS:
        half = len(fds) // 2
        end = RingEnd(Ring.attach(fds[half:]), Ring.attach(fds[:half]), RINGS[transport])
    else:
        end = _socket_end(transport, socket.socket(fileno=fds[0]))
    {"echo": _echo, "add up": _add_up}[task](end)


if __name__ == "__main__":
    main()
