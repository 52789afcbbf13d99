"""The hash table under a KeyIndex: linear probing over pairs of words.

An entry is some int64, all zeros when empty, in one of three forms:

- keys of exactly 9 bytes (one fixed-width column): ``[bytes 1 to 8,
  (slot + 1) << 8 | byte 0]``, so the whole key is in the table and a lookup
  touches one cache line;
- keys of exactly two words without a NULL: ``[first, second, slot + 1, 0]``,
  likewise;
- other keys: ``[hash, slot + 1]``; where the hashes agree, the bytes in the
  arena decide.

A search ends at an empty entry, so a table must never fill up: the kernels
stop at ``limit`` keys and return the row they stopped at.
"""

from __future__ import annotations

import numpy as np

from constellationdb.engine.kernels.rows import I64, U8, U64, Bool
from constellationdb.jit import inlined, kernel
from constellationdb.storage.kernels.hashing import hash_word
from constellationdb.storage.kernels.memory import copy_bytes, load64, prefetch, same_bytes, store64

# How many rows ahead memory is asked for, and from which table size on that pays.
_AHEAD = 16
_CHUNK = 32
_CACHED_ENTRIES = 1 << 15

_TABLE, _ROWS, _ARENA = (
    "i64[], i64, i64",
    "const u8[], const i64[], const u64[], const bool[], i64",
    "u8[], i64[], u64[]",
)
_FIND = f"i64({_TABLE}, {_ROWS}, {_ARENA}, i64[], i64[])"


@inlined
def _append(
    keys: U8, key_offsets: I64, slot_hashes: U64, state: I64, data: U8, start: int, size: int, key_hash: int
) -> int:
    """Add a key to the arena; ``state`` counts its keys and bytes."""
    slot, at = state[0], state[1]
    copy_bytes(data, start, keys, at, size)
    key_offsets[slot + 1] = at + size
    slot_hashes[slot] = key_hash
    state[0] = slot + 1
    state[1] = at + size
    return int(slot)


@kernel(
    "i64(i64[], i64, i64, const u8[], const i64[], const u64[], const bool[], i64, u8[], i64[], u64[], i64[], i64[])"
)
def find_words(
    table: I64, mask: int, limit: int, data: U8, offsets: I64, hashes: U64, skip: Bool, first: int,
    keys: U8, key_offsets: I64, slot_hashes: U64, state: I64, out: I64,
) -> int:  # fmt: skip
    """Slots of 9-byte keys from row ``first`` on; new keys are added unless ``limit`` is negative."""
    count = len(hashes)
    for i in range(first, count):
        if i + _AHEAD < count:
            prefetch(table, 2 * (np.int64(hashes[i + _AHEAD]) & mask))
        if len(skip) and skip[i]:
            out[i] = -1
            continue
        start = offsets[i]
        word, flag = np.int64(load64(data, start + 1)), np.int64(data[start])
        place = np.int64(hashes[i]) & mask
        while True:
            mark = table[2 * place + 1]
            if mark == 0:
                if limit < 0:
                    out[i] = -1
                    break
                if state[0] >= limit or state[1] + 9 > len(keys):
                    return i
                slot = _append(keys, key_offsets, slot_hashes, state, data, start, 9, hashes[i])
                table[2 * place] = word
                table[2 * place + 1] = ((slot + 1) << 8) | flag
                out[i] = slot
                break
            if table[2 * place] == word and (mark & 255) == flag:
                out[i] = (mark >> 8) - 1
                break
            place = (place + 1) & mask
    return count


@inlined
def _warm(table: I64, mask: int, hashes: U64, first: int, last: int, keys: U8, key_offsets: I64) -> None:
    """Fetch what a chunk of rows will most likely touch, one level of pointers a pass."""
    for i in range(first, last):
        prefetch(table, 2 * (np.int64(hashes[i]) & mask))
    for i in range(first, last):
        place = 2 * (np.int64(hashes[i]) & mask)
        if table[place + 1] != 0 and table[place] == np.int64(hashes[i]):
            prefetch(key_offsets, table[place + 1] - 1)
    for i in range(first, last):
        place = 2 * (np.int64(hashes[i]) & mask)
        if table[place + 1] != 0 and table[place] == np.int64(hashes[i]):
            prefetch(keys, key_offsets[table[place + 1] - 1])


@kernel(
    "i64(i64[], i64, i64, const u8[], const i64[], const u64[], const bool[], i64, u8[], i64[], u64[], i64[], i64[])"
)
def find_bytes(
    table: I64, mask: int, limit: int, data: U8, offsets: I64, hashes: U64, skip: Bool, first: int,
    keys: U8, key_offsets: I64, slot_hashes: U64, state: I64, out: I64,
) -> int:  # fmt: skip
    """As ``find_words``, for keys of any length."""
    count = len(hashes)
    warmed = count if mask < _CACHED_ENTRIES else first
    for i in range(first, count):
        if i >= warmed:
            warmed = min(i + _CHUNK, count)
            _warm(table, mask, hashes, i, warmed, keys, key_offsets)
        if len(skip) and skip[i]:
            out[i] = -1
            continue
        start, size, key_hash = offsets[i], offsets[i + 1] - offsets[i], np.int64(hashes[i])
        place = key_hash & mask
        while True:
            slot = table[2 * place + 1] - 1
            if slot < 0:
                if limit < 0:
                    out[i] = -1
                    break
                if state[0] >= limit or state[1] + size > len(keys):
                    return i
                slot = _append(keys, key_offsets, slot_hashes, state, data, start, size, hashes[i])
                table[2 * place] = key_hash
                table[2 * place + 1] = slot + 1
                out[i] = slot
                break
            if table[2 * place] == key_hash:
                at = key_offsets[slot]
                if key_offsets[slot + 1] - at == size and same_bytes(keys, at, data, start, size):
                    out[i] = slot
                    break
            place = (place + 1) & mask
    return count


@kernel("i64(i64[], i64, i64, const i64[], i64, u8[], i64[], u64[], i64[], i64[])")
def find_plain_words(
    table: I64, mask: int, limit: int, words: I64, first: int,
    keys: U8, key_offsets: I64, slot_hashes: U64, state: I64, out: I64,
) -> int:  # fmt: skip
    """As ``find_words``, for words without a NULL. One that stands where it stood the row before needs no search."""
    count, large = len(words), mask >= _CACHED_ENTRIES
    for i in range(first, count):
        if large and i + _AHEAD < count:
            prefetch(table, 2 * (np.int64(hash_word(np.uint64(words[i + _AHEAD]))) & mask))
        word = words[i]
        if i > first and word == words[i - 1]:
            out[i] = out[i - 1]
            continue
        key_hash = hash_word(np.uint64(word))
        place = np.int64(key_hash) & mask
        while True:
            mark = table[2 * place + 1]
            if mark == 0:
                if limit < 0:
                    out[i] = -1
                    break
                slot, at = state[0], state[1]
                if slot >= limit or at + 9 > len(keys):
                    return i
                keys[at] = np.uint8(0)
                store64(keys, at + 1, np.uint64(word))
                key_offsets[slot + 1] = at + 9
                slot_hashes[slot] = key_hash
                state[0] = slot + 1
                state[1] = at + 9
                table[2 * place] = word
                table[2 * place + 1] = (slot + 1) << 8
                out[i] = slot
                break
            if table[2 * place] == word and (mark & 255) == 0:
                out[i] = (mark >> 8) - 1
                break
            place = (place + 1) & mask
    return count


@kernel("i64(i64[], i64, i64, const i64[], const i64[], const u64[], i64, u8[], i64[], u64[], i64[], i64[])")
def find_pairs(
    table: I64, mask: int, limit: int, lefts: I64, rights: I64, hashes: U64, first: int,
    keys: U8, key_offsets: I64, slot_hashes: U64, state: I64, out: I64,
) -> int:  # fmt: skip
    """As ``find_words``, for keys of two words."""
    count = len(hashes)
    for i in range(first, count):
        if i + _AHEAD < count:
            prefetch(table, 4 * (np.int64(hashes[i + _AHEAD]) & mask))
        left, right = lefts[i], rights[i]
        place = np.int64(hashes[i]) & mask
        while True:
            slot = table[4 * place + 2] - 1
            if slot < 0:
                if limit < 0:
                    out[i] = -1
                    break
                slot, at = state[0], state[1]
                if slot >= limit or at + 17 > len(keys):
                    return i
                keys[at] = np.uint8(0)
                store64(keys, at + 1, np.uint64(left))
                store64(keys, at + 9, np.uint64(right))
                key_offsets[slot + 1] = at + 17
                slot_hashes[slot] = hashes[i]
                state[0] = slot + 1
                state[1] = at + 17
                table[4 * place] = left
                table[4 * place + 1] = right
                table[4 * place + 2] = slot + 1
                out[i] = slot
                break
            if table[4 * place] == left and table[4 * place + 1] == right:
                out[i] = slot
                break
            place = (place + 1) & mask
    return count


@kernel("void(i64[], i64, const u8[], const u64[], i64, i64)")
def fill_pairs(table: I64, mask: int, keys: U8, slot_hashes: U64, first: int, last: int) -> None:
    """Enter slots that the table does not hold yet, as keys of two words."""
    for slot in range(first, last):
        if slot + _AHEAD < last:
            prefetch(table, 4 * (np.int64(slot_hashes[slot + _AHEAD]) & mask))
        place = np.int64(slot_hashes[slot]) & mask
        while table[4 * place + 2] != 0:
            place = (place + 1) & mask
        table[4 * place] = np.int64(load64(keys, 17 * slot + 1))
        table[4 * place + 1] = np.int64(load64(keys, 17 * slot + 9))
        table[4 * place + 2] = slot + 1


@kernel("void(i64[], i64, const u8[], const u64[], i64, i64, bool)")
def fill(table: I64, mask: int, keys: U8, slot_hashes: U64, first: int, last: int, words: bool) -> None:
    """Enter slots that the table does not hold yet, as 9-byte keys when ``words``."""
    for slot in range(first, last):
        if slot + _AHEAD < last:
            prefetch(table, 2 * (np.int64(slot_hashes[slot + _AHEAD]) & mask))
        key_hash = np.int64(slot_hashes[slot])
        place = key_hash & mask
        while table[2 * place + 1] != 0:
            place = (place + 1) & mask
        if words:
            table[2 * place] = np.int64(load64(keys, 9 * slot + 1))
            table[2 * place + 1] = ((slot + 1) << 8) | np.int64(keys[9 * slot])
        else:
            table[2 * place] = key_hash
            table[2 * place + 1] = slot + 1
