"""Aggregates as DataFusion answers them right: doubles ranked, one order of rows each."""

from __future__ import annotations

from substrait.proto import Rel

from constellationdb.planner.extremes import rank_extremes, unrank_extremes
from constellationdb.planner.orderings import split_orders
from constellationdb.planner.shuttle import Shuttle


def correct(shuttle: Shuttle, rel: Rel, source: Rel, source_width: int) -> Rel:
    """The aggregate ``rel`` (inputs of ``source``), which is changed, in a relation with the same columns."""
    width = len(rel.aggregate.grouping_expressions) + len(rel.aggregate.measures)
    ranked = rank_extremes(shuttle, rel, source, source_width)
    return unrank_extremes(shuttle, split_orders(shuttle, rel), width, ranked)
