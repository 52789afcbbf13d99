"""The threads that run jobs.

    jobs that follow epochs            one thread, a step of each in turn: one epoch of one job
    jobs that compute a first answer   another thread, a step of each in turn: one chunk of what there is

So a new view over many rows does not keep the others waiting. What both touch
is the engine's, under its lock, or made for it: versions of contents, and the
indexes on them that jobs share.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from constellationdb.engine.job import Job
from constellationdb.planner import plan

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine

_TIDY_EVERY = 256


class Worker:
    """``start`` and ``stop`` once each; ``drain`` instead of the threads, before they start."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._follow_epochs, name="worker", daemon=True),
            threading.Thread(target=self._first_answers, name="first answers", daemon=True),
        ]

    def start(self) -> None:
        for job in self._engine.jobs.values():
            job.resume()
            self._send_requests(job)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        with self._engine.lock:
            self._stopping = True
            self._engine.changed.notify_all()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def drain(self) -> None:
        """Run every job until nothing is left: recovery."""
        while ready := [job for job in self._engine.jobs.values() if job.runnable()]:
            for job in ready:
                self._step(job)
        with self._engine.lock:
            self._advance_idle()

    def _follow_epochs(self) -> None:
        turns = 0
        while (ready := self._ready(starting=False)) is not None:
            for job in ready:
                self._step(job)
            turns += 1
            if turns % _TIDY_EVERY == 0:
                self._tidy_views()

    def _first_answers(self) -> None:
        while (ready := self._ready(starting=True)) is not None:
            for job in ready:
                self._step(job)

    def _ready(self, *, starting: bool) -> list[Job] | None:
        """The jobs of one kind that have something to do, as soon as there are some; None at the end."""
        engine = self._engine
        with engine.lock:
            while not self._stopping:
                ready = [job for job in engine.jobs.values() if job.starting == starting and job.runnable()]
                if ready:
                    return ready
                if not starting and self._advance_idle():
                    continue  # a view that waited for another one's frontier may have its turn
                engine.changed.wait()
            return None

    def _step(self, job: Job) -> None:
        """One step of a job; a failure stops it and nothing else."""
        engine = self._engine
        with engine.lock:
            work = job.take()
        try:
            changes = job.step(work)
        except Exception as error:
            with engine.lock:
                job.failure = error
                engine.changed.notify_all()
            return
        self._send_requests(job)  # before the other thread may have the job
        with engine.lock:
            for state, change in changes:
                state.publish(change)
            job.settle()
            for state in job.inputs.values():
                if job in state.consumers:
                    state.consumers[job] = job.position
            if not job.starting:
                engine.changed.notify_all()
        if engine.held_back:
            engine.nudge()

    def _send_requests(self, job: Job) -> None:
        requests = job.take_requests()
        if not requests or self._engine.sequencer is None:  # while the log is replayed, the answers come from it
            return
        nodes = {node.id: node for node in plan.walk(job.plan.root) if isinstance(node, plan.LookupJoin)}
        for request in requests:
            self._engine.lookups.request(job.name, job.oid, nodes[request.node], request)

    def _advance_idle(self) -> bool:
        """Move the frontiers of jobs that have nothing to do for the epochs that passed them by: whether one moved.

        Only between steps: a job in the middle of an epoch would be moved past it.
        """
        engine = self._engine
        moved = False
        for job in engine.jobs.values():
            frontier = job.idle_frontier(engine.epoch)
            if frontier <= job.position or job.starting:
                continue
            job.position = frontier
            for state in job.outputs.all():
                state.frontier = max(state.frontier, frontier)
            for state in job.inputs.values():
                if job in state.consumers:
                    state.consumers[job] = frontier
            moved = True
        if moved:
            engine.changed.notify_all()
        return moved

    def _tidy_views(self) -> None:
        engine = self._engine
        with engine.lock:
            floor = engine.floor()
            for job in engine.jobs.values():
                if not job.starting:
                    for state in job.outputs.all():
                        state.tidy(engine.clock.now_us(), floor)
