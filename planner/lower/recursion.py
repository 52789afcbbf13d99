"""WITH RECURSIVE: a node that runs its step over what the step itself found, until nothing new comes."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner import plan
from constellationdb.planner.lower.casts import conform
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.shuttle import field

_NOT_INSIDE = (plan.WindowAssign, plan.LookupJoin, plan.ReplicatedLookup, plan.OnClose)


def recursion(
    lowering: Lowering,
    base: Stream,
    step: Stream,
    working: str,
    iteration: int,
    relations: Iterable[PlannedRelation],
    *,
    distinct: bool,
) -> Stream:
    """The rows of ``base`` and of every step, without column ``iteration``; the step reads them as ``working``."""
    first = lowering.build.finish(base)
    root = lowering.build.finish(conform(lowering, step, list(first.schema.types)))
    if any(isinstance(node, _NOT_INSIDE) for node in plan.walk(root)):
        raise FeatureNotSupported(
            "a window or a lookup table in the recursive term of WITH RECURSIVE is not supported",
            hint="read it in a materialized view, and that view here",
        )
    if any(isinstance(node, plan.Asof | plan.TemporalFilter) for node in plan.walk(root)):
        raise FeatureNotSupported(
            "a join in time or a condition on now() in the recursive term of WITH RECURSIVE is not supported",
            hint="read it in a materialized view, and that view here",
        )
    known = {relation.name: relation for relation in relations}
    scanned = dict.fromkeys(n.relation for n in plan.walk(root) if isinstance(n, plan.Scan) and n.relation != working)
    kept = [kind for i, kind in enumerate(first.schema.types) if i != iteration]
    found = lowering.build.stream(
        plan.Recursion(
            id=lowering.build.next_id(),
            schema_ipc=plan.encode_schema(pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(kept)])),
            append_only=False,
            base=first,
            reads=tuple(lowering.scan(known[n], list(range(len(known[n].schema)))) for n in scanned),
            step=root,
            working=working,
            iteration=iteration,
            distinct=distinct,
        )
    )
    return lowering.build.project(found, [field(i) for i in range(found.width)])
