"""The portable scripts say what Postgres says, so a real Postgres must pass every one of them.

Those of the differences say what it says as well, beside what we say.
"""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from constellationdb.cli.slt.connection import Connection
from constellationdb.cli.slt.report import describe
from constellationdb.cli.slt.suite import Suite
from constellationdb.cli.slt.wire_connection import WireConnection

FOLDER = Path(__file__).parent
SCRIPTS = sorted([*(FOLDER / "portable").glob("*.slt"), *(FOLDER / "differences").glob("*.slt")])


def test_there_are_scripts() -> None:
    assert len(SCRIPTS) >= 60


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_script_on_postgres(script: Path, postgres: str) -> None:
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute("DROP DATABASE IF EXISTS slt WITH (FORCE)")
        # The copy from files is quicker than the log for so small a database.
        server.execute("CREATE DATABASE slt TEMPLATE template0 STRATEGY file_copy")
    database = postgres.replace("dbname=postgres", "dbname=slt")

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
