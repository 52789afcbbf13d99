"""One engine for the folder, seen from inside and over the wire; every test cleans up what it made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from constellationdb.embedded import Database, connect
from constellationdb.embedded.local import LocalLink
from constellationdb.engine.engine import Engine
from constellationdb.engine.result import Notice
from constellationdb.server.listener import Server


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def server(engine: Engine) -> Iterator[Server]:
    with Server(engine, "127.0.0.1", 0) as server:
        yield server


@pytest.fixture
def heard() -> list[Notice]:
    """The notices of the test's database."""
    return []


@pytest.fixture(params=["inside", "over the wire"])
def database(request: pytest.FixtureRequest, engine: Engine, server: Server, heard: list[Notice]) -> Iterator[Database]:
    """The same database by both ways: every test of the face runs on each."""
    if request.param == "inside":
        found = Database(LocalLink(engine, heard.append, owner=False))
    else:
        found = connect(f"postgres://tester@127.0.0.1:{server.port}/constellation", on_notice=heard.append)
    yield found
    found.execute("ROLLBACK")
    for kind in ("materialized view", "table", "source"):
        rows = found.sql(f"SELECT name FROM constellation.relations WHERE kind = '{kind}'").fetchall()
        for (name,) in rows:
            found.execute(f'DROP {kind} IF EXISTS "{name}" CASCADE')
    found.close()
