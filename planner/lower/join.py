"""Joins: every kind by deltas, and lookup joins."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa
from substrait.proto import Expression, JoinRel, Rel

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner import plan
from constellationdb.planner.lower.asof import asof_condition, lower_asof
from constellationdb.planner.lower.bounds import Between, Bounds
from constellationdb.planner.lower.casts import align
from constellationdb.planner.lower.condition import Condition, condition_plan, split_condition
from constellationdb.planner.lower.core import JOIN_TYPES, MIRRORED, Lowering, width_of
from constellationdb.planner.lower.keys import with_keys
from constellationdb.planner.lower.lookup import find_lookup, lower_lookup
from constellationdb.planner.lower.moments import is_time
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.lower.temporal_filter import divided, lower_clock, refuse_clock
from constellationdb.planner.lower.times import Expiry, expiry_of
from constellationdb.planner.shuttle import Shuttle, field, remap


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
    if kind == "right":
        return _from_the_right(lowering, sides, condition)
    left_width, right_width = sides.widths
    sides = replace(sides, left=lowering.build.pad(sides.left), right=lowering.build.pad(sides.right))

    def place(index: int) -> int:
        """A column of the join as written → its place when both sides carry their computed keys."""
        return index if index < left_width else index - left_width + sides.left.width

    clock, others = divided(lowering.shuttle, condition.residual)
    if clock and kind != "inner":
        refuse_clock(lowering.shuttle, clock)
    residual = [remap(part, place) for part in others]
    stream = join_by_deltas(lowering, kind, sides, condition, residual)
    if kind in ("semi", "anti"):
        wanted = list(range(left_width))
    elif kind == "mark":
        wanted = [*range(left_width), sides.left.width]
    else:
        wanted = [place(i) for i in range(left_width + right_width)]
    return lower_clock(lowering, lowering.build.project(stream, [field(i) for i in wanted]), clock)


def _from_the_right(lowering: Lowering, sides: Sides, condition: Condition) -> Stream:
    """A right join is a left join of the sides exchanged."""
    left, right = sides.widths
    swapped = Sides(sides.right, sides.left, sides.right_keys, sides.left_keys, (right, left))
    residual = [remap(part, lambda i: i + right if i < left else i - left) for part in condition.residual]
    mirrored = Condition(condition.right, condition.left, condition.null_safe, residual)
    stream = join_streams(lowering, "left", swapped, mirrored)
    return lowering.build.project(stream, [field(i) for i in (*range(right, right + left), *range(right))])


def join_by_deltas(
    lowering: Lowering, kind: plan.JoinType, sides: Sides, condition: Condition, residual: list[Expression]
) -> Stream:
    left, right = lowering.build.finish(sides.left), lowering.build.finish(sides.right)
    shuttle = lowering.shuttle
    combined = side_by_side(left, right)
    keyed = key_closing(left, right, sides)
    times = Expiry() if keyed else _times(shuttle, left, right, sides, residual)
    return lowering.build.stream(
        plan.Join(
            id=lowering.build.next_id(),
            schema_ipc=plan.encode_schema(_output(kind, left, combined)),
            append_only=kind in ("inner", "semi") and left.append_only and right.append_only,
            closing=_closing(kind, keyed or times.closing(len(left.schema)), len(left.schema)),
            left=left,
            right=right,
            left_keys=tuple(sides.left_keys),
            right_keys=tuple(sides.right_keys),
            null_safe=tuple(condition.null_safe),
            residual=condition_plan(shuttle, combined, residual),
            shows=_shows(condition, sides),
            kind=kind,
            expiry=times.expiry,
            late=times.late,
        )
    )


def _output(kind: plan.JoinType, left: plan.AnyNode, combined: pa.Schema) -> pa.Schema:
    if kind in ("semi", "anti"):
        return pa.schema(list(combined)[: len(left.schema)])
    if kind == "mark":
        width = len(left.schema)
        return pa.schema([*list(combined)[:width], pa.field(f"c{width}", pa.bool_())])
    return combined


def _times(
    shuttle: Shuttle, left: plan.AnyNode, right: plan.AnyNode, sides: Sides, residual: list[Expression]
) -> Expiry:
    """What the watermark frees by the times that the condition compares."""
    types = [*left.schema.types, *right.schema.types]
    width = len(left.schema)
    bounds = Bounds(shuttle, types, width).read(residual)
    pairs = zip(sides.left_keys, sides.right_keys, strict=True)
    bounds += [Between(a, b, 0, 0) for a, b in pairs if is_time(types[a]) and is_time(types[width + b])]
    return expiry_of(left, right, bounds)


def key_closing(left: plan.AnyNode, right: plan.AnyNode, sides: Sides) -> tuple[plan.Column, ...]:
    """A key closes when neither side can bring a row of it any more."""
    first = {c.index: c.offset_us for c in left.closing}
    second = {c.index: c.offset_us for c in right.closing}
    found: dict[int, int] = {}
    for a, b in zip(sides.left_keys, sides.right_keys, strict=True):
        if a in first and b in second:
            found[a] = found[b + len(left.schema)] = max(first[a], second[b])
    return tuple(plan.Column(index, offset) for index, offset in sorted(found.items()))


def _closing(kind: plan.JoinType, columns: tuple[plan.Column, ...], left_width: int) -> tuple[plan.Column, ...]:
    """Those whose column is never NULL for want of a match."""
    if kind == "inner":
        return columns
    return () if kind == "full" else tuple(c for c in columns if c.index < left_width)


def _shows(condition: Condition, sides: Sides) -> str:
    pairs = zip(sides.left_keys, sides.right_keys, condition.null_safe, strict=True)
    return " AND ".join(f"left.c{a} {'IS NOT DISTINCT FROM' if n else '='} right.c{b}" for a, b, n in pairs)


def side_by_side(left: plan.AnyNode, right: plan.AnyNode) -> pa.Schema:
    types = [*left.schema.types, *right.schema.types]
    return pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(types)])
