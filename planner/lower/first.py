"""DISTINCT ON and first_value(… ORDER BY …) of groups: the first row of each key has it all."""

from __future__ import annotations

from collections.abc import Sequence

from substrait.proto import AggregateFunction

from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.measures import Call
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.lower.top import Top, is_orderable, top_n
from constellationdb.planner.shuttle import field


def lower_first(lowering: Lowering, stream: Stream, calls: Sequence[Call], key_count: int) -> Stream | None:
    """The groups, if every call wants the value of one and the same row; keys are the stream's first columns."""
    functions = [call.measure.measure for call in calls]
    if not key_count or not functions or not all(_wants_first(call) for call in calls):
        return None
    sorts = list(functions[0].sorts)
    if any(list(function.sorts) != sorts for function in functions):
        return None
    keys = [field(i) for i in range(key_count)]
    if not sorts or not is_orderable(lowering, stream, keys, sorts):
        return None
    first = top_n(lowering, stream, keys, sorts, Top(1))
    return lowering.build.project(first, [*keys, *(field(call.columns[0]) for call in calls)])


def _wants_first(call: Call) -> bool:
    distinct = call.measure.measure.invocation == AggregateFunction.AGGREGATION_INVOCATION_DISTINCT
    return call.name == "first_value" and len(call.columns) == 1 and call.filter < 0 and not (distinct or call.row)
