"""numeric from 128-bit decimals: Postgres' text, and its binary form in base 10,000."""

from __future__ import annotations

import numpy as np

from constellationdb.jit import inlined, kernel
from constellationdb.wire.kernels.digits import I32, I64, MINUS, U8, ZERO

NUMERIC_WIDTH = 96  # sign, 39 digits, point, zeros up to scale 38; the plain digits wait behind
BINARY_WIDTH = 88  # four words of header, up to 39 digits in groups of four; and the plain digits
_DIGITS = 40
_POINT = 46
_BILLION, _WORD_BITS, _LOW = np.uint64(1_000_000_000), np.uint64(32), np.uint64(0xFFFFFFFF)
_ONE, _ZERO64, _TEN = np.uint64(1), np.uint64(0), np.uint64(10)


@inlined
def _put_magnitude(out: U8, at: int, low: np.uint64, high: np.uint64) -> None:
    """The unsigned 128 bits as 40 digit values (not characters) from ``at`` on."""
    a, b = high >> _WORD_BITS, high & _LOW
    c, d = low >> _WORD_BITS, low & _LOW
    end = at + _DIGITS
    for group in range(5):
        quotient = a // _BILLION
        rest, a = a - quotient * _BILLION, quotient
        value = (rest << _WORD_BITS) | b
        b = value // _BILLION
        value = ((value - b * _BILLION) << _WORD_BITS) | c
        c = value // _BILLION
        value = ((value - c * _BILLION) << _WORD_BITS) | d
        d = value // _BILLION
        rest = value - d * _BILLION
        for i in range(9 if group < 4 else 4):
            out[end - 1 - i] = np.uint8(rest % _TEN)
            rest //= _TEN
        end -= 9


@inlined
def _spread(out: U8, at: int, raw: I64, i: int) -> bool:
    """The digits of row ``i`` without its sign, which is the answer: whether it is negative."""
    low, high = np.uint64(raw[2 * i]), np.uint64(raw[2 * i + 1])
    negative = raw[2 * i + 1] < 0
    if negative:
        low, high = ~low + _ONE, ~high
        if low == _ZERO64:
            high += _ONE
    _put_magnitude(out, at, low, high)
    return negative  # type: ignore[no-any-return]


@kernel("void(const i64[], i64, i64, u8[], i64[], i32[])")
def numeric_texts(raw: I64, scale: int, trim: int, out: U8, starts: I64, lengths: I32) -> None:
    """``raw``: (low, high) a row. ``trim``: leave out the zeros at the end of the fraction, and a point after them."""
    for i in range(len(starts)):
        start = i * NUMERIC_WIDTH
        digits = start + NUMERIC_WIDTH - _DIGITS
        at = start
        if _spread(out, digits, raw, i):
            out[at] = MINUS
            at += 1
        first, point = 0, _DIGITS - scale
        while first < point - 1 and out[digits + first] == 0:
            first += 1
        last = _DIGITS
        while trim and last > point and out[digits + last - 1] == 0:
            last -= 1
        for place in range(first, last):
            if place == point:
                out[at] = _POINT
                at += 1
            out[at] = ZERO + out[digits + place]
            at += 1
        starts[i] = start
        lengths[i] = at - start


@inlined
def _put_word(out: U8, at: int, value: int) -> int:
    out[at] = (value >> 8) & 0xFF
    out[at + 1] = value & 0xFF
    return at + 2


@inlined
def _group(out: U8, digits: int, point: int, weight: int) -> int:
    """The base-10,000 digit of that weight; there are zeros around the 40 digits."""
    value, first = 0, point - 4 * (weight + 1)
    for place in range(first, first + 4):
        value = value * 10 + (int(out[digits + place]) if 0 <= place < _DIGITS else 0)
    return value


@kernel("void(const i64[], i64, i64, u8[], i64[], i32[])")
def numeric_words(raw: I64, scale: int, trim: int, out: U8, starts: I64, lengths: I32) -> None:
    """How many groups, the first one's weight, the sign, the decimals to show; then the groups from first to last."""
    for i in range(len(starts)):
        start = i * BINARY_WIDTH
        digits = start + BINARY_WIDTH - _DIGITS
        sign, point, shown = _spread(out, digits, raw, i), _DIGITS - scale, scale
        while trim and shown > 0 and out[digits + point + shown - 1] == 0:
            shown -= 1
        first = (point + 3) // 4 - 1
        last = -((scale + 3) // 4)
        while first >= last and _group(out, digits, point, first) == 0:
            first -= 1
        while last <= first and _group(out, digits, point, last) == 0:
            last += 1
        count = max(first - last + 1, 0)
        at = _put_word(out, start, count)
        at = _put_word(out, at, first if count else 0)
        at = _put_word(out, at, 0x4000 if sign and count else 0)
        at = _put_word(out, at, shown)
        for weight in range(count):
            at = _put_word(out, at, _group(out, digits, point, first - weight))
        starts[i] = start
        lengths[i] = at - start
