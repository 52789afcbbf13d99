"""The key of a full join, taken from whichever side has it: it closes when the watermark closes it on both."""

from __future__ import annotations

from collections.abc import Sequence

from substrait.proto import Expression

from constellationdb.planner import plan
from constellationdb.planner.shuttle import Shuttle, field_index


def merged_closing(
    shuttle: Shuttle, base: plan.AnyNode, passthrough: Sequence[int], expressions: Sequence[Expression]
) -> tuple[plan.Column, ...]:
    """Those of ``expressions`` that are such a key; ``passthrough``: the columns of ``base`` that they speak of."""
    closing = _closing_keys(base)
    if not closing:
        return ()
    found = []
    for place, expression in enumerate(expressions):
        first, second = _either(shuttle, expression)
        if first >= 0 and second >= 0:
            offset_us = closing.get(frozenset((passthrough[first], passthrough[second])))
            if offset_us is not None:
                found.append(plan.Column(place, offset_us))
    return tuple(found)


def _closing_keys(base: plan.AnyNode) -> dict[frozenset[int], int]:
    """The pairs of key columns of a full join's output that close on both sides."""
    if not isinstance(base, plan.Join) or base.kind != "full":
        return {}
    left = {c.index: c.offset_us for c in base.left.closing}
    right = {c.index: c.offset_us for c in base.right.closing}
    return {
        frozenset((a, b + len(base.left.schema))): max(left[a], right[b])
        for a, b in zip(base.left_keys, base.right_keys, strict=True)
        if a in left and b in right
    }


def _either(shuttle: Shuttle, expression: Expression) -> tuple[int, int]:
    """The columns of coalesce(a, b), which DataFusion writes as a CASE WHEN a IS NOT NULL; -1: it is not."""
    if expression.WhichOneof("rex_type") != "if_then" or len(expression.if_then.ifs) != 1:
        return -1, -1
    clause, other = expression.if_then.ifs[0], getattr(expression.if_then, "else")
    test = getattr(clause, "if")
    if test.WhichOneof("rex_type") != "scalar_function":
        return -1, -1
    call = test.scalar_function
    if shuttle.function_name(call.function_reference) != "is_not_null":
        return -1, -1
    tested, first, second = field_index(call.arguments[0].value), field_index(clause.then), field_index(other)
    return (-1, -1) if tested is None or tested != first or second is None else (tested, second)
