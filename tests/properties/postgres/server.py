"""The Postgres that judges: one connection to a private server, emptied for every case."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.postgres_fixture import start_postgres
from tests.properties.oracle.tables import Row


class Postgres:
    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def empty(self) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def execute(self, statement: str) -> str:
        """The SQLSTATE, 00000 when it was done."""
        try:
            self._connection.execute(in_postgres(statement).encode())
        except psycopg.Error as error:
            return error.sqlstate or "?"
        return "00000"

    def rows(self, query: str) -> list[Row] | str:
        """The answer, or the SQLSTATE with which there is none."""
        try:
            return self._connection.execute(in_postgres(query).encode()).fetchall()
        except psycopg.Error as error:
            return error.sqlstate or "?"


def in_postgres(sql: str) -> str:
    """The oracle says ``double``."""
    return re.sub(r"\bAS double\)", "AS double precision)", sql)


@contextmanager
def postgres() -> Iterator[Postgres]:
    with start_postgres() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        yield Postgres(connection)
