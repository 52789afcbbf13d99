"""What an operator is called, and whether it is a fast one: and what it computes: for tables of operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from constellationdb.planner import plan
from constellationdb.planner.explain.names import Names, measure
from constellationdb.planner.explain.operators import facts
from constellationdb.planner.relations import PlannedRelation

_FAST, _GENERIC = " (fast operator)", " (no fast operator)"


class Kind(NamedTuple):
    """``path`` None: there is no other way to do it."""

    title: str
    path: Literal["fast", "generic"] | None


def kinds(root: plan.AnyNode, relations: Mapping[str, PlannedRelation]) -> dict[int, Kind]:
    """Of every operator of a plan, by its number."""
    names = Names(relations)
    return {node.id: _kind(facts(node, names).title) for node in plan.walk(root)}


def measures(node: plan.Aggregate, relations: Mapping[str, PlannedRelation]) -> list[str]:
    """What it computes, measure by measure."""
    below = Names(relations).brief(node.input)
    return [measure(one, below) for one in node.measures]


def _kind(title: str) -> Kind:
    if title.endswith(_GENERIC):
        return Kind(title.removesuffix(_GENERIC), "generic")
    return Kind(title.removesuffix(_FAST), "fast" if title.endswith(_FAST) else None)
