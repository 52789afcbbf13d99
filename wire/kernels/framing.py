"""Cells side by side: the bytes of DataRow and CopyData messages, column by column.

``places`` is where the next cell of each row goes. First every column adds
what it needs to the rows' sizes, then ``open_messages`` turns sizes into
places, and every column is copied to them.
"""

from __future__ import annotations

from constellationdb.jit import inlined, kernel
from constellationdb.storage.kernels.memory import copy_bytes, store32_reversed
from constellationdb.wire.kernels.digits import I32, I64, U8

_NULL = -1


@inlined
def put_long(out: U8, at: int, value: int) -> int:
    """Four bytes, big-endian; behind them."""
    store32_reversed(out, at, value)
    return at + 4


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
        length = int(lengths[i])
        at = put_long(out, places[i], length)
        if length > 0:
            copy_bytes(data, starts[i], out, at, length)
            at += length
        places[i] = at


@kernel("void(u8[], i64[], const u8[], const i64[], const i32[], const u8[], i64)")
def put_ended(out: U8, places: I64, data: U8, starts: I64, lengths: I32, null: U8, end: int) -> None:
    """The bytes, or ``null``'s, and the byte ``end``: a delimiter or a newline."""
    for i in range(len(places)):
        at, length = places[i], int(lengths[i])
        if length == _NULL:
            copy_bytes(null, 0, out, at, len(null))
            at += len(null)
        else:
            copy_bytes(data, starts[i], out, at, length)
            at += length
        out[at] = end
        places[i] = at + 1
