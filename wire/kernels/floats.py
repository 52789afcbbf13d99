"""float4 and float8 as Postgres 12+ prints them with extra_float_digits of 1 or more."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from constellationdb.jit import inlined, kernel
from constellationdb.wire.kernels.digits import I32, I64, MINUS, U8, ZERO, put_backwards, put_pair
from constellationdb.wire.kernels.shortest import shortest

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]

FLOAT_WIDTH = 48  # 24 bytes are the longest text; behind it the digits wait to be laid out
_POINT, _E, _PLUS = 46, 101, 43
_NAN: U8 = np.frombuffer(b"NaN", np.uint8)
_INFINITY: U8 = np.frombuffer(b"Infinity", np.uint8)
_TEN = np.uint64(10)
_ZERO64 = np.uint64(0)


@inlined
def _put_word(out: U8, at: int, word: U8) -> int:
    for i in range(len(word)):
        out[at + i] = word[i]
    return at + len(word)


@inlined
def _put_digits(out: U8, at: int, source: int, count: int) -> int:
    for i in range(count):
        out[at + i] = out[source + i]
    return at + count


@inlined
def _put_zeros(out: U8, at: int, count: int) -> int:
    for i in range(count):
        out[at + i] = ZERO
    return at + count


@inlined
def _put_exponent(out: U8, at: int, exponent: int) -> int:
    out[at] = _E
    out[at + 1] = MINUS if exponent < 0 else _PLUS
    size, at = abs(exponent), at + 2
    if size >= 100:
        out[at] = ZERO + size // 100
        at += 1
    return put_pair(out, at, size % 100)


@inlined
def _put_decimal(out: U8, at: int, end: int, digits: np.uint64, power: int, fixed_digits: int) -> int:
    """digits * 10**power, in the exponent form when the point is far from the digits. ``end``: of the row's room."""
    while digits % _TEN == _ZERO64:
        digits //= _TEN
        power += 1
    first = put_backwards(out, end, digits)
    count = end - first
    exponent = power + count - 1
    if exponent < -4 or exponent >= fixed_digits:
        at = _put_digits(out, at, first, 1)
        if count > 1:
            out[at] = _POINT
            at = _put_digits(out, at + 1, first + 1, count - 1)
        return _put_exponent(out, at, exponent)
    if exponent < 0:
        out[at] = ZERO
        out[at + 1] = _POINT
        return _put_digits(out, _put_zeros(out, at + 2, -exponent - 1), first, count)
    if count <= exponent + 1:
        return _put_zeros(out, _put_digits(out, at, first, count), exponent + 1 - count)
    at = _put_digits(out, at, first, exponent + 1)
    out[at] = _POINT
    return _put_digits(out, at + 1, first + exponent + 1, count - exponent - 1)


@inlined
def _put_float(
    out: U8, at: int, end: int, negative: bool, exponent: int, fraction: np.uint64, bits: int, bias: int, fixed: int
) -> int:
    """``bits`` of fraction below the hidden one; ``bias`` makes the exponent that of the fraction's last bit."""
    special = exponent == 2 * (bias - bits) + 1
    if special and fraction != _ZERO64:
        return _put_word(out, at, _NAN)
    if negative:
        out[at] = MINUS
        at += 1
    if special:
        return _put_word(out, at, _INFINITY)
    if exponent == 0 and fraction == _ZERO64:
        out[at] = ZERO
        return at + 1
    hidden = np.uint64(1) << np.uint64(bits)
    if exponent == 0:
        digits, power = shortest(fraction, 1 - bias, False)
    else:
        digits, power = shortest(fraction | hidden, exponent - bias, fraction == _ZERO64 and exponent > 1)
    return _put_decimal(out, at, end, digits, power, fixed)


@kernel("void(const u64[], u8[], i64[], i32[])")
def doubles(values: U64, out: U8, starts: I64, lengths: I32) -> None:
    for i in range(len(values)):
        word, start = values[i], i * FLOAT_WIDTH
        fraction = word & np.uint64((1 << 52) - 1)
        exponent = np.int64((word >> np.uint64(52)) & np.uint64(0x7FF))
        negative = (word >> np.uint64(63)) != _ZERO64
        end = start + FLOAT_WIDTH
        starts[i] = start
        lengths[i] = _put_float(out, start, end, negative, exponent, fraction, 52, 1075, 15) - start  # type: ignore[arg-type]


@kernel("void(const u32[], u8[], i64[], i32[])")
def singles(values: U32, out: U8, starts: I64, lengths: I32) -> None:
    for i in range(len(values)):
        word, start = np.uint64(values[i]), i * FLOAT_WIDTH
        fraction = word & np.uint64((1 << 23) - 1)
        exponent = np.int64((word >> np.uint64(23)) & np.uint64(0xFF))
        negative = (word >> np.uint64(31)) != _ZERO64
        end = start + FLOAT_WIDTH
        starts[i] = start
        lengths[i] = _put_float(out, start, end, negative, exponent, fraction, 23, 150, 6) - start  # type: ignore[arg-type]
