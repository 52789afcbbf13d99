"""One checkpoint as it is taken: the cut between two epochs, and every job's state when it has come to it.

    sequencer     ── n ──┃── n+1 ── n+2 ──▶    notes positions, sequences, the catalog: no state, so it goes on at once
    job a         ── n ──┃·······n+1 ──▶       goes no further than n until its state is taken, and then on
    job b         ── n-1 ── n ──┃···n+1 ──▶    comes to the cut later; nobody else waits for it

What relations hold is read as of n from their versions, which later epochs do not change. Between the
cut and the end nothing is forgotten that readers of n would see (``pins``). A job that has stopped, is far behind or
still computes its first answer is taken where it is (``standings``). A definition in between makes all of it void.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from constellationdb.engine.arrangement import FOREVER
from constellationdb.engine.contents import Version
from constellationdb.engine.durable_subscriptions import SubscriptionPosition
from constellationdb.engine.job import Job
from constellationdb.engine.job_checkpoints import job_manifest
from constellationdb.engine.manifest import JobManifest, SinkManifest, SourceManifest
from constellationdb.engine.sequences import SequencePosition
from constellationdb.engine.sources import SourceState
from constellationdb.engine.stopped import is_stopped
from constellationdb.storage.arrow_blobs import ipc_buffer

if TYPE_CHECKING:
    from constellationdb.catalog.catalog import Catalog
    from constellationdb.engine.engine import Engine
    from constellationdb.engine.relation import RelationState
    from constellationdb.engine.sequencer import Epoch

# A view that is so many epochs behind is not waited for, and no view for longer than this before it is taken as it is.
_FAR = 64
_PATIENCE_SECONDS = 2.0
# One step of a job may take longer; then there is no checkpoint for now.
_LONGEST_STEP_SECONDS = 60.0

Blobs = Mapping[str, pa.Buffer]


@dataclass(frozen=True)
class Held:
    """What a relation held at a cut: as of ``position`` in ``version``, or ready as bytes."""

    version: Version
    position: int
    changes: int
    eager: pa.Buffer | None = None


@dataclass(frozen=True)
class TakenState:
    """Operators' states, and of others what changed in them. ``anew``: the prefixes of the former; None: all are."""

    whole: Blobs
    changed: Blobs
    anew: frozenset[str] | None


@dataclass(frozen=True)
class TakenJob:
    """A job at the cut, or where it stood. ``state`` is None where it is as it was written last, or of no use."""

    position: int
    manifest: JobManifest
    mark: Hashable
    state: TakenState | None
    failure: BaseException | None


@dataclass
class Cut:
    """Everything that the end of an epoch is, except what the jobs still have to do of it."""

    number: int
    at_us: int
    catalog: Catalog
    sources: dict[str, SourceManifest]
    sequences: dict[int, SequencePosition]
    subscriptions: dict[int, SubscriptionPosition]
    sinks: dict[str, SinkManifest]
    states: dict[str, RelationState]
    order: tuple[Job, ...]  # in which they were defined
    waiting: set[Job]
    held: dict[str, Held] = field(default_factory=dict)
    jobs: dict[Job, TakenJob] = field(default_factory=dict)


class Capture:
    """``cut`` on the sequencer's thread, then ``collect`` on any, then ``release`` whatever has come of it.

    ``written``: the mark of a job's state that is on disk, and whether changes can be added to that.
    """

    def __init__(
        self, engine: Engine, written: Callable[[Job], tuple[Hashable, bool]], stopping: Callable[[], bool]
    ) -> None:
        self._engine = engine
        self._written = written
        self._stopping = stopping
        self._cut: Cut | None = None

    def cut(self, epoch: Epoch) -> Cut | None:
        """Before any change of ``epoch``: the end of the one before it. None when something has changed already."""
        if epoch.changes or epoch.record.commands or epoch.record.sequences:
            return None  # other requests of this epoch have touched tables already; the next try is soon
        engine, number = self._engine, epoch.number - 1
        with engine.lock:
            jobs = named_jobs(engine)
            for job in jobs:
                job.until = number
                job.held = job.starting or is_stopped(job) or _is_far(job, number)
            sinks = {name: sink.manifest() for name, sink in engine.sinks.items()}
            reached = [*(job.reached() for job in jobs), *(sink.held for sink in sinks.values())]
            engine.pins[self] = min([engine.floor(), number, *reached])
            self._cut = Cut(
                number,
                epoch.at_us,
                engine.catalog,
                {n: _source_manifest(s) for n, s in engine.states.items() if isinstance(s, SourceState)},
                {sequence.relation.oid: sequence.logged for sequence in engine.sequences.values()},
                {known.relation.oid: known.position for known in engine.subscriptions.values()},
                sinks,
                {n: s for n, s in engine.states.items() if not n.startswith("#")},
                tuple(jobs),
                set(jobs),
            )
            for name, state in self._cut.states.items():
                if state.contents is not None and not isinstance(state.writer, Job):
                    self._cut.held[name] = Held(state.contents.version, number, state.contents.changes)
        return self._cut

    def collect(self) -> None:
        """Every job's state. Some stay ``waiting`` when they do not come to rest, or something was defined."""
        cut, engine = self._cut, self._engine
        assert cut is not None
        self._take_those_that_come(cut, _PATIENCE_SECONDS)
        with engine.lock:
            for job in cut.waiting:
                job.held = job.held or not job.handing_over
        self._take_those_that_come(cut, _LONGEST_STEP_SECONDS)

    def release(self) -> None:
        with self._engine.lock:
            self._engine.pins.pop(self, None)
            for job in [] if self._cut is None else self._cut.waiting:
                _let_go(job)
            self._engine.worker.moved()

    def holds(self) -> bool:
        """Whether nothing was defined since the cut."""
        return self._cut is not None and self._engine.catalog is self._cut.catalog

    def _take_those_that_come(self, cut: Cut, patience: float) -> None:
        engine = self._engine
        deadline = engine.clock.monotonic() + patience

        def news() -> bool:
            return self._void() or any(self._is_ready(job) for job in cut.waiting)

        while cut.waiting and (left := deadline - engine.clock.monotonic()) > 0:
            if not engine.wait(news, timeout=left) or self._void():
                return
            with engine.lock:
                ready = [job for job in cut.waiting if self._is_ready(job)]
            for job in ready:
                self._take(cut, job)
                with engine.lock:
                    cut.waiting.discard(job)
                    _let_go(job)
                    engine.worker.moved()

    def _void(self) -> bool:
        return self._stopping() or not self.holds()

    def _is_ready(self, job: Job) -> bool:
        assert self._cut is not None
        return job.at_rest and (job.held or job.failure is not None or job.reached() >= self._cut.number)

    def _take(self, cut: Cut, job: Job) -> None:
        """A job that takes no step meanwhile. Its state is copied outside the lock."""
        engine = self._engine
        with engine.lock:
            position = min(job.reached(), cut.number)
            manifest = job_manifest(job, position)
            failure, mark = job.failure, mark_of(job)
        for state in job.outputs.all():
            assert state.contents is not None
            version = state.contents.version
            # Further chunks of a first answer are of the same epoch, so this version would change with them.
            eager = None
            if job.starting:
                whole = position == cut.number
                eager = ipc_buffer(version.weighted(position) if whole else version.stamped(position, position))
            cut.held[state.name] = Held(version, position, state.contents.changes, eager)
        taken = None if failure is not None else self._state(job, mark)
        cut.jobs[job] = TakenJob(position, manifest, mark, taken, failure)

    def _state(self, job: Job, mark: Hashable) -> TakenState | None:
        known, extensible = self._written(job)
        if known == mark:
            return None
        if not extensible:
            return TakenState(_encoded(job.graph.snapshot()), {}, None)
        changes = job.graph.changes()
        return TakenState(_encoded(changes.whole), _encoded(changes.changed), frozenset(changes.anew))


def _encoded(batches: Mapping[str, pa.RecordBatch]) -> Blobs:
    return {name: ipc_buffer(batch) for name, batch in batches.items()}


def mark_of(job: Job) -> Hashable:
    """What is another one whenever the job's state is."""
    return job.oid, job.steps


def named_jobs(engine: Engine) -> list[Job]:
    """Those of views: a query that nobody named ends with the process."""
    return [job for job in engine.jobs.values() if not job.name.startswith("#")]


def _is_far(job: Job, number: int) -> bool:
    return number - job.reached() > _FAR and not job.handing_over


def _let_go(job: Job) -> None:
    job.held, job.until = False, int(FOREVER)


def _source_manifest(state: SourceState) -> SourceManifest:
    return SourceManifest(dict(state.positions), sorted(state.ended), state.watermark, state.rows)
