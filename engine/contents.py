"""What a relation keeps of itself, and what others may read of it.

A view whose rows are only ever added is a list of chunks (``AppendedRows``);
everything else is an ``Arrangement``, by its unique key if it has one. Readers on other threads take ``version``,
which never changes under them, and scan it as of an epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.arrangement import FOREVER, Arrangement, stamps_of, with_stamps
from constellationdb.engine.rowstore import empty, mergeable
from constellationdb.errors import InternalError
from constellationdb.planner.plan import Plan, unique_key


class Version(Protocol):
    """An immutable state of a relation, readable as of any epoch from ``floor`` on."""

    @property
    def floor(self) -> int: ...

    @property
    def schema(self) -> pa.Schema: ...

    def scan(self, epoch: int) -> pa.Table:
        """The rows at ``epoch``, each as often as its weight says."""
        ...

    def weighted(self, epoch: int) -> pa.RecordBatch:
        """The rows at ``epoch`` with their weights."""
        ...


class Contents(Protocol):
    """A multiset of rows with one writer. ``changes`` counts the deltas applied: whether a checkpoint is due."""

    changes: int

    @property
    def version(self) -> Version: ...

    @property
    def live(self) -> int: ...

    def apply(self, delta: pa.RecordBatch, epoch: int, *, netted: bool = False) -> None:
        """Take ``delta`` into effect at ``epoch``. ``netted``: no two of its rows are equal."""
        ...

    def compact(self, floor: int) -> None:
        """Forget what only readers below epoch ``floor`` would see: there are none."""
        ...

    def snapshot(self) -> pa.RecordBatch:
        """Every live row with its weight."""
        ...

    def restore(self, rows: pa.RecordBatch, epoch: int) -> None:
        """Fill empty contents with a snapshot's rows, live from ``epoch`` on."""
        ...

    def stamped(self, since: int) -> pa.RecordBatch:
        """Whatever a reader of any epoch from ``since`` on may see, in order."""
        ...

    def restore_stamped(self, entries: pa.RecordBatch, since: int) -> None:
        """Fill empty contents with what ``stamped`` gave."""
        ...


@dataclass(frozen=True)
class Appended:
    """Rows that came at one epoch."""

    rows: pa.RecordBatch
    epoch: int


@dataclass(frozen=True)
class AppendedVersion:
    schema: pa.Schema
    chunks: tuple[Appended, ...]
    floor: int

    def scan(self, epoch: int) -> pa.Table:
        return pa.Table.from_batches([c.rows for c in self.chunks if c.epoch <= epoch], self.schema)

    def weighted(self, epoch: int) -> pa.RecordBatch:
        rows = [c.rows for c in self.chunks if c.epoch <= epoch]
        return zset.with_weights(pa.concat_batches(rows) if rows else empty(self.schema), 1)


class AppendedRows:
    """Rows that are never taken away: the batches as they came, small ones joined once nobody tells them apart.

    ``unneeded``: the only reader has what came up to this epoch, and will not ask again. Set from any thread.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self.schema = schema
        self.changes = 0
        self.live = 0
        self.unneeded = 0
        self.version = AppendedVersion(schema, (), 0)

    def apply(self, delta: pa.RecordBatch, epoch: int, *, netted: bool = False) -> None:  # noqa: ARG002
        own = zset.weights(delta)
        if own is not None and bool((own < 0).any()):
            raise InternalError("a row was taken away from a relation that only grows")
        rows = zset.named_like(zset.expanded(delta), self.schema)
        self.changes += 1
        self.live += rows.num_rows
        kept = [chunk for chunk in self.version.chunks if chunk.epoch > self.unneeded] if self.unneeded else None
        before = self.version.chunks if kept is None else kept
        self.version = AppendedVersion(self.schema, (*before, Appended(rows, epoch)), self.version.floor)

    def compact(self, floor: int) -> None:
        chunks: list[Appended] = []
        for chunk in self.version.chunks:
            chunks.append(chunk)
            while len(chunks) > 1 and chunks[-1].epoch <= floor and mergeable(chunks[-2].rows, chunks[-1].rows):
                tail = chunks.pop()
                chunks[-1] = Appended(pa.concat_batches([chunks[-1].rows, tail.rows]), tail.epoch)
        if len(chunks) < len(self.version.chunks):
            self.version = AppendedVersion(self.schema, tuple(chunks), max(floor, self.version.floor))

    def snapshot(self) -> pa.RecordBatch:
        return self.version.weighted(self.version.chunks[-1].epoch if self.version.chunks else 0)

    def restore(self, rows: pa.RecordBatch, epoch: int) -> None:
        if rows.num_rows:
            self.apply(rows, epoch)
        self.version = AppendedVersion(self.schema, self.version.chunks, epoch)

    def stamped(self, since: int) -> pa.RecordBatch:  # noqa: ARG002
        chunks = self.version.chunks
        rows = pa.concat_batches([c.rows for c in chunks]) if chunks else empty(self.schema)
        born = np.repeat(np.array([c.epoch for c in chunks], np.int64), [c.rows.num_rows for c in chunks])
        return with_stamps(rows, 1, born, np.full(rows.num_rows, FOREVER))

    def restore_stamped(self, entries: pa.RecordBatch, since: int) -> None:
        rows, _, born, _ = stamps_of(entries)
        edges = [0, *(np.flatnonzero(np.diff(born)) + 1).tolist(), rows.num_rows] if rows.num_rows else []
        for start, end in pairwise(edges):
            self.apply(rows.slice(start, end - start), int(born[start]))
        self.version = AppendedVersion(self.schema, self.version.chunks, since)


def arranged(appended: AppendedRows) -> Arrangement:
    """The same rows, as of every epoch, where they can be looked up and taken away."""
    made = Arrangement(appended.schema, deferred=True)
    for chunk in appended.version.chunks:
        made.apply(chunk.rows, chunk.epoch)
    made.changes = appended.changes
    return made


def is_changeable(entries: pa.RecordBatch) -> bool:
    """Whether what ``stamped`` gave has rows that were taken away, or occur several times."""
    _, weight, _, died = stamps_of(entries)
    return bool((weight != 1).any()) or bool((died != FOREVER).any())


def view_contents(plan: Plan, *, indexed: bool = False) -> Contents:
    """Empty contents for what a plan puts out; ``indexed``: rows are looked up in them."""
    if plan.root.append_only and indexed:
        return Arrangement(plan.output, deferred=True)
    if plan.root.append_only:
        return AppendedRows(plan.output)
    return Arrangement(plan.output, unique=unique_key(plan.root))
