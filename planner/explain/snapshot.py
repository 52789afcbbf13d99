"""A snapshot query: what is read, as of which epoch, and the plan DataFusion runs over it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
from datafusion.substrait import Consumer, Serde

from constellationdb.planner.explain.literals import interval
from constellationdb.planner.explain.stages import explain_stages, in_names
from constellationdb.planner.explain.tree import aligned
from constellationdb.planner.relations import PlannedRelation, WindowCall
from constellationdb.planner.shuttle import Shuttle, parsed
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
    """How each relation is read: whole, for a plan does not go through indexes."""
    lines = [f"{shown.get(n, n)}: {_how(relations[n])}" for n in planned.tables.values()]
    for name, call in planned.windows.items():
        if name in planned.inputs:
            lines += [f"{line}, {_windows(call)}" for line in _reads(planned.inputs[name], relations, shown)]
            continue
        lines.append(f"{call.relation}: {_how(relations[call.relation])}, {_windows(call)}")
    return sorted(dict.fromkeys(lines)) or ["nothing"]


def _windowed_schema(planned: SnapshotPlan, internal: str, call: WindowCall) -> pa.Schema:
    inner = planned.inputs.get(internal)
    return call.windowed(call.over.schema if inner is None else inner.schema)


def _windows(call: WindowCall) -> str:
    size, slide = interval(call.size_us), interval(call.slide_us)
    match call.kind:
        case "session":
            by = f" by {', '.join(call.partition)}" if call.partition else ""
            return f"in sessions{by} with gaps of up to {size}"
        case "cumulate":
            return f"in windows of {size}, cumulated every {slide}"
        case _:
            return f"in windows of {size}" + (f" every {slide}" if call.slide_us != call.size_us else "")


def _how(relation: PlannedRelation) -> str:
    if relation.kind == "system table":
        return "as it is now, outside of any epoch"
    return "every row (no index)"


def _plan(planned: SnapshotPlan, relations: Mapping[str, PlannedRelation], shown: Mapping[str, str]) -> list[str]:
    """As it is built to be run, over empty tables of the same columns."""
    shuttle = Shuttle((internal, relations[name].schema) for internal, name in planned.tables.items())
    for internal, call in planned.windows.items():
        shuttle.register(internal, _windowed_schema(planned, internal, call))
    context = shuttle.context
    for internal, sql in planned.views.items():
        context.register_view(internal, context.sql(sql))
    for stage in planned.stages:
        shuttle.register(stage.name, stage.schema)
    if planned.substrait is None:
        frame = parsed(context, planned.sql)
    else:
        logical = Consumer.from_substrait_plan(context, Serde.deserialize_bytes(planned.substrait))
        frame = context.create_dataframe_from_logical_plan(logical)
    stages, names = explain_stages(planned, context, lambda text: _named(planned, text, shown, top=False))
    text = in_names(_named(planned, frame.optimized_logical_plan().display_indent(), shown), names)
    return [*(f"    {line}" for line in text.splitlines()), *stages]


def without_checks(text: str) -> str:
    """Functions of ours that check what DataFusion's would not, under the names of those."""
    return _CHECKED.sub(lambda found: found.group(1), text)


def _named(planned: SnapshotPlan, text: str, shown: Mapping[str, str], *, top: bool = True) -> str:
    """The plan in the user's names; a relation that is read twice has a number the second time."""
    names: dict[str, str] = {}
    seen: Counter[str] = Counter()
    read = {**planned.tables, **{internal: call.over.name for internal, call in planned.windows.items()}}
    for internal, relation in read.items():
        name = shown.get(relation, relation)
        seen[name] += 1
        names[internal] = name if seen[name] == 1 else f"{name}#{seen[name]}"
    text = _INTERNAL.sub(lambda found: names.get(found.group(), found.group()), text)
    text = without_checks(text)
    if not top:
        return text
    first, *rest = text.split("\n")
    for i, name in enumerate(planned.names) if planned.substrait is not None else ():
        first = re.sub(rf"\bAS c{i}(?=,|$)", f"AS {name}".replace("\\", r"\\"), first)
    return "\n".join([first, *rest])
