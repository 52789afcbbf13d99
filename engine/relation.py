"""Relations at run time: a log of epoch deltas with a frontier, and the contents for those that keep them.

A relation's *frontier* is the last epoch whose change it holds completely: that of
whoever writes it, the sequencer or a job. Its consumers (jobs) each say how far
they have read; what all of them have passed, and retention no longer asks for,
is forgotten.
"""

from __future__ import annotations

from typing import Protocol
from weakref import WeakSet, WeakValueDictionary

import pyarrow as pa

from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.bell import Bell
from constellationdb.engine.changelog import Change, RelationLog
from constellationdb.engine.contents import AppendedRows, Contents, Version, arranged, is_changeable
from constellationdb.engine.operators.base import NO_WATERMARK
from constellationdb.engine.point_index import PointIndex
from constellationdb.engine.shared_index import SharedIndex
from constellationdb.errors import ConstellationError


class Follower(Protocol):
    """Somebody who goes through the epochs: the sequencer, a job."""

    def reached(self) -> int:
        """The last epoch that it has done with."""
        ...


class Receiver(Follower, Protocol):
    """Somebody who is given the rows of epochs, and does not look at contents once he has the first."""

    @property
    def reads_contents(self) -> bool: ...


class Progress:
    """How far the sequencer has come. ``moves`` counts whatever may have changed a frontier since the start."""

    def __init__(self, epoch: int = 0) -> None:
        self.epoch = epoch
        self.moves = 0

    def reached(self) -> int:
        return self.epoch


class RelationState:
    """A relation that others read. ``contents`` is None for sources, which keep only their log.

    ``writer`` is who its changes come from; None: nobody who goes on, it stays at ``epoch``.
    ``since`` is the first epoch that it has an answer for.
    """

    def __init__(
        self,
        name: str,
        schema: pa.Schema,
        contents: Contents | None,
        epoch: int,
        writer: Follower | None = None,
        retained_us: int | None = None,
    ) -> None:
        self.name = name
        self.schema = schema
        self.contents = contents
        self.log = RelationLog(retained_us)
        self.log.forgotten = self.since = epoch
        self.born = 0  # a copy's: the epoch that brings its first rows, of which a view that comes with it begins
        self.writer = writer or Progress(epoch)
        self.watermark = NO_WATERMARK
        self.ready = True  # False while a view's first answer is being computed
        self._indexes: WeakValueDictionary[tuple[int, ...], SharedIndex] = WeakValueDictionary()
        self.written = -1  # the epoch of which the newest checkpoint has its contents
        self.dropped = False
        self.end_reason: ConstellationError | None = None  # the whole database went back; what its followers are told
        self.successor: RelationState | None = None  # it was dropped for one with other columns, of the same name
        self.consumers: set[Follower] = set()  # who reads the log
        self.receivers: set[Receiver] = set()  # who is given what the log says: sinks
        self.readers: set[Bell] = set()  # of those who wait for a change
        self.subscribers: WeakSet[object] = WeakSet()  # who want its changes kept, but not for as long as they like
        self._point_indexes: dict[tuple[int, ...], PointIndex] = {}

    @property
    def frontier(self) -> int:
        """The last epoch that is complete here. Under the engine's lock."""
        return self.writer.reached()

    def publish(self, change: Change) -> bool:
        """Make a change visible; its rows are already in ``contents``. Whether there is anything to read."""
        news = change.delta is not None or change.watermark > self.watermark
        if news:
            self.log.append(change)
            self.wake_readers()
        self.watermark = max(self.watermark, change.watermark)
        return news

    def give_way(self, successor: RelationState) -> None:
        """Under the engine's lock: it is no longer the relation of its name."""
        self.dropped, self.successor = True, successor
        self.wake_readers()

    def end(self, reason: ConstellationError) -> None:
        """Under the engine's lock: it is no part of the database any more."""
        self.dropped, self.end_reason = True, reason
        self.wake_readers()

    def wake_readers(self) -> None:
        for bell in self.readers:
            bell.ring()
        self.readers.clear()

    def version(self) -> Version:
        assert self.contents is not None
        return self.contents.version

    def arrange(self) -> None:
        """Under the engine's lock, while its writer rests: from now on rows can be looked up, and taken away."""
        if isinstance(self.contents, AppendedRows):
            self.since = max(self.since, self.contents.version.floor)
            self.contents = arranged(self.contents)

    def restore_stamped(self, entries: pa.RecordBatch, since: int) -> None:
        """Its contents as they were at any epoch from ``since`` on."""
        if is_changeable(entries):  # of another plan, whose place this one's has taken
            self.arrange()
        assert self.contents is not None
        self.contents.restore_stamped(entries, since)

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
        """On its writer's thread: forget and compact what no reader needs; none reads below epoch ``floor``."""
        consumed = self.forget(now_us, floor)
        if self.contents is not None:
            self.contents.compact(consumed, self.written)

    def forget(self, now_us: int, floor: int) -> int:
        """Under the engine's lock: the changes that nobody needs; up to which epoch its contents are read no more."""
        readers = [*self.consumers, *(receiver for receiver in self.receivers if receiver.reads_contents)]
        read = min([floor, self.frontier, *(reader.reached() for reader in readers)])
        consumed = min([read, *(receiver.reached() for receiver in self.receivers)])
        retain = self.contents is not None or bool(self.subscribers)
        self.log.forget(consumed, now_us, retain=retain, packed_to=read)
        return read
