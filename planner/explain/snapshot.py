"""A snapshot query: what is read, as of which epoch, and the plan DataFusion runs over it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
from datafusion import SessionContext
from datafusion.substrait import Consumer, Serde

from constellationdb.planner.explain.literals import interval
from constellationdb.planner.explain.tree import aligned
from constellationdb.planner.prepare import WINDOW_COLUMNS
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.shuttle import Shuttle
from constellationdb.planner.snapshot import SnapshotPlan

_INTERNAL = re.compile(r"\brel\d+\b")
_CHECKED = re.compile(r"\bcon_([a-z]+)(?:_[if]\d+|_\d+)?(?=\()")


@dataclass(frozen=True)
class Reading:
    """``epoch``: which epoch is read. ``shown``: names for relations that only a statement's own plan knows."""

    title: str = "Snapshot query at one epoch"
    epoch: str = "the latest that all it reads has reached, with this session's own writes"
    shown: Mapping[str, str] | None = None


def explain_snapshot(
    planned: SnapshotPlan, relations: Mapping[str, PlannedRelation], reading: Reading | None = None
) -> list[str]:
    """The lines of EXPLAIN for a query over stored relations."""
    how = reading or Reading()
    shown = how.shown or {}
    fields = [("epoch", how.epoch), *(("reads", line) for line in _reads(planned, relations, shown))]
    return [how.title, *aligned(fields, "  "), "  plan, run by DataFusion", *_plan(planned, relations, shown)]


def _reads(planned: SnapshotPlan, relations: Mapping[str, PlannedRelation], shown: Mapping[str, str]) -> list[str]:
    """How each relation is read: whole, for no snapshot query goes through an index."""
    lines = [f"{shown.get(n, n)}: {_how(relations[n])}" for n in planned.tables.values()]
    for call in planned.windows.values():
        slide = f" every {interval(call.slide_us)}" if call.slide_us != call.size_us else ""
        how = _how(relations[call.relation])
        lines.append(f"{call.relation}: {how}, in windows of {interval(call.size_us)}{slide}")
    return sorted(dict.fromkeys(lines)) or ["nothing"]


def _how(relation: PlannedRelation) -> str:
    if relation.kind == "system table":
        return "as it is now, outside of any epoch"
    return "every row (no index)"


def _plan(planned: SnapshotPlan, relations: Mapping[str, PlannedRelation], shown: Mapping[str, str]) -> list[str]:
    """As it is built to be run, over empty tables of the same columns."""
    shuttle = Shuttle((internal, relations[name].schema) for internal, name in planned.tables.items())
    for internal, call in planned.windows.items():
        schema = relations[call.relation].schema
        kind = schema.field(call.time_column).type
        shuttle.register(internal, pa.schema([*schema, *(pa.field(n, kind) for n, _ in WINDOW_COLUMNS)]))
    context = shuttle.context
    for internal, sql in planned.views.items():
        context.register_view(internal, context.sql(sql))
    for stage in planned.asofs:
        shuttle.register(stage.name, stage.schema)
    if planned.substrait is None:
        frame = context.sql(planned.sql)
    else:
        logical = Consumer.from_substrait_plan(context, Serde.deserialize_bytes(planned.substrait))
        frame = context.create_dataframe_from_logical_plan(logical)
    text = _named(planned, frame.optimized_logical_plan().display_indent(), shown)
    return [*(f"    {line}" for line in text.splitlines()), *_asofs(planned, context, shown)]


def _asofs(planned: SnapshotPlan, context: SessionContext, shown: Mapping[str, str]) -> list[str]:
    """The tables that joins in time make, each with the plans of its two sides."""
    lines = []
    for stage in planned.asofs:
        match = stage.match
        lines.append(f"  {stage.name}, ASOF {match.join_type} join, {match.direction} in time, of")
        for side in (stage.left, stage.right):
            logical = Consumer.from_substrait_plan(context, Serde.deserialize_bytes(side))
            text = context.create_dataframe_from_logical_plan(logical).optimized_logical_plan().display_indent()
            lines += [f"    {line}" for line in _named(planned, text, shown, top=False).splitlines()]
    return lines


def _named(planned: SnapshotPlan, text: str, shown: Mapping[str, str], *, top: bool = True) -> str:
    """The plan in the user's names; a relation that is read twice has a number the second time."""
    names: dict[str, str] = {}
    seen: Counter[str] = Counter()
    read = {**planned.tables, **{internal: call.relation for internal, call in planned.windows.items()}}
    for internal, relation in read.items():
        name = shown.get(relation, relation)
        seen[name] += 1
        names[internal] = name if seen[name] == 1 else f"{name}#{seen[name]}"
    text = _INTERNAL.sub(lambda found: names.get(found.group(), found.group()), text)
    text = _CHECKED.sub(lambda found: found.group(1), text)
    if not top:
        return text
    first, *rest = text.split("\n")
    for i, name in enumerate(planned.names) if planned.substrait is not None else ():
        first = re.sub(rf"\bAS c{i}(?=,|$)", f"AS {name}".replace("\\", r"\\"), first)
    return "\n".join([first, *rest])
