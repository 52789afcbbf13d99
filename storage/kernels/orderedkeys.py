"""Arrow columns as keys whose bytes are in the order of their rows: what ORDER BY says of two rows, memcmp says.

A key is, column after column, a byte that tells a NULL from a value, and the value: numbers and moments as big-endian
words, texts with every zero byte followed by 255 and two zeros at the end, all bits turned round where the order
descends. So no key is the beginning of another, and keys may be joined: those of (a, b) begin with those of (a).

Floating-point numbers are in Postgres' order: -0 is 0, and NaN is above all. Texts are in the order of their bytes, as
in collation "C". Decimals of one column have one scale. Intervals are in the order of their parts, which is an
identity and not SQL's order: whoever wants that one turns them into microseconds first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from constellationdb.jit import kernel
from constellationdb.storage.kernels.arrowkeys import Decimals, Texts, Words, column_of, unwrapped
from constellationdb.storage.kernels.memory import I64, U8, U64, Bool, store64

_SIGN, _ALL = np.uint64(1 << 63), np.uint64((1 << 64) - 1)
_MOST = np.int64(np.iinfo(np.int64).max)


@dataclass(frozen=True, slots=True)
class Direction:
    """How one column is ordered. Postgres has NULLs last where the order rises, and first where it falls."""

    descending: bool = False
    nulls_first: bool = False


RISING, FALLING = Direction(), Direction(descending=True, nulls_first=True)


class Part(NamedTuple):
    """One column: words in order, most significant first, or the bytes of texts."""

    direction: Direction
    words: tuple[U64, ...]
    texts: Texts | None
    valid: Bool


class Keys(NamedTuple):
    """Key ``i`` is ``data[offsets[i]:offsets[i + 1]]``; its first ``prefix[i]`` bytes are of the leading columns."""

    data: U8
    offsets: I64
    prefix: I64

    def to_arrow(self) -> pa.Array:
        """The keys as a column of bytes."""
        buffers = [None, pa.py_buffer(self.offsets), pa.py_buffer(self.data)]
        return pa.Array.from_buffers(pa.large_binary(), len(self.offsets) - 1, buffers)


def encode(columns: Sequence[pa.Array], directions: Sequence[Direction] | None = None) -> pa.Array:
    """The keys of rows as a column of bytes; all columns rise unless ``directions`` says of each how it is ordered."""
    if not columns:
        raise ValueError("a key has at least one column")
    directions = directions or [RISING] * len(columns)
    parts = [part_of(column, way) for column, way in zip(columns, directions, strict=True)]
    return joined(parts, len(columns[0]), len(parts)).to_arrow()


def part_of(array: pa.Array, direction: Direction) -> Part:
    """The words or the texts of a column, in order."""
    array = unwrapped(array)
    column = column_of(array)
    if isinstance(column, Texts):
        return Part(direction, (), column, column.valid)
    if isinstance(column, Decimals):
        raw = column.raw.view(np.uint64)
        words: tuple[U64, ...] = (raw[1::2] ^ _SIGN, raw[0::2])
    else:
        assert isinstance(column, Words)
        words = tuple(_ordered(w, array.type) for w in column.words)
    if direction.descending:
        words = tuple(w ^ _ALL for w in words)
    return Part(direction, words, None, column.valid)


def _ordered(words: I64, kind: pa.DataType) -> U64:
    """Signed words as unsigned ones; the bits of doubles in their order, NaN above all."""
    if pt.is_uint64(kind):
        return words.view(np.uint64)
    if pt.is_floating(kind):
        words = np.where(words < 0, words ^ _MOST, words)
    return words.view(np.uint64) ^ _SIGN


def joined(parts: Sequence[Part], count: int, leading: int) -> Keys:
    """The keys of ``count`` rows, column after column; ``leading`` of the columns are the prefix."""
    sizes = np.full(count, sum(1 + 8 * len(p.words) for p in parts), np.int64)
    for part in parts:
        if part.texts is not None:
            _add_sizes(part.texts.values, part.texts.offsets, part.valid, sizes)
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    data = np.zeros(offsets[-1], np.uint8)
    cursor = offsets[:-1].copy()
    prefix = np.zeros(count, np.int64)
    for place, part in enumerate(parts):
        _put(data, cursor, part)
        if place == leading - 1:
            prefix = cursor - offsets[:-1]
    return Keys(data, offsets, prefix)


def _put(data: U8, cursor: I64, part: Part) -> None:
    null, value = (0, 1) if part.direction.nulls_first else (1, 0)
    if part.texts is not None:
        turned = 255 if part.direction.descending else 0
        _put_texts(data, cursor, part.texts.values, part.texts.offsets, part.valid, null, value, turned)
        return
    _put_markers(data, cursor, part.valid, null, value)
    for words in part.words:
        _put_words(data, cursor, words.byteswap(), part.valid)


@kernel("void(u8[], i64[], const bool[], i64, i64)")
def _put_markers(data: U8, cursor: I64, valid: Bool, null: int, value: int) -> None:
    for i in range(len(cursor)):
        data[cursor[i]] = np.uint8(null if len(valid) and not valid[i] else value)
        cursor[i] += 1


@kernel("void(u8[], i64[], const u64[], const bool[])")
def _put_words(data: U8, cursor: I64, words: U64, valid: Bool) -> None:
    for i in range(len(cursor)):
        if not len(valid) or valid[i]:
            store64(data, cursor[i], words[i])
        cursor[i] += 8


@kernel("void(const u8[], const i64[], const bool[], i64[])")
def _add_sizes(values: U8, offsets: I64, valid: Bool, sizes: I64) -> None:
    for i in range(len(sizes)):
        if not len(valid) or valid[i]:
            sizes[i] += 2
            for j in range(offsets[i], offsets[i + 1]):
                sizes[i] += 1 if values[j] else 2


@kernel("void(u8[], i64[], const u8[], const i64[], const bool[], i64, i64, i64)")
def _put_texts(
    data: U8, cursor: I64, values: U8, offsets: I64, valid: Bool, null: int, value: int, turned: int
) -> None:
    for i in range(len(cursor)):
        at = cursor[i]
        there = not len(valid) or valid[i]
        data[at] = np.uint8(value if there else null)
        at += 1
        if there:
            for j in range(offsets[i], offsets[i + 1]):
                data[at] = np.uint8(values[j] ^ turned)
                at += 1
                if values[j] == 0:
                    data[at] = np.uint8(255 ^ turned)
                    at += 1
            data[at] = np.uint8(turned)
            data[at + 1] = np.uint8(turned)
            at += 2
        cursor[i] = at
