"""COMMENT ON for a session: a text that stays with an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constellationdb.catalog.model import Comment, Relation
from constellationdb.engine.pg_catalog.cluster import DATABASE, DATABASE_OID
from constellationdb.engine.pg_catalog.objects import Index
from constellationdb.engine.result import Result
from constellationdb.errors import (
    UndefinedColumn,
    UndefinedDatabase,
    UndefinedObject,
    UndefinedRelation,
    WrongObjectType,
)
from constellationdb.planner import statements as st

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_TABLES = ("table", "source", "lookup table")  # all of these may be said to be tables


def comment(session: Session, statement: st.Comment) -> Result:
    oid, column = _object(session, statement)
    with session.together() as transaction:
        transaction.define(session.engine, Comment(oid, column, statement.comment))
    return Result("COMMENT")


def _object(session: Session, statement: st.Comment) -> tuple[int, str]:
    """The oid of what the comment is on, and the column."""
    match statement.kind:
        case "schema":
            return session.catalog.schema(statement.object), ""
        case "database":
            if statement.object != DATABASE:
                raise UndefinedDatabase(f'database "{statement.object}" does not exist')
            return DATABASE_OID, ""
        case "index":
            return _index(session, statement.object).oid, ""
        case "constraint":
            return _constraint(session, session.names.relation(statement.object), statement.part), ""
        case "column":
            return _column(session, statement)
        case _:
            relation = session.names.relation(statement.object)
            _check_kind(relation, statement.kind)
            return relation.oid, ""


def _check_kind(relation: Relation, kind: str) -> None:
    fits = relation.kind == kind or (kind in ("table", "foreign table") and relation.kind in _TABLES)
    if not fits:
        raise WrongObjectType(f'"{relation.shown}" is not a {kind}')


def _column(session: Session, statement: st.Comment) -> tuple[int, str]:
    relation = session.names.relation(statement.object)
    attributes = session.objects.described(relation).attributes
    if statement.part not in (attribute.name for attribute in attributes):
        raise UndefinedColumn(f'column "{statement.part}" of relation "{relation.shown}" does not exist')
    return relation.oid, statement.part


def _index(session: Session, said: str) -> Index:
    index = session.names.index(said)
    if index is None:
        raise UndefinedRelation(f'relation "{said}" does not exist')
    return index


def _constraint(session: Session, relation: Relation, name: str) -> int:
    for index in session.objects.indexes.values():
        if index.of.oid == relation.oid and index.name == name and index.constraint:
            return index.constraint
    for check in relation.checks:
        if check.name == name:
            return check.oid
    raise UndefinedObject(f'constraint "{name}" for table "{relation.shown}" does not exist')
