"""Doubles stay doubles: undo DataFusion's casts of them to numeric.

Where a double meets a numeric (``f > 0.5``, ``coalesce(f, 0.0)``), Postgres turns
the numeric into a double. DataFusion turns the double into a numeric of 15
digits after the point, which fails for 1e16 and loses 1e-16. Its casts are known
by that scale; they go, and the numeric beside them becomes a double instead.

A numeric becomes the double that is nearest to it. DataFusion divides its digits, themselves made a
double, by a power of ten, which rounds twice where there are more than 15 of them.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.types as pt
from substrait.proto import Expression, Rel, Type

from constellationdb.planner.renderings import as_string
from constellationdb.planner.shuttle import Shuttle, project, visit

_MEETING = frozenset(
    {"equal", "not_equal", "gt", "gte", "lt", "lte", "is_distinct_from", "is_not_distinct_from", "coalesce", "nullif",
     "greatest", "least", "add", "subtract", "multiply", "divide", "modulus"}
)  # fmt: skip
_FLOAT_SCALE, _DOUBLE_SCALE = 7, 15  # what DataFusion gives a real and a double
_EXACT_DIGITS = 15  # so many digits are exact in a double


def restore(shuttle: Shuttle, source: Rel, width: int, holder: Any) -> None:
    """In place, in every expression of ``holder``, whose columns are those of ``source``."""
    found: list[Expression] = []
    visit(holder, found.append, enter_relations=False)
    if not any(_is_numeric(expression) for expression in found):
        return
    types = _Types(shuttle, source, width)
    for expression in found:
        if _cast_scale(expression) is not None:
            _drop_cast(types, expression)
        else:
            for meeting in _meetings(shuttle, expression):
                _meet(types, meeting)


def read_digits(shuttle: Shuttle, source: Rel, width: int, holder: Any) -> None:
    """In place, casts of long numerics to double precision or real go by their texts."""
    casts: list[Expression] = []

    def collect(expression: Expression) -> None:
        if expression.WhichOneof("rex_type") == "cast" and expression.cast.type.WhichOneof("kind") in ("fp32", "fp64"):
            casts.append(expression)

    visit(holder, collect, enter_relations=False)
    kinds = _Types(shuttle, source, width).of([cast.cast.input for cast in casts]) if casts else []
    for cast, kind in zip(casts, kinds, strict=True):
        if pt.is_decimal(kind) and kind.precision > _EXACT_DIGITS:
            cast.cast.input.CopyFrom(as_string(cast.cast.input))


class _Types:
    """Asks DataFusion for the types of expressions over one source."""

    def __init__(self, shuttle: Shuttle, source: Rel, width: int) -> None:
        self._shuttle, self._source, self._width = shuttle, source, width

    def of(self, expressions: list[Expression]) -> list[pa.DataType]:
        types = self._shuttle.schema_of(project(self._source, self._width, expressions), len(expressions)).types
        return list(types)


def _is_numeric(expression: Expression) -> bool:
    """A numeric constant, or a cast to numeric: without one, no double meets a numeric by DataFusion's doing."""
    if expression.WhichOneof("rex_type") == "literal":
        return bool(expression.literal.WhichOneof("literal_type") == "decimal")
    return _cast_scale(expression) is not None


def _cast_scale(expression: Expression) -> int | None:
    """The scale of a cast to numeric; None for anything else."""
    if expression.WhichOneof("rex_type") != "cast" or expression.cast.type.WhichOneof("kind") != "decimal":
        return None
    scale: int = expression.cast.type.decimal.scale
    return scale


def _drop_cast(types: _Types, expression: Expression) -> None:
    kind = types.of([expression.cast.input])[0]
    least = {pa.float64(): _DOUBLE_SCALE, pa.float32(): _FLOAT_SCALE}.get(kind)
    scale = _cast_scale(expression)
    if least is not None and scale is not None and scale >= least:
        _become(expression, expression.cast.input)


def _meetings(shuttle: Shuttle, expression: Expression) -> list[list[Expression]]:
    """The operands of ``expression`` that must be of one type, in groups."""
    match expression.WhichOneof("rex_type"):
        case "scalar_function":
            call = expression.scalar_function
            if shuttle.function_name(call.function_reference) in _MEETING:
                return [[argument.value for argument in call.arguments]]
        case "singular_or_list":
            return [[expression.singular_or_list.value, *expression.singular_or_list.options]]
        case "if_then":
            return _branches(expression)
    return []


def _branches(expression: Expression) -> list[list[Expression]]:
    """The results of a CASE; of CASE x WHEN …, whose first clause is x alone, the values too."""
    clauses = list(expression.if_then.ifs)
    results = [clause.then for clause in clauses if clause.HasField("then")]
    if expression.if_then.HasField("else"):
        results.append(getattr(expression.if_then, "else"))
    simple = bool(clauses) and not clauses[0].HasField("then")
    return [results, [getattr(clause, "if") for clause in clauses]] if simple else [results]


def _meet(types: _Types, operands: list[Expression]) -> None:
    kinds = types.of(operands) if len(operands) > 1 else []
    if not any(pt.is_floating(k) for k in kinds) or not any(pt.is_decimal(k) for k in kinds):
        return
    for operand, kind in zip(operands, kinds, strict=True):
        if kind != pa.float64():
            _to_double(types, operand)


def _to_double(types: _Types, expression: Expression) -> None:
    scale = _cast_scale(expression)
    if scale is not None and scale >= _FLOAT_SCALE and _is_exact(types.of([expression.cast.input])[0]):
        _become(expression, expression.cast.input)  # widened only to meet the double
    literal = expression.literal
    if expression.WhichOneof("rex_type") == "literal" and literal.WhichOneof("literal_type") == "decimal":
        unscaled = int.from_bytes(literal.decimal.value, "little", signed=True)
        value = unscaled / 10**literal.decimal.scale
        expression.literal.Clear()
        expression.literal.fp64 = value
        return
    cast = Expression()
    cast.cast.input.CopyFrom(expression)
    cast.cast.type.fp64.nullability = Type.NULLABILITY_NULLABLE
    cast.cast.failure_behavior = Expression.Cast.FAILURE_BEHAVIOR_THROW_EXCEPTION
    expression.CopyFrom(cast)


def _is_exact(kind: pa.DataType) -> bool:
    return bool(pt.is_decimal(kind) or pt.is_integer(kind))


def _become(expression: Expression, inner: Expression) -> None:
    copy = Expression()
    copy.CopyFrom(inner)
    expression.CopyFrom(copy)
