"""A few connections to one Postgres, shared by threads; what fails is retried or told without secrets."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from constellationdb.errors import ConnectorFailure

if TYPE_CHECKING:
    import psycopg

Row = tuple[Any, ...]
RETRY_AFTER_S = (0.1, 0.2, 0.4)
_IDLE_S = 60.0
_CANCEL_S = 2.0
_SETTINGS = (
    "SELECT set_config('statement_timeout', $1, false), set_config('timezone', 'UTC', false),"
    " set_config('default_transaction_read_only', 'on', false)"
)

# What waiting does not mend, although the driver calls it operational. Connection failures carry no SQLSTATE.
_PERMANENT = re.compile(r"authentication|password|pg_hba|role \"|database \".*does not exist|SSL|certificate", re.I)


@dataclass(frozen=True)
class PoolStats:
    """``queries`` were sent (a retry counts again), ``rows`` received, ``retries`` made."""

    queries: int = 0
    rows: int = 0
    retries: int = 0


class PostgresPool:
    """At most ``size`` connections, opened when first needed, autocommit and read-only, in UTC."""

    def __init__(
        self,
        conninfo: str,
        password: str | None,
        size: int,
        statement_timeout_us: int,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._conninfo = conninfo
        self._password = password
        self._timeout_us = statement_timeout_us
        self._sleep = sleep
        self._free = threading.BoundedSemaphore(size)
        self._lock = threading.Lock()
        self._idle: list[tuple[float, psycopg.Connection[Row]]] = []
        self._busy: list[psycopg.Connection[Row]] = []
        self._closed = False
        self._stats = PoolStats()

    @property
    def stats(self) -> PoolStats:
        return self._stats

    def query(self, text: str, parameters: Sequence[Any]) -> list[Row]:
        """All rows of a query with $1, $2 …; ConnectorFailure when it fails for good."""
        for wait in RETRY_AFTER_S:
            try:
                return self._query_once(text, parameters)
            except _TransientError:
                if self._closed:
                    break
                self._count(retries=1)
                self._sleep(wait)
        try:
            return self._query_once(text, parameters)
        except _TransientError as error:
            raise ConnectorFailure(f"lookup in Postgres failed: {error}", hint="is the server up?") from None

    def close(self) -> None:
        """End all queries: those under way are cancelled, and nothing is asked any more."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for _, connection in idle:
            connection.close()
        for connection in busy:
            with suppress(Exception):  # it has just ended by itself
                connection.cancel_safe(timeout=_CANCEL_S)

    def _query_once(self, text: str, parameters: Sequence[Any]) -> list[Row]:
        import psycopg

        try:
            with self._connection() as connection:
                self._count(queries=1)
                rows = connection.execute(text, parameters).fetchall()
        except psycopg.errors.QueryCanceled:
            raise ConnectorFailure(
                f"lookup in Postgres timed out after {self._timeout_us / 1e6:g} s",
                hint='raise option "statement_timeout", or give the key columns an index',
            ) from None
        except psycopg.Error as error:
            message = self._redacted(str(error))
            if is_transient(error):
                raise _TransientError(message) from None
            raise ConnectorFailure(f"lookup in Postgres failed: {message}") from None
        self._count(rows=len(rows))
        return rows

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Row]]:
        """A connection of one's own; one that failed is closed, not given back."""
        with self._free:
            connection = self._take() or self._connect()
            with self._lock:
                self._busy.append(connection)
            try:
                if self._closed:
                    raise ConnectorFailure("the lookup table is closed")
                yield connection
            except BaseException:
                self._release(connection, usable=False)
                raise
            self._release(connection, usable=not self._closed)

    def _release(self, connection: psycopg.Connection[Row], *, usable: bool) -> None:
        with self._lock:
            self._busy.remove(connection)
            if usable:
                self._idle.append((time.monotonic(), connection))
        if not usable:
            with suppress(Exception):
                connection.close()

    def _take(self) -> psycopg.Connection[Row] | None:
        with self._lock:
            fresh = time.monotonic() - _IDLE_S
            stale = [connection for since, connection in self._idle if since < fresh]
            self._idle = [(since, connection) for since, connection in self._idle if since >= fresh]
            taken = self._idle.pop()[1] if self._idle else None
        for connection in stale:
            connection.close()
        return taken

    def _connect(self) -> psycopg.Connection[Row]:
        import psycopg

        connection = psycopg.connect(self._conninfo, autocommit=True, cursor_factory=psycopg.RawCursor)
        try:
            connection.execute(_SETTINGS, [str(max(self._timeout_us // 1_000, 1))])
        except BaseException:
            connection.close()
            raise
        return connection

    def _redacted(self, message: str) -> str:
        first = " ".join(message.split())
        return first.replace(self._password, "***") if self._password else first

    def _count(self, queries: int = 0, rows: int = 0, retries: int = 0) -> None:
        with self._lock:
            now = self._stats
            self._stats = PoolStats(now.queries + queries, now.rows + rows, now.retries + retries)


class _TransientError(Exception):
    """Worth trying again: the connection failed, or the server was too busy."""


def is_transient(error: psycopg.Error) -> bool:
    import psycopg

    state = error.sqlstate
    if state is not None:
        return state[:2] in ("08", "53") or state in ("57P01", "57P02", "57P03", "40001", "40P01")
    return isinstance(error, psycopg.OperationalError) and not _PERMANENT.search(str(error))
