"""``connect`` and the Database that it gives."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Literal, Self

from constellationdb.embedded.copying import CopyData, chunks, quoted
from constellationdb.embedded.functions import Given, registered
from constellationdb.embedded.link import Answer, Event, Link, OnNotice
from constellationdb.embedded.parameters import as_parameters
from constellationdb.embedded.relation import Relation
from constellationdb.embedded.rows import as_batch
from constellationdb.embedded.subscription import Subscription, epoch_of
from constellationdb.engine.checkpoint_settings import CheckpointSettings
from constellationdb.errors import ConstellationError, InvalidParameter

_SCHEMES = ("postgres://", "postgresql://")


def connect(
    target: str | os.PathLike[str] | None = None,
    *,
    workers: int = 1,
    on_notice: OnNotice | None = None,
    functions: Sequence[Callable[..., Any]] = (),
    checkpoint_store: str | None = None,
    checkpoint_interval: float | Literal["adaptive"] = 10.0,
    checkpoints_kept: int = 3,
) -> Database:
    """A database in memory, in the directory ``target``, or on the server ``target`` (postgres://host:port).

    ``workers`` is for a database in this process; ``on_notice`` hears what statements remark. ``functions``
    are registered before the database is opened: views in a directory that call them go on from where they were.
    The rest is for a directory: an object store for the checkpoints, seconds between two, how many are kept.
    """
    checkpoints = CheckpointSettings(
        checkpoint_store, None if checkpoint_interval == "adaptive" else checkpoint_interval, checkpoints_kept
    )
    if checkpoints != CheckpointSettings():
        _require_directory(target)
    if isinstance(target, str) and target.startswith(_SCHEMES):
        from constellationdb.embedded.remote import RemoteLink

        database = Database(RemoteLink(target, on_notice))
        try:
            for function in functions:
                database.register(function)
        except ConstellationError:
            database.close()
            raise
        return database
    from constellationdb.embedded.local import open_link

    link = open_link(target, workers, on_notice, [registered(given) for given in functions], checkpoints)
    return Database(link, restored=link.engine.restored)


def _require_directory(target: str | os.PathLike[str] | None) -> None:
    if target is None:
        raise InvalidParameter("a database in memory has no checkpoints", hint="name a directory")
    if str(target).startswith(_SCHEMES):
        raise InvalidParameter("how a server keeps its checkpoints is said when it is started")


class Database:
    """One session with a database. ``restored`` says what a directory held, None when it was empty or there is none.

    Values go beside a statement, never into its text: ``$1`` is the first of ``parameters``.
    """

    def __init__(self, link: Link, restored: str | None = None) -> None:
        self._link = link
        self.restored = restored

    def sql(self, text: str, parameters: Sequence[Any] = ()) -> Relation:
        """The rows of one statement, which runs when they are asked for."""
        return Relation(self._link, text, as_parameters(parameters))

    def execute(self, text: str, parameters: Sequence[Any] = ()) -> str:
        """Runs statements now, several of them as one transaction; the last one's command tag."""
        answers = self.answers(text, parameters)
        return answers[-1].tag if answers else ""

    def answers(self, text: str, parameters: Sequence[Any] = ()) -> list[Answer]:
        """Runs statements now, as ``execute`` does; what each of them answered."""
        return self._link.run(text, as_parameters(parameters))

    def events(self, text: str, parameters: Sequence[Any] = ()) -> Iterator[Event]:
        """Runs statements as it is iterated: of each its schema if it has rows, the batches, and its command tag.

        Rows come as soon as they are there, also those of a query that never ends. Closing it cancels what is left.
        """
        return self._link.events(text, as_parameters(parameters))

    @property
    def transaction_status(self) -> str:
        """``I`` idle, ``T`` in a transaction, ``E`` in one that has failed and waits for ROLLBACK."""
        return self._link.transaction_status

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is done inside happens together at the end, or not at all when it raises."""
        self.execute("BEGIN")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK")
            raise
        self.execute("COMMIT")

    def session(self) -> Database:
        """Another session with the same database: its own transactions and settings. Close it before this one."""
        return Database(self._link.another())

    def cancel(self) -> None:
        """Makes a statement that another thread is waiting for fail soon (QueryCanceled)."""
        self._link.cancel()

    def register(self, given: Given) -> Given:
        """Makes a function or class that ``constellationdb.function`` or ``aggregate`` has decorated known to SQL."""
        self._link.register(registered(given))
        return given

    def insert(self, name: str, rows: Any) -> int:
        """Appends to a table or push source; returns the epoch in which they are readable.

        ``rows``: mappings, sequences, Arrow, pandas or polars. Columns that are not given take their default.
        """
        schema = self._link.columns(f"SELECT * FROM {quoted(name)}")
        return self._link.insert(name, as_batch(name, rows, schema))

    def copy_in(self, statement: str, data: CopyData) -> str:
        """``COPY … FROM STDIN`` of a text, bytes, a file or an iterable of either; the command tag."""
        return self._link.copy_in(statement, chunks(data))

    def copy_out(self, statement: str) -> Iterator[bytes]:
        """What ``COPY … TO STDOUT`` sends, as it comes. Closing it cancels the statement."""
        return self._link.copy_out(statement)

    def subscribe(self, name: str, *, snapshot: bool = True, resume: str | None = None) -> Subscription:
        """The contents of a view, table or source, then its changes; ``resume``: only what came after that token."""
        if resume is None:
            return Subscription(name, self._link.subscribe(name, snapshot, None))
        return Subscription(name, self._link.subscribe(name, False, epoch_of(resume, name)), resume)

    def close(self) -> None:
        """Ends the session; a database in this process stops, one in a directory keeps everything."""
        self._link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
