"""pg_description and pg_shdescription: what COMMENT ON has said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from constellationdb.catalog.model import OIDS_OF_A_RELATION
from constellationdb.engine.pg_catalog.cluster import DATABASE_OID
from constellationdb.engine.pg_catalog.objects import Objects, Part

Row = dict[str, Any]

_PG_CLASS, _PG_NAMESPACE, _PG_CONSTRAINT, _PG_DATABASE = 1259, 2615, 2606, 1262


def comments(objects: Objects) -> Mapping[tuple[int, int, int], str]:
    """By object, the catalog it is in, and column, as the comments of Postgres that ship."""
    return {(oid, _class(objects, oid), number): text for oid, number, text in _numbered(objects)}


def _numbered(objects: Objects) -> Iterator[tuple[int, int, str]]:
    for (oid, column), text in objects.catalog.comments.items():
        yield oid, objects.by_oid[oid].number(column) if column else 0, text


def _class(objects: Objects, oid: int) -> int:
    if oid == DATABASE_OID:
        return _PG_DATABASE
    if oid in objects.catalog.schemas.values():
        return _PG_NAMESPACE
    own = oid // OIDS_OF_A_RELATION == Part.CONSTRAINT or oid in _constraints(objects)
    return _PG_CONSTRAINT if own else _PG_CLASS


def _constraints(objects: Objects) -> set[int]:
    """Those that have oids of their own."""
    found = {check.oid for relation in objects.catalog.relations.values() for check in relation.checks}
    return found | {index.constraint for index in objects.indexes.values() if index.constraint}


def pg_description(objects: Objects) -> Iterator[Row]:
    for (oid, kind, number), text in comments(objects).items():
        if kind != _PG_DATABASE:
            yield {"objoid": oid, "classoid": kind, "objsubid": number, "description": text}


def pg_shdescription(objects: Objects) -> Iterator[Row]:
    for (oid, kind, _), text in comments(objects).items():
        if kind == _PG_DATABASE:
            yield {"objoid": oid, "classoid": kind, "description": text}
