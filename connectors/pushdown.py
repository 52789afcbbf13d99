"""One way to ask every lookup source: push what it can evaluate, do the rest here.

The answer is the same rows for a source that evaluates everything, something
or nothing; only how many rows travel differs, which ``stats`` counts.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from constellationdb.connectors.api import CompareOp, LookupCapabilities, LookupPredicate, LookupSource
from constellationdb.connectors.predicates import evaluate, show, split

ALL_PREDICATES = LookupCapabilities(
    predicates=frozenset({"=", "<>", "<", "<=", ">", ">=", "in", "is null", "is not null"}), projection=True
)


@dataclass(frozen=True)
class LookupStats:
    """What was asked and came back so far. ``rows`` came from the source, ``kept`` passed the local predicates."""

    fetches: int = 0
    keys: int = 0
    rows: int = 0
    kept: int = 0


class PushdownAdapter:
    """A LookupSource that evaluates all nine predicates and the projection, whatever ``source`` can."""

    capabilities = ALL_PREDICATES

    def __init__(self, source: LookupSource, push: bool = True) -> None:
        self.source = source
        self.schema = source.schema
        # what remains when pushing is switched off: the keys alone
        self._pushable = source.capabilities if push else LookupCapabilities(max_keys=source.capabilities.max_keys)
        self._lock = threading.Lock()
        self._stats = LookupStats()

    @property
    def pushed_forms(self) -> frozenset[CompareOp]:
        """The predicate forms that are left to the source itself."""
        return self._pushable.predicates

    @property
    def stats(self) -> LookupStats:
        return self._stats

    def fetch(self, keys: pa.RecordBatch, columns: Sequence[str], predicates: Sequence[LookupPredicate]) -> pa.Table:
        pushed, local = split(predicates, self._pushable)
        asked = self._asked(keys.schema.names, columns, local)
        wanted = list(dict.fromkeys([*keys.schema.names, *columns]))
        size = max(self._pushable.max_keys, 1)
        parts = [
            self._fetch_chunk(keys.slice(start, size), asked, pushed, local).select(wanted)
            for start in range(0, keys.num_rows, size)
        ]
        if not parts:
            return pa.schema([self.schema.field(name) for name in wanted]).empty_table()
        return pa.concat_tables(parts)

    def describe(self, columns: Sequence[str], predicates: Sequence[LookupPredicate]) -> str:
        pushed, local = split(predicates, self._pushable)
        text = self.source.describe(self._asked((), columns, local), pushed)
        return f"{text}; then here: {' and '.join(show(each) for each in local)}" if local else text

    def close(self) -> None:
        self.source.close()

    def _asked(self, keys: Sequence[str], columns: Sequence[str], local: Sequence[LookupPredicate]) -> list[str]:
        """The columns to ask for: those wanted, and those the local predicates look at."""
        if not self._pushable.projection:
            return [name for name in self.schema.names if name not in keys]
        needed = dict.fromkeys([*columns, *(each.column for each in local)])
        return [name for name in needed if name not in keys]

    def _fetch_chunk(
        self,
        keys: pa.RecordBatch,
        asked: Sequence[str],
        pushed: Sequence[LookupPredicate],
        local: Sequence[LookupPredicate],
    ) -> pa.Table:
        table = self.source.fetch(keys, asked, pushed)
        kept = evaluate(table, local)
        with self._lock:
            before = self._stats
            self._stats = LookupStats(
                before.fetches + 1,
                before.keys + keys.num_rows,
                before.rows + table.num_rows,
                before.kept + kept.num_rows,
            )
        return kept
