"""Operators whose state is written as what changed in it, not as a whole each time.

    snapshot()    the whole state, and from then on it is noted what changes
    changes()     what has changed since the last snapshot or changes; None: only a snapshot will do
    restore(s)    the whole state, and then
    patch(c)      each of the changes that came after it, in their order

Who asks for changes has everything before them: if it lost some, it asks for a snapshot. Operators that are not
incremental are always written as a whole: their state is small, or short-lived.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import pyarrow as pa

from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.rows import I64

Changes: TypeAlias = Mapping[str, pa.RecordBatch]


@runtime_checkable
class Incremental(Protocol):
    def changes(self) -> Changes | None: ...

    def patch(self, changes: Changes, epoch: int) -> None: ...


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
