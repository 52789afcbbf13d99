"""What the server can say: one function a backend message, values in, bytes out."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from constellationdb.engine.result import Notice, ResultColumn
from constellationdb.errors import ConstellationError

AUTHENTICATION_OK = b"R\x00\x00\x00\x08\x00\x00\x00\x00"
BIND_COMPLETE = b"2\x00\x00\x00\x04"
CLOSE_COMPLETE = b"3\x00\x00\x00\x04"
COPY_DONE = b"c\x00\x00\x00\x04"
EMPTY_QUERY = b"I\x00\x00\x00\x04"
NO_DATA = b"n\x00\x00\x00\x04"
NO_ENCRYPTION = b"N"
PARSE_COMPLETE = b"1\x00\x00\x00\x04"
PORTAL_SUSPENDED = b"s\x00\x00\x00\x04"
READY = b"Z\x00\x00\x00\x05I"  # outside of a transaction

_COPY_TEXT, _COPY_BINARY = 0, 1


def _framed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">i", len(body) + 4) + body


def _text(value: str) -> bytes:
    """A C string ends at its first NUL, so none may travel inside."""
    return value.replace("\0", "").encode("utf-8", "replace") + b"\0"


def backend_key(process: int, secret: bytes) -> bytes:
    return _framed(b"K", struct.pack(">i", process) + secret)


def command_complete(tag: str) -> bytes:
    return _framed(b"C", _text(tag))


def copy_in(columns: int, binary: bool) -> bytes:
    return _framed(b"G", _copy_shape(columns, _COPY_BINARY if binary else _COPY_TEXT))


def copy_out(columns: int, binary: bool) -> bytes:
    return _framed(b"H", _copy_shape(columns, _COPY_BINARY if binary else _COPY_TEXT))


def _copy_shape(columns: int, code: int) -> bytes:
    return struct.pack(f">bh{columns}h", code, columns, *[code] * columns)


def error(problem: ConstellationError, severity: str = "ERROR") -> bytes:
    """Field R carries the stable ``CON-nnnn``; drivers hand it out as the source function."""
    fields: dict[str, str | None] = {"S": severity, "V": severity, "C": problem.sqlstate, "M": problem.message}
    fields |= {"D": problem.detail, "H": problem.hint, "W": problem.context, "R": problem.code}
    fields["P"] = None if problem.position is None else str(problem.position)
    fields |= {"s": problem.schema, "t": problem.table, "c": problem.column, "n": problem.constraint}
    return _framed(b"E", _fields(fields))


def negotiate_version(minor: int, unknown_options: Sequence[str]) -> bytes:
    body = struct.pack(">ii", (3 << 16) | minor, len(unknown_options))
    return _framed(b"v", body + b"".join(map(_text, unknown_options)))


def notice(news: Notice) -> bytes:
    fields: dict[str, str | None] = {"S": news.severity, "V": news.severity, "C": news.sqlstate, "M": news.message}
    fields |= {"D": news.detail, "H": news.hint}
    return _framed(b"N", _fields(fields))


def _fields(fields: dict[str, str | None]) -> bytes:
    return b"".join(key.encode() + _text(value) for key, value in fields.items() if value is not None) + b"\0"


def parameter_description(oids: Sequence[int]) -> bytes:
    return _framed(b"t", struct.pack(f">H{len(oids)}I", len(oids), *oids))


def parameter_status(name: str, value: str) -> bytes:
    return _framed(b"S", _text(name) + _text(value))


def ready_for_query(status: str) -> bytes:
    return _framed(b"Z", status.encode())


def described(columns: Sequence[ResultColumn] | None, formats: Sequence[int]) -> bytes:
    """What Describe says of a statement that answers with ``columns``."""
    return NO_DATA if columns is None else row_description(columns, formats)


def row_description(columns: Sequence[ResultColumn], formats: Sequence[int]) -> bytes:
    parts = [struct.pack(">H", len(columns))]
    for column, code in zip(columns, formats, strict=True):
        kind = column.type
        numbers = (column.table, column.number, kind.oid, kind.typlen, kind.typmod, code)
        parts.append(_text(column.name) + struct.pack(">IhIhih", *numbers))
    return _framed(b"T", b"".join(parts))
