"""The walk over a checked Substrait plan, and what every rule needs to know of a relation's shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import pyarrow as pa
from substrait.proto import JoinRel, Rel

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner import plan
from constellationdb.planner.grouping import key_width
from constellationdb.planner.lower.stream import Builder, Stream
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.shuttle import Shuttle

JOIN_TYPES: dict[int, plan.JoinType] = {
    JoinRel.JOIN_TYPE_INNER: "inner",
    JoinRel.JOIN_TYPE_OUTER: "full",
    JoinRel.JOIN_TYPE_LEFT: "left",
    JoinRel.JOIN_TYPE_RIGHT: "right",
    JoinRel.JOIN_TYPE_LEFT_SEMI: "semi",
    JoinRel.JOIN_TYPE_LEFT_ANTI: "anti",
    JoinRel.JOIN_TYPE_LEFT_MARK: "mark",
}
# Joins that give the rows of their right side: lowered with the sides exchanged.
MIRRORED: dict[int, JoinRel.JoinType.ValueType] = {
    JoinRel.JOIN_TYPE_RIGHT_SEMI: JoinRel.JOIN_TYPE_LEFT_SEMI,
    JoinRel.JOIN_TYPE_RIGHT_ANTI: JoinRel.JOIN_TYPE_LEFT_ANTI,
    JoinRel.JOIN_TYPE_RIGHT_MARK: JoinRel.JOIN_TYPE_LEFT_MARK,
}


class Lowering:
    """One query on its way down.

    ``relations``: by the name they have in the plan. ``stages`` makes the stream of
    a virtual table (a window call, a view, a CTE). ``rules``: kind of relation → rule.
    """

    def __init__(
        self,
        shuttle: Shuttle,
        relations: Mapping[str, PlannedRelation],
        stages: Mapping[str, Stage],
        rules: Mapping[str, Rule],
    ) -> None:
        self.shuttle = shuttle
        self.build = Builder(shuttle)
        self.relations = relations
        self.stages = stages
        self.keeps_late_rows = False  # as they came, with the window each missed
        self.lateness_us = 0
        self._rules = rules

    def lower(self, rel: Rel) -> Stream:
        kind = rel.WhichOneof("rel_type")
        rule = self._rules.get(kind)
        if rule is None:
            raise FeatureNotSupported(f"a {kind} relation is not supported in a continuous query")
        return rule(self, rel)

    def scan(self, relation: PlannedRelation, columns: list[int]) -> plan.Scan:
        """Read ``columns`` of a relation's log."""
        place = {column: j for j, column in enumerate(columns)}
        kept = [relation.schema.field(c).type for c in columns]
        return plan.Scan(
            id=self.build.next_id(),
            schema_ipc=plan.encode_schema(pa.schema([pa.field(f"c{j}", kind) for j, kind in enumerate(kept)])),
            append_only=relation.append_only and bool(columns),  # rows without columns are counted by weight
            times=tuple(place[c] for c in relation.times if c in place),
            closing=tuple(plan.Column(place[c.index], c.offset_us) for c in relation.closing if c.index in place),
            relation=relation.name,
            columns=tuple(columns),
        )


Rule: TypeAlias = Callable[[Lowering, Rel], Stream]
Stage: TypeAlias = Callable[[Lowering, list[int]], Stream]  # the wanted columns of a virtual table, in order


def read_columns(rel: Rel) -> list[int]:
    """The columns of its table that a read keeps, in order."""
    if rel.read.HasField("projection"):
        return [item.field for item in rel.read.projection.select.struct_items]
    return list(range(len(rel.read.base_schema.names)))


def width_of(rel: Rel) -> int:
    """How many columns a relation puts out."""
    kind = rel.WhichOneof("rel_type")
    body = getattr(rel, kind)
    if body.common.HasField("emit"):
        return len(body.common.emit.output_mapping)
    match kind:
        case "read":
            return len(read_columns(rel))
        case "project":
            return width_of(body.input) + len(body.expressions)
        case "aggregate":
            return key_width(body) + len(body.measures)
        case "join":
            return _join_width(rel)
        case "cross":
            return width_of(body.left) + width_of(body.right)
        case "set":
            return width_of(body.inputs[0])
        case _:
            return width_of(body.input)


def _join_width(rel: Rel) -> int:
    left, right = width_of(rel.join.left), width_of(rel.join.right)
    kind = MIRRORED.get(rel.join.type)
    if kind is not None:
        left, right = right, left
    match JOIN_TYPES.get(kind or rel.join.type):
        case "semi" | "anti":
            return left
        case "mark":
            return left + 1
        case _:
            return left + right
