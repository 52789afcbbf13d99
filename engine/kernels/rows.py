"""Rows: a column of keys as canonical bytes, with their hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from constellationdb.jit import kernel
from constellationdb.storage.kernels.hashing import hash_rows, hash_two_words, hash_word
from constellationdb.storage.kernels.memory import copy_bytes, store64

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]
U8 = NDArray[np.uint8]
Bool = NDArray[np.bool_]

VNODES = 256
VARIABLE = -1
WORD_WIDTH, PAIR_WIDTH = 9, 17  # flags, and the words


@dataclass(frozen=True, slots=True)
class Rows:
    """Row ``i`` is ``data[offsets[i]:offsets[i + 1]]``; equal rows are equal bytes.

    ``null_mask`` marks rows with a NULL in some column. Such a row never
    matches anything, itself included, when ``nulls_match`` is False (a join);
    it is a key like any other when it is True (grouping). ``width`` is the
    length that every row of these columns has, or VARIABLE.
    """

    data: U8
    offsets: I64
    hashes: U64
    null_mask: Bool
    width: int = VARIABLE
    nulls_match: bool = True

    def __len__(self) -> int:
        return len(self.hashes)

    def key(self, row: int) -> bytes:
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes()

    def take(self, indices: I64) -> Rows:
        """These rows in this order; an index may occur any number of times."""
        data, offsets = gather(self.data, self.offsets, indices)
        return Rows(data, offsets, self.hashes[indices], self.null_mask[indices], self.width, self.nulls_match)


class _UnpackedRows(Rows):
    """Rows of words without a NULL: they are all there is until somebody asks for the hashes, or the bytes."""

    __slots__ = ("_data", "_hashes")
    _data: U8 | None
    _hashes: U64 | None

    def __init__(self, width: int, nulls_match: bool) -> None:
        for name, value in (("_data", None), ("_hashes", None), ("width", width), ("nulls_match", nulls_match)):
            object.__setattr__(self, name, value)

    @property
    def data(self) -> U8:
        if self._data is None:
            object.__setattr__(self, "_data", self._packed())
        assert self._data is not None
        return self._data

    @property
    def hashes(self) -> U64:
        if self._hashes is None:
            object.__setattr__(self, "_hashes", self._hashed())
        assert self._hashes is not None
        return self._hashes

    @property
    def offsets(self) -> I64:
        return np.arange(0, self.width * len(self) + 1, self.width, dtype=np.int64)

    @property
    def null_mask(self) -> Bool:
        return np.zeros(len(self), np.bool_)

    def _packed(self) -> U8:
        raise NotImplementedError

    def _hashed(self) -> U64:
        raise NotImplementedError


class WordRows(_UnpackedRows):
    """One column of words."""

    __slots__ = ("words",)
    words: I64

    def __init__(self, words: I64, nulls_match: bool = True) -> None:
        super().__init__(WORD_WIDTH, nulls_match)
        object.__setattr__(self, "words", words)

    def __len__(self) -> int:
        return len(self.words)

    def take(self, indices: I64) -> Rows:
        return WordRows(self.words[indices], self.nulls_match)

    def _packed(self) -> U8:
        data = np.empty(WORD_WIDTH * len(self), np.uint8)
        _pack_words(self.words, data)
        return data

    def _hashed(self) -> U64:
        hashes = np.empty(len(self), np.uint64)
        _hash_words(self.words, hashes)
        return hashes


class PairRows(_UnpackedRows):
    """Two columns of words."""

    __slots__ = ("first", "second")
    first: I64
    second: I64

    def __init__(self, first: I64, second: I64, nulls_match: bool = True) -> None:
        super().__init__(PAIR_WIDTH, nulls_match)
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "second", second)

    def __len__(self) -> int:
        return len(self.first)

    def take(self, indices: I64) -> Rows:
        return PairRows(self.first[indices], self.second[indices], self.nulls_match)

    def _packed(self) -> U8:
        data = np.empty(PAIR_WIDTH * len(self), np.uint8)
        _pack_pairs(self.first, self.second, data)
        return data

    def _hashed(self) -> U64:
        hashes = np.empty(len(self), np.uint64)
        _hash_pairs(self.first, self.second, hashes)
        return hashes


def rows_of(data: U8, offsets: I64, width: int = VARIABLE, nulls_match: bool = True) -> Rows:
    """Rows around bytes that ``encode_rows`` made earlier, hashed anew."""
    hashes = np.empty(len(offsets) - 1, np.uint64)
    hash_rows(data, offsets, hashes)
    return Rows(data, offsets, hashes, _null_mask(data, offsets), width, nulls_match)


def concat_rows(parts: Sequence[Rows]) -> Rows:
    """All rows of ``parts``, which encode the same columns, one after the other."""
    if len(parts) == 1:
        return parts[0]
    starts = np.cumsum([0, *(len(part.data) for part in parts)])
    offsets = [part.offsets[:-1] + start for part, start in zip(parts, starts, strict=False)]
    return Rows(
        np.concatenate([part.data for part in parts]),
        np.concatenate([*offsets, starts[-1:]]).astype(np.int64, copy=False),
        np.concatenate([part.hashes for part in parts]),
        np.concatenate([part.null_mask for part in parts]),
        parts[0].width if all(part.width == parts[0].width for part in parts) else VARIABLE,
        parts[0].nulls_match,
    )


def vnodes(hashes: U64) -> U8:
    """The vnode of each key: the top 8 bits, which no hash table here uses for its buckets."""
    return (hashes >> np.uint64(56)).astype(np.uint8)


def gather(data: U8, offsets: I64, indices: I64) -> tuple[U8, I64]:
    """The bytes of some rows, packed: new data and offsets."""
    out_offsets = np.zeros(len(indices) + 1, np.int64)
    np.cumsum(offsets[indices + 1] - offsets[indices], out=out_offsets[1:])
    out = np.empty(out_offsets[-1], np.uint8)
    _gather(data, offsets, indices, out, out_offsets)
    return out, out_offsets


def _null_mask(data: U8, offsets: I64) -> Bool:
    """Bit 0 of a row's first byte says whether it holds a NULL; a row of no columns has no bytes."""
    mask = np.zeros(len(offsets) - 1, np.bool_)
    filled = offsets[1:] > offsets[:-1]
    mask[filled] = (data[offsets[:-1][filled]] & 1).astype(np.bool_)
    return mask


@kernel("void(const i64[], u8[])")
def _pack_words(words: I64, data: U8) -> None:
    for i in range(len(words)):
        data[9 * i] = np.uint8(0)
        store64(data, 9 * i + 1, np.uint64(words[i]))


@kernel("void(const i64[], u64[])")
def _hash_words(words: I64, hashes: U64) -> None:
    for i in range(len(words)):
        hashes[i] = hash_word(np.uint64(words[i]))


@kernel("void(const i64[], const i64[], u8[])")
def _pack_pairs(first: I64, second: I64, data: U8) -> None:
    for i in range(len(first)):
        data[17 * i] = np.uint8(0)
        store64(data, 17 * i + 1, np.uint64(first[i]))
        store64(data, 17 * i + 9, np.uint64(second[i]))


@kernel("void(const i64[], const i64[], u64[])")
def _hash_pairs(first: I64, second: I64, hashes: U64) -> None:
    for i in range(len(first)):
        hashes[i] = hash_two_words(np.uint64(first[i]), np.uint64(second[i]))


@kernel("void(const u8[], const i64[], const i64[], u8[], const i64[])")
def _gather(data: U8, offsets: I64, indices: I64, out: U8, out_offsets: I64) -> None:
    for i in range(len(indices)):
        start = offsets[indices[i]]
        copy_bytes(data, start, out, out_offsets[i], offsets[indices[i] + 1] - start)
