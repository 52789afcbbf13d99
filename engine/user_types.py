"""CREATE, ALTER and DROP TYPE for a session, and what the names of users' types mean in definitions."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from msgspec.structs import replace

from constellationdb.catalog.catalog import Catalog, type_users
from constellationdb.catalog.model import AlterType, Command, CreateType, Drop, DropTypes, Relation, UserType
from constellationdb.catalog.types import UNRESOLVED, SqlType, array_of, describe, of_field, parts_of, quoted
from constellationdb.engine.result import Notice, Result
from constellationdb.engine.schemas import cascade_notices
from constellationdb.errors import (
    DependentObjects,
    DuplicateColumn,
    DuplicateObject,
    FeatureNotSupported,
    InvalidParameter,
    UndefinedObject,
    UniqueViolation,
    WrongObjectType,
)
from constellationdb.planner import statements as st

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_LABEL_BYTES = 63


def resolved(catalog: Catalog, statement: st.Statement) -> st.Statement:
    """The statement with the types of users in the places of their names."""
    match statement:
        case st.CreateTable() | st.CreateSource() | st.CreateLookupTable():
            return dataclasses.replace(statement, columns=tuple(_column(catalog, c) for c in statement.columns))
        case st.AlterTable():
            return dataclasses.replace(statement, actions=tuple(_action(catalog, a) for a in statement.actions))
        case st.CreateType():
            return dataclasses.replace(statement, fields=tuple(_column(catalog, c) for c in statement.fields))
        case st.AlterType(add=st.ColumnDef() as added):
            return dataclasses.replace(statement, add=_column(catalog, added))
        case _:
            return statement


def _column(catalog: Catalog, column: st.ColumnDef) -> st.ColumnDef:
    kind = _meant(catalog, column.type, column.type_position + 1)
    return column if kind is column.type else dataclasses.replace(column, type=kind)


def _action(catalog: Catalog, action: st.AlterAction) -> st.AlterAction:
    match action:
        case st.AddColumn(column):
            return dataclasses.replace(action, column=_column(catalog, column))
        case st.SetType():
            return dataclasses.replace(action, type=_meant(catalog, action.type, None))
        case _:
            return action


def _meant(catalog: Catalog, kind: SqlType, position: int | None) -> SqlType:
    if kind.oid != UNRESOLVED:
        return kind
    if kind.element is not None:
        return array_of(_meant(catalog, kind.element, position))
    found = catalog.type_named(kind.name)
    if found is None:
        raise UndefinedObject(f'type "{kind.name}" does not exist', position=position)
    return found.sql_type


def create_type(session: Session, statement: st.CreateType) -> Result:
    names = [field.name for field in statement.fields]
    for name in names:
        if names.count(name) > 1:
            raise DuplicateColumn(f'column "{name}" specified more than once')
    for label in statement.labels:
        _check_label(label)
        if statement.labels.count(label) > 1:
            raise UniqueViolation('duplicate key value violates unique constraint "pg_enum_typid_label_index"')
    if not names and not statement.labels:
        raise FeatureNotSupported("a type without fields or labels is not supported", position=statement.offset + 1)
    fields = tuple((field.name, describe(field.type)) for field in statement.fields)
    _submit(session, CreateType(UserType(statement.name, fields, statement.labels)))
    return Result("CREATE TYPE")


def _check_label(label: str) -> None:
    if len(label.encode()) > _LABEL_BYTES:
        raise InvalidParameter(f'invalid enum label "{label}"', detail=f"Labels must be {_LABEL_BYTES} bytes or less.")


def alter_type(session: Session, statement: st.AlterType) -> Result:
    kind = _known(session.catalog, statement.name)
    if statement.if_not_exists and statement.label in kind.labels:
        message = f'enum label "{statement.label}" already exists, skipping'
        return Result("ALTER TYPE", notices=[Notice(message, sqlstate=DuplicateObject.sqlstate)])
    changed = _altered(kind, statement)
    users = type_users(session.catalog, [kind.oid])
    if users:
        raise FeatureNotSupported(
            f"cannot alter type {quoted(kind.name)} because {_use(session, users[0], {kind.oid})[0]} uses it",
            position=statement.offset + 1,
        )
    _submit(session, AlterType(changed))
    return Result("ALTER TYPE")


def _altered(kind: UserType, statement: st.AlterType) -> UserType:
    if statement.rename:
        return replace(kind, name=statement.rename)
    if statement.add is not None:
        if not kind.fields:
            raise WrongObjectType(f"{quoted(kind.name)} is not a composite type")
        if statement.add.name in dict(kind.fields):
            raise DuplicateColumn(f'column "{statement.add.name}" of relation "{kind.name}" already exists')
        return replace(kind, fields=(*kind.fields, (statement.add.name, describe(statement.add.type))))
    if not kind.labels:
        raise WrongObjectType(f"{quoted(kind.name)} is not an enum")
    return replace(kind, labels=_with_label(kind.labels, statement))


def _with_label(labels: tuple[str, ...], statement: st.AlterType) -> tuple[str, ...]:
    _check_label(statement.label)
    if statement.label in labels:
        raise DuplicateObject(f'enum label "{statement.label}" already exists')
    if statement.beside and statement.beside not in labels:
        raise InvalidParameter(f'"{statement.beside}" is not an existing enum label')
    place = labels.index(statement.beside) + (not statement.before) if statement.beside else len(labels)
    return (*labels[:place], statement.label, *labels[place:])


def _known(catalog: Catalog, name: str) -> UserType:
    found = catalog.type_named(name)
    if found is None:
        raise UndefinedObject(f'type "{name}" does not exist')
    return found


def drop_type(session: Session, statement: st.DropType) -> Result:
    catalog, notices, oids = session.catalog, [], []
    for name in statement.names:
        found = catalog.type_named(name)
        if found is not None:
            oids.append(found.oid)
        elif statement.if_exists:
            notices.append(Notice(f'type "{name}" does not exist, skipping'))
        else:
            raise UndefinedObject(f'type "{name}" does not exist')
    if oids:
        notices += _drop(session, oids, cascade=statement.cascade)
    return Result("DROP TYPE", notices=notices)


def _drop(session: Session, oids: list[int], *, cascade: bool) -> list[Notice]:
    catalog = session.catalog
    users = type_users(catalog, oids)
    if users and not cascade:
        lines = [line for user in users for line in _lines(session, user, set(oids))]
        several = len(oids) > 1
        what = "desired object(s)" if several else f"type {quoted(catalog.types[oids[0]].name)}"
        raise DependentObjects(
            f"cannot drop {what} because other objects depend on {'them' if several else 'it'}",
            detail="\n".join(lines),
            hint="Use DROP ... CASCADE to drop the dependent objects too.",
        )
    for user in users:
        if not isinstance(user, Relation) or user.kind not in ("view", "materialized view", "side output"):
            raise FeatureNotSupported(
                f"DROP TYPE … CASCADE of a type that {_use(session, user, set(oids))[0]} uses is not supported",
                hint="drop the column, or what has it, first",
            )
    views = [user.name for user in users if isinstance(user, Relation) and user.kind != "side output"]
    gone = catalog.to_drop(views, cascade=True)
    dropped = [f"{user.kind} {session.names.shown(user)}" for user in map(catalog.get, views)]
    dropped += catalog.cascaded(views, gone, session.names.shown)
    commands: list[Command] = [Drop(gone)] if gone else []
    _submit(session, *commands, DropTypes(tuple(oids)))
    return cascade_notices(dropped)


def _lines(session: Session, user: Relation | UserType, oids: set[int]) -> list[str]:
    if isinstance(user, Relation) and user.kind == "side output":
        return []
    return [f"{what} depends on type {base}" for what, base in [_use(session, user, oids)]]


def _use(session: Session, user: Relation | UserType, oids: set[int]) -> tuple[str, str]:
    """What uses one of the types, and which."""
    types = session.catalog.types
    if isinstance(user, UserType):
        shown, fields = f"composite type {quoted(user.name)}", list(user.sql_type.fields)
    else:
        shown = f"{user.kind} {session.names.shown(user)}"
        fields = [(field.name, of_field(field)) for field in user.schema]
        if user.kind in ("view", "materialized view"):
            named = next((oid for oid in user.types if oid in oids), None)
            if named is not None:
                return shown, quoted(types[named].name)
    for name, kind in fields:
        for part in parts_of(kind):
            if part.oid in oids:
                what = (
                    shown if isinstance(user, Relation) and user.kind.endswith("view") else f"column {name} of {shown}"
                )
                return what, part.name
    return shown, quoted(types[next(iter(oids))].name)


def _submit(session: Session, *commands: Command) -> None:
    with session.together() as transaction:
        for command in commands:
            transaction.define(session.engine, command)
