"""Groups kept by accumulators: GROUP BY, and the different rows of a stream, which are groups without measures."""

from __future__ import annotations

import pyarrow as pa

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
    return lowering.build.stream(
        plan.Aggregate(
            id=lowering.build.next_id(),
            schema_ipc=plan.encode_schema(pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(types)])),
            append_only=node.append_only and key_count > 0 and not measures,  # groups come and never change
            times=(),
            closing=tuple(c for c in node.closing if c.index < key_count),
            input=node,
            keys=tuple(range(key_count)),
            measures=tuple(measure for measure, _ in measures),
        )
    )
