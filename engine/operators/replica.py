"""The copy of a lookup table inside a join: its rows by key, one row a key."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.engine import batch as zset
from constellationdb.engine.kernels import dense
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.rowstore import empty
from constellationdb.errors import InternalError
from constellationdb.storage.kernels.arrowkeys import Words, column_of

I64: TypeAlias = NDArray[np.int64]

_ABSENT = np.int64(-1)


class Replica:
    """``apply`` takes changes, ``find`` gives the entry of each key, ``take`` their rows.

    Rows that arrive are put together when they are first asked for, so that a
    row is one read away. A row whose key holds a NULL is never found.
    """

    def __init__(self, schema: pa.Schema, keys: tuple[int, ...], width: int) -> None:
        self._schema = schema
        self._keys = keys
        self._width = width
        self._batches: list[pa.RecordBatch] = []
        self._rows = 0
        self._live = 0
        self._index = KeyIndex()
        self._entry: I64 = np.full(64, _ABSENT)  # key slot → its row, or -1
        self._dense: tuple[int, NDArray[np.int32]] | None = None
        self._stale = False  # the rows changed since ``_dense`` was made
        self._one_integer = len(keys) == 1 and pa.types.is_integer(schema.field(keys[0]).type)

    @property
    def unused(self) -> int:
        """Rows that are gone, whose place is kept."""
        return self._rows - self._live

    def apply(self, delta: pa.RecordBatch) -> None:
        """A change of the table: keys that go, then rows that come."""
        weights = zset.weights(delta)
        rows = zset.data(delta)
        if weights is not None and bool((weights < 0).any()):
            self._remove(zset.take(rows, np.flatnonzero(weights < 0)))
            rows = zset.take(rows, np.flatnonzero(weights > 0))
        if rows.num_rows:
            self._add(rows)
        if self._rows > 2 * self._live + 1024:
            self._compact()
        self._stale = True

    def _remove(self, rows: pa.RecordBatch) -> None:
        slots = self._index.probe(encode_rows(rows, self._keys, nulls_equal=False))
        slots = slots[slots >= 0]
        self._entry[slots] = _ABSENT
        self._live -= len(slots)

    def _add(self, rows: pa.RecordBatch) -> None:
        slots, _ = self._index.upsert(encode_rows(rows, self._keys, nulls_equal=False))
        self._entry = grow(self._entry, len(self._index), _ABSENT)
        keyed = np.flatnonzero(slots >= 0)
        if bool((self._entry[slots[keyed]] >= 0).any()):
            raise InternalError("a copied lookup table has a key twice")
        self._entry[slots[keyed]] = self._rows + keyed
        self._live += len(keyed)
        self._batches.append(zset.named_like(rows, self._schema))
        self._rows += rows.num_rows

    def _compact(self) -> None:
        """Leave out the rows that are gone."""
        entries = self._entry[: len(self._index)]
        kept = np.sort(entries[entries >= 0])
        rows = self._whole().take(pa.array(kept)) if len(kept) else empty(self._schema)
        self._batches, self._rows, self._live, self._index = [], 0, 0, KeyIndex()
        self._entry = np.full(64, _ABSENT)
        if rows.num_rows:
            self._add(rows)

    def _whole(self) -> pa.RecordBatch:
        if len(self._batches) > 1:
            self._batches = [pa.concat_batches(self._batches)]
        return self._batches[0] if self._batches else empty(self._schema)

    def find(self, rows: pa.RecordBatch, keys: tuple[int, ...]) -> I64:
        """The entry of each row's key, or -1."""
        if self._stale:
            self._refresh()
        if self._dense is not None and pa.types.is_integer(rows.column(keys[0]).type):
            return self._find_dense(rows.column(keys[0]), *self._dense)
        slots = self._index.probe(encode_rows(rows, keys, nulls_equal=False))
        return np.where(slots >= 0, self._entry[slots], _ABSENT)

    def _find_dense(self, column: pa.Array, low: int, by_key: NDArray[np.int32]) -> I64:
        (words,), valid = _integers(column)
        out = np.empty(len(words), np.int64)
        dense.find(words, low, by_key, out)
        if len(valid):
            out[~valid] = _ABSENT
        return out

    def _refresh(self) -> None:
        self._stale = False
        self._dense = None
        if self._one_integer:
            entries = self._entry[: len(self._index)]
            entries = entries[entries >= 0]
            (words,), _ = _integers(self._whole().column(self._keys[0]))
            self._dense = dense.place(words[entries], entries)

    def take(self, entries: pa.Array) -> pa.RecordBatch:
        """The columns to add of some rows; NULLs for a NULL entry."""
        if self._width == 0:
            return zset.rows_of_nothing(len(entries))
        rows = self._whole()
        columns = [rows.column(i).take(entries) for i in range(self._width)]
        return pa.RecordBatch.from_arrays(columns, schema=pa.schema(list(self._schema)[: self._width]))


def _integers(column: pa.Array) -> tuple[tuple[I64, ...], NDArray[np.bool_]]:
    """The values as one array of words, and which are there (empty: all)."""
    found = column_of(column)
    assert isinstance(found, Words)
    return found.words, found.valid
