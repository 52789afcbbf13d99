"""ASOF joins of a snapshot query: cut out of its plan, for DataFusion has none.

    Project(Filter(Asof(L, R)))  →  asof1 = closest of (L, R);  Project(Filter(Read asof1))

Inner ones come first. Each side is a plan of its own with the join's keys and
time behind its columns; what was joined is a table for the plan around it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from substrait.proto import Rel

from constellationdb.planner import arithmetic, plan
from constellationdb.planner.lower.asof import AsofCondition, asof_condition, check_times, whole_right
from constellationdb.planner.lower.condition import conjunction
from constellationdb.planner.lower.core import width_of
from constellationdb.planner.shuttle import Shuttle, below, field, project, remap, select


@dataclass(frozen=True)
class AsofStage:
    """The table ``name`` of the ``columns`` of both sides that the plan reads; right ones count behind the left's."""

    name: str
    left: bytes
    right: bytes
    match: plan.AsofMatch
    columns: tuple[int, ...]
    schema: pa.Schema


Harden = Callable[[Shuttle, Rel], None]


class AsofCutter:
    """Collects the stages of one query. ``harden`` corrects a plan in place, as that of the whole query is."""

    def __init__(self, shuttle: Shuttle, harden: Harden) -> None:
        self._shuttle = shuttle
        self._harden = harden
        self._numbers = itertools.count(1)
        self.stages: list[AsofStage] = []

    def cut(self, rel: Any) -> None:
        """In place: every ASOF join below ``rel`` becomes a read of its table."""
        for child in below(rel):
            self.cut(child)
        kind = rel.WhichOneof("rel_type")
        body = getattr(rel, kind)
        condition = asof_condition(self._shuttle, body) if kind == "join" else None
        if condition is not None:
            rel.CopyFrom(self._stage(body, condition))

    def _stage(self, body: Any, condition: AsofCondition) -> Rel:
        right, places = whole_right(body.right)
        width, added = width_of(body.left), width_of(right)
        if condition.right_conditions:
            meets = remap(conjunction(self._shuttle, condition.right_conditions), places.__getitem__)
            arithmetic.check(self._shuttle, right, added, meets)
            right = select(right, meets)
        on_right = [remap(e, places.__getitem__) for e in (*condition.right, condition.right_time)]
        left, left_keys = self._side(body.left, width, [*condition.left, condition.left_time])
        right, right_keys = self._side(right, added, on_right)
        schemas = [self._shuttle.schema_of(r, w + len(left_keys)) for r, w in ((left, width), (right, added))]
        check_times(schemas[0].types[left_keys[-1]], schemas[1].types[right_keys[-1]])
        count = width + len(left_keys)
        columns = (*range(width), *(count + p for p in places))
        types = [*schemas[0].types, *schemas[1].types]
        schema = pa.schema([pa.field(f"c{i}", types[c]) for i, c in enumerate(columns)])
        name = f"asof{next(self._numbers)}"
        self.stages.append(
            AsofStage(
                name,
                self._shuttle.encode(left, count),
                self._shuttle.encode(right, added + len(right_keys)),
                condition.match(left_keys, right_keys),
                columns,
                schema,
            )
        )
        return self._shuttle.read(name, schema)

    def _side(self, rel: Rel, width: int, keys: list[Any]) -> tuple[Rel, list[int]]:
        made = Rel()
        made.CopyFrom(rel)
        self._harden(self._shuttle, made)
        for key in keys:
            arithmetic.check(self._shuttle, made, width, key)
        outputs = [field(i) for i in range(width)] + keys
        return project(made, width, outputs), list(range(width, len(outputs)))
