"""The server that every client test talks to, from one fixture: point ``served`` elsewhere and all of them follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from constellationdb.engine.engine import Engine
from constellationdb.server.listener import Server


@dataclass(frozen=True)
class Served:
    """Where the server is. All tests share its engine, so each names its own tables."""

    host: str
    port: int

    @property
    def dsn(self) -> str:
        return f"host={self.host} port={self.port} user=tester dbname=constellation"


@pytest.fixture(scope="package")
def served() -> Iterator[Served]:
    engine = Engine().start()
    try:
        with Server(engine, port=0) as server:
            host, port = server.address
            yield Served(host, port)
    finally:
        engine.close()
