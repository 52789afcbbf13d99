"""Groups kept by accumulators: GROUP BY, and the different rows of a stream, which are groups without measures."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.types as pt

from constellationdb.planner import plan
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.shuttle import field


def distinct(lowering: Lowering, stream: Stream, columns: list[int]) -> Stream:
    """The different values of some columns; the stream itself where it has each of them once already."""
    base, groups = stream.base, {stream.passthrough[c] for c in columns}
    if isinstance(base, plan.Aggregate) and groups >= set(range(len(base.keys))):
        return lowering.build.project(stream, [field(c) for c in columns])
    return accumulate(lowering, lowering.build.project(stream, [field(c) for c in columns]), len(columns), [])


def accumulate(
    lowering: Lowering, stream: Stream, key_count: int, measures: list[tuple[plan.Measure, pa.DataType]]
) -> Stream:
    node = lowering.build.finish(stream)
    types = [*stream.schema.types[:key_count], *(kind for _, kind in measures)]
    schema = plan.encode_schema(pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(types)]))
    if _in_two_phases(types[:key_count], [measure for measure, _ in measures]):
        node = _partial(lowering, node, key_count, measures, schema)
    return lowering.build.stream(
        plan.Aggregate(
            id=lowering.build.next_id(),
            schema_ipc=schema,
            append_only=node.append_only and key_count > 0 and not measures,  # groups come and never change
            times=(),
            closing=tuple(c for c in node.closing if c.index < key_count),
            input=node,
            keys=tuple(range(key_count)),
            measures=tuple(measure for measure, _ in measures),
        )
    )


def _in_two_phases(keys: list[pa.DataType], measures: list[plan.Measure]) -> bool:
    """Whether all rows of an epoch may be of a few groups, which a few workers would have to themselves.

    So it is without keys, and where the keys are windows, times, or yes and no. What a user's own aggregate
    knows of some rows cannot be added to what it knows of others.
    """
    if not measures or any(measure.kind == "python" for measure in measures):
        return False
    return all(pt.is_boolean(kind) or pt.is_timestamp(kind) or pt.is_date(kind) for kind in keys)


def _partial(
    lowering: Lowering, node: plan.AnyNode, key_count: int, measures: list[tuple[plan.Measure, pa.DataType]],
    result: bytes,
) -> plan.PartialAggregate:  # fmt: skip
    schema = node.schema.append(pa.field(f"c{len(node.schema)}", pa.binary()))
    return plan.PartialAggregate(
        id=lowering.build.next_id(),
        schema_ipc=plan.encode_schema(schema),
        append_only=node.append_only,
        closing=tuple(c for c in node.closing if c.index < key_count),
        input=node,
        keys=tuple(range(key_count)),
        measures=tuple(measure for measure, _ in measures),
        result_ipc=result,
    )
