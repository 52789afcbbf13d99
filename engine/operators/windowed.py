"""What a window's end says: nothing that its start does not, so a key need hold only one of the two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from constellationdb.planner import plan


class Start(NamedTuple):
    """The column that a window's end follows from, and the size it is away."""

    column: int
    size_us: int


def window_ends(node: plan.AnyNode) -> Mapping[int, Start]:
    """The columns of a node that are a window's end, with the start that stands beside each."""
    match node:
        case plan.WindowAssign() if not node.cumulative:
            end = len(node.schema) - 1
            return {end: Start(end - 1, node.size_us)}
        case plan.PaneAggregate():
            return {len(node.keys) + 1: Start(len(node.keys), node.size_us)}
        case plan.PartialAggregate():
            return window_ends(node.input)
        case plan.Fragment():
            return _chosen(window_ends(node.input), node.passthrough)
        case plan.Aggregate():
            return _chosen(window_ends(node.input), node.keys)
        case _:
            return {}


def _chosen(ends: Mapping[int, Start], columns: Sequence[int]) -> Mapping[int, Start]:
    """The same of an output that repeats these columns of its input."""
    places = {column: place for place, column in enumerate(columns)}
    return {
        place: Start(places[ends[column].column], ends[column].size_us)
        for place, column in enumerate(columns)
        if column in ends and ends[column].column in places
    }


def determining(node: plan.Aggregate) -> list[int]:
    """The places in the key that tell groups apart."""
    ends = window_ends(node.input)
    return [i for i, c in enumerate(node.keys) if c not in ends or ends[c].column not in node.keys]


def determining_pairs(node: plan.Join) -> list[int]:
    """The places in the key that decide whether two rows meet: an end does not where both starts are compared."""
    left, right = window_ends(node.left), window_ends(node.right)
    pairs = list(zip(node.left_keys, node.right_keys, strict=True))

    def follows(a: int, b: int) -> bool:
        if a not in left or b not in right or left[a].size_us != right[b].size_us:
            return False
        return (left[a].column, right[b].column) in pairs

    return [i for i, (a, b) in enumerate(pairs) if not follows(a, b)]
