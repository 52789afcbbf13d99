"""The plan as a tree of blocks: a title, and one aligned line a fact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from constellationdb.planner import plan
from constellationdb.planner.explain.facts import mode
from constellationdb.planner.explain.names import Names
from constellationdb.planner.explain.operators import facts
from constellationdb.planner.relations import PlannedRelation

_INDENT = "     "


@dataclass(frozen=True)
class Sink:
    """Where the rows of a query go: a materialized ``view`` with its ``errors``, or a client, up to a ``limit``."""

    view: str | None = None
    errors: str | None = None
    limit: int | None = None


@dataclass(frozen=True)
class Actual:
    """What EXPLAIN ANALYZE adds: lines on the ``whole`` and on each operator, by its node's number."""

    whole: list[tuple[str, str]] = field(default_factory=list)
    operators: Mapping[int, list[tuple[str, str]]] = field(default_factory=dict)


def explain(
    lowered: plan.Plan,
    relations: Mapping[str, PlannedRelation] | None = None,
    sink: Sink | None = None,
    actual: Actual | None = None,
) -> list[str]:
    """The lines of EXPLAIN for a continuous query over ``relations``; with ANALYZE also what was measured."""
    measured = actual or Actual()
    blocks = _blocks(lowered.root, Names(relations or {}), measured.operators, "  ", set())
    return [*_head(lowered, sink or Sink(), measured.whole), *blocks]


def _head(lowered: plan.Plan, sink: Sink, actual: list[tuple[str, str]]) -> list[str]:
    columns = ", ".join(lowered.names)
    only = lowered.root.append_only
    rows = f"{mode(lowered.root)}: rows are {'only added' if only else 'added and taken back'}"
    if sink.view is None:
        title = f"Continuous query ({columns})"
        ends = "until it is cancelled" if sink.limit is None else f"until {sink.limit} rows have come"
        lines = [("to", f"the client, epoch by epoch, {ends}"), ("rows", rows)]
    else:
        title = f"Materialized view {sink.view} ({columns})"
        state = "every row" if only else "every row with its count"
        lines = [("key", "the whole row"), ("state", state), ("closes", "nothing: kept until it is dropped")]
        lines += [("emits", "every epoch: to readers, subscribers and views on it"), ("rows", rows)]
    if sink.errors is not None:
        lines.append(("errors", f"rows that cannot be computed, in {sink.errors}"))
    if lowered.late_to:
        lines.append(("late", f"rows that come after their window closed, in {lowered.late_to}"))
    return [title, *aligned([*lines, *actual], "  ")]


def _blocks(
    node: plan.AnyNode, names: Names, actual: Mapping[int, list[tuple[str, str]]], indent: str, seen: set[int]
) -> Iterator[str]:
    found = facts(node, names)
    if node.id in seen and node.children:
        yield f"{indent}-> {found.title}: the same as above, it runs once"
        return
    seen.add(node.id)
    yield f"{indent}-> {found.title}"
    yield from aligned([*found.lines(), *actual.get(node.id, [])], indent + _INDENT)
    for child in _shown_below(node, names):
        yield from _blocks(child, names, actual, indent + _INDENT, seen)


def _shown_below(node: plan.AnyNode, names: Names) -> tuple[plan.AnyNode, ...]:
    """What a node reads; of a recursion where it begins and how it goes on."""
    if not isinstance(node, plan.Recursion):
        return node.children
    names.working[node.working] = names.recursion(node)
    names.apart |= {inner.id for inner in plan.walk(node.step)}
    return (node.base, node.step)


def aligned(fields: list[tuple[str, str]], indent: str) -> list[str]:
    width = max((len(name) for name, _ in fields), default=0)
    return [f"{indent}{name:<{width}}  {value}" for name, value in fields]
