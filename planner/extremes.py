"""min and max of doubles over integers in the same order: DataFusion's grouped ones lose their way at a NaN."""

from __future__ import annotations

import pyarrow as pa
from substrait.proto import Expression, FunctionArgument, Rel, Type

from constellationdb.planner.grouping import key_width
from constellationdb.planner.shuttle import Shuttle, field, project

Ranked = dict[int, pa.DataType]  # columns of the aggregate that are ranks, and what they are ranks of


def rank_extremes(shuttle: Shuttle, rel: Rel, source: Rel, source_width: int) -> Ranked:
    """Let the aggregate ``rel`` (inputs of ``source``) rank its doubles, in place."""
    body = rel.aggregate
    kinds: Ranked = {}
    for place, measure in enumerate(body.measures, key_width(body)):
        function = measure.measure
        if shuttle.function_name(function.function_reference) not in ("min", "max"):
            continue
        argument = function.arguments[0].value
        kind = shuttle.schema_of(project(source, source_width, [argument]), 1).types[0]
        if pa.types.is_floating(kind):
            argument.CopyFrom(ranked(shuttle, cast_float(argument, pa.float64(), kind)))
            kinds[place] = kind
    return kinds


def unrank_extremes(shuttle: Shuttle, rel: Rel, width: int, kinds: Ranked) -> Rel:
    """``rel`` with doubles again where ``rank_extremes`` put ranks."""
    if not kinds:
        return rel
    outputs = [
        cast_float(_call(shuttle, "con_unrank_f64", field(i)), kinds[i], pa.float64()) if i in kinds else field(i)
        for i in range(width)
    ]
    return project(rel, width, outputs)


def ranked(shuttle: Shuttle, double: Expression) -> Expression:
    """A double as an integer in Postgres' order, one NaN at the end of it."""
    return _call(shuttle, "con_rank_f64", double)


def cast_float(expression: Expression, kind: pa.DataType, known: pa.DataType) -> Expression:
    """``expression``, of type ``known``, as a real or a double."""
    copy = Expression()
    if kind == known:
        copy.CopyFrom(expression)
        return copy
    copy.cast.input.CopyFrom(expression)
    copy.cast.failure_behavior = Expression.Cast.FAILURE_BEHAVIOR_THROW_EXCEPTION
    target = copy.cast.type.fp64 if kind == pa.float64() else copy.cast.type.fp32
    target.nullability = Type.NULLABILITY_NULLABLE
    return copy


def _call(shuttle: Shuttle, name: str, argument: Expression) -> Expression:
    made = Expression()
    made.scalar_function.function_reference = shuttle.anchor(name)
    made.scalar_function.arguments.append(FunctionArgument(value=argument))
    return made
