"""UNNEST: a stateless node, once a row for each element of its arrays."""

from __future__ import annotations

import pyarrow as pa

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner import plan
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.stream import Stream


def unnested(lowering: Lowering, stream: Stream, count: int) -> Stream:
    """The first ``count`` columns of ``stream``, and the elements of the arrays behind them."""
    node = lowering.build.finish(stream)
    types = list(node.schema.types)
    for place, kind in enumerate(types[count:], count):
        if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
            raise FeatureNotSupported("only arrays can be unnested in a continuous query")
        types[place] = kind.value_type
    return lowering.build.stream(
        plan.Unnest(
            id=lowering.build.next_id(),
            schema_ipc=plan.encode_schema(pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(types)])),
            append_only=node.append_only,
            times=tuple(t for t in node.times if t < count),
            closing=tuple(c for c in node.closing if c.index < count),
            input=node,
            count=count,
        )
    )
