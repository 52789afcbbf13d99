"""A relation's contents by key: one index per (relation, key columns), shared by every job that asks.

The rows stay where they are, in the relation's contents; the index only adds
key → entry numbers. It follows the contents' published versions: entries are
only ever appended, so it reads those it has not seen; when a compaction has
numbered the entries anew it is built again. Any thread may ask: one at a time, and
the entries it was given are good until it asks again, whatever others ask meanwhile.
"""

from __future__ import annotations

import threading

import numpy as np
import pyarrow as pa

from constellationdb.engine.arrangement import Arrangement, Version
from constellationdb.engine.chunks import Chunks, newest
from constellationdb.engine.kernels import chains
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import I64, Rows
from constellationdb.engine.rowstore import empty


class _Asked(threading.local):
    """The version that a thread's last entries are of, and its rows by the columns that were taken of them."""

    version: Version | None = None
    taken: dict[tuple[int, ...], Chunks]


class SharedIndex:
    """``lookup(keys, epoch)``: the entries of these keys as of any epoch the contents still know."""

    def __init__(self, contents: Arrangement, keys: tuple[int, ...]) -> None:
        self._contents = contents
        self._keys = keys
        self._seen: Version | None = None
        self._lock = threading.Lock()
        self._asked = _Asked()
        self._forget()

    def _forget(self) -> None:
        self._index = KeyIndex()
        self._head = np.full(16, -1, np.int64)
        self._following = np.full(16, -1, np.int64)
        self._rows = 0

    def lookup(self, keys: Rows, epoch: int) -> tuple[I64, I64]:
        """(which of ``keys``, entry) of every entry live at ``epoch``; entries are good until its next lookup."""
        with self._lock:
            version = self._follow()
            slots = self._index.probe(keys)
            found = chains.gather(self._head, self._following, slots, version.born, version.died, epoch)
        if self._asked.version is None or self._asked.version.generation != version.generation:
            self._asked.taken = {}  # lest they keep rows that are gone
        self._asked.version = version
        return found

    def take(self, entries: I64, columns: tuple[int, ...], schema: pa.Schema) -> pa.RecordBatch:
        """The rows of these entries, as ``columns`` of the relation under the names of ``schema``."""
        if len(entries) == 0:
            return empty(schema)
        version = self._asked.version
        assert version is not None
        if not columns:
            return pa.RecordBatch.from_arrays([], schema=schema)
        chunks = self._asked.taken.get(columns)
        if chunks is None:
            chunks = self._asked.taken[columns] = Chunks(schema, columns)
        chunks.follow(version.chunks)
        return pa.RecordBatch.from_arrays(chunks.take(entries).columns, schema=schema)

    def weight_of(self, entries: I64) -> I64:
        assert self._asked.version is not None
        return self._asked.version.weight[entries]

    def let_go(self) -> None:
        """This thread will not ask again for a while: do not keep a version for it."""
        self._asked.version, self._asked.taken = None, {}

    def _follow(self) -> Version:
        version = self._contents.version
        if version is self._seen:
            return version
        if self._seen is not None and version.generation != self._seen.generation:
            self._forget()
        self._seen = version
        for rows in newest(version.chunks, version.rows - self._rows):
            slots, _ = self._index.upsert(encode_rows(rows, self._keys))
            self._head = grow(self._head, len(self._index), -1)
            self._following = grow(self._following, self._rows + rows.num_rows, -1)
            chains.append(self._head, self._following, slots, self._rows)
            self._rows += rows.num_rows
        return version
