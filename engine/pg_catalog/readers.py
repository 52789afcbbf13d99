"""Which relation is read how, and the tables that come of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from constellationdb.catalog.postgres.relations import SystemRelation, system_relations
from constellationdb.engine.pg_catalog import (
    activity,
    classes,
    cluster,
    comments,
    foreign,
    information,
    namespaces,
    routines,
    sequences,
    user_functions,
    views,
)
from constellationdb.engine.pg_catalog.objects import Described, Objects, system_described
from constellationdb.engine.pg_catalog.set_functions import KEYWORDS, set_functions, view_of

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

Rows = Iterable[dict[str, Any]]

# Of each relation there is: the system's rows are made once, a user's at each version of the catalog.
_OF_RELATIONS: Mapping[str, Callable[[Iterable[Described]], Rows]] = {
    "pg_catalog.pg_attrdef": classes.pg_attrdef,
    "pg_catalog.pg_attribute": classes.pg_attribute,
    "pg_catalog.pg_class": classes.pg_class,
    "pg_catalog.pg_constraint": classes.pg_constraint,
    "pg_catalog.pg_index": classes.pg_index,
    "pg_catalog.pg_rewrite": classes.pg_rewrite,
    "pg_catalog.pg_sequence": sequences.pg_sequence,
    "pg_catalog.pg_type": classes.pg_type,
    "pg_catalog.pg_indexes": views.pg_indexes,
    "pg_catalog.pg_matviews": views.pg_matviews,
    "pg_catalog.pg_tables": views.pg_tables,
    "pg_catalog.pg_views": views.pg_views,
    "information_schema.check_constraints": information.check_constraints,
    "information_schema.column_privileges": information.column_privileges,
    "information_schema.columns": information.columns,
    "information_schema.constraint_column_usage": information.constraint_column_usage,
    "information_schema.constraint_table_usage": information.constraint_table_usage,
    "information_schema.key_column_usage": information.key_column_usage,
    "information_schema.role_column_grants": information.column_privileges,
    "information_schema.role_table_grants": information.table_privileges,
    "information_schema.sequences": sequences.sequences,
    "information_schema.table_constraints": information.table_constraints,
    "information_schema.table_privileges": information.table_privileges,
    "information_schema.tables": information.tables,
    "information_schema.views": information.views,
}
# Of one version of the catalog.
_OF_OBJECTS: Mapping[str, Callable[[Objects], Rows]] = {
    "pg_catalog.pg_depend": classes.pg_depend,
    "pg_catalog.pg_enum": classes.pg_enum,
    "pg_catalog.pg_description": comments.pg_description,
    "pg_catalog.pg_foreign_data_wrapper": foreign.pg_foreign_data_wrapper,
    "pg_catalog.pg_foreign_server": foreign.pg_foreign_server,
    "pg_catalog.pg_namespace": namespaces.schemas,
    "pg_catalog.pg_foreign_table": foreign.pg_foreign_table,
    "pg_catalog.pg_proc": user_functions.pg_proc,
    "pg_catalog.pg_shdescription": comments.pg_shdescription,
    "information_schema.foreign_tables": foreign.foreign_tables,
    "information_schema.schemata": namespaces.schemata,
}
# The same always.
_CONSTANT: Mapping[str, Callable[[], Rows]] = {
    "pg_catalog.pg_language": user_functions.pg_language,
    "pg_catalog.pg_namespace": namespaces.pg_namespace,
    "information_schema.character_sets": namespaces.character_sets,
    "information_schema.information_schema_catalog_name": namespaces.catalog_name,
    "information_schema.parameters": routines.parameters,
    "information_schema.routines": routines.routines,
}
# Of a session, now.
_OF_SESSION: Mapping[str, Callable[[Session], Rows]] = {
    "pg_catalog.pg_authid": cluster.pg_authid,
    "pg_catalog.pg_cursors": activity.pg_cursors,
    "pg_catalog.pg_database": cluster.pg_database,
    "pg_catalog.pg_group": cluster.pg_group,
    "pg_catalog.pg_prepared_statements": activity.pg_prepared_statements,
    "pg_catalog.pg_roles": cluster.pg_roles,
    "pg_catalog.pg_settings": cluster.pg_settings,
    "pg_catalog.pg_shadow": cluster.pg_shadow,
    "pg_catalog.pg_stat_activity": activity.pg_stat_activity,
    "pg_catalog.pg_timezone_names": cluster.pg_timezone_names,
    "pg_catalog.pg_user": cluster.pg_user,
    "information_schema.applicable_roles": cluster.applicable_roles,
    "information_schema.enabled_roles": cluster.enabled_roles,
}
_LIVE: Mapping[str, Callable[[Session, Objects], Rows]] = {
    "pg_catalog.pg_sequences": sequences.pg_sequences,
    "pg_catalog.pg_stat_all_tables": views.stat_tables,
    "pg_catalog.pg_stat_user_tables": views.stat_tables,
}


def read(session: Session, objects: Objects, name: str) -> pa.Table:
    """The rows of a relation of pg_catalog or information_schema, as the session sees them."""
    if name == KEYWORDS:
        return pa.Table.from_pylist([*views.pg_get_keywords()], schema=set_functions()[KEYWORDS])
    if name in set_functions():
        name = view_of(name)
    relation = system_relations()[name]
    if name in _OF_SESSION:
        return pa.concat_tables([_shipped(relation), _made(relation, _OF_SESSION[name](session))])
    if name in _LIVE:
        return _made(relation, _LIVE[name](session, objects))
    kept = objects.tables.get(name)
    if kept is None:
        kept = objects.tables[name] = pa.concat_tables([_constant(relation), _made(relation, _own(objects, name))])
    return kept


def _own(objects: Objects, name: str) -> Rows:
    if name == "pg_catalog.pg_type":
        return chain(classes.pg_type(objects.own), classes.pg_enum_types(objects))
    if name in _OF_RELATIONS:
        return _OF_RELATIONS[name](objects.own)
    return _OF_OBJECTS[name](objects) if name in _OF_OBJECTS else ()


@cache
def _constant_rows(name: str) -> pa.Table:
    relation = system_relations()[name]
    parts = [_shipped(relation)]
    if name in _OF_RELATIONS:
        parts.append(_made(relation, _OF_RELATIONS[name](system_described())))
    if name in _CONSTANT:
        parts.append(_made(relation, _CONSTANT[name]()))
    return pa.concat_tables(parts)


def _constant(relation: SystemRelation) -> pa.Table:
    return _constant_rows(relation.full_name)


def _shipped(relation: SystemRelation) -> pa.Table:
    found = relation.shipped()
    return relation.arrow_schema.empty_table() if found is None else found


def _made(relation: SystemRelation, rows: Rows) -> pa.Table:
    return pa.Table.from_pylist([*rows], schema=relation.arrow_schema)
