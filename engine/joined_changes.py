"""UPDATE … FROM and DELETE … USING: the rows of a table with those of others beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.set_clauses import NUMBER, batch_of, numbered
from constellationdb.engine.sources import SourceState
from constellationdb.engine.tables import TableRules
from constellationdb.engine.writes import Run
from constellationdb.planner.from_items import FromItem
from constellationdb.planner.references import Names
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.rewrite.qualified import TARGET
from constellationdb.planner.snapshot import SnapshotPlan


@dataclass(frozen=True)
class Beside:
    """An item that RETURNING may name beside the table; ``name`` stands for it there."""

    item: FromItem
    name: str
    schema: pa.Schema


@dataclass(frozen=True)
class Joined:
    """``source`` is the FROM clause with the numbered target in it."""

    source: str
    items: list[Beside]
    extra: dict[str, PlannedRelation]

    @property
    def names(self) -> Names:
        return tuple(name for beside in self.items for name in beside.item.names)

    @property
    def columns(self) -> str:
        """What is read besides the target's own columns: its number, then each item's."""
        return f', "{TARGET}"."{NUMBER}" AS number' + "".join(f", {beside.item.text}.*" for beside in self.items)

    def beside(self, rows: pa.RecordBatch) -> dict[str, pa.Table]:
        """The items' columns of rows that hold them last, numbered."""
        place = rows.num_columns - sum(len(beside.schema) for beside in self.items)
        tables: dict[str, pa.Table] = {}
        for beside in self.items:
            columns = rows.columns[place : place + len(beside.schema)]
            place += len(beside.schema)
            tables[beside.name] = numbered(pa.RecordBatch.from_arrays(columns, schema=beside.schema))
        return tables


def rows_of(
    run: Run, planned: SnapshotPlan, target: TableRules | SourceState, epoch: int, joined: Joined | None, width: int
) -> tuple[pa.RecordBatch, dict[str, pa.Table]]:
    """What a change reads: its first ``width`` columns are the change's own, the tables are beside RETURNING.

    A row that joins several others changes once, by the first of them, as in Postgres.
    """
    if joined is None:
        return batch_of(run(planned, {})), {}
    assert isinstance(target, TableRules)
    rows = batch_of(run(planned, {TARGET: numbered(target.everything(epoch))}))
    _, first = np.unique(rows.column(width).to_numpy(zero_copy_only=False), return_index=True)
    rows = zset.take(rows, first.astype(np.int64))
    return rows, joined.beside(rows) if joined.items else {}
