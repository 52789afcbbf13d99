"""The engine: one process's relations, jobs and threads.

    sessions ──▶ sequencer thread: epochs of input ──▶ relation logs ──▶ worker thread: jobs, epoch by epoch
                                                             └──▶ snapshot reads, subscriptions

The lock guards logs, frontiers and the catalog; rows are computed outside it.
Base relations are written by the sequencer, a view by one of the worker's two threads at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Command, Create, Drop, Relation, Replace
from constellationdb.clock import Clock, SystemClock
from constellationdb.engine import batch as zset
from constellationdb.engine.allocators import choose_allocators
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.contents import AppendedRows, Contents, view_contents
from constellationdb.engine.durability import Durability
from constellationdb.engine.graph import Graph
from constellationdb.engine.job import CHUNK_ROWS, ERRORS_SCHEMA, Answered, Job, Outputs
from constellationdb.engine.lookups import LookupTables
from constellationdb.engine.operators.base import NO_WATERMARK, LookupAnswer
from constellationdb.engine.record import Answer
from constellationdb.engine.relation import Change, RelationState
from constellationdb.engine.relations import PlannedCatalog
from constellationdb.engine.sequencer import POLL_SECONDS, Epoch, Sequencer
from constellationdb.engine.shared_index import SharedIndex
from constellationdb.engine.side import errors_name
from constellationdb.engine.sources import SourceState, error_rows
from constellationdb.engine.subscription import Subscription
from constellationdb.engine.tables import TableState
from constellationdb.engine.worker import Worker
from constellationdb.errors import ConstellationError, InternalError, QueryCanceled
from constellationdb.planner import plan

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

# Epochs a source may be ahead of the views that read it.
_AHEAD = 4
# A poll that brings as many rows left others waiting: the next one need not wait.
_BACKLOG_ROWS = 16_384
_TIDY_EVERY = 256


class Engine:
    """``directory`` None: everything in memory. ``start`` recovers and begins; ``close`` ends cleanly."""

    def __init__(self, directory: Path | None = None, *, workers: int = 1, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.workers = workers
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.catalog = Catalog()
        self.states: dict[str, RelationState] = {}
        self.jobs: dict[str, Job] = {}
        self.lookups = LookupTables(self._deliver, self.submit, workers)
        self.planned = PlannedCatalog(self)
        self.pins: dict[object, int] = {}  # open transactions → the epoch they read at
        self.epoch = 0
        self.failure: BaseException | None = None
        self.restored: str | None = None
        self._stopping = False
        self._transients = 0
        self.held_back = False  # sources wait for a view to catch up
        self.durability = Durability(self, directory)
        self.sequencer: Sequencer | None = None
        self.worker = Worker(self)

    # -- life ----------------------------------------------------------------------------------

    def start(self) -> Engine:
        from constellationdb import jit

        jit.compile_all()
        choose_allocators()
        self.durability.recover()
        self.sequencer = Sequencer(self, self.durability.log, self.clock, self.epoch)
        self.sequencer.start()
        self.worker.start()
        self.lookups.replicas.start()
        self.durability.start()
        return self

    def close(self) -> None:
        if self._stopping:
            return
        self.durability.stop()
        if self.sequencer is not None:
            self.sequencer.stop()
        with self.lock:
            self._stopping = True
            self.changed.notify_all()
        self.worker.stop()
        self.lookups.close()
        for state in self.states.values():
            if isinstance(state, SourceState):
                state.close()
        self.durability.close()

    def __enter__(self) -> Engine:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.close()

    def session(
        self, user: str = "constellation", database: str = "constellation", settings: dict[str, str] | None = None
    ) -> Session:
        from constellationdb.engine.session import Session

        return Session(self, user, database, settings or {})

    # -- requests ------------------------------------------------------------------------------

    def submit(self, work: Any, *, first: bool = False) -> Future[Any]:
        """Run ``work(epoch)`` on the sequencer's thread as part of the next epoch; ``first`` when it defines."""
        if self.sequencer is None:
            raise InternalError("the engine is not started")
        return self.sequencer.submit(work, first=first)

    def insert(self, name: str, rows: pa.RecordBatch) -> int:
        """Rows into a table or a push source, as one statement: the epoch they are in."""
        from constellationdb.engine.writes import insert_rows

        epoch: int = self.submit(lambda e: insert_rows(self, e, name, rows)).result()
        return epoch

    def subscribe(
        self, relation: str, *, snapshot: bool = True, progress: bool = False, as_of: int | None = None
    ) -> Subscription:
        return Subscription(self, self.state(relation), snapshot=snapshot, progress=progress, as_of=as_of)

    def state(self, name: str) -> RelationState:
        with self.lock:
            self.catalog.get(name)
            return self.states[name]

    # -- definitions (sequencer's thread, and recovery) ----------------------------------------

    def define(self, epoch: Epoch, command: Command) -> None:
        """A DDL request: into the catalog, into the record, and into effect at this epoch."""
        with self.lock:
            catalog = self.catalog.apply(command)
            self.apply_command(command, catalog, epoch.number, epoch.at_us)
        epoch.command(command)

    def apply_command(self, command: Command, catalog: Catalog, epoch: int, at_us: int) -> None:
        with self.lock:
            match command:
                case Create():
                    for relation in command.relations:
                        self._install(relation, catalog.get(relation.name).oid, epoch, at_us)
                case Drop():
                    for name in command.names:
                        self._uninstall(name)
                case Replace():
                    pass  # a plain view is nothing but its entry
            self.catalog = catalog
            self.changed.notify_all()

    def _install(self, relation: Relation, oid: int, epoch: int, at_us: int) -> None:
        before = epoch - 1
        match relation.kind:
            case "table":
                self.states[relation.name] = TableState(relation, before)
            case "source":
                self.states[relation.name] = SourceState(relation, before, self.clock)
            case "side output":
                self.states[relation.name] = RelationState(relation.name, relation.schema, _contents(relation), before)
            case "lookup table":
                copy = self.lookups.add(relation, before)
                if copy is not None:
                    self.states[relation.name] = copy
            case "materialized view":
                self.states[relation.name] = RelationState(
                    relation.name, relation.schema, view_contents(plan.decode(relation.plan)), before
                )
                job = self.make_job(relation, oid)
                job.started_us = at_us
                job.begin(before, self._read)
                self.jobs[relation.name] = job
            case "view":
                pass

    def make_job(self, relation: Relation, oid: int) -> Job:
        """The job of a materialized view whose relations are installed; its side outputs follow it in the catalog."""
        lowered = plan.decode(relation.plan)
        graph = Graph(lowered.root, workers=self.workers, lookups=self.lookups.operator, borrow=self._borrow)
        inputs = {name: self.states[name] for name in graph.relations}
        outputs = Outputs(self.states[relation.name], self.states[errors_name(relation.name)])
        if lowered.late_to is not None:
            outputs.late = self.states[lowered.late_to]
        return Job(relation.name, lowered, graph, inputs, outputs, 0, oid=oid)

    def _borrow(self, relation: str, keys: tuple[int, ...]) -> SharedIndex | None:
        return self.states[relation].index(keys)

    def _uninstall(self, name: str) -> None:
        job = self.jobs.pop(name, None)
        if job is not None:
            job.close()
            self.lookups.forget(job.oid)
        state = self.states.pop(name, None)
        if isinstance(state, SourceState):
            state.close()
        self.lookups.remove(name)

    def transient(self, lowered: plan.Plan) -> tuple[Job, Subscription]:
        """A job nobody named, for one continuous query, and the subscription that reads it; see ``drop_transient``."""
        with self.lock:
            self._transients += 1
            name, oid = f"#query{self._transients}", -self._transients

        def work(epoch: Epoch) -> tuple[Job, Subscription]:
            with self.lock:
                before = epoch.number - 1
                contents = view_contents(lowered)
                view = RelationState(name, lowered.output, contents, before)
                errors = RelationState(errors_name(name), ERRORS_SCHEMA, Arrangement(ERRORS_SCHEMA), before)
                graph = Graph(lowered.root, workers=self.workers, lookups=self.lookups.operator, borrow=self._borrow)
                inputs = {n: self.states[n] for n in graph.relations}
                job = Job(name, lowered, graph, inputs, Outputs(view, errors), 0, oid=oid)
                job.started_us = epoch.at_us
                job.begin(before, self._read)
                self.jobs[name] = job
                self.changed.notify_all()
                return job, Subscription(self, view, snapshot=True, progress=False, as_of=None)

        made: tuple[Job, Subscription] = self.submit(work).result()
        self.nudge()
        return made

    def drop_transient(self, job: Job) -> None:
        with self.lock:
            self.jobs.pop(job.name, None)
            job.close()
        self.lookups.forget(job.oid)

    def _read(self, state: RelationState, epoch: int) -> Iterator[tuple[pa.RecordBatch, int]]:
        """What a new job reads first: a relation's contents as of an epoch, or a source's history."""
        if isinstance(state, SourceState):
            return state.history()
        return self._contents_chunks(state, epoch)

    def _contents_chunks(self, state: RelationState, epoch: int) -> Iterator[tuple[pa.RecordBatch, int]]:
        whole = state.version().weighted(epoch)
        if whole.num_rows:
            for chunk in zset.chunks(whole, CHUNK_ROWS):
                yield chunk, NO_WATERMARK

    # -- the sequencer's target ----------------------------------------------------------------

    def poll_sources(self, epoch: Epoch) -> float | None:
        with self.lock:
            sources = [s for s in self.states.values() if isinstance(s, SourceState) and s.active]
            jobs = self.jobs.values()
            behind = min((j.position for j in jobs if j.failure is None and not j.starting), default=self.epoch)
            self.held_back = bool(sources) and epoch.number - behind > _AHEAD
        if self.held_back:
            return POLL_SECONDS
        most = max((self._poll(source, epoch) for source in sources), default=0)
        if not any(s.active for s in sources):
            return None
        return 0.0 if most >= _BACKLOG_ROWS else POLL_SECONDS

    def _poll(self, source: SourceState, epoch: Epoch) -> int:
        """Take what a source has now into the epoch: how many rows."""
        try:
            batches, failed, ranges = source.poll()
        except ConstellationError as error:
            self._source_trouble(source, error)
            return 0
        for batch in batches:
            epoch.change(source.name, batch)
        if failed:
            rows = error_rows(failed)
            state = self.states[errors_name(source.name)]
            assert state.contents is not None
            state.contents.apply(rows, epoch.number)
            epoch.change(state.name, rows)
        epoch.record.ranges += ranges
        return sum(int(batch.num_rows) for batch in batches) + len(failed)

    def _source_trouble(self, source: SourceState, error: ConstellationError) -> None:
        """A source that cannot be read stops; what it said stands in constellation.sources."""
        source.trouble = error.message
        source.stopped = True

    def due_us(self) -> int | None:
        with self.lock:
            times = [
                due
                for s in self.states.values()
                if isinstance(s, SourceState) and s.active and (due := s.tracker.next_idle_us()) is not None
            ]
        return min(times, default=None)

    def publish(self, epoch: Epoch, deltas: dict[str, pa.RecordBatch]) -> None:
        for answer in epoch.record.answers:
            self.take_answer(answer, epoch.number, epoch.at_us)
        self.publish_base(epoch.number, epoch.at_us, deltas, epoch.record.watermarks)
        if epoch.number % _TIDY_EVERY == 0:
            self.tidy_base()

    def freeze_watermarks(self, epoch: Epoch) -> None:
        """Settle every source's watermark for the end of this epoch, into its record."""
        with self.lock:
            for state in self.states.values():
                if isinstance(state, SourceState) and state.tracker.advance(epoch.at_us) > state.watermark:
                    epoch.record.watermarks[state.name] = state.tracker.value

    def publish_base(
        self, number: int, at_us: int, deltas: dict[str, pa.RecordBatch], watermarks: dict[str, int]
    ) -> None:
        """Make an epoch of the base relations visible to jobs and readers."""
        with self.lock:
            for name, state in self.states.items():
                if name in self.jobs or self._owned(name):
                    continue
                watermark = watermarks.get(name, state.watermark)
                state.publish(Change(number, deltas.get(name), watermark, at_us))
            self.epoch = number
            self.changed.notify_all()

    def _owned(self, name: str) -> bool:
        """Whether a job writes this side output (a source's errors are written by the sequencer)."""
        relation = self.catalog.relations.get(name)
        return relation is not None and relation.owner in self.jobs

    def tidy_base(self) -> None:
        with self.lock:
            floor = self.floor()
            for name, state in self.states.items():
                if name not in self.jobs and not self._owned(name):
                    state.tidy(self.clock.now_us(), floor)

    def floor(self) -> int:
        """No snapshot reads below this epoch: the least frontier of what is ready."""
        return min([s.frontier for s in self.states.values() if s.ready] + list(self.pins.values()), default=self.epoch)

    def take_answer(self, answer: Answer, epoch: int, at_us: int) -> None:
        with self.lock:
            job = self.jobs.get(answer.header.job)
            if job is not None and job.oid == answer.header.oid:
                given = LookupAnswer(answer.keys, answer.rows)
                job.answers.append(Answered(epoch, at_us, answer.header.node, given))

    def _deliver(self, answer: Answer) -> None:
        try:
            self.submit(lambda epoch: epoch.answer(answer))
        except ConstellationError:
            return  # shutting down: the rows wait in the log and are asked for again

    def failed(self, error: BaseException) -> None:
        with self.lock:
            self.failure = error
            self.changed.notify_all()

    def nudge(self) -> None:
        """A source may have got a reader: let the sequencer look again."""
        if self.sequencer is not None:
            self.sequencer.nudge()

    # -- waiting -------------------------------------------------------------------------------

    def wait(self, condition: Any, cancelled: threading.Event | None = None, timeout: float | None = None) -> bool:
        """Until ``condition()`` (called under the lock) is true; False after ``timeout`` seconds."""
        deadline = None if timeout is None else self.clock.monotonic() + timeout
        with self.lock:
            while not condition():
                if self.failure is not None:
                    raise InternalError("the engine has stopped", detail=str(self.failure))
                if self._stopping:
                    return False
                if cancelled is not None and cancelled.is_set():
                    raise QueryCanceled("canceling statement due to user request")
                left = None if deadline is None else deadline - self.clock.monotonic()
                if left is not None and left <= 0:
                    return False
                self.changed.wait(left)
            return True


def _contents(relation: Relation) -> Contents:
    return AppendedRows(relation.schema) if relation.append_only else Arrangement(relation.schema)
