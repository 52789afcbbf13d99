"""Expressions over the columns of a table's rows: what CHECK asks and what GENERATED columns hold."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from constellationdb.catalog.model import Relation
from constellationdb.engine.reads import execute
from constellationdb.engine.rowstore import empty
from constellationdb.planner import statements as st
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.snapshot import SnapshotPlan, SnapshotPlanner
from constellationdb.planner.syntax.edits import identifier

_ROWS = "#rows"
_SELECT = len("SELECT (")


class RowExpressions:
    """Planned once; ``values`` are a column for each expression, a row for each row."""

    def __init__(self, relation: Relation, expressions: Sequence[str]) -> None:
        self.planned = _planned(relation, expressions, 0)

    def values(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        found = execute(self.planned, {_ROWS: pa.Table.from_batches([rows])}).combine_chunks().to_batches()
        return found[0] if found else empty(self.planned.schema)


def kind_of(relation: Relation, expression: str, position: int) -> str | None:
    """The type of one expression, whose text begins at ``position`` of the client's; an error where it makes none."""
    kinds = _planned(relation, [expression], position - _SELECT).kinds
    return None if kinds is None else kinds[0]


def _planned(relation: Relation, expressions: Sequence[str], offset: int) -> SnapshotPlan:
    listed = ", ".join(f"({text}) AS x{i}" for i, text in enumerate(expressions))
    sql = f'SELECT {listed} FROM "{_ROWS}" AS {identifier(relation.shown)}'
    rows = PlannedRelation(_ROWS, "table", relation.schema)
    return SnapshotPlanner({_ROWS: rows}).plan(st.Query(sql, offset, zone=relation.zone))
