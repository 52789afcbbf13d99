"""Watchers and auditors: they look at every epoch they are shown, and remember what they saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from constellationdb import connect
from constellationdb.embedded import Database

Row = tuple[Any, ...]
Contents = Counter[Row]
Check = Callable[[Contents], bool]


class Inconsistent(AssertionError):
    """Somebody saw what no transaction wrote."""


@dataclass
class Watcher:
    """Subscribes to a view until it has seen epoch ``until()``; ``check`` must hold of the contents at every epoch.

    Besides, whatever the view is: no multiplicity is ever below one, and no epoch brings a row and takes it back.
    """

    dsn: str
    view: str
    check: Check
    until: Callable[[], int | None]
    ready: Event = field(default_factory=Event)
    epochs: list[int] = field(default_factory=list)
    retracted: int = 0
    contents: Contents = field(default_factory=Counter)

    def watch(self) -> None:
        with connect(self.dsn) as database, database.subscribe(self.view) as feed:
            while (last := self.until()) is None or _epoch(feed.resume_token) < last:
                changes = feed.next(0.1)
                if changes is not None:
                    self.take(changes.epoch, list(changes))
                elif feed.resume_token is not None:
                    self.ready.set()

    def take(self, epoch: int, changes: list[tuple[int, Row]]) -> None:
        added = Counter({row: weight for weight, row in changes if weight > 0})
        taken = Counter({row: -weight for weight, row in changes if weight < 0})
        if both := added.keys() & taken.keys():
            raise Inconsistent(f"{self.view} at epoch {epoch}: {both} comes and goes")
        self.contents.update(added)
        self.contents.subtract(taken)
        if below := [row for row, weight in self.contents.items() if weight < 0]:
            raise Inconsistent(f"{self.view} at epoch {epoch}: {below} is there less than not at all")
        self.contents = +self.contents
        if not self.check(self.contents):
            raise Inconsistent(f"{self.view} at epoch {epoch}: {dict(self.contents)} after {changes}")
        self.epochs.append(epoch)
        self.retracted += sum(taken.values())
        self.ready.set()


def _epoch(token: str | None) -> int:
    return -1 if token is None else int(token.rpartition("@")[2])


@dataclass
class Auditor:
    """Asks until told to stop.

    ``constant``: queries of several views each, with the one answer they must always have. ``together``: queries that
    must agree with each other when one transaction asks them one after the other.
    """

    dsn: str
    constant: Mapping[str, Row]
    together: Sequence[str]
    stop: Event
    asked: int = 0
    answers: set[Row] = field(default_factory=set)

    def audit(self) -> None:
        with connect(self.dsn) as database:
            while not self.stop.is_set():
                for query, wanted in self.constant.items():
                    if (found := _only_row(database, query)) != wanted:
                        raise Inconsistent(f"{query} gives {found}")
                database.execute("BEGIN")
                answers = {query: _only_row(database, query) for query in self.together}
                database.execute("COMMIT")
                if len(set(answers.values())) > 1:
                    raise Inconsistent(f"one transaction saw {answers}")
                self.answers.update(answers.values())
                self.asked += 1


def _only_row(database: Database, query: str) -> Row:
    (row,) = database.sql(query).fetchall()
    return tuple(row)
