"""Logs of versions as a whole: making their index anew, and leaving their garbage out."""

from __future__ import annotations

import numpy as np

from constellationdb.jit import kernel
from constellationdb.storage.kernels.hashing import hash_bytes
from constellationdb.storage.kernels.memory import I64, U8, copy_bytes, store64
from constellationdb.storage.kernels.versions import (
    END,
    ENTRIES,
    HEAD,
    count_version,
    is_gone,
    key_length,
    search,
    value_length,
)  # fmt: skip


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
        entry = search(table, latest, log, log, at + HEAD, size, key_hash)
        previous = latest[entry] if entry >= 0 else 0
        if entry < 0:
            place, entry = -1 - entry, state[ENTRIES]
            table[2 * place], table[2 * place + 1] = key_hash, entry + 1
            state[ENTRIES] += 1
        latest[entry] = at
        state[END] = at + HEAD + size + value_length(log, at)
        count_version(state, log, previous, at)


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
        entry = search(table, latest, log, log, at + HEAD, size, key_hash)
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
            count_version(new_state, new_log, 0, to)
        at += HEAD + size + length
    return moved if moved else int(new_state[END])
