"""COPY's binary format: tuples cut into fields.

``scan_binary`` reads complete tuples from ``data[begin:size]`` into a table as ``scan_text`` does.
``state``: 0 where the first tuple that was not read begins, 1 what ended the scan, 2 the number that is wrong.
"""

from __future__ import annotations

import numpy as np

from constellationdb.engine.kernels.copytext import I64, U8
from constellationdb.jit import inlined, kernel
from constellationdb.storage.kernels.memory import load32, load64

MORE, TRAILER, COUNT, SIZE = range(4)
_M8, _M16 = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)


@inlined
def turned(word: np.uint64) -> np.uint64:
    """The bytes of a 64-bit word the other way round."""
    word = ((word >> np.uint64(8)) & _M8) | ((word & _M8) << np.uint64(8))
    word = ((word >> np.uint64(16)) & _M16) | ((word & _M16) << np.uint64(16))
    return (word >> np.uint64(32)) | (word << np.uint64(32))


@inlined
def long_at(data: U8, at: int) -> int:
    """The big-endian 32-bit number at ``at``."""
    return np.int64(np.int32(np.uint32(turned(load32(data, at)) >> np.uint64(32))))  # type: ignore[return-value]


@kernel("i64(const u8[], i64, i64, i64[], i64[], i64, i64, i64[])")
def scan_binary(data: U8, begin: int, size: int, starts: I64, lengths: I64, room: int, columns: int, state: I64) -> int:
    """How many tuples were read."""
    at, rows = begin, 0
    state[1] = MORE
    while rows < room:
        state[0] = at
        if at + 2 > size:
            return rows
        count = (np.int64(data[at]) << 8) | np.int64(data[at + 1])
        if count != columns:
            state[1], state[2] = (TRAILER, 0) if count == 65535 else (COUNT, count)
            return rows
        at += 2
        for column in range(columns):
            if at + 4 > size:
                return rows
            length = long_at(data, at)
            at += 4
            if length < -1:
                state[1], state[2] = SIZE, column
                return rows
            if length > 0 and at + length > size:
                return rows
            place = column * room + rows
            starts[place], lengths[place] = at, length
            at += max(length, 0)
        rows += 1
    state[0] = at
    return rows


@kernel("i64(const u8[], const i64[], const i64[], i64, i64[], u8[])")
def take_numbers(data: U8, starts: I64, lengths: I64, width: int, out: I64, valid: U8) -> int:
    """Big-endian numbers of 1, 2, 4 or 8 bytes as int64; the first row whose field is of another size, or -1.

    ``data`` has eight bytes to spare behind its end.
    """
    shift = np.uint64(64 - 8 * width)
    for row in range(len(starts)):
        length = lengths[row]
        if length == -1:
            out[row], valid[row] = 0, 0
            continue
        if length != width:
            return row
        word = turned(load64(data, starts[row]))
        out[row] = np.int64(word) >> np.int64(shift)
        valid[row] = 1
    return -1
