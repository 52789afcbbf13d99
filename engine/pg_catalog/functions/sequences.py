"""nextval(), currval(), setval(), lastval(), and which sequence a column has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from constellationdb.engine.pg_catalog.functions.names import relation
from constellationdb.engine.pg_catalog.names import qualified, relation_name
from constellationdb.errors import UndefinedColumn, UndefinedRelation, WrongObjectType

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


def _named(session: Session, oid: int) -> str:
    """The sequence's name in the catalog."""
    found = session.objects.by_oid.get(oid)
    if found is None or found.relation is None:
        name = relation_name(session, oid)
        if name is None:
            raise UndefinedRelation(f"could not open relation with OID {oid}")
        raise WrongObjectType(f'"{name}" is not a sequence')
    if found.relation.kind != "sequence":
        raise WrongObjectType(f'"{found.name}" is not a sequence')
    return found.relation.name


def _next(session: Session, oid: int) -> int:
    return session.sequences.next(_named(session, oid))[0]


def _current(session: Session, oid: int) -> int:
    return session.sequences.current(_named(session, oid))


def _last(session: Session) -> int:
    return session.sequences.last()


def _set(session: Session, oid: int, value: int, called: bool = True) -> int:
    session.sequences.set(_named(session, oid), value, called=called)
    return value


def _last_value(session: Session, oid: int) -> int | None:
    position = session.sequences.state(_named(session, oid)).position
    return position.last if position.called else None


def _serial_sequence(session: Session, table: str, column: str) -> str | None:
    """The sequence that belongs to a column, as text that finds it."""
    found = session.objects.by_oid.get(relation(session, table))
    if found is None or found.relation is None:
        return None
    if column not in (attribute.name for attribute in found.attributes):
        raise UndefinedColumn(f'column "{column}" of relation "{found.name}" does not exist')
    for owned in session.catalog.owned_sequences(found.relation.name):
        if owned.sequence is not None and owned.sequence.column == column:
            described = session.objects.described(owned)
            return qualified(described.schema, described.name, visible=False)
    return None


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "currval": _current,
    "lastval": _last,
    "nextval": _next,
    "pg_get_serial_sequence": _serial_sequence,
    "pg_sequence_last_value": _last_value,
    "setval": _set,
}
