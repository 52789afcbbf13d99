"""Cursors: where a FETCH finds its rows.

    TableCursor    over a query that ends: its rows, and a place among them
                   0 before the first, n on row n, count + 1 behind the last
    StreamCursor   over a SUBSCRIBE or a continuous query: the rows that came and were not fetched yet

A FETCH takes rows off only when it has all that it will answer with, so one
that is cancelled loses none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
import pyarrow as pa

from constellationdb.engine import answers
from constellationdb.engine.portals import Portals
from constellationdb.engine.result import ResultColumn
from constellationdb.errors import ScrollRefused
from constellationdb.planner import statements as st

_BATCH_ROWS = 8192


class _Cursor:
    """What all cursors have, and what ``pg_cursors`` shows of them."""

    def __init__(self, statement: st.DeclareCursor, columns: tuple[ResultColumn, ...], made_us: int) -> None:
        self.name = statement.name
        self.text = statement.text
        self.columns: tuple[ResultColumn, ...] | None = columns
        self.binary = statement.binary
        self.hold = statement.hold
        self.scrollable = statement.scroll is not False
        self.made_us = made_us


class TableCursor(_Cursor):
    """``rows`` is called once, by the first FETCH, over what was visible when the cursor was declared."""

    def __init__(
        self,
        statement: st.DeclareCursor,
        columns: tuple[ResultColumn, ...],
        made_us: int,
        rows: Callable[[], pa.Table],
    ) -> None:
        super().__init__(statement, columns, made_us)
        self._compute = rows
        self._rows: pa.Table | None = None
        self._at = 0

    def fetch(self, move: st.Fetch) -> list[pa.RecordBatch]:
        rows = self._table()
        wanted, at = self._places(move, rows.num_rows)
        self._at = at
        if not len(wanted):
            return []
        in_order = len(wanted) == wanted[-1] - wanted[0] + 1
        found = rows.slice(wanted[0] - 1, len(wanted)) if in_order else rows.take(pa.array(np.array(wanted) - 1))
        return list(found.to_batches(max_chunksize=_BATCH_ROWS))

    def persist(self) -> None:
        self._table()

    def close(self) -> None:
        self._rows = None

    def _table(self) -> pa.Table:
        if self._rows is None:
            self._rows = self._compute()
        return self._rows

    def _places(self, move: st.Fetch, count: int) -> tuple[range, int]:
        """The rows to give, by number, and where the cursor stands then."""
        match move.direction:
            case "absolute":
                target = move.count if move.count is not None else 0
                return self._to(target if target >= 0 else max(count + 1 + target, 0), count, rewinds=target < 0)
            case "relative":
                return self._to(self._at + (move.count or 0), count)
            case "backward":
                number = None if move.count is None else -move.count
            case _:
                number = move.count
        if number == 0:
            return self._to(self._at, count)
        if number is None:
            number = count + 1 if move.direction == "forward" else -count - 1
        return self._onward(number, count) if number > 0 else self._back(-number, count)

    def _onward(self, number: int, count: int) -> tuple[range, int]:
        last = self._at + number
        first = self._at + 1
        return range(first, min(last, count) + 1), min(last, count + 1)

    def _back(self, number: int, count: int) -> tuple[range, int]:
        self._check_scroll()
        first = self._at - 1
        last = max(self._at - number, 0)
        return range(min(first, count), max(last, 1) - 1, -1), last

    def _to(self, target: int, count: int, *, rewinds: bool = False) -> tuple[range, int]:
        """One row, the one of this number."""
        if (target <= self._at and self._at > 0) or rewinds:
            self._check_scroll()
        at = min(max(target, 0), count + 1)
        return (range(at, at + 1) if 1 <= at <= count else range(0)), at

    def _check_scroll(self) -> None:
        if not self.scrollable:
            raise _forward_only("Declare it with SCROLL option to enable backward scan.")


class Feed(Protocol):
    """Rows that come one batch after the other."""

    schema: pa.Schema

    @property
    def over(self) -> bool:
        """Whether no row can come any more."""
        ...

    def next(self, timeout: float | None = None) -> pa.RecordBatch | None:
        """None after ``timeout`` seconds and at the end. A cancelled call has taken nothing."""
        ...

    def close(self) -> None: ...


class StreamCursor(_Cursor):
    def __init__(self, statement: st.DeclareCursor, made_us: int, stream: Feed) -> None:
        super().__init__(statement, answers.columns_of(stream.schema), made_us)
        self.scrollable = False
        self._stream = stream
        self._waiting: list[pa.RecordBatch] = []  # came, and were not fetched yet

    def fetch(self, move: st.Fetch) -> list[pa.RecordBatch]:
        if move.direction == "relative" and (move.count or 0) > 0:
            found = self._next(move.count, move.timeout_us)
            return (
                [] if sum(b.num_rows for b in found) < (move.count or 0) else [found[-1].slice(found[-1].num_rows - 1)]
            )
        if move.direction != "forward" or (move.count is not None and move.count <= 0):
            raise _forward_only("the rows of a stream are fetched in the order they come")
        return self._next(move.count, move.timeout_us)

    def persist(self) -> None:
        """A stream needs nothing of the transaction it was declared in."""

    def close(self) -> None:
        self._stream.close()

    def _next(self, count: int | None, timeout_us: int | None) -> list[pa.RecordBatch]:
        """``count`` None: all there is. Without a timeout it waits for a row at least, with one for all of them."""
        if timeout_us is None:
            if not self._waiting:
                self._wait(None)
            while self._lacks(count) and self._wait(0.0):
                pass
        else:
            deadline = time.monotonic() + timeout_us / 1e6
            while self._lacks(count) and not self._stream.over:
                left = deadline - time.monotonic()
                if not self._wait(max(left, 0.0)) and left <= 0:
                    break
        return self._taken(count)

    def _lacks(self, count: int | None) -> bool:
        return count is None or sum(batch.num_rows for batch in self._waiting) < count

    def _wait(self, seconds: float | None) -> bool:
        batch = self._stream.next(seconds)
        if batch is None:
            return False
        self._waiting.append(batch)
        return True

    def _taken(self, count: int | None) -> list[pa.RecordBatch]:
        taken: list[pa.RecordBatch] = []
        while self._waiting and count != 0:
            batch = self._waiting.pop(0)
            if count is not None:
                if batch.num_rows > count:
                    self._waiting.insert(0, batch.slice(count))
                    batch = batch.slice(0, count)
                count -= batch.num_rows
            if batch.num_rows:
                taken.append(batch)
        return taken


def _forward_only(hint: str) -> ScrollRefused:
    return ScrollRefused("cursor can only scan forward", hint=hint)


def cursor_rows(portals: Portals) -> list[dict[str, object]]:
    """What ``pg_cursors`` shows."""
    return [
        {
            "name": name,
            "statement": portal.text,
            "is_holdable": portal.hold,
            "is_binary": portal.binary,
            "is_scrollable": portal.scrollable,
            "creation_time": portal.made_us,
        }
        for name, portal in portals
        if isinstance(portal, _Cursor)
    ]
