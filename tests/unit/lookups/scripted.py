"""A lookup source in memory that a test can hold up, break and change: connector ``scripted``."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa

from constellationdb.connectors import registry
from constellationdb.connectors.api import LookupCapabilities, LookupPredicate, Options
from constellationdb.connectors.key_index import rows_with_keys
from constellationdb.errors import ConnectorFailure


class Scripted:
    """``rows`` may be changed at any time. A fetch waits for ``gate``, then fails if ``down`` or a key is ``bad``."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = list(rows)
        self.gate = threading.Event()
        self.gate.set()
        self.down: str | None = None
        self.bad: set[Any] = set()
        self.asked: list[list[Any]] = []  # the first key column of every fetch that began
        self.begun = threading.Event()

    @property
    def keys(self) -> list[Any]:
        """Every key asked for, in order."""
        return [key for batch in self.asked for key in batch]


class _Source:
    capabilities = LookupCapabilities(projection=True)

    def __init__(self, script: Scripted, schema: pa.Schema) -> None:
        self._script = script
        self.schema = schema

    def fetch(self, keys: pa.RecordBatch, columns: Sequence[str], predicates: Sequence[LookupPredicate]) -> pa.Table:
        assert not predicates
        script = self._script
        wanted = keys.column(0).to_pylist()
        script.asked.append(wanted)
        script.begun.set()
        script.gate.wait()
        if script.down is not None:
            raise ConnectorFailure(script.down)
        if script.bad & set(wanted):
            raise ConnectorFailure(f"cannot read {sorted(script.bad & set(wanted))}")
        table = pa.Table.from_pylist(list(script.rows), schema=self.schema)
        return rows_with_keys(table, keys).select(list(dict.fromkeys([*keys.schema.names, *columns])))

    def describe(self, columns: Sequence[str], predicates: Sequence[LookupPredicate]) -> str:
        return f"scripted ({', '.join(columns)}) {len(predicates)} predicates"

    def close(self) -> None:
        self._script.gate.set()


@contextmanager
def connector(script: Scripted, name: str = "scripted") -> Iterator[Scripted]:
    """``WITH (connector = 'scripted')`` means this script."""

    def open_scripted(schema: pa.Schema, primary_key: Sequence[str], options: Options) -> _Source:  # noqa: ARG001
        return _Source(script, schema)

    registry.LOOKUPS[name] = open_scripted
    try:
        yield script
    finally:
        script.gate.set()
        del registry.LOOKUPS[name]
