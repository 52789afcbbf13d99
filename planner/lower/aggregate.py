"""GROUP BY: accumulators where every measure has one, otherwise recompute the touched groups."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pt
from substrait.proto import AggregateFunction, AggregateRel, Expression, Rel, Type

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner import arithmetic, plan
from constellationdb.planner.aggregates import correct
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.grouping import accumulate
from constellationdb.planner.lower.scalar import expand_scalars
from constellationdb.planner.lower.stream import Stream, describe
from constellationdb.planner.lower.windowed_aggregate import is_mergeable, windowed_aggregate
from constellationdb.planner.shuttle import field, field_index, project

_FAST = frozenset({"count", "sum", "avg", "min", "max"})
_ORDER_SENSITIVE = frozenset({"first_value", "last_value", "array_agg", "string_agg", "nth_value"})


@dataclass(frozen=True)
class _Call:
    """One measure after its arguments became columns of the pre-projection."""

    name: str
    measure: AggregateRel.Measure
    columns: tuple[int, ...]
    filter: int
    narrow: bool  # an integer narrower than bigint before DataFusion widened it


def lower_aggregate(lowering: Lowering, rel: Rel) -> Stream:
    body = rel.aggregate
    if len(body.groupings) > 1:
        raise FeatureNotSupported("GROUPING SETS, ROLLUP and CUBE are not supported in a continuous query yet")
    stream = lowering.lower(body.input)
    for part in (*body.grouping_expressions, *body.measures):
        stream = expand_scalars(lowering, stream, part)
    arithmetic.check(lowering.shuttle, lowering.build.source(stream), stream.width, body)
    keys = [body.grouping_expressions[i] for i in body.groupings[0].expression_references] if body.groupings else []
    arguments = _Arguments(lowering, stream, keys)
    calls = [arguments.call(measure) for measure in body.measures]
    source, stream = stream, lowering.build.project(stream, arguments.expressions)
    if is_mergeable(stream.base) and not lowering.keeps_late_rows:
        merged = _fast_measures(stream, calls, append_only=True)
        found = merged and windowed_aggregate(lowering, source, arguments.expressions, len(keys), merged)
        if found:
            return found
    fast = _fast_measures(stream, calls, append_only=stream.base.append_only)
    if fast is not None:
        return accumulate(lowering, stream, len(keys), fast)
    return _recompute(lowering, stream, len(keys), calls)


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

    def call(self, measure: AggregateRel.Measure) -> _Call:
        name = self._shuttle.function_name(measure.measure.function_reference)
        narrow = False
        if name in ("sum", "avg") and measure.measure.arguments:
            narrow = self._strip_widening(name, measure.measure)
        columns = []
        for place, argument in enumerate(measure.measure.arguments):
            if _is_setting(name, place, argument.value):
                continue
            columns.append(self.column(argument.value))
            argument.value.CopyFrom(field(columns[-1]))
        for sort in measure.measure.sorts:
            sort.expr.CopyFrom(field(self.column(sort.expr)))
        guard = -1
        if measure.HasField("filter"):
            guard = self.column(measure.filter)
            measure.filter.CopyFrom(field(guard))
        return _Call(name, measure, tuple(columns), guard, narrow)

    def _strip_widening(self, name: str, function: AggregateFunction) -> bool:
        """Undo DataFusion's cast of an integer argument (to bigint for sum, to double for avg), to sum it exactly.

        True when the integer was narrower than bigint: Postgres' sum of it is a bigint.
        """
        value = function.arguments[0].value
        if value.WhichOneof("rex_type") != "cast":
            return False
        inner = value.cast.input
        kind = self._shuttle.schema_of(project(self._source, self._width, [inner]), 1).types[0]
        if not pt.is_signed_integer(kind):
            return False
        target = value.cast.type.WhichOneof("kind")
        if (name, target) == ("sum", "i64") and kind != pa.int64():
            return True
        if (name, target) == ("avg", "fp64"):
            copy = Expression()
            copy.CopyFrom(inner)
            value.CopyFrom(copy)
        return False


def _is_setting(name: str, place: int, argument: Expression) -> bool:
    """Whether an argument is a constant that belongs to the call: count(1)'s, a delimiter, a percentile."""
    if argument.WhichOneof("rex_type") != "literal":
        return False
    return place > 0 or (name == "count" and argument.literal.WhichOneof("literal_type") != "null")


def _fast_measures(
    stream: Stream, calls: list[_Call], *, append_only: bool
) -> list[tuple[plan.Measure, pa.DataType]] | None:
    """The measures with their output types, or None when one has no accumulator."""
    made = []
    for call in calls:
        found = _fast_measure(stream, call, append_only)
        if found is None:
            return None
        made.append(found)
    return made


def _fast_measure(stream: Stream, call: _Call, append_only: bool) -> tuple[plan.Measure, pa.DataType] | None:
    function = call.measure.measure
    if call.name not in _FAST or len(call.columns) > 1 or function.sorts:
        return None
    if function.invocation == AggregateFunction.AGGREGATION_INVOCATION_DISTINCT:
        return None
    column = call.columns[0] if call.columns else -1
    kind = stream.schema.field(column).type if column >= 0 else pa.int64()
    output = _output_type(call, kind, append_only)
    if output is None:
        return None
    return plan.Measure(call.name, column, call.filter), output  # type: ignore[arg-type]


def _output_type(call: _Call, kind: pa.DataType, append_only: bool) -> pa.DataType | None:
    integer, floating = pt.is_signed_integer(kind), kind in (pa.float64(), pa.float32())
    match call.name:
        case "count":
            return pa.int64()
        case "sum" if integer:
            return pa.int64() if call.narrow or kind != pa.int64() else pa.decimal128(38, 0)
        case "sum" if pt.is_decimal128(kind):
            return pa.decimal128(38, kind.scale)
        case "sum" if kind == pa.float64():
            return pa.float64()
        case "avg" if integer or kind == pa.float64():
            return pa.float64()
        case "min" | "max" if append_only and (integer or floating or pt.is_timestamp(kind) or kind == pa.date32()):
            return kind
        case _:
            return None


def _recompute(lowering: Lowering, stream: Stream, key_count: int, calls: list[_Call]) -> Stream:
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
            ordered=any(call.name in _ORDER_SENSITIVE or _sums_floats(stream, call) for call in calls),
            shows=describe(shuttle.display_of(rel, width)),
        )
    )


def _sums_floats(stream: Stream, call: _Call) -> bool:
    return any(pt.is_floating(stream.schema.field(c).type) for c in call.columns)


def _widen_sum(stream: Stream, call: _Call) -> None:
    """sum(bigint) is numeric in Postgres; DataFusion's bigint sum would wrap."""
    if call.name not in ("sum", "avg") or not call.columns:
        return
    kind = stream.schema.field(call.columns[0]).type
    if not pt.is_signed_integer(kind):
        return
    cast = Expression()
    cast.cast.input.CopyFrom(field(call.columns[0]))
    cast.cast.failure_behavior = Expression.Cast.FAILURE_BEHAVIOR_THROW_EXCEPTION
    if call.name == "avg":
        cast.cast.type.fp64.nullability = Type.NULLABILITY_NULLABLE
    elif kind == pa.int64() and not call.narrow:
        cast.cast.type.decimal.precision, cast.cast.type.decimal.scale = 38, 0
        cast.cast.type.decimal.nullability = Type.NULLABILITY_NULLABLE
    else:
        return
    call.measure.measure.arguments[0].value.CopyFrom(cast)


def _break_ties(stream: Stream, call: _Call) -> None:
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
