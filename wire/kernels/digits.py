"""Whole numbers in decimal, two digits at a time; what every other text is made of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from constellationdb.jit import inlined, kernel

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]

PAIRS: U8 = np.frombuffer(b"".join(b"%02d" % pair for pair in range(100)), np.uint8)
ZERO, MINUS = 48, 45
INTEGER_WIDTH = 20  # of the least int64
_HUNDRED, _TEN = np.uint64(100), np.uint64(10)


@inlined
def put_pair(out: U8, at: int, value: int) -> int:
    """Two digits of a value below 100; behind them."""
    place = np.uint64(2 * value)  # an index that cannot be negative needs no look whether it is
    out[at] = PAIRS[place]
    out[at + 1] = PAIRS[place + np.uint64(1)]
    return at + 2


@inlined
def put_backwards(out: U8, end: int, value: np.uint64) -> int:
    """The digits of ``value``, the last one before ``end``; where the first one is."""
    while value >= _HUNDRED:
        rest = value // _HUNDRED
        end -= 2
        put_pair(out, end, np.int64(value - rest * _HUNDRED))  # type: ignore[arg-type]
        value = rest
    if value >= _TEN:
        end -= 2
        put_pair(out, end, np.int64(value))  # type: ignore[arg-type]
        return end
    out[end - 1] = ZERO + np.int64(value)
    return end - 1


@inlined
def put_number(out: U8, at: int, value: int) -> int:
    """A number that is not negative, from ``at`` on; behind it."""
    width, rest = 1, value
    while rest >= 10:
        rest //= 10
        width += 1
    put_backwards(out, at + width, np.uint64(value))
    return at + width


@inlined
def put_padded(out: U8, at: int, value: int, width: int) -> int:
    """Digits with zeros before them up to ``width``; more if the number needs more."""
    begin = put_backwards(out, at + 20, np.uint64(value))
    digits = at + 20 - begin
    zeros = max(width - digits, 0)
    for i in range(digits):
        out[at + zeros + i] = out[begin + i]
    for i in range(zeros):
        out[at + i] = ZERO
    return at + zeros + digits


@kernel("void(const i64[], u8[], i64[], i32[])")
def integers(values: I64, out: U8, starts: I64, lengths: I32) -> None:
    """Each at the end of its 20 bytes."""
    for i in range(len(values)):
        value, end = values[i], (i + 1) * INTEGER_WIDTH
        if value < 0:
            start = put_backwards(out, end, np.uint64(-value)) - 1
            out[start] = MINUS
        else:
            start = put_backwards(out, end, np.uint64(value))
        starts[i] = start
        lengths[i] = end - start
