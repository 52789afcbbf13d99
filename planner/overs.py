"""Window functions and sort keys as Postgres computes them, where DataFusion would err without a word.

- sum(bigint) OVER wraps: it is summed as numeric.
- Doubles sort and partition by their bits, -NaN first: integers in Postgres' order stand for them.
- A sum of doubles over a moving frame is kept by adding and taking away, so one NaN or 1e16 that has left the
  frame spoils what follows: ``planner.lower.framing`` takes it out. An average of integers is a quotient of exact sums.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pyarrow.types as pt
from substrait.proto import Expression, Rel, Type

from constellationdb.planner.extremes import cast_float, ranked
from constellationdb.planner.shuttle import Shuttle, field, field_index, project, visit


def window_calls(expressions: Any) -> list[Expression]:
    """Every window function in ``expressions``, not in what their subqueries read."""
    calls: list[Expression] = []

    def collect(expression: Expression) -> None:
        if expression.WhichOneof("rex_type") == "window_function":
            calls.append(expression)

    visit(expressions, collect, enter_relations=False)
    return calls


def correct(shuttle: Shuttle, source: Rel, width: int, calls: Iterable[Expression]) -> None:
    """In place; the calls' columns are those of ``source``."""
    for call in calls:
        function = call.window_function
        correct_sum(shuttle, source, width, call)
        rank_sorts(shuttle, source, width, function.sorts)
        rank_partitions(shuttle, source, width, function.partitions)


def correct_sum(shuttle: Shuttle, source: Rel, width: int, call: Expression) -> None:
    """The sum of a bigint as one of numerics, in place; the sum of what is narrower stays a bigint."""
    function = call.window_function
    if shuttle.function_name(function.function_reference) != "sum":
        return
    argument = function.arguments[0].value
    kind = shuttle.schema_of(project(source, width, [argument]), 1).types[0]
    if kind == pa.int64() and not is_widened(shuttle, source, width, argument):
        to_numeric(argument)


def rank_sorts(shuttle: Shuttle, source: Rel, width: int, sorts: Any) -> None:
    """Sort doubles as Postgres does, in place."""
    if not sorts:
        return
    kinds = shuttle.schema_of(project(source, width, [sort.expr for sort in sorts]), len(sorts)).types
    for sort, kind in zip(sorts, kinds, strict=True):
        if pt.is_floating(kind):
            sort.expr.CopyFrom(ranked(shuttle, cast_float(sort.expr, pa.float64(), kind)))


def rank_partitions(shuttle: Shuttle, source: Rel, width: int, partitions: Any) -> None:
    """One partition for every NaN, and one for both zeros, in place."""
    if not partitions:
        return
    kinds = shuttle.schema_of(project(source, width, partitions), len(partitions)).types
    for partition, kind in zip(partitions, kinds, strict=True):
        if pt.is_floating(kind):
            partition.CopyFrom(ranked(shuttle, cast_float(partition, pa.float64(), kind)))


def is_widened(shuttle: Shuttle, source: Rel, width: int, argument: Expression) -> bool:
    """Whether a bigint is a narrower integer that DataFusion cast: Postgres' sum of it is a bigint."""
    if argument.WhichOneof("rex_type") != "cast":
        return False
    inner = shuttle.schema_of(project(source, width, [argument.cast.input]), 1).types[0]
    return bool(pt.is_signed_integer(inner) and inner != pa.int64())


def to_numeric(expression: Expression) -> None:
    """An integer as numeric(38, 0), in place."""
    cast = Expression()
    cast.cast.input.CopyFrom(expression)
    cast.cast.failure_behavior = Expression.Cast.FAILURE_BEHAVIOR_THROW_EXCEPTION
    cast.cast.type.decimal.precision, cast.cast.type.decimal.scale = 38, 0
    cast.cast.type.decimal.nullability = Type.NULLABILITY_NULLABLE
    expression.CopyFrom(cast)


def integer_average(shuttle: Shuttle, source: Rel, width: int, call: Expression) -> list[Expression] | None:
    """For avg of integers over a frame that goes along: the sum, exact, and the count that ``quotient`` divides by."""
    function = call.window_function
    if call.WhichOneof("rex_type") != "window_function" or not function.sorts:
        return None
    if shuttle.function_name(function.function_reference) != "avg" or not function.arguments:
        return None
    found = integers_of(shuttle, source, width, function.arguments[0].value)
    if found is None:
        return None
    whole = Expression()
    whole.CopyFrom(found)
    parts = []
    for name in ("sum", "count"):
        part = Expression()
        part.CopyFrom(call)
        part.window_function.function_reference = shuttle.anchor(name)
        part.window_function.arguments[0].value.CopyFrom(whole)
        parts.append(part)
    to_numeric(parts[0].window_function.arguments[0].value)
    return parts


def integers_of(shuttle: Shuttle, source: Rel, width: int, argument: Expression) -> Expression | None:
    """What holds the integers that an argument is, as doubles: the integers themselves, or doubles as exact."""
    if argument.WhichOneof("rex_type") == "cast":
        kind = shuttle.schema_of(project(source, width, [argument.cast.input]), 1).types[0]
        return argument.cast.input if pt.is_signed_integer(kind) else None
    body, index = source.project, field_index(argument)
    mapping = list(body.common.emit.output_mapping)
    if index is None or not mapping or mapping != list(range(mapping[0], mapping[0] + len(body.expressions))):
        return None
    made = body.expressions[index]  # DataFusion casts once what two calls take
    if made.cast.type.WhichOneof("kind") != "fp64":
        return None
    kind = shuttle.schema_of(project(body.input, mapping[0], [made.cast.input]), 1).types[0]
    return argument if pt.is_signed_integer(kind) and kind.bit_width <= 32 else None


def split_averages(shuttle: Shuttle, rel: Rel, width: int) -> Rel:
    """Make averages of integers in a projection of ``width`` columns quotients, in place; what computes the rest."""
    written = list(rel.project.expressions)
    averages = [integer_average(shuttle, rel.project.input, width, call) for call in written]
    if not any(averages):
        return rel
    computing = Rel()
    computing.project.input.CopyFrom(rel.project.input)
    computing.project.expressions.extend(p for e, parts in zip(written, averages, strict=True) for p in parts or (e,))
    count = len(computing.project.expressions)
    places = iter(field(i) for i in range(width, width + count))
    outputs = [next(places) if parts is None else quotient(shuttle, next(places), next(places)) for parts in averages]
    outputs = [*(field(i) for i in range(width)), *outputs]
    if rel.project.common.HasField("emit"):
        outputs = [outputs[i] for i in rel.project.common.emit.output_mapping]
    rel.CopyFrom(project(computing, width + count, outputs))
    found: Rel = rel.project.input
    return found


def quotient(shuttle: Shuttle, total: Expression, count: Expression) -> Expression:
    """Their quotient as a double; NULL of nothing."""
    made = Expression()
    made.scalar_function.function_reference = shuttle.anchor("divide")
    for part in (total, count):
        double = made.scalar_function.arguments.add().value
        double.cast.input.CopyFrom(part)
        double.cast.failure_behavior = Expression.Cast.FAILURE_BEHAVIOR_THROW_EXCEPTION
        double.cast.type.fp64.nullability = Type.NULLABILITY_NULLABLE
    return made
