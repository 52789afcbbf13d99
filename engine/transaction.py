"""A session's transaction: writes wait in an overlay until COMMIT, reads of tables see them.

Each statement reads the latest committed rows (READ COMMITTED) with the overlay
on top; a READ ONLY transaction reads everything at one epoch. A view does not see the overlay,
so reading one that depends on a table written here is refused rather than
answered with the past.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pyarrow as pa

from constellationdb.catalog.catalog import Catalog
from constellationdb.engine import batch as zset
from constellationdb.errors import ReadsOwnWritesThroughView, UndefinedObject


@dataclass
class Transaction:
    """``explicit``: begun by BEGIN; else it lasts for one message of several statements."""

    explicit: bool
    read_only: bool = False
    failed: bool = False
    epoch: int | None = None  # the one epoch of a READ ONLY transaction
    changes: dict[str, pa.RecordBatch] = field(default_factory=dict)
    pushed: dict[str, pa.RecordBatch] = field(default_factory=dict)
    savepoints: list[tuple[str, dict[str, pa.RecordBatch], dict[str, pa.RecordBatch]]] = field(default_factory=list)

    def write(self, table: str, delta: pa.RecordBatch) -> None:
        known = self.changes.get(table)
        whole = zset.netted(delta if known is None else pa.concat_batches([known, delta]))
        if whole is None:
            self.changes.pop(table, None)
        else:
            self.changes[table] = whole

    def push(self, source: str, rows: pa.RecordBatch) -> None:
        known = self.pushed.get(source)
        self.pushed[source] = rows if known is None else pa.concat_batches([known, rows])

    def check_reads(self, catalog: Catalog, names: Iterable[str]) -> None:
        """25001 for a view over a table that this transaction has written."""
        written = set(self.changes) | set(self.pushed)
        for name in names:
            relation = catalog.relations.get(name)
            if relation is None or relation.kind == "table":
                continue
            stale = sorted(catalog.bases_of(name) & written)
            if stale:
                raise ReadsOwnWritesThroughView(
                    f'"{name}" does not show this transaction\'s changes of "{stale[0]}" before COMMIT',
                    hint="COMMIT first, or read the table itself",
                )

    def savepoint(self, name: str) -> None:
        self.savepoints.append((name, dict(self.changes), dict(self.pushed)))

    def rollback_to(self, name: str) -> None:
        index = self._find(name)
        _, changes, pushed = self.savepoints[index]
        self.changes, self.pushed = dict(changes), dict(pushed)
        del self.savepoints[index + 1 :]
        self.failed = False

    def release(self, name: str) -> None:
        del self.savepoints[self._find(name) :]

    def _find(self, name: str) -> int:
        for index in range(len(self.savepoints) - 1, -1, -1):
            if self.savepoints[index][0] == name:
                return index
        raise UndefinedObject(f'savepoint "{name}" does not exist')
