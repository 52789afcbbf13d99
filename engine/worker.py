"""The threads that run jobs.

    jobs that follow epochs            one thread, a step of each in turn: one epoch of one job
    jobs that compute a first answer   another thread, a step of each in turn: one chunk of what there is

So a new view over many rows does not keep the others waiting. What both touch
is the engine's, under its lock, or made for it: versions of contents, and the
indexes on them that jobs share. A job is on the list of its thread only while
something of its inputs is left to do, so a job that is idle costs nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from time import perf_counter_ns
from typing import TYPE_CHECKING

from constellationdb.engine.bell import Bell
from constellationdb.engine.changelog import Change
from constellationdb.engine.graph import Work
from constellationdb.engine.job import Job
from constellationdb.engine.pausing import pause_without_room, try_again
from constellationdb.engine.relation import Follower, RelationState
from constellationdb.engine.stopped import is_stopped
from constellationdb.engine.turn import SMALL_ROWS
from constellationdb.planner import plan

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine

_TIDY_EVERY = 256  # steps, or less when they are of so many rows:
_TIDY_ROWS = 1 << 19


class Line:
    """The jobs that one thread has something to do for, in the order of their turns. Under the engine's lock."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.busy_ns = 0  # since the thread started
        self.steps = 0
        self.jobs: dict[Job, None] = {}
        self.bell = Bell()

    def add(self, job: Job) -> None:
        self.jobs[job] = None
        self.bell.ring()

    def next(self, now: float) -> Job | None:
        """The next one that can take a step; it goes to the end of the line."""
        for job in list(self.jobs):
            if job.paused is not None and job.retry_at <= now:
                try_again(job, now)
                if job.paused is None and job.idle:
                    del self.jobs[job]
            if job.runnable() and _due(job) <= now:
                del self.jobs[job]
                self.jobs[job] = None
                return job
        return None

    def count(self, busy_ns: int) -> None:
        self.busy_ns += busy_ns
        self.steps += 1

    def pause(self, now: float) -> float | None:
        """In how many seconds one that goes slowly may take its next step."""
        return min((due - now for job in self.jobs if (due := _due(job)) > now), default=None)


def _can_wait(job: Job) -> bool:
    return job.starting and job.progress is not None and job.progress.background


def _due(job: Job) -> float:
    if job.paused is not None:
        return job.retry_at
    return job.progress.due if job.starting and job.progress is not None else 0.0


class Worker:
    """``start`` and ``stop`` once each; ``drain`` instead of the threads, before they start."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stopping = False
        self._following = Line("worker")
        self._starting = Line("first answers")
        self._threads = [
            threading.Thread(target=self._follow_epochs, name=self._following.name, daemon=True),
            threading.Thread(target=self._first_answers, name=self._starting.name, daemon=True),
        ]
        self.started_ns = perf_counter_ns()

    def start(self) -> None:
        with self._engine.lock:
            self._starting.jobs.clear()  # those that were restored may have their first answer
            for job in self._engine.jobs.values():
                job.resume()
                if not job.idle and job.failure is None:  # one that waits in the line for nothing would count as busy
                    self.add(job)
                self._engine.successions.look(job)
        for job in list(self._engine.jobs.values()):
            self.send_requests(job)
        self.started_ns = perf_counter_ns()
        for line in self.lines:
            line.busy_ns = line.steps = 0  # those of the recovery
        for thread in self._threads:
            thread.start()

    @property
    def lines(self) -> tuple[Line, Line]:
        return self._following, self._starting

    def stop(self) -> None:
        with self._engine.lock:
            self._stopping = True
            self._ring()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def add(self, job: Job) -> None:
        """Under the engine's lock: the job has something to do."""
        if not job.closed:
            (self._starting if job.starting else self._following).add(job)

    def news(self, followers: Iterable[Follower]) -> None:
        """Under the engine's lock: a relation that they read has changed."""
        for job in followers:
            if isinstance(job, Job):  # sinks are called like all who wait for a relation
                self.add(job)

    def moved(self) -> None:
        """Under the engine's lock: a frontier that some job waits for may have moved."""
        for line in (self._following, self._starting):
            if line.jobs:
                line.bell.ring()

    def remove(self, job: Job) -> None:
        """Under the engine's lock: the job is gone, or done with what there was."""
        self._following.jobs.pop(job, None)
        self._starting.jobs.pop(job, None)

    def behind(self) -> int:
        """Under the engine's lock: the least epoch that all jobs which go on have reached."""
        going = (job.reached() for job in self._following.jobs if not is_stopped(job))
        return min(going, default=self._engine.epoch)

    @property
    def busy(self) -> bool:
        """Whether a job that follows epochs has something to do."""
        return bool(self._following.jobs)

    def drain(self, *, everything: bool = False) -> None:
        """Run the jobs until nothing is left: recovery. Long first answers go on behind it, unless ``everything``."""
        while ready := [j for j in self._engine.jobs.values() if j.runnable() and (everything or not _can_wait(j))]:
            for job in ready:
                self._step(job)

    def _ring(self) -> None:
        self._following.bell.ring()
        self._starting.bell.ring()

    def _follow_epochs(self) -> None:
        steps = rows = 0
        while (job := self._next(self._following)) is not None:
            rows += self._step(job)
            steps += 1
            if steps >= _TIDY_EVERY or rows >= _TIDY_ROWS:
                self._tidy_views()
                steps = rows = 0

    def _first_answers(self) -> None:
        while (job := self._next(self._starting)) is not None:
            self._step(job)

    def _next(self, line: Line) -> Job | None:
        """The next job of a line, as soon as there is one; None at the end."""
        while True:
            with self._engine.lock:
                if self._stopping:
                    return None
                now = self._engine.clock.monotonic()
                job, pause = line.next(now), line.pause(now)
            if job is not None:
                return job
            line.bell.wait(pause)

    def _step(self, job: Job) -> int:
        """One step of a job, a failure of which stops it and nothing else: of how many rows it was."""
        engine = self._engine
        with engine.lock:
            if not job.runnable():  # somebody has told it to wait since it was chosen
                return 0
            work = job.take()
        rows = 0 if work is None else work.rows
        try:
            changes = self._compute(job, work)
        except Exception as error:
            with engine.lock:
                job.failure = error
                self.remove(job)
                for state in engine.states.values():  # it, or one over it, may be what somebody waits for
                    state.wake_readers()
                engine.moved()
            return rows
        self.send_requests(job)  # before the other thread may have the job
        with engine.lock:
            job.settle()
            engine.show(changes)
            pause_without_room(engine, job)
            if not job.starting:
                self._go_on(job)
            elif job.progress is not None:
                job.progress.pause(engine.clock.monotonic())
            engine.successions.look(job)
            timed = job.due_us is not None and job.idle
        if timed or engine.held_back or (engine.sequencer is not None and engine.sequencer.lingering and not self.busy):
            engine.nudge()
        return rows

    def _compute(self, job: Job, work: Work | None) -> list[tuple[RelationState, Change]]:
        line = self._starting if job.starting else self._following
        waits = job.graph.home.remote  # for workers: others may have the turn
        with self._engine.turn.of(SMALL_ROWS if work is None or waits else work.rows):
            begin = perf_counter_ns()
            try:
                return job.step(work)
            finally:
                line.count(perf_counter_ns() - begin)

    def _go_on(self, job: Job) -> None:
        """To the end of the line that follows epochs, if there is more to do."""
        self.remove(job)
        if job.following() is not None or job.paused is not None:
            self.add(job)

    def send_requests(self, job: Job) -> None:
        """Ask lookup sources for what the job wants to know."""
        requests = job.take_requests()
        if not requests or self._engine.sequencer is None:  # while the log is replayed, the answers come from it
            return
        nodes = {node.id: node for node in plan.walk(job.plan.root) if isinstance(node, plan.LookupJoin)}
        for request in requests:
            self._engine.lookups.request(job.name, job.oid, nodes[request.node], request)

    def _tidy_views(self) -> None:
        engine = self._engine
        with engine.lock:
            floor = engine.floor()
            for job in engine.jobs.values():
                if not job.starting:
                    for state in job.outputs.all():
                        state.tidy(engine.clock.now_us(), floor)
