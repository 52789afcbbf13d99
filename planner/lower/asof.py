"""ASOF joins: the call that stands for one, taken apart into keys, times, a direction, and conditions of either side.

Which row is the closest is asked of those of the right that meet its conditions; a row of the left that does not
meet its own has no time to find one by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
from substrait.proto import Expression, JoinRel, Rel

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner import arithmetic, plan
from constellationdb.planner.lower.casts import align
from constellationdb.planner.lower.condition import conjunction, split_condition
from constellationdb.planner.lower.core import Lowering, read_columns, width_of
from constellationdb.planner.lower.keys import with_keys
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.shuttle import Shuttle, field, fields_used, remap, select

_CALLS: dict[str, tuple[Literal["inner", "left"], bool]] = {
    "con_asof_inner": ("inner", False),
    "con_asof_left": ("left", False),
    "con_asof_inner_nearest": ("inner", True),
    "con_asof_left_nearest": ("left", True),
}
_MIRRORED = {"gte": "lte", "gt": "lt", "lte": "gte", "lt": "gt"}


@dataclass(frozen=True)
class AsofCondition:
    """Keys, times and conditions as expressions over their own side's columns."""

    left: list[Expression]
    right: list[Expression]
    null_safe: tuple[bool, ...]
    left_time: Expression
    right_time: Expression
    direction: plan.AsofDirection
    inclusive: bool
    join_type: Literal["inner", "left"]
    right_conditions: list[Expression]

    def match(self, left_keys: list[int], right_keys: list[int]) -> plan.AsofMatch:
        """The same over columns: the keys', then the time's."""
        return plan.AsofMatch(
            left_keys=tuple(left_keys[:-1]),
            right_keys=tuple(right_keys[:-1]),
            null_safe=self.null_safe,
            left_time=left_keys[-1],
            right_time=right_keys[-1],
            direction=self.direction,
            inclusive=self.inclusive,
            join_type=self.join_type,
        )


def asof_condition(shuttle: Shuttle, body: JoinRel) -> AsofCondition | None:
    """The condition of a join if it is an ASOF join; of the right side's columns those that are read."""
    expression = body.expression
    if expression.WhichOneof("rex_type") != "scalar_function":
        return None
    name = shuttle.function_name(expression.scalar_function.function_reference)
    if name not in _CALLS:
        return None
    join_type, nearest = _CALLS[name]
    order, equalities = (argument.value for argument in expression.scalar_function.arguments)
    width = width_of(body.left)
    keys = split_condition(shuttle, equalities, width)
    ours, theirs = _conditions(keys.residual, width)
    operator, left, right = _times(shuttle, order, width)
    return AsofCondition(
        left=keys.left,
        right=keys.right,
        null_safe=tuple(keys.null_safe),
        left_time=_where(conjunction(shuttle, ours), left) if ours else left,
        right_time=remap(right, lambda i: i - width),
        direction="nearest" if nearest else "backward" if operator in ("gte", "gt") else "forward",
        inclusive=operator in ("gte", "lte"),
        join_type=join_type,
        right_conditions=theirs,
    )


def _conditions(residual: list[Expression], width: int) -> tuple[list[Expression], list[Expression]]:
    """Those of the left, and those of the right over its own columns."""
    ours, theirs = [], []
    for part in residual:
        sides = _sides(part, width)
        if sides == {"left", "right"}:
            raise FeatureNotSupported(
                "an ASOF JOIN can only compare a column of one side with one of the other for equality",
                hint="put other conditions into WHERE, or into a subquery of the right side",
            )
        if sides == {"left"}:
            ours.append(part)
        else:
            theirs.append(remap(part, lambda i: i - width))
    return ours, theirs


def _where(condition: Expression, time: Expression) -> Expression:
    """CASE WHEN condition THEN time END."""
    made = Expression()
    clause = made.if_then.ifs.add()
    getattr(clause, "if").CopyFrom(condition)
    clause.then.CopyFrom(time)
    return made


def _times(shuttle: Shuttle, order: Expression, width: int) -> tuple[str, Expression, Expression]:
    """The operator between the left's time and the right's."""
    call = order.scalar_function if order.WhichOneof("rex_type") == "scalar_function" else None
    name = "" if call is None else shuttle.function_name(call.function_reference)
    if call is not None and name in _MIRRORED:
        first, second = (argument.value for argument in call.arguments)
        sides = [_sides(first, width), _sides(second, width)]
        if sides == [{"left"}, {"right"}]:
            return name, first, second
        if sides == [{"right"}, {"left"}]:
            return _MIRRORED[name], second, first
    raise FeatureNotSupported(
        "an ASOF JOIN must compare a time of one side with a time of the other", hint="write l.ts >= r.ts"
    )


def _sides(expression: Expression, width: int) -> set[str]:
    return {"left" if i < width else "right" for i in fields_used(expression)}


def check_times(left: pa.DataType, right: pa.DataType) -> None:
    for kind in (left, right):
        if not (pa.types.is_timestamp(kind) or pa.types.is_date32(kind) or pa.types.is_integer(kind)):
            raise FeatureNotSupported("an ASOF JOIN compares timestamps, dates or integers")
    if left != right and not (pa.types.is_integer(left) and pa.types.is_integer(right)):
        raise FeatureNotSupported("an ASOF JOIN compares times of one type", hint="cast one of them")


def whole_right(rel: Rel) -> tuple[Rel, list[int]]:
    """The right side with all columns of its relation, and where those that were read stand among them.

    Of rows at one time the least is taken, by all of its columns, whatever the query reads of it.
    """
    if rel.WhichOneof("rel_type") != "read" or rel.read.WhichOneof("read_type") != "named_table":
        return rel, list(range(width_of(rel)))
    whole = Rel()
    whole.CopyFrom(rel)
    whole.read.ClearField("projection")
    return whole, read_columns(rel)


def lower_asof(lowering: Lowering, body: JoinRel, condition: AsofCondition) -> Stream:
    wider, places = whole_right(body.right)
    left, right = lowering.lower(body.left), lowering.lower(wider)
    width = left.width
    left, left_keys = with_keys(lowering, left, [*condition.left, condition.left_time])
    on_right = [remap(e, places.__getitem__) for e in (*condition.right, condition.right_time)]
    if condition.right_conditions:
        meets = remap(conjunction(lowering.shuttle, condition.right_conditions), places.__getitem__)
        arithmetic.check(lowering.shuttle, lowering.build.source(right), right.width, meets)
        right = lowering.build.filter(right, lambda chain: select(chain, meets))
    right, right_keys = with_keys(lowering, right, on_right)
    left, right = align(lowering, left, right, left_keys, right_keys)
    check_times(left.schema.types[left_keys[-1]], right.schema.types[right_keys[-1]])
    made = _node(lowering, lowering.build.finish(left), lowering.build.finish(right), condition, left_keys, right_keys)
    stream = lowering.build.stream(made)
    added = len(made.left.schema)
    return lowering.build.project(stream, [field(i) for i in [*range(width), *(added + p for p in places)]])


def _node(
    lowering: Lowering,
    left: plan.AnyNode,
    right: plan.AnyNode,
    condition: AsofCondition,
    left_keys: list[int],
    right_keys: list[int],
) -> plan.Asof:
    match = condition.match(left_keys, right_keys)
    timed = match.left_time in left.times and match.right_time in right.times
    expires = timed and left.append_only and right.append_only
    # Looking back, a row is final as soon as nothing earlier than its time can come.
    final = expires and match.direction == "backward"
    types = [*left.schema.types, *right.schema.types]
    return plan.Asof(
        id=lowering.build.next_id(),
        schema_ipc=plan.encode_schema(pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(types)])),
        append_only=False,
        times=(match.left_time,) if final else (),
        closing=(plan.Column(match.left_time, 1),) if final else (),
        left=left,
        right=right,
        match=match,
        expires=expires,
    )
