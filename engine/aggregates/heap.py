"""The first value of every group, least or greatest: entries of a multiset in a heap for each slot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
from numpy.typing import NDArray

from constellationdb.engine.aggregates.accumulator import I64, Bool, floats, integers
from constellationdb.engine.kernels.accumulate import grow, raw_decimals
from constellationdb.engine.kernels.ordering import NONE, push, settle
from constellationdb.engine.kernels.rows import U8, U64

_SIGN = np.uint64(1 << 63)


class Heap:
    """Entries are numbered 0, 1, 2, … as they are added; ``last``: the greatest value is the first."""

    def __init__(self, kind: pa.DataType, last: bool) -> None:
        self._kind, self._last = kind, last
        self._bytes = _is_text(kind) or pt.is_decimal128(kind)
        self._count = 0
        self._used = 0
        self._words: U64 = np.zeros(64, np.uint64)
        self._data: U8 = np.zeros(64 if self._bytes else 0, np.uint8)
        self._offsets: I64 = np.zeros(65 if self._bytes else 0, np.int64)
        self._child: I64 = np.zeros(64, np.int64)
        self._sibling: I64 = np.zeros(64, np.int64)
        self._queued: Bool = np.zeros(64, np.bool_)
        self._roots: I64 = np.full(64, NONE, np.int64)

    def reserve(self, slots: int) -> None:
        self._roots = grow(self._roots, slots, NONE)

    def add(self, values: pa.Array) -> None:
        """More entries; they are in no heap yet."""
        first, self._count = self._count, self._count + len(values)
        self._words = grow(self._words, self._count)
        self._child, self._sibling = grow(self._child, self._count), grow(self._sibling, self._count)
        self._queued = grow(self._queued, self._count, False)
        if self._bytes:
            data, lengths = _bytes_of(values)
            self._data = grow(self._data, self._used + len(data))
            self._data[self._used : self._used + len(data)] = data
            self._offsets = grow(self._offsets, self._count + 1)
            self._offsets[first + 1 : self._count + 1] = self._used + np.cumsum(lengths)
            self._used += len(data)
            self._words[first : self._count] = _leading(data, lengths)
        else:
            self._words[first : self._count] = _words_of(values)

    def push(self, entries: I64, slots: I64) -> None:
        push(np.ascontiguousarray(entries), np.ascontiguousarray(slots), *self._state())

    def settle(self, slots: I64, counts: I64) -> None:
        settle(slots, counts, *self._state())

    def first(self, slots: I64) -> I64:
        """The first entry of each slot, -1 where there is none."""
        return self._roots[slots]

    def _state(self) -> tuple[Any, ...]:
        links = self._roots, self._child, self._sibling, self._queued
        return (*links, self._words, self._data, self._offsets, self._last)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pt.is_string(kind) or pt.is_large_string(kind))


def _words_of(values: pa.Array) -> U64:
    """Numbers and moments as unsigned words in the same order; NaN is above all, as in Postgres."""
    if pt.is_floating(values.type):
        bits = floats(values).view(np.int64)
        bits = np.where(bits < 0, bits ^ np.int64(np.iinfo(np.int64).max), bits)
        return bits.view(np.uint64) ^ _SIGN
    if pt.is_date32(values.type):
        values = values.cast(pa.int32())
    return integers(values).view(np.uint64) ^ _SIGN


def _bytes_of(values: pa.Array) -> tuple[U8, I64]:
    """Texts and decimals as bytes in the same order, and how many each has."""
    if pt.is_decimal128(values.type):
        raw = raw_decimals(values).view(np.uint64)
        words = np.empty(len(raw), ">u8")
        words[0::2], words[1::2] = raw[1::2] ^ _SIGN, raw[0::2]
        return words.view(np.uint8), np.full(len(values), 16, np.int64)
    binary = values.cast(pa.large_string()).cast(pa.large_binary())
    offsets = np.frombuffer(binary.buffers()[1], np.int64)[binary.offset : binary.offset + len(binary) + 1]
    data = binary.buffers()[2]
    held: U8 = np.zeros(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)[offsets[0] : offsets[-1]]
    return held, np.diff(offsets)


def _leading(data: U8, lengths: I64) -> U64:
    """The first eight bytes of each value as a word, zeros behind a shorter one."""
    starts = np.cumsum(lengths) - lengths
    padded: NDArray[np.uint8] = np.append(data, np.zeros(8, np.uint8))
    places = starts[:, None] + np.arange(8)
    words = np.where(np.arange(8) < lengths[:, None], padded[places], 0).astype(np.uint8)
    return np.ascontiguousarray(words).view(">u8").ravel().astype(np.uint64)
