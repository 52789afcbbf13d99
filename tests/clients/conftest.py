"""The server that every client test talks to, from one fixture: point ``served`` elsewhere and all of them follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from constellationdb.server.listener import Server
from tests.unit.wire.datafusion_session import DataFusionEngine


@dataclass(frozen=True)
class Served:
    """Where the server is. Tests use only SQL that every engine behind it understands."""

    host: str
    port: int

    @property
    def dsn(self) -> str:
        return f"host={self.host} port={self.port} user=tester dbname=constellation"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Server(DataFusionEngine(), port=0) as server:
        host, port = server.address
        yield Served(host, port)
