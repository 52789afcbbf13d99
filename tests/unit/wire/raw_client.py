"""A client of bytes: sends exactly what it is told to and reads backend messages one by one."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from tests.unit.wire import frontend_bytes as fe


@dataclass(frozen=True)
class Reply:
    kind: str
    body: bytes

    def fields(self) -> dict[str, str]:
        """Of an error or a notice."""
        parts = self.body.rstrip(b"\0").split(b"\0")
        return {part[:1].decode(): part[1:].decode() for part in parts}

    def row(self) -> list[bytes | None]:
        """Of a DataRow."""
        (count,) = struct.unpack_from(">h", self.body)
        at, values = 2, list[bytes | None]()
        for _ in range(count):
            (size,) = struct.unpack_from(">i", self.body, at)
            at += 4
            values.append(None if size < 0 else self.body[at : at + size])
            at += max(size, 0)
        assert at == len(self.body)
        return values

    def tag(self) -> str:
        return self.body.rstrip(b"\0").decode()


class RawClient:
    """Connected and, unless told otherwise, through its startup."""

    def __init__(self, port: int, *, start: bool = True, **parameters: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._stream = self.socket.makefile("rb")
        self.startup: list[Reply] = []
        if start:
            self.send(fe.startup(**({"user": "me", "database": "constellation"} | parameters)))
            self.startup = self.until("Z")

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()
        self.socket.close()

    def send(self, *data: bytes) -> None:
        self.socket.sendall(b"".join(data))

    def byte(self) -> bytes:
        return self._stream.read(1)

    def read(self) -> Reply | None:
        """None at the end of the stream."""
        head = self._stream.read(5)
        if not head:
            return None
        (size,) = struct.unpack_from(">i", head, 1)
        return Reply(head[:1].decode(), self._stream.read(size - 4))

    def until(self, kind: str = "Z") -> list[Reply]:
        """Everything up to and with the next message of ``kind``."""
        replies: list[Reply] = []
        while not replies or replies[-1].kind != kind:
            reply = self.read()
            assert reply is not None, f"the server closed the connection after {replies}"
            replies.append(reply)
        return replies

    def kinds(self, *data: bytes) -> str:
        """Send, and the types of all replies up to ReadyForQuery, e.g. ``TDCZ``."""
        self.send(*data)
        return "".join(reply.kind for reply in self.until("Z"))

    def key(self) -> tuple[int, bytes]:
        (reply,) = [reply for reply in self.startup if reply.kind == "K"]
        return struct.unpack(">i", reply.body[:4])[0], reply.body[4:]

    def cancel(self) -> None:
        """From a connection of its own, as the protocol wants it."""
        port = self.socket.getpeername()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=20) as other:
            other.sendall(fe.cancel_request(*self.key()))
            assert other.recv(1) == b""
