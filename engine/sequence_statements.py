"""CREATE SEQUENCE, ALTER SEQUENCE and what dropping one does, for a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from constellationdb.catalog.catalog import Catalog, NameOf
from constellationdb.catalog.model import Alter, Command, Relation
from constellationdb.engine import sequence_definitions
from constellationdb.engine.object_names import taken_names
from constellationdb.engine.pg_catalog.functions.names import relation
from constellationdb.engine.result import Notice, Result
from constellationdb.errors import DependentObjects, DuplicateRelation, WrongObjectType
from constellationdb.planner import statements as st
from constellationdb.planner.references import split

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


def perform(session: Session, statement: st.CreateSequence | st.AlterSequence) -> Result:
    return _create(session, statement) if isinstance(statement, st.CreateSequence) else _alter(session, statement)


def _create(session: Session, statement: st.CreateSequence) -> Result:
    place = session.names.place(statement.name, statement.name_position + 1, temporary=statement.temporary)
    if place.label in taken_names(session.catalog, place.namespace):
        message = f'relation "{place.label}" already exists'
        if not statement.if_not_exists:
            raise DuplicateRelation(message)
        return Result("CREATE SEQUENCE", notices=[Notice(f"{message}, skipping", sqlstate="42P07")])
    session.temporary.used |= place.is_temporary
    _define(session, sequence_definitions.create(session.names, session.catalog, place, statement))
    return Result("CREATE SEQUENCE")


def _alter(session: Session, statement: st.AlterSequence) -> Result:
    altered = session.catalog.relations.get(session.names.find(statement.name))
    if altered is None:
        if not statement.if_exists:
            raise session.names.missing(statement.name)
        message = f'relation "{split(statement.name)[1]}" does not exist, skipping'
        return Result("ALTER SEQUENCE", notices=[Notice(message)])
    if altered.kind != "sequence":
        raise WrongObjectType(f'"{altered.shown}" is not a sequence')
    _define(session, sequence_definitions.alter(session.names, session.catalog, altered, statement.options))
    return Result("ALTER SEQUENCE")


def _define(session: Session, command: Command) -> None:
    with session.together() as transaction:
        transaction.define(session.engine, command)


def resolve(session: Session, text: str) -> str:
    """The sequence that DEFAULT nextval('text') means."""
    oid = relation(session, text)
    found = session.objects.by_oid.get(oid)
    if found is None or found.relation is None or found.relation.kind != "sequence":
        raise WrongObjectType(f'"{text}" is not a sequence')
    return found.relation.name


@dataclass(frozen=True)
class Freed:
    """What has to be defined before a sequence can go, and what notices say of it."""

    commands: list[Command]
    said: list[str]


def without_defaults(catalog: Catalog, dropped: tuple[str, ...], name_of: NameOf, *, cascade: bool) -> Freed:
    """The tables that stay, without the defaults that took values of the sequences that are ``dropped``."""
    lines: list[str] = []
    said: list[str] = []
    tables: dict[str, Relation] = {}
    for name in dropped:
        sequence = catalog.relations[name]
        if sequence.kind != "sequence":
            continue
        for table, column in catalog.taken_from(name):
            if table.name in dropped:
                continue
            _refuse_identity(table, column, sequence, name_of)
            what = f"default value for column {column} of table {name_of(table)}"
            lines.append(f"{what} depends on sequence {name_of(sequence)}")
            said.append(what)
            tables[table.name] = _without_default(tables.get(table.name, table), column)
    if lines and not cascade:
        raise DependentObjects(
            f"cannot drop sequence {name_of(catalog.relations[dropped[0]])} because other objects depend on it",
            detail="\n".join(lines),
            hint="Use DROP ... CASCADE to drop the dependent objects too.",
        )
    return Freed([Alter(tuple(tables.values()))] if tables else [], said)


def _refuse_identity(table: Relation, column: str, sequence: Relation, name_of: NameOf) -> None:
    found = table.column(column)
    if found is not None and found.identity:
        what = f"column {column} of table {name_of(table)}"
        raise DependentObjects(
            f"cannot drop sequence {name_of(sequence)} because {what} requires it",
            hint=f"You can drop {what} instead.",
        )


def _without_default(table: Relation, column: str) -> Relation:
    columns = (replace(c, sequence="", default=None) if c.name == column else c for c in table.columns)
    return replace(table, columns=tuple(columns))
