"""A column opened once, its values printed one at a time: what an answer of a few rows takes.

Where Arrow's memory holds what is printed it is read there, which takes a
tenth of the time that making a Python value of it in Arrow takes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike

from constellationdb.wire.cells import Cells, numbers

# The bytes of one row's value; None for NULL.
Cell = Callable[[int], bytes | None]
Opener = Callable[[pa.Array], Cell]


def in_memory(dtype: DTypeLike, one: Callable[[Any], bytes]) -> Opener:
    """Of numbers, and of what is stored as numbers."""

    def opened(array: pa.Array) -> Cell:
        values = numbers(array, dtype).data
        return _unless_null(array, lambda row: one(values[row]))

    return opened


def strings(array: pa.Array) -> Cell:
    """Of UTF-8 as it is."""
    _, ends, values = array.buffers()
    if ends is None or values is None:
        return lambda row: b"" if array[row].is_valid else None
    offsets = np.frombuffer(ends, np.int32, len(array) + 1, array.offset * 4).data
    data = memoryview(values)
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
    return lambda array: lambda row: vector(array.slice(row, 1)).listed()[0]


def _unless_null(array: pa.Array, cell: Callable[[int], bytes]) -> Cell:
    if not array.null_count:
        return cell
    valid, first = memoryview(array.buffers()[0]), array.offset

    def checked(row: int) -> bytes | None:
        at = first + row
        return cell(row) if valid[at >> 3] >> (at & 7) & 1 else None

    return checked
