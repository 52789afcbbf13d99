"""GROUP BY: accumulators where every measure has one, otherwise recompute the touched groups."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pt
from substrait.proto import AggregateFunction, AggregateRel, Expression, Rel, Type

from constellationdb.planner import arithmetic, plan
from constellationdb.planner.aggregates import correct
from constellationdb.planner.analysis.calls import USER_AGGREGATE
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.first import lower_first
from constellationdb.planner.lower.grouping import accumulate
from constellationdb.planner.lower.grouping_sets import lower_sets
from constellationdb.planner.lower.measures import Call, accumulated, computes_doubles
from constellationdb.planner.lower.scalar import expand_scalars
from constellationdb.planner.lower.stream import Stream, describe
from constellationdb.planner.lower.windowed_aggregate import is_mergeable, windowed_aggregate
from constellationdb.planner.shuttle import field, field_index, project

_ORDER_SENSITIVE = frozenset({"first_value", "last_value", "array_agg", "string_agg", "nth_value"})


def lower_aggregate(lowering: Lowering, rel: Rel) -> Stream:
    body = rel.aggregate
    stream = lowering.lower(body.input)
    for part in (*body.grouping_expressions, *body.measures):
        stream = expand_scalars(lowering, stream, part)
    arithmetic.check(lowering.shuttle, lowering.build.source(stream), stream.width, body)
    if len(body.groupings) > 1:
        return lower_sets(lowering, body, stream, lambda shared, own: _aggregated(lowering, shared, own))
    return _aggregated(lowering, stream, body)


def _aggregated(lowering: Lowering, stream: Stream, body: AggregateRel) -> Stream:
    keys = [body.grouping_expressions[i] for i in body.groupings[0].expression_references] if body.groupings else []
    arguments = _Arguments(lowering, stream, keys)
    calls = [arguments.call(measure) for measure in body.measures]
    source, stream = stream, lowering.build.project(stream, arguments.expressions)
    if is_mergeable(stream.base) and not lowering.keeps_late_rows:
        merged = [found for call in calls if (found := accumulated(stream, call, append_only=True))]
        if len(merged) == len(calls):
            windowed = windowed_aggregate(lowering, source, arguments.expressions, len(keys), merged)
            if windowed is not None:
                return windowed
    first = lower_first(lowering, stream, calls, len(keys))
    if first is not None:
        return first
    fast = [accumulated(stream, call, append_only=stream.base.append_only) for call in calls]
    if all(fast):
        return accumulate(lowering, stream, len(keys), [measure for measure in fast if measure])
    return _recompute(lowering, stream, calls, len(keys), [measure is None for measure in fast])


class _Arguments:
    """Collects what must be computed before the aggregate: keys first, then each distinct argument once."""

    def __init__(self, lowering: Lowering, stream: Stream, keys: list[Expression]) -> None:
        self._shuttle = lowering.shuttle
        self._source = lowering.build.source(stream)
        self._width = stream.width
        self.expressions = list(keys)

    def column(self, expression: Expression) -> int:
        for index, known in enumerate(self.expressions):
            if known == expression:
                return index
        copy = Expression()  # the original is about to become a reference to this column
        copy.CopyFrom(expression)
        self.expressions.append(copy)
        return len(self.expressions) - 1

    def call(self, measure: AggregateRel.Measure) -> Call:
        name = self._shuttle.function_name(measure.measure.function_reference)
        narrow = False
        if name == "sum" or computes_doubles(name):
            stripped = [self._strip_widening(name, argument.value) for argument in measure.measure.arguments]
            narrow = any(stripped)
        distinct = measure.measure.invocation == AggregateFunction.AGGREGATION_INVOCATION_DISTINCT
        arguments = [a.value for a in measure.measure.arguments]
        given = [value for i, value in enumerate(arguments) if not _is_setting(name, i, value, distinct=distinct)]
        row = len(given) == 1 and self._is_row(given[0])
        columns = []
        for argument in [a.value for a in given[0].scalar_function.arguments] if row else given:
            columns.append(self.column(argument))
            argument.CopyFrom(field(columns[-1]))
        for sort in measure.measure.sorts:
            sort.expr.CopyFrom(field(self.column(sort.expr)))
        guard = -1
        if measure.HasField("filter"):
            guard = self.column(measure.filter)
            measure.filter.CopyFrom(field(guard))
        return Call(name, measure, tuple(columns), guard, narrow, row)

    def _is_row(self, argument: Expression) -> bool:
        call = argument.scalar_function
        return argument.WhichOneof("rex_type") == "scalar_function" and (
            self._shuttle.function_name(call.function_reference) == "struct"
        )

    def _strip_widening(self, name: str, value: Expression) -> bool:
        """Undo DataFusion's cast of an integer argument (to bigint for sum, else to double), to sum it exactly.

        True when the integer was narrower than bigint: Postgres' sum of it is a bigint.
        """
        if value.WhichOneof("rex_type") != "cast":
            return False
        inner = value.cast.input
        kind = self._shuttle.schema_of(project(self._source, self._width, [inner]), 1).types[0]
        if not pt.is_signed_integer(kind):
            return False
        target = value.cast.type.WhichOneof("kind")
        if (name, target) == ("sum", "i64") and kind != pa.int64():
            return True
        if name != "sum" and target == "fp64":
            copy = Expression()
            copy.CopyFrom(inner)
            value.CopyFrom(copy)
        return False


def _is_setting(name: str, place: int, argument: Expression, *, distinct: bool) -> bool:
    """Whether an argument is a constant that belongs to the call: count(1)'s, a delimiter, a percentile."""
    if argument.WhichOneof("rex_type") != "literal" or name.startswith(USER_AGGREGATE):
        return False
    return place > 0 or (name == "count" and not distinct and argument.literal.WhichOneof("literal_type") != "null")


def _recompute(lowering: Lowering, stream: Stream, calls: list[Call], key_count: int, generic: list[bool]) -> Stream:
    shuttle = lowering.shuttle
    stream = lowering.build.pad(stream)
    node = lowering.build.finish(stream)
    rel = Rel()
    rel.aggregate.input.CopyFrom(shuttle.slot(0, stream.schema))
    rel.aggregate.grouping_expressions.extend(field(i) for i in range(key_count))
    rel.aggregate.groupings.add().expression_references.extend(range(key_count))
    for call in calls:
        _widen_sum(stream, call)
        _break_ties(stream, call)
        rel.aggregate.measures.append(call.measure)
    width = key_count + len(calls)
    rel = correct(shuttle, rel, rel.aggregate.input, stream.width)
    return lowering.build.stream(
        plan.Recompute(
            id=lowering.build.next_id(),
            schema_ipc=plan.encode_schema(shuttle.schema_of(rel, width)),
            append_only=False,
            closing=tuple(c for c in node.closing if c.index < key_count),
            inputs=(node,),
            keys=(tuple(range(key_count)),),
            out_keys=tuple((i,) for i in range(key_count)),
            substrait=shuttle.encode(rel, width),
            reusable=True,
            ordered=any(_is_ordered(call.name) or _sums_floats(stream, call) for call in calls),
            shows=describe(shuttle.display_of(rel, width)),
            single=True,
            generic=tuple(key_count + i for i, alone in enumerate(generic) if alone),
        )
    )


def _is_ordered(name: str) -> bool:
    """What a user's own does with its rows may depend on their order."""
    return name in _ORDER_SENSITIVE or name.startswith(USER_AGGREGATE)


def _sums_floats(stream: Stream, call: Call) -> bool:
    return any(pt.is_floating(stream.schema.field(c).type) for c in call.columns)


def _widen_sum(stream: Stream, call: Call) -> None:
    """sum(bigint) is numeric in Postgres; DataFusion's bigint sum would wrap. What computes doubles takes doubles."""
    doubles = computes_doubles(call.name)
    if call.name != "sum" and not doubles:
        return
    for argument, column in zip(call.measure.measure.arguments, call.columns, strict=False):
        kind = stream.schema.field(column).type
        if not pt.is_signed_integer(kind) or not (doubles or (kind == pa.int64() and not call.narrow)):
            continue
        cast = Expression()
        cast.cast.input.CopyFrom(field(column))
        cast.cast.failure_behavior = Expression.Cast.FAILURE_BEHAVIOR_THROW_EXCEPTION
        if doubles:
            cast.cast.type.fp64.nullability = Type.NULLABILITY_NULLABLE
        else:
            cast.cast.type.decimal.precision, cast.cast.type.decimal.scale = 38, 0
            cast.cast.type.decimal.nullability = Type.NULLABILITY_NULLABLE
        argument.value.CopyFrom(cast)


def _break_ties(stream: Stream, call: Call) -> None:
    """An aggregate that depends on order gets every column as its last sort key."""
    if call.name not in _ORDER_SENSITIVE:
        return
    function = call.measure.measure
    if function.invocation == AggregateFunction.AGGREGATION_INVOCATION_DISTINCT:
        return
    sorted_by = {field_index(sort.expr) for sort in function.sorts}
    for column in range(stream.width):
        if column not in sorted_by:
            sort = function.sorts.add()
            sort.expr.CopyFrom(field(column))
            sort.direction = 2  # SORT_DIRECTION_ASC_NULLS_LAST
