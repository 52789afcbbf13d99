"""Cells side by side: the bytes of DataRow and CopyData messages, column by column.

``places`` is where the next cell of each row goes. First every column adds
what it needs to the rows' sizes, then ``open_messages`` turns sizes into
places, and every column is copied to them.
"""

from __future__ import annotations

import numpy as np

from constellationdb.jit import inlined, kernel
from constellationdb.wire.kernels.digits import I32, I64, U8

_NULL = -1


@inlined
def put_long(out: U8, at: int, value: int) -> int:
    out[at] = (value >> 24) & 0xFF
    out[at + 1] = (value >> 16) & 0xFF
    out[at + 2] = (value >> 8) & 0xFF
    out[at + 3] = value & 0xFF
    return at + 4


@inlined
def copy_bytes(out: U8, at: int, data: U8, start: int, length: int) -> int:
    to, source = np.uint64(at), np.uint64(start)  # an index that cannot be negative needs no look whether it is
    for _ in range(length):
        out[to] = data[source]
        to += np.uint64(1)
        source += np.uint64(1)
    return at + length


@kernel("void(const i32[], i64, i64[])")
def add_sizes(lengths: I32, null_size: int, sizes: I64) -> None:
    for i in range(len(lengths)):
        sizes[i] += lengths[i] if lengths[i] >= 0 else null_size


@kernel("i64(i64[])")
def total(sizes: I64) -> int:
    """The sum; each size becomes the sum of those before it."""
    end = 0
    for i in range(len(sizes)):
        size = sizes[i]
        sizes[i] = end
        end += size
    return end


@kernel("void(u8[], i64[], i64, i64, i64)")
def open_messages(out: U8, places: I64, end: int, kind: int, columns: int) -> None:
    """Each message's head: its kind, its length, and how many columns follow (none is said for -1)."""
    for i in range(len(places)):
        at = places[i]
        size = (places[i + 1] if i + 1 < len(places) else end) - at
        out[at] = kind
        at = put_long(out, at + 1, size - 1)
        if columns >= 0:
            out[at] = (columns >> 8) & 0xFF
            out[at + 1] = columns & 0xFF
            at += 2
        places[i] = at


@kernel("void(u8[], i64[], const u8[], const i64[], const i32[])")
def put_counted(out: U8, places: I64, data: U8, starts: I64, lengths: I32) -> None:
    """A length and as many bytes; -1 alone for NULL."""
    for i in range(len(places)):
        length = np.int64(lengths[i])
        at = put_long(out, places[i], length)  # type: ignore[arg-type]
        places[i] = at if length == _NULL else copy_bytes(out, at, data, starts[i], length)  # type: ignore[arg-type]


@kernel("void(u8[], i64[], const u8[], const i64[], const i32[], const u8[], i64)")
def put_ended(out: U8, places: I64, data: U8, starts: I64, lengths: I32, null: U8, end: int) -> None:
    """The bytes, or ``null``'s, and the byte ``end``: a delimiter or a newline."""
    for i in range(len(places)):
        at, length = places[i], lengths[i]
        if length == _NULL:
            at = copy_bytes(out, at, null, 0, len(null))
        else:
            at = copy_bytes(out, at, data, starts[i], length)
        out[at] = end
        places[i] = at + 1
