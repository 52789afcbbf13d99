"""The sequencer: cuts all input into epochs, one after the other, on one thread.

    wait ─▶ take requests and poll sources ─▶ evaluate ─▶ log and sync ─▶ publish ─▶ answer the requests

A request is DML, DDL, a push of rows or a lookup answer. It is evaluated here
against the tables as the previous one left them, so there is one writer. What
it changes is durable before anybody sees it or is told of it.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from constellationdb.catalog.model import Command
from constellationdb.clock import Clock
from constellationdb.engine import batch as zset
from constellationdb.engine.record import Answer, EpochRecord, encode_record
from constellationdb.errors import InternalError, ShuttingDown
from constellationdb.storage.epochlog import EpochLog

EPOCH_ROWS = 262_144
POLL_SECONDS = 0.005


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

    def command(self, command: Command) -> None:
        self.record.commands.append(command)

    def answer(self, answer: Answer) -> None:
        self.record.answers.append(answer)


class Request(NamedTuple):
    work: Work
    future: Future[Any]
    first: bool


class Target(Protocol):
    """What the sequencer drives: the engine."""

    def poll_sources(self, epoch: Epoch) -> float | None:
        """Take what sources bring; in how many seconds to ask again, None when no source is being read."""
        ...

    def due_us(self) -> int | None:
        """When a timer wants an epoch, without any input."""
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
        self._queue: deque[Request] = deque()
        self._wake = threading.Condition()
        self._nudged = False
        self._stopping = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, work: Work, *, first: bool = False) -> Future[Any]:
        """Queue a request; its result is what ``work`` returned, once its epoch is published.

        ``first``: it defines relations, and a record's definitions come before its rows.
        """
        future: Future[Any] = Future()
        with self._wake:
            if self._failure is not None:
                raise InternalError("the engine has stopped", detail=str(self._failure))
            if self._stopping:
                raise ShuttingDown("the engine is shutting down")
            self._queue.append(Request(work, future, first))
            self._wake.notify()
        return future

    def nudge(self) -> None:
        """Something outside the queue changed (a source got a reader, a view caught up): look again."""
        with self._wake:
            self._nudged = True
            self._wake.notify()

    def stop(self) -> None:
        with self._wake:
            self._stopping = True
            self._wake.notify()
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
        with self._wake:
            due = self._target.due_us()
            if due is not None:
                left = max((due - self._clock.now_us()) / 1e6, 0.0)
                seconds = left if seconds is None else min(seconds, left)
            if not self._queue and not self._stopping and not self._nudged:
                self._wake.wait(seconds)
            self._nudged = False

    def _take(self) -> list[Request]:
        with self._wake:
            taken = list(self._queue)
            self._queue.clear()
        return taken

    def _cut(self) -> float | None:
        """One epoch, if there is anything to put into it; when to look for the next without being woken."""
        number, now = self.epoch + 1, self._clock.now_us()
        epoch = Epoch(number, now, EpochRecord(number, now))
        answered = self._evaluate(self._take(), epoch)
        pause = self._target.poll_sources(epoch)
        deltas = self._finish(epoch)
        for future, result in answered:
            future.set_result(result)
        return POLL_SECONDS if pause is None and deltas else pause

    def _evaluate(self, requests: list[Request], epoch: Epoch) -> list[tuple[Future[Any], Any]]:
        answered = []
        for number, request in enumerate(requests):
            if epoch.rows >= EPOCH_ROWS or (request.first and epoch.changes):
                with self._wake:
                    self._queue.extendleft(reversed(requests[number:]))
                break
            try:
                answered.append((request.future, request.work(epoch)))
            except Exception as error:
                request.future.set_exception(error)
        return answered

    def _finish(self, epoch: Epoch) -> dict[str, pa.RecordBatch]:
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
        if epoch.record.is_empty():
            return {}
        self._log.append(epoch.number, encode_record(epoch.record))
        self._log.sync()
        self.epoch = epoch.number
        self._target.publish(epoch, deltas)
        return deltas

    def _fail(self, error: BaseException) -> None:
        """The log or a table is broken: nothing after this may be acknowledged."""
        with self._wake:
            self._failure = error
            waiting = list(self._queue)
            self._queue.clear()
        for request in waiting:
            request.future.set_exception(InternalError("the engine has stopped", detail=str(error)))
        self._target.failed(error)
