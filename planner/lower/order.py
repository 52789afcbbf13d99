"""ORDER BY and LIMIT: a sort alone means nothing to a set; with a limit it is a top-N over everything."""

from __future__ import annotations

from substrait.proto import Expression, Rel, SortField

from constellationdb.planner import arithmetic, plan
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.stream import Stream, describe
from constellationdb.planner.lower.top import Top, is_orderable, top_n
from constellationdb.planner.overs import rank_sorts
from constellationdb.planner.shuttle import field, field_index


def lower_order(lowering: Lowering, rel: Rel) -> Stream:
    if rel.WhichOneof("rel_type") == "sort":
        return lowering.lower(rel.sort.input)
    if _projects_order(rel.fetch.input):
        return lowering.lower(_sunk(rel))
    fetches, inner = _fetches(rel)
    sorts: list[SortField] = []
    if inner.WhichOneof("rel_type") == "sort":
        sorts, inner = list(inner.sort.sorts), inner.sort.input
    stream = lowering.lower(inner)
    for sort in sorts:
        arithmetic.check(lowering.shuttle, lowering.build.source(stream), stream.width, sort)
    rank_sorts(lowering.shuttle, lowering.build.source(stream), stream.width, sorts)
    window = _window(fetches)
    if window is not None and stream.width and is_orderable(lowering, stream, (), sorts):
        return top_n(lowering, stream, (), sorts, window)
    return _top(lowering, stream, sorts, fetches)


def _fetches(rel: Rel) -> tuple[list[Rel], Rel]:
    """LIMITs one upon the other, outermost first, and what is under them; OFFSET comes as two over one sort."""
    found = []
    while rel.WhichOneof("rel_type") == "fetch":
        found.append(rel)
        rel = rel.fetch.input
    return found, rel


def _window(fetches: list[Rel]) -> Top | None:
    """The places that all of these LIMITs and OFFSETs leave; None where there are none, or no end of them."""
    first, end = 0, None
    for rel in reversed(fetches):
        offset, count = _constant(rel.fetch.offset_expr, 0), _constant(rel.fetch.count_expr, -1)
        if offset is None or count is None:
            return None
        first += offset
        if count >= 0:
            end = first + count if end is None else min(end, first + count)
    return None if end is None or end <= first else Top(end - first, first)


def _constant(expression: Expression, absent: int) -> int | None:
    """The value of a literal, or ``absent`` where nothing stands; None for what is to be computed."""
    kind = expression.WhichOneof("rex_type")
    if kind is None:
        return absent
    found = expression.literal.WhichOneof("literal_type") if kind == "literal" else None
    return int(getattr(expression.literal, found)) if found in ("i8", "i16", "i32", "i64") else None


def _projects_order(rel: Rel) -> bool:
    """Whether ``rel`` computes columns of rows that come in an order: a LIMIT above still means that order."""
    below = rel
    while below.WhichOneof("rel_type") == "project" and not _has_windows(below):
        below = below.project.input
    return below is not rel and below.WhichOneof("rel_type") in ("sort", "fetch")


def _has_windows(rel: Rel) -> bool:
    return any(e.WhichOneof("rex_type") == "window_function" for e in rel.project.expressions)


def _sunk(rel: Rel) -> Rel:
    """The LIMIT put under the projection it stands on."""
    projection, limit = Rel(), Rel()
    projection.CopyFrom(rel.fetch.input)
    limit.CopyFrom(rel)
    limit.fetch.input.CopyFrom(projection.project.input)
    projection.project.input.CopyFrom(limit)
    return projection


def _top(lowering: Lowering, stream: Stream, sorts: list[SortField], fetches: list[Rel]) -> Stream:
    shuttle = lowering.shuttle
    if not stream.width:  # rows of no column are all alike
        counted = _top(lowering, lowering.build.pad(stream), [], fetches)
        return lowering.build.project(counted, [])
    node = lowering.build.finish(stream)
    top = Rel()
    top.sort.input.CopyFrom(shuttle.slot(0, stream.schema))
    top.sort.sorts.extend([*sorts, *tie_breakers(sorts, stream.width)])
    for fetch in reversed(fetches):
        limited = Rel()
        limited.CopyFrom(fetch)
        limited.fetch.input.CopyFrom(top)
        top = limited
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
