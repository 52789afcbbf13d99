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
_GONE = 2**32 - 1
_CHUNK = 32
_CACHED_PLACES = 1 << 14


@inlined
def key_length(log: U8, at: int) -> int:
    return np.int64(load32(log, at + 8))  # type: ignore[return-value]


@inlined
def value_length(log: U8, at: int) -> int:
    """The length of the value, 0 of a key that was removed."""
    length = np.int64(load32(log, at + 12))
    return 0 if length == _GONE else length  # type: ignore[return-value]


@inlined
def is_gone(log: U8, at: int) -> bool:
    """Whether there is no version here, or one that says that the key was removed."""
    return at == 0 or np.int64(load32(log, at + 12)) == _GONE


@inlined
def _version(log: U8, at: int, end: int) -> int:
    """The newest version below ``end`` of those from ``at`` back."""
    while at >= end:
        at = np.int64(load64(log, at))  # type: ignore[assignment]
    return at


@inlined
def _search(table: I64, latest: I64, log: U8, keys: U8, start: int, size: int, key_hash: np.int64) -> int:
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
def _count(state: I64, log: U8, previous: int, at: int) -> None:
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
        entry = _search(table, latest, log, keys, start, size, np.int64(hashes[i]))
        previous = latest[entry] if entry >= 0 else 0
        if removed and is_gone(log, previous):
            continue
        if entry < 0:
            place, entry = -1 - entry, state[ENTRIES]
            table[2 * place], table[2 * place + 1] = np.int64(hashes[i]), entry + 1
            state[ENTRIES] += 1
        at, length = state[END], 0 if removed else value_offsets[i + 1] - value_offsets[i]
        store64(log, at, np.uint64(previous))
        store64(log, at + 8, np.uint64(size | ((_GONE if removed else length) << 32)))
        copy_bytes(keys, start, log, at + HEAD, size)
        copy_bytes(values, value_offsets[i], log, at + HEAD + size, length)
        latest[entry] = at
        state[END] = at + HEAD + size + length
        _count(state, log, previous, at)


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
        entry = _search(table, latest, log, keys, start, size, np.int64(hashes[i]))
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
        entry = _search(table, latest, log, log, at + HEAD, size, key_hash)
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


@kernel("i64(const u8[], i64, i64)")
def count_records(log: U8, first: int, end: int) -> int:
    """How many records lie between ``first`` and ``end``; -1 when they do not end there."""
    count, at = 0, first
    while at + HEAD <= end:
        at += HEAD + key_length(log, at) + value_length(log, at)
        count += 1
    return count if at == end else -1


@kernel("void(i64[], i64[], const u8[], i64[], i64)")
def index(table: I64, latest: I64, log: U8, state: I64, end: int) -> None:
    """Enter the records from the state's end to ``end``, as if they had been written one after the other."""
    while state[END] < end:
        at = state[END]
        size = key_length(log, at)
        key_hash = np.int64(hash_bytes(log, at + HEAD, size))
        entry = _search(table, latest, log, log, at + HEAD, size, key_hash)
        previous = latest[entry] if entry >= 0 else 0
        if entry < 0:
            place, entry = -1 - entry, state[ENTRIES]
            table[2 * place], table[2 * place + 1] = key_hash, entry + 1
            state[ENTRIES] += 1
        latest[entry] = at
        state[END] = at + HEAD + size + value_length(log, at)
        _count(state, log, previous, at)


@kernel("i64(const i64[], const i64[], const u8[], i64, i64, i64, i64[], i64[], u8[], i64[], i64[])")
def compact(
    table: I64, latest: I64, log: U8, first: int, end: int, base: int,
    new_table: I64, new_latest: I64, new_log: U8, new_state: I64, remap: I64,
) -> int:  # fmt: skip
    """Each key's newest version into a new log, in the old order; its removal only when that came at ``base`` or later.

    ``remap`` gets each old entry's new one, and stays as it is for those that are left out. The answer is where
    ``base`` lies in the new log.
    """
    at, moved = first, 0
    mask = len(new_table) // 2 - 1
    while at < end:
        if at >= base and moved == 0:
            moved = new_state[END]
        size, length = key_length(log, at), value_length(log, at)
        key_hash = np.int64(hash_bytes(log, at + HEAD, size))
        entry = _search(table, latest, log, log, at + HEAD, size, key_hash)
        if latest[entry] == at and (at >= base or not is_gone(log, at)):
            to, new = new_state[END], new_state[ENTRIES]
            copy_bytes(log, at, new_log, to, HEAD + size + length)
            store64(new_log, to, np.uint64(0))
            place = key_hash & mask
            while new_table[2 * place + 1] != 0:
                place = (place + 1) & mask
            new_table[2 * place], new_table[2 * place + 1] = key_hash, new + 1
            new_latest[new] = to
            remap[entry] = new
            new_state[ENTRIES] = new + 1
            new_state[END] = to + HEAD + size + length
            _count(new_state, new_log, 0, to)
        at += HEAD + size + length
    return moved if moved else int(new_state[END])


@kernel("void(const u8[], const i64[], bool, i64[])")
def offsets_of(log: U8, at: I64, values: bool, out: I64) -> None:
    """Where the keys, or the values, of these versions begin and end when they lie one after the other."""
    out[0] = 0
    for i in range(len(at)):
        if values:
            out[i + 1] = out[i] + (0 if at[i] == 0 else value_length(log, at[i]))
        else:
            out[i + 1] = out[i] + key_length(log, at[i])


@kernel("void(const u8[], const i64[], bool, const i64[], u8[])")
def copy_out(log: U8, at: I64, values: bool, offsets: I64, out: U8) -> None:
    """The keys, or the values, of these versions, one after the other."""
    for i in range(len(at)):
        if i + _CHUNK < len(at):
            prefetch(log, at[i + _CHUNK])
        if at[i] != 0:
            start = at[i] + HEAD + (key_length(log, at[i]) if values else 0)
            copy_bytes(log, start, out, offsets[i], offsets[i + 1] - offsets[i])


@kernel("void(const u8[], const i64[], bool[])")
def have_values(log: U8, at: I64, out: Bool) -> None:
    """Which of these versions have a value."""
    for i in range(len(at)):
        out[i] = not is_gone(log, at[i])
