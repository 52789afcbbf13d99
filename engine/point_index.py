"""Finding rows of a relation by the values of some columns, from any thread.

An arrangement's own index belongs to its writer. This one belongs to the
readers: it is built from the published version when somebody first asks, and
the next one to ask adds the entries that have come since. So a relation that
nobody reads by key pays nothing, and the writer never waits.
"""

from __future__ import annotations

import threading
import weakref
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine.arrangement import Arrangement, Version
from constellationdb.engine.chunks import Chunks, newest
from constellationdb.engine.kernels import chains
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import Rows, WordRows
from constellationdb.engine.rowstore import empty

# Up to so many rows are cut out one by one; taking from a table of many chunks costs more to begin with.
_FEW = 8
# More rows of one key are read like a whole relation: columns at a time.
MOST_LOCATED = 256


class Place(NamedTuple):
    """Row ``row`` of ``batch``."""

    batch: pa.RecordBatch
    row: int


class PointIndex:
    """Entries of an arrangement by ``columns``."""

    def __init__(self, columns: tuple[int, ...], contents: Arrangement) -> None:
        self.columns = columns
        self._contents = contents
        self._lock = threading.Lock()
        self._version: Callable[[], Version | None] = lambda: None  # that is indexed, without keeping it
        self._ends: list[int] = []  # of the chunks of that version
        self._reset(-1)

    def _reset(self, floor: int) -> None:
        self._keys = KeyIndex()
        self._head = np.full(16, -1, np.int64)  # key slot → its newest entry
        self._following = np.full(16, -1, np.int64)  # entry → the next older one of its key
        self._entries = 0
        self._floor = floor  # of the version: entries are numbered anew when it rises

    def find(self, keys: pa.RecordBatch, epoch: int) -> tuple[NDArray[np.int64], pa.RecordBatch] | None:
        """(which of ``keys``, the row) for every row live at ``epoch``, each as often as it occurs.

        ``keys`` has the indexed columns in order; None when ``epoch`` is before what is kept.
        """
        with self._lock:
            version = self._contents.version  # never older than what is indexed already
            if epoch < version.floor:
                return None
            self._catch_up(version)
            slots = self._keys.probe(encode_rows(keys, range(len(self.columns))))
            probe, entries = chains.gather(self._head, self._following, slots, version.born, version.died, epoch)
        weight = version.weight[entries]
        if bool((weight != 1).any()):
            probe, entries = np.repeat(probe, weight), np.repeat(entries, weight)
        return probe, take(version, entries)

    def locate(self, key: int | Rows, epoch: int) -> tuple[Place, ...] | None:
        """Where the row of one key is that is live at ``epoch``, of columns in which no two rows agree.

        Nowhere: an empty tuple; None when ``epoch`` is before what is kept. An integer is a key of one integer column.
        """
        with self._lock:
            version = self._contents.version
            if epoch < version.floor:
                return None
            self._catch_up(version)
            slot = self._keys.probe_word(key) if isinstance(key, int) else self._keys.probe(key).item()
            entry = chains.newest(self._head, self._following, slot, version.born, version.died, epoch)
            ends = self._ends
        if entry < 0:
            return ()
        chunk = bisect_right(ends, entry)
        return (Place(version.chunks[chunk], entry - (ends[chunk - 1] if chunk else 0)),)

    def locate_all(self, key: int | Rows, epoch: int) -> tuple[Place, ...] | None:
        """Where all rows of one key are at ``epoch``, each as often as it occurs; None also when they are very many."""
        rows = WordRows(np.array([key], np.int64)) if isinstance(key, int) else key
        with self._lock:
            version = self._contents.version
            if epoch < version.floor:
                return None
            self._catch_up(version)
            slots = self._keys.probe(rows)
            _, entries = chains.gather(self._head, self._following, slots, version.born, version.died, epoch)
            ends = self._ends
        weights = version.weight[entries]
        if int(weights.sum()) > MOST_LOCATED:
            return None
        found: list[Place] = []
        for entry, weight in zip(entries.tolist(), weights.tolist(), strict=True):
            chunk = bisect_right(ends, entry)
            found += [Place(version.chunks[chunk], entry - (ends[chunk - 1] if chunk else 0))] * weight
        return tuple(found)

    def catch_up(self) -> None:
        """Take in what has come, so that the next to ask need not."""
        with self._lock:
            self._catch_up(self._contents.version)

    def _catch_up(self, version: Version) -> None:
        if version is self._version():
            return
        self._version, self._ends = weakref.ref(version), _ends(version.chunks)
        if version.floor != self._floor:
            self._reset(version.floor)
        start, end = self._entries, version.rows
        if start == end:
            return
        self._following = grow(self._following, end, -1)
        for batch in newest(version.chunks, end - start):
            slots, _ = self._keys.upsert(encode_rows(batch, self.columns))
            self._head = grow(self._head, len(self._keys), -1)
            chains.append(self._head, self._following, slots, self._entries)
            self._entries += batch.num_rows


def take(version: Version, entries: NDArray[np.int64]) -> pa.RecordBatch:
    """The rows with these numbers, in this order."""
    if len(entries) == 0:
        return empty(version.schema)
    if len(entries) <= _FEW:
        return _cut(version.chunks, [int(e) for e in entries])
    chunks = Chunks(version.schema)
    chunks.follow(version.chunks)
    return chunks.take(entries)


def _ends(chunks: tuple[pa.RecordBatch, ...]) -> list[int]:
    """The entry behind each chunk."""
    return list(accumulate(chunk.num_rows for chunk in chunks))


def _cut(chunks: tuple[pa.RecordBatch, ...], entries: list[int]) -> pa.RecordBatch:
    ends = _ends(chunks)
    rows = []
    for entry in entries:
        place = bisect_right(ends, entry)
        rows.append(chunks[place].slice(entry - (ends[place - 1] if place else 0), 1))
    return rows[0] if len(rows) == 1 else pa.concat_batches(rows)
