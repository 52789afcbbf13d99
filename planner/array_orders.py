"""Texts that sort and compare as arrays do in Postgres: element by element, a NULL greater than any, the shorter first.

DataFusion takes a NULL among the elements for the least, and -0 and -NaN for other doubles than 0 and NaN.
Each element is a mark and its bytes in order, in hexadecimal digits; another mark ends the array.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa

_END, _ELEMENT, _NULL = b"\x00", b"\x01", b"\x02"
_SIGN, _BITS = 1 << 63, (1 << 64) - 1
_DIGITS = 38  # of a numeric, before the point and after it
_EXACT = Context(prec=3 * _DIGITS)


def definitions() -> list[tuple[Any, list[pa.DataType], pa.DataType, str]]:
    """(function, arguments, result, name) of each."""
    kinds: dict[str, tuple[Callable[[Any], bytes], pa.DataType]] = {
        "integers": (_integer, pa.int64()),
        "doubles": (_double, pa.float64()),
        "numerics": (_numeric, pa.string()),
        "texts": (_text, pa.string()),
    }
    return [
        (_ordered(encode), [pa.list_(element)], pa.string(), f"con_order_{name}")
        for name, (encode, element) in kinds.items()
    ]


def _ordered(encode: Callable[[Any], bytes]) -> Callable[[pa.Array], pa.Array]:
    def key(elements: list[Any]) -> str:
        marked = (_NULL if element is None else _ELEMENT + encode(element) for element in elements)
        return (b"".join(marked) + _END).hex()

    def keys(arrays: pa.Array) -> pa.Array:
        return pa.array([None if array is None else key(array) for array in arrays.to_pylist()], pa.string())

    return keys


def _integer(value: int) -> bytes:
    return (value + _SIGN).to_bytes(8, "big")


def _double(value: float) -> bytes:
    """Of -0 and of a NaN with a sign, the bits of the other."""
    if value != value:
        return b"\xff" * 8
    bits = int.from_bytes(struct.pack(">d", value + 0.0), "big")
    return (bits ^ _BITS if bits & _SIGN else bits | _SIGN).to_bytes(8, "big")


def _numeric(digits: str) -> bytes:
    unscaled = int(Decimal(digits).scaleb(_DIGITS, _EXACT))
    shifted: int = unscaled + 10 ** (2 * _DIGITS)
    return shifted.to_bytes(34, "big")


def _text(value: str) -> bytes:
    return value.encode() + _END
