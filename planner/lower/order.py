"""ORDER BY and LIMIT: a sort alone means nothing to a set; with a limit it is a top-N over everything."""

from __future__ import annotations

from substrait.proto import Rel, SortField

from constellationdb.planner import arithmetic, plan
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.stream import Stream, describe
from constellationdb.planner.shuttle import field, field_index


def lower_order(lowering: Lowering, rel: Rel) -> Stream:
    if rel.WhichOneof("rel_type") == "sort":
        return lowering.lower(rel.sort.input)
    inner = rel.fetch.input
    sorts: list[SortField] = []
    if inner.WhichOneof("rel_type") == "sort":
        sorts, inner = list(inner.sort.sorts), inner.sort.input
    stream = lowering.lower(inner)
    for sort in sorts:
        arithmetic.check(lowering.shuttle, lowering.build.source(stream), stream.width, sort)
    return _top(lowering, stream, sorts, rel)


def _top(lowering: Lowering, stream: Stream, sorts: list[SortField], fetch: Rel) -> Stream:
    shuttle = lowering.shuttle
    node = lowering.build.finish(stream)
    ordered = Rel()
    ordered.sort.input.CopyFrom(shuttle.slot(0, stream.schema))
    ordered.sort.sorts.extend([*sorts, *tie_breakers(sorts, stream.width)])
    top = Rel()
    top.CopyFrom(fetch)
    top.fetch.input.CopyFrom(ordered)
    return lowering.build.stream(
        plan.Recompute(
            id=lowering.build.next_id(),
            schema_ipc=plan.encode_schema(shuttle.schema_of(top, stream.width)),
            append_only=False,
            inputs=(node,),
            keys=((),),
            out_keys=(),
            substrait=shuttle.encode(top, stream.width),
            reusable=False,
            ordered=False,
            shows=describe(shuttle.display_of(top, stream.width)),
        )
    )


def tie_breakers(sorts: list[SortField], width: int) -> list[SortField]:
    """Every column not yet sorted by, so that equal keys still have one order."""
    known = {field_index(sort.expr) for sort in sorts}
    return [
        SortField(expr=field(i), direction=SortField.SORT_DIRECTION_ASC_NULLS_LAST)
        for i in range(width)
        if i not in known
    ]
