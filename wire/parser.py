"""Bytes in, frontend messages out; no I/O.

``receive`` takes whatever arrived, ``next_message`` answers the messages that
are complete, one by one, then None. Until a Startup was seen, packets have no
type byte and must stay small: nobody who has not introduced himself may make
us hold memory. Anything malformed raises ProtocolViolation, and again on every
later call: the stream has no meaning any more and the connection must end.
Text that is not UTF-8 is no such thing, but a message of its own kind.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from constellationdb.catalog.text.binary import utf8_text
from constellationdb.errors import CharacterNotInRepertoire, ProtocolViolation
from constellationdb.wire.limits import Limits
from constellationdb.wire.messages import (
    Bind,
    CancelRequest,
    Close,
    CopyData,
    CopyDone,
    CopyFail,
    Describe,
    EncryptionRequest,
    Execute,
    Flush,
    FrontendMessage,
    FunctionCall,
    Garbled,
    Parse,
    Query,
    Startup,
    Sync,
    Terminate,
)

STARTUP_LIMIT = 10_000

_INT16, _INT32, _HEAD = struct.Struct(">h"), struct.Struct(">i"), struct.Struct(">Bi")
_CANCEL, _SSL, _GSS = 80_877_102, 80_877_103, 80_877_104


class FrontendParser:
    """One connection's incoming stream. ``started`` turns true with the Startup message."""

    def __init__(self, message_limit: int = Limits.message_bytes) -> None:
        self.started = False
        self._limit = message_limit
        self._buffer: bytes | bytearray = b""
        self._start = 0  # everything before it was answered
        self._violation: ProtocolViolation | None = None

    def receive(self, data: bytes) -> None:
        if self._violation is not None:
            return
        if self._start == len(self._buffer):  # as nearly always: nothing to put it behind
            self._buffer, self._start = data, 0
            return
        if not isinstance(self._buffer, bytearray):
            self._buffer = bytearray(self._buffer)
        del self._buffer[: self._start]
        self._start = 0
        self._buffer += data

    def next_message(self) -> FrontendMessage | None:
        if self._violation is not None:
            raise self._violation
        try:
            return self._next()
        except ProtocolViolation as violation:
            self._violation = violation
            self._buffer, self._start = b"", 0
            raise

    def _next(self) -> FrontendMessage | None:
        if not self.started:
            return self._next_packet()
        start, come = self._start, len(self._buffer)
        if come < start + 5:
            return None
        kind, size = _HEAD.unpack_from(self._buffer, start)
        if kind not in _READERS or not 4 <= size <= self._limit:
            raise self._refusal(kind, size)
        end = start + 1 + size
        if come < end:
            return None
        self._start = end
        return _message(kind, self._cut(start + 5, end))

    def _next_packet(self) -> FrontendMessage | None:
        """Before Startup: without a type byte."""
        start, come = self._start, len(self._buffer)
        if come < start + 4:
            return None
        (size,) = _INT32.unpack_from(self._buffer, start)
        if not 8 <= size <= STARTUP_LIMIT:
            raise ProtocolViolation(f"invalid length of startup packet: {size}")
        end = start + size
        if come < end:
            return None
        self._start = end
        try:
            message = _startup_packet(self._cut(start + 4, end))
        except CharacterNotInRepertoire as problem:
            raise ProtocolViolation(problem.message) from problem
        self.started = isinstance(message, Startup)
        return message

    def _refusal(self, kind: int, size: int) -> ProtocolViolation:
        if kind not in _READERS:
            return ProtocolViolation(f"invalid frontend message type {kind}")
        hint = f"send at most {self._limit} bytes in one message"
        return ProtocolViolation(f"invalid message length {size}", hint=hint)

    def _cut(self, start: int, end: int) -> bytes:
        if isinstance(self._buffer, bytes):
            return self._buffer[start:end]
        with memoryview(self._buffer) as view:
            return bytes(view[start:end])


class _Body:
    """The fields of one message, read in order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def int16(self) -> int:
        try:
            (value,) = _INT16.unpack_from(self._data, self._at)
        except struct.error:
            raise _insufficient() from None
        self._at += 2
        return value  # type: ignore[no-any-return]

    def int32(self) -> int:
        try:
            (value,) = _INT32.unpack_from(self._data, self._at)
        except struct.error:
            raise _insufficient() from None
        self._at += 4
        return value  # type: ignore[no-any-return]

    def count(self, each: int) -> int:
        """A number of items of at least ``each`` bytes: it cannot promise more than the message holds."""
        count = self.int16() & 0xFFFF
        if count * each > len(self._data) - self._at:
            raise _insufficient()
        return count

    def text(self) -> str:
        end = self._data.find(b"\0", self._at)
        if end < 0:
            raise ProtocolViolation("invalid string in message")
        raw, self._at = self._data[self._at : end], end + 1
        return utf8_text(raw)

    def raw(self, size: int) -> bytes:
        if size < 0 or self._at + size > len(self._data):
            raise _insufficient()
        self._at += size
        return self._data[self._at - size : self._at]

    def value(self) -> bytes | None:
        size = self.int32()
        return None if size == -1 else self.raw(size)

    def rest(self) -> bytes:
        return self.raw(len(self._data) - self._at)

    def end(self) -> None:
        if self._at != len(self._data):
            raise ProtocolViolation("invalid message format")


def _insufficient() -> ProtocolViolation:
    return ProtocolViolation("insufficient data left in message")


def _startup_packet(data: bytes) -> FrontendMessage:
    body = _Body(data)
    code = body.int32()
    if code == _CANCEL:
        return CancelRequest(body.int32(), _secret(body))
    if code in (_SSL, _GSS):
        body.end()
        return EncryptionRequest("ssl" if code == _SSL else "gss")
    if code >> 16 != 3:
        raise ProtocolViolation(
            f"unsupported frontend protocol {code >> 16}.{code & 0xFFFF}", hint="this server speaks protocol 3.0"
        )
    return _startup(body, code & 0xFFFF)


def _secret(body: _Body) -> bytes:
    secret = body.rest()
    if not 4 <= len(secret) <= 256:
        raise ProtocolViolation("invalid length of cancel key")
    return secret


def _startup(body: _Body, minor: int) -> Startup:
    parameters: dict[str, str] = {}
    options: list[str] = []
    while name := body.text():
        value = body.text()
        if name.startswith("_pq_."):
            options.append(name)
        else:
            parameters[name] = value
    body.end()
    return Startup(minor, parameters, tuple(options))


def _message(kind: int, data: bytes) -> FrontendMessage:
    if len(data) <= _USUAL_SIZE and (usual := _USUAL.get((kind, data))) is not None:
        return usual
    body = _Body(data)
    try:
        message = _READERS[kind](body)
    except CharacterNotInRepertoire as problem:  # its frame is sound, and so is what follows
        return Garbled(problem.message, is_query=kind == ord("Q"))
    body.end()
    return message


def _parse(body: _Body) -> Parse:
    name, sql = body.text(), body.text()
    return Parse(name, sql, tuple(body.int32() & 0xFFFFFFFF for _ in range(body.count(4))))


def _bind(body: _Body) -> Bind:
    portal, statement = body.text(), body.text()
    formats = _formats(body)
    parameters = tuple([body.value() for _ in range(body.count(4))])
    if len(formats) > 1 and len(formats) != len(parameters):
        raise ProtocolViolation(f"bind message has {len(formats)} parameter formats but {len(parameters)} parameters")
    return Bind(portal, statement, formats, parameters, _formats(body))


def _formats(body: _Body) -> tuple[int, ...]:
    count = body.count(2)
    if not count:
        return ()
    formats = tuple([body.int16() for _ in range(count)])
    for code in formats:
        if code not in (0, 1):
            raise ProtocolViolation(f"unsupported format code: {code}")
    return formats


def _describe(body: _Body) -> Describe:
    return Describe("S" if _kind(body) == "S" else "P", body.text())


def _close(body: _Body) -> Close:
    return Close("S" if _kind(body) == "S" else "P", body.text())


def _kind(body: _Body) -> str:
    kind = body.raw(1)
    if kind not in (b"S", b"P"):
        raise ProtocolViolation(f"invalid subtype {kind[0]} of a describe or close message")
    return kind.decode()


def _execute(body: _Body) -> Execute:
    portal = body.text()
    # A negative limit means none, as in Postgres.
    return Execute(portal, max(body.int32(), 0))


def _function_call(body: _Body) -> FunctionCall:
    body.rest()
    return FunctionCall()


_READERS: dict[int, Callable[[_Body], FrontendMessage]] = {
    ord("Q"): lambda body: Query(body.text()),
    ord("P"): _parse,
    ord("B"): _bind,
    ord("D"): _describe,
    ord("E"): _execute,
    ord("C"): _close,
    ord("H"): lambda _: Flush(),
    ord("S"): lambda _: Sync(),
    ord("X"): lambda _: Terminate(),
    ord("d"): lambda body: CopyData(body.rest()),
    ord("c"): lambda _: CopyDone(),
    ord("f"): lambda body: CopyFail(body.text()),
    ord("F"): _function_call,
}
# What nearly every statement ends with, read once for all.
_USUAL: dict[tuple[int, bytes], FrontendMessage] = {
    (ord("S"), b""): Sync(),
    (ord("E"), b"\0\0\0\0\0"): Execute("", 0),
    (ord("D"), b"P\0"): Describe("P", ""),
}
_USUAL_SIZE = max(len(data) for _, data in _USUAL)
