"""The oid and number of the column that a result's column is, where it is one: for RowDescription."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from constellationdb.engine.pg_catalog.objects import Described, system_described
from constellationdb.engine.result import ResultColumn
from constellationdb.planner.origins import Origin, origins
from constellationdb.planner.statements import Query

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


def with_origins(session: Session, query: Query, columns: tuple[ResultColumn, ...]) -> tuple[ResultColumn, ...]:
    found = origins(query, lambda name: _names(session, name), len(columns))
    return tuple(
        column if origin is None else _placed(session, column, origin)
        for column, origin in zip(columns, found, strict=True)
    )


def _placed(session: Session, column: ResultColumn, origin: Origin) -> ResultColumn:
    names = _names(session, origin.relation)
    assert names is not None
    return replace(column, table=_oid(session, origin.relation), number=names.index(origin.column) + 1)


def _names(session: Session, name: str) -> list[str] | None:
    relation = session.catalog.relations.get(name)
    if relation is None:
        system = _system().get(name)
        return None if system is None else [attribute.name for attribute in system.attributes]
    if relation.kind == "view":
        return [attribute.name for attribute in session.objects.described(relation).attributes]
    return list(relation.schema.names)


def _oid(session: Session, name: str) -> int:
    relation = session.catalog.relations.get(name)
    return relation.oid if relation is not None else _system()[name].oid


@cache
def _system() -> dict[str, Described]:
    """By the names that they are found by: those of pg_catalog by their own alone, too."""
    found = {}
    for relation in system_described():
        found[f"{relation.schema}.{relation.name}"] = relation
        if relation.schema == "pg_catalog":
            found[relation.name] = relation
    return found
