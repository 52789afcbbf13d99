"""Barriers through two stages of receivers: channels that are slow or fast, crashes, and what comes back after them.

    source ──▶ receiver ──▶ last     every source to every receiver by the key of a row, every receiver to the last
    source ──▶ receiver ──┘          barriers from the sources; each receiver's state is the rows that it was handed

What holds of every checkpoint that all have completed: the rows before its barriers are in the last one's state or in
flight to it, each once, and no other. After a crash all goes on from the newest; at the end each row was there once.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

import pyarrow as pa

from constellationdb.engine.barriers.aligner import BarrierAligner
from constellationdb.engine.barriers.barrier import UNALIGNED, Barrier
from constellationdb.engine.barriers.items import (
    Abort,
    Aborted,
    Action,
    Arrived,
    Completed,
    End,
    Item,
    Pass,
    Snapshot,
    Tick,
    Watermark,
)
from constellationdb.engine.barriers.limits import Limits
from constellationdb.engine.exchange import InProcessChannel

_STRIDE = 1000  # a row is its source times this, and its number there


@dataclass
class Taken:
    """A receiver's part of a checkpoint."""

    rows: list[int]
    in_flight: list[tuple[int, Item]] = field(default_factory=list)
    whole: bool = False


@dataclass
class Checkpoint:
    id: int
    flags: int
    offsets: dict[int, int] = field(default_factory=dict)  # by source: how many rows are before its barrier
    taken: dict[int, Taken] = field(default_factory=dict)  # by receiver


class Receiver:
    def __init__(self, number: int, inputs: list[InProcessChannel[Item]], limits: Limits) -> None:
        self.number = number
        self.inputs = inputs
        self.aligner = BarrierAligner(len(inputs), limits)
        self.rows: list[int] = []
        self.ended = [False] * len(inputs)


class Alignment:
    """``run`` one seed; AssertionError when a row is lost, comes twice, or is in a checkpoint of before it."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(f"alignment {seed}")
        self.sources = self.draw.randint(1, 3)
        self.receivers = self.draw.randint(1, 3)
        self.limits = Limits(
            buffered_per_input=self.draw.choice([4, 100_000]),
            timeout_seconds=40.0,
            unaligned_after=self.draw.choice([None, 0.0, 15.0]),
            in_flight_bytes=self.draw.choice([64, 1 << 20]),
        )
        self.counts: Counter[str] = Counter()
        self.now = 0.0
        self.whole: Checkpoint | None = None  # the newest that is complete
        self.under_way: Checkpoint | None = None
        self.next_id = 1
        self.sent = dict.fromkeys(range(self.sources), 0)
        self.last_rows = self.draw.randint(5, 25)  # of every source
        self._begin()

    def run(self) -> None:
        for _ in range(self.draw.randint(0, 3)):
            for _ in range(self.draw.randint(10, 150)):
                self._happen()
            self._crash()
        while not all(all(receiver.ended) for receiver in self.nodes):
            self._happen()
        wanted = [source * _STRIDE + n for source in self.sent for n in range(self.last_rows)]
        assert sorted(self.nodes[-1].rows) == wanted, "rows were lost, or came twice"

    # -- what happens ------------------------------------------------------------------------------

    def _happen(self) -> None:
        self.now += self.draw.choice([0.0, 0.1, 1.0])
        what = self.draw.random()
        if what < 0.3:
            self._send(self.draw.randrange(self.sources))
        elif what < 0.9:
            self._receive(self.draw.choice(self.nodes))
        elif what < 0.94:
            self._order_checkpoint()
        elif what < 0.99:
            receiver = self.draw.choice(self.nodes)
            self._do(receiver, receiver.aligner.step(Tick(), self.now))
        elif self.under_way is not None and self.draw.random() < 0.2:
            self._give_up()

    def _order_checkpoint(self) -> None:
        if self.under_way is None:
            ended = {source: self.last_rows for source, closed in self.closed.items() if closed}
            self.under_way = Checkpoint(self.next_id, self.draw.choice([0, 0, UNALIGNED]), ended)
            self.next_id += 1

    def _send(self, source: int) -> None:
        """The barrier that is due, perhaps after a while; or the next row, and then the end."""
        if self.closed[source]:
            return
        checkpoint, offset = self.under_way, self.sent[source]
        if checkpoint is not None and source not in checkpoint.offsets and self.draw.random() < 0.5:
            checkpoint.offsets[source] = offset
            self._to_all(source, Barrier(checkpoint.id, checkpoint.id * 10, checkpoint.flags))
        elif offset == self.last_rows:
            self.closed[source] = True
            if checkpoint is not None:
                checkpoint.offsets.setdefault(source, offset)
            self._to_all(source, End())
        elif self.draw.random() < 0.2:
            self._to_all(source, Watermark(offset))
        else:
            self.sent[source] = offset + 1
            self.channels[source][offset % self.receivers].push(_row(source * _STRIDE + offset))

    def _to_all(self, source: int, item: Item) -> None:
        for channel in self.channels[source]:
            channel.push(item)

    def _receive(self, receiver: Receiver) -> None:
        number = self.draw.randrange(len(receiver.inputs))
        if receiver.aligner.is_blocked(number) and self.draw.random() < 0.5:
            return
        if (item := receiver.inputs[number].pull()) is not None:
            self._do(receiver, receiver.aligner.step(Arrived(number, item), self.now))

    def _do(self, receiver: Receiver, actions: list[Action]) -> None:
        for action in actions:
            self.counts[type(action).__name__] += 1
            match action:
                case Pass(number, item, in_flight):
                    if in_flight and (known := self._taken(receiver)) is not None:
                        known.in_flight.append((number, item))
                    self._process(receiver, number, item)
                case Snapshot(barrier):
                    self._snapshot(receiver, barrier)
                case Completed(id=done) if self.under_way is not None and self.under_way.id == done:
                    self.under_way.taken[receiver.number].whole = True
                    self._commit_if_whole()
                case Aborted(id=gone) if self.under_way is not None and self.under_way.id == gone:
                    self._give_up()

    def _process(self, receiver: Receiver, number: int, item: Item) -> None:
        is_last = receiver is self.nodes[-1]
        if isinstance(item, pa.RecordBatch):
            receiver.rows += item.column(0).to_pylist()
            if not is_last:
                self.outputs[receiver.number].push(item)
        elif isinstance(item, End):
            receiver.ended[number] = True
            if not is_last and all(receiver.ended):
                self.outputs[receiver.number].push(item)

    # -- checkpoints -------------------------------------------------------------------------------

    def _taken(self, receiver: Receiver) -> Taken | None:
        return None if self.under_way is None else self.under_way.taken.get(receiver.number)

    def _snapshot(self, receiver: Receiver, barrier: Barrier) -> None:
        if receiver is not self.nodes[-1]:
            self.outputs[receiver.number].push(barrier)
        if self.under_way is not None and self.under_way.id == barrier.id:
            self.under_way.taken[receiver.number] = Taken(list(receiver.rows), whole=not barrier.is_unaligned)
            self._commit_if_whole()

    def _commit_if_whole(self) -> None:
        done = self.under_way
        assert done is not None
        if len(done.taken) < len(self.nodes) or not all(taken.whole for taken in done.taken.values()):
            return
        held = list(done.taken[self.receivers].rows)
        for taken in done.taken.values():
            for _, item in taken.in_flight:
                held += item.column(0).to_pylist() if isinstance(item, pa.RecordBatch) else []
        wanted = [source * _STRIDE + n for source, count in sorted(done.offsets.items()) for n in range(count)]
        assert sorted(held) == wanted, f"checkpoint {done.id} is of other rows than those before its barriers"
        self.whole, self.under_way = done, None
        self.counts["committed"] += 1

    def _give_up(self) -> None:
        assert self.under_way is not None
        gone, self.under_way = self.under_way, None
        for receiver in self.nodes:
            self._do(receiver, receiver.aligner.step(Abort(gone.id, "given up"), self.now))

    # -- lives -------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Everything new and empty."""
        self.closed = dict.fromkeys(range(self.sources), False)
        self.channels = [[InProcessChannel[Item]() for _ in range(self.receivers)] for _ in range(self.sources)]
        self.outputs = [InProcessChannel[Item]() for _ in range(self.receivers)]
        self.nodes = [
            Receiver(number, [channels[number] for channels in self.channels], self.limits)
            for number in range(self.receivers)
        ]
        self.nodes.append(Receiver(self.receivers, self.outputs, self.limits))

    def _crash(self) -> None:
        """What was in flight is processed first, then what the sources send again."""
        self.under_way = None
        self._begin()
        self.counts["crashes"] += 1
        self.sent = dict.fromkeys(range(self.sources), 0)
        if self.whole is None:
            return
        self.sent.update(self.whole.offsets)
        for receiver in reversed(self.nodes):
            taken = self.whole.taken[receiver.number]
            receiver.rows = list(taken.rows)
            for number, item in taken.in_flight:
                if not isinstance(item, End):  # its source ends once more
                    self._process(receiver, number, item)


def _row(value: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"row": [value]})
