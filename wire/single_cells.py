"""A column opened once, its values printed one at a time: what an answer of a few rows takes.

Where Arrow's memory holds what is printed it is read there, which takes a
tenth of the time that making a Python value of it in Arrow takes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from constellationdb.wire.cells import Cells

# The bytes of one row's value; None for NULL.
Cell = Callable[[int], bytes | None]
Opener = Callable[[pa.Array], Cell]

# A column this short is printed at once where printing has no way for a single value.
_SHORT = 4


def in_memory(kind: str, one: Callable[[Any], bytes]) -> Opener:
    """Of numbers, and of what is stored as numbers: ``kind`` is their letter in ``struct``."""
    width = struct.calcsize(kind)

    def opened(array: pa.Array) -> Cell:
        values = _items(array.buffers()[1], kind, width, array.offset, len(array))
        return _unless_null(array, lambda row: one(values[row]))

    return opened


def strings(array: pa.Array) -> Cell:
    """Of UTF-8 as it is."""
    _, ends, values = array.buffers()
    offsets = _items(ends, "i", 4, array.offset, len(array) + 1)
    data = memoryview(b"" if values is None else values)
    return _unless_null(array, lambda row: bytes(data[offsets[row] : offsets[row + 1]]))


def in_python(one: Callable[[Any], bytes]) -> Opener:
    """Of a type that only Arrow can read."""

    def opened(array: pa.Array) -> Cell:
        def cell(row: int) -> bytes | None:
            value = array[row].as_py()
            return None if value is None else one(value)

        return cell

    return opened


def sliced(vector: Callable[[pa.Array], Cells]) -> Opener:
    """Of any type: a column of one row."""

    def opened(array: pa.Array) -> Cell:
        if len(array) <= _SHORT:
            return vector(array).listed().__getitem__
        return lambda row: vector(array.slice(row, 1)).listed()[0]

    return opened


def _items(buffer: pa.Buffer | None, kind: str, width: int, first: int, count: int) -> Sequence[Any]:
    """The array's own part of a buffer; what has no row may have none."""
    view: Any = memoryview(b"" if buffer is None else buffer)
    return view[first * width : (first + count) * width].cast(kind)  # type: ignore[no-any-return]


def _unless_null(array: pa.Array, cell: Callable[[int], bytes]) -> Cell:
    if not array.null_count:
        return cell
    valid, first = memoryview(array.buffers()[0]), array.offset

    def checked(row: int) -> bytes | None:
        at = first + row
        return cell(row) if valid[at >> 3] >> (at & 7) & 1 else None

    return checked
