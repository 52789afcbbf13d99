"""The scripts said by pgjdbc: each statement by the extended protocol.

Every tenth portable and every fifth streaming one is enough by default, others than over the wire; ``make slt`` says
them all.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from constellationdb.cli.slt.connection import SqlError
from constellationdb.cli.slt.engines import LABEL
from constellationdb.cli.slt.report import describe
from constellationdb.cli.slt.suite import Suite
from constellationdb.engine.engine import Engine
from constellationdb.server.listener import Server
from tests.sqllogic.jdbc_connection import Jdbc, JdbcConnection
from tests.sqllogic.same_table import FILES, read, tables

FOLDER = Path(__file__).parent
PORTABLE = sorted([*(FOLDER / "portable").glob("*.slt"), *(FOLDER / "differences").glob("*.slt")])
STREAMING = sorted((FOLDER / "streaming").glob("*.slt"))
SCRIPTS = (
    [*PORTABLE, *STREAMING] if os.environ.get("CONSTELLATION_SLT") == "all" else [*PORTABLE[1::10], *STREAMING[1::5]]
)
# Parse takes it, and then misses the parameter: its error is another one than the simple protocol's.
UNSAYABLE = {"SELECT $1"}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Engine, Jdbc]]:
    with Engine() as engine, Server(engine, port=0) as server:
        host, port = server.address
        with Jdbc(f"jdbc:postgresql://{host}:{port}/constellation?user=tester") as jdbc:
            yield engine, jdbc


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_script_through_jdbc(script: Path, served: tuple[Engine, Jdbc]) -> None:
    engine, jdbc = served
    suite = Suite(
        lambda _script: lambda _name: jdbc.connect(), frozenset({LABEL}), strict_types=True, say=lambda _: None
    )
    outcome = suite.run_file(script)

    assert not outcome.failures, "\n\n".join(describe(failure) for failure in outcome.failures)
    assert outcome.passed >= 6
    assert not engine.catalog.relations, "a script drops what it made, so that many can run on one server"


@pytest.fixture(scope="module")
def tables_made(served: tuple[Engine, Jdbc]) -> Iterator[JdbcConnection]:
    with closing(served[1].connect()) as connection:
        for statement in tables():
            connection.execute(statement)
        yield connection
        connection.execute("DROP TABLE num, txt, mom, emp")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_answers_of_postgres_through_jdbc(path: Path, tables_made: JdbcConnection) -> None:
    said = [(statement, answer) for statement, answer in read(path) if statement not in UNSAYABLE]
    asked = [(statement, answer, ask(tables_made, statement)) for statement, answer in said]
    assert [row for row in asked if row[1] != row[2]] == []


def ask(connection: JdbcConnection, statement: str) -> list[str]:
    """The answer, as the table has it."""
    try:
        found = connection.typed(statement)
    except SqlError as error:
        return [f"error {error.sqlstate}"]
    columns = list(zip(found.answer.columns, map(_oid, found.types), strict=True))
    return [json.dumps(line, ensure_ascii=False) for line in (columns, *found.answer.rows)]


def _oid(name: str) -> int:
    """Of a type by its internal name; an array's begins with an underscore."""
    known = psycopg.postgres.types
    return known[name[1:]].array_oid if name.startswith("_") else known[name].oid
