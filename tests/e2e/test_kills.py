"""kill -9 at random moments, again and again: nothing acknowledged is lost, and no epoch changes its content.

Writers change tables over the Postgres port and note what was acknowledged; followers subscribe to views, note what
every epoch changed, and go on with their tokens in the next life of the server; now and then a checkpoint is taken.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from constellationdb import connect
from constellationdb.embedded.database import Database
from constellationdb.embedded.subscription import Subscription
from constellationdb.errors import ConstellationError
from tests.e2e.conftest import Serve

KILLS = int(os.environ.get("CONSTELLATION_KILLS", "12"))
WRITERS = 3
VIEWS = ("ledger", "largest", "entry")

SETUP = (
    "CREATE TABLE entry (id bigint PRIMARY KEY, writer int, amount int)",
    "CREATE TABLE writer (id int PRIMARY KEY, name text, entries int)",
    "INSERT INTO writer VALUES (0, 'ada', 0), (1, 'bob', 0), (2, 'cy', 0)",
    "CREATE MATERIALIZED VIEW ledger AS"
    " SELECT w.name, w.entries, count(e.id) AS n, coalesce(sum(e.amount), 0) AS total"
    " FROM writer w LEFT JOIN entry e ON e.writer = w.id GROUP BY w.name, w.entries",
    "CREATE MATERIALIZED VIEW largest AS SELECT writer, amount, id"
    " FROM (SELECT *, row_number() OVER (PARTITION BY writer ORDER BY amount DESC, id) AS place FROM entry) r"
    " WHERE place <= 2",
)

Changed = Counter[tuple[object, ...]]


@dataclass
class Writer:
    """One client. A transaction adds or deletes an entry, and counts in another table how many there are."""

    number: int
    draw: random.Random
    acknowledged: dict[int, int] = field(default_factory=dict)  # id → amount, of the entries that must be there
    unknown: tuple[str, int, int] | None = None  # what was asked for and not answered
    transactions: int = 0
    undecided: int = 0
    _asked: int = 0

    def run(self, dsn: str) -> None:
        """Until the server is gone."""
        with suppress(psycopg.OperationalError), psycopg.connect(dsn) as connection:
            while True:
                self._transact(connection)

    def _transact(self, connection: psycopg.Connection) -> None:
        if self.acknowledged and self.draw.random() < 0.3:
            what, entry, amount = "delete", self.draw.choice(list(self.acknowledged)), 0
        else:
            what, entry, amount = "insert", self._asked * WRITERS + self.number, self.draw.randrange(-50, 50)
        self._asked += 1
        self.unknown = (what, entry, amount)
        if what == "insert":
            connection.execute("INSERT INTO entry VALUES (%s, %s, %s)", (entry, self.number, amount))
        else:
            connection.execute("DELETE FROM entry WHERE id = %s", (entry,))
        change = 1 if what == "insert" else -1
        connection.execute("UPDATE writer SET entries = entries + %s WHERE id = %s", (change, self.number))
        connection.commit()
        self._settle(what, entry, amount)

    def _settle(self, what: str, entry: int, amount: int) -> None:
        self.unknown = None
        self.transactions += 1
        if what == "insert":
            self.acknowledged[entry] = amount
        else:
            del self.acknowledged[entry]

    def check(self, there: dict[int, int]) -> None:
        """After a restart: all that was acknowledged is there, what was not answered whole or not at all."""
        if self.unknown is not None:
            self.undecided += 1
            what, entry, amount = self.unknown
            if (entry in there) == (what == "insert"):
                self._settle(what, entry, amount)
            self.unknown = None
        assert there == self.acknowledged


@dataclass
class Follower:
    """Follows a relation across the lives of the server."""

    relation: str
    contents: Changed = field(default_factory=Counter)
    epochs: dict[int, Changed] = field(default_factory=dict)  # what each of them changed
    token: str | None = None
    resumed: int = 0

    @property
    def epoch(self) -> int:
        return 0 if self.token is None else int(self.token.rpartition("@")[2])

    def run(self, dsn: str) -> None:
        """Until the server is gone."""
        self.resumed += self.token is not None
        with (
            suppress(ConstellationError, psycopg.Error),
            connect(dsn) as database,
            database.subscribe(self.relation, resume=self.token) as feed,
        ):
            while True:
                self._next(feed, 0.5)

    def _next(self, feed: Subscription, seconds: float) -> None:
        if (changes := feed.next(seconds)) is not None:
            assert changes.epoch not in self.epochs, f"epoch {changes.epoch} of {self.relation} came twice"
            changed = Counter({row: weight for weight, row in changes})
            assert len(changed) == len(changes), "every row once"
            self.epochs[changes.epoch] = changed
            for row, weight in changed.items():
                self.contents[row] += weight
            self.contents = Counter({row: n for row, n in self.contents.items() if n})
            assert min(self.contents.values(), default=1) > 0
        self.token = feed.resume_token

    def check(self, database: Database, draw: random.Random) -> None:
        """A later life of the server tells the same of every epoch, and has come as far."""
        if self.token is None or len(self.epochs) < 2:
            return
        back = draw.choice(sorted(self.epochs)[-50:-1])
        again: dict[int, Changed] = {}
        with database.subscribe(self.relation, resume=f"{self.relation}@{back}") as feed:
            while int((feed.resume_token or "@0").rpartition("@")[2]) < self.epoch:
                if (changes := feed.next(1.0)) is not None and changes.epoch <= self.epoch:
                    again[changes.epoch] = Counter({row: weight for weight, row in changes})
        assert again == {epoch: c for epoch, c in self.epochs.items() if epoch > back}


def test_kills_at_random_moments_lose_nothing_and_change_no_epoch(serve: Serve, tmp_path: Path) -> None:
    draw = random.Random(20_26)
    writers = [Writer(number, random.Random(number)) for number in range(WRITERS)]
    followers = [Follower(name) for name in VIEWS]
    checkpoints = 0
    for life in range(KILLS + 1):
        served = serve(tmp_path / "data")
        with connect(served.dsn) as database:
            if life == 0:
                for statement in SETUP:
                    database.execute(statement)
            check(database, writers, followers, draw)
        if life == KILLS:
            break
        with ThreadPoolExecutor(WRITERS + len(VIEWS)) as pool:
            runs = [writer.run for writer in writers] + [follower.run for follower in followers]
            running = [pool.submit(run, served.dsn) for run in runs]
            time.sleep(draw.uniform(0.05, 0.5))
            if life % 2:
                checkpoints += checkpoint(served.dsn)
                time.sleep(draw.uniform(0.0, 0.3))
            served.stop(signal.SIGKILL)
            for ended in running:
                ended.result(60)
    assert checkpoints == KILLS // 2
    assert sum(writer.transactions for writer in writers) >= KILLS * WRITERS
    assert sum(writer.undecided for writer in writers) >= KILLS // 2, "a kill should hit transactions under way"
    assert all(follower.resumed >= KILLS // 2 for follower in followers)


def checkpoint(dsn: str) -> int:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        # The last one that this process took, and no other, says how long it took.
        query = "SELECT epoch FROM constellation.checkpoints WHERE seconds IS NOT NULL"
        return len(connection.execute(query).fetchall())


def check(database: Database, writers: list[Writer], followers: list[Follower], draw: random.Random) -> None:
    entries = database.sql("SELECT id, writer, amount FROM entry").fetchall()
    for writer in writers:
        writer.check({entry: amount for entry, number, amount in entries if number == writer.number})
    ledger = {name: (n, count, int(total)) for name, n, count, total in database.sql("SELECT * FROM ledger").fetchall()}
    for writer, name in zip(writers, ("ada", "bob", "cy"), strict=True):
        amounts = writer.acknowledged.values()
        assert ledger[name] == (len(amounts), len(amounts), sum(amounts))
    for follower in followers:
        follower.check(database, draw)
