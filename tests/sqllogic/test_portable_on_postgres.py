"""The portable scripts say what Postgres says, so a real Postgres must pass every one of them.

Those of the differences say what it says as well, beside what we say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from constellationdb.cli.slt.connection import Connection
from constellationdb.cli.slt.report import describe
from constellationdb.cli.slt.suite import Suite
from constellationdb.cli.slt.wire_connection import WireConnection

FOLDER = Path(__file__).parent
SCRIPTS = sorted([*(FOLDER / "portable").glob("*.slt"), *(FOLDER / "differences").glob("*.slt")])


class Databases:
    """One for all scripts, as each drops what it made, and another after one that did not."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._made = 0
        self._sound = False

    @contextmanager
    def one(self) -> Iterator[str]:
        if not self._sound:
            self._made += 1
            with psycopg.connect(self._server, autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE slt{self._made} TEMPLATE template0")
        self._sound = False
        yield self._server.replace("dbname=postgres", f"dbname=slt{self._made}")
        self._sound = True


@pytest.fixture(scope="module")
def databases(postgres: str) -> Databases:
    return Databases(postgres)


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 60


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_script_on_postgres(script: Path, databases: Databases) -> None:
    with databases.one() as database:
        _passes(script, database)


def _passes(script: Path, database: str) -> None:
    def connect(_name: str) -> Connection:
        return WireConnection(database)

    reports: list[str] = []
    suite = Suite(lambda _script: connect, frozenset({"postgres"}), strict_types=True, say=reports.append)
    outcome = suite.run_file(script)

    assert not outcome.failures, "\n\n".join(describe(failure) for failure in outcome.failures)
    assert outcome.passed >= 6
    with psycopg.connect(database) as connection:
        left = connection.execute("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace").fetchall()
    assert not left, "a script drops what it made, so that many can run on one server"
