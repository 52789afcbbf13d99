"""Names and shapes of the relations that come with others: errors and late rows."""

from __future__ import annotations

import pyarrow as pa

from constellationdb.catalog.model import Relation, make_relation
from constellationdb.planner import plan

ERRORS_SCHEMA = pa.schema(
    [("node", pa.int64()), ("sqlstate", pa.string()), ("message", pa.string()), ("payload", pa.string())]
)


def errors_name(name: str) -> str:
    return f"{name}_errors"


def errors_relation(owner: str) -> Relation:
    """``<relation>_errors``: the rows of a view or source that could not be computed or decoded."""
    return make_relation(errors_name(owner), "side output", ERRORS_SCHEMA, owner=owner)


def late_relation(owner: str, lowered: plan.Plan, names: list[str]) -> Relation | None:
    """The table of LATE DATA TO: the windowed rows that came too late, with the window each one missed."""
    if lowered.late_to is None:
        return None
    window = next(n for n in plan.walk(lowered.root) if isinstance(n, plan.WindowAssign | plan.SessionAssign))
    fields = [pa.field(name, kind) for name, kind in zip(names, window.schema.types, strict=True)]
    return make_relation(lowered.late_to, "side output", pa.schema(fields), owner=owner)
