"""The hash of a key's bytes: wyhash, one lane, under a fixed seed.

It decides which vnode and so which worker and which checkpoint blob a key belongs to, and must be the same in every
process and every version: to change it is to change the format of stored state.
"""

from __future__ import annotations

import numpy as np

from constellationdb.jit import inlined, kernel
from constellationdb.storage.kernels.memory import I64, U8, U64, load32, load64, mul_high

_SEED = np.uint64(0x5CA1AB1E0DDBA115)
_MIX_A = np.uint64(0xA0761D6478BD642F)
_MIX_B = np.uint64(0xE7037ED1A0B428DB)
_M32 = np.uint64(0xFFFFFFFF)
_SHIFT_24, _SHIFT_40, _SHIFT_56 = np.uint64(24), np.uint64(40), np.uint64(56)
_SHIFT_8, _SHIFT_16, _SHIFT_32 = np.uint64(8), np.uint64(16), np.uint64(32)


@inlined
def _mix(left: np.uint64, right: np.uint64) -> np.uint64:
    return mul_high(left, right) ^ (left * right)  # type: ignore[no-any-return]


@inlined
def hash_bytes(data: U8, start: int, length: int) -> np.uint64:
    """wyhash of ``length`` bytes from ``start``, one lane."""
    seed, a, b = _SEED, np.uint64(0), np.uint64(0)
    if length >= 17:
        at, left = start, length
        while left > 16:
            seed = _mix(load64(data, at) ^ _MIX_B, load64(data, at + 8) ^ seed)
            at += 16
            left -= 16
        a, b = load64(data, start + length - 16), load64(data, start + length - 8)
    elif length >= 4:
        middle = (length >> 3) << 2
        a = (load32(data, start) << _SHIFT_32) | load32(data, start + middle)
        b = (load32(data, start + length - 4) << _SHIFT_32) | load32(data, start + length - 4 - middle)
    elif length > 0:
        first, half, last = data[start], data[start + (length >> 1)], data[start + length - 1]
        a = (np.uint64(first) << _SHIFT_16) | (np.uint64(half) << _SHIFT_8) | np.uint64(last)
    return _finish(a, b, seed, length)


@inlined
def _finish(a: np.uint64, b: np.uint64, seed: np.uint64, length: int) -> np.uint64:
    a ^= _MIX_B
    b ^= seed
    low, high = a * b, mul_high(a, b)
    return _mix(low ^ _MIX_A ^ np.uint64(length), high ^ _MIX_B)


@inlined
def hash_word(word: np.uint64) -> np.uint64:
    """``hash_bytes`` of a zero byte and this word, without their way through memory."""
    return _finish((word << _SHIFT_40) | ((word >> _SHIFT_24) & _M32), word, _SEED, 9)


@inlined
def hash_two_words(first: np.uint64, second: np.uint64) -> np.uint64:
    """``hash_bytes`` of a zero byte and these two words, likewise."""
    low, high = first << _SHIFT_8, (first >> _SHIFT_56) | (second << _SHIFT_8)
    return _finish(first, second, _mix(low ^ _MIX_B, high ^ _SEED), 17)


@kernel("void(const u8[], const i64[], u64[])")
def hash_rows(data: U8, offsets: I64, out: U64) -> None:
    """The hash of every row."""
    for i in range(len(out)):
        out[i] = hash_bytes(data, offsets[i], offsets[i + 1] - offsets[i])
