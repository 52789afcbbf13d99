"""Aggregates as DataFusion answers them right: doubles ranked, one order of rows each, DISTINCT not forgotten."""

from __future__ import annotations

from substrait.proto import AggregateFunction, Rel

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.extremes import rank_extremes, unrank_extremes
from constellationdb.planner.grouping import key_width
from constellationdb.planner.orderings import split_orders
from constellationdb.planner.shuttle import Shuttle
from constellationdb.planner.xors import fold, gather

_PAIRS = ("covar", "corr", "regr_")


def correct(shuttle: Shuttle, rel: Rel, source: Rel, source_width: int) -> Rel:
    """The aggregate ``rel`` (inputs of ``source``), which is changed, in a relation with the same columns."""
    _refuse_distinct_pairs(shuttle, rel)
    width = key_width(rel.aggregate) + len(rel.aggregate.measures)
    ranked = rank_extremes(shuttle, rel, source, source_width)
    gathered = gather(shuttle, rel, source, source_width)
    answered = unrank_extremes(shuttle, split_orders(shuttle, rel), width, ranked)
    return fold(shuttle, answered, width, gathered)


def _refuse_distinct_pairs(shuttle: Shuttle, rel: Rel) -> None:
    """DataFusion counts pairs that are equal as often as they come, whatever DISTINCT says."""
    for measure in rel.aggregate.measures:
        call = measure.measure
        name = shuttle.function_name(call.function_reference)
        if call.invocation == AggregateFunction.AGGREGATION_INVOCATION_DISTINCT and name.startswith(_PAIRS):
            raise FeatureNotSupported(
                f"{name}(DISTINCT …) of pairs is not supported here",
                hint="take the different pairs first: FROM (SELECT DISTINCT y, x FROM …)",
            )
