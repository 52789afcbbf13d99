"""Where a shell's database is: a server, a directory, or this process' memory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from constellationdb.embedded import Database, connect
from constellationdb.embedded.link import OnNotice

_SCHEMES = ("postgres://", "postgresql://")
_DATABASE = "constellation"


@dataclass(frozen=True)
class Target:
    """``place``: a server's URL, a directory, or None for memory."""

    place: str | Path | None

    @classmethod
    def named(cls, text: str) -> Target:
        """As ``\\c`` takes it."""
        return cls(text if text.startswith(_SCHEMES) else Path(text))

    def connect(self, on_notice: OnNotice | None = None) -> Database:
        return connect(self.place, on_notice=on_notice)

    @property
    def database(self) -> str:
        if not isinstance(self.place, str):
            return _DATABASE
        return urlsplit(self.place).path.lstrip("/") or _DATABASE

    def __str__(self) -> str:
        """What ``\\conninfo`` says."""
        if self.place is None:
            return "You are connected to a database in the memory of this process: it ends with the shell."
        if isinstance(self.place, Path):
            return f'You are connected to the database in the directory "{self.place}", opened by this process.'
        url = urlsplit(self.place)
        user, host, port = url.username or _DATABASE, url.hostname or "127.0.0.1", url.port or 5432
        return f'You are connected to database "{self.database}" as user "{user}" on host "{host}" at port "{port}".'
