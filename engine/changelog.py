"""The log of a relation: its changes, epoch by epoch, for those who follow it and those who look back.

    packs of many epochs each, which every follower has passed ┊ single changes, newest last
    ◀── forgotten when retention allows                        ┊ tidied into packs once they are old

A change of one row costs a kilobyte of objects, and the interpreter's garbage
collector walks over them: a minute of a thousand INSERTs a second stopped
everything for a third of a second. A pack is two objects, however many epochs.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.operators.base import NO_WATERMARK

RETAINED_BYTES = 64 << 20
RETAINED_US = 300 * 1_000_000
# Rows up to which changes are packed together: larger ones are few, and copied for nothing.
_SMALL_ROWS = 1024
_EPOCH, _AT = "__epoch", "__at_us"


@dataclass(frozen=True, slots=True)
class Change:
    """One epoch of one relation."""

    epoch: int
    delta: Delta
    watermark: int
    at_us: int  # wall time of the epoch, for retention


@dataclass(frozen=True, slots=True)
class _Pack:
    """The changes of many epochs, the last of which is ``epoch``, as one batch."""

    epoch: int
    at_us: int
    batch: pa.RecordBatch
    size: int
    on_disk: bool = False


UNKNOWN_US = 1 << 62


class Undone(NamedTuple):
    """Going back undid the epochs between ``after`` and ``epoch``, which came at ``at_us``."""

    after: int
    epoch: int
    at_us: int


class Keeper(Protocol):
    """Somebody who is not there all the time, and wants to find what came meanwhile."""

    def keeps(self, epoch: int, at_us: int, now_us: int) -> bool:
        """Whether the change of this epoch, or the pack that ends with it, has to stay."""
        ...


class RelationLog:
    """The changes of a relation in epoch order. One writer; readers hold the engine's lock."""

    def __init__(self, retained_us: int | None = None) -> None:
        self.retained_us = retained_us  # None: as long as is usual
        self._packs: list[_Pack] = []
        self._changes: list[Change] = []
        self._epochs: list[int] = []  # of the changes: what is searched
        self._bytes = 0
        self.forgotten = 0  # changes at or before this epoch are gone
        self.forgotten_us = UNKNOWN_US  # no change that is gone was later
        self.undone: list[Undone] = []
        self.keepers: set[Keeper] = set()

    @property
    def begins(self) -> int:
        """Nobody may look back, or go on from, before this epoch: changes are gone, or were undone."""
        return max(self.forgotten, self.undone[-1].epoch) if self.undone else self.forgotten

    def has_undone(self, epoch: int) -> bool:
        return any(gone.after < epoch < gone.epoch for gone in self.undone)

    def append(self, change: Change) -> None:
        self._changes.append(change)
        self._epochs.append(change.epoch)
        self._bytes += _size(change)

    def after(self, epoch: int) -> Change | None:
        """The first change later than ``epoch``."""
        if self._packs and self._packs[-1].epoch > epoch:
            return next(self._unpacked(epoch))
        if not self._epochs or self._epochs[-1] <= epoch:
            return None
        return self._changes[bisect_right(self._epochs, epoch)]

    def all_after(self, epoch: int, limit: int) -> list[Change]:
        """The changes in ``(epoch, limit]``."""
        old = [change for change in self._unpacked(epoch) if change.epoch <= limit]
        return old + self._changes[bisect_right(self._epochs, epoch) : bisect_right(self._epochs, limit)]

    def some_after(self, epoch: int, limit: int, rows: int) -> tuple[list[Change], int]:
        """The first changes in ``(epoch, limit]``, about so many rows, and the epoch up to which these are all."""
        found: list[Change] = []
        for change in self._from(epoch):
            if change.epoch > limit:
                break
            found.append(change)
            rows -= 0 if change.delta is None else change.delta.num_rows
            if rows <= 0:
                return found, change.epoch
        return found, limit

    def _from(self, epoch: int) -> Iterator[Change]:
        yield from self._unpacked(epoch)
        for index in range(bisect_right(self._epochs, epoch), len(self._epochs)):
            yield self._changes[index]

    def extent_after(self, epoch: int) -> tuple[int | None, int]:
        """The last epoch with a change after ``epoch``, if there is one, and how many rows there are in these."""
        last, rows = None, 0
        for pack in self._packs_after(epoch):
            last = pack.epoch
            rows += int((pack.batch.column(_EPOCH).to_numpy() > epoch).sum())
        for change in self._changes[bisect_right(self._epochs, epoch) :]:
            if change.delta is not None:
                last, rows = change.epoch, rows + change.delta.num_rows
        return last, rows

    def bytes_after(self, epoch: int) -> int:
        """How much is kept of what came after ``epoch``; of a pack all or nothing."""
        later = self._changes[bisect_right(self._epochs, epoch) :]
        return sum(pack.size for pack in self._packs_after(epoch)) + sum(map(_size, later))

    def _packs_after(self, epoch: int) -> list[_Pack]:
        return self._packs[bisect_right(self._packs, epoch, key=lambda pack: pack.epoch) :]

    def around(self, at_us: int) -> tuple[bool, int | None]:
        """Whether it is known what there was at a time, and the epoch of the first change after it."""
        begins = self.begins
        known = (self.forgotten_us if begins == self.forgotten else self.undone[-1].at_us) <= at_us
        for pack in self._packs:
            if pack.at_us <= at_us:
                known = known or pack.epoch > begins
                continue
            for change in unpacked(pack.batch):
                if change.at_us > at_us:
                    return known, change.epoch
                known = known or change.epoch > begins
        for change in self._changes:
            if change.at_us > at_us:
                return known, change.epoch
            known = known or change.epoch > begins
        return known, None

    def _unpacked(self, epoch: int) -> Iterator[Change]:
        for pack in self._packs_after(epoch):
            yield from (change for change in unpacked(pack.batch) if change.epoch > epoch)

    def forget(self, consumed: int, now_us: int, *, retain: bool, packed_to: int = 0) -> None:
        """Drop what every follower has passed and retention does not hold; pack the rest of it.

        ``packed_to``: those who have not passed what comes before this want nothing but rows, and may get them packed.
        """
        if retain or packed_to > consumed:
            self._pack(bisect_right(self._epochs, max(consumed, packed_to)))
        while self._packs and self._packs[0].epoch <= consumed and not (retain and self._keeps(self._packs[0], now_us)):
            pack = self._packs.pop(0)
            self._drop(pack.epoch, pack.at_us, pack.size)
        gone = 0
        for change in self._changes[: bisect_right(self._epochs, consumed)]:
            if self._packs or (retain and self._keeps(change, now_us)):
                break
            gone += 1
            self._drop(change.epoch, change.at_us, _size(change))
        del self._changes[:gone], self._epochs[:gone]

    def in_memory_after(self, epoch: int) -> list[_Pack]:
        """The packs that could be moved to disk."""
        return [pack for pack in self._packs_after(epoch) if not pack.on_disk]

    def move_to_disk(self, pack: _Pack, batch: pa.RecordBatch) -> None:
        """``batch`` is the same, if the pack is still there."""
        self._packs = [replace(known, batch=batch, on_disk=True) if known is pack else known for known in self._packs]

    def undo(self, after: int, epoch: int, at_us: int) -> None:
        """Who looks back begins at ``epoch``. The changes up to ``after`` stay for a sink that lacks them."""
        self.undone = [gone for gone in self.undone if gone.epoch > self.forgotten and gone.after < after]
        self.undone.append(Undone(after, epoch, at_us))

    def _pack(self, count: int) -> None:
        """The first ``count`` changes as packs: runs of small ones together, a large one by itself."""
        run: list[Change] = []
        for change in self._changes[:count]:
            if change.delta is not None and change.delta.num_rows >= _SMALL_ROWS:
                self._close(run)
                self._close([change])
                run = []
            else:
                run.append(change)
        self._close(run)
        del self._changes[:count], self._epochs[:count]

    def _close(self, run: Sequence[Change]) -> None:
        """A watermark that moved alone is of no interest to who looks back."""
        self._bytes -= sum(map(_size, run))
        run = [change for change in run if change.delta is not None]
        batch = packed(run)
        if batch is not None:
            pack = _Pack(run[-1].epoch, run[-1].at_us, batch, batch.nbytes)
            self._packs.append(pack)
            self._bytes += pack.size

    def _drop(self, epoch: int, at_us: int, size: int) -> None:
        self._bytes -= size
        if epoch > self.forgotten:
            self.forgotten, self.forgotten_us = epoch, at_us

    def _keeps(self, one: Change | _Pack, now_us: int) -> bool:
        """Whether somebody may still ask for it: for the usual time if it is not too much, or for as long as asked."""
        age_us = now_us - one.at_us
        if any(keeper.keeps(one.epoch, one.at_us, now_us) for keeper in self.keepers):
            return True
        if self.retained_us is not None:
            return age_us <= self.retained_us
        return age_us <= RETAINED_US and self._bytes <= RETAINED_BYTES


def _size(change: Change) -> int:
    return 64 + (change.delta.nbytes if change.delta is not None else 0)


def packed(changes: Sequence[Change]) -> pa.RecordBatch | None:
    """Changes as one batch: rows, their weights, and the epoch and time of each; None when there are no rows."""
    parts = [
        zset.weighted(change.delta)
        .append_column(_EPOCH, _all(change.epoch, change.delta))
        .append_column(_AT, _all(change.at_us, change.delta))
        for change in changes
        if change.delta is not None
    ]
    return pa.concat_batches([zset.named_like(part, parts[0].schema) for part in parts]) if parts else None


_MARKS = pa.schema([(_EPOCH, pa.int64()), (_AT, pa.int64()), ("__watermark", pa.int64())])


def packed_marks(changes: Sequence[Change]) -> pa.RecordBatch:
    """What ``packed`` leaves out: when each of the changes was, with rows or without, and the watermark after it."""
    columns = [[c.epoch for c in changes], [c.at_us for c in changes], [c.watermark for c in changes]]
    return pa.RecordBatch.from_arrays([pa.array(column, pa.int64()) for column in columns], schema=_MARKS)


def marked(changes: Iterable[Change], marks: Sequence[pa.RecordBatch]) -> list[Change]:
    """The changes that ``packed`` took, with what ``packed_marks`` knows of them, and those that had no rows."""
    found = {change.epoch: change for change in changes}
    for batch in marks:
        for epoch, at_us, watermark in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            known = found.get(epoch)
            found[epoch] = Change(epoch, None if known is None else known.delta, watermark, at_us)
    return [found[epoch] for epoch in sorted(found)]


def _all(value: int, rows: pa.RecordBatch) -> pa.Array:
    return pa.array(np.full(rows.num_rows, value, np.int64))


def unpacked(batch: pa.RecordBatch) -> Iterator[Change]:
    """The changes that ``packed`` took, in the order of their epochs."""
    epochs = batch.column(_EPOCH).to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(epochs)) + 1).tolist(), len(epochs)]
    width = batch.num_columns - 2
    for start, end in pairwise(edges):
        rows = batch.slice(start, end - start)
        yield Change(int(epochs[start]), rows.select(range(width)), NO_WATERMARK, rows.column(_AT)[0].as_py())
