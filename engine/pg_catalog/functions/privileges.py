"""has_table_privilege() and its like: everybody may do everything, to what exists."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from constellationdb.engine.pg_catalog.cluster import DATABASE
from constellationdb.engine.pg_catalog.functions.names import namespace, relation
from constellationdb.errors import UndefinedDatabase

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


def _database(session: Session, name: str) -> int:  # noqa: ARG001
    if name != DATABASE:
        raise UndefinedDatabase(f'database "{name}" does not exist')
    return 0


def _has(place: int, find: Callable[[Session, str], int] | None = None) -> Callable[..., bool]:
    """``place``: where the object is named, counted from the end. A number is not looked up."""

    def has(session: Session, *arguments: str) -> bool:
        if find is not None and not arguments[place].isdigit():
            find(session, arguments[place])
        return True

    return has


_ANY = _has(-2)
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "has_any_column_privilege": _has(-2, relation),
    "has_column_privilege": _has(-3, relation),
    "has_database_privilege": _has(-2, _database),
    "has_foreign_data_wrapper_privilege": _ANY,
    "has_function_privilege": _ANY,
    "has_language_privilege": _ANY,
    "has_schema_privilege": _has(-2, namespace),
    "has_sequence_privilege": _ANY,
    "has_server_privilege": _ANY,
    "has_table_privilege": _has(-2, relation),
    "has_tablespace_privilege": _ANY,
    "has_type_privilege": _ANY,
    "pg_has_role": _ANY,
}
