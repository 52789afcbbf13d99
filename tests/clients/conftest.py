"""The server that every client test talks to, from one fixture: point ``served`` elsewhere and all of them follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest

from constellationdb.engine.engine import Engine
from constellationdb.server.listener import Server


@dataclass(frozen=True)
class Served:
    """Where the server is. All tests share its engine, so each names its own tables."""

    host: str
    port: int
    user: str = "tester"
    database: str = "constellation"

    @property
    def dsn(self) -> str:
        return f"host={self.host} port={self.port} user={self.user} dbname={self.database}"

    def url(self, scheme: str = "postgresql") -> str:
        return f"{scheme}://{self.user}@{self.host}:{self.port}/{self.database}"

    @property
    def jdbc(self) -> str:
        return f"jdbc:postgresql://{self.host}:{self.port}/{self.database}?user={self.user}"


@pytest.fixture(scope="package")
def served() -> Iterator[Served]:
    engine = Engine().start()
    try:
        with Server(engine, port=0) as server:
            host, port = server.address
            yield Served(host, port)
    finally:
        engine.close()


@pytest.fixture(scope="package")
def oracle(postgres: str) -> Iterator[Served]:
    """A database of a real Postgres, for what must be the same there."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("CREATE DATABASE clients TEMPLATE template0 STRATEGY file_copy")
        yield Served("127.0.0.1", connection.info.port, "postgres", "clients")
        connection.execute("DROP DATABASE clients WITH (FORCE)")


@pytest.fixture(scope="package", params=["constellation", "postgres"])
def either(request: pytest.FixtureRequest) -> Served:
    """Us, and Postgres: what a test with this claims is true of both."""
    found = request.getfixturevalue("served" if request.param == "constellation" else "oracle")
    assert isinstance(found, Served)
    return found
