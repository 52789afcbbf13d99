"""Secondary indexes: finding items by something that their keys and values say, one value or a range of them.

    index = SecondaryIndex(MemoryStateStore(), lambda keys, values: [city_of(values)])
    people = IndexedStore(MemoryStateStore(), {"city": index})
    people.put_many(keys, values)
    people.find("city", [pa.array(["Oslo"])])          the keys of those in Oslo
    people.find_range("city", ["A"], ["C"])            of those from A up to, but not C, in order of city

An index is a store of its own. Its keys are the indexed columns' bytes in the order of SQL, then the item's key; its
values are the item's key. Columns may fall, and may have NULLs, which are values like others here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.storage.kernels.orderedkeys import RISING, Direction, encode
from constellationdb.storage.state.store import BYTES, StateStore, keys_of, prefix_end

Extract = Callable[[pa.Array, pa.Array], Sequence[pa.Array]]  # the indexed columns of items, of their keys and values
_Change = Callable[["SecondaryIndex", pa.Array, pa.Array], None]


class SecondaryIndex:
    """The keys of items by some columns. ``entries`` is an empty store that belongs to it."""

    def __init__(
        self, entries: StateStore, extract: Extract, directions: Sequence[Direction] | None = None
    ) -> None:  # fmt: skip
        self.entries = entries
        self._extract, self._directions = extract, directions

    def add(self, keys: pa.Array, values: pa.Array) -> None:
        self.entries.put_many(self._entry_keys(keys, values), keys.cast(BYTES))

    def remove(self, keys: pa.Array, values: pa.Array) -> None:
        self.entries.delete_many(self._entry_keys(keys, values))

    def _entry_keys(self, keys: pa.Array, values: pa.Array) -> pa.Array:
        indexed = self._encoded(self._extract(keys, values))
        return pc.binary_join_element_wise(indexed, keys.cast(BYTES), pa.scalar(b"", BYTES))

    def _encoded(self, columns: Sequence[pa.Array]) -> pa.Array:
        return encode(columns, (self._directions or [RISING] * len(columns))[: len(columns)])

    def find(self, columns: Sequence[pa.Array]) -> pa.Array:
        """The keys of the items whose leading columns are one of the rows, row by row, each row's in order."""
        found = [self._scan(prefix, prefix_end(prefix)) for prefix in self._encoded(columns).to_pylist()]
        return _joined(found)

    def find_range(self, start: Sequence[pa.Array] | None, end: Sequence[pa.Array] | None) -> pa.Array:
        """The keys of the items from the columns ``start`` up to, but not ``end``, in the order of the index.

        Each bound is one row of the leading columns; without one there is no bound.
        """
        low = self._encoded(start)[0].as_py() if start else b""
        high = self._encoded(end)[0].as_py() if end else None
        return _joined([self._scan(low, high)])

    def _scan(self, start: bytes, end: bytes | None) -> pa.ChunkedArray:
        return pa.chunked_array([batch.column(1) for batch in self.entries.scan(start, end)], BYTES)


def _joined(found: list[pa.ChunkedArray]) -> pa.Array:
    chunks = [chunk for part in found for chunk in part.chunks]
    return pa.concat_arrays(chunks) if chunks else pa.array([], BYTES)


class IndexedStore:
    """A store whose changes its indexes follow. Both begin empty, or with the same content."""

    def __init__(self, store: StateStore, indexes: Mapping[str, SecondaryIndex]) -> None:
        self.store, self.indexes = store, dict(indexes)

    def put_many(self, keys: pa.Array, values: pa.Array) -> None:
        """As the store's; of equal keys in one batch the last one counts."""
        keys, values = _last_of_each(keys, values)
        old = self.store.get_many(keys)
        self._each(SecondaryIndex.remove, keys, old)
        self.store.put_many(keys, values)
        self._each(SecondaryIndex.add, keys, values)

    def delete_many(self, keys: pa.Array) -> None:
        self.put_many(keys, pa.nulls(len(keys), BYTES))

    def _each(self, change: _Change, keys: pa.Array, values: pa.Array) -> None:
        if values.null_count:
            there = values.is_valid()
            keys, values = keys.filter(there), values.filter(there)
        if len(keys):
            for index in self.indexes.values():
                change(index, keys, values)

    def restore(self, batches: Iterable[pa.RecordBatch]) -> None:
        """The store's content, and the indexes made anew from it."""
        self.store.restore(batches)
        for index in self.indexes.values():
            index.entries.clear()
        for batch in self.store.scan():
            self._each(SecondaryIndex.add, batch.column(0), batch.column(1))

    def find(self, name: str, columns: Sequence[pa.Array]) -> pa.Array:
        return self.indexes[name].find(columns)

    def find_range(
        self, name: str, start: Sequence[pa.Array] | None, end: Sequence[pa.Array] | None
    ) -> pa.Array:  # fmt: skip
        return self.indexes[name].find_range(start, end)


def _last_of_each(keys: pa.Array, values: pa.Array) -> tuple[pa.Array, pa.Array]:
    keys_of(keys)
    encoded = keys.dictionary_encode()
    if len(encoded.dictionary) == len(keys):
        return keys, values
    last = np.zeros(len(encoded.dictionary), np.int64)
    last[encoded.indices.to_numpy()] = np.arange(len(keys))
    rows = pa.array(np.sort(last))
    return keys.take(rows), values.take(rows)
