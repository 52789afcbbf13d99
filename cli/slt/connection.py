"""The seam between a script and whatever answers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class SqlError(Exception):
    """The engine refused a statement; a script may expect that."""

    def __init__(self, sqlstate: str, message: str, detail: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.message = message
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        lines = [f"{self.message} ({self.sqlstate})"]
        lines += [f"DETAIL: {self.detail}"] if self.detail else []
        lines += [f"HINT: {self.hint}"] if self.hint else []
        return "\n".join(lines)


class ConnectionLost(Exception):
    """Nobody answers any more; no script expects that."""


@dataclass(frozen=True)
class Answer:
    """What a statement gave back: values as Postgres prints them, None for NULL, and the command tag.

    ``columns`` is empty for a statement without rows.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    tag: str

    @property
    def count(self) -> int:
        """The rows touched, as the tag says: 3 for ``INSERT 0 3``; 0 where the tag has no count."""
        last = self.tag.rsplit(" ", 1)[-1]
        return int(last) if last.isdigit() else 0


class Connection(Protocol):
    """One client's connection. Used by one thread; a failed statement leaves it usable."""

    def execute(self, sql: str) -> Answer:
        """Says ``sql``, which may hold several statements; the answer is the last one's.

        Raises SqlError when the engine refuses it and ConnectionLost when there is no answer at all.
        """
        ...

    def close(self) -> None: ...
