"""What a statement answers: the seam between a session and whoever fronts it.

A session yields one ``Result`` per statement. The front end reads ``batches``
to the end (each ``next`` may block when the query is continuous) and only then
asks ``tag``: the count in it is known when the rows are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pyarrow as pa

from constellationdb.catalog.types import SqlType
from constellationdb.engine.copy_options import CopyOptions
from constellationdb.errors import ConstellationError

if TYPE_CHECKING:
    from constellationdb.engine.point_index import Place
    from constellationdb.engine.portals import Portals
    from constellationdb.engine.prepared_statements import PreparedStatements
    from constellationdb.engine.subscription import Subscription


@dataclass(frozen=True)
class ResultColumn:
    """``oids``: what the names stand for, where the type is regclass or one like it: its binary form.

    ``table`` and ``number``: the oid and attnum of the column that it is, where it is nothing but that.
    """

    name: str
    type: SqlType
    oids: Callable[[pa.Array], pa.Array] | None = field(default=None, compare=False)
    table: int = 0
    number: int = 0

    @property
    def arrow(self) -> pa.DataType:
        """What its batches carry."""
        if self.oids is None:
            return self.type.arrow
        return pa.string() if self.type.element is None else pa.list_(pa.string())


@dataclass(frozen=True)
class Notice:
    message: str
    severity: str = "NOTICE"
    sqlstate: str = "00000"
    hint: str | None = None
    detail: str | None = None


class CopySink(Protocol):
    """Where COPY … FROM STDIN's bytes go. Nothing is inserted before ``finish``, nothing at all after ``fail``."""

    columns: int
    binary: bool  # the format of the bytes

    def write(self, data: bytes) -> None: ...

    def finish(self) -> str:
        """Insert every row as one statement; the command tag, ``COPY n``. Raises what the rows deserve."""
        ...

    def fail(self) -> None: ...


@dataclass
class Result:
    """``columns`` None: a command without rows. ``streaming``: batches may never end; flush after each.

    ``at_most``: set before the first batch is taken by who will not take more rows; rows of a stream that only come
    then end as with a LIMIT.

    ``copy_out``: send rows as COPY data, so written. ``copy_in``: the client is asked for data first.
    """

    command: str
    columns: tuple[ResultColumn, ...] | None = None
    batches: Iterator[pa.RecordBatch] = field(default_factory=lambda: iter(()))
    tag_of: Callable[[int], str] | None = None
    notices: list[Notice] = field(default_factory=list)
    streaming: bool = False
    at_most: int | None = None
    copy_out: CopyOptions | None = None
    copy_in: CopySink | None = None
    empty_query: bool = False
    subscription: Subscription | None = None  # what ``batches`` come from, where they are just its own
    binary: bool = False  # of a BINARY cursor: its values in their binary formats, where the client has no say

    def tag(self, rows: int) -> str:
        """The CommandComplete tag once ``rows`` rows were read, e.g. ``SELECT 3``."""
        return self.tag_of(rows) if self.tag_of is not None else self.command


@dataclass(frozen=True, eq=False)
class Prepared:
    """A statement that was parsed and described, not executed. Equal to itself alone.

    ``parameters`` are Postgres type oids (0 = not known), ``columns`` None when no rows come back.
    """

    sql: str
    parameters: tuple[int, ...]
    columns: tuple[ResultColumn, ...] | None


class Found(NamedTuple):
    """The answer to a SELECT: where its rows are, of which ``columns`` are asked for."""

    places: tuple[Place, ...]
    columns: tuple[int, ...]


class Shortcuts(Protocol):
    """What a session answers without planning and without waiting; see ``engine/shortcuts.py``."""

    def prepared(self, sql: str, parameter_oids: tuple[int, ...]) -> Prepared | None:
        """What ``prepare`` would give, if it is known."""
        ...

    def find(self, prepared: Prepared, parameters: Sequence[str | None]) -> Found | None:
        """The whole answer of a SELECT; None when it takes ``execute_prepared``."""
        ...

    def inserts(self, prepared: Prepared) -> bool:
        """Whether ``insert`` is for it."""
        ...

    def insert(
        self,
        prepared: Prepared,
        rows: Sequence[Sequence[str | None]],
        done: Callable[[list[BaseException | None]], None],
        *,
        together: bool,
    ) -> bool:
        """Queue rows; False, and nothing was done, when it takes ``execute_prepared``.

        ``done`` is called from another thread with what is wrong with each: one entry when they go in ``together``.
        """
        ...

    def insert_together(self, prepared: Prepared, rows: Sequence[Sequence[str | None]]) -> bool:
        """Insert rows in the open transaction, all or, with ConstellationError, none; False: it takes
        ``execute_prepared``."""
        ...


class SessionProtocol(Protocol):
    """One client's SQL session. One thread at a time, except ``cancel``, which any thread may call.

    A several-statement text runs as one implicit transaction, as in Postgres.
    Iterating ``execute`` raises the ConstellationError of the statement that
    failed, with its position in ``sql``; results before it stay valid. A front
    end that cannot go on reading closes the iterator and calls ``fail``.

    ``pid`` is its process id for cancel requests and ``pg_stat_activity``.
    ``statements`` and ``portals`` are what SQL and the extended protocol know
    by name. ``on_terminate``, set by the front end, is called from any thread
    when the client has to be told to go.
    """

    pid: int
    statements: PreparedStatements
    portals: Portals
    on_terminate: Callable[[ConstellationError], None] | None

    @property
    def shortcuts(self) -> Shortcuts: ...

    def execute(self, sql: str) -> Iterator[Result]: ...

    def prepare(self, sql: str, parameter_oids: tuple[int, ...] = ()) -> Prepared: ...

    def execute_prepared(self, prepared: Prepared, parameters: tuple[str | None, ...], *, more: bool = False) -> Result:
        """``more``: other statements may follow before ``sync``, all of one implicit transaction."""
        ...

    @property
    def transaction_status(self) -> str:
        """``I`` idle, ``T`` in a transaction, ``E`` in a failed one."""
        ...

    def sync(self) -> None:
        """End of an extended-protocol batch: commits or rolls back an implicit transaction."""
        ...

    def fail(self) -> None:
        """An error went to the client, whoever raised it: the open transaction has failed. Idempotent."""
        ...

    def setting(self, name: str) -> str:
        """The value SHOW would print."""
        ...

    @property
    def settings_changes(self) -> int:
        """Another number whenever the value of a setting may be another."""
        ...

    def fetch_portal(self, name: str, limit: int) -> Result:
        """The next rows of a cursor that SQL declared; 0 for all of them."""
        ...

    def cancel(self) -> None:
        """Make the running statement, if any, raise QueryCanceled soon."""
        ...

    def close(self) -> None: ...
