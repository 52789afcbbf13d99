"""Aggregates as DataFusion answers them right: doubles ranked, one order of rows each, DISTINCT not forgotten."""

from __future__ import annotations

from substrait.proto import Rel

from constellationdb.planner.extremes import rank_extremes, unrank_extremes
from constellationdb.planner.grouping import key_width
from constellationdb.planner.orderings import split_orders
from constellationdb.planner.shuttle import Shuttle
from constellationdb.planner.xors import fold, gather


def correct(shuttle: Shuttle, rel: Rel, source: Rel, source_width: int) -> Rel:
    """The aggregate ``rel`` (inputs of ``source``), which is changed, in a relation with the same columns."""
    width = key_width(rel.aggregate) + len(rel.aggregate.measures)
    ranked = rank_extremes(shuttle, rel, source, source_width)
    gathered = gather(shuttle, rel, source, source_width)
    answered = unrank_extremes(shuttle, split_orders(shuttle, rel), width, ranked)
    return fold(shuttle, answered, width, gathered)
