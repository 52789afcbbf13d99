"""Every live session of an engine: who they are, what they do, and how others stop them."""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from constellationdb.engine.cancellation import Cancellation
from constellationdb.errors import ConstellationError, ShuttingDown

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine
    from constellationdb.engine.session import Session


# So often who waits for the end of another looks whether to stop waiting.
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Client:
    """Where a client comes from; both None inside the process and for a Unix socket.

    ``server``: settings of the server that it came to, as SHOW tells them.
    """

    address: str | None = None
    port: int | None = None
    server: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Activity:
    """What one session does now. Times are µs since the Unix epoch, None while there is nothing to tell."""

    backend_start: int
    state_change: int
    xact_start: int | None = None
    query_start: int | None = None
    active: bool = False
    query: str = ""

    def begin(self, query: str, now: int) -> None:
        self.query, self.query_start, self.state_change, self.active = query, now, now, True

    def did(self, query: str, now: int) -> None:
        """A statement that took no time."""
        self.query, self.query_start, self.state_change = query, now, now

    def rest(self, now: int) -> None:
        if self.active:
            self.active, self.state_change = False, now


class Sessions:
    def __init__(self) -> None:
        self._guard = threading.Condition()
        self._numbers = itertools.count(1)
        # One that nobody holds any more is none: inside the process sessions are not always closed.
        self._live: weakref.WeakValueDictionary[int, Session] = weakref.WeakValueDictionary()

    def number(self) -> int:
        """A process id for a session: no two have the same."""
        return next(self._numbers) & 0x7FFFFFFF

    def enter(self, session: Session) -> None:
        with self._guard:
            self._live[session.pid] = session

    def leave(self, session: Session) -> None:
        with self._guard:
            self._live.pop(session.pid, None)
            self._guard.notify_all()

    def all(self) -> list[Session]:
        with self._guard:
            return list(self._live.values())

    def _find(self, pid: int) -> Session | None:
        with self._guard:
            return self._live.get(pid)

    def cancel(self, pid: int) -> bool:
        """``pg_cancel_backend``: False when there is no such session."""
        found = self._find(pid)
        if found is not None:
            found.cancel()
        return found is not None

    def terminate(self, pid: int, reason: ConstellationError | None = None) -> bool:
        """``pg_terminate_backend``."""
        found = self._find(pid)
        if found is not None:
            found.terminate(reason or ShuttingDown("terminating connection due to administrator command"))
        return found is not None

    def end_all_but(self, one: Session, reason: ConstellationError, seconds: float) -> None:
        """Until no other session is in the middle of a statement, or ``seconds`` have passed."""
        others = [session for session in self.all() if session is not one]
        for session in others:
            session.terminate(reason)
        deadline = time.monotonic() + seconds
        with self._guard:
            while any(session.activity.active and session.pid in self._live for session in others):
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                self._guard.wait(min(left, _LOOK_SECONDS))

    def wait_for_end(self, pid: int, seconds: float, cancelled: Cancellation) -> bool:
        """Whether a session ends within ``seconds``."""
        deadline = time.monotonic() + seconds
        with self._guard:
            while pid in self._live:
                cancelled.check()
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._guard.wait(min(left, _LOOK_SECONDS))
        return True


def activity_rows(engine: Engine) -> list[dict[str, Any]]:
    """What ``pg_stat_activity`` shows."""
    return [_row(session) for session in engine.sessions.all()]


def _row(session: Session) -> dict[str, Any]:
    activity, state = session.activity, _state(session)
    waits = state != "active" or session.cancelled.bell is not None
    return {
        "datname": session.database,
        "pid": session.pid,
        "usename": session.user,
        "application_name": session.settings.get("application_name"),
        "client_addr": session.client.address,
        "client_port": session.client.port,
        "backend_start": activity.backend_start,
        "xact_start": activity.xact_start,
        "query_start": activity.query_start,
        "state_change": activity.state_change,
        "wait_event_type": None if not waits else "Client" if state != "active" else "IPC",
        "wait_event": None if not waits else "ClientRead" if state != "active" else "Epoch",
        "state": state,
        "query": activity.query,
        "backend_type": "client backend",
    }


def _state(session: Session) -> str:
    if session.activity.active:
        return "active"
    status = session.transaction_status
    return {"I": "idle", "T": "idle in transaction", "E": "idle in transaction (aborted)"}[status]
