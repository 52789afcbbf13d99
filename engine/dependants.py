"""What ALTER does to the views over a relation: they go on with the columns and names that they know.

    CREATE VIEW v AS SELECT * FROM t            ALTER TABLE t ADD COLUMN c
    CREATE VIEW v AS SELECT * FROM (SELECT a, b FROM t) t

A view's text is changed only where it would mean something else, or nothing,
over the relation as it becomes. A materialized view's plan reads columns by
their places and relations by their names: these are put in anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from typing import Any

import msgspec
import pyarrow as pa
from msgspec.structs import replace

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Relation
from constellationdb.engine.relations import Planned, planned_view
from constellationdb.errors import ConstellationError, FeatureNotSupported
from constellationdb.planner import statements as st
from constellationdb.planner.analysis.catalog_functions import Functions
from constellationdb.planner.described import query_schema
from constellationdb.planner.pinning import pinned
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.syntax import parse


@dataclass(frozen=True)
class Change:
    """Of relation ``old``: its name afterwards, and where each of its columns was before (-1: it is new)."""

    old: str
    new: str
    schema_before: pa.Schema
    schema: pa.Schema
    sources: tuple[int, ...]

    @property
    def kept(self) -> list[tuple[str, str]]:
        """The columns there were and still are: what they are called now and what they were called."""
        names, before = self.schema.names, self.schema_before.names
        found = {source: names[place] for place, source in enumerate(self.sources) if source >= 0}
        return [(found[place], before[place]) for place in sorted(found)]

    @property
    def keeps_all(self) -> bool:
        return set(range(len(self.schema_before))) <= set(self.sources)


@dataclass
class Views:
    """What becomes of those that read a relation: other definitions, or none for those that cannot go on."""

    altered: list[Relation] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def adapted(catalog: Catalog, relations: Planned, functions: Functions, change: Change) -> Views:
    """``relations`` are as before the change."""
    views, after = Views(), _after(relations, change)
    for view in catalog.relations.values():
        if view.kind not in ("view", "materialized view") or change.old not in catalog.bases_of(view.name):
            continue
        if view.name == change.old or set(views.lost) & catalog.bases_of(view.name):
            continue  # it goes with what it reads
        if view.kind == "view" and change.old not in view.depends_on:
            continue
        found = _adapted(view, relations, after, functions, change)
        if found is None:
            views.lost.append(view.name)
            continue
        views.altered.append(found)
        if found.kind == "view":
            after[view.name] = planned_view(found)
    return views


def _adapted(
    view: Relation, relations: Planned, changed: Planned, functions: Functions, change: Change
) -> Relation | None:
    statement, zone = _statement(view), _zone(view)
    before = query_schema(replaced(statement.query, zone=zone), relations, functions)

    def over(columns: list[tuple[str, str]] | None) -> str | None:
        text = pinned(view.sql, statement, change.old, change.new, columns)
        return text if text is not None and _means(text, zone, changed, functions, before) else None

    text = over(None) or over(_needed(change.kept, over))
    if text is not None:
        return _redefined(view, text, zone, change)
    if view.kind == "materialized view" and change.keeps_all:  # its plan is all that it needs
        return _redefined(view, view.sql, zone, change)
    return None


def _needed(
    columns: list[tuple[str, str]], over: Callable[[list[tuple[str, str]]], str | None]
) -> list[tuple[str, str]]:
    """Those that the view cannot do without: it shall not depend on the others."""
    if over(columns) is not None:
        for column in list(columns):
            fewer = [other for other in columns if other is not column]
            if fewer and over(fewer) is not None:
                columns = fewer
    return columns


def _means(text: str, zone: str, relations: Planned, functions: Functions, schema: pa.Schema) -> bool:
    """Whether the text of a view gives rows of this schema."""
    try:
        found = query_schema(replaced(_parsed(text).query, zone=zone), relations, functions)
    except ConstellationError:
        return False
    return bool(found.equals(schema, check_metadata=True))


def _zone(view: Relation) -> str:
    """The time zone that a plain view computes in; a materialized one's is in its plan."""
    if view.kind != "view":
        return "UTC"
    query = planned_view(view).query
    assert query is not None
    return query.zone


def _statement(view: Relation) -> st.CreateView:
    return _parsed(view.sql)


def _parsed(text: str) -> st.CreateView:
    statement = parse(text)[0]
    assert isinstance(statement, st.CreateView)
    return statement


def _after(relations: Planned, change: Change) -> dict[str, PlannedRelation]:
    found = dict(relations)
    relation = found.pop(change.old)
    found[change.new] = PlannedRelation(
        change.new,
        relation.kind,
        change.schema,
        append_only=relation.append_only,
        times=tuple(change.sources.index(place) for place in relation.times if place in change.sources),
        primary_key=relation.primary_key,
        query=relation.query,
        column_names=relation.column_names,
        delay_us=relation.delay_us,
    )
    return found


def _redefined(view: Relation, text: str, zone: str, change: Change) -> Relation:
    depends_on = tuple(change.new if name == change.old else name for name in view.depends_on)
    made = replace(view, sql=text, depends_on=depends_on)
    if view.kind == "view":
        statement = _parsed(text)
        query = replaced(statement.query, zone=zone)
        return replace(made, query=msgspec.msgpack.encode((query, statement.column_names)))
    return replace(made, plan=plan_over(view.plan, change))


def plan_over(plan: bytes, change: Change) -> bytes:
    """The plan with the places of the relation's columns, and its name, as they are now."""
    places = {source: place for place, source in enumerate(change.sources) if source >= 0}
    tree = msgspec.msgpack.decode(plan)
    for node in _scans(tree, change.old):
        missing = [column for column in node["columns"] if column not in places]
        if missing:
            raise FeatureNotSupported(f'a view reads a column of "{change.old}" that is to be dropped')
        node["columns"] = [places[column] for column in node["columns"]]
        node["relation"] = change.new
    return msgspec.msgpack.encode(tree)


def _scans(tree: Any, relation: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    members = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ()
    for member in members:
        found += _scans(member, relation)
    if isinstance(tree, dict) and tree.get("node") == "scan" and tree["relation"] == relation:
        found.append(tree)
    return found
