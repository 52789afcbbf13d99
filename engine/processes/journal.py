"""What has to be done again when a graph is set up anew: the last state that was written of it, and what came since.

The state is kept in a file that has no name, so that it ends with the process. The commands since then are kept as they
are; their rows are for the most part those that the logs of relations hold, too.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from constellationdb.engine.graph import GraphChanges
from constellationdb.engine.processes.pool import Beside
from constellationdb.engine.processes.protocol import Command
from constellationdb.storage.arrow_blobs import from_ipc, ipc_buffer

_LONGEST_CHAIN = 10


@dataclass(frozen=True)
class Entry:
    command: Command
    batches: Beside

    @property
    def bytes(self) -> int:
        return sum(int(batch.nbytes) for own in self.batches or () for batch in own)


@dataclass(frozen=True)
class State:
    """What ``Graph.restore`` is given."""

    whole: Mapping[str, pa.RecordBatch]
    later: Sequence[Mapping[str, pa.RecordBatch]]
    watermarks: Mapping[str, int]
    epoch: int


class _Spool:
    """Named batches in a file, by where they are: (offset, length). It ends with this."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115
        weakref.finalize(self, self.file.close)

    def put(self, parts: Mapping[str, pa.RecordBatch]) -> dict[str, tuple[int, int]]:
        places = {}
        self.file.seek(0, 2)
        for name, batch in parts.items():
            content = ipc_buffer(batch)
            places[name] = (self.file.tell(), content.size)
            self.file.write(content)
        return places

    def get(self, places: Mapping[str, tuple[int, int]]) -> dict[str, pa.RecordBatch]:
        found = {}
        for name, (offset, length) in places.items():
            self.file.seek(offset)
            found[name] = from_ipc(pa.py_buffer(self.file.read(length)))
        return found


class Journal:
    def __init__(self) -> None:
        self._spool: _Spool | None = None
        self._whole: dict[str, tuple[int, int]] = {}
        self._later: list[dict[str, tuple[int, int]]] = []
        self._watermarks: Mapping[str, int] = {}
        self._epoch = 0
        self.since: list[Entry] = []
        self.bytes = 0  # of what came since

    @property
    def is_long(self) -> bool:
        """Whether the next state should be a whole one."""
        return self._spool is None or len(self._later) >= _LONGEST_CHAIN

    def add(self, command: Command, batches: Beside) -> None:
        entry = Entry(command, batches)
        self.since.append(entry)
        self.bytes += entry.bytes

    def whole(self, parts: Mapping[str, pa.RecordBatch], watermarks: Mapping[str, int], epoch: int) -> None:
        """From here on it begins with this state."""
        spool = _Spool()
        self._whole, self._later = spool.put(parts), []
        self._spool = spool
        self._begin(watermarks, epoch)

    def changed(self, changes: GraphChanges, watermarks: Mapping[str, int], epoch: int) -> None:
        """With the state before, changed so."""
        assert self._spool is not None
        again = tuple(changes.anew)
        for known in (self._whole, *self._later):
            for name in [name for name in known if name.startswith(again)]:
                del known[name]
        self._whole |= self._spool.put(changes.whole)
        self._later.append(self._spool.put(changes.changed))
        self._begin(watermarks, epoch)

    def _begin(self, watermarks: Mapping[str, int], epoch: int) -> None:
        self._watermarks, self._epoch = dict(watermarks), epoch
        self.since, self.bytes = [], 0

    def state(self) -> State | None:
        """The state that it begins with; None: that of a fresh graph."""
        if self._spool is None:
            return None
        later = [self._spool.get(places) for places in self._later]
        return State(self._spool.get(self._whole), later, self._watermarks, self._epoch)
