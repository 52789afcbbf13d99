"""A column as the bytes of its values, wherever these lie: what framing copies side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import DTypeLike, NDArray

from constellationdb.storage.kernels.arrowkeys import valid_of

I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]

_NOTHING: U8 = np.zeros(0, np.uint8)


@dataclass(frozen=True, slots=True)
class Cells:
    """Row ``i`` is ``data[starts[i]:][:lengths[i]]``; NULL is -1 long."""

    data: U8
    starts: I64
    lengths: I32

    def listed(self) -> list[bytes | None]:
        data = self.data.data
        pairs = zip(self.starts.tolist(), self.lengths.tolist(), strict=True)
        return [None if length < 0 else bytes(data[start : start + length]) for start, length in pairs]


def without_nulls_of(array: pa.Array, lengths: I32) -> I32:
    """The lengths, with -1 where ``array`` is NULL. Writes to them."""
    if array.null_count:
        lengths[~valid_of(array)] = -1
    return lengths


def numbers(array: pa.Array, dtype: DTypeLike, per_row: int = 1) -> NDArray[Any]:
    """The array's own part of its values' buffer; what stands under a NULL may be anything."""
    kind, count, buffer = np.dtype(dtype), len(array) * per_row, array.buffers()[1]
    if buffer is None or count == 0:
        return np.zeros(count, kind)
    return np.frombuffer(buffer, kind, count, array.offset * per_row * kind.itemsize)


def booleans(array: pa.Array) -> I64:
    """0 or 1 a row."""
    first, count, bitmap = array.offset, len(array), array.buffers()[1]
    if bitmap is None or count == 0:
        return np.zeros(count, np.int64)
    packed = np.frombuffer(bitmap, np.uint8)[first // 8 : (first + count + 7) // 8]
    bits = np.unpackbits(packed, bitorder="little")[first % 8 : first % 8 + count]
    return bits.astype(np.int64)


def fixed_cells(values: NDArray[Any], array: pa.Array) -> Cells:
    """Values of one width, as they lie in memory."""
    width = values.dtype.itemsize
    starts = np.arange(0, len(values) * width, width, dtype=np.int64)
    lengths = without_nulls_of(array, np.full(len(values), width, np.int32))
    return Cells(np.ascontiguousarray(values).view(np.uint8), starts, lengths)


def bytes_cells(array: pa.Array) -> Cells:
    """Strings or binaries of any Arrow layout, where they are."""
    kind = array.type
    if not (_is_small(kind) or _is_large(kind)):
        array = array.cast(pa.large_binary())
    _, ends, values = array.buffers()
    if ends is None or len(array) == 0:
        return Cells(_NOTHING, np.zeros(len(array), np.int64), np.full(len(array), -1, np.int32))
    offset_type = np.dtype(np.int32 if _is_small(array.type) else np.int64)
    offsets = np.frombuffer(ends, offset_type, len(array) + 1, array.offset * offset_type.itemsize)
    data = _NOTHING if values is None else np.frombuffer(values, np.uint8)
    lengths = without_nulls_of(array, np.diff(offsets).astype(np.int32))
    return Cells(data, offsets[:-1].astype(np.int64), lengths)


def null_cells(array: pa.Array) -> Cells:
    return Cells(_NOTHING, np.zeros(len(array), np.int64), np.full(len(array), -1, np.int32))


def taken_cells(dictionary: Cells, array: pa.DictionaryArray) -> Cells:
    """Each row's value of a dictionary that was encoded once."""
    indices = array.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    if len(array.dictionary) == 0:
        return null_cells(array)
    lengths = without_nulls_of(array, dictionary.lengths[indices])
    return Cells(dictionary.data, dictionary.starts[indices], lengths)


def _is_small(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def _is_large(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_string(kind) or pa.types.is_large_binary(kind))
