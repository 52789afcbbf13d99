"""GROUP BY a session by accumulators: an aggregate over SESSION by its partition and window is one operator."""

from __future__ import annotations

import pyarrow as pa
from substrait.proto import Expression

from constellationdb.planner import plan
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.shuttle import field, field_index, fields_used, remap

_MERGED = frozenset({"count", "sum", "avg", "min", "max"})


def session_aggregate(
    lowering: Lowering,
    stream: Stream,
    expressions: list[Expression],
    key_count: int,
    measures: list[tuple[plan.Measure, pa.DataType]],
) -> Stream | None:
    """The keys, then the measures over ``expressions`` of ``stream``, the first of which are the keys.

    None where it is not rows that only come, grouped by the partition and the window of their session.
    """
    base = stream.base
    if not isinstance(base, plan.SessionAssign) or not base.input.append_only or -1 in stream.passthrough:
        return None
    if stream.chain is not None and "filter" in _kinds(stream.chain):
        return None
    if any(measure.kind not in _MERGED for measure, _ in measures):
        return None
    width = len(base.input.schema)
    window = {width: len(base.partition), width + 1: len(base.partition) + 1}  # column of base: place in the output
    places = window | {column: place for place, column in enumerate(base.partition)}
    keys = [None if (i := field_index(e)) is None else stream.passthrough[i] for e in expressions[:key_count]]
    grouped = set(keys)
    if not set(base.partition) <= grouped <= set(places) or not grouped & set(window):
        return None
    over = [remap(expression, lambda i: stream.passthrough[i]) for expression in expressions]
    arguments = [i for measure, _ in measures for i in (measure.argument, measure.filter) if i >= 0]
    if any(used >= width for i in arguments for used in fields_used(over[i])):
        return None
    node, columns = _input(lowering, base, [over[i] for i in dict.fromkeys(arguments)])
    column = {-1: -1} | dict(zip(dict.fromkeys(arguments), columns, strict=True))
    made = _node(lowering, base, node, [
        (plan.Measure(m.kind, column[m.argument], column[m.filter]), kind) for m, kind in measures
    ])  # fmt: skip
    wanted = [places[key] for key in keys if key is not None]
    first = len(base.partition) + 2
    return lowering.build.project(
        lowering.build.stream(made), [field(i) for i in (*wanted, *range(first, first + len(measures)))]
    )


def _input(lowering: Lowering, base: plan.SessionAssign, arguments: list[Expression]) -> tuple[plan.AnyNode, list[int]]:
    """The partition, the time and the arguments of measures, and where these are."""
    outputs = [field(column) for column in (*base.partition, base.time_column)]
    columns = []
    for argument in arguments:
        if argument not in outputs:
            outputs.append(argument)
        columns.append(outputs.index(argument))
    build = lowering.build
    return build.finish(build.project(build.stream(base.input), outputs)), columns


def _node(
    lowering: Lowering, base: plan.SessionAssign, node: plan.AnyNode, measures: list[tuple[plan.Measure, pa.DataType]]
) -> plan.SessionAggregate:
    width = len(base.partition)
    edge = base.schema.types[-1]
    types = [*node.schema.types[:width], edge, edge, *(kind for _, kind in measures)]
    return plan.SessionAggregate(
        id=lowering.build.next_id(),
        schema_ipc=plan.encode_schema(pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(types)])),
        append_only=False,
        closing=(plan.Column(width + 1, base.lateness_us),) if base.watermarked else (),
        input=node,
        time_column=width,
        keys=tuple(range(width)),
        gap_us=base.gap_us,
        measures=tuple(measure for measure, _ in measures),
        watermarked=base.watermarked,
        lateness_us=base.lateness_us,
    )


def _kinds(chain: object) -> set[str]:
    """The kinds of relation that a chain of filters and projections is made of."""
    kind = chain.WhichOneof("rel_type")  # type: ignore[attr-defined]
    body = getattr(chain, kind)
    return {kind} if kind == "read" else {kind, *_kinds(body.input)}
