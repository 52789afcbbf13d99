"""Frontend messages as bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence

EXECUTE = b"E\0\0\0\x09\0\0\0\0\0"
SYNC = b"S\0\0\0\x04"


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack(">i", len(body) + 4) + body


def query(sql: str) -> bytes:
    return message(b"Q", sql.encode() + b"\0")


def parse(name: bytes, sql: str, oids: Sequence[int]) -> bytes:
    body = name + b"\0" + sql.encode() + b"\0" + struct.pack(f">h{len(oids)}I", len(oids), *oids)
    return message(b"P", body)


def bind(name: bytes, values: Sequence[bytes]) -> bytes:
    """All in text, the results too."""
    each = b"".join(struct.pack(">i", len(value)) + value for value in values)
    return message(b"B", b"\0" + name + b"\0\0\0" + struct.pack(">h", len(values)) + each + b"\0\0")
