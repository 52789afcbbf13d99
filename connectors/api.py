"""The seams that a connector fills: Source, SourceReader, LookupSource, Sink, SinkWriter.

A source is split into partitions; a reader of one partition is polled by the
engine and never blocks. Its ``position`` is what the epoch log stores, so a
reader opened at a logged position gives the same rows again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import pyarrow as pa

Position = dict[str, int]  # small, JSON-like; {} is the beginning


@dataclass(frozen=True)
class Polled:
    """What one poll brought: at most ``limit`` rows; errors are rows that could not be decoded.

    ``position`` is the position *after* these rows. ``ended``: nothing will ever follow.
    """

    batch: pa.RecordBatch | None
    position: Position
    ended: bool = False
    errors: tuple[RowError, ...] = ()


@dataclass(frozen=True)
class RowError:
    """A row that could not be decoded: its raw text, and why."""

    payload: str
    sqlstate: str
    message: str


class SourceReader(Protocol):
    def poll(self, limit: int) -> Polled:
        """The rows that are there now, errors included, up to ``limit``: fewer when there are no more. Never blocks."""
        ...

    def replay(self, start: Position, end: Position) -> Iterator[pa.RecordBatch]:
        """Exactly the rows between two positions that polls reported before, read as they are taken.

        ConnectorFailure when they are gone.
        """
        ...

    def close(self) -> None: ...


class Source(Protocol):
    """An opened CREATE SOURCE. ``schema`` is complete: columns given in SQL, or the connector's own."""

    schema: pa.Schema

    def partitions(self) -> Sequence[str]: ...

    def open(self, partition: str, position: Position) -> SourceReader: ...


CompareOp = Literal["=", "<>", "<", "<=", ">", ">=", "in", "is null", "is not null"]
Scalar = bool | int | float | str | bytes | None  # decimals, dates and timestamps travel as Arrow scalars


@dataclass(frozen=True)
class LookupPredicate:
    """column OP value(s): the closed language every lookup source can be asked (nine forms)."""

    column: str
    op: CompareOp
    values: tuple[pa.Scalar, ...] = ()


@dataclass(frozen=True)
class LookupCapabilities:
    """What a source evaluates itself; the engine evaluates the rest after the fetch."""

    predicates: frozenset[CompareOp] = frozenset()
    projection: bool = False
    max_keys: int = 10_000


class LookupSource(Protocol):
    """The back end of a lookup table. ``fetch`` may block: it is called off the engine's thread.

    It must be thread-safe, and must not guess: a failure raises ConnectorFailure, never an empty answer.
    """

    schema: pa.Schema
    capabilities: LookupCapabilities

    def fetch(self, keys: pa.RecordBatch, columns: Sequence[str], predicates: Sequence[LookupPredicate]) -> pa.Table:
        """Every row whose key columns equal one of the rows of ``keys`` (distinct, no NULLs) and that passes
        the predicates, with the key columns and ``columns``, in any order."""
        ...

    def describe(self, columns: Sequence[str], predicates: Sequence[LookupPredicate]) -> str:
        """One line for EXPLAIN: what is asked of the source, e.g. its SQL with parameters."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class TableSource(Protocol):
    """A lookup source whose whole table can be read at once, to be kept as a copy. Calls may block and may fail."""

    def version(self) -> Hashable:
        """Another value when the rows may be others; None: they never change. Cheap: no row is read."""
        ...

    def size(self) -> int:
        """About how many bytes the rows take, judged without reading them."""
        ...

    def table(self) -> pa.Table:
        """Every row, in the columns of ``schema``."""
        ...


SinkType = Literal["append", "upsert", "debezium"]


@dataclass(frozen=True)
class SinkShape:
    """What a sink writes. ``id``: no other sink, here or elsewhere, has it; the target keeps it beside its marker.

    ``schema``: of the rows it hands over; ``key``: the columns that rows replace each other by.
    """

    name: str
    id: str
    type: SinkType
    schema: pa.Schema
    key: tuple[str, ...] = ()


class SinkWriter(Protocol):
    """One connection to a target, used by one thread. Everything since the last commit is one transaction.

    ConnectorFailure: it may go better the next time, with another writer, which begins by asking for the position.
    SinkFailure and all else: it never will. In both cases nothing of the transaction is ever visible, unless it was
    ``commit`` that failed: then the position tells.
    """

    def position(self) -> int | None:
        """The epoch of the last commit, asked of the target itself; None when it has nothing of this sink.

        SinkFailure when what it has is another sink's.
        """
        ...

    def write(self, rows: pa.RecordBatch, deleted: pa.RecordBatch | None = None) -> None:
        """Rows of the transaction. For an upsert they take the places of those with their keys, no two of which are
        equal; ``deleted``: further keys, whose rows go."""
        ...

    def commit(self, epoch: int) -> int:
        """Make the transaction visible and durable, all or nothing, with its marker; how many bytes were written."""
        ...

    def close(self) -> None:
        """Without a trace of what was not committed."""
        ...


class Sink(Protocol):
    """An opened CREATE SINK. Both calls may block."""

    def check(self) -> None:
        """Ask the target whether it can take these rows, so that what is wrong is said when the sink is created."""
        ...

    def open(self) -> SinkWriter: ...


Options = Mapping[str, str]
