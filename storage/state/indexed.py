"""IndexedStore: a state store whose secondary indexes follow its changes.

    index = SecondaryIndex(MemoryStateStore(), lambda keys, values: [city_of(values)])
    people = IndexedStore(MemoryStateStore(), {"city": index})
    people.put_many(keys, values)
    people.find("city", [pa.array(["Oslo"])])                         the keys of those in Oslo
    people.find_range("city", [pa.array(["A"])], [pa.array(["C"])])   of those from A up to, but not C, in that order

An index is derived: ``restore`` makes it anew, and snapshots are of the store alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa

from constellationdb.storage.state.secondary_index import SecondaryIndex
from constellationdb.storage.state.store import BYTES, Item, StateSnapshot, StateStore, keys_of, plain, texts_of

_Change = Callable[[SecondaryIndex, pa.Array, pa.Array], None]


class IndexedStore:
    """``store`` and the entries of the indexes belong to it. All of them begin empty, or with the same content."""

    def __init__(self, store: StateStore, indexes: Mapping[str, SecondaryIndex]) -> None:
        self._store, self._indexes = store, dict(indexes)

    def find(self, index: str, columns: Sequence[pa.Array]) -> pa.Array:
        """As `SecondaryIndex.find`."""
        return self._indexes[index].find(columns)

    def find_range(self, index: str, start: Sequence[pa.Array] | None, end: Sequence[pa.Array] | None) -> pa.Array:
        """As `SecondaryIndex.find_range`."""
        return self._indexes[index].find_range(start, end)

    def __len__(self) -> int:
        return len(self._store)

    @property
    def size_bytes(self) -> int:
        return self._store.size_bytes

    def get(self, key: bytes) -> bytes | None:
        return self._store.get(key)

    def get_many(self, keys: pa.Array) -> pa.Array:
        return self._store.get_many(keys)

    def prefix_scan(self, prefix: bytes) -> Iterator[Item]:
        return self._store.prefix_scan(prefix)

    def range_scan(self, start: bytes, end: bytes | None) -> Iterator[Item]:
        return self._store.range_scan(start, end)

    def scan(self, start: bytes = b"", end: bytes | None = None) -> Iterator[pa.RecordBatch]:
        return self._store.scan(start, end)

    def put(self, key: bytes, value: bytes) -> None:
        self.put_many(pa.array([key], BYTES), pa.array([value], BYTES))

    def delete(self, key: bytes) -> None:
        self.delete_many(pa.array([key], BYTES))

    def delete_many(self, keys: pa.Array) -> None:
        self.put_many(keys, pa.nulls(len(keys), BYTES))

    def put_many(self, keys: pa.Array, values: pa.Array) -> None:
        keys, values = _last_of_each(keys, values)
        old = self._store.get_many(keys)
        self._store.put_many(keys, values)
        self._each(SecondaryIndex.remove, keys, old)
        self._each(SecondaryIndex.add, keys, values)

    def _each(self, change: _Change, keys: pa.Array, values: pa.Array) -> None:
        if values.null_count:
            there = values.is_valid()
            keys, values = keys.filter(there), values.filter(there)
        if len(keys):
            for index in self._indexes.values():
                change(index, keys, values)

    def clear(self) -> None:
        self.restore(())

    def restore(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._store.restore(batches)
        for index in self._indexes.values():
            index.entries.clear()
        for batch in self._store.scan():
            self._each(SecondaryIndex.add, batch.column(0), batch.column(1))

    def snapshot(self) -> StateSnapshot:
        return self._store.snapshot()

    def committed(self, snapshot: StateSnapshot) -> None:
        self._store.committed(snapshot)

    def flush(self) -> None:
        for store in self._all():
            store.flush()

    def close(self) -> None:
        for store in self._all():
            store.close()

    def _all(self) -> list[StateStore]:
        return [self._store, *(index.entries for index in self._indexes.values())]


def _last_of_each(keys: pa.Array, values: pa.Array) -> tuple[pa.Array, pa.Array]:
    """The rows without those whose key comes again, all as plain bytes."""
    if len(keys) != len(values):
        raise ValueError(f"{len(keys)} keys for {len(values)} values")
    keys_of(keys), texts_of(values)
    keys, values = plain(keys), plain(values)
    encoded = keys.dictionary_encode()
    if len(encoded.dictionary) == len(keys):
        return keys, values
    last = np.zeros(len(encoded.dictionary), np.int64)
    np.maximum.at(last, encoded.indices.to_numpy(), np.arange(len(keys)))
    rows = pa.array(np.sort(last))
    return keys.take(rows), values.take(rows)
