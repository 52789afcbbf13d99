"""A form asked as one SELECT over the rows there are: the other way by which the database answers a query."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa

from constellationdb.engine.reads import execute, relations_of
from constellationdb.errors import DivisionByZero, FeatureNotSupported
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.snapshot import SnapshotPlanner
from tests.properties.oracle.compare import canonical_rows
from tests.properties.oracle.forms import Form
from tests.properties.oracle.history import Relation
from tests.properties.oracle.pipeline import query_of
from tests.properties.oracle.tables import Row


def can_be_asked(form: Form) -> bool:
    """Windows have late rows, and a row that fails fails the whole SELECT."""
    return not form.windows and not form.fails and not any(stage.on_close for stage in form.stages)


def snapshot(form: Form, relations: Mapping[str, Relation]) -> tuple[Counter[Row], list[int]] | None:
    """The answer and its double columns, every inner stage a plain view; None where it is refused."""
    known = {name: PlannedRelation(name, "table", relation.table.schema) for name, relation in relations.items()}
    *inner, last = form.stages
    for stage in inner:
        known[stage.name] = PlannedRelation(stage.name, "view", pa.schema([]), query=query_of(stage.sql.format()))
    try:
        planned = SnapshotPlanner(known).plan(query_of(last.sql.format()))
        tables = {
            n: pa.Table.from_batches([relations[n].table.batch(relations[n].rows)]) for n in relations_of(planned)
        }
        answer = execute(planned, tables)
    except FeatureNotSupported:
        return None
    except DivisionByZero:  # DataFusion computes both sides of OR for every row, so no guard stands before a division
        return None
    rows = list(zip(*(column.to_pylist() for column in answer.columns), strict=True))
    if not answer.columns:
        rows = [()] * answer.num_rows
    return canonical_rows(rows), [i for i, kind in enumerate(answer.schema.types) if pa.types.is_floating(kind)]
