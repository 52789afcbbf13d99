"""One session to another: stop your statement, or go."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from constellationdb.engine.result import Notice
from constellationdb.errors import InvalidParameter

if TYPE_CHECKING:
    from constellationdb.engine.session import Session


def _cancel(session: Session, pid: int) -> bool:
    return _known(session, pid, session.engine.sessions.cancel(pid))


def _terminate(session: Session, pid: int, timeout: int = 0) -> bool:
    """``timeout``: so many milliseconds it may take until the other is gone; 0: nobody looks."""
    if timeout < 0:
        raise InvalidParameter('"timeout" must not be negative')
    sessions = session.engine.sessions
    found = _known(session, pid, sessions.terminate(pid))
    if not found or not timeout or sessions.wait_for_end(pid, timeout / 1e3, session.cancelled):
        return found
    message = f"backend with PID {pid} did not terminate within {timeout} millisecond{'s' if timeout > 1 else ''}"
    session.notices.append(Notice(message, "WARNING", "01000"))
    return False


def _known(session: Session, pid: int, found: bool) -> bool:
    if not found:
        session.notices.append(Notice(f"PID {pid} is not a PostgreSQL backend process", "WARNING", "01000"))
    return found


FUNCTIONS: dict[str, Callable[..., Any]] = {"pg_cancel_backend": _cancel, "pg_terminate_backend": _terminate}
