"""SnapshotChain: snapshots of one store in a directory, each a full part or what changed since the one before.

    00000000000000000040.full ◄── …41.delta ◄── …42.delta             restore(42) reads 40, 41, 42

How a snapshot is taken is the *strategy*; what it holds is not:

* ``full``         all items, copied while the store waits;
* ``versions``     all items, read later of the versions that the snapshot keeps, while the store goes on;
* ``incremental``  likewise, but only what changed since the last committed one; after ten deltas, and whenever the
                   store cannot tell, all items again.

``begin`` on the store's thread at a barrier, ``write`` on any, then on the store's ``commit``. Who drops what was begun
has aborted it: the next one holds its changes too. A chain that is broken is CorruptState, never less content.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import pyarrow as pa

from constellationdb.errors import CorruptState, InternalError, InvalidParameter, StorageFailure
from constellationdb.storage.disk import DISK, Disk
from constellationdb.storage.state.parts import Part, read_part, write_part
from constellationdb.storage.state.store import StateSnapshot, StateStore

Strategy = Literal["full", "versions", "incremental"]
MOST_DELTAS = 10


@dataclass
class Begun:
    """A snapshot on its way."""

    store: StateStore
    epoch: int
    snapshot: StateSnapshot
    base: Part | None
    batches: list[pa.RecordBatch] | Iterator[pa.RecordBatch]
    part: Part | None = field(default=None, init=False)


class SnapshotChain:
    """For one store at a time; whoever opens a chain again begins it with a full part."""

    def __init__(
        self, directory: str | os.PathLike[str], strategy: Strategy = "incremental",
        most_deltas: int = MOST_DELTAS, disk: Disk = DISK,
    ) -> None:  # fmt: skip
        if strategy not in get_args(Strategy):
            raise InvalidParameter(f'snapshot strategy "{strategy}" is not one of {", ".join(get_args(Strategy))}')
        self._directory, self._strategy, self._most_deltas, self._disk = Path(directory), strategy, most_deltas, disk
        self._last: Part | None = None
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageFailure(f'could not open snapshots in "{directory}": {error.strerror}') from error

    def begin(self, store: StateStore, epoch: int) -> Begun:
        """The store as it is now. The store may change at once afterwards."""
        if epoch <= (last := self._last.epoch if self._last else 0):
            raise InternalError(f"snapshot of epoch {epoch} begun after that of epoch {last}")
        snapshot = store.snapshot()
        if self._strategy == "full":
            return Begun(store, epoch, snapshot, None, list(snapshot.scan()))
        changes = snapshot.changes() if self._may_be_delta() else None
        base = None if changes is None else self._last
        return Begun(store, epoch, snapshot, base, snapshot.scan() if changes is None else changes)

    def _may_be_delta(self) -> bool:
        return self._strategy == "incremental" and self._last is not None and self._last.depth < self._most_deltas

    def write(self, begun: Begun) -> Part:
        """Writes what was begun; durable when it returns."""
        path = self._path(begun.epoch, full=begun.base is None)
        begun.part = write_part(path, begun.epoch, begun.base, begun.batches, self._disk)
        return begun.part

    def commit(self, begun: Begun) -> None:
        """What was written counts: the next delta begins from here."""
        if begun.part is None:
            raise InternalError(f"snapshot of epoch {begun.epoch} committed before it was written")
        if self._last is not None and begun.epoch <= self._last.epoch:
            raise InternalError(f"snapshot of epoch {begun.epoch} committed after that of epoch {self._last.epoch}")
        begun.store.committed(begun.snapshot)
        self._last = begun.part

    def save(self, store: StateStore, epoch: int) -> Part:
        """All three at once."""
        begun = self.begin(store, epoch)
        part = self.write(begun)
        self.commit(begun)
        return part

    def epochs(self) -> list[int]:
        """The epochs that have a part, in order."""
        return sorted(_epoch(path) for path in self._parts())

    def restore(self, store: StateStore, epoch: int | None = None) -> Part | None:
        """Puts the content of ``epoch``, by default the newest, into the store. None when there is no part at all."""
        if epoch is None and not (epochs := self.epochs()):
            return None
        links = self._links(epochs[-1] if epoch is None else epoch)
        store.restore(batch for _, batches in reversed(links) for batch in batches)
        return links[0][0]

    def _links(self, epoch: int) -> list[tuple[Part, Iterator[pa.RecordBatch]]]:
        """The part of ``epoch`` and those below it, down to a full one; all of them checked."""
        links = [self._read(epoch)]
        while (part := links[-1][0]).depth:
            below = self._read(part.base_epoch)
            if below[0].digest != part.base_digest or below[0].depth != part.depth - 1:
                raise CorruptState(
                    f'the snapshots in "{self._directory}" are no chain',
                    detail=f"the delta of epoch {part.epoch} does not belong to the part of epoch {part.base_epoch}",
                    hint="restore an older epoch",
                )
            links.append(below)
        return links

    def _read(self, epoch: int) -> tuple[Part, Iterator[pa.RecordBatch]]:
        full = self._path(epoch, full=True)
        path = full if full.exists() else self._path(epoch, full=False)
        part, batches = read_part(path)
        if part.epoch != epoch or (part.depth == 0) != (path == full):
            raise CorruptState(f'file "{path}" holds the snapshot part of epoch {part.epoch}')
        return part, batches

    def prune(self) -> None:
        """Removes the parts that the last committed one does not need."""
        if self._last is None:
            return
        needed = {part.epoch for part, _ in self._links(self._last.epoch)}
        try:
            for path in self._parts():
                if _epoch(path) not in needed and _epoch(path) < self._last.epoch:
                    self._disk.remove(path)
            self._disk.sync_directory(self._directory)
        except OSError as error:
            raise StorageFailure(f'could not remove snapshots in "{self._directory}": {error.strerror}') from error

    def _parts(self) -> list[Path]:
        return [path for path in self._directory.iterdir() if path.suffix in (".full", ".delta")]

    def _path(self, epoch: int, full: bool) -> Path:
        return self._directory / f"{epoch:020d}.{'full' if full else 'delta'}"


def _epoch(path: Path) -> int:
    return int(path.stem)
