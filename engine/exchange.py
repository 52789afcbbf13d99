"""Exchange: rows to the worker that owns their key's vnode, epoch by epoch.

Each sender puts its rows for a receiver, then a marker that ends the epoch, into
the channel between them. A receiver takes input until it has the marker of every
sender (``Aligner``), so what it hands on is exactly one epoch, and the watermark
is the least that came with the markers. Rows of a later epoch wait.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, Protocol, TypeAlias, TypeVar

import numpy as np
import pyarrow as pa

from constellationdb.engine import batch as zset
from constellationdb.engine.barriers.aligner import BarrierAligner
from constellationdb.engine.barriers.barrier import Barrier
from constellationdb.engine.barriers.items import Aborted, Arrived, Ignored, Item, Pass, Snapshot, Watermark
from constellationdb.engine.barriers.limits import Limits
from constellationdb.engine.batch import Delta
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import VNODES, vnodes
from constellationdb.errors import InternalError

_FOR_EPOCHS = Limits(timeout_seconds=math.inf, unaligned_after=None)


@dataclass(frozen=True)
class Marker:
    """The end of an epoch on one channel; everything before it belongs to that epoch or an earlier one."""

    epoch: int
    watermark: int


Message: TypeAlias = "pa.RecordBatch | Marker"


Sent = TypeVar("Sent")


class InProcessChannel(Generic[Sent]):
    """A queue between operators of one process: one sender to one receiver, in order, nothing lost."""

    def __init__(self) -> None:
        self._queue: deque[Sent] = deque()

    def push(self, message: Sent) -> None:
        self._queue.append(message)

    def pull(self) -> Sent | None:
        """The next message, or None when there is none now."""
        return self._queue.popleft() if self._queue else None


class Aligner:
    """The epochs of one receiver, without I/O: ``step`` takes a message of one sender, ``ready`` tells of whole epochs.

    The end of every epoch is a barrier. A channel holds back what is past it (``wants``), and no epoch is given up.
    """

    def __init__(self, senders: int) -> None:
        self._aligner = BarrierAligner(senders, _FOR_EPOCHS)
        self._batches: list[list[pa.RecordBatch]] = [[] for _ in range(senders)]
        self._done: Marker | None = None
        self._cuts = 0  # a first answer brings many of the same epoch

    def wants(self, sender: int) -> bool:
        """Whether a message of this sender may come: not while its marker waits for the others."""
        return self._done is None and not self._aligner.is_blocked(sender)

    def step(self, sender: int, message: Message) -> None:
        if not self.wants(sender):
            raise InternalError(f"sender {sender} went on past the marker of an unfinished epoch")
        if isinstance(message, Marker):
            self._take(sender, Watermark(message.watermark))
            self._take(sender, Barrier(self._cuts, message.epoch))
        else:
            self._take(sender, message)

    def _take(self, sender: int, item: Item) -> None:
        for action in self._aligner.step(Arrived(sender, item), 0.0):
            match action:
                case Pass(item=pa.RecordBatch() as rows):
                    self._batches[sender].append(rows)
                case Snapshot(barrier, watermark):
                    self._done = Marker(barrier.epoch, watermark)
                    self._cuts += 1
                case Aborted(reason=reason) | Ignored(reason=reason):
                    raise InternalError(f"an epoch cannot be received as a whole: {reason}")

    def ready(self) -> tuple[Marker, list[pa.RecordBatch]] | None:
        """The epoch that every sender has ended, its rows in the order of senders; None while one is missing."""
        if self._done is None:
            return None
        done, self._done = self._done, None
        rows = [batch for batches in self._batches for batch in batches]
        self._batches = [[] for _ in self._batches]
        return done, rows


class Edge(Protocol):
    """Where rows change over to the workers of their keys."""

    def run(self, parts: Sequence[Delta], epoch: int, watermark: int) -> list[Delta]:
        """One epoch through the edge, from the workers that are here: what each of them receives."""


class Exchange:
    """All channels of one edge: n senders, n receivers, one thread."""

    def __init__(self, keys: tuple[int, ...], workers: int) -> None:
        self._keys = keys
        self._workers = workers
        self._channels = [[InProcessChannel[Message]() for _ in range(workers)] for _ in range(workers)]
        self._aligners = [Aligner(workers) for _ in range(workers)]

    def run(self, parts: Sequence[Delta], epoch: int, watermark: int) -> list[Delta]:
        """One epoch through the edge: what each receiver gets."""
        for sender, part in enumerate(parts):
            self._send(sender, part, Marker(epoch, watermark))
        return [self._receive(receiver) for receiver in range(self._workers)]

    def _send(self, sender: int, part: Delta, marker: Marker) -> None:
        channels = self._channels[sender]
        if part is not None and part.num_rows:
            owner = worker_of(part, self._keys, self._workers)
            for receiver, channel in enumerate(channels):
                mine = np.flatnonzero(owner == receiver)
                if len(mine):
                    channel.push(zset.take(part, mine))
        for channel in channels:
            channel.push(marker)

    def _receive(self, receiver: int) -> Delta:
        aligner = self._aligners[receiver]
        for sender in range(self._workers):
            channel = self._channels[sender][receiver]
            while aligner.wants(sender) and (message := channel.pull()) is not None:
                aligner.step(sender, message)
        done = aligner.ready()
        if done is None:
            raise InternalError("an epoch was received in part")
        return zset.concat(done[1])


def worker_of(batch: pa.RecordBatch, keys: tuple[int, ...], workers: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The owner of each row's key: vnodes are dealt to workers in equal ranges; without keys all is worker 0's."""
    if not keys:
        return np.zeros(batch.num_rows, np.int64)
    theirs = vnodes(encode_rows(zset.data(batch), keys).hashes).astype(np.int64)
    return theirs * workers // VNODES


def owned(worker: int, workers: int) -> tuple[int, int]:
    """The first and the last vnode that a worker is dealt."""
    first, behind = (-(-VNODES * number // workers) for number in (worker, worker + 1))
    return first, behind - 1


def spread(batch: pa.RecordBatch, workers: int) -> list[Delta]:
    """A relation's rows dealt to the workers in even slices: any split is right, keys are exchanged later."""
    return [batch] if workers == 1 else [part if part.num_rows else None for part in slices(batch, workers)]


def slices(batch: pa.RecordBatch, workers: int) -> list[pa.RecordBatch]:
    edges = [batch.num_rows * i // workers for i in range(workers + 1)]
    return [batch.slice(a, b - a) for a, b in pairwise(edges)]
