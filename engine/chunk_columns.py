"""One column of many Arrow chunks: where its buffers lie in each, and a take through all of them.

Fixed     values of some bytes
Bits      booleans
Runs      texts and bytes
Others    nested and encoded ones: taken by Arrow, chunk by chunk
"""

from __future__ import annotations

from itertools import pairwise
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.gathering import gather_bits, gather_fixed, gather_runs
from constellationdb.engine.kernels.rows import I64, U8, Bool
from constellationdb.errors import LimitExceeded


class Column(Protocol):
    def note(self, place: int, array: pa.Array) -> None:
        """The column of the chunk at ``place``, which stays alive for as long as something is taken of it."""
        ...

    def take(self, chunks: I64, places: I64) -> pa.Array:
        """A value for every place in a chunk."""
        ...


def column_of(kind: pa.DataType) -> Column:
    if pt.is_boolean(kind):
        return Bits()
    if pt.is_string(kind) or pt.is_binary(kind):
        return Runs(kind, np.dtype(np.int32))
    if pt.is_large_string(kind) or pt.is_large_binary(kind):
        return Runs(kind, np.dtype(np.int64))
    if pt.is_primitive(kind) or pt.is_decimal(kind) or pt.is_interval(kind):
        return Fixed(kind)
    return Others(kind)


class _Addresses:
    """A number for each chunk."""

    def __init__(self) -> None:
        self.numbers: I64 = np.zeros(16, np.int64)

    def note(self, place: int, number: int) -> None:
        self.numbers = grow(self.numbers, place + 1)
        self.numbers[place] = number


class _Validity(_Addresses):
    """The position of each chunk's first validity bit; 0 where no value is NULL."""

    def note_of(self, place: int, array: pa.Array) -> None:
        self.note(place, _bit_position(array.buffers()[0], array.offset) if array.null_count else 0)

    def take(self, chunks: I64, places: I64) -> pa.Buffer | None:
        if not self.numbers.any():
            return None
        valid = _bits(self.numbers, chunks, places)
        return None if valid.all() else _packed(valid)


class Fixed:
    def __init__(self, kind: pa.DataType) -> None:
        self._kind, self._width = kind, kind.bit_width // 8
        self._validity, self._values = _Validity(), _Addresses()

    def note(self, place: int, array: pa.Array) -> None:
        self._validity.note_of(place, array)
        self._values.note(place, _address(array.buffers()[1]) + array.offset * self._width)

    def take(self, chunks: I64, places: I64) -> pa.Array:
        taken = _fixed(self._values.numbers, chunks, places, self._width)
        return pa.Array.from_buffers(
            self._kind, len(chunks), [self._validity.take(chunks, places), pa.py_buffer(taken)]
        )


class Bits:
    def __init__(self) -> None:
        self._validity, self._values = _Validity(), _Addresses()

    def note(self, place: int, array: pa.Array) -> None:
        self._validity.note_of(place, array)
        self._values.note(place, _bit_position(array.buffers()[1], array.offset))

    def take(self, chunks: I64, places: I64) -> pa.Array:
        taken = _packed(_bits(self._values.numbers, chunks, places))
        return pa.Array.from_buffers(pa.bool_(), len(chunks), [self._validity.take(chunks, places), taken])


class Runs:
    def __init__(self, kind: pa.DataType, offset_type: np.dtype[np.int32] | np.dtype[np.int64]) -> None:
        self._kind, self._offset_type = kind, offset_type
        self._validity, self._offsets, self._data = _Validity(), _Addresses(), _Addresses()

    def note(self, place: int, array: pa.Array) -> None:
        _, offsets, data = array.buffers()
        self._validity.note_of(place, array)
        self._offsets.note(place, _address(offsets) + array.offset * self._offset_type.itemsize)
        self._data.note(place, _address(data))

    def take(self, chunks: I64, places: I64) -> pa.Array:
        starts, ends = (self._bounds(chunks, at) for at in (places, places + 1))
        offsets = np.zeros(len(chunks) + 1, np.int64)
        np.cumsum(ends - starts, out=offsets[1:])
        if offsets[-1] > np.iinfo(self._offset_type).max:
            raise LimitExceeded("an epoch changes more than 2 GB of one text column")
        data: U8 = np.empty(offsets[-1], np.uint8)
        gather_runs(self._data.numbers, chunks, starts, offsets, data)
        buffers = [pa.py_buffer(offsets.astype(self._offset_type, copy=False)), pa.py_buffer(data)]
        return pa.Array.from_buffers(self._kind, len(chunks), [self._validity.take(chunks, places), *buffers])

    def _bounds(self, chunks: I64, places: I64) -> I64:
        taken = _fixed(self._offsets.numbers, chunks, places, self._offset_type.itemsize)
        return taken.view(self._offset_type).astype(np.int64, copy=False)


class Others:
    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind
        self._arrays: list[pa.Array] = []

    def note(self, place: int, array: pa.Array) -> None:
        self._arrays[place:] = [array]

    def take(self, chunks: I64, places: I64) -> pa.Array:
        if not len(chunks):
            return pa.array([], self._kind)
        order = np.argsort(chunks, kind="stable")
        chunks, places = chunks[order], places[order]
        edges = [0, *(np.flatnonzero(chunks[1:] != chunks[:-1]) + 1), len(chunks)]
        parts = [self._arrays[chunks[a]].take(pa.array(places[a:b], pa.int64())) for a, b in pairwise(edges)]
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return pa.concat_arrays(parts).take(pa.array(back))


def _address(buffer: pa.Buffer | None) -> int:
    return 0 if buffer is None else int(buffer.address)


def _bit_position(buffer: pa.Buffer | None, offset: int) -> int:
    return 0 if buffer is None else 8 * int(buffer.address) + offset


def _fixed(addresses: I64, chunks: I64, places: I64, width: int) -> U8:
    out: U8 = np.empty(len(chunks) * width, np.uint8)
    gather_fixed(addresses, chunks, places, width, out)
    return out


def _bits(positions: I64, chunks: I64, places: I64) -> Bool:
    out: Bool = np.empty(len(chunks), np.bool_)
    gather_bits(positions, chunks, places, out)
    return out


def _packed(bits: Bool) -> pa.Buffer:
    return pa.py_buffer(np.packbits(bits, bitorder="little"))
