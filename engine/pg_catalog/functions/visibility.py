"""pg_table_is_visible() and its like: whether a name alone, without its schema, finds the object."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from constellationdb.catalog.model import PUBLIC
from constellationdb.engine.pg_catalog import lookup
from constellationdb.engine.pg_catalog.names import is_index_visible, is_visible, search_path
from constellationdb.engine.pg_catalog.objects import Part

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


def _relation(session: Session, oid: int) -> bool | None:
    found = session.objects.by_oid.get(oid)
    if found is not None:
        return is_visible(session, found.namespace, found.name)
    index = session.objects.indexes.get(oid)
    return None if index is None else is_index_visible(session, index)


def _type(session: Session, oid: int) -> bool | None:
    found = lookup.types_by_oid().get(oid)
    if found is not None:
        return int(found["typnamespace"]) in search_path(session)
    if oid in session.objects.type_names:
        return PUBLIC in search_path(session)
    for part in (Part.ROW_TYPE, Part.ARRAY_TYPE):
        row = session.objects.by_oid.get(oid - part.of(0))
        if row is not None:
            return is_visible(session, row.namespace, row.name)
    return None


def _shipped(name: str) -> Callable[[Session, int], bool | None]:
    """All of these are Postgres' own, in pg_catalog."""

    def visible(session: Session, oid: int) -> bool | None:  # noqa: ARG001
        return True if oid in lookup.oids(name) else None

    return visible


def _function(session: Session, oid: int) -> bool | None:
    if oid in session.catalog.functions:
        return PUBLIC in search_path(session)
    return _shipped("pg_proc")(session, oid)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "pg_collation_is_visible": _shipped("pg_collation"),
    "pg_conversion_is_visible": _shipped("pg_conversion"),
    "pg_function_is_visible": _function,
    "pg_opclass_is_visible": _shipped("pg_opclass"),
    "pg_operator_is_visible": _shipped("pg_operator"),
    "pg_opfamily_is_visible": _shipped("pg_opfamily"),
    "pg_statistics_obj_is_visible": _shipped("pg_statistic_ext"),
    "pg_table_is_visible": _relation,
    "pg_ts_config_is_visible": _shipped("pg_ts_config"),
    "pg_ts_dict_is_visible": _shipped("pg_ts_dict"),
    "pg_ts_parser_is_visible": _shipped("pg_ts_parser"),
    "pg_ts_template_is_visible": _shipped("pg_ts_template"),
    "pg_type_is_visible": _type,
}
