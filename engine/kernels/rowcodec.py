"""Canonical bytes of rows: two rows encode alike exactly when Postgres would group them.

A row is ``[flags][fixed-width columns][variable-width columns]``:

- flags: bit 0 of the first byte says that some column is NULL, bit 1 + c that
  column c is; a NULL's payload is zeros (fixed width) or absent. No columns,
  no flags: the key of a global aggregate is the empty string.
- integers, booleans, dates, times and timestamps: 8 bytes, as int64. So all
  integer widths meet; timestamps of different units do not.
- floats: the 8 bytes of the double, with one NaN and one zero.
- decimals: the scale (1 byte) and the 128-bit number, trailing zeros stripped,
  so that 1.50 and 1.5 meet whatever their columns' scales.
- intervals and durations: days (a month is 30), then nanoseconds below a day.
- strings, binary, lists and structs: 4 bytes of length, then the bytes; those
  of a nested value are its own encoded rows.

Every column delimits itself, so no two different rows can run together into
the same bytes. The form is part of stored state: change it only together with
the state's version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from constellationdb.engine.kernels.rows import (
    I64,
    U8,
    U64,
    VARIABLE,
    Bool,
    PairRows,
    Rows,
    WordRows,
    concat_rows,
    rows_of,
    vnodes,
)  # fmt: skip
from constellationdb.jit import inlined, kernel
from constellationdb.storage.kernels.arrowkeys import (
    Column,
    Decimals,
    Texts,
    Words,
    checked_runs,
    column_of,
    unwrapped,
    valid_of,
)  # fmt: skip
from constellationdb.storage.kernels.hashing import hash_rows
from constellationdb.storage.kernels.memory import copy_bytes, store64

__all__ = ["Rows", "concat_rows", "encode_rows", "hash_columns", "rows_of", "vnodes"]

_LENGTH_BYTES = 4
_M32 = np.uint64(0xFFFFFFFF)
_SHIFT_32 = np.uint64(32)
_TEN = np.uint64(10)
_ZERO = np.uint64(0)
_ONE = np.uint64(1)


def encode_rows(batch: pa.RecordBatch, columns: Sequence[int], *, nulls_equal: bool = True) -> Rows:
    """The keys that ``columns`` of ``batch`` form; ``nulls_equal=False`` for keys of a join."""
    return _encode([_column(batch.column(c)) for c in columns], batch.num_rows, nulls_equal)


def hash_columns(batch: pa.RecordBatch, columns: Sequence[int]) -> U64:
    """The hash of each row's key."""
    return encode_rows(batch, columns).hashes


@dataclass(frozen=True, slots=True)
class _Slot:
    """Where one column's payload lies: its first byte in the row, and its flag bit."""

    column: Column
    at: int
    bit: int


def _encode(columns: list[Column], count: int, nulls_match: bool) -> Rows:
    words = [c.words[0] for c in columns if isinstance(c, Words) and len(c.words) == 1 and not c.valid.size]
    if len(words) == len(columns) == 1:
        return WordRows(words[0], nulls_match)
    if len(words) == len(columns) == 2:
        return PairRows(words[0], words[1], nulls_match)
    slots, fixed = _layout(columns)
    texts = [(bit, column) for bit, column in enumerate(columns, 1) if isinstance(column, Texts)]
    offsets = _offsets(fixed, [column for _, column in texts], count)
    data = np.zeros(offsets[-1], np.uint8)
    for slot in slots:
        _write_fixed(data, offsets, slot)
    cursor = offsets[:-1] + fixed if texts else offsets
    for bit, column in texts:
        _put_bytes(data, offsets, cursor, column.values, column.offsets, column.valid, bit)
    hashes = np.empty(count, np.uint64)
    hash_rows(data, offsets, hashes)
    return Rows(data, offsets, hashes, _any_null(columns, count), VARIABLE if texts else fixed, nulls_match)


def _even_offsets(width: int, count: int) -> I64:
    return np.arange(0, width * count + 1, width, dtype=np.int64) if width else np.zeros(count + 1, np.int64)


def _column(array: pa.Array) -> Column:
    array = unwrapped(array)
    kind = array.type
    if pa.types.is_struct(kind):
        return _structs(array)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_map(kind):
        return _lists(array)
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return _lists(array.cast(pa.large_list(kind.value_type)))
    return column_of(array)


def _structs(array: pa.Array) -> Texts:
    """The encoded row of the fields, as one run of bytes."""
    fields = _encode([_column(field) for field in pa.StructArray.flatten(array)], len(array), True)
    return Texts(fields.data, checked_runs(fields.offsets), valid_of(array))


def _lists(array: pa.Array) -> Texts:
    """The encoded items one after the other: each delimits itself, so no count is needed."""
    items = _encode([_column(array.values)], len(array.values), True)
    bounds = array.offsets.to_numpy(zero_copy_only=False)
    return Texts(items.data, checked_runs(items.offsets[bounds]), valid_of(array))


def _layout(columns: list[Column]) -> tuple[list[_Slot], int]:
    """The fixed-width columns' places, and how many bytes they and the flags take."""
    at = (len(columns) + 8) // 8 if columns else 0
    slots = []
    for bit, column in enumerate(columns, 1):
        if not isinstance(column, Texts):
            slots.append(_Slot(column, at, bit))
            at += column.width
    return slots, at


def _offsets(fixed: int, texts: list[Texts], count: int) -> I64:
    if not texts:
        return _even_offsets(fixed, count)
    lengths = np.full(count, fixed + _LENGTH_BYTES * len(texts), np.int64)
    for column in texts:
        sizes = np.diff(column.offsets)
        lengths += sizes if column.valid.size == 0 else np.where(column.valid, sizes, 0)
    offsets = np.zeros(count + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def _write_fixed(data: U8, offsets: I64, slot: _Slot) -> None:
    column = slot.column
    if isinstance(column, Decimals):
        _put_decimals(data, offsets, slot.at, column.raw, column.scale, column.valid, slot.bit)
    elif isinstance(column, Words):
        for place, words in enumerate(column.words):
            _put_words(data, offsets, slot.at + 8 * place, words, column.valid, slot.bit)


def _any_null(columns: list[Column], count: int) -> Bool:
    mask = np.zeros(count, np.bool_)
    for column in columns:
        if column.valid.size:
            mask |= ~column.valid
    return mask


@inlined
def _flag(data: U8, start: int, bit: int) -> None:
    data[start] |= np.uint8(1)
    data[start + (bit >> 3)] |= np.uint8(1 << (bit & 7))


@kernel("void(u8[], const i64[], i64, const i64[], const bool[], i64)")
def _put_words(data: U8, offsets: I64, at: int, words: I64, valid: Bool, bit: int) -> None:
    for i in range(len(words)):
        if len(valid) and not valid[i]:
            _flag(data, offsets[i], bit)
        else:
            store64(data, offsets[i] + at, np.uint64(words[i]))


@kernel("void(u8[], const i64[], i64[], const u8[], const i64[], const bool[], i64)")
def _put_bytes(data: U8, offsets: I64, cursor: I64, values: U8, starts: I64, valid: Bool, bit: int) -> None:
    for i in range(len(cursor)):
        to, length = cursor[i], starts[i + 1] - starts[i]
        if len(valid) and not valid[i]:
            _flag(data, offsets[i], bit)
            length = 0
        for place in range(4):
            data[to + place] = np.uint8((length >> (8 * place)) & 255)
        copy_bytes(values, starts[i], data, to + 4, length)
        cursor[i] = to + 4 + length


@inlined
def _tenth(high: np.uint64, low: np.uint64) -> tuple[np.uint64, np.uint64, np.uint64]:
    """A 128-bit number divided by ten: (high, low, remainder), 32 bits at a time."""
    rest = high % _TEN
    upper = (rest << _SHIFT_32) | (low >> _SHIFT_32)
    lower = ((upper % _TEN) << _SHIFT_32) | (low & _M32)
    return high // _TEN, ((upper // _TEN) << _SHIFT_32) | (lower // _TEN), lower % _TEN


@kernel("void(u8[], const i64[], i64, const i64[], i64, const bool[], i64)")
def _put_decimals(data: U8, offsets: I64, at: int, raw: I64, scale: int, valid: Bool, bit: int) -> None:
    for i in range(len(raw) // 2):
        if len(valid) and not valid[i]:
            _flag(data, offsets[i], bit)
            continue
        low, high, digits = np.uint64(raw[2 * i]), np.uint64(raw[2 * i + 1]), scale
        negative = raw[2 * i + 1] < 0
        if negative:
            low, high = ~low + _ONE, ~high + (_ONE if low == _ZERO else _ZERO)
        if (low | high) == _ZERO:
            digits = 0
        while high != _ZERO:
            upper, lower, rest = _tenth(high, low)
            if rest != _ZERO:
                break
            high, low, digits = upper, lower, digits - 1
        while high == _ZERO and low != _ZERO and low % _TEN == _ZERO:
            low, digits = low // _TEN, digits - 1
        if negative:
            low, high = ~low + _ONE, ~high + (_ONE if low == _ZERO else _ZERO)
        data[offsets[i] + at] = np.uint8(digits & 255)
        store64(data, offsets[i] + at + 1, low)
        store64(data, offsets[i] + at + 9, high)
