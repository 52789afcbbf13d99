"""Join conditions taken apart: which equalities are keys, and what is left."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from substrait.proto import Expression, FunctionArgument

from constellationdb.planner import arithmetic
from constellationdb.planner.shuttle import Shuttle, fields_used, project, remap

_EQUALITIES = {"equal": False, "is_not_distinct_from": True}


@dataclass(frozen=True)
class Condition:
    """A join condition taken apart: key expressions of each side, and what is left over both."""

    left: list[Expression]
    right: list[Expression]  # over the right side's own columns
    null_safe: list[bool]
    residual: list[Expression]


def split_condition(shuttle: Shuttle, expression: Expression | None, left_width: int) -> Condition:
    """Equalities between one side and the other become keys; everything else stays together as residual."""
    condition = Condition([], [], [], [])
    for conjunct in conjuncts(shuttle, expression):
        pair = _key_pair(shuttle, conjunct, left_width)
        if pair is None:
            condition.residual.append(conjunct)
        else:
            left, right, null_safe = pair
            condition.left.append(left)
            condition.right.append(remap(right, lambda i: i - left_width))
            condition.null_safe.append(null_safe)
    return condition


def conjuncts(shuttle: Shuttle, expression: Expression | None) -> list[Expression]:
    """The parts of an AND, flattened; TRUE has none."""
    if expression is None or expression.WhichOneof("rex_type") is None:
        return []
    kind = expression.WhichOneof("rex_type")
    if kind == "literal" and expression.literal.WhichOneof("literal_type") == "boolean" and expression.literal.boolean:
        return []
    if kind != "scalar_function":
        return [expression]
    call = expression.scalar_function
    if shuttle.function_name(call.function_reference) != "and":
        return [expression]
    return [part for argument in call.arguments for part in conjuncts(shuttle, argument.value)]


def conjunction(shuttle: Shuttle, parts: list[Expression]) -> Expression:
    """The AND of ``parts``, of which there is at least one."""
    if len(parts) == 1:
        return parts[0]
    expression = Expression()
    expression.scalar_function.function_reference = shuttle.anchor("and")
    expression.scalar_function.arguments.extend(FunctionArgument(value=part) for part in parts)
    return expression


def _key_pair(shuttle: Shuttle, conjunct: Expression, left_width: int) -> tuple[Expression, Expression, bool] | None:
    if conjunct.WhichOneof("rex_type") != "scalar_function":
        return None
    call = conjunct.scalar_function
    null_safe = _EQUALITIES.get(shuttle.function_name(call.function_reference))
    if null_safe is None:
        return None
    first, second = call.arguments[0].value, call.arguments[1].value
    sides = [_side(first, left_width), _side(second, left_width)]
    if sides == ["left", "right"]:
        return first, second, null_safe
    if sides == ["right", "left"]:
        return second, first, null_safe
    return None


def _side(expression: Expression, left_width: int) -> str:
    used = fields_used(expression)
    if not used:
        return "none"
    if all(i < left_width for i in used):
        return "left"
    return "right" if all(i >= left_width for i in used) else "both"


def equality(shuttle: Shuttle, left: Expression, right: Expression, null_safe: bool) -> Expression:
    """left = right, or left IS NOT DISTINCT FROM right."""
    expression = Expression()
    expression.scalar_function.function_reference = shuttle.anchor("is_not_distinct_from" if null_safe else "equal")
    expression.scalar_function.arguments.extend(FunctionArgument(value=side) for side in (left, right))
    return expression


def hidden(shuttle: Shuttle, part: Expression) -> Expression:
    """An equality as NOT (a <> b): DataFusion would read it back as a join key, even where both are of one side."""
    other = {"equal": "not_equal", "is_not_distinct_from": "is_distinct_from"}
    if part.WhichOneof("rex_type") != "scalar_function":
        return part
    name = other.get(shuttle.function_name(part.scalar_function.function_reference))
    if name is None:
        return part
    unequal, negated = Expression(), Expression()
    unequal.CopyFrom(part)
    unequal.scalar_function.function_reference = shuttle.anchor(name)
    negated.scalar_function.function_reference = shuttle.anchor("not")
    negated.scalar_function.arguments.append(FunctionArgument(value=unequal))
    return negated


def hide_residual(shuttle: Shuttle, expression: Expression, left_width: int) -> None:
    """In place: of a whole join condition, the equalities that are not between the sides.

    Also those that take NULLs for equal beside others that do not: a join of DataFusion's takes all of its keys alike.
    """
    parts = conjuncts(shuttle, expression)
    if parts:
        pairs = [_key_pair(shuttle, part, left_width) for part in parts]
        mixed = len({pair[2] for pair in pairs if pair is not None}) > 1
        keys = [pair is not None and not (mixed and pair[2]) for pair in pairs]
        made = [part if key else hidden(shuttle, part) for part, key in zip(parts, keys, strict=True)]
        copy = Expression()
        copy.CopyFrom(conjunction(shuttle, made))
        expression.CopyFrom(copy)


def checked(shuttle: Shuttle, schema: pa.Schema, parts: list[Expression]) -> list[Expression]:
    """``parts`` over rows of ``schema``, with arithmetic that raises instead of wrapping."""
    source = shuttle.slot(0, positional(schema))
    for part in parts:
        arithmetic.check(shuttle, source, len(schema), part)
    return parts


def condition_plan(shuttle: Shuttle, schema: pa.Schema, parts: list[Expression]) -> bytes | None:
    """The AND of ``parts`` as a plan that gives one boolean per row of ``slot0``; None when there are no parts."""
    if not parts:
        return None
    return test_plan(shuttle, schema, checked(shuttle, schema, parts))


def test_plan(shuttle: Shuttle, schema: pa.Schema, parts: list[Expression]) -> bytes:
    """The same of parts that are ``checked``."""
    test = conjunction(shuttle, parts)
    return shuttle.encode(project(shuttle.slot(0, positional(schema)), len(schema), [test]), 1)


def positional(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(schema.types)])
