"""SecondaryIndex: the keys of items by what else they say, one value or a range of them.

An index is a store of its own. Its keys are the indexed columns' bytes in the order of SQL, then the item's key; its
values are the item's key. Columns may fall, and may have NULLs, which are values like others here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.storage.kernels.orderedkeys import RISING, Direction, encode
from constellationdb.storage.state.store import BYTES, StateStore, plain, prefix_end

Extract = Callable[[pa.Array, pa.Array], Sequence[pa.Array]]  # the indexed columns of items, of their keys and values


class SecondaryIndex:
    """The keys of items by some columns. ``entries`` is an empty store that belongs to it."""

    def __init__(
        self, entries: StateStore, extract: Extract, directions: Sequence[Direction] | None = None
    ) -> None:  # fmt: skip
        self.entries = entries
        self._extract, self._directions = extract, directions

    def add(self, keys: pa.Array, values: pa.Array) -> None:
        self.entries.put_many(self._entry_keys(keys, values), plain(keys))

    def remove(self, keys: pa.Array, values: pa.Array) -> None:
        self.entries.delete_many(self._entry_keys(keys, values))

    def _entry_keys(self, keys: pa.Array, values: pa.Array) -> pa.Array:
        indexed = self._encoded(self._extract(keys, values))
        return pc.binary_join_element_wise(indexed, plain(keys), pa.scalar(b"", BYTES))

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
