"""The sequencer: cuts all input into epochs, one after the other, on one thread.

    wait ─▶ take requests and poll sources ─▶ evaluate ─▶ log and sync ─▶ publish ─▶ answer the requests

A request is DML, DDL, a push of rows or a lookup answer. It is evaluated here
against the tables as the previous one left them, so there is one writer. What
it changes is durable before anybody sees it or is told of it. Complete rows for
one relation that were asked for one after the other go into it together.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from constellationdb.catalog.model import Command
from constellationdb.clock import Clock
from constellationdb.engine import batch as zset
from constellationdb.engine.bell import Bell
from constellationdb.engine.record import Answer, EpochRecord, encode_record
from constellationdb.engine.relation import RelationState
from constellationdb.engine.reply import Reply
from constellationdb.engine.turn import Turn
from constellationdb.errors import ConstellationError, InternalError, ShuttingDown
from constellationdb.storage.epochlog import EpochLog

EPOCH_ROWS = 262_144
POLL_SECONDS = 0.005
# So long may a request wait for others while the views are busy with the last epoch: more rows an epoch, fewer epochs.
LINGER_SECONDS = 0.002
LONGEST_WAIT_SECONDS = 3600.0  # a row may expire in a thousand years, and no lock waits for that long


class Work(Protocol):
    """One request: called on the sequencer's thread with the epoch under construction."""

    def __call__(self, epoch: Epoch) -> Any: ...


@dataclass
class Epoch:
    """The epoch under construction: what its record will hold, and what to do when it is published."""

    number: int
    at_us: int
    record: EpochRecord
    changes: dict[str, list[pa.RecordBatch]] = field(default_factory=dict)
    rows: int = 0

    def change(self, relation: str, delta: pa.RecordBatch) -> None:
        """Note a change; it is already in the relation's contents."""
        self.changes.setdefault(relation, []).append(delta)
        self.rows += delta.num_rows

    def stand(self) -> None:
        """Be an epoch, also if nothing happens in it."""
        self.changes.setdefault("", [])

    def command(self, command: Command) -> None:
        self.record.commands.append(command)

    def answer(self, answer: Answer) -> None:
        self.record.answers.append(answer)


class Receiver(Protocol):
    """Who is told the epoch that rows went into, or why they did not: a ``Reply``, or whoever else wants to know."""

    def set_result(self, value: int, /) -> None: ...

    def set_exception(self, error: BaseException, /) -> None: ...


class Request(NamedTuple):
    work: Work
    future: Reply[Any]
    first: bool


class Rows(NamedTuple):
    """The request for nothing but complete rows: the epoch they are in is the answer."""

    state: RelationState
    rows: pa.RecordBatch
    future: Receiver


class Target(Protocol):
    """What the sequencer drives: the engine."""

    turn: Turn

    def insert_parts(
        self, epoch: Epoch, state: RelationState, parts: Sequence[pa.RecordBatch]
    ) -> list[ConstellationError | None]:
        """Put rows into a relation, part after part; what is wrong with each, in which case it is left out."""
        ...

    def poll_sources(self, epoch: Epoch) -> float | None:
        """Take what sources bring; in how many seconds to ask again, None when no source is being read."""
        ...

    def busy(self) -> bool:
        """Whether views have not done yet what was published."""
        ...

    def due_us(self) -> int | None:
        """When a timer wants an epoch, without any input."""
        ...

    def clock_is_due(self, now_us: int) -> bool:
        """Whether the clock alone changes what a view holds."""
        ...

    def freeze_watermarks(self, epoch: Epoch) -> None: ...

    def publish(self, epoch: Epoch, deltas: dict[str, pa.RecordBatch]) -> None: ...

    def failed(self, error: BaseException) -> None: ...


class Sequencer:
    """The thread, its queue, and the log."""

    def __init__(self, target: Target, log: EpochLog, clock: Clock, last_epoch: int) -> None:
        self._target = target
        self._log = log
        self._clock = clock
        self.epoch = last_epoch
        self._queue: deque[Request | Rows] = deque()
        self._guard = threading.Lock()  # of the queue, and of whether one may still queue
        self._wake = Bell()
        self._stopping = False
        self.lingering = False  # wants a nudge when the views are done
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, work: Work, *, first: bool = False) -> Reply[Any]:
        """Queue a request; its result is what ``work`` returned, once its epoch is published.

        ``first``: it defines relations, and a record's definitions come before its rows.
        """
        future: Reply[Any] = Reply()
        self._enqueue(Request(work, future, first))
        return future

    def insert(self, state: RelationState, rows: pa.RecordBatch) -> Reply[int]:
        """Queue complete rows: the result is the epoch they are in, once it is published."""
        future: Reply[int] = Reply()
        self._enqueue(Rows(state, rows, future))
        return future

    def insert_all(self, state: RelationState, parts: Sequence[tuple[pa.RecordBatch, Receiver]]) -> None:
        """Queue complete rows part by part, each as if it had been asked for alone."""
        self._enqueue(*[Rows(state, rows, receiver) for rows, receiver in parts])

    def _enqueue(self, *requests: Request | Rows) -> None:
        with self._guard:
            if self._failure is not None:
                raise _stopped(self._failure)
            if self._stopping:
                raise ShuttingDown("the engine is shutting down")
            self._queue.extend(requests)
        self._wake.ring()

    def nudge(self) -> None:
        """Something outside the queue changed (a source got a reader, a view caught up): look again."""
        self._wake.ring()

    def stop(self) -> None:
        with self._guard:
            self._stopping = True
        self._wake.ring()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        pause: float | None = POLL_SECONDS
        try:
            while True:
                self._wait(pause)
                if self._stopping and not self._queue:
                    return
                pause = self._cut()
        except BaseException as error:
            self._fail(error)

    def _wait(self, seconds: float | None) -> None:
        due = self._target.due_us()
        if due is not None:
            left = min(max((due - self._clock.now_us()) / 1e6, 0.0), LONGEST_WAIT_SECONDS)
            seconds = left if seconds is None else min(seconds, left)
        if not self._queue:  # what did not fit into the last epoch is still there
            self._wake.wait(seconds)
        self._linger()

    def _linger(self) -> None:
        """Until the views have done the last epoch, but not for long: they may have more to do than this one."""
        until = self._clock.monotonic() + LINGER_SECONDS
        self.lingering = True
        while self._target.busy() and not self._stopping and (left := until - self._clock.monotonic()) > 0:
            self._wake.wait(left)
        self.lingering = False

    def _take(self) -> deque[Request | Rows]:
        with self._guard:
            taken, self._queue = self._queue, deque()
        return taken

    def _cut(self) -> float | None:
        """One epoch, if there is anything to put into it; when to look for the next without being woken."""
        number, now = self.epoch + 1, self._clock.now_us()
        epoch = Epoch(number, now, EpochRecord(number, now, timer=self._target.clock_is_due(now)))
        answered = self._evaluate(self._take(), epoch)
        try:
            pause = self._target.poll_sources(epoch)
            deltas = self._finish(epoch)
        except BaseException as error:
            for future, _ in answered:
                future.set_exception(_stopped(error))
            raise
        for future, result in answered:
            future.set_result(result)
        return POLL_SECONDS if pause is None and deltas else pause

    def _evaluate(self, requests: deque[Request | Rows], epoch: Epoch) -> list[tuple[Receiver | Reply[Any], Any]]:
        answered: list[tuple[Receiver | Reply[Any], Any]] = []
        while requests and not _must_wait(requests[0], epoch):
            if isinstance(requests[0], Rows):
                answered += self._insert(_together(requests), epoch)
                continue
            request = requests.popleft()
            assert isinstance(request, Request)
            try:
                answered.append((request.future, request.work(epoch)))
            except Exception as error:
                request.future.set_exception(error)
        with self._guard:
            self._queue.extendleft(reversed(requests))
        return answered

    def _insert(self, parts: Sequence[Rows], epoch: Epoch) -> Iterator[tuple[Receiver, Any]]:
        with self._target.turn.of(sum(part.rows.num_rows for part in parts)):
            wrong = self._target.insert_parts(epoch, parts[0].state, [part.rows for part in parts])
        for part, error in zip(parts, wrong, strict=True):
            if error is not None:
                part.future.set_exception(error)
            else:
                yield part.future, epoch.number

    def _finish(self, epoch: Epoch) -> dict[str, pa.RecordBatch]:
        with self._target.turn.of(epoch.rows):
            deltas = self._gather(epoch)
            # Changes that undo one another still are an epoch: those who made them wait for it.
            if epoch.record.is_empty() and not epoch.changes:
                return {}
            encoded = encode_record(epoch.record) if self._log.keeps else b""
        self._log.append(epoch.number, encoded)
        self._log.sync()
        self.epoch = epoch.number
        self._target.publish(epoch, deltas)
        return deltas

    def _gather(self, epoch: Epoch) -> dict[str, pa.RecordBatch]:
        """What the epoch changed, relation by relation, in its record too."""
        deltas: dict[str, pa.RecordBatch] = {}
        for name, parts in epoch.changes.items():
            whole = zset.concat(parts)
            if whole is not None and zset.is_weighted(whole) and len(parts) > 1:
                whole = zset.netted(whole)
            if whole is not None:
                deltas[name] = whole
                if not any(r.source == name for r in epoch.record.ranges):
                    epoch.record.deltas.append((name, whole))
        self._target.freeze_watermarks(epoch)
        return deltas

    def _fail(self, error: BaseException) -> None:
        """The log or a table is broken: nothing after this may be acknowledged."""
        with self._guard:
            self._failure = error
            waiting = list(self._queue)
            self._queue.clear()
        for request in waiting:
            request.future.set_exception(_stopped(error))
        self._target.failed(error)


def _stopped(error: BaseException) -> InternalError:
    return InternalError("the engine has stopped", detail=str(error))


def _must_wait(request: Request | Rows, epoch: Epoch) -> bool:
    """Whether it is for a later epoch: this one is full, or has rows that a definition would come behind."""
    return epoch.rows >= EPOCH_ROWS or (isinstance(request, Request) and request.first and bool(epoch.changes))


def _together(requests: deque[Request | Rows]) -> list[Rows]:
    """Take the rows for one relation that stand first in the queue, as many as go into an epoch."""
    taken: list[Rows] = []
    count = 0
    while requests and isinstance(first := requests[0], Rows) and count < EPOCH_ROWS:
        if taken and first.state is not taken[0].state:
            break
        requests.popleft()
        taken.append(first)
        count += first.rows.num_rows
    return taken
