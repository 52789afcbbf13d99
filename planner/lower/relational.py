"""The relations that need no state: reads, filters, projections, UNION ALL, constants."""

from __future__ import annotations

from collections.abc import Collection
from functools import reduce

import pyarrow as pa
from substrait.proto import Rel, SetRel

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner import arithmetic, plan
from constellationdb.planner.lower.casts import common_type, conform
from constellationdb.planner.lower.condition import conjunction, conjuncts
from constellationdb.planner.lower.core import Lowering, read_columns, width_of
from constellationdb.planner.lower.ranked import lower_ranked
from constellationdb.planner.lower.scalar import expand_scalars
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.lower.temporal_filter import divided, lower_clock, refuse_clock
from constellationdb.planner.lower.window import has_window, lower_window
from constellationdb.planner.shuttle import field, fields_used, select, subqueries


def lower_read(lowering: Lowering, rel: Rel) -> Stream:
    if rel.read.WhichOneof("read_type") == "virtual_table":
        return _constant(lowering, rel)
    name = rel.read.named_table.names[-1]
    columns = read_columns(rel)
    if name in lowering.stages:
        return lowering.stages[name](lowering, columns)
    relation = lowering.relations[name]
    if relation.kind == "lookup table":
        raise FeatureNotSupported(
            f'lookup table "{relation.name}" can only be joined to a stream',
            hint=f"write FROM stream JOIN {relation.name} ON stream.key = {relation.name}.key",
        )
    if not columns and relation.append_only:  # rows that only come are counted by a column, others by weight
        return lowering.build.project(lowering.build.stream(lowering.scan(relation, [0])), [])
    return lowering.build.stream(lowering.scan(relation, columns))


def _constant(lowering: Lowering, rel: Rel) -> Stream:
    """Rows written in the query itself: DataFusion evaluates them now, once."""
    width = width_of(rel)
    table = lowering.shuttle.evaluate(rel, width)
    if width == 0:  # the one row of a SELECT without FROM: Arrow's files need a column to count it
        table = pa.table({"c0": pa.array([True] * table.num_rows, pa.bool_())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    node = plan.Constant(
        id=lowering.build.next_id(),
        schema_ipc=plan.encode_schema(table.schema),
        append_only=True,
        rows=sink.getvalue().to_pybytes(),
    )
    return lowering.build.project(lowering.build.stream(node), [field(i) for i in range(width)])


def lower_filter(lowering: Lowering, rel: Rel, used: Collection[int] | None = None) -> Stream:
    """``used``: the columns that the relation above wants of it; None: all."""
    if not subqueries(rel.filter.condition):
        ranked = lower_ranked(lowering, rel, range(width_of(rel)) if used is None else used)
        if ranked is not None:
            return ranked
    stream = lowering.lower(rel.filter.input)
    width = stream.width
    clock, others = divided(lowering.shuttle, conjuncts(lowering.shuttle, rel.filter.condition))
    if others:
        condition = conjunction(lowering.shuttle, others) if clock else rel.filter.condition
        stream = expand_scalars(lowering, stream, condition)
        arithmetic.check(lowering.shuttle, lowering.build.source(stream), stream.width, condition)
        stream = lowering.build.filter(stream, lambda chain: select(chain, condition))
        stream = lowering.build.project(stream, [field(i) for i in range(width)])
    return lower_clock(lowering, stream, clock)


def lower_project(lowering: Lowering, rel: Rel) -> Stream:
    if has_window(rel):
        return lower_window(lowering, rel)
    below = rel.project.input
    if below.WhichOneof("rel_type") == "filter":
        stream = lower_filter(lowering, below, _used(rel))
    else:
        stream = lowering.lower(below)
    width = stream.width
    refuse_clock(lowering.shuttle, rel.project.expressions)
    stream = expand_scalars(lowering, stream, rel.project.expressions)
    arithmetic.check(lowering.shuttle, lowering.build.source(stream), stream.width, rel.project.expressions)
    outputs = [field(i) for i in range(width)] + list(rel.project.expressions)
    if rel.project.common.HasField("emit"):
        outputs = [outputs[i] for i in rel.project.common.emit.output_mapping]
    return lowering.build.project(stream, outputs)


def _used(rel: Rel) -> set[int]:
    """The columns of its input that a projection needs."""
    used = fields_used(rel.project.expressions)
    width = width_of(rel.project.input)
    kept = rel.project.common.emit.output_mapping if rel.project.common.HasField("emit") else range(width)
    return used | {column for column in kept if column < width}


def lower_set(lowering: Lowering, rel: Rel) -> Stream:
    if rel.set.op != SetRel.SET_OP_UNION_ALL:
        raise FeatureNotSupported("this set operation is not supported in a continuous query")
    return union(lowering, [lowering.lower(member) for member in rel.set.inputs])


def union(lowering: Lowering, streams: list[Stream]) -> Stream:
    """UNION ALL."""
    types = [reduce(common_type, kinds) for kinds in zip(*(s.schema.types for s in streams), strict=True)]
    nodes = tuple(lowering.build.finish(conform(lowering, s, types)) for s in streams)
    return lowering.build.stream(
        plan.Union(
            id=lowering.build.next_id(),
            schema_ipc=nodes[0].schema_ipc,
            append_only=all(n.append_only for n in nodes),
            times=tuple(sorted(set.intersection(*(set(n.times) for n in nodes)))),
            closing=tuple(c for c in nodes[0].closing if all(c in n.closing for n in nodes)),
            inputs=nodes,
        )
    )
