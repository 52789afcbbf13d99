"""The state stores that one suite tests, and short ways to fill and read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from constellationdb.storage.state.indexed import IndexedStore
from constellationdb.storage.state.logged import MemoryStateStore
from constellationdb.storage.state.mapped import MappedStateStore
from constellationdb.storage.state.rocks import RocksStateStore
from constellationdb.storage.state.secondary_index import SecondaryIndex
from constellationdb.storage.state.store import BYTES, StateStore, StateView

BACKENDS: dict[str, Callable[[Path], StateStore]] = {
    "memory": lambda _: MemoryStateStore(),
    "mapped": MappedStateStore,
    "rocks": RocksStateStore,
    "indexed": lambda _: IndexedStore(MemoryStateStore(), {"value": by_value()}),
}


def by_value() -> SecondaryIndex:
    return SecondaryIndex(MemoryStateStore(), lambda _, values: [values])


def column(values: Sequence[bytes | None]) -> pa.Array:
    return pa.array(values, BYTES)


def put_all(store: StateStore, items: Mapping[bytes, bytes | None]) -> None:
    store.put_many(column(list(items)), column(list(items.values())))


def content(view: StateView) -> dict[bytes, bytes]:
    return dict(view.range_scan(b"", None))
