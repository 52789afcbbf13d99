"""A shell with a database in the process and one over the wire; every test of the shell runs on both."""

from __future__ import annotations

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from constellationdb.cli.display import say_notice
from constellationdb.cli.shell.interpreter import Shell
from constellationdb.cli.shell.output import Output
from constellationdb.cli.shell.target import Target
from constellationdb.embedded import Database
from constellationdb.embedded.local import LocalLink
from constellationdb.engine.engine import Engine
from constellationdb.server.listener import Server


class Typed:
    """A shell, what it has printed, and a way to type."""

    def __init__(self, target: Target, database: Database, folder: Path) -> None:
        self.out = StringIO()
        # The screen is the same stream, so that errors and remarks are seen in their place.
        output = Output(self.out, interactive=True, console=Console(file=self.out, width=100, height=1000))
        self.shell = Shell(target, database, output, folder=folder)

    def __call__(self, text: str) -> list[str]:
        """The lines that the shell printed for these."""
        self.out.seek(0)
        self.out.truncate()
        self.shell.run(text.split("\n"))
        return [line.rstrip() for line in self.out.getvalue().splitlines()]


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def server(engine: Engine) -> Iterator[Server]:
    with Server(engine, "127.0.0.1", 0) as server:
        yield server


@pytest.fixture
def url(server: Server) -> str:
    return f"postgres://ada@127.0.0.1:{server.port}/constellation"


@pytest.fixture(params=["inside", "over the wire"])
def typed(request: pytest.FixtureRequest, engine: Engine, url: str, tmp_path: Path) -> Iterator[Typed]:
    if request.param == "inside":
        link = LocalLink(engine, say_notice, owner=False)
        found = Typed(Target(None), Database(link), tmp_path)
    else:
        target = Target(url)
        found = Typed(target, target.connect(say_notice), tmp_path)
    yield found
    found.shell.close()
    _clean(engine)


def _clean(engine: Engine) -> None:
    database = Database(LocalLink(engine, owner=False))
    for kind in ("materialized view", "view", "table", "source", "lookup table"):
        names = database.sql(f"SELECT name FROM constellation.relations WHERE kind = '{kind}'").fetchall()
        for (name,) in names:
            database.execute(f'DROP {kind} IF EXISTS "{name}" CASCADE')
    database.close()
