"""What the tortured server delivers: to files, to Postgres, to a table of its own, and to clients of subscriptions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from constellationdb import connect
from tests.e2e.conftest import Served
from tests.e2e.test_sink_kills import delivered, replayed, written
from tests.e2e.test_subscription_kills import NextReader, Reader, Row

_COLUMNS = "name, entries, n, total"


def definitions(out: Path, dsn: str) -> tuple[str, ...]:
    """Over the tables and views of ``test_kills``."""
    files = f"connector = 'file', commit_interval = '20ms', path = '{out}"
    postgres = f"connector = 'postgres', dsn = '{dsn}', commit_interval = '20ms'"
    return (
        "CREATE SOURCE event (id bigint, amount int)",
        "CREATE TABLE ours (name text, entries int, n bigint, total bigint, PRIMARY KEY (name, entries))",
        f"CREATE SINK changes FROM ledger WITH ({files}/changes', type = 'debezium')",
        f"CREATE SINK parts FROM event WITH ({files}/parts', partition_by = 'amount')",
        f"CREATE SINK rows FROM ledger WITH (table = 'ledger', {postgres})",
        f"CREATE SINK events FROM event WITH (table = 'event', {postgres})",
        "CREATE SINK own INTO ours FROM ledger",
        "CREATE MATERIALIZED VIEW digest AS"
        " SELECT writer AS k, count(*) AS n, sum(amount) AS total FROM entry GROUP BY 1",
        "CREATE TABLE copy (epoch bigint, diff bigint, k int, n bigint, total bigint)",
        *(f"CREATE SUBSCRIPTION {name} FROM digest" for name in ("by_commit", "by_fetch", "untouched")),
    )


@dataclass
class Pusher:
    """Into a source: every row has a number of its own."""

    draw: random.Random
    acknowledged: list[tuple[int, int]] = field(default_factory=list)

    def run(self, dsn: str) -> None:
        """Until the server is gone."""
        with suppress(psycopg.OperationalError), psycopg.connect(dsn, autocommit=True) as connection:
            while True:
                key = self.draw.randrange(1 << 40)
                connection.execute("INSERT INTO event VALUES (%s, %s)", (key, key % 3))
                self.acknowledged.append((key, key % 3))


class Outputs:
    """``check``: every change arrived, once, everywhere. ``rows``: how many those were."""

    def __init__(self, out: Path, target: str, draw: random.Random) -> None:
        self._out, self._target = out, target
        self.pusher = Pusher(draw)
        self.readers = [Reader("by_commit"), NextReader("by_fetch")]
        self.rows: Counter[str] = Counter()

    def check(self, served: Served) -> None:
        with connect(served.dsn) as database:
            delivered(database)
            view = _plain(database.sql(f"SELECT {_COLUMNS} FROM ledger").fetchall())
            assert _plain(database.sql(f"SELECT {_COLUMNS} FROM ours").fetchall()) == view
        with psycopg.connect(self._target) as connection:
            assert _plain(connection.execute(f"SELECT {_COLUMNS} FROM ledger").fetchall()) == view
            events = sorted(connection.execute("SELECT id, amount FROM event").fetchall())
        assert _plain(replayed(self._out / "changes")) == view
        assert len(set(events)) == len(events), "an event is twice in Postgres"
        lost = set(self.pusher.acknowledged) - set(events)
        assert not lost, f"{len(lost)} events that were acknowledged are not in Postgres"
        assert written(self._out / "parts") == events, "the two targets of a source differ"
        self.rows["events in files and in Postgres"] = len(events)
        self._check_readers(served.dsn)

    def _check_readers(self, dsn: str) -> None:
        """What each still lacks comes now; then it has what one has that was never read until now."""
        everything = _read_on(Reader("untouched"), dsn)
        for reader in self.readers:
            had = _read_on(reader, dsn)
            assert len(had) == len(set(had)), f"{reader.name} was given a row twice"
            assert had == everything, f"{reader.name} was not given everything"
            self.rows["rows of subscriptions"] += len(had)
        with psycopg.connect(dsn) as connection:
            copied = connection.execute("SELECT * FROM copy ORDER BY epoch, diff, k, n, total").fetchall()
        noted = [tuple(map(int, row)) for row in copied]
        assert noted == sorted(self.readers[0].had[: len(noted)]), "position and rows are of one transaction"


def _read_on(reader: Reader, dsn: str) -> list[Row]:
    with psycopg.connect(dsn, autocommit=True) as connection:
        reader.resume(connection)
        return [*reader.had, *reader._fetched(connection, 10_000_000)]


def _plain(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted((name, *map(int, numbers)) for name, *numbers in rows)
