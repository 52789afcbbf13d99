"""Conditions on the clock: apart from the others of a filter, a node that lets rows in and takes them out again."""

from __future__ import annotations

from typing import Any

from substrait.proto import Expression

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner import plan
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.keys import with_keys
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.rewrite.refuse import CLOCK_HINT
from constellationdb.planner.rewrite.temporal_filters import CALLS
from constellationdb.planner.shuttle import Shuttle, field, visit

_OPERATORS: dict[str, Any] = {name: operator for operator, name in CALLS.items()}


def is_clock(shuttle: Shuttle, expression: Expression) -> bool:
    if expression.WhichOneof("rex_type") != "scalar_function":
        return False
    return shuttle.function_name(expression.scalar_function.function_reference) in _OPERATORS


def divided(shuttle: Shuttle, parts: list[Expression]) -> tuple[list[Expression], list[Expression]]:
    """The conditions on the clock, and the others."""
    clock = [part for part in parts if is_clock(shuttle, part)]
    others = [part for part in parts if not is_clock(shuttle, part)]
    refuse_clock(shuttle, [a.value for part in clock for a in part.scalar_function.arguments])
    refuse_clock(shuttle, others)
    return clock, others


def refuse_clock(shuttle: Shuttle, holder: Any) -> None:
    """Where no filter is, nothing would make rows expire."""

    def check(expression: Expression) -> None:
        if is_clock(shuttle, expression):
            raise FeatureNotSupported("now() is not supported here in a continuous query", hint=CLOCK_HINT)

    visit(holder, check)


def lower_clock(lowering: Lowering, stream: Stream, conditions: list[Expression]) -> Stream:
    if not conditions:
        return stream
    width = stream.width
    calls = [condition.scalar_function for condition in conditions]
    stream, columns = with_keys(lowering, stream, [call.arguments[0].value for call in calls])
    node = lowering.build.finish(stream)
    bounds = tuple(
        plan.ClockBound(
            column,
            _OPERATORS[lowering.shuttle.function_name(call.function_reference)],
            int(_text(call.arguments[1].value)),
        )
        for column, call in zip(columns, calls, strict=True)
    )
    made = plan.TemporalFilter(
        id=lowering.build.next_id(), schema_ipc=node.schema_ipc, append_only=False, input=node, bounds=bounds
    )
    return lowering.build.project(lowering.build.stream(made), [field(i) for i in range(width)])


def _text(expression: Expression) -> str:
    while expression.WhichOneof("rex_type") == "cast":
        expression = expression.cast.input
    literal = expression.literal
    value = getattr(literal, literal.WhichOneof("literal_type") or "string")
    return str(getattr(value, "value", value))
