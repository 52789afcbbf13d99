"""kill -9 while clients read subscriptions: every row comes exactly once to who notes it together with the position.

A reader takes rows a few at a time, in the middle of epochs too, and puts them into a table in the same transaction, so
position and table are one; or it asks for the next rows, which acknowledges the last. What it has in the end is what a
subscription of the same relation tells that nobody read until then, epoch for epoch.
"""

from __future__ import annotations

import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from tests.e2e.conftest import PATIENCE_S, Serve

KILLS = int(os.environ.get("CONSTELLATION_KILLS", "2"))
ROWS = 30  # that a reader gets at least in each life of the server
Row = tuple[int, int, int, int, int]

SETUP = (
    "CREATE TABLE entry (v int)",
    "CREATE TABLE copy (epoch bigint, diff bigint, k int, n bigint, total bigint)",
    "CREATE MATERIALIZED VIEW digest AS SELECT v % 13 AS k, count(*) AS n, sum(v) AS total FROM entry GROUP BY 1",
    "CREATE SUBSCRIPTION by_commit FROM digest",
    "CREATE SUBSCRIPTION by_fetch FROM digest",
    "CREATE SUBSCRIPTION untouched FROM digest",
)


def write(dsn: str) -> None:
    """Until the server is gone."""
    draw = random.Random()
    with suppress(psycopg.OperationalError), psycopg.connect(dsn, autocommit=True) as connection:
        while True:
            first = draw.randrange(1000)
            connection.execute("INSERT INTO entry SELECT * FROM generate_series(%s::int, %s::int)", (first, first + 30))


@dataclass
class Reader:
    """``unknown`` came, and the server was killed before it was said to be acknowledged."""

    name: str
    had: list[Row] = field(default_factory=list)
    unknown: list[Row] = field(default_factory=list)
    again: int = 0

    def run(self, dsn: str) -> None:
        """Until the server is gone."""
        with suppress(psycopg.OperationalError), self._open(dsn) as connection:
            self.resume(connection)
            while True:
                self._step(connection)

    def _open(self, dsn: str) -> psycopg.Connection[Row]:
        return psycopg.connect(dsn)

    def resume(self, connection: psycopg.Connection[Row]) -> None:
        declare = SQL("DECLARE c SUBSCRIPTION CURSOR FOR {}").format(Identifier(self.name))
        connection.execute(declare)
        if not self.unknown:
            return
        rows = self._fetched(connection, len(self.unknown))
        if rows == self.unknown:
            self.again += 1
        else:
            assert not set(rows) & set(self.unknown), "a part of them"
            self.had += self.unknown
        self.unknown = []
        connection.rollback()
        connection.execute("CLOSE ALL")
        connection.execute(declare)

    def _step(self, connection: psycopg.Connection[Row]) -> None:
        self.unknown = self._fetched(connection, 7)
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO copy VALUES (%s, %s, %s, %s, %s)", self.unknown)
        connection.commit()
        self.had += self.unknown
        self.unknown = []

    def _fetched(self, connection: psycopg.Connection[Row], count: int) -> list[Row]:
        rows = connection.execute(SQL("FETCH {} FROM c WITH (timeout = '200ms')").format(count)).fetchall()
        return [(epoch, diff, k, n, int(total)) for epoch, diff, k, n, total in rows]


class NextReader(Reader):
    """Acknowledges by asking for more."""

    def _open(self, dsn: str) -> psycopg.Connection[Row]:
        return psycopg.connect(dsn, autocommit=True)

    def _step(self, connection: psycopg.Connection[Row]) -> None:
        rows = self._fetched(connection, 11)
        self.had += self.unknown
        self.unknown = rows


def test_kills_lose_no_row_and_repeat_none(serve: Serve, tmp_path: Path) -> None:
    readers = [Reader("by_commit"), NextReader("by_fetch")]
    draw = random.Random(5)
    for life in range(KILLS):
        served = serve(tmp_path / "data")
        if life == 0:
            with psycopg.connect(served.dsn, autocommit=True) as connection:
                for statement in SETUP:
                    connection.execute(statement)
        with ThreadPoolExecutor(3) as pool:
            running = [pool.submit(run, served.dsn) for run in (write, *(reader.run for reader in readers))]
            _await_rows(readers, (life + 1) * ROWS)
            time.sleep(draw.uniform(0.0, 0.2))
            if life % 2:
                with psycopg.connect(served.dsn, autocommit=True) as connection:
                    connection.execute("CHECKPOINT")
            served.stop(signal.SIGKILL)
            for ended in running:
                ended.result(60)
    _check(serve(tmp_path / "data").dsn, readers)


def _await_rows(readers: list[Reader], count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while min(len(reader.had) for reader in readers) < count and time.monotonic() < deadline:
        time.sleep(0.01)


def _check(dsn: str, readers: list[Reader]) -> None:
    """After the last kill: what the readers still lack comes now, and then they have what there was to have."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        untouched = Reader("untouched")
        untouched.resume(connection)
        everything = untouched._fetched(connection, 1_000_000)
    for reader in readers:
        assert len(reader.had) >= KILLS * ROWS, "it should be hit while it reads"
        with psycopg.connect(dsn, autocommit=True) as connection:
            reader.resume(connection)
            if reader.name == "by_commit":
                query = "SELECT * FROM copy ORDER BY epoch, diff, k, n, total"
                copied = [tuple(map(int, row)) for row in connection.execute(query)]
                assert copied == sorted(reader.had)
            reader.had += reader._fetched(connection, 1_000_000)
        assert reader.had == everything
    assert len({epoch for epoch, *_ in everything}) > 5
    assert sum(reader.again for reader in readers) > 0, "a kill should hit rows that were not acknowledged"
