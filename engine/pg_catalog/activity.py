"""Who is connected and what they do, and what a session has open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from constellationdb.engine.cursors import cursor_rows
from constellationdb.engine.pg_catalog.cluster import DATABASE_OID
from constellationdb.engine.pg_catalog.objects import OWNER
from constellationdb.engine.sessions import activity_rows

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

Rows = Iterator[dict[str, Any]]


def pg_stat_activity(session: Session) -> Rows:
    """One row for each session of the server."""
    for row in activity_rows(session.engine):
        yield row | {"datid": DATABASE_OID, "usesysid": OWNER}


def pg_cursors(session: Session) -> Rows:
    yield from cursor_rows(session.portals)


def pg_prepared_statements(session: Session) -> Rows:
    yield from session.statements.rows()
