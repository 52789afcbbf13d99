"""Frontend messages as bytes: what a client's library would send, for tests that speak to the socket or the parser."""

from __future__ import annotations

import struct
from collections.abc import Sequence

SSL_REQUEST = struct.pack(">ii", 8, 80_877_103)
GSS_REQUEST = struct.pack(">ii", 8, 80_877_104)


def text(value: str) -> bytes:
    return value.encode() + b"\0"


def message(kind: str, body: bytes = b"") -> bytes:
    return kind.encode() + struct.pack(">i", len(body) + 4) + body


def startup(version_minor: int = 0, /, **parameters: str) -> bytes:
    body = struct.pack(">i", (3 << 16) | version_minor)
    body += b"".join(text(name) + text(value) for name, value in parameters.items()) + b"\0"
    return struct.pack(">i", len(body) + 4) + body


def cancel_request(process: int, secret: bytes) -> bytes:
    return struct.pack(">iii", 12 + len(secret), 80_877_102, process) + secret


def query(sql: str) -> bytes:
    return message("Q", text(sql))


def parse(sql: str, name: str = "", oids: Sequence[int] = ()) -> bytes:
    return message("P", text(name) + text(sql) + struct.pack(f">H{len(oids)}I", len(oids), *oids))


def bind(
    *values: bytes | None,
    portal: str = "",
    statement: str = "",
    formats: Sequence[int] = (),
    results: Sequence[int] = (),
) -> bytes:
    body = text(portal) + text(statement) + struct.pack(f">H{len(formats)}h", len(formats), *formats)
    body += struct.pack(">H", len(values))
    body += b"".join(struct.pack(">i", -1) if v is None else struct.pack(">i", len(v)) + v for v in values)
    return message("B", body + struct.pack(f">H{len(results)}h", len(results), *results))


def describe(kind: str, name: str = "") -> bytes:
    return message("D", kind.encode() + text(name))


def execute(portal: str = "", max_rows: int = 0) -> bytes:
    return message("E", text(portal) + struct.pack(">i", max_rows))


def close(kind: str, name: str = "") -> bytes:
    return message("C", kind.encode() + text(name))


SYNC, FLUSH, TERMINATE, COPY_DONE = message("S"), message("H"), message("X"), message("c")


def copy_data(data: bytes) -> bytes:
    return message("d", data)


def copy_fail(reason: str) -> bytes:
    return message("f", text(reason))
