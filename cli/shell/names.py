"""The names that completion knows. They are fetched in a session of their own, by the thread that completes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from constellationdb.cli import catalog_queries
from constellationdb.cli.catalog_queries import Entry
from constellationdb.embedded import Database
from constellationdb.errors import ConstellationError

T = TypeVar("T")


class Names:
    """What was asked is kept until ``forget``. A database that does not answer has no names."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._session: Database | None = None
        self._turn = threading.Lock()
        self._kept: dict[str, object] = {}

    def relations(self) -> list[Entry]:
        return self._known("relations", catalog_queries.relations, [])

    def columns(self, relation: str) -> list[str]:
        return self._known(
            f"columns of {relation}", lambda session: catalog_queries.column_names(session, relation), []
        )

    def functions(self) -> list[str]:
        return self._known("functions", catalog_queries.function_names, [])

    def settings(self) -> list[str]:
        return self._known("settings", catalog_queries.settings, [])

    def forget(self) -> None:
        """Something was created or dropped."""
        self._kept = {}

    def close(self) -> None:
        with self._turn:
            if self._session is not None:
                self._session.close()
                self._session = None

    def _known(self, what: str, ask: Callable[[Database], T], otherwise: T) -> T:
        kept = self._kept
        if what in kept:
            return kept[what]  # type: ignore[return-value]
        with self._turn:
            try:
                if self._session is None:
                    self._session = self._database.session()
                kept[what] = found = ask(self._session)
                return found
            except ConstellationError:
                return otherwise
