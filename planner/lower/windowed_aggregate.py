"""GROUP BY a window as one operator: of a session by its partition, and of a hopping window that panes make up.

Both take rows that only come, as they are below the window call, and accumulators that can be added up.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from substrait.proto import Expression, Rel

from constellationdb.planner import plan
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.shuttle import field, field_index, fields_used, remap

Measured = list[tuple[plan.Measure, pa.DataType]]
_MERGED = frozenset({"count", "sum", "avg", "min", "max"})


def is_mergeable(node: plan.AnyNode) -> bool:
    """Whether a window call's groups can be kept so, if what they are grouped by and their measures allow it."""
    match node:
        case plan.SessionAssign():
            return node.input.append_only
        case plan.WindowAssign():
            several = node.size_us > node.slide_us and node.size_us % node.slide_us == 0
            return node.input.append_only and several and not node.cumulative
        case _:
            return False


def windowed_aggregate(
    lowering: Lowering, stream: Stream, expressions: list[Expression], key_count: int, measures: Measured
) -> Stream | None:
    """The keys, then the measures over ``expressions`` of ``stream``, the first of which are the keys; or None."""
    base = stream.base
    assert isinstance(base, plan.SessionAssign | plan.WindowAssign)
    if -1 in stream.passthrough or (stream.chain is not None and _filters(stream.chain)):
        return None  # a filter is of rows in their windows: those it drops count as used, and make sessions
    if any(measure.kind not in _MERGED or measure.distinct or measure.more for measure, _ in measures):
        return None
    over = [remap(expression, lambda i: stream.passthrough[i]) for expression in expressions]
    keys = _keys(base, over[:key_count])
    arguments = list(dict.fromkeys(i for m, _ in measures for i in (m.argument, m.filter) if i >= 0))
    width = len(base.input.schema)
    if keys is None or any(used >= width for i in arguments for used in fields_used(over[i])):
        return None
    node, places = _input(lowering, base, keys.others, [over[i] for i in arguments])
    column = {-1: -1} | dict(zip(arguments, places, strict=True))
    made = _node(lowering, base, node, len(keys.others), [
        (plan.Measure(m.kind, column[m.argument], column[m.filter]), kind) for m, kind in measures
    ])  # fmt: skip
    first = len(keys.others) + 2
    outputs = [*keys.places, *range(first, first + len(measures))]
    return lowering.build.project(lowering.build.stream(made), [field(i) for i in outputs])


@dataclass(frozen=True)
class _Keys:
    """What a window is grouped by: the keys besides its bounds, and where each key is in the operator's output."""

    others: list[Expression]
    places: list[int]


def _keys(base: plan.SessionAssign | plan.WindowAssign, keys: list[Expression]) -> _Keys | None:
    width = len(base.input.schema)
    edges = [None if (i := field_index(key)) is None or i < width else i - width for key in keys]
    others: list[Expression] = []
    for key, edge in zip(keys, edges, strict=True):
        if edge is None and key not in others:
            others.append(key)
    if all(edge is None for edge in edges) or any(used >= width for key in others for used in fields_used(key)):
        return None
    if isinstance(base, plan.SessionAssign) and {field_index(key) for key in others} != set(base.partition):
        return None
    return _Keys(others, [
        others.index(key) if edge is None else len(others) + edge for key, edge in zip(keys, edges, strict=True)
    ])  # fmt: skip


def _input(
    lowering: Lowering,
    base: plan.SessionAssign | plan.WindowAssign,
    keys: list[Expression],
    arguments: list[Expression],
) -> tuple[plan.AnyNode, list[int]]:
    """The keys, the time and the arguments of measures, and where these are."""
    outputs = [*keys, field(base.time_column)]
    for argument in arguments:
        if argument not in outputs:
            outputs.append(argument)
    build = lowering.build
    node = build.finish(build.project(build.stream(base.input), outputs))
    return node, [outputs.index(argument) for argument in arguments]


def _node(
    lowering: Lowering,
    base: plan.SessionAssign | plan.WindowAssign,
    node: plan.AnyNode,
    keys: int,
    measures: Measured,
) -> plan.AnyNode:
    edge = base.schema.types[-1]
    types = [*node.schema.types[:keys], edge, edge, *(kind for _, kind in measures)]
    offsets = {c.index - len(base.input.schema): c.offset_us for c in base.closing}
    number, schema = lowering.build.next_id(), pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(types)])
    closing = tuple(plan.Column(keys + place, offset) for place, offset in offsets.items() if place >= 0)
    if isinstance(base, plan.SessionAssign):
        return plan.SessionAggregate(
            id=number,
            schema_ipc=plan.encode_schema(schema),
            append_only=False,
            closing=closing,
            input=node,
            time_column=keys,
            keys=tuple(range(keys)),
            gap_us=base.gap_us,
            measures=tuple(measure for measure, _ in measures),
            watermarked=base.watermarked,
            lateness_us=base.lateness_us,
        )
    return plan.PaneAggregate(
        id=number,
        schema_ipc=plan.encode_schema(schema),
        append_only=False,
        closing=closing,
        input=node,
        time_column=keys,
        keys=tuple(range(keys)),
        slide_us=base.slide_us,
        size_us=base.size_us,
        offset_us=base.offset_us,
        measures=tuple(measure for measure, _ in measures),
        watermarked=base.watermarked,
        lateness_us=base.lateness_us,
    )


def _filters(chain: Rel) -> bool:
    """Whether a filter is among the steps of a chain."""
    kind = chain.WhichOneof("rel_type")
    return kind == "filter" or (kind != "read" and _filters(getattr(chain, kind).input))
