"""Binary forms that are more than a number turned around: uuids and arrays."""

from __future__ import annotations

import numpy as np

from constellationdb.jit import inlined, kernel
from constellationdb.storage.kernels.memory import copy_bytes
from constellationdb.wire.kernels.digits import I32, I64, U8
from constellationdb.wire.kernels.framing import put_long

_NULL = -1
_DASH, _ZERO, _NINE, _LOWER_A, _LOWER_F = 45, 48, 57, 97, 102


@inlined
def _nibble(letter: int) -> int:
    """The value of a hexadecimal digit, or -1."""
    if _ZERO <= letter <= _NINE:
        return letter - _ZERO
    lowered = letter | 32
    return lowered - _LOWER_A + 10 if _LOWER_A <= lowered <= _LOWER_F else -1


@kernel("i64(const u8[], const i64[], const i32[], u8[])")
def uuids(data: U8, starts: I64, lengths: I32, out: U8) -> int:
    """Sixteen bytes a row, of its hexadecimal digits; how many texts, NULL aside, are no uuid."""
    wrong = 0
    for i in range(len(starts)):
        digits = 0
        for place in range(starts[i], starts[i] + lengths[i]):
            value = _nibble(np.int64(data[place]))  # type: ignore[arg-type]
            if value < 0 or digits == 32:
                digits = 33 if data[place] != _DASH else digits
                if digits == 33:
                    break
                continue
            at = 16 * i + digits // 2
            out[at] = value << 4 if digits % 2 == 0 else out[at] | value
            digits += 1
        wrong += lengths[i] != _NULL and digits != 32
    return wrong


@kernel("void(const i64[], const i64[], i64, i64, i64, const u8[], const i64[], const i32[], u8[], i64[])")
def put_arrays(
    firsts: I64,
    shapes: I64,
    dimensions: int,
    element: int,
    lower_bound: int,
    data: U8,
    starts: I64,
    lengths: I32,
    out: U8,
    places: I64,
) -> None:
    """Row ``i`` holds the elements from ``firsts[i]`` to ``firsts[i + 1]`` in the shape at ``shapes[i * dimensions]``.

    An array without elements has no dimensions, unless its lower bound is 0: then it is a vector, which has one.
    """
    for i in range(len(places)):
        first, end, at = firsts[i], firsts[i + 1], places[i]
        nulls = 0
        for j in range(first, end):
            nulls |= lengths[j] == _NULL
        shown = dimensions if end > first or lower_bound == 0 else 0
        at = put_long(out, put_long(out, put_long(out, at, shown), nulls), element)
        for k in range(shown):
            at = put_long(out, put_long(out, at, shapes[i * dimensions + k]), lower_bound)
        for j in range(first, end):
            length = int(lengths[j])
            at = put_long(out, at, length)
            if length > 0:
                copy_bytes(data, starts[j], out, at, length)
                at += length
