"""Which windows a row lies in, and which of them are late: a reference in plain Python.

It is fed the watermarks that were logged at the end of each epoch, and shares
nothing with the engine: a loop over window starts, one row at a time.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from tests.properties.oracle.compare import canonical
from tests.properties.oracle.tables import Row

EPOCH = datetime.datetime(1970, 1, 1)
MICRO = datetime.timedelta(microseconds=1)
NO_MARK = -(1 << 63)

Windowed: TypeAlias = tuple[Row, datetime.datetime, datetime.datetime]


def micros(at: datetime.datetime) -> int:
    return (at - EPOCH) // MICRO


@dataclass(frozen=True)
class Window:
    """One TUMBLE, HOP or CUMULATE over ``relation`` by its ``ts``; seconds. ``slide`` None is TUMBLE."""

    relation: str
    size: int
    slide: int | None = None
    offset: int = 0
    cumulative: bool = False

    def sql(self) -> str:
        arguments = [] if self.slide is None else [self.slide]
        arguments += [self.size] + ([self.offset] if self.offset else [])
        listed = ", ".join(f"INTERVAL '{n} seconds'" for n in arguments)
        return f"{self.kind}({self.relation}, ts, {listed})"

    @property
    def kind(self) -> str:
        return "CUMULATE" if self.cumulative else "TUMBLE" if self.slide is None else "HOP"

    def of(self, at: datetime.datetime) -> list[tuple[datetime.datetime, datetime.datetime]]:
        """Every [start, end) that holds ``at``, found by trying starts one by one."""
        if self.cumulative:
            return self._cumulated(at)
        size = datetime.timedelta(seconds=self.size)
        step = datetime.timedelta(seconds=self.slide or self.size)
        start = EPOCH + datetime.timedelta(seconds=self.offset)
        start += (at - start) // step * step
        found = []
        while start + size > at:
            if start <= at:
                found.append((start, start + size))
            start -= step
        return found

    def _cumulated(self, at: datetime.datetime) -> list[tuple[datetime.datetime, datetime.datetime]]:
        assert self.slide is not None
        start = EPOCH + datetime.timedelta(seconds=self.offset)
        start += (at - start) // datetime.timedelta(seconds=self.size) * datetime.timedelta(seconds=self.size)
        ends = [start + datetime.timedelta(seconds=n) for n in range(self.slide, self.size + 1, self.slide)]
        return [(start, end) for end in ends if end > at]

    def reference(self, columns: Mapping[str, int], lateness: int) -> Reference:
        """``columns``: where each column of the relation is in a row."""
        return Reference(self, columns["ts"], lateness)


@dataclass(frozen=True)
class Session:
    """SESSION over ``relation`` by its ``ts``, per ``partition``; seconds."""

    relation: str
    gap: int
    partition: tuple[str, ...] = ("k",)
    kind = "SESSION"

    def sql(self) -> str:
        """With PARTITION BY as it is once its text was masked."""
        return f"SESSION({', '.join((self.relation, *self.partition))}, ts, INTERVAL '{self.gap} seconds')"

    def reference(self, columns: Mapping[str, int], lateness: int) -> SessionReference:
        return SessionReference(self, columns["ts"], lateness, by=tuple(columns[name] for name in self.partition))


@dataclass
class Reference:
    """The rows one window call has used and those that came late, by the watermarks it was told."""

    window: Any  # a Window, or a Session
    time: int  # the row's time column
    lateness: int  # seconds
    used: list[Windowed] = field(default_factory=list)
    late: Counter[Windowed] = field(default_factory=Counter)
    assigned: int = 0

    def add(self, rows: list[Row], mark_before: int | None) -> None:
        """Take one epoch's rows; ``mark_before``: the watermark at the end of the epoch before, None without one."""
        for row in rows:
            if row[self.time] is None:
                continue
            for start, end in self.window.of(row[self.time]):
                self.assigned += 1
                closed = mark_before is not None and micros(end) + self.lateness * 1_000_000 <= mark_before
                if closed:
                    self.late[row, start, end] += 1
                else:
                    self.used.append((row, start, end))

    def replace(self, rows: list[Row]) -> None:
        """A table's window has no watermark: it is what its rows are now."""
        self.used = [
            (row, *window) for row in rows if row[self.time] is not None for window in self.window.of(row[self.time])
        ]
        self.assigned = len(self.used)


@dataclass
class SessionReference(Reference):
    """Sessions found again from all used rows after every epoch; those of the epoch before tell which were closed."""

    by: tuple[int, ...] = ()
    kept: list[Row] = field(default_factory=list)

    def add(self, rows: list[Row], mark_before: int | None) -> None:
        gap = datetime.timedelta(seconds=self.window.gap)
        late = datetime.timedelta(seconds=self.lateness)
        closed = [
            (self._key(row), start, end)
            for row, start, end in self.used
            if mark_before is not None and micros(end + late) <= mark_before
        ]
        for row in rows:
            at = row[self.time]
            if at is None:
                continue
            self.assigned += 1
            own = mark_before is not None and micros(at + gap + late) <= mark_before
            if own or any(key == self._key(row) and start - gap <= at <= end for key, start, end in closed):
                self.late[row, at, at + gap] += 1
            else:
                self.kept.append(row)
        self.used = self._sessions(self.kept)

    def replace(self, rows: list[Row]) -> None:
        self.used = self._sessions([row for row in rows if row[self.time] is not None])
        self.assigned = len(self.used)

    def _key(self, row: Row) -> tuple[Any, ...]:
        return tuple(canonical(row[place]) for place in self.by)

    def _sessions(self, rows: list[Row]) -> list[Windowed]:
        """One row after the other in order of time: the same session while the pause is no longer than the gap."""
        gap = datetime.timedelta(seconds=self.window.gap)
        found: list[Windowed] = []
        for key in {self._key(row) for row in rows}:
            session: list[Row] = []
            for row in sorted((r for r in rows if self._key(r) == key), key=lambda r: r[self.time]):
                if session and row[self.time] - session[-1][self.time] > gap:
                    found += self._closed(session, gap)
                    session = []
                session.append(row)
            found += self._closed(session, gap)
        return found

    def _closed(self, session: list[Row], gap: datetime.timedelta) -> list[Windowed]:
        start, end = session[0][self.time], session[-1][self.time] + gap
        return [(row, start, end) for row in session]
