"""Words of memory that two processes share: each operation is one that the other sees whole, and in the order told.

``word`` counts the 8-byte words of an i64 array. What was written before a ``store_release`` is seen by whoever saw its
value with a ``load_acquire``; this is LLVM's promise, so it holds on ARM as on x86. ``fence`` puts all loads and stores
of before in front of all of after, as no acquire or release does for a store that a load follows.
"""

# ruff: noqa: ARG001 (an intrinsic's parameters are its signature; the generated code sees their values)
from __future__ import annotations

import platform
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

_WORD = ir.IntType(64)
_INT32 = ir.IntType(32)
_BYTES = 8
_MACHINE = platform.machine().lower()


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, word: Any) -> Any:
    struct = context.make_array(array_type)(context, builder, value=array)
    return builder.gep(struct.data, [word])


@intrinsic
def load_acquire(_typing: Any, memory: Any, word: Any) -> Any:
    """The word, and after it all that was written before the store that it comes from."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        return builder.load_atomic(pointer, "acquire", _BYTES)

    return types.int64(memory, types.int64), generate


@intrinsic
def store_release(_typing: Any, memory: Any, word: Any, value: Any) -> Any:
    """Write the word behind all that was read and written before."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        builder.store_atomic(args[2], pointer, "release", _BYTES)
        return context.get_dummy_value()

    return types.void(memory, types.int64, types.int64), generate


@intrinsic
def compare_and_swap(_typing: Any, memory: Any, word: Any, expected: Any, value: Any) -> Any:
    """Whether the word was ``expected``, and is now ``value``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        found = builder.cmpxchg(pointer, args[2], args[3], "seq_cst", "seq_cst")
        return builder.extract_value(found, 1)

    return types.boolean(memory, types.int64, types.int64, types.int64), generate


@intrinsic
def exchange(_typing: Any, memory: Any, word: Any, value: Any) -> Any:
    """What the word was before it became ``value``."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1])
        return builder.atomic_rmw("xchg", pointer, args[2], "seq_cst")

    return types.int64(memory, types.int64, types.int64), generate


@intrinsic
def fence(_typing: Any) -> Any:
    """Nothing of before is seen after anything of behind, by anybody."""

    def generate(context: Any, builder: Any, _signature: Any, _args: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def pause(_typing: Any) -> Any:
    """Tell the processor that this is a loop that waits, where it has a word for that."""

    def generate(context: Any, builder: Any, _signature: Any, _args: Any) -> Any:
        if _MACHINE in ("x86_64", "amd64"):
            function = ir.FunctionType(ir.VoidType(), [])
            builder.call(builder.module.declare_intrinsic("llvm.x86.sse2.pause", [], function), [])
        elif _MACHINE in ("aarch64", "arm64"):
            function = ir.FunctionType(ir.VoidType(), [_INT32])
            builder.call(builder.module.declare_intrinsic("llvm.aarch64.hint", [], function), [_INT32(1)])  # yield
        return context.get_dummy_value()

    return types.void(), generate
