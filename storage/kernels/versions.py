"""The log of versions under a state store, and the hash table that finds a key's newest.

    record  previous i64 | key length u32 | value length u32 | key | value        (little-endian, not aligned)

A record is never changed. ``previous`` is where the same key's version before lies, 0 when there is none; a value
length of all ones says that the key was removed. So whoever knows where the log ended at a moment can read every key as
it was then: from the newest version back to the first below that end.

A key has an *entry*, numbered from 0 in order of first insertion; ``latest`` holds where its newest version lies. The
table has two words a place, ``[hash, entry + 1]``, zeros when empty; where hashes agree, the key's bytes decide. Its
search ends at an empty place, so callers keep it at most 60 % full. ``state`` counts: entries, the end of the log, keys
that have a value, and the bytes of those keys and values.
"""

from __future__ import annotations

import numpy as np

from constellationdb.jit import inlined, kernel
from constellationdb.storage.kernels.hashing import hash_bytes
from constellationdb.storage.kernels.memory import (
    I64,
    U8,
    U64,
    Bool,
    copy_bytes,
    load32,
    load64,
    prefetch,
    same_bytes,
    store64,
)

HEAD = 16
ENTRIES, END, COUNT, SIZE = 0, 1, 2, 3
GONE = 2**32 - 1
_CHUNK = 32
_CACHED_PLACES = 1 << 14


@inlined
def key_length(log: U8, at: int) -> int:
    return np.int64(load32(log, at + 8))  # type: ignore[return-value]


@inlined
def value_length(log: U8, at: int) -> int:
    """The length of the value, 0 of a key that was removed."""
    length = np.int64(load32(log, at + 12))
    return 0 if length == GONE else length  # type: ignore[return-value]


@inlined
def is_gone(log: U8, at: int) -> bool:
    """Whether there is no version here, or one that says that the key was removed."""
    return at == 0 or np.int64(load32(log, at + 12)) == GONE


@inlined
def _version(log: U8, at: int, end: int) -> int:
    """The newest version below ``end`` of those from ``at`` back."""
    while at >= end:
        at = np.int64(load64(log, at))  # type: ignore[assignment]
    return at


@inlined
def search(table: I64, latest: I64, log: U8, keys: U8, start: int, size: int, key_hash: np.int64) -> int:
    """The key's entry; or -1 - the place where it belongs."""
    mask = len(table) // 2 - 1
    place = key_hash & mask
    while True:
        entry = table[2 * place + 1] - 1
        if entry < 0:
            return int(-1 - place)
        if table[2 * place] == key_hash:
            at = latest[entry]
            if key_length(log, at) == size and same_bytes(log, at + HEAD, keys, start, size):
                return int(entry)
        place = (place + 1) & mask


@inlined
def _warm(table: I64, latest: I64, log: U8, hashes: U64, first: int, last: int) -> None:
    """Fetch what a chunk of keys will most likely touch, one level of pointers a pass."""
    mask = len(table) // 2 - 1
    for i in range(first, last):
        prefetch(table, 2 * (np.int64(hashes[i]) & mask))
    for i in range(first, last):
        place = 2 * (np.int64(hashes[i]) & mask)
        if table[place + 1] != 0 and table[place] == np.int64(hashes[i]):
            prefetch(latest, table[place + 1] - 1)
    for i in range(first, last):
        place = 2 * (np.int64(hashes[i]) & mask)
        if table[place + 1] != 0 and table[place] == np.int64(hashes[i]):
            prefetch(log, latest[table[place + 1] - 1])


@inlined
def count_version(state: I64, log: U8, previous: int, at: int) -> None:
    """What the version at ``at`` changes in the number of keys and their bytes."""
    if not is_gone(log, previous):
        state[COUNT] -= 1
        state[SIZE] -= key_length(log, previous) + value_length(log, previous)
    if not is_gone(log, at):
        state[COUNT] += 1
        state[SIZE] += key_length(log, at) + value_length(log, at)


@kernel("void(i64[], i64[], u8[], i64[], const u8[], const i64[], const u64[], const u8[], const i64[], const bool[])")
def write(
    table: I64, latest: I64, log: U8, state: I64,
    keys: U8, key_offsets: I64, hashes: U64, values: U8, value_offsets: I64, valid: Bool,
) -> None:  # fmt: skip
    """A version for every row, in order; where ``valid`` says no, the key is removed. There is room for all."""
    count = len(hashes)
    warmed = count if len(table) // 2 < _CACHED_PLACES else 0
    for i in range(count):
        if i >= warmed:
            warmed = min(i + _CHUNK, count)
            _warm(table, latest, log, hashes, i, warmed)
        start, size, removed = key_offsets[i], key_offsets[i + 1] - key_offsets[i], len(valid) > 0 and not valid[i]
        entry = search(table, latest, log, keys, start, size, np.int64(hashes[i]))
        previous = latest[entry] if entry >= 0 else 0
        if removed and is_gone(log, previous):
            continue
        if entry < 0:
            place, entry = -1 - entry, state[ENTRIES]
            table[2 * place], table[2 * place + 1] = np.int64(hashes[i]), entry + 1
            state[ENTRIES] += 1
        at, length = state[END], 0 if removed else value_offsets[i + 1] - value_offsets[i]
        store64(log, at, np.uint64(previous))
        store64(log, at + 8, np.uint64(size | ((GONE if removed else length) << 32)))
        copy_bytes(keys, start, log, at + HEAD, size)
        copy_bytes(values, value_offsets[i], log, at + HEAD + size, length)
        latest[entry] = at
        state[END] = at + HEAD + size + length
        count_version(state, log, previous, at)


@kernel("void(const i64[], const i64[], const u8[], const u8[], const i64[], const u64[], i64, i64[])")
def find(
    table: I64, latest: I64, log: U8, keys: U8, key_offsets: I64, hashes: U64, end: int, out: I64
) -> None:  # fmt: skip
    """Where each key's version below ``end`` lies; 0 when it has none, or was removed."""
    count = len(hashes)
    warmed = count if len(table) // 2 < _CACHED_PLACES else 0
    for i in range(count):
        if i >= warmed:
            warmed = min(i + _CHUNK, count)
            _warm(table, latest, log, hashes, i, warmed)
        start, size = key_offsets[i], key_offsets[i + 1] - key_offsets[i]
        entry = search(table, latest, log, keys, start, size, np.int64(hashes[i]))
        at = _version(log, latest[entry], end) if entry >= 0 else 0
        out[i] = 0 if is_gone(log, at) else at


@kernel("i64(const i64[], const u8[], const i64[], i64, i64[])")
def visible(latest: I64, log: U8, entries: I64, end: int, out: I64) -> int:
    """The versions below ``end`` of these entries, without those that have none; how many they are."""
    found = 0
    for i in range(len(entries)):
        if i + _CHUNK < len(entries):
            prefetch(latest, entries[i + _CHUNK])
        at = _version(log, latest[entries[i]], end)
        if not is_gone(log, at):
            out[found] = at
            found += 1
    return found


@kernel("i64(const i64[], const i64[], const u8[], i64, i64, i64[])")
def changed(table: I64, latest: I64, log: U8, first: int, end: int, out: I64) -> int:
    """The versions from ``first`` to ``end`` that are the newest of their keys there; how many they are."""
    found, at = 0, first
    while at < end:
        size = key_length(log, at)
        key_hash = np.int64(hash_bytes(log, at + HEAD, size))
        entry = search(table, latest, log, log, at + HEAD, size, key_hash)
        if _version(log, latest[entry], end) == at:
            out[found] = at
            found += 1
        at += HEAD + size + value_length(log, at)
    return found


@kernel("void(const i64[], i64[])")
def rehash(table: I64, larger: I64) -> None:
    """Enter everything in ``table`` into ``larger``, which is empty."""
    mask = len(larger) // 2 - 1
    for old in range(len(table) // 2):
        if table[2 * old + 1] != 0:
            place = table[2 * old] & mask
            while larger[2 * place + 1] != 0:
                place = (place + 1) & mask
            larger[2 * place], larger[2 * place + 1] = table[2 * old], table[2 * old + 1]
