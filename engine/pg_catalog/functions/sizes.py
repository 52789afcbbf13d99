"""How large things are: of rows in memory there are no bytes to count, so relations are 0 bytes on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from constellationdb.engine.pg_catalog import lookup

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
_LIMIT = 10 * 1024


def pretty(_: Session, size: int) -> str:
    """In the unit that leaves at most four or five digits, rounded half up."""
    if abs(size) < _LIMIT:
        return f"{size} bytes"
    sign, half = (-1 if size < 0 else 1), abs(size) >> 9  # in halves of a unit, as Postgres counts
    for unit in _UNITS[1:]:
        rounded = (half + 1) // 2
        if rounded < _LIMIT * 2 - 1 and (rounded < _LIMIT or unit == _UNITS[-1]):
            return f"{sign * rounded} {unit}"
        half >>= 10
    return f"{sign * ((half + 1) // 2)} {_UNITS[-1]}"


def _of_relation(session: Session, oid: int, *_: object) -> int | None:
    known = oid in session.objects.by_oid or oid in session.objects.indexes
    return 0 if known else None


def _of_database(_: Session, __: object) -> int:
    return 0


def _location(_: Session, oid: int) -> str | None:
    return "" if oid in lookup.oids("pg_tablespace") else None


def _filenode(session: Session, oid: int) -> int | None:
    found = session.objects.by_oid.get(oid)
    return found.oid if found is not None and found.kind in ("r", "m") else None


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "pg_database_size": _of_database,
    "pg_indexes_size": _of_relation,
    "pg_relation_filenode": _filenode,
    "pg_relation_size": _of_relation,
    "pg_size_pretty": pretty,
    "pg_stat_get_numscans": lambda *_: 0,
    "pg_table_size": _of_relation,
    "pg_tablespace_location": _location,
    "pg_tablespace_size": _of_database,
    "pg_total_relation_size": _of_relation,
}
