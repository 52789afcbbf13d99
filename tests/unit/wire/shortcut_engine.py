"""An engine whose sessions have other shortcuts than usual."""

from __future__ import annotations

from constellationdb.engine.engine import Engine
from constellationdb.engine.session import Session
from constellationdb.engine.sessions import Client
from constellationdb.engine.shortcuts import Shortcuts


def engine_with(kind: type[Shortcuts]) -> Engine:
    class Made(Engine):
        def session(
            self,
            user: str = "constellation",
            database: str = "constellation",
            settings: dict[str, str] | None = None,
            client: Client | None = None,
        ) -> Session:
            session = super().session(user, database, settings, client)
            session.shortcuts = kind(session)
            return session

    return Made()
