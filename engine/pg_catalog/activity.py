"""Who is connected and what they do: the seam for the server's registry of sessions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


def pg_stat_activity(session: Session) -> Iterator[dict[str, Any]]:  # noqa: ARG001
    """One row for each session."""
    yield from ()
