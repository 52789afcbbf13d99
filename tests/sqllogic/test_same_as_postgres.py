"""Statements that must answer as Postgres does, to the columns' names and types: asked of Postgres, and of us.

The expected answers are stored, so that a difference shows in a review; that they are
Postgres' own is tested as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from constellationdb.engine.engine import Engine
from constellationdb.server.listener import Server
from tests.sqllogic.same_table import FILES, ask, read, tables


@pytest.fixture(scope="module")
def theirs(postgres: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS same WITH (FORCE)")
        connection.execute("CREATE DATABASE same TEMPLATE template0 STRATEGY file_copy")
    with psycopg.connect(postgres.replace("dbname=postgres", "dbname=same"), autocommit=True) as connection:
        _make_tables(connection)
        yield connection


@pytest.fixture(scope="module")
def ours() -> Iterator[psycopg.Connection]:
    engine = Engine().start()
    with Server(engine, port=0) as server:
        host, port = server.address
        dsn = f"host={host} port={port} user=tester dbname=constellation"
        with psycopg.connect(dsn, autocommit=True) as connection:
            _make_tables(connection)
            yield connection
    engine.close()


def _make_tables(connection: psycopg.Connection) -> None:
    for statement in tables():
        connection.execute(statement.encode())


def test_the_table_is_long() -> None:
    statements = [statement for path in FILES for statement, answer in read(path) if answer]
    assert len(statements) == len(set(statements))
    assert len(statements) >= 440


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_stored_answers_are_those_of_postgres(path: Path, theirs: psycopg.Connection) -> None:
    assert _differing(path, theirs) == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_we_answer_as_postgres(path: Path, ours: psycopg.Connection) -> None:
    assert _differing(path, ours) == []


def _differing(path: Path, connection: psycopg.Connection) -> list[tuple[str, list[str], list[str]]]:
    """Each statement that answers something else, what it should answer, and what it does."""
    asked = [(statement, expected, ask(connection, statement)) for statement, expected in read(path)]
    return [(statement, expected, got) for statement, expected, got in asked if got != expected]
