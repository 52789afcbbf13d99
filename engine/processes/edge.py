"""Exchange between worker processes: rows by the vnode of their key, one message to every other worker an epoch.

The message holds all rows of the epoch for that worker and ends it: it is the barrier, and cannot overtake rows. All
workers do the same commands, and go through the same edges, in the same order, so the next message of a peer is the one
that is waited for. Who waits for others, or for room, takes in what comes meanwhile: nobody waits in a circle.

A worker that fails in the middle of a command says so to the others, who would wait for it, and they fail with it;
what they had sent it is passed over later, for it is of a command that is past.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.batch import Delta
from constellationdb.engine.channels.messages import Message
from constellationdb.engine.channels.receiver import Receiver
from constellationdb.engine.channels.sender import Sender
from constellationdb.engine.exchange import Aligner, Marker, worker_of
from constellationdb.errors import InternalError

_HEAD = struct.Struct("<QIqq")  # command, edge (0: it has failed), epoch, watermark


class PeerFailed(Exception):
    """Another worker could not do its share of the command."""


@dataclass(frozen=True)
class Peer:
    """Another worker, seen from here."""

    worker: int
    sender: Sender
    receiver: Receiver


@dataclass
class Ways:
    """From one worker to the others. ``wait``: until one of these senders has room, or receivers a message.

    ``command``: the number of the one that is being done.
    """

    worker: int
    workers: int
    peers: Sequence[Peer]
    wait: Callable[[Sequence[Sender | Receiver]], None]
    command: int = 0

    def fail(self) -> None:
        """Let the others not wait for this one."""
        unsent = {p.worker: (p, Message(_HEAD.pack(self.command, 0, 0, 0))) for p in self.peers}
        while unsent:
            if not self.send(unsent):
                self.wait([p.sender for p, _ in unsent.values()])

    def send(self, unsent: dict[int, tuple[Peer, Message]]) -> bool:
        """What there is room for; whether that was anything."""
        sent = [worker for worker, (peer, message) in unsent.items() if peer.sender.offer(message)]
        for worker in sent:
            del unsent[worker]
        return bool(sent)


class Mesh:
    """The edges of one graph, as one worker sees them: see ``graph.Share``."""

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._edges = 0

    @property
    def worker(self) -> int:
        return self._ways.worker

    @property
    def workers(self) -> int:
        return self._ways.workers

    def edge(self, keys: tuple[int, ...]) -> RingEdge:
        self._edges += 1
        return RingEdge(self._ways, self._edges, keys)


class RingEdge:
    """See ``exchange.Edge``; one part goes in and one comes out, those of this worker."""

    def __init__(self, ways: Ways, number: int, keys: tuple[int, ...]) -> None:
        self._ways = ways
        self._number = number
        self._keys = keys
        self._aligner = Aligner(ways.workers)

    def run(self, parts: Sequence[Delta], epoch: int, watermark: int) -> list[Delta]:
        ways, aligner = self._ways, self._aligner
        (part,) = parts
        by_worker = self._split(part)
        head = _HEAD.pack(ways.command, self._number, epoch, watermark)
        unsent = {p.worker: (p, Message(head, _rows(by_worker[p.worker]))) for p in ways.peers}
        self._take(ways.worker, _rows(by_worker[ways.worker]), Marker(epoch, watermark))
        while (done := aligner.ready()) is None:
            moved = ways.send(unsent)
            for peer in ways.peers:
                if aligner.wants(peer.worker) and (message := peer.receiver.pull()) is not None:
                    if (marker := self._marker(message, epoch)) is not None:
                        self._take(peer.worker, message.batches, marker)
                    moved = True
            if not moved:
                waiting: list[Sender | Receiver] = [p.sender for p, _ in unsent.values()]
                ways.wait(waiting + [p.receiver for p in ways.peers if aligner.wants(p.worker)])
        while unsent:  # all has come, but others still have to take what is for them
            if not ways.send(unsent):
                ways.wait([p.sender for p, _ in unsent.values()])
        return [zset.concat(done[1])]

    def _split(self, part: Delta) -> list[Delta]:
        workers = self._ways.workers
        if part is None or part.num_rows == 0:
            return [None] * workers
        owner = worker_of(part, self._keys, workers)
        found: list[Delta] = []
        for worker in range(workers):
            mine = np.flatnonzero(owner == worker)
            found.append(part if len(mine) == part.num_rows else zset.take(part, mine) if len(mine) else None)
        return found

    def _take(self, worker: int, rows: Sequence[pa.RecordBatch], marker: Marker) -> None:
        for batch in rows:
            self._aligner.step(worker, batch)
        self._aligner.step(worker, marker)

    def _marker(self, message: Message, epoch: int) -> Marker | None:
        """What a message ends; None: it is of a command that failed."""
        command, edge, of, watermark = _HEAD.unpack(message.head)
        if command < self._ways.command:
            return None
        if command == self._ways.command and edge == 0:
            raise PeerFailed
        if (command, edge, of) != (self._ways.command, self._number, epoch):
            raise InternalError(f"edge {self._number} of epoch {epoch} got what is of edge {edge}, epoch {of}")
        return Marker(of, watermark)


def _rows(delta: Delta) -> tuple[pa.RecordBatch, ...]:
    return () if delta is None else (delta,)
