"""A lookup table held in memory: what the inline connector and a CSV file become."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from constellationdb.connectors.api import LookupPredicate
from constellationdb.connectors.key_index import fit_keys, index_keys
from constellationdb.connectors.predicates import evaluate, show
from constellationdb.connectors.pushdown import ALL_PREDICATES


class MemoryLookup:
    """Immutable, so any thread may ask it. The index is over the primary key."""

    capabilities = ALL_PREDICATES

    def __init__(self, table: pa.Table, primary_key: Sequence[str], origin: str) -> None:
        self.schema = table.schema
        self._table = table.combine_chunks()
        self._key = tuple(primary_key)
        self._origin = origin
        self._indexes = {self._key: index_keys([self._table.column(name) for name in self._key])}

    def fetch(self, keys: pa.RecordBatch, columns: Sequence[str], predicates: Sequence[LookupPredicate]) -> pa.Table:
        names = tuple(keys.schema.names)
        index = self._indexes.get(names)
        if index is None:
            # asked by other columns than the primary key: an index of its own, kept; building it twice is harmless
            index = self._indexes.setdefault(names, index_keys([self._table.column(name) for name in names]))
        fitted = fit_keys(keys, [self.schema.field(name).type for name in names])
        found = self._table.take(pa.array(index.rows_of(fitted)))
        return evaluate(found, predicates).select(list(dict.fromkeys([*names, *columns])))

    def describe(self, columns: Sequence[str], predicates: Sequence[LookupPredicate]) -> str:
        parts = [f"{self._origin} by ({', '.join(self._key)}) for ({', '.join(columns)})"]
        parts += ["where " + " and ".join(show(each) for each in predicates)] if predicates else []
        return " ".join(parts)

    def version(self) -> None:
        return None

    def size(self) -> int:
        return int(self._table.nbytes)

    def table(self) -> pa.Table:
        return self._table

    def close(self) -> None:
        return None
