"""changelog(t): a relation's changes as a stream of rows that only come."""

from __future__ import annotations

import pyarrow as pa

from constellationdb.planner import plan
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.stream import Stream
from constellationdb.planner.relations import CHANGE_COLUMNS, PlannedRelation
from constellationdb.planner.shuttle import field


def changelog(lowering: Lowering, relation: PlannedRelation, wanted: list[int]) -> Stream:
    """The ``wanted`` columns, of which the changes' own come first.

    Every column is read: rows that differ in others are changes of their own. Where rows only come, so do they here,
    and the watermark means what it meant.
    """
    build, own = lowering.build, len(CHANGE_COLUMNS)
    scan = lowering.scan(relation, list(range(len(relation.schema))))
    types = [*(kind for _, kind in CHANGE_COLUMNS), *scan.schema.types]
    grows = scan.append_only
    node = plan.Changelog(
        id=build.next_id(),
        schema_ipc=plan.encode_schema(pa.schema([pa.field(f"c{i}", kind) for i, kind in enumerate(types)])),
        append_only=True,
        times=tuple(i + own for i in scan.times) if grows else (),
        closing=tuple(plan.Column(c.index + own, c.offset_us) for c in scan.closing) if grows else (),
        input=scan,
    )
    return build.project(build.stream(node), [field(i) for i in wanted])
