"""WHERE row_number() OVER (…) <= n: of each partition only the first rows are kept.

DataFusion plans it as a filter over a projection that computes the number. Of
such a pair the bound goes into TopN, and what else the filter asks stays.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from substrait.proto import Expression, Rel

from constellationdb.planner import arithmetic, plan
from constellationdb.planner.lower.core import Lowering, width_of
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.lower.top import Top, is_orderable, top_n
from constellationdb.planner.overs import rank_partitions, rank_sorts, window_calls
from constellationdb.planner.shuttle import field, field_index, fields_used, select

_RANKS: dict[str, plan.RankKind] = {"row_number": "row_number", "rank": "rank", "dense_rank": "dense_rank"}
_AT_MOST = {"lte": 0, "lt": -1, "equal": 0}  # by how much the greatest number differs from the constant
_MIRRORED = {"gte": "lte", "gt": "lt", "equal": "equal"}


@dataclass(frozen=True)
class _Ranked:
    """A projection that computes one rank; ``outputs``: its columns as those of ``input``, ``number`` for the rank."""

    input: Rel
    call: Expression
    rank: plan.RankKind
    outputs: list[int]
    number: int


@dataclass(frozen=True)
class _Bound:
    """No number above ``limit`` passes; ``exact``: and every other does."""

    limit: int
    exact: bool


def lower_ranked(lowering: Lowering, rel: Rel, used: Collection[int]) -> Stream | None:
    """The filter ``rel``, of whose columns ``used`` are wanted, if it bounds a rank that TopN can keep."""
    ranked = _ranked(lowering, rel.filter.input)
    if ranked is None:
        return None
    conjuncts = _conjuncts(lowering, rel.filter.condition)
    bounds = [_bound(lowering, conjunct, ranked) for conjunct in conjuncts]
    limit = min((bound.limit for bound in bounds if bound is not None), default=0)
    if limit < 1:
        return None
    rest = [c for c, bound in zip(conjuncts, bounds, strict=True) if bound is None or not bound.exact]
    needed = {*used, *(column for conjunct in rest for column in fields_used(conjunct))}
    numbered = any(ranked.outputs[column] == ranked.number for column in needed)
    stream = _first_rows(lowering, ranked, Top(limit, rank=ranked.rank, numbered=numbered))
    if stream is None:
        return None
    number = field(ranked.number) if numbered else Expression(literal=Expression.Literal(boolean=True))
    outputs = [number if o == ranked.number else field(o) for o in ranked.outputs]
    stream = lowering.build.project(stream, outputs)
    for conjunct in rest:
        arithmetic.check(lowering.shuttle, lowering.build.source(stream), stream.width, conjunct)
        stream = lowering.build.filter(stream, partial(select, condition=conjunct))
    return stream


def _first_rows(lowering: Lowering, ranked: _Ranked, top: Top) -> Stream | None:
    below, call = Rel(), Expression()  # as they are, should the rows not be ones to keep in order
    below.CopyFrom(ranked.input)
    call.CopyFrom(ranked.call)
    stream = lowering.lower(below)
    source, function = lowering.build.source(stream), call.window_function
    arithmetic.check(lowering.shuttle, source, stream.width, call)
    rank_sorts(lowering.shuttle, source, stream.width, function.sorts)
    rank_partitions(lowering.shuttle, source, stream.width, function.partitions)
    keys, sorts = list(function.partitions), list(function.sorts)
    return top_n(lowering, stream, keys, sorts, top) if is_orderable(lowering, stream, keys, sorts) else None


def _ranked(lowering: Lowering, rel: Rel) -> _Ranked | None:
    """Through projections that only choose columns, down to the one that computes a rank."""
    chosen = None
    while rel.WhichOneof("rel_type") == "project":
        width = width_of(rel.project.input)
        columns = [*range(width), *(field_index(e) for e in rel.project.expressions)]
        if rel.project.common.HasField("emit"):
            columns = [columns[i] for i in rel.project.common.emit.output_mapping]
        calls = window_calls(rel.project.expressions)
        if calls:
            computed = [e for e in rel.project.expressions if field_index(e) is None]
            rank = _RANKS.get(lowering.shuttle.function_name(calls[0].window_function.function_reference))
            if rank is None or computed != calls or len(calls) != 1 or not width:
                return None
            outputs = [width if column is None else column for column in columns]
            if chosen is not None:
                outputs = [outputs[i] for i in chosen]
            return _Ranked(rel.project.input, calls[0], rank, outputs, width)
        if any(column is None for column in columns):
            return None
        known = [column for column in columns if column is not None]
        chosen = known if chosen is None else [known[i] for i in chosen]
        rel = rel.project.input
    return None


def _conjuncts(lowering: Lowering, condition: Expression) -> list[Expression]:
    if _function(lowering, condition) != "and":
        return [condition]
    return [c for a in condition.scalar_function.arguments for c in _conjuncts(lowering, a.value)]


def _bound(lowering: Lowering, conjunct: Expression, ranked: _Ranked) -> _Bound | None:
    """What a comparison of the number with a constant says."""
    name = _function(lowering, conjunct)
    arguments = [argument.value for argument in conjunct.scalar_function.arguments]
    if len(arguments) != 2:
        return None
    if field_index(arguments[0]) is None:
        name, arguments = _MIRRORED.get(name, ""), arguments[::-1]
    column, constant = field_index(arguments[0]), _whole(arguments[1])
    if name not in _AT_MOST or column is None or constant is None or ranked.outputs[column] != ranked.number:
        return None
    limit = constant + _AT_MOST[name]
    return _Bound(limit, name != "equal" or limit == 1)


def _function(lowering: Lowering, expression: Expression) -> str:
    if expression.WhichOneof("rex_type") != "scalar_function":
        return ""
    return lowering.shuttle.function_name(expression.scalar_function.function_reference)


def _whole(expression: Expression) -> int | None:
    """The value of an integer literal."""
    if expression.WhichOneof("rex_type") != "literal":
        return None
    kind = expression.literal.WhichOneof("literal_type")
    return int(getattr(expression.literal, kind)) if kind in ("i8", "i16", "i32", "i64") else None
