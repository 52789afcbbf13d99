"""Joins lowered to the general operator, as a reference for those by deltas: the same join, asked again as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from substrait.proto import Expression, Rel

from constellationdb.planner import plan
from constellationdb.planner.lower import join
from constellationdb.planner.lower.condition import Condition, checked, conjunction, equality, hidden, test_plan
from constellationdb.planner.lower.core import JOIN_TYPES, Lowering
from constellationdb.planner.lower.join import Sides, side_by_side
from constellationdb.planner.lower.stream import Stream, describe
from constellationdb.planner.shuttle import field

# What can be put together from the pairs that match and the rows that match nothing.
_BY_PAIRS: tuple[plan.JoinType, ...] = ("inner", "left", "full", "semi", "anti")


@contextmanager
def recomputed() -> Iterator[None]:
    """Plans made meanwhile have no join by deltas."""
    with patch.object(join, "join_by_deltas", _recompute_join):
        yield


def _recompute_join(
    lowering: Lowering, kind: plan.JoinType, sides: Sides, condition: Condition, residual: list[Expression]
) -> Stream:
    shuttle = lowering.shuttle
    left, right = lowering.build.finish(sides.left), lowering.build.finish(sides.right)
    width = len(left.schema)
    test = None
    if residual:
        combined = side_by_side(left, right)
        residual = checked(shuttle, combined, residual)
        test = test_plan(shuttle, combined, residual) if kind in _BY_PAIRS else None
        residual = [hidden(shuttle, part) for part in residual]
    keys = zip(sides.left_keys, sides.right_keys, condition.null_safe, strict=True)
    parts = [equality(shuttle, field(a), field(b + width), null_safe) for a, b, null_safe in keys] + residual
    rel = Rel()
    rel.join.left.CopyFrom(shuttle.slot(0, left.schema))
    rel.join.right.CopyFrom(shuttle.slot(1, right.schema))
    rel.join.type = next(number for number, name in JOIN_TYPES.items() if name == kind)
    if parts:
        rel.join.expression.CopyFrom(conjunction(shuttle, parts))
    else:
        rel.join.expression.literal.boolean = True
    if kind == "inner" and not parts:
        rel = _as_cross(rel)
    columns = {"semi": width, "anti": width, "mark": width + 1}.get(kind, width + len(right.schema))
    one_sided = kind in ("semi", "anti", "mark", "left")
    pairs = zip(sides.left_keys, sides.right_keys, strict=True)
    return lowering.build.stream(
        plan.Recompute(
            id=lowering.build.next_id(),
            schema_ipc=plan.encode_schema(shuttle.schema_of(rel, columns)),
            append_only=False,
            inputs=(left, right),
            keys=(tuple(sides.left_keys), tuple(sides.right_keys)),
            out_keys=tuple((a,) if one_sided else (a, b + width) for a, b in pairs),
            substrait=shuttle.encode(rel, columns),
            reusable=False,
            ordered=False,
            shows=describe(shuttle.display_of(rel, columns)),
            join=None if test is None else kind,
            condition=test,
        )
    )


def _as_cross(rel: Rel) -> Rel:
    cross = Rel()
    cross.cross.left.CopyFrom(rel.join.left)
    cross.cross.right.CopyFrom(rel.join.right)
    return cross
