"""VersionLog: every version of every key in one growing run of bytes, with what finds them by key and by order.

    arena    …| a=1 | b=7 | a=2 | c=4 | a removed |            a key's versions point back to the ones before
    entries  a, b, c                                            one a key, and where its newest version lies
    runs     [a b] [c]                                          entries in order of key

Nothing is overwritten, so a moment is a number: where the log ended then. A snapshot costs nothing to take; what
differs between two moments is what lies between them. The price is garbage, which ``compacted`` leaves out.

Sorting is put off until somebody scans: then the new entries become a run, and runs are merged while the last is at
least half as long as the one before (Bentley and Saxe's logarithmic method), so there are few.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.errors import LimitExceeded
from constellationdb.storage.kernels import keyorder, versionrows, wholelogs
from constellationdb.storage.kernels import versions as kernels
from constellationdb.storage.kernels.arrowkeys import Texts
from constellationdb.storage.kernels.hashing import hash_rows
from constellationdb.storage.kernels.memory import I64, U64
from constellationdb.storage.state.arena import START, Arena
from constellationdb.storage.state.store import BATCH_ROWS, BYTES, ITEMS

_HEAD = struct.Struct("<qII")
_FIRST_PLACES = 64
_FIRST_ROWS = 256  # of a scan: its reader may only want the first few


class VersionLog:
    """Changed by one thread; read by any, as of any moment up to now."""

    def __init__(self, arena: Arena) -> None:
        self._arena = arena
        self._state: I64 = np.array([0, START, 0, 0], np.int64)
        self._table: I64 = np.zeros(2 * _FIRST_PLACES, np.int64)
        self._latest: I64 = np.zeros(_FIRST_PLACES, np.int64)
        self._runs: list[I64] = []
        self._sorted = 0  # invariant: the runs hold exactly the entries below it
        self._lock = threading.Lock()
        self.base: int | None = None  # the moment that ``changes`` counts from

    def __len__(self) -> int:
        return int(self._state[kernels.COUNT])

    @property
    def size_bytes(self) -> int:
        return int(self._state[kernels.SIZE])

    @property
    def end(self) -> int:
        """The present moment."""
        return int(self._state[kernels.END])

    @property
    def live_bytes(self) -> int:
        """What a log of the same content takes at least."""
        return self.size_bytes + kernels.HEAD * len(self)

    @property
    def garbage_bytes(self) -> int:
        """What compacting would free."""
        return self.end - START - self.live_bytes

    def write(self, keys: Texts, values: Texts) -> None:
        for first in range(0, len(keys.offsets) - 1, BATCH_ROWS):
            with self._lock:
                self._write(_rows(keys, first), _rows(values, first))

    def _write(self, keys: Texts, values: Texts) -> None:
        rows = len(keys.offsets) - 1
        self._arena.reserve(self.end + kernels.HEAD * rows + _size(keys) + _size(values))
        self._reserve(rows)
        kernels.write(
            self._table, self._latest, self._arena.data, self._state,
            keys.values, keys.offsets, _hashes(keys), values.values, values.offsets, values.valid,
        )  # fmt: skip

    def _reserve(self, entries: int) -> None:
        """Room for so many more keys."""
        entries += int(self._state[kernels.ENTRIES])
        if entries > len(self._latest):
            larger = np.zeros(max(entries, 2 * len(self._latest)), np.int64)
            larger[: len(self._latest)] = self._latest
            self._latest = larger
        places = len(self._table) // 2
        if entries * 5 > places * 3:
            while entries * 5 > places * 2:
                places *= 2
            table = np.zeros(2 * places, np.int64)
            kernels.rehash(self._table, table)
            self._table = table

    def find(self, keys: Texts, end: int) -> I64:
        """Where the keys' versions of the moment ``end`` lie; 0 for those without a value."""
        out = np.empty(len(keys.offsets) - 1, np.int64)
        with self._lock:
            log = self._arena.data
            kernels.find(self._table, self._latest, log, keys.values, keys.offsets, _hashes(keys), end, out)
        return out

    def value(self, at: int) -> bytes | None:
        """The value of one version that has one; None for none."""
        if at == 0:
            return None
        data = self._arena.data
        _, key, value = _HEAD.unpack_from(data.data, at)
        first: int = at + _HEAD.size + key
        return data[first : first + value].tobytes()

    def values(self, at: I64) -> pa.Array:
        """The values of versions, NULL for none and of removed keys."""
        valid = np.empty(len(at), np.bool_)
        versionrows.have_values(self._arena.data, at, valid)
        return self._column(at, True, None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little")))

    def batch(self, at: I64) -> pa.RecordBatch:
        """Keys and values of versions."""
        return pa.RecordBatch.from_arrays([self._column(at, False, None), self.values(at)], schema=ITEMS)

    def _column(self, at: I64, values: bool, valid: pa.Buffer | None) -> pa.Array:
        log, offsets = self._arena.data, np.empty(len(at) + 1, np.int64)
        versionrows.offsets_of(log, at, values, offsets)
        data = np.empty(offsets[-1], np.uint8)
        versionrows.copy_out(log, at, values, offsets, data)
        return pa.Array.from_buffers(BYTES, len(at), [valid, pa.py_buffer(offsets), pa.py_buffer(data)])

    def scan(self, start: bytes, until: bytes | None, end: int) -> Iterator[pa.RecordBatch]:
        """The items of the moment ``end`` with start <= key < until, in order of key."""
        with self._lock:
            self._sort()
            slices = [self._within(run, start, until) for run in self._runs]
        slices = [part for part in slices if len(part)]
        entries = np.concatenate(slices) if len(slices) > 1 else slices[0] if slices else np.empty(0, np.int64)
        ends = np.cumsum([len(part) for part in slices], dtype=np.int64)
        cursors = np.concatenate([[np.int64(0)], ends[:-1]]).astype(np.int64) if slices else ends.copy()
        rows = _FIRST_ROWS
        while True:
            at, merged = self._next(entries, cursors, ends, end, rows)
            if len(at):
                yield self.batch(at)
            if merged < rows:
                return
            rows = min(4 * rows, BATCH_ROWS)

    def _next(self, entries: I64, cursors: I64, ends: I64, end: int, rows: int) -> tuple[I64, int]:
        merged, at = np.empty(rows, np.int64), np.empty(rows, np.int64)
        with self._lock:
            log = self._arena.data
            count = keyorder.merge(entries, cursors, ends, self._latest, log, merged)
            return at[: kernels.visible(self._latest, log, merged[:count], end, at)], count

    def _within(self, run: I64, start: bytes, until: bytes | None) -> I64:
        low = self._lower_bound(run, start) if start else 0
        return run[low : len(run) if until is None else max(low, self._lower_bound(run, until))]

    def _lower_bound(self, run: I64, key: bytes) -> int:
        return keyorder.lower_bound(run, self._latest, self._arena.data, np.frombuffer(key, np.uint8))

    def _sort(self) -> None:
        entries = int(self._state[kernels.ENTRIES])
        if self._sorted == entries:
            return
        keys = self._column(self._latest[self._sorted : entries], False, None)
        run = pc.array_sort_indices(keys).to_numpy().astype(np.int64) + self._sorted
        self._sorted = entries
        while self._runs and 2 * len(run) >= len(self._runs[-1]):
            run = self._merged(self._runs.pop(), run)
        self._runs.append(run)

    def _merged(self, left: I64, right: I64) -> I64:
        out = np.empty(len(left) + len(right), np.int64)
        cursors, ends = np.array([0, len(left)]), np.array([len(left), len(out)])
        keyorder.merge(np.concatenate([left, right]), cursors, ends, self._latest, self._arena.data, out)
        return out

    def changes(self, end: int) -> Iterator[pa.RecordBatch] | None:
        """What differs between the moments ``base`` and ``end``, each key once; None without a base."""
        return None if self.base is None else self._changed(min(self.base, end), end)

    def _changed(self, first: int, end: int) -> Iterator[pa.RecordBatch]:
        at = np.empty((end - first) // kernels.HEAD, np.int64)
        with self._lock:
            at = at[: kernels.changed(self._table, self._latest, self._arena.data, first, end, at)]
        for row in range(0, len(at), BATCH_ROWS):
            yield self.batch(at[row : row + BATCH_ROWS])

    def compacted(self, arena: Arena) -> VersionLog:
        """A log of the same content without garbage. What changed since ``base`` still shows, no other moment does."""
        since = 0 if self.base is None else self.end - self.base
        arena.reserve(START + self.live_bytes + since)
        log, entries = VersionLog(arena), int(self._state[kernels.ENTRIES])
        log._reserve(entries)
        remap = np.full(entries, -1, np.int64)
        base = wholelogs.compact(
            self._table, self._latest, self._arena.data, START, self.end, self.end if self.base is None else self.base,
            log._table, log._latest, arena.data, log._state, remap,
        )  # fmt: skip
        log.base = None if self.base is None else base
        if self._sorted == entries:
            runs = (remap[run] for run in self._runs)
            log._runs, log._sorted = [run[run >= 0] for run in runs], int(log._state[kernels.ENTRIES])
        return log

    def index(self, end: int) -> bool:
        """Takes up what the arena holds from ``START`` to ``end``; False when those are not whole records."""
        records = wholelogs.count_records(self._arena.data, START, end)
        if records < 0:
            return False
        self._reserve(records)
        wholelogs.index(self._table, self._latest, self._arena.data, self._state, end)
        return True


def _size(texts: Texts) -> int:
    """How many bytes they are; each may have so many that four bytes can count them, and one value less."""
    size = int(texts.offsets[-1] - texts.offsets[0])
    if size >= kernels.GONE and int(np.diff(texts.offsets).max()) >= kernels.GONE:
        raise LimitExceeded("a key or a value of a state store has 4 GB or more")
    return size


def _rows(texts: Texts, first: int) -> Texts:
    last = first + BATCH_ROWS
    return Texts(texts.values, texts.offsets[first : last + 1], texts.valid[first:last])


def _hashes(keys: Texts) -> U64:
    out = np.empty(len(keys.offsets) - 1, np.uint64)
    hash_rows(keys.values, keys.offsets, out)
    return out
