"""Places where a query that computes can be stopped.

A running query is stopped by an exception that its thread meets in Python
(``engine.cancellation``): between polls of its inputs, or inside a function of
ours. A join without an equality makes millions of rows of a few without either,
so its rows pass through a function that does nothing.
"""

from __future__ import annotations

from substrait.proto import Expression, FunctionArgument, Rel

from constellationdb.planner.lower.condition import split_condition
from constellationdb.planner.lower.core import width_of
from constellationdb.planner.shuttle import Shuttle, field, select


def watch(shuttle: Shuttle, rel: Rel) -> None:
    """In place: the rows of a join that has no equality between its sides pass by."""
    kind = rel.WhichOneof("rel_type")
    if kind == "join" and split_condition(shuttle, rel.join.expression, width_of(rel.join.left)).left:
        return
    if kind in ("join", "cross") and width_of(rel):
        join = Rel()
        join.CopyFrom(rel)
        rel.CopyFrom(select(join, _call(shuttle, "con_passing", _or_true(shuttle, field(0)))))


def _or_true(shuttle: Shuttle, value: Expression) -> Expression:
    """Whatever ``value`` is, true of it."""
    return _call(shuttle, "or", _call(shuttle, "is_null", value), _call(shuttle, "is_not_null", value))


def _call(shuttle: Shuttle, name: str, *arguments: Expression) -> Expression:
    call = Expression()
    call.scalar_function.function_reference = shuttle.anchor(name)
    call.scalar_function.output_type.bool.nullability = 2
    call.scalar_function.arguments.extend(FunctionArgument(value=argument) for argument in arguments)
    return call
