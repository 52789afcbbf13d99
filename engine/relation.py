"""Relations at run time: a log of epoch deltas with a frontier, and the contents for those that keep them.

A relation's *frontier* is the last epoch whose change it holds completely. Its
consumers (jobs, subscriptions) each remember how far they have read; what all
of them have passed, and retention no longer asks for, is forgotten.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from weakref import WeakValueDictionary

import pyarrow as pa

from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.batch import Delta
from constellationdb.engine.contents import Contents, Version
from constellationdb.engine.operators.base import NO_WATERMARK
from constellationdb.engine.point_index import PointIndex
from constellationdb.engine.shared_index import SharedIndex

RETAINED_BYTES = 64 << 20
RETAINED_US = 300 * 1_000_000


@dataclass(frozen=True)
class Change:
    """One epoch of one relation."""

    epoch: int
    delta: Delta
    watermark: int
    at_us: int  # wall time of the epoch, for retention


class RelationLog:
    """The changes of a relation in epoch order. One writer; readers hold the engine's lock."""

    def __init__(self) -> None:
        self._changes: deque[Change] = deque()
        self._bytes = 0
        self.forgotten = 0  # changes at or before this epoch are gone

    def append(self, change: Change) -> None:
        self._changes.append(change)
        self._bytes += _size(change)

    def after(self, epoch: int) -> Change | None:
        """The first change later than ``epoch``."""
        if not self._changes or self._changes[-1].epoch <= epoch:
            return None
        return next(c for c in self._changes if c.epoch > epoch)

    def all_after(self, epoch: int, limit: int) -> list[Change]:
        """The changes in ``(epoch, limit]``."""
        if not self._changes or self._changes[-1].epoch <= epoch:
            return []
        return [c for c in self._changes if epoch < c.epoch <= limit]

    def forget(self, consumed: int, now_us: int, *, retain: bool) -> None:
        """Drop what every consumer has passed and retention does not hold."""
        while self._changes and self._changes[0].epoch <= consumed:
            oldest = self._changes[0]
            young = now_us - oldest.at_us <= RETAINED_US and self._bytes <= RETAINED_BYTES
            if retain and young:
                return
            self._changes.popleft()
            self._bytes -= _size(oldest)
            self.forgotten = oldest.epoch


def _size(change: Change) -> int:
    return 64 + (change.delta.nbytes if change.delta is not None else 0)


class RelationState:
    """A relation that others read. ``contents`` is None for sources, which keep only their log."""

    def __init__(self, name: str, schema: pa.Schema, contents: Contents | None, epoch: int) -> None:
        self.name = name
        self.schema = schema
        self.contents = contents
        self.log = RelationLog()
        self.log.forgotten = epoch
        self.frontier = epoch
        self.watermark = NO_WATERMARK
        self.ready = True  # False while a view's first answer is being computed
        self._indexes: WeakValueDictionary[tuple[int, ...], SharedIndex] = WeakValueDictionary()
        self.consumers: dict[object, int] = {}  # who reads the log → the epoch they have passed
        self._point_indexes: dict[tuple[int, ...], PointIndex] = {}

    def publish(self, change: Change) -> None:
        """Make a change visible; its rows are already in ``contents``."""
        if change.delta is not None or change.watermark != self.watermark:
            self.log.append(change)
        self.watermark = max(self.watermark, change.watermark)
        self.frontier = change.epoch

    def version(self) -> Version:
        assert self.contents is not None
        return self.contents.version

    def point_index(self, columns: tuple[int, ...]) -> PointIndex | None:
        """The readers' index of these columns, made when it is first asked for; None where nothing is arranged."""
        if not isinstance(self.contents, Arrangement):
            return None
        found = self._point_indexes.get(columns)
        return found or self._point_indexes.setdefault(columns, PointIndex(columns, self.contents))

    def index(self, keys: tuple[int, ...]) -> SharedIndex | None:
        """The jobs' index of these columns, for as long as one of them lives; None where nothing is arranged."""
        if not isinstance(self.contents, Arrangement):
            return None
        found = self._indexes.get(keys)
        if found is None:
            found = self._indexes[keys] = SharedIndex(self.contents, keys)
        return found

    def tidy(self, now_us: int, floor: int) -> None:
        """Forget and compact what no reader needs; no snapshot reads below epoch ``floor``."""
        consumed = min([floor, self.frontier, *self.consumers.values()])
        self.log.forget(consumed, now_us, retain=self.contents is not None)
        if self.contents is not None:
            self.contents.compact(consumed)
