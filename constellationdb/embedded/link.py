"""The seam between a Database and what answers it: a session in this process, or one over the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

from constellationdb.engine.result import Notice

OnNotice = Callable[[Notice], None]


@dataclass(frozen=True)
class Answer:
    """What one statement gave: its rows (``schema`` None: it has none to give) and its command tag."""

    schema: pa.Schema | None
    batches: tuple[pa.RecordBatch, ...] = field(default=())
    tag: str = ""

    def table(self) -> pa.Table:
        return pa.Table.from_batches(self.batches, schema=self.schema if self.schema is not None else pa.schema([]))


class Feed(Protocol):
    """Changes as they come: batches that begin with ``_epoch, _diff``; a NULL ``_diff`` completes its epoch."""

    def next(self, timeout: float | None) -> pa.RecordBatch | None:
        """The next batch, waited for; None when ``timeout`` seconds brought none, or the database has stopped."""
        ...

    def close(self) -> None: ...


class Link(Protocol):
    """One session. Every method may be called from any thread; they take turns."""

    def run(self, sql: str) -> list[Answer]:
        """Says ``sql`` and reads everything; one answer for each of its statements."""
        ...

    def stream(self, sql: str) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """One query's rows as they come, in a session of its own where it may never end."""
        ...

    def columns(self, sql: str) -> pa.Schema:
        """What ``sql`` would answer, without running it."""
        ...

    def insert(self, name: str, rows: pa.RecordBatch) -> int:
        """Appends rows; the epoch in which they are readable."""
        ...

    def subscribe(self, name: str, snapshot: bool, as_of: int | None) -> Feed: ...

    def cancel(self) -> None:
        """Make the running statement, if any, raise QueryCanceled soon."""
        ...

    def close(self) -> None: ...
