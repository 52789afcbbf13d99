"""What a relation keeps of itself, and what others may read of it.

A view whose rows are only ever added is a list of chunks (``AppendedRows``);
everything else is an ``Arrangement``, by its unique key if it has one. Readers on other threads take ``version``,
which never changes under them, and scan it as of an epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from constellationdb.storage.scratch.arrays import settled


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

    def knows_since(self, epoch: int) -> bool:
        """Whether ``between`` can tell all changes since then."""
        ...

    def between(self, since: int, until: int) -> pa.RecordBatch:
        """What turns the rows of one epoch into those of another, later one."""
        ...

    def stamped(self, since: int, until: int) -> pa.RecordBatch:
        """Whatever a reader of any epoch from ``since`` to ``until`` may see, in order."""
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

    def compact(self, floor: int, written: int = -1) -> None:
        """Forget what only readers below epoch ``floor`` would see: there are none.

        ``written``: what has changed since this epoch can still be told, see ``Version.between``.
        """
        ...

    def snapshot(self) -> pa.RecordBatch:
        """Every live row with its weight."""
        ...

    def restore(self, rows: pa.RecordBatch, epoch: int, later: Sequence[pa.RecordBatch] = ()) -> None:
        """Fill empty contents with a snapshot's rows and the changes ``later``, live from ``epoch`` on."""
        ...

    def restore_stamped(self, entries: pa.RecordBatch, since: int) -> None:
        """Fill empty contents with what a version's ``stamped`` gave."""
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
    written: int = -1  # chunks that came before this epoch and after it were never joined

    def scan(self, epoch: int) -> pa.Table:
        return pa.Table.from_batches([c.rows for c in self.chunks if c.epoch <= epoch], self.schema)

    def weighted(self, epoch: int) -> pa.RecordBatch:
        return self.between(-1, epoch)

    def knows_since(self, epoch: int) -> bool:
        return epoch >= self.floor or epoch == self.written

    def between(self, since: int, until: int) -> pa.RecordBatch:
        rows = [c.rows for c in self.chunks if since < c.epoch <= until]
        return zset.with_weights(pa.concat_batches(rows) if rows else empty(self.schema), 1)

    def stamped(self, since: int, until: int) -> pa.RecordBatch:  # noqa: ARG002
        chunks = [c for c in self.chunks if c.epoch <= until]
        rows = pa.concat_batches([c.rows for c in chunks]) if chunks else empty(self.schema)
        born = np.repeat(np.array([c.epoch for c in chunks], np.int64), [c.rows.num_rows for c in chunks])
        return with_stamps(rows, 1, born, np.full(rows.num_rows, FOREVER))


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
        whole = (*before, Appended(settled(rows), epoch))
        self.version = AppendedVersion(self.schema, whole, self.version.floor, self.version.written)

    def compact(self, floor: int, written: int = -1) -> None:
        chunks: list[Appended] = []
        for chunk in self.version.chunks:
            chunks.append(chunk)
            while len(chunks) > 1 and chunks[-1].epoch <= floor and _joinable(chunks[-2], chunks[-1], written):
                tail = chunks.pop()
                chunks[-1] = Appended(settled(pa.concat_batches([chunks[-1].rows, tail.rows])), tail.epoch)
        if len(chunks) < len(self.version.chunks):
            known = written if self.version.knows_since(written) else -1
            self.version = AppendedVersion(self.schema, tuple(chunks), max(floor, self.version.floor), known)

    def snapshot(self) -> pa.RecordBatch:
        return self.version.weighted(self.version.chunks[-1].epoch if self.version.chunks else 0)

    def restore(self, rows: pa.RecordBatch, epoch: int, later: Sequence[pa.RecordBatch] = ()) -> None:
        for part in (rows, *later):
            if part.num_rows:
                self.apply(part, epoch)
        self.version = AppendedVersion(self.schema, self.version.chunks, epoch)

    def restore_stamped(self, entries: pa.RecordBatch, since: int) -> None:
        rows, _, born, _ = stamps_of(entries)
        edges = [0, *(np.flatnonzero(np.diff(born)) + 1).tolist(), rows.num_rows] if rows.num_rows else []
        for start, end in pairwise(edges):
            self.apply(rows.slice(start, end - start), int(born[start]))
        self.version = AppendedVersion(self.schema, self.version.chunks, since)


def _joinable(older: Appended, newer: Appended, written: int) -> bool:
    return mergeable(older.rows, newer.rows) and not older.epoch <= written < newer.epoch


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
