"""Says the demo's SQL through the Postgres port and watches until every flight is in every view."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from constellationdb.cli.flights.compare import Row
from constellationdb.cli.flights.data import ROWS, FlightFiles
from constellationdb.cli.flights.views import VIEWS, setup_sql
from constellationdb.embedded import Database

# One statement, so one epoch: flights counted by the stream, flights in closed windows, flights that are looked up.
_ARRIVED = """\
SELECT coalesce((SELECT sum(flights) FROM routes), 0), coalesce((SELECT sum(flights) FROM delays_closed), 0),
       coalesce((SELECT sum(flights) FROM makers), 0)"""
_LOOK_S = 0.25
_STATEMENT = re.compile(r"^CREATE [A-Z ]+ \w+", re.MULTILINE)


@dataclass(frozen=True)
class Arrived:
    """How many of the flights each of three ways has let through by now."""

    counted: int
    closed: int
    named: int

    @property
    def least(self) -> int:
        return min(self.counted, self.closed, self.named)


def set_up(database: Database, files: FlightFiles, say: Callable[[str], None]) -> None:
    for text in setup_sql(files):
        database.execute(text)
        for statement in _STATEMENT.findall(text):
            say(statement)


def watch(database: Database, progress: Callable[[Arrived], None], patience_s: float = 60.0) -> Arrived:
    """Until all rows are through, or nothing has moved for ``patience_s``: then the check says what is missing."""
    last, moved_at = arrived(database), time.monotonic()
    while True:
        progress(last)
        if last.least >= ROWS or time.monotonic() - moved_at > patience_s:
            return last
        time.sleep(_LOOK_S)
        now = arrived(database)
        if now != last:
            last, moved_at = now, time.monotonic()


def arrived(database: Database) -> Arrived:
    row = database.sql(_ARRIVED).fetchall()[0]
    return Arrived(*(int(value) for value in row))


def read_views(database: Database) -> dict[str, list[Row]]:
    return {name: database.sql(f"SELECT * FROM {name}").fetchall() for name, _ in VIEWS}
