"""What ALTER does to the views over a relation: they go on with the columns and names that they know.

    CREATE VIEW v AS SELECT * FROM t            ALTER TABLE t ADD COLUMN c
    CREATE VIEW v AS SELECT * FROM (SELECT a, b FROM t) t

A view's text is changed only where it would mean something else, or nothing,
over the relation as it becomes. A materialized view's plan reads columns by
their places, which are put in anew.
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
from constellationdb.planner.pinning import pinned, renamed
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.syntax import parse


@dataclass(frozen=True)
class Change:
    """Of ``relation``: its columns, and where each of them was before (-1: it is new)."""

    relation: str
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
    refuse_sinks(catalog, change.relation)
    _refuse_subscriptions(catalog, change.relation)
    views, after = Views(), _after(relations, change)
    for view in catalog.relations.values():
        if view.kind not in ("view", "materialized view") or change.relation not in catalog.bases_of(view.name):
            continue
        if view.is_upcoming and view.owner == change.relation:
            continue  # what takes its place does not read it
        if view.name == change.relation or set(views.lost) & catalog.bases_of(view.name):
            continue  # it goes with what it reads
        if view.kind == "view" and change.relation not in view.depends_on:
            continue
        found = _adapted(view, relations, after, functions, change)
        if found is None:
            views.lost.append(view.name)
            continue
        views.altered.append(found)
        if found.kind == "view":
            after[view.name] = planned_view(found)
    return views


def refuse_sinks(catalog: Catalog, relation: str) -> None:
    """0A000: what is at their targets has the columns, and the key, that the relation has."""
    _refuse(catalog, relation, "sink", "the columns or the key")


def _refuse_subscriptions(catalog: Catalog, relation: str) -> None:
    """0A000: their clients have been given rows of the columns that the relation has."""
    _refuse(catalog, relation, "subscription", "the columns")


def _refuse(catalog: Catalog, relation: str, kind: str, what: str) -> None:
    over = [r for r in catalog.relations.values() if r.kind == kind and relation in r.depends_on]
    if over:
        changed = catalog.get(relation)
        raise FeatureNotSupported(
            f'cannot change {what} of {changed.kind} "{changed.shown}": a {kind} depends on them',
            detail="\n".join(f'{kind} "{r.shown}" depends on {changed.kind} "{changed.shown}"' for r in over),
            hint=f"Drop the {kind} first.",
        )


def with_new_name(catalog: Catalog, relation: Relation, new: str) -> list[Relation]:
    """The views that say a relation's name, saying the new one, where they can: they find it by the old one, too."""
    found = []
    for view in catalog.relations.values():
        if view.kind in ("view", "materialized view") and relation.name in view.depends_on:
            statement = _understood(view, view.sql)
            changed = renamed(view.sql, statement, relation.name, new)
            if changed is not None:
                text, names = changed
                found.append(_with_query(view, text, replaced(statement.query, names=names)))
    return found


def _adapted(
    view: Relation, relations: Planned, changed: Planned, functions: Functions, change: Change
) -> Relation | None:
    statement = _understood(view, view.sql)
    try:
        before = query_schema(statement.query, relations, functions)
    except ConstellationError:  # a function that it calls reads what is not there any more
        return _as_planned(view, change)

    def over(columns: list[tuple[str, str]] | None) -> str | None:
        text = pinned(view.sql, statement, change.relation, columns)
        return text if text is not None and _means(view, text, changed, functions, before) else None

    text = over(None) or over(_needed(change.kept, over))
    if text is not None:
        try:
            return _redefined(view, text, change)
        except FeatureNotSupported:  # the column is there, but of another type
            return None
    if view.kind == "materialized view" and change.keeps_all:  # its plan is all that it needs
        return _redefined(view, view.sql, change)
    return None


def _as_planned(view: Relation, change: Change) -> Relation | None:
    """A view whose text means nothing: its plan is all that it needs."""
    try:
        return _redefined(view, view.sql, change)
    except FeatureNotSupported:
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


def _means(view: Relation, text: str, relations: Planned, functions: Functions, schema: pa.Schema) -> bool:
    """Whether another text for a view gives rows of this schema."""
    try:
        found = query_schema(_understood(view, text).query, relations, functions)
    except ConstellationError:
        return False
    return bool(found.equals(schema, check_metadata=True))


def _understood(view: Relation, text: str) -> st.CreateView:
    """A text for the view: in its time zone, its names meaning what they meant when it was created."""
    statement = parse(text)[0]
    assert isinstance(statement, st.CreateView)
    return replaced(statement, query=_like(view, statement.query))


def _like(view: Relation, query: st.Query) -> st.Query:
    known = planned_view(view).query if view.query else None
    return query if known is None else replaced(query, zone=known.zone, names=known.names)


def _after(relations: Planned, change: Change) -> dict[str, PlannedRelation]:
    relation = relations[change.relation]
    times = tuple(change.sources.index(place) for place in relation.times if place in change.sources)
    return {**relations, change.relation: replaced(relation, schema=change.schema, times=times)}


def _redefined(view: Relation, text: str, change: Change) -> Relation:
    made = _with_query(view, text, _understood(view, text).query)
    return made if view.kind == "view" else replace(made, plan=plan_over(view.plan, change))


def _with_query(view: Relation, text: str, query: st.Query) -> Relation:
    statement = parse(text)[0]
    assert isinstance(statement, st.CreateView)
    query = replaced(statement.query, zone=query.zone, names=query.names)
    return replace(view, sql=text, query=msgspec.msgpack.encode((query, statement.column_names)))


def plan_over(plan: bytes, change: Change) -> bytes:
    """The plan with the places of the relation's columns as they are now."""
    places = {source: place for place, source in enumerate(change.sources) if source >= 0}
    tree = msgspec.msgpack.decode(plan)
    for node in _scans(tree, change.relation):
        missing = [column for column in node["columns"] if column not in places]
        if missing:
            raise FeatureNotSupported(f'a view reads a column of "{change.relation}" that is to be dropped')
        node["columns"] = [places[column] for column in node["columns"]]
    return msgspec.msgpack.encode(tree)


def _scans(tree: Any, relation: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    members = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, list) else ()
    for member in members:
        found += _scans(member, relation)
    if isinstance(tree, dict) and tree.get("node") == "scan" and tree["relation"] == relation:
        found.append(tree)
    return found
