"""Says the demo's SQL through the Postgres port and watches until every flight is in every view."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from constellationdb.cli.flights.compare import Row
from constellationdb.cli.flights.data import ROWS, FlightFiles
from constellationdb.cli.flights.views import VIEWS, setup_sql
from constellationdb.embedded import Database
from constellationdb.errors import UndefinedRelation

_READ = "SELECT coalesce(max(rows_accepted), 0) FROM constellation.sources WHERE name = 'flights'"
# One statement, so one epoch: flights counted by route, flights in closed windows, flights with their names looked up.
_ARRIVED = """\
SELECT coalesce((SELECT sum(flights) FROM routes), 0), coalesce((SELECT sum(flights) FROM delays_closed), 0),
       coalesce((SELECT sum(flights) FROM makers), 0)"""
_LOOK_S = 0.1
_STATEMENT = re.compile(r"CREATE [A-Z ]+ \w+")


@dataclass(frozen=True)
class Arrived:
    """How many of the flights were read, and how many each of three ways has let through by now."""

    read: int
    counted: int = 0
    closed: int = 0
    named: int = 0

    @property
    def least(self) -> int:
        return min(self.counted, self.closed, self.named)


def set_up(database: Database, files: FlightFiles, say: Callable[[str], None]) -> None:
    """CREATE MATERIALIZED VIEW returns when the view has caught up with what was read by then."""
    for text in setup_sql(files):
        database.execute(text)
        say(_STATEMENT.findall(text)[0].replace(" IF NOT EXISTS", ""))


def watch(
    database: Database, setting_up: Future[None], progress: Callable[[Arrived], None], patience_s: float = 60.0
) -> Arrived:
    """Until all rows are through, or nothing has moved for ``patience_s``: then the check says what is missing."""
    last, moved_at = arrived(database), time.monotonic()
    while True:
        progress(last)
        if setting_up.done():
            setting_up.result()
            if last.least >= ROWS or time.monotonic() - moved_at > patience_s:
                return last
        time.sleep(_LOOK_S)
        now = arrived(database)
        if now != last or not setting_up.done():
            last, moved_at = now, time.monotonic()


def arrived(database: Database) -> Arrived:
    read = database.sql(_READ).fetchall()[0][0]
    try:
        through = database.sql(_ARRIVED).fetchall()[0]
    except UndefinedRelation:  # the views are still being made
        return Arrived(int(read))
    return Arrived(int(read), *(int(value) for value in through))


def read_views(database: Database) -> dict[str, list[Row]]:
    return {name: database.sql(f"SELECT * FROM {name}").fetchall() for name, _ in VIEWS}
