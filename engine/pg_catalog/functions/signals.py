"""One session to another: stop your statement, or go."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from constellationdb.engine.result import Notice

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


def _cancel(session: Session, pid: int) -> bool:
    return _known(session, pid, session.engine.sessions.cancel(pid))


def _terminate(session: Session, pid: int, timeout: int = 0) -> bool:  # noqa: ARG001
    return _known(session, pid, session.engine.sessions.terminate(pid))


def _known(session: Session, pid: int, found: bool) -> bool:
    if not found:
        session.notices.append(Notice(f"PID {pid} is not a PostgreSQL backend process", "WARNING", "01000"))
    return found


FUNCTIONS: dict[str, Callable[..., Any]] = {"pg_cancel_backend": _cancel, "pg_terminate_backend": _terminate}
