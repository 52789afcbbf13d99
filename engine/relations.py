"""The catalog as the planner sees it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Function, Relation
from constellationdb.catalog.postgres.relations import system_relations
from constellationdb.connectors.strategy import LookupSettings
from constellationdb.engine.lookups import is_fixed, is_replicated, open_back_end, pushdown_of
from constellationdb.engine.pg_catalog.set_functions import set_functions
from constellationdb.engine.system_tables import SYSTEM_TABLES
from constellationdb.planner import plan
from constellationdb.planner.relations import FUNCTIONS, TYPES, PlannedFunctions, PlannedRelation, PlannedTypes
from constellationdb.planner.statements import Query

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine

Planned = Mapping[str, PlannedRelation]


@cache
def _system() -> Planned:
    tables = system_relations()
    schemas = {name: relation.arrow_schema for name, relation in tables.items()}
    schemas |= {**SYSTEM_TABLES, **set_functions()}
    oids = {name: relation.oid for name, relation in tables.items() if relation.kind == "r"}
    found = {name: PlannedRelation(name, "system table", s, oid=oids.get(name, 0)) for name, s in schemas.items()}
    return MappingProxyType(found)


class PlannedCatalog:
    """Catalog versions as mappings for the planner. A definition is read once; the last version stays at hand."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, tuple[Relation, PlannedRelation]] = {}
        self._last: tuple[Catalog, Planned] = (Catalog(), _system())

    def of(self, catalog: Catalog) -> Planned:
        """Any thread: what is replaced here is replaced whole."""
        last, planned = self._last
        if last is catalog:
            return planned
        before, known = self._known, {}
        for relation in catalog.relations.values():
            if relation.kind in ("sink", "subscription"):
                continue  # no query reads one
            found = before.get(relation.name)
            if found is None or found[0] is not relation:
                found = (relation, _planned(self._engine, relation))
            known[relation.name] = found
        users = {**_functions(catalog), **_types(catalog)}
        planned = MappingProxyType({**_system(), **users} | {n: found for n, (_, found) in known.items()})
        self._known, self._last = known, (catalog, planned)
        return planned


def _functions(catalog: Catalog) -> Planned:
    if not catalog.functions:
        return {}
    by_name: dict[str, tuple[Function, ...]] = {}
    for function in catalog.functions.values():
        by_name[function.name] = (*by_name.get(function.name, ()), function)
    return {FUNCTIONS: PlannedFunctions("functions", "functions", pa.schema([]), by_name=by_name)}


def _types(catalog: Catalog) -> Planned:
    if not catalog.types:
        return {}
    by_name = {kind.name: kind.sql_type for kind in catalog.types.values()}
    return {TYPES: PlannedTypes("types", "types", pa.schema([]), by_name=by_name)}


def _planned(engine: Engine, relation: Relation) -> PlannedRelation:
    match relation.kind:
        case "source":
            times = () if relation.watermark is None else (relation.schema.get_field_index(relation.watermark.column),)
            delay = 0 if relation.watermark is None else relation.watermark.delay_us
            return PlannedRelation(
                relation.name,
                "source",
                relation.schema,
                append_only=True,
                times=times,
                delay_us=delay,
                oid=relation.oid,
            )
        case "lookup table":
            settings = LookupSettings.of(relation.options)
            return PlannedRelation(
                relation.name,
                "lookup table",
                relation.schema,
                primary_key=relation.primary_key,
                pushable=_pushable(engine, relation),
                replicated=is_replicated(relation),
                fixed=is_fixed(relation),
                connector=relation.options.get("connector", ""),
                ttl_us=settings.ttl_us,
                max_rows=settings.max_rows,
                oid=relation.oid,
            )
        case "view":
            return planned_view(relation)
        case "sequence":
            return PlannedRelation(relation.name, "sequence", relation.schema)
        case "materialized view":
            root = plan.decode(relation.plan).root
            return PlannedRelation(
                relation.name,
                "materialized view",
                relation.schema,
                append_only=relation.append_only,
                times=root.times,
                closing=tuple(plan.Column(c.index, c.offset_us) for c in root.closing),
                oid=relation.oid,
            )
        case _:
            key = relation.primary_key
            return PlannedRelation(relation.name, "table", relation.schema, primary_key=key, oid=relation.oid)


def planned_view(relation: Relation) -> PlannedRelation:
    query, names = msgspec.msgpack.decode(relation.query, type=tuple[Query, tuple[str, ...]])
    return PlannedRelation(relation.name, "view", relation.schema, query=query, column_names=names)


def _pushable(engine: Engine, relation: Relation) -> frozenset[str]:
    """The predicates a lookup table's back end evaluates; one defined in an open transaction is asked by itself."""
    if is_replicated(relation):
        return frozenset()
    opened = engine.lookups.opened(relation)
    if opened is not None:
        return frozenset(opened.pushed_forms)
    source = pushdown_of(relation, open_back_end(relation))
    try:
        return frozenset(source.pushed_forms)
    finally:
        source.close()
