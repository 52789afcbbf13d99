"""A session's portals by name: bound statements of the extended protocol and cursors are one kind, as in Postgres.

A portal ends with its transaction. A cursor WITH HOLD is the exception: it
``persist``s at COMMIT and then stays until it is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from constellationdb.engine.result import ResultColumn
from constellationdb.errors import DuplicateCursor, LimitExceeded, UndefinedCursor
from constellationdb.planner.statements import Fetch

LIMIT = 10_000


class Portal(Protocol):
    @property
    def columns(self) -> tuple[ResultColumn, ...] | None: ...

    @property
    def hold(self) -> bool: ...

    @property
    def binary(self) -> bool: ...

    def fetch(self, move: Fetch) -> list[pa.RecordBatch]:
        """The rows that FETCH asks for; what is not handed out stays."""
        ...

    def persist(self) -> None:
        """The transaction commits: compute now what later needs nothing of it. May raise, which undoes it."""
        ...

    def close(self) -> None: ...


@dataclass
class _Open:
    portal: Portal
    serial: int
    held: bool = False  # its transaction has committed


class Portals:
    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._serial = 0

    def add(self, name: str, portal: Portal) -> None:
        """Under a name that is free, or the empty one, whose last portal is closed."""
        if not name:
            self.close(name)
        if name in self._open:
            raise DuplicateCursor(f'cursor "{name}" already exists')
        if len(self._open) >= LIMIT:
            raise LimitExceeded(f"more than {LIMIT} portals", hint="close the ones no longer needed")
        self._serial += 1
        self._open[name] = _Open(portal, self._serial)

    def get(self, name: str, kind: str = "cursor") -> Portal:
        found = self._open.get(name)
        if found is None:
            raise UndefinedCursor(f'{kind} "{name}" does not exist')
        return found.portal

    def __contains__(self, name: str) -> bool:
        return name in self._open

    def __iter__(self) -> Iterator[tuple[str, Portal]]:
        return iter([(name, entry.portal) for name, entry in self._open.items()])

    def close(self, name: str) -> None:
        """Closing what does not exist is no error."""
        found = self._open.pop(name, None)
        if found is not None:
            found.portal.close()

    def close_all(self) -> None:
        for name in list(self._open):
            self.close(name)

    # -- transactions --------------------------------------------------------------------------

    def persist(self) -> None:
        """Before COMMIT."""
        for entry in self._open.values():
            if entry.portal.hold and not entry.held:
                entry.portal.persist()

    def end_transaction(self, *, committed: bool) -> None:
        for name, entry in list(self._open.items()):
            if committed and entry.portal.hold:
                entry.held = True
            if not entry.held:
                self.close(name)

    def mark(self) -> int:
        """To come back to when a savepoint is rolled back to."""
        return self._serial

    def back_to(self, mark: int) -> None:
        for name, entry in list(self._open.items()):
            if entry.serial > mark:
                self.close(name)
