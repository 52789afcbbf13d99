"""Keys in the order of their rows: what ORDER BY says of two rows, their keys' bytes say.

``storage.kernels.orderedkeys`` has their form. ``words`` holds the first eight
bytes of the first value, or what comes closest: keys whose words differ are in
the order of their words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from constellationdb.engine.kernels.rows import I64, U8, U64
from constellationdb.jit import kernel
from constellationdb.planner.plan import Order
from constellationdb.storage.kernels.orderedkeys import Direction, Part, joined, part_of

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


def order_keys(rows: pa.RecordBatch, order: Sequence[Order], ties: Sequence[Order]) -> OrderKeys:
    """The keys of rows that are ordered by ``order``, and where they tie by ``ties``."""
    terms = (*order, *ties)
    parts = [part_of(rows.column(term.column), Direction(term.descending, term.nulls_first)) for term in terms]
    keys = joined(parts, rows.num_rows, len(order))
    words = _leading(rows.column(terms[0].column), parts[0]) if parts else np.zeros(rows.num_rows, np.uint64)
    return OrderKeys(words, keys.data, keys.offsets, keys.prefix)


def _leading(array: pa.Array, part: Part) -> U64:
    if part.texts is not None:
        words = np.zeros(len(part.texts.offsets) - 1, np.uint64)
        _first_bytes(part.texts.values, part.texts.offsets, words)
        if part.direction.descending:
            words ^= _ALL
    elif pt.is_decimal(array.type):
        turned = _ALL if part.direction.descending else np.uint64(0)
        high, low = ((w ^ turned) for w in part.words)
        high, low = (high ^ _SIGN).view(np.int64), low.view(np.int64)
        closest = np.where(high == (low >> 63), low, np.where(high < 0, _LEAST, _MOST))
        words = closest.view(np.uint64) ^ _SIGN ^ turned
    else:
        words = part.words[0].copy()
    if part.valid.size:
        words[~part.valid] = np.uint64(0) if part.direction.nulls_first else _ALL
    return words


@kernel("void(const u8[], const i64[], const i64[], u8[], const i64[])")
def _gather(data: U8, offsets: I64, rows: I64, out: U8, out_offsets: I64) -> None:
    for i in range(len(rows)):
        start = offsets[rows[i]]
        for j in range(out_offsets[i + 1] - out_offsets[i]):
            out[out_offsets[i] + j] = data[start + j]


@kernel("void(const u8[], const i64[], u64[])")
def _first_bytes(values: U8, offsets: I64, words: U64) -> None:
    for i in range(len(words)):
        word = np.uint64(0)
        for j in range(8):
            place = offsets[i] + j
            byte = np.uint64(values[place]) if place < offsets[i + 1] else np.uint64(0)
            word = (word << np.uint64(8)) | byte
        words[i] = word
