"""OVER: a projection that holds window functions is stateful, keyed by what all of them partition by."""

from __future__ import annotations

from substrait.proto import Expression, Rel

from constellationdb.planner import arithmetic, plan
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.expiry import closing_with, key_expiry, order_expiry, range_reach
from constellationdb.planner.lower.framing import Framing, framing
from constellationdb.planner.lower.order import tie_breakers
from constellationdb.planner.lower.over import lower_over, over_frames
from constellationdb.planner.lower.stream import Stream, describe
from constellationdb.planner.overs import correct, integer_average, quotient, window_calls
from constellationdb.planner.shuttle import field, field_index

_ONE_ROW_EACH = frozenset({"row_number", "ntile", "lag", "lead", "first_value"})
_OF_PEERS = frozenset({"rank", "dense_rank", "percent_rank", "cume_dist"})  # whatever their frame
_ROWS = Expression.WindowFunction.BOUNDS_TYPE_ROWS


def has_window(rel: Rel) -> bool:
    return bool(window_calls(rel.project.expressions))


def lower_window(lowering: Lowering, rel: Rel) -> Stream:
    stream = lowering.lower(rel.project.input)
    written_width = stream.width
    stream = lowering.build.pad(stream)
    shuttle = lowering.shuttle
    arithmetic.check(shuttle, lowering.build.source(stream), stream.width, rel.project)
    stream = _framed(lowering, stream, window_calls(rel.project.expressions))
    if not has_window(rel):
        return _as_written(lowering, stream, rel, list(rel.project.expressions), written_width)
    written = list(rel.project.expressions)
    averages = [integer_average(shuttle, lowering.build.source(stream), stream.width, e) for e in written]
    expressions = [part for e, average in zip(written, averages, strict=True) for part in average or (e,)]

    def quotients(columns: list[Expression]) -> list[Expression]:
        values = iter(columns)
        return [next(values) if a is None else quotient(shuttle, next(values), next(values)) for a in averages]

    calls = window_calls(expressions)
    keys = _partition_keys(calls)
    correct(shuttle, lowering.build.source(stream), stream.width, calls)
    near = lower_over(lowering, stream, expressions)
    if near is not None:
        return _as_written(lowering, near.stream, rel, quotients(near.columns), written_width)
    for call in calls:
        _break_ties(lowering, call, stream.width)
    node = lowering.build.finish(stream)
    over = Rel()
    over.project.input.CopyFrom(shuttle.slot(0, stream.schema))
    columns = []
    for expression in expressions:
        column = field_index(expression)
        if column is None:
            over.project.expressions.append(expression)
            column = stream.width + len(over.project.expressions) - 1
        columns.append(field(column))
    width = stream.width + len(over.project.expressions)
    over.project.common.emit.output_mapping.extend(range(width))
    expiry = key_expiry(lowering, node, keys)
    computed = lowering.build.stream(
        plan.Recompute(
            id=lowering.build.next_id(),
            schema_ipc=plan.encode_schema(shuttle.schema_of(over, width)),
            append_only=False,
            closing=closing_with(node, keys, expiry),
            inputs=(node,),
            keys=(keys,),
            out_keys=tuple((k,) for k in keys),
            substrait=shuttle.encode(over, width),
            reusable=True,
            ordered=True,
            shows=describe(shuttle.display_of(over, width)),
            expiry=expiry,
        )
    )
    return _as_written(lowering, computed, rel, quotients(columns), written_width)


def _framed(lowering: Lowering, stream: Stream, calls: list[Expression]) -> Stream:
    """The stream with what DataFusion does not compute behind its columns; such ``calls`` become references to it."""
    found = framing(lowering.shuttle, lowering.build.source(stream), stream.width, calls)
    if found is None:
        return stream
    node = over_frames(lowering, stream, found) or _recomputed(lowering, stream, found)
    for place, call in enumerate(found.calls):
        call.CopyFrom(field(len(found.columns) + place))
    return lowering.build.stream(node)


def _recomputed(lowering: Lowering, stream: Stream, found: Framing) -> plan.Recompute:
    node = lowering.build.finish(lowering.build.project(stream, found.columns))
    expiry = key_expiry(lowering, node, found.keys)
    closing, behind, ahead = closing_with(node, found.keys, expiry), 0, 0
    if not closing and (timed := _timed(lowering, node, found)) is not None:
        expiry, (behind, ahead) = timed
        closing = (plan.Column(expiry.index, expiry.offset_us + ahead),)
    return plan.Recompute(
        id=lowering.build.next_id(),
        schema_ipc=plan.encode_schema(found.schema),
        append_only=False,
        closing=closing,
        inputs=(node,),
        keys=(found.keys,),
        out_keys=tuple((k,) for k in found.keys),
        substrait=b"",
        reusable=True,
        ordered=True,
        shows="; ".join(part.frame.shown() for part in found.sets),
        frames=found.sets,
        expiry=expiry,
        behind_us=behind,
        ahead_us=ahead,
    )


def _timed(lowering: Lowering, node: plan.AnyNode, found: Framing) -> tuple[plan.Column, tuple[int, int]] | None:
    """The time that all frames are in the order of, and how far they reach in it."""
    expiry = order_expiry(lowering, node, found.sets[0].order)
    reach = range_reach(found.sets)
    if expiry is None or reach is None or any(part.order[:1] != found.sets[0].order[:1] for part in found.sets):
        return None
    return expiry, reach


def _as_written(lowering: Lowering, stream: Stream, rel: Rel, columns: list[Expression], width: int) -> Stream:
    """The columns of the projection ``rel`` over ``width`` others; ``columns`` are what it computes."""
    outputs = [*(field(i) for i in range(width)), *columns]
    if rel.project.common.HasField("emit"):
        outputs = [outputs[i] for i in rel.project.common.emit.output_mapping]
    return lowering.build.project(stream, outputs)


def _partition_keys(calls: list[Expression]) -> tuple[int, ...]:
    """The columns every call partitions by; none means one partition of everything."""
    sets = [{field_index(p) for p in call.window_function.partitions} - {None} for call in calls]
    return tuple(sorted(i for i in set.intersection(*sets) if i is not None))


def _break_ties(lowering: Lowering, call: Expression, width: int) -> None:
    """Rows that tie get the order of their columns, where that cannot change what a peer is."""
    function = call.window_function
    name = lowering.shuttle.function_name(function.function_reference)
    if name in _ONE_ROW_EACH or (function.bounds_type == _ROWS and name not in _OF_PEERS):
        function.sorts.extend(tie_breakers(list(function.sorts), width))
