"""Casts to text in a plan, made to print as Postgres does.

DataFusion prints ``T`` in a timestamp, ``1 days`` and ``100.0``. So what it casts to text goes
through a ``con_text_`` function first, which leaves a text for the cast to do nothing with.
``analysis.printing`` does the same in the query's text, for constants: DataFusion computes
those before there is a plan.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.types as pt
from substrait.proto import Expression, FunctionArgument, Rel, Type

from constellationdb.catalog.types import numeric
from constellationdb.planner.shuttle import Shuttle, project, visit
from constellationdb.planner.text_functions import SUFFIX_OF

_JOINING = frozenset({"concat", "concat_ws"})  # they print a boolean as t, where a cast says true
_TEXTS = ("string", "varchar", "fixed_char")


def render(shuttle: Shuttle, source: Rel, width: int, holder: Any) -> None:
    """In place, in every cast to text of ``holder``, whose columns are those of ``source``."""
    casts: list[Expression] = []
    joined: set[int] = set()

    def collect(expression: Expression) -> None:
        if expression.WhichOneof("rex_type") == "cast" and expression.cast.type.WhichOneof("kind") in _TEXTS:
            casts.append(expression)
        if expression.WhichOneof("rex_type") == "scalar_function":
            call = expression.scalar_function
            if shuttle.function_name(call.function_reference) in _JOINING:
                joined.update(id(argument.value) for argument in call.arguments)

    visit(holder, collect, enter_relations=False)
    inputs = [cast.cast.input for cast in casts]
    if not inputs:
        return
    kinds = shuttle.schema_of(project(source, width, inputs), len(inputs)).types
    for cast, kind in zip(casts, kinds, strict=True):
        _print(shuttle, cast.cast.input, kind, joins=id(cast) in joined)


def _print(shuttle: Shuttle, value: Expression, kind: pa.DataType, *, joins: bool) -> None:
    """``value`` as the text a cast of it is; what DataFusion prints right stays."""
    if pt.is_timestamp(kind):
        kind = pa.timestamp("us", kind.tz and "UTC")
    if kind == numeric().arrow:
        _call(shuttle, "con_trim_scale", as_string(value), value)
    elif kind in SUFFIX_OF and (joins or not pt.is_boolean(kind)):
        _call(shuttle, f"con_text_{SUFFIX_OF[kind]}", value, value)


def as_string(value: Expression) -> Expression:
    """``value`` cast to text."""
    made = Expression()
    made.cast.input.CopyFrom(value)
    made.cast.type.string.nullability = Type.NULLABILITY_NULLABLE
    made.cast.failure_behavior = Expression.Cast.FAILURE_BEHAVIOR_THROW_EXCEPTION
    return made


def _call(shuttle: Shuttle, name: str, argument: Expression, place: Expression) -> None:
    made = Expression()
    made.scalar_function.function_reference = shuttle.anchor(name)
    made.scalar_function.arguments.append(FunctionArgument(value=argument))
    place.CopyFrom(made)
