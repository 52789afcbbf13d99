"""Other ways to the rows of the view ``answer``: each must tell what reading it tells.

A probe begins when the view is there, is asked after every comparison with the content that was found right,
and is interrupted before the database stops or the view becomes another. ``check`` says whether it told of rows.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pyarrow as pa

from constellationdb.embedded.database import Database
from constellationdb.embedded.subscription import Subscription
from constellationdb.errors import FeatureNotSupported
from tests.properties.oracle.compare import canonical, difference
from tests.properties.oracle.tables import Row

_PATIENCE_S = 3.0  # only a defect waits so long


class DifferenceError(AssertionError):
    """We do not hold, or do not say, what Postgres does."""


@dataclass
class Viewed:
    """The view as it was just found to be right; ``query`` is what it shows."""

    database: Database
    query: str
    content: Counter[Row]
    floats: list[int]
    ulps: int
    random: Random
    schema: pa.Schema


class Probe(ABC):
    name: str

    def begin(self, database: Database) -> None:  # noqa: B027
        """Before the first rows are looked at."""

    @abstractmethod
    def check(self, view: Viewed) -> bool: ...

    def interrupt(self) -> None:  # noqa: B027
        """The database is going to stop."""

    def forget(self) -> None:
        """The view is going to be another."""
        self.interrupt()


def rows_of(database: Database, query: str) -> Counter[Row]:
    table = database.sql(query).arrow()
    columns = [column.to_pylist() for column in table.columns]
    return Counter(tuple(canonical(v) for v in row) for row in zip(*columns, strict=True))


@dataclass
class Followed(Probe):
    """What somebody knows who adds up changes: never less than nothing of a row."""

    known: Counter[Row] = field(default_factory=Counter)

    def _add(self, changes: Iterable[tuple[int, Row]]) -> None:
        for weight, row in changes:
            self.known[tuple(canonical(v) for v in row)] += weight
        negative = {row: n for row, n in self.known.items() if n < 0}
        if negative:
            raise DifferenceError(f"{self.name}: negative counts {negative}")

    def _await(self, view: Viewed, more: Callable[[], Iterable[tuple[int, Row]]]) -> bool:
        until = time.monotonic() + _PATIENCE_S
        while difference(+self.known, view.content, view.floats, view.ulps) is not None:
            if time.monotonic() > until:
                told = difference(+self.known, view.content, view.floats, view.ulps)
                raise DifferenceError(f"{self.name}: {told}")
            self._add(more())
        return bool(view.content)


class Subscribed(Followed):
    name = "subscription"

    def __init__(self) -> None:
        super().__init__()
        self._subscription: Subscription | None = None
        self._token: str | None = None

    def check(self, view: Viewed) -> bool:
        if self._subscription is None:
            self._subscription = view.database.subscribe("answer", resume=self._token)
        subscription = self._subscription
        return self._await(view, lambda: subscription.next(timeout=0.2) or ())

    def interrupt(self) -> None:
        if self._subscription is not None:
            self._token = self._subscription.resume_token
            self._subscription.close()
            self._subscription = None

    def forget(self) -> None:
        self.interrupt()
        self._token = None
        self.known.clear()


class Emitted(Followed):
    """``EMIT CHANGES`` of the view's own query, through a cursor."""

    name = "EMIT CHANGES"

    def __init__(self) -> None:
        super().__init__()
        self._session: Database | None = None
        self._refused = False

    def check(self, view: Viewed) -> bool:
        if self._refused:
            return False
        if self._session is None:
            self._session = view.database.session()
            try:
                self._session.execute(f"DECLARE emitted CURSOR WITH HOLD FOR {view.query} EMIT CHANGES")
            except FeatureNotSupported:
                self._refused = True
                return False
        session = self._session

        def more() -> list[tuple[int, Row]]:
            fetched = session.sql("FETCH 100000 FROM emitted WITH (timeout = '0s')").fetchall()
            if not fetched:
                time.sleep(0.002)
            return [(row[1], row[2:]) for row in fetched]

        return self._await(view, more)

    def interrupt(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
        self.known.clear()


class Changelog(Probe):
    """The rows of a view over ``changelog(answer)``, added up by their ``_diff``."""

    name = "changelog"

    def begin(self, database: Database) -> None:
        database.execute("CREATE MATERIALIZED VIEW changes AS SELECT * FROM changelog(answer)")

    def check(self, view: Viewed) -> bool:
        known: Counter[Row] = Counter()
        taken_back = False
        for row, count in rows_of(view.database, "SELECT * FROM changes").items():
            known[row[2:]] += row[1] * count
            taken_back |= row[1] < 0
        if +known != view.content or -known:
            raise DifferenceError(f"changelog: {difference(known, view.content, [], 0)}")
        return taken_back and bool(view.content)


class Past(Probe):
    """``AS OF EPOCH`` n is what was read in epoch n."""

    name = "AS OF EPOCH"

    def __init__(self) -> None:
        self._seen: dict[str, Counter[Row]] = {}

    def check(self, view: Viewed) -> bool:
        told = False
        for epoch, content in view.random.sample(sorted(self._seen.items()), min(2, len(self._seen))):
            found = rows_of(view.database, f"SELECT * FROM answer AS OF EPOCH {epoch}")
            if found != content:
                raise DifferenceError(f"AS OF EPOCH {epoch}: {difference(found, content, [], 0)}")
            told |= bool(content) and content != view.content
        self._seen[view.database.sql("SELECT epoch FROM constellation.epochs").fetchall()[0][0]] = view.content
        return told

    def forget(self) -> None:
        self._seen.clear()


class ReadOnly(Probe):
    """A transaction that only reads goes on to see what it saw first, in the view and what is over it."""

    name = "read-only transaction"

    def __init__(self) -> None:
        self._session: Database | None = None
        self._seen: Counter[Row] = Counter()

    def check(self, view: Viewed) -> bool:
        told = False
        if self._session is not None:
            found = rows_of(self._session, "SELECT * FROM answer")
            if found != self._seen:
                raise DifferenceError(f"in a read-only transaction: {difference(found, self._seen, [], 0)}")
            told = bool(found) and found != view.content
            self.interrupt()
        self._session = view.database.session()
        self._session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self._seen = rows_of(self._session, "SELECT * FROM answer")
        return told

    def interrupt(self) -> None:
        if self._session is not None:
            self._session.execute("COMMIT")
            self._session.close()
            self._session = None


class Indexed(Probe):
    """Point reads by an index of the view, of values that are there and of one that went."""

    name = "CREATE INDEX"

    def __init__(self) -> None:
        self._column = ""
        self._gone: set[Any] = set()

    def check(self, view: Viewed) -> bool:
        if not self._column:
            kinds = (pa.int16(), pa.int32(), pa.int64(), pa.string())
            able = [name for name, kind in zip(view.schema.names, view.schema.types, strict=True) if kind in kinds]
            if not able:
                return False
            self._column = view.random.choice(able)
            view.database.execute(f"CREATE INDEX ON answer ({self._column})")
            self._is_used(view)
        place = view.schema.names.index(self._column)
        there = {row[place] for row in view.content} - {None}
        for value in view.random.sample(sorted(there), min(2, len(there))) + sorted(self._gone - there)[:1]:
            text = "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
            found = rows_of(view.database, f"SELECT * FROM answer WHERE {self._column} = {text}")
            want = Counter({row: n for row, n in view.content.items() if row[place] == value})
            if found != want:
                raise DifferenceError(f"by index, {self._column} = {text}: {difference(found, want, [], 0)}")
        told = bool(there and self._gone - there)
        self._gone |= there
        return told

    def _is_used(self, view: Viewed) -> None:
        value = "'a'" if view.schema.field(self._column).type == pa.string() else "1"
        plan = str(view.database.sql(f"EXPLAIN SELECT * FROM answer WHERE {self._column} = {value}").fetchall())
        if "Point read" not in plan:
            raise DifferenceError(f"no point read: {plan}")

    def forget(self) -> None:
        self._column = ""
        self._gone.clear()


class Dependant(Probe):
    """A view over the view, which stays when that becomes another."""

    name = "dependant view"

    def begin(self, database: Database) -> None:
        database.execute("CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM answer")

    def check(self, view: Viewed) -> bool:
        found = view.database.sql("SELECT n FROM counted").fetchall()[0][0]
        if found != view.content.total():
            raise DifferenceError(f"{found} rows counted, {view.content.total()} there are")
        return bool(found)


PROBES: tuple[Callable[[], Probe], ...] = (Subscribed, Emitted, Changelog, Past, ReadOnly, Indexed, Dependant)
