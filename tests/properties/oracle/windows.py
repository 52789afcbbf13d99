"""Which windows a row lies in, and which of them are late: a reference in plain Python.

It is fed the watermarks that were logged at the end of each epoch, and shares
nothing with the engine: a loop over window starts, one row at a time.
"""

from __future__ import annotations

import datetime
from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.properties.oracle.tables import Row

EPOCH = datetime.datetime(1970, 1, 1)
MICRO = datetime.timedelta(microseconds=1)
NO_MARK = -(1 << 63)

Windowed: TypeAlias = tuple[Row, datetime.datetime, datetime.datetime]


def micros(at: datetime.datetime) -> int:
    return (at - EPOCH) // MICRO


@dataclass(frozen=True)
class Window:
    """One TUMBLE or HOP over ``relation`` by its ``ts``; seconds. ``slide`` None is TUMBLE."""

    relation: str
    size: int
    slide: int | None = None
    offset: int = 0

    def sql(self) -> str:
        arguments = [] if self.slide is None else [self.slide]
        arguments += [self.size] + ([self.offset] if self.offset else [])
        listed = ", ".join(f"INTERVAL '{n} seconds'" for n in arguments)
        return f"{'TUMBLE' if self.slide is None else 'HOP'}({self.relation}, ts, {listed})"

    def of(self, at: datetime.datetime) -> list[tuple[datetime.datetime, datetime.datetime]]:
        """Every [start, end) that holds ``at``, found by trying starts one by one."""
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


@dataclass
class Reference:
    """The rows one window call has used and those that came late, by the watermarks it was told."""

    window: Window
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
