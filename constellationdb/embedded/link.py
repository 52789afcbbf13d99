"""The seam between a Database and what answers it: a session in this process, or one over the wire."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

import pyarrow as pa

from constellationdb.catalog.types import field_of
from constellationdb.embedded.parameters import Parameter
from constellationdb.engine.result import Notice, ResultColumn

if TYPE_CHECKING:
    from constellationdb.engine.python import PythonFunction

OnNotice = Callable[[Notice], None]

# What a statement says, in order: its columns where it has rows, the rows as they come, its command tag.
Event: TypeAlias = pa.Schema | pa.RecordBatch | str


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

    @property
    def transaction_status(self) -> str:
        """``I`` idle, ``T`` in a transaction, ``E`` in a failed one."""
        ...

    def run(self, sql: str, parameters: tuple[Parameter, ...] = ()) -> list[Answer]:
        """Says ``sql`` and reads everything; one answer for each of its statements."""
        ...

    def register(self, given: PythonFunction) -> None:
        """Makes a function of this program known to SQL."""
        ...

    def events(self, sql: str, parameters: tuple[Parameter, ...] = ()) -> Iterator[Event]:
        """Says ``sql``; the events of each of its statements. Leaving it early cancels what is left.

        The session is busy until the iterator ends or is closed, by the thread that began it.
        """
        ...

    def stream(self, sql: str, parameters: tuple[Parameter, ...] = ()) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """One query's rows as they come, in a session of its own where it may never end.

        The batches may have more digits behind a numeric's point than the schema says.
        """
        ...

    def columns(self, sql: str) -> pa.Schema:
        """What ``sql`` would answer, without running it."""
        ...

    def insert(self, name: str, rows: pa.RecordBatch) -> int:
        """Appends rows; the epoch in which they are readable."""
        ...

    def copy_in(self, sql: str, data: Iterable[bytes]) -> str:
        """``COPY … FROM STDIN`` of these bytes, all or nothing; the command tag."""
        ...

    def copy_out(self, sql: str) -> Iterator[bytes]:
        """What ``COPY … TO STDOUT`` sends, as it comes. Leaving it early cancels it."""
        ...

    def subscribe(self, name: str, snapshot: bool, as_of: int | None) -> Feed: ...

    def another(self) -> Link:
        """One more session with the same database; closing it leaves the database open."""
        ...

    def cancel(self) -> None:
        """Make the running statement, if any, raise QueryCanceled soon."""
        ...

    def close(self) -> None: ...


def gathered(events: Iterator[Event]) -> list[Answer]:
    """One answer for each statement, everything read."""
    answers: list[Answer] = []
    schema: pa.Schema | None = None
    batches: list[pa.RecordBatch] = []
    for event in events:
        if isinstance(event, str):
            answers.append(Answer(schema, tuple(batches), event))
            schema, batches = None, []
        elif isinstance(event, pa.RecordBatch):
            batches.append(event)
        else:
            schema = event
    return answers


def schema_of(columns: Iterable[ResultColumn]) -> pa.Schema:
    return pa.schema([field_of(column.name, column.type) for column in columns])
