"""Relations' definitions and comments: pg_get_viewdef(), pg_get_indexdef(), pg_get_expr(), obj_description(), …"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from constellationdb.catalog.postgres.relations import system_relations
from constellationdb.engine.pg_catalog import definitions, lookup
from constellationdb.engine.pg_catalog.classes import checks_of
from constellationdb.engine.pg_catalog.comments import comments
from constellationdb.engine.pg_catalog.functions.names import relation
from constellationdb.engine.pg_catalog.names import quoted
from constellationdb.engine.pg_catalog.objects import Described, Part, next_value

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_PG_CLASS = "pg_class"


def _described(session: Session, named: int | str) -> Described | None:
    oid = relation(session, named) if isinstance(named, str) else named
    return session.objects.by_oid.get(oid)


def _view(session: Session, named: int | str, *_: object) -> str | None:
    found = _described(session, named)
    return None if found is None else definitions.view(found)


def _index(session: Session, oid: int, column: int = 0, pretty: bool = False) -> str | None:
    found = session.objects.indexes.get(oid)
    return None if found is None else definitions.index(found, column, pretty=pretty)


def _constraint(session: Session, oid: int, pretty: bool = False) -> str | None:
    found = next((index for index in session.objects.indexes.values() if index.constraint == oid), None)
    if found is not None:
        return definitions.constraint(found)
    checks = (check for relation in session.objects.own for check in checks_of(relation) if check.oid == oid)
    return next((definitions.check(check, pretty=pretty) for check in checks), None)


def _expression(session: Session, written: str, oid: int, pretty: bool = False) -> str | None:
    found = session.objects.by_oid.get(oid)
    if found is None:
        return None
    column = next((a for a in found.attributes if a.default == written and a.sequence), None)
    if column is not None:  # the sequence as this session finds it
        return next_value(session.names.shown(session.catalog.get(column.sequence)))
    return definitions.default(found, written, pretty=pretty)


def _rule(session: Session, oid: int, pretty: bool = False) -> str | None:  # noqa: ARG001
    found = session.objects.by_oid.get(oid - Part.RULE.of(0))
    if found is None:
        return None
    query = definitions.view(found).strip()
    name = f"{quoted(found.schema)}.{quoted(found.name)}"
    return f'CREATE RULE "_RETURN" AS\n    ON SELECT TO {name} DO INSTEAD  {query}'


def _nothing(session: Session, *_: object) -> None:
    """There are no such objects: partitions, triggers, extended statistics."""


def _updatable(session: Session, oid: int, include_triggers: bool) -> int:  # noqa: ARG001
    """Bits for the commands that may write: INSERT 8, UPDATE 4, DELETE 16; of sources INSERT alone."""
    found = session.objects.by_oid.get(oid)
    if found is None or found.kind != "r":
        return 0
    return 8 if found.relation is not None and found.relation.kind == "source" else 28


def _publishable(session: Session, oid: int) -> bool | None:
    found = session.objects.by_oid.get(oid)
    return None if found is None else found.kind == "r" and not found.is_system


def _described_as(session: Session, oid: int, catalog: str = "") -> str | None:
    """Postgres takes any when the catalog is not said; here it is the first of them."""
    for known in (comments(session.objects), lookup.descriptions()):
        classes = [lookup_class(catalog)] if catalog else sorted({c for o, c, _ in known if o == oid})
        for kind in classes:
            if (found := known.get((oid, kind, 0))) is not None:
                return found
    return None


def lookup_class(catalog: str) -> int:
    """The oid of a relation of pg_catalog; 0 when there is none."""
    found = system_relations().get(f"pg_catalog.{catalog}")
    return 0 if found is None else found.oid


def _column_described(session: Session, oid: int, number: int) -> str | None:
    return comments(session.objects).get((oid, lookup_class(_PG_CLASS), number))


def _shared(session: Session, oid: int, catalog: str) -> str | None:
    own = comments(session.objects).get((oid, lookup_class(catalog), 0))
    return own if own is not None else lookup.shared_descriptions().get((oid, lookup_class(catalog)))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "col_description": _column_described,
    "obj_description": _described_as,
    "pg_get_constraintdef": _constraint,
    "pg_get_expr": _expression,
    "pg_get_indexdef": _index,
    "pg_get_partition_constraintdef": _nothing,
    "pg_get_partkeydef": _nothing,
    "pg_get_ruledef": _rule,
    "pg_get_statisticsobjdef": _nothing,
    "pg_get_statisticsobjdef_columns": _nothing,
    "pg_get_triggerdef": _nothing,
    "pg_get_viewdef": _view,
    "pg_relation_is_publishable": _publishable,
    "pg_relation_is_updatable": _updatable,
    "shobj_description": _shared,
}
