"""Where in an arrangement the rows are that workers know by slots of their own (``engine/processes/placing.py``)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from constellationdb.engine.kernels.accumulate import grow
from constellationdb.engine.kernels.rows import I64

_NOWHERE = -1


@dataclass(frozen=True)
class Placed:
    """A netted change of rows with a unique key, by one of several workers, which knows each row by a slot.

    Those that go first, ``gone`` of them, then those that come. ``renumbered``: before it, the slots got new numbers:
    slot ``i`` is what was slot ``renumbered[i]``. ``generation``: slots of another one mean nothing.
    """

    worker: int
    generation: int
    delta: pa.RecordBatch
    gone: int
    slots: I64
    renumbered: I64 | None


class Places:
    """By worker: slot → entry; -1 where the arrangement has to find the row by its key.

    ``generation``: of the workers; what others before them called slots means nothing to these.
    """

    def __init__(self, generation: int = -1) -> None:
        self.generation = generation
        self._entries: dict[int, I64] = {}

    def __bool__(self) -> bool:
        """Whether any entry is known by slot."""
        return any(bool((known != _NOWHERE).any()) for known in self._entries.values())

    def at(self, worker: int, slots: I64) -> I64:
        known = self._room(worker, slots)
        return known[slots]

    def put(self, worker: int, slots: I64, entries: I64 | int) -> None:
        self._room(worker, slots)[slots] = entries

    def renumber(self, worker: int, old: I64) -> None:
        """What was slot ``old[i]`` is slot ``i``."""
        self._entries[worker] = self._room(worker, old)[old]

    def moved(self, entries: I64) -> Places:
        """After the arrangement has put entry ``i`` where ``entries[i]`` says."""
        fresh = Places(self.generation)
        for worker, known in self._entries.items():
            fresh._entries[worker] = np.where(known == _NOWHERE, _NOWHERE, entries[np.maximum(known, 0)])
        return fresh

    def entries(self) -> I64:
        """All that are known by slot."""
        parts = [known[known != _NOWHERE] for known in self._entries.values()]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def _room(self, worker: int, slots: I64) -> I64:
        known = self._entries.get(worker)
        if known is None:
            known = np.full(16, _NOWHERE, np.int64)
        if len(slots) and (most := int(slots.max())) >= len(known):
            known = grow(known, most + 1, _NOWHERE)
        self._entries[worker] = known
        return known
