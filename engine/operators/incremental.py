"""Operators whose state is written as what changed in it, not as a whole each time.

    snapshot()               the whole state, and from then on it is noted what changes
    changes()                what has changed since the last snapshot or changes; None: only a snapshot will do
    restore_chain(s, cs)     the whole state, and all the changes that came after it, in their order

Who asks for changes has everything before them: if it lost some, it asks for a snapshot. Changes are of one of two
kinds. ``Patched``: each says what some keys or rows are now. ``Summed``: the parts of the state are Z-sets, and a
change is a Z-set to be added to the part of its name, so a state whose order matters is put together only once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.rows import I64

Changes: TypeAlias = Mapping[str, pa.RecordBatch]


@runtime_checkable
class Incremental(Protocol):
    def changes(self) -> Changes | None: ...

    def restore_chain(self, state: Changes, later: Sequence[Changes], epoch: int) -> None:
        """Into a fresh operator."""
        ...


class Patched(Protocol):
    """``patch``: each of the changes after ``restore``, in their order."""

    def restore(self, state: Changes, epoch: int) -> None: ...

    def patch(self, changes: Changes, epoch: int) -> None: ...

    def restore_chain(self, state: Changes, later: Sequence[Changes], epoch: int) -> None:
        self.restore(state, epoch)
        for changes in later:
            self.patch(changes, epoch)


class Summed(Protocol):
    """``restore`` takes weighted rows, too."""

    def restore(self, state: Changes, epoch: int) -> None: ...

    def restore_chain(self, state: Changes, later: Sequence[Changes], epoch: int) -> None:
        self.restore(summed(state, later), epoch)


def summed(state: Changes, later: Sequence[Changes]) -> Changes:
    """Part by part, the rows that the state and the changes to it come to."""
    found = dict(state)
    for name in {name for changes in later for name in changes}:
        parts = [zset.weighted(part[name]) for part in (state, *later) if name in part]
        whole = pa.concat_batches([zset.named_like(part, parts[0].schema) for part in parts])
        rows = zset.netted(whole) if whole.num_rows else None
        found[name] = whole.slice(0, 0) if rows is None else rows
    return found


class ChangedSlots:
    """Which slots have changed since it was last asked; nobody asks before the first snapshot, and that is free."""

    def __init__(self) -> None:
        self._marks: np.ndarray[tuple[int], np.dtype[np.bool_]] | None = None

    def begin(self) -> None:
        """Everything is written as it is now."""
        self._marks = np.zeros(64, np.bool_)

    def mark(self, slots: I64, count: int) -> None:
        """``count``: how many slots there are."""
        if self._marks is not None:
            self._marks = grow(self._marks, count, False)
            self._marks[slots] = True

    def take(self, count: int) -> I64 | None:
        """The slots marked since the last time, None where that is not known; and begin anew."""
        if self._marks is None:
            return None
        found = np.flatnonzero(self._marks[:count])
        self.begin()
        return found
