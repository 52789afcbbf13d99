"""The engine on one thread: whoever waits lets the others take their steps, in an order that is drawn."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from unittest import mock

from constellationdb import jit
from constellationdb.clock import ManualClock
from constellationdb.engine import durability
from constellationdb.engine.cancellation import Cancellation
from constellationdb.engine.engine import Engine
from constellationdb.engine.recovery import recover
from constellationdb.engine.relation import RelationState
from constellationdb.engine.sequencer import Request, Rows, Sequencer
from constellationdb.engine.sinks.delivery import Delivery
from constellationdb.engine.waiting import Condition, Waiting
from constellationdb.storage.epochlog import FileEpochLog
from tests.simulation.disk import SimulatedDisk

SEGMENT_BYTES = 1024  # so that the log has many files


class SteppedSequencer(Sequencer):
    """A request is an epoch at once."""

    busy = False

    def _enqueue(self, *requests: Request | Rows) -> None:
        super()._enqueue(*requests)
        self.step()

    def step(self) -> None:
        self.busy = True
        try:
            self._cut()
            while self._queue:
                self._cut()
        except BaseException as error:
            self._fail(error)
        finally:
            self.busy = False


class SteppedWaiting(Waiting):
    """Instead of sleeping: let ``others`` go on, until nobody can."""

    others: Callable[[], bool]

    def wait(
        self,
        condition: Condition,
        cancelled: Cancellation | None = None,
        timeout: float | None = None,
        relation: RelationState | None = None,  # noqa: ARG002
    ) -> bool:
        while True:
            with self._lock:
                if condition():
                    return True
                if not self._goes_on(cancelled) or timeout == 0:
                    return False
            if not self.others():
                assert timeout is not None, "waits for ever"
                return False


class SteppedEngine(Engine):
    """``between`` is what clients do while somebody waits: called now and then, when it may submit requests."""

    def __init__(self, directory: Path, disk: SimulatedDisk, clock: ManualClock, draw: random.Random) -> None:
        small = partial(FileEpochLog, segment_bytes=SEGMENT_BYTES)
        with mock.patch.object(durability, "FileEpochLog", small):
            super().__init__(directory, clock=clock, disk=disk)
        self._draw = draw
        self.between: Callable[[], None] | None = None
        self.waiting = SteppedWaiting(self.lock, clock)
        self.waiting.others = self._step

    def start(self) -> SteppedEngine:
        jit.compile_all()
        recover(self)
        self.stepped = self.sequencer = SteppedSequencer(self, self.durability.log, self.clock, self.epoch)
        self.worker._threads.clear()
        self.worker.start()
        return self

    def add_sink(self, sink: Delivery) -> None:
        """Its thread never runs: ``outputs.SimulatedSink`` takes its steps."""
        self.sinks[sink.relation.name] = sink

    def _step(self) -> bool:
        """One step of somebody; False when there is nobody."""
        if self.between is not None and not self.stepped.busy and self._draw.random() < 0.2:
            self.between()
            return True
        ready = [job for job in self.jobs.values() if job.runnable()]
        if not ready:
            return False
        self.worker._step(self._draw.choice(ready))
        return True

    def work(self, most: int) -> None:
        """Some steps of jobs."""
        for _ in range(most):
            ready = [job for job in self.jobs.values() if job.runnable()]
            if not ready:
                return
            self.worker._step(self._draw.choice(ready))

    def abandon(self) -> None:
        """The process is gone: what it had open is let go, and nothing is written any more."""
        with suppress(BaseException):
            self.durability.log.close()
        with suppress(BaseException):
            self.durability.store.close()
        directory = self.durability._directory
        assert directory is not None
        directory.close()
        self.python.close()
