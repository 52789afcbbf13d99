"""Which next versions may take a view's place: those that leave to others what they read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.catalog.model import Relation
from constellationdb.catalog.types import of_field
from constellationdb.engine.dependants import Change, adapted, refuse_sinks
from constellationdb.engine.operators.base import NO_WATERMARK
from constellationdb.engine.pg_catalog.functions import NoSession
from constellationdb.engine.sinks.keys import key_of
from constellationdb.errors import DependentObjects, FeatureNotSupported
from constellationdb.planner import plan

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine


def same_columns(old: pa.Schema, new: pa.Schema) -> bool:
    return old.names == new.names and old.types == new.types and all(map(_same_type, old, new))


def _same_type(old: pa.Field, new: pa.Field) -> bool:
    was, becomes = of_field(old), of_field(new)
    return (was.oid, was.typmod) == (becomes.oid, becomes.typmod)


def columns_before(old: pa.Schema, new: pa.Schema) -> tuple[int, ...]:
    """Where each column of the new schema is in the old one, -1 where there is none of its name and type."""
    places = [old.get_field_index(field.name) for field in new]
    return tuple(
        place if place >= 0 and _same_type(old.field(place), field) else -1
        for place, field in zip(places, new, strict=True)
    )


def views_over(engine: Engine, old: Relation, new: Relation) -> tuple[Relation, ...]:
    """The views over a view whose definitions change with its columns.

    2BP01 when one of them reads a column that will not be there any more; 0A000 where one counts on rows that are
    never taken away.
    """
    catalog = engine.catalog
    dependants = [catalog.relations[name] for name in catalog.dependants(old.name)]
    _refuse_growing(engine, old, dependants)
    if key_of(catalog, old) != key_of(catalog, new):
        refuse_sinks(catalog, old.name)
    if not dependants or same_columns(old.schema, new.schema):
        return ()
    change = Change(old.name, old.schema, new.schema, columns_before(old.schema, new.schema))
    views = adapted(catalog, engine.planned.of(catalog), NoSession(), change)
    if views.lost:
        lost = [catalog.relations[name] for name in views.lost]
        trouble = _difference(old, new, _read_of(old, lost))
        raise DependentObjects(
            f"cannot replace materialized view {old.shown} because other objects depend on it",
            detail="\n".join(f"{r.kind} {r.shown} depends on materialized view {old.shown}" for r in lost),
            hint=f"{trouble} Drop the dependent objects, or give the query the same columns.",
        )
    return tuple(views.altered)


def _refuse_growing(engine: Engine, old: Relation, dependants: list[Relation]) -> None:
    computed = [relation for relation in dependants if relation.kind in ("materialized view", "sink")]
    if computed and (old.append_only or engine.states[old.name].watermark != NO_WATERMARK):
        raise FeatureNotSupported(
            f'cannot replace materialized view "{old.shown}": its rows are never taken away, and others count on that',
            detail="\n".join(f'{r.kind} "{r.shown}" depends on it' for r in computed),
            hint="Drop the dependent objects first.",
        )


def _read_of(view: Relation, readers: list[Relation]) -> set[str]:
    """The columns that materialized views read of a view; all of them where only plain ones do."""
    roots = [plan.decode(reader.plan).root for reader in readers if reader.plan]
    scans = [node for root in roots for node in plan.walk(root) if isinstance(node, plan.Scan)]
    names = view.schema.names
    return {names[place] for scan in scans if scan.relation == view.name for place in scan.columns} or set(names)


def _difference(old: Relation, new: Relation, read: set[str]) -> str:
    """The first column of those that are read that is not what it was."""
    fields = {field.name: field for field in new.schema}
    for field in (field for field in old.schema if field.name in read):
        becomes = fields.get(field.name)
        if becomes is None:
            return f'Column "{field.name}" would be gone.'
        if not _same_type(field, becomes):
            return f'Column "{field.name}" would be {of_field(becomes).name} instead of {of_field(field).name}.'
    return "The columns would be others, or in another order."
