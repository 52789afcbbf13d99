"""The Postgres that judges: one connection to a private server, emptied for every case."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.postgres_fixture import start_postgres
from tests.properties.oracle.tables import Row

DONE = "00000"


class Postgres:
    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.changed = 0  # rows, by the last statement

    def empty(self) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.execute("RESET ALL; SET client_min_messages = error")
        self._connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        self._connection.execute("CREATE TABLE clock (at timestamptz); INSERT INTO clock VALUES (now())")

    def set_clock(self, now: datetime.datetime) -> None:
        """What its views take for ``now()``."""
        self._connection.execute("UPDATE clock SET at = %s", (now,))

    def execute(self, statement: str) -> str:
        """The SQLSTATE, 00000 when it was done."""
        try:
            self.changed = self._connection.execute(in_postgres(statement).encode()).rowcount
        except psycopg.Error as error:
            self.changed = 0
            return error.sqlstate or "?"
        return DONE

    def rows(self, query: str) -> list[Row] | str:
        """The answer, or the SQLSTATE with which there is none."""
        try:
            return self._connection.execute(in_postgres(query).encode()).fetchall()
        except psycopg.Error as error:
            return error.sqlstate or "?"


_VERSION = r"JOIN LATERAL (SELECT * FROM r WHERE r.c = \4 AND r.ts <= \1 ORDER BY r.ts DESC LIMIT 1) AS \2 ON true"
_WORDS = (
    (r"\bAS double\)", "AS double precision)"),  # the oracle says ``double``
    (r" WITH \(retain_history = '1 hour'\)", ""),
    (r"\bnow\(\)", "(SELECT at FROM clock)"),
    (r"\bJOIN r FOR SYSTEM_TIME AS OF ([\w.]+) AS (\w+) ON (\w+)\.c = ([\w.]+)", _VERSION),
)


def in_postgres(sql: str) -> str:
    """What is ours alone, as Postgres says it."""
    for ours, theirs in _WORDS:
        sql = re.sub(ours, theirs, sql)
    return sql


@contextmanager
def postgres() -> Iterator[Postgres]:
    with start_postgres() as dsn, psycopg.connect(dsn, autocommit=True) as connection:
        yield Postgres(connection)
