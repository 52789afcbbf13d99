"""The catalog as the planner sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from constellationdb.catalog.model import Relation
from constellationdb.engine.system_tables import SYSTEM_TABLES
from constellationdb.planner import plan
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.statements import Query

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine


def planned_relations(engine: Engine) -> dict[str, PlannedRelation]:
    """Every relation of the current catalog version, with what its watermark says of its columns."""
    found = {name: PlannedRelation(name, "system table", schema) for name, schema in SYSTEM_TABLES.items()}
    for relation in engine.catalog.relations.values():
        found[relation.name] = _planned(engine, relation)
    return found


def _planned(engine: Engine, relation: Relation) -> PlannedRelation:
    match relation.kind:
        case "source":
            times = () if relation.watermark is None else (relation.schema.get_field_index(relation.watermark.column),)
            return PlannedRelation(relation.name, "source", relation.schema, append_only=True, times=times)
        case "lookup table":
            source = engine.lookups.source(relation.name)
            return PlannedRelation(
                relation.name,
                "lookup table",
                relation.schema,
                primary_key=relation.primary_key,
                pushable=frozenset(source.pushed_forms),
                connector=relation.options.get("connector", ""),
            )
        case "view":
            query, names = msgspec.msgpack.decode(relation.query, type=tuple[Query, tuple[str, ...]])
            return PlannedRelation(relation.name, "view", relation.schema, query=query, column_names=names)
        case "materialized view":
            root = engine.jobs[relation.name].plan.root
            return PlannedRelation(
                relation.name,
                "materialized view",
                relation.schema,
                append_only=relation.append_only,
                times=root.times,
                closing=tuple(plan.Column(c.index, c.offset_us) for c in root.closing),
            )
        case _:
            return PlannedRelation(relation.name, "table", relation.schema, primary_key=relation.primary_key)
