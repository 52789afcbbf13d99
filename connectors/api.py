"""The seams that a connector fills: Source, SourceReader, LookupSource.

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


Options = Mapping[str, str]
