"""Keys in the order of their rows: what ORDER BY says of two rows, their keys' bytes say.

A key is, column after column, a byte that tells a NULL from a value, and the
value: numbers and moments as big-endian words, texts with every zero byte
followed by 255 and two zeros at the end, all bits turned round where the order
descends. So no key is the beginning of another. ``words`` holds the first eight
bytes of the first value, or what comes closest: keys whose words differ are in
the order of their words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from constellationdb.engine.kernels.arrowkeys import Decimals, Texts, Words, column_of, unwrapped
from constellationdb.engine.kernels.memory import store64
from constellationdb.engine.kernels.rows import I64, U8, U64, Bool
from constellationdb.jit import kernel
from constellationdb.planner.plan import Order

_SIGN, _ALL = np.uint64(1 << 63), np.uint64((1 << 64) - 1)
_LEAST, _MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


class OrderKeys(NamedTuple):
    """Key ``i`` is ``data[offsets[i]:offsets[i + 1]]``; rows that tie agree in its first ``peers[i]`` bytes."""

    words: U64
    data: U8
    offsets: I64
    peers: I64

    def take(self, rows: I64) -> OrderKeys:
        offsets = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(self.offsets[rows + 1] - self.offsets[rows], out=offsets[1:])
        data = np.empty(offsets[-1], np.uint8)
        _gather(self.data, self.offsets, rows, data, offsets)
        return OrderKeys(self.words[rows], data, offsets, self.peers[rows])


class _Part(NamedTuple):
    """One column: words in order, most significant first, or the bytes of texts."""

    order: Order
    words: tuple[U64, ...]
    texts: Texts | None
    valid: Bool


def order_keys(rows: pa.RecordBatch, order: Sequence[Order], ties: Sequence[Order]) -> OrderKeys:
    """The keys of rows that are ordered by ``order``, and where they tie by ``ties``."""
    count = rows.num_rows
    parts = [_part(rows.column(term.column), term) for term in (*order, *ties)]
    sizes = np.full(count, sum(1 + 8 * len(p.words) for p in parts), np.int64)
    for part in parts:
        if part.texts is not None:
            _add_sizes(part.texts.values, part.texts.offsets, part.valid, sizes)
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    data = np.zeros(offsets[-1], np.uint8)
    cursor = offsets[:-1].copy()
    peers = np.zeros(count, np.int64)
    for place, part in enumerate(parts):
        _put(data, cursor, part)
        if place == len(order) - 1:
            peers = cursor - offsets[:-1]
    words = _leading(rows.column(parts[0].order.column), parts[0]) if parts else np.zeros(count, np.uint64)
    return OrderKeys(words, data, offsets, peers)


def _part(array: pa.Array, order: Order) -> _Part:
    array = unwrapped(array)
    column = column_of(array)
    if isinstance(column, Texts):
        return _Part(order, (), column, column.valid)
    if isinstance(column, Decimals):
        raw = column.raw.view(np.uint64)
        words: tuple[U64, ...] = (raw[1::2] ^ _SIGN, raw[0::2])
    else:
        assert isinstance(column, Words)
        words = tuple(_ordered(w, pt.is_floating(array.type)) for w in column.words)
    if order.descending:
        words = tuple(w ^ _ALL for w in words)
    return _Part(order, words, None, column.valid)


def _ordered(words: I64, floating: bool) -> U64:
    """Signed words as unsigned ones; the bits of doubles in their order, NaN above all."""
    if floating:
        words = np.where(words < 0, words ^ np.int64(_MOST), words)
    return words.view(np.uint64) ^ _SIGN


def _put(data: U8, cursor: I64, part: _Part) -> None:
    null, value = (0, 1) if part.order.nulls_first else (1, 0)
    if part.texts is not None:
        turned = 255 if part.order.descending else 0
        _put_texts(data, cursor, part.texts.values, part.texts.offsets, part.valid, null, value, turned)
        return
    _put_markers(data, cursor, part.valid, null, value)
    for words in part.words:
        _put_words(data, cursor, words.byteswap(), part.valid)


def _leading(array: pa.Array, part: _Part) -> U64:
    if part.texts is not None:
        words = np.zeros(len(part.texts.offsets) - 1, np.uint64)
        _first_bytes(part.texts.values, part.texts.offsets, words)
        if part.order.descending:
            words ^= _ALL
    elif pt.is_decimal(array.type):
        turned = _ALL if part.order.descending else np.uint64(0)
        high, low = ((w ^ turned) for w in part.words)
        high, low = (high ^ _SIGN).view(np.int64), low.view(np.int64)
        closest = np.where(high == (low >> 63), low, np.where(high < 0, _LEAST, _MOST))
        words = closest.view(np.uint64) ^ _SIGN ^ turned
    else:
        words = part.words[0].copy()
    if part.valid.size:
        words[~part.valid] = np.uint64(0) if part.order.nulls_first else _ALL
    return words


@kernel("void(const u8[], const i64[], const i64[], u8[], const i64[])")
def _gather(data: U8, offsets: I64, rows: I64, out: U8, out_offsets: I64) -> None:
    for i in range(len(rows)):
        start = offsets[rows[i]]
        for j in range(out_offsets[i + 1] - out_offsets[i]):
            out[out_offsets[i] + j] = data[start + j]


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


@kernel("void(const u8[], const i64[], u64[])")
def _first_bytes(values: U8, offsets: I64, words: U64) -> None:
    for i in range(len(words)):
        word = np.uint64(0)
        for j in range(8):
            place = offsets[i] + j
            byte = np.uint64(values[place]) if place < offsets[i + 1] else np.uint64(0)
            word = (word << np.uint64(8)) | byte
        words[i] = word
