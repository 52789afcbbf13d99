"""Loads, stores and wide products that Python has no words for.

Positions are in bytes for ``load64``, ``store64``, ``load32`` and
``store32_reversed``, which need no alignment, and in items for ``prefetch``. ``copy_from`` and ``bit_at`` take
addresses, as Arrow gives them of its buffers. None checks a bound.
"""

# ruff: noqa: ARG001 (an intrinsic's parameters are its signature; the generated code sees their values)
from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from constellationdb.jit import inlined

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
U8 = NDArray[np.uint8]
Bool = NDArray[np.bool_]

_BYTE = ir.IntType(8)
_INT32 = ir.IntType(32)
_WORD = ir.IntType(64)
_DOUBLE_WORD = ir.IntType(128)


def _address(context: Any, builder: Any, array_type: Any, array: Any, position: Any, target: Any) -> Any:
    struct = context.make_array(array_type)(context, builder, value=array)
    item = builder.gep(struct.data, [position])
    return builder.bitcast(item, target.as_pointer())


@intrinsic
def load64(_typing: Any, array: Any, position: Any) -> Any:
    """The 8 bytes of a u8 array from ``position`` as a u64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _address(context, builder, signature.args[0], args[0], args[1], _WORD)
        return builder.load(pointer, align=1)

    return types.uint64(array, types.int64), generate


@intrinsic
def load32(_typing: Any, array: Any, position: Any) -> Any:
    """The 4 bytes of a u8 array from ``position`` as a u64."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _address(context, builder, signature.args[0], args[0], args[1], _INT32)
        return builder.zext(builder.load(pointer, align=1), _WORD)

    return types.uint64(array, types.int64), generate


@intrinsic
def store64(_typing: Any, array: Any, position: Any, value: Any) -> Any:
    """Write a u64 over the 8 bytes of a u8 array from ``position``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _address(context, builder, signature.args[0], args[0], args[1], _WORD)
        builder.store(args[2], pointer, align=1)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.uint64), generate


@intrinsic
def store32_reversed(_typing: Any, array: Any, position: Any, value: Any) -> Any:
    """Write the low 4 bytes of an i64 over those of a u8 array from ``position``, the last one first: big-endian."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _address(context, builder, signature.args[0], args[0], args[1], _INT32)
        builder.store(builder.bswap(builder.trunc(args[2], _INT32)), pointer, align=1)
        return context.get_dummy_value()

    return types.void(array, types.int64, types.int64), generate


@intrinsic
def prefetch(_typing: Any, array: Any, index: Any) -> Any:
    """Ask for the cache line of ``array[index]``; a hint, harmless for any index."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _address(context, builder, signature.args[0], args[0], args[1], _BYTE)
        function = builder.module.declare_intrinsic(
            "llvm.prefetch", [_BYTE.as_pointer()], ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer()] + [_INT32] * 3)
        )
        builder.call(function, [pointer, _INT32(0), _INT32(3), _INT32(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@intrinsic
def copy_bytes(_typing: Any, source: Any, start: Any, target: Any, to: Any, count: Any) -> Any:
    """Copy ``count`` bytes between u8 arrays that do not overlap."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        origin = _address(context, builder, signature.args[0], args[0], args[1], _BYTE)
        place = _address(context, builder, signature.args[2], args[2], args[3], _BYTE)
        pointer = _BYTE.as_pointer()
        function = builder.module.declare_intrinsic("llvm.memcpy", [pointer, pointer, _WORD])
        builder.call(function, [place, origin, args[4], ir.IntType(1)(0)])
        return context.get_dummy_value()

    return types.void(source, types.int64, target, types.int64, types.int64), generate


@intrinsic
def copy_from(_typing: Any, address: Any, target: Any, to: Any, count: Any) -> Any:
    """Copy ``count`` bytes from an address into a u8 array."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _BYTE.as_pointer()
        origin = builder.inttoptr(args[0], pointer)
        place = _address(context, builder, signature.args[1], args[1], args[2], _BYTE)
        function = builder.module.declare_intrinsic("llvm.memcpy", [pointer, pointer, _WORD])
        builder.call(function, [place, origin, args[3], ir.IntType(1)(0)])
        return context.get_dummy_value()

    return types.void(types.int64, target, types.int64, types.int64), generate


@intrinsic
def bit_at(_typing: Any, position: Any) -> Any:
    """A bit of memory by its position: eight times its byte's address, and which bit of it, the lowest first."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        address = builder.lshr(args[0], _WORD(3))
        byte = builder.load(builder.inttoptr(address, _BYTE.as_pointer()), align=1)
        shift = builder.trunc(builder.and_(args[0], _WORD(7)), _BYTE)
        return builder.trunc(builder.lshr(byte, shift), ir.IntType(1))

    return types.boolean(types.int64), generate


@intrinsic
def mul_high(_typing: Any, left: Any, right: Any) -> Any:
    """The high 64 bits of a product of two u64."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        wide = builder.mul(builder.zext(args[0], _DOUBLE_WORD), builder.zext(args[1], _DOUBLE_WORD))
        return builder.trunc(builder.lshr(wide, _DOUBLE_WORD(64)), _WORD)

    return types.uint64(types.uint64, types.uint64), generate


@inlined
def same_bytes(left: U8, start: int, right: U8, other: int, count: int) -> bool:
    """Whether two runs of ``count`` bytes are equal."""
    if count < 8:
        for i in range(count):  # noqa: SIM110 (a kernel has no generators)
            if left[start + i] != right[other + i]:
                return False
        return True
    i = 0
    while i + 8 < count:
        if load64(left, start + i) != load64(right, other + i):
            return False
        i += 8
    return bool(load64(left, start + count - 8) == load64(right, other + count - 8))
