"""GROUPING SETS, ROLLUP and CUBE: the union of one aggregate a set, all over the same node."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from substrait.proto import AggregateRel, Expression, Rel

from constellationdb.planner.grouping import keys_of, sets_of
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.relational import union
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.shuttle import field, project

_UNSIGNED = 1  # the variation of Substrait's integers that DataFusion takes for unsigned


def lower_sets(
    lowering: Lowering, body: AggregateRel, stream: Stream, aggregated: Callable[[Stream, AggregateRel], Stream]
) -> Stream:
    """``aggregated`` lowers an aggregate over a stream with a single set of keys."""
    keys = keys_of(body)
    schema = lowering.shuttle.schema_of(project(lowering.build.source(stream), stream.width, keys), len(keys))
    missing = _nulls(lowering, schema)
    shared = lowering.build.stream(lowering.build.finish(stream))
    parts = []
    for places in sets_of(body):
        own = AggregateRel()
        own.grouping_expressions.extend(keys[i] for i in places)
        own.groupings.add().expression_references.extend(range(len(places)))
        own.measures.extend(body.measures)
        part = aggregated(shared, own)
        columns = [field(places.index(i)) if i in places else missing[i] for i in range(len(keys))]
        columns.append(_grouping_id(places, len(keys)))
        columns += [field(len(places) + i) for i in range(len(body.measures))]
        parts.append(lowering.build.project(part, columns))
    return union(lowering, parts)


def _nulls(lowering: Lowering, schema: pa.Schema) -> list[Expression]:
    """A NULL of each key's type."""
    rel: Rel = lowering.shuttle.slot(0, schema)
    return [Expression(literal=Expression.Literal(null=kind)) for kind in rel.read.base_schema.struct.types]


def _grouping_id(places: list[int], count: int) -> Expression:
    """A bit for each key that is left out, the first key's the highest, in as few bytes as DataFusion takes."""
    number = sum(1 << (count - 1 - i) for i in range(count) if i not in places)
    literal = Expression.Literal(type_variation_reference=_UNSIGNED)
    if count <= 8:
        literal.i8 = number
    elif count <= 16:
        literal.i16 = number
    else:
        literal.i32 = number
    return Expression(literal=literal)
