"""OVER by frames that reach only so far, or go on from the row before: lowered to Over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pt
from msgspec import structs
from substrait.proto import Expression, SortField

from constellationdb.planner import plan
from constellationdb.planner.frame import Frame
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.expiry import closing_with, key_expiry, order_expiry
from constellationdb.planner.lower.frames import FARTHEST, Reach, cannot_fail, frame_of
from constellationdb.planner.lower.framing import Framing
from constellationdb.planner.lower.moving import moving_of
from constellationdb.planner.lower.stream import Stream, describe
from constellationdb.planner.lower.top import is_orderable, order_terms, with_columns
from constellationdb.planner.shuttle import field, field_index, project


@dataclass(frozen=True)
class Overs:
    """A stream with window functions computed, and where in it the expressions asked for are."""

    stream: Stream
    columns: list[Expression]


def lower_over(lowering: Lowering, stream: Stream, expressions: Sequence[Expression]) -> Overs | None:
    """None unless all calls share partition and order, and no change reaches the whole partition."""
    calls = [e for e in expressions if field_index(e) is None]
    if not calls or any(call.WhichOneof("rex_type") != "window_function" for call in calls):
        return None
    functions = [call.window_function for call in calls]
    keys, sorts = list(functions[0].partitions), list(functions[0].sorts)
    if any(list(f.partitions) != keys or list(f.sorts) != sorts for f in functions):
        return None
    values = _values(lowering, stream, calls)
    frames = _frames(lowering, stream, calls, values)
    if frames is None or not is_orderable(lowering, stream, keys, sorts):
        return None
    node = _over(lowering, stream, calls, frames, values)
    width = len(node.input.schema)
    places = iter(range(width, width + len(calls)))
    columns = [field(next(places)) if field_index(e) is None else e for e in expressions]
    return Overs(lowering.build.stream(node), columns)


def over_frames(lowering: Lowering, stream: Stream, found: Framing) -> plan.Over | None:
    """The node for frames of rows that are not DataFusion's; None where one has no bounds.

    Its FrameSets are of stretches in order: by their number, and by place.
    """
    first, width = found.sets[0], len(found.columns)
    alike = all((part.keys, part.order) == (first.keys, first.order) for part in found.sets)
    reaches = [_reach(part.frame) for part in found.sets]
    if not alike or None in reaches or any(pt.is_nested(t) or pt.is_decimal256(t) for t in found.schema.types):
        return None
    node = lowering.build.finish(lowering.build.project(stream, found.columns))
    before, after = (max(reach[side] for reach in reaches if reach) for side in (0, 1))
    expiry = _expiry(lowering, node, first.keys, first.order)
    frames = [
        structs.replace(
            part, keys=(width,) * bool(part.keys), order=(plan.Order(width + 1),), ties=(),
            outputs=tuple(3 + output for output in part.outputs),
        )
        for part in found.sets
    ]  # fmt: skip
    return plan.Over(
        id=lowering.build.next_id(),
        schema_ipc=plan.encode_schema(found.schema),
        append_only=False,
        times=_times(expiry, first.order, after),
        closing=_closing(node, first.keys, expiry, after),
        input=node,
        keys=first.keys,
        order=first.order,
        ties=first.ties,
        substrait=b"",
        before=before,
        after=after,
        running=False,
        tied=False,
        carries=tuple("none" for _ in found.calls),
        shows="; ".join(part.frame.shown() for part in found.sets),
        frames=tuple(frames),
        expiry=expiry,
    )


def _expiry(
    lowering: Lowering, node: plan.AnyNode, keys: tuple[int, ...], order: tuple[plan.Order, ...]
) -> plan.Column | None:
    """A key frees more than the order."""
    return key_expiry(lowering, node, keys) or order_expiry(lowering, node, order)


def _closing(
    node: plan.AnyNode,
    keys: tuple[int, ...],
    expiry: plan.Column | None,
    after: int,
) -> tuple[plan.Column, ...]:
    """In order, a row whose frame ends with itself is final when nothing before it can come."""
    if expiry is None or expiry.index in keys:
        return closing_with(node, keys, expiry)
    return () if after else (expiry,)


def _times(expiry: plan.Column | None, order: tuple[plan.Order, ...], after: int) -> tuple[int, ...]:
    """The order's time, where rows that are final do not change."""
    timed = expiry is not None and expiry.offset_us <= 1 and expiry.index == order[0].column and not after
    return (expiry.index,) if timed and expiry is not None else ()


def _reach(frame: Frame) -> tuple[int, int] | None:
    """How many rows back and on; None where there is no telling."""
    if frame.mode != "rows" or frame.exclude not in ("no others", "current row"):
        return None
    sides = {"preceding": -1, "current row": 0, "following": 1}
    places = []
    for bound in (frame.start, frame.end):
        offset = bound.offset or 0
        if bound.side not in sides or not isinstance(offset, int) or offset > FARTHEST:
            return None
        places.append(sides[bound.side] * offset)
    return max(-min(places), 0), max(*places, 0)


def _values(lowering: Lowering, stream: Stream, calls: Sequence[Expression]) -> list[pa.DataType]:
    """The types of what the functions say."""
    source = project(lowering.build.source(stream), stream.width, calls)
    return list(lowering.shuttle.schema_of(source, len(calls)).types)


def _frames(
    lowering: Lowering, stream: Stream, calls: Sequence[Expression], values: Sequence[pa.DataType]
) -> list[Reach] | None:
    frames = []
    for call, value in zip(calls, values, strict=True):
        function = call.window_function
        frame = frame_of(lowering.shuttle.function_name(function.function_reference), function, value)
        if frame is None or not all(cannot_fail(a.value, stream.schema) for a in function.arguments):
            return None
        frames.append(frame)
    return frames


def _over(
    lowering: Lowering,
    stream: Stream,
    calls: Sequence[Expression],
    frames: Sequence[Reach],
    values: Sequence[pa.DataType],
) -> plan.Over:
    shuttle, width = lowering.shuttle, stream.width
    function = calls[0].window_function
    keys, sorts = list(function.partitions), list(function.sorts)
    stream, places = with_columns(lowering, stream, [*keys, *(sort.expr for sort in sorts)])
    node = lowering.build.finish(stream)
    key_columns = tuple(sorted(set(places[: len(keys)])))
    terms = order_terms(places[len(keys) :], sorts)
    known = {*key_columns, *(term.column for term in terms)}
    moving = [
        moving_of(shuttle.function_name(f.function_reference), f, frame, value, stream.schema)
        for f, frame, value in zip((c.window_function for c in calls), frames, values, strict=True)
    ]
    for call, frame in zip(calls, frames, strict=True):
        _by_place(call, stream.width, frame)
    read = [*stream.schema, *(pa.field(name, pa.int64()) for name in ("span", "place", "peers"))]
    over = project(shuttle.slot(0, pa.schema(read)), len(read), [field(stream.width + 1), *calls])
    found = shuttle.schema_of(over, 1 + len(calls))
    after, expiry = max(frame.after for frame in frames), _expiry(lowering, node, key_columns, tuple(terms))
    schema = [*stream.schema, *(f.with_name(f"c{stream.width + i}") for i, f in enumerate(list(found)[1:]))]
    return plan.Over(
        id=lowering.build.next_id(),
        schema_ipc=plan.encode_schema(pa.schema(schema)),
        append_only=False,
        times=_times(expiry, tuple(terms), after),
        closing=_closing(node, key_columns, expiry, after),
        input=node,
        keys=key_columns,
        order=tuple(terms),
        ties=tuple(plan.Order(i) for i in range(width) if i not in known),
        substrait=shuttle.encode(over, 1 + len(calls)),
        before=max(frame.before for frame in frames),
        after=after,
        running=any(frame.carry != "none" for frame in frames),
        tied=any(frame.tied for frame in frames),
        carries=tuple(frame.carry for frame in frames),
        shows=describe(shuttle.display_of(over, 1 + len(calls))),
        moving=tuple(m for m in moving if m is not None) if all(moving) else (),
        expiry=expiry,
    )


def _by_place(call: Expression, width: int, frame: Reach) -> None:
    """The same call over stretches of rows in order: by their numbers."""
    function = call.window_function
    del function.partitions[:]
    function.partitions.append(field(width))
    del function.sorts[:]
    order = field(width + 2 if frame.tied else width + 1)
    function.sorts.append(SortField(expr=order, direction=SortField.SORT_DIRECTION_ASC_NULLS_LAST))
