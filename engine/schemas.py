"""CREATE, DROP and ALTER SCHEMA for a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Command, CreateSchema, Drop, DropSchema, Relation, RenameSchema
from constellationdb.engine.pg_catalog import lookup
from constellationdb.engine.pg_catalog.names import quoted
from constellationdb.engine.result import Notice, Result
from constellationdb.errors import DependentObjects, DuplicateSchema, ReservedName, UndefinedObject, UndefinedSchema
from constellationdb.planner import statements as st

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


def create_schema(session: Session, statement: st.CreateSchema) -> Result:
    name = statement.name
    if statement.role not in (None, session.user, "current_user"):
        raise UndefinedObject(f'role "{statement.role}" does not exist')
    _check_name(name)
    if _exists(session, name):
        message = f'schema "{name}" already exists'
        if not statement.if_not_exists:
            raise DuplicateSchema(message)
        return Result("CREATE SCHEMA", notices=[Notice(f"{message}, skipping", sqlstate=DuplicateSchema.sqlstate)])
    _submit(session, CreateSchema(name))
    return Result("CREATE SCHEMA")


def rename_schema(session: Session, statement: st.RenameSchema) -> Result:
    session.catalog.schema(statement.name)
    if _exists(session, statement.to):
        raise DuplicateSchema(f'schema "{statement.to}" already exists')
    _check_name(statement.to)
    _submit(session, RenameSchema(statement.name, statement.to))
    return Result("ALTER SCHEMA")


def drop_schema(session: Session, statement: st.DropSchema) -> Result:
    catalog, notices, present = session.catalog, [], []
    for name in dict.fromkeys(statement.names):
        if name in catalog.schemas:
            present.append(name)
        elif name in lookup.system_schemas():
            raise DependentObjects(f"cannot drop schema {name} because it is required by the database system")
        elif statement.if_exists:
            notices.append(Notice(f'schema "{name}" does not exist, skipping'))
        else:
            raise UndefinedSchema(f'schema "{name}" does not exist')
    if present:
        notices += _drop(session, catalog, present, cascade=statement.cascade)
    return Result("DROP SCHEMA", notices=notices)


def _drop(session: Session, catalog: Catalog, present: list[str], *, cascade: bool) -> list[Notice]:
    oids = {catalog.schemas[name]: name for name in present}
    # Late rows may be in another schema than the view they belong to, which goes with them.
    inside = list(dict.fromkeys(r.owner or r.name for r in catalog.relations.values() if r.namespace in oids))
    gone = catalog.to_drop(inside, cascade=True)
    named = _in_order(catalog, inside)
    if gone and not cascade:
        raise _blocked(session, oids, named)
    commands: list[Command] = [Drop(gone)] if gone else []
    dropped = [f"{relation.kind} {session.names.shown(relation)}" for relation, _ in named]
    _submit(session, *commands, DropSchema(tuple(present)))
    return cascade_notices(dropped)


def _in_order(catalog: Catalog, inside: list[str]) -> list[tuple[Relation, Relation | None]]:
    """What goes with schemas, in the order Postgres tells it: what depends on a relation, and on which, behind it."""
    found: dict[str, tuple[Relation, Relation | None]] = {}

    def visit(relation: Relation, base: Relation | None) -> None:
        if relation.name in found or relation.owner is not None:
            return
        found[relation.name] = relation, base
        for other in reversed(list(catalog.relations.values())):
            if relation.name in other.depends_on:
                visit(other, relation)

    for name in inside:
        visit(catalog.relations[name], None)
    return list(found.values())


def _blocked(session: Session, oids: dict[int, str], named: list[tuple[Relation, Relation | None]]) -> DependentObjects:
    shown, lines = session.names.shown, []
    first = next(iter(oids.values()))
    for relation, on in named:
        outside = on is not None and relation.namespace not in oids
        base = f"{on.kind} {shown(on)}" if on and outside else f"schema {quoted(oids.get(relation.namespace, first))}"
        lines.append(f"{relation.kind} {shown(relation)} depends on {base}")
    what, objects = f"schema {quoted(first)}", "it"
    if len(oids) > 1:
        what, objects = "desired object(s)", "them"
    return DependentObjects(
        f"cannot drop {what} because other objects depend on {objects}",
        detail="\n".join(lines),
        hint="Use DROP ... CASCADE to drop the dependent objects too.",
    )


def cascade_notices(dropped: list[str]) -> list[Notice]:
    lines = [f"drop cascades to {what}" for what in dropped]
    if len(lines) < 2:
        return [Notice(line) for line in lines]
    return [Notice(f"drop cascades to {len(lines)} other objects", detail="\n".join(lines))]


def _exists(session: Session, name: str) -> bool:
    return name in session.catalog.schemas or name in lookup.system_schemas()


def _check_name(name: str) -> None:
    if name.startswith("pg_"):
        raise ReservedName(
            f'unacceptable schema name "{name}"', detail='The prefix "pg_" is reserved for system schemas.'
        )


def _submit(session: Session, *commands: Command) -> None:
    with session.together() as transaction:
        for command in commands:
            transaction.define(session.engine, command)
