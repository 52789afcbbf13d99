"""A client of bytes: sends one statement and takes everything that comes apart, message by message."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from urllib.parse import urlsplit

_READY = b"Z\x00\x00\x00\x05I"
_READ_BYTES = 1 << 20

Message = tuple[int, memoryview]


class RawClient:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 5432))
        names = b"user\0bench\0database\0constellation\0\0"
        self._socket.sendall(struct.pack(">ii", 8 + len(names), 3 << 16) + names)
        self._answer()

    def close(self) -> None:
        self._socket.close()

    @property
    def file(self) -> int:
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive(self) -> bytes:
        """What has come; waits for something."""
        data = self._socket.recv(_READ_BYTES)
        if not data:
            raise ConnectionError("the server closed the connection")
        return data

    def answers(self, count: int) -> bytearray:
        """Everything up to and with the next ``count`` ReadyForQuery, message by message."""
        received, at, left = bytearray(), 0, count
        while True:
            while at + 5 <= len(received):
                size = int.from_bytes(received[at + 1 : at + 5], "big")
                if at + 1 + size > len(received):
                    break
                left -= received[at] == _READY[0]
                at += 1 + size
                if not left:
                    return received
            received += self.receive()

    def until(self, kind: bytes) -> bytearray:
        """Everything up to and with the first message of this kind, of which nothing else has come."""
        received = bytearray()
        while True:
            at = 0
            while at + 5 <= len(received):
                found, end = received[at : at + 1], at + 1 + int.from_bytes(received[at + 1 : at + 5], "big")
                if end > len(received):
                    break
                if found == kind:
                    return received
                at = end
            received += self.receive()

    def query(self, sql: str) -> bytearray:
        """The whole answer to a simple Query, up to and with ReadyForQuery."""
        self._socket.sendall(_message(b"Q", sql.encode() + b"\0"))
        return self._answer()

    def execute(self, sql: str, result_format: int) -> bytearray:
        """The same of the extended protocol, all columns in one format."""
        bind = b"\0\0" + struct.pack(">hhhh", 0, 0, 1, result_format)
        self._socket.sendall(
            _message(b"P", b"\0" + sql.encode() + b"\0\0\0")
            + _message(b"B", bind)
            + _message(b"E", b"\0\0\0\0\0")
            + _message(b"S", b"")
        )
        return self._answer()

    def _answer(self) -> bytearray:
        received = bytearray()
        while not received.endswith(_READY):
            received += self.receive()
        return received


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">i", len(body) + 4) + body


def messages(answer: bytearray) -> Iterator[Message]:
    """Each message's kind and body; ValueError when the last one does not end where the bytes do."""
    view, at = memoryview(answer), 0
    head = struct.Struct(">Bi")
    while at < len(view):
        kind, size = head.unpack_from(view, at)
        end = at + 1 + size
        if end > len(view):
            raise ValueError(f"message {chr(kind)} at byte {at} is cut short")
        yield kind, view[at + 5 : end]
        at = end


def fields(body: memoryview, at: int = 0) -> list[memoryview | None]:
    """The values of a DataRow, or of a tuple of binary COPY; ValueError when they do not fill it."""
    (count,) = struct.unpack_from(">h", body, at)
    at += 2
    found: list[memoryview | None] = []
    for _ in range(count):
        (size,) = struct.unpack_from(">i", body, at)
        at += 4
        found.append(None if size < 0 else body[at : at + size])
        at += max(size, 0)
    if at != len(body):
        raise ValueError(f"a row of {len(body)} bytes has {at} bytes of values")
    return found
