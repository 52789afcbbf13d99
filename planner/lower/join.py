"""Joins: inner and semi equi-joins by deltas, lookup joins, every other kind by recomputing the touched keys."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa
from substrait.proto import Expression, JoinRel, Rel

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner import plan
from constellationdb.planner.lower.asof import asof_condition, lower_asof
from constellationdb.planner.lower.casts import align
from constellationdb.planner.lower.condition import (
    Condition,
    checked,
    condition_plan,
    conjunction,
    equality,
    hidden,
    split_condition,
    test_plan,
)
from constellationdb.planner.lower.core import JOIN_TYPES, MIRRORED, Lowering, width_of
from constellationdb.planner.lower.grouping import distinct
from constellationdb.planner.lower.keys import with_keys
from constellationdb.planner.lower.lookup import find_lookup, lower_lookup
from constellationdb.planner.lower.stream import Stream, describe
from constellationdb.planner.lower.temporal_filter import divided, lower_clock, refuse_clock
from constellationdb.planner.shuttle import field, remap


def lower_join(lowering: Lowering, rel: Rel) -> Stream:
    body = _mirrored(rel.join) if rel.join.type in MIRRORED else rel.join
    kind = JOIN_TYPES.get(body.type)
    if kind is None:
        raise FeatureNotSupported("a join of this kind is not supported in a continuous query")
    in_time = asof_condition(lowering.shuttle, body)
    if in_time is not None:
        return lower_asof(lowering, body, in_time)
    lookup = find_lookup(lowering, body, kind)
    if lookup is not None:
        return lower_lookup(lowering, body, lookup)
    left, right = lowering.lower(body.left), lowering.lower(body.right)
    condition = split_condition(lowering.shuttle, body.expression if body.HasField("expression") else None, left.width)
    widths = (left.width, right.width)
    left, left_keys = with_keys(lowering, left, condition.left)
    right, right_keys = with_keys(lowering, right, condition.right)
    left, right = align(lowering, left, right, left_keys, right_keys)
    return join_streams(lowering, kind, Sides(left, right, left_keys, right_keys, widths), condition)


def _mirrored(body: JoinRel) -> JoinRel:
    """The same join with its sides exchanged."""
    left, right = width_of(body.left), width_of(body.right)
    swapped = JoinRel(left=body.right, right=body.left, type=MIRRORED[body.type])
    if body.HasField("expression"):
        swapped.expression.CopyFrom(remap(body.expression, lambda i: i + right if i < left else i - left))
    return swapped


def lower_cross(lowering: Lowering, rel: Rel) -> Stream:
    left, right = lowering.lower(rel.cross.left), lowering.lower(rel.cross.right)
    return join_streams(
        lowering, "inner", Sides(left, right, [], [], (left.width, right.width)), Condition([], [], [], [])
    )


@dataclass(frozen=True)
class Sides:
    """Both inputs with their key columns; computed keys stand at the end of each."""

    left: Stream
    right: Stream
    left_keys: list[int]
    right_keys: list[int]
    widths: tuple[int, int]  # as written, without computed keys


def join_streams(lowering: Lowering, kind: plan.JoinType, sides: Sides, condition: Condition) -> Stream:
    """The join with the columns it has as written: those of the left, then those of the right."""
    left_width, right_width = sides.widths
    sides = replace(sides, left=lowering.build.pad(sides.left), right=lowering.build.pad(sides.right))

    def place(index: int) -> int:
        """A column of the join as written → its place when both sides carry their computed keys."""
        return index if index < left_width else index - left_width + sides.left.width

    clock, others = divided(lowering.shuttle, condition.residual)
    if clock and kind != "inner":
        refuse_clock(lowering.shuttle, clock)
    residual = [remap(part, place) for part in others]
    if kind == "inner" and condition.left:
        stream = _delta_join(lowering, sides, condition, residual)
    elif kind == "semi" and condition.left and not residual:
        stream = _delta_join(lowering, _to_distinct(lowering, sides), condition, [])
    else:
        stream = _recompute_join(lowering, kind, sides, condition, residual)
    if kind in ("semi", "anti"):
        wanted = list(range(left_width))
    elif kind == "mark":
        wanted = [*range(left_width), sides.left.width]
    else:
        wanted = [place(i) for i in range(left_width + right_width)]
    return lower_clock(lowering, lowering.build.project(stream, [field(i) for i in wanted]), clock)


def _to_distinct(lowering: Lowering, sides: Sides) -> Sides:
    """A semi join is the inner join with the different keys of the right side: each row finds one at most."""
    right = distinct(lowering, sides.right, sides.right_keys)
    return replace(sides, right=right, right_keys=list(range(right.width)))


def _delta_join(lowering: Lowering, sides: Sides, condition: Condition, residual: list[Expression]) -> Stream:
    left, right = lowering.build.finish(sides.left), lowering.build.finish(sides.right)
    schema = _side_by_side(left, right)
    shuttle = lowering.shuttle
    filtered = condition_plan(shuttle, schema, residual)
    return lowering.build.stream(
        plan.Join(
            id=lowering.build.next_id(),
            schema_ipc=plan.encode_schema(schema),
            append_only=left.append_only and right.append_only,
            closing=_closing(left, right, sides),
            left=left,
            right=right,
            left_keys=tuple(sides.left_keys),
            right_keys=tuple(sides.right_keys),
            null_safe=tuple(condition.null_safe),
            residual=filtered,
            shows=_shows(condition, sides),
        )
    )


def _closing(left: plan.AnyNode, right: plan.AnyNode, sides: Sides) -> tuple[plan.Column, ...]:
    """A key closes when neither side can bring a row of it any more."""
    first = {c.index: c.offset_us for c in left.closing}
    second = {c.index: c.offset_us for c in right.closing}
    found: dict[int, int] = {}
    for a, b in zip(sides.left_keys, sides.right_keys, strict=True):
        if a in first and b in second:
            found[a] = found[b + len(left.schema)] = max(first[a], second[b])
    return tuple(plan.Column(index, offset) for index, offset in sorted(found.items()))


def _shows(condition: Condition, sides: Sides) -> str:
    pairs = zip(sides.left_keys, sides.right_keys, condition.null_safe, strict=True)
    return " AND ".join(f"left.c{a} {'IS NOT DISTINCT FROM' if n else '='} right.c{b}" for a, b, n in pairs)


def _side_by_side(left: plan.AnyNode, right: plan.AnyNode) -> pa.Schema:
    types = [*left.schema.types, *right.schema.types]
    return pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(types)])


# What can be put together from the pairs that match and the rows that match nothing.
_BY_PAIRS: tuple[plan.JoinType, ...] = ("inner", "left", "full", "semi", "anti")


def _recompute_join(
    lowering: Lowering, kind: plan.JoinType, sides: Sides, condition: Condition, residual: list[Expression]
) -> Stream:
    shuttle = lowering.shuttle
    left, right = lowering.build.finish(sides.left), lowering.build.finish(sides.right)
    test = None
    if residual:
        combined = _side_by_side(left, right)
        residual = checked(shuttle, combined, residual)
        test = test_plan(shuttle, combined, residual) if kind in _BY_PAIRS else None
        residual = [hidden(shuttle, part) for part in residual]
    rel = Rel()
    rel.join.left.CopyFrom(shuttle.slot(0, left.schema))
    rel.join.right.CopyFrom(shuttle.slot(1, right.schema))
    rel.join.type = next(number for number, name in JOIN_TYPES.items() if name == kind)
    parts = [
        equality(shuttle, field(a), field(b + len(left.schema)), null_safe)
        for a, b, null_safe in zip(sides.left_keys, sides.right_keys, condition.null_safe, strict=True)
    ]
    parts += residual
    if parts:
        rel.join.expression.CopyFrom(conjunction(shuttle, parts))
    else:
        rel.join.expression.literal.boolean = True
    if kind == "inner" and not parts:
        rel = _as_cross(rel)
    width = {"semi": len(left.schema), "anti": len(left.schema), "mark": len(left.schema) + 1}.get(
        kind, len(left.schema) + len(right.schema)
    )
    out_keys = [
        (a,) if kind in ("semi", "anti", "mark", "left") else (a, b + len(left.schema))
        for a, b in zip(sides.left_keys, sides.right_keys, strict=True)
    ]
    return lowering.build.stream(
        plan.Recompute(
            id=lowering.build.next_id(),
            schema_ipc=plan.encode_schema(shuttle.schema_of(rel, width)),
            append_only=False,
            inputs=(left, right),
            keys=(tuple(sides.left_keys), tuple(sides.right_keys)),
            out_keys=tuple(out_keys),
            substrait=shuttle.encode(rel, width),
            reusable=False,
            ordered=False,
            shows=describe(shuttle.display_of(rel, width)),
            join=None if test is None else kind,
            condition=test,
        )
    )


def _as_cross(rel: Rel) -> Rel:
    cross = Rel()
    cross.cross.left.CopyFrom(rel.join.left)
    cross.cross.right.CopyFrom(rel.join.right)
    return cross
