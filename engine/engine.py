"""The engine: one process's relations, jobs and threads.

    sessions ──▶ sequencer thread: epochs of input ──▶ relation logs ──▶ worker thread: jobs, epoch by epoch
                                                             └──▶ snapshot reads, subscriptions

The lock guards logs, frontiers and the catalog; rows are computed outside it.
Base relations are written by the sequencer, a view by one of the worker's two threads at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Alter, Command, Create, CreateFunction, Drop, Relation, Supersede
from constellationdb.clock import Clock, SystemClock
from constellationdb.connectors.api import Sink
from constellationdb.connectors.relation_options import retained_us
from constellationdb.engine import batch as zset
from constellationdb.engine import redefining
from constellationdb.engine.admission import admitted
from constellationdb.engine.alarms import Alarms
from constellationdb.engine.allocators import choose_allocators
from constellationdb.engine.arrangement import Arrangement
from constellationdb.engine.backfills import RATE, BackfillProgress, chunk_rows
from constellationdb.engine.cancellation import Cancellation
from constellationdb.engine.changelog import Change
from constellationdb.engine.checkpoint_settings import CheckpointSettings
from constellationdb.engine.contents import AppendedRows, Contents, view_contents
from constellationdb.engine.durability import Durability
from constellationdb.engine.durable_subscriptions import DurableSubscription, SubscriptionPosition
from constellationdb.engine.first_answers import Chunks, tick
from constellationdb.engine.going_back import WentBack
from constellationdb.engine.graph import CLOCK, Graph
from constellationdb.engine.in_flight import Unaligned
from constellationdb.engine.job import CHUNK_ROWS, Answered, Job, Outputs
from constellationdb.engine.lookups import LookupTables
from constellationdb.engine.manifest import Home
from constellationdb.engine.operators.base import NO_WATERMARK, LookupAnswer
from constellationdb.engine.pg_catalog.versions import ObjectsOf
from constellationdb.engine.processes.placement import is_for_workers
from constellationdb.engine.processes.pool import Pool
from constellationdb.engine.processes.remote import RemoteGraph
from constellationdb.engine.python import PythonFunctions
from constellationdb.engine.record import Answer, EpochRecord
from constellationdb.engine.recovery import recover
from constellationdb.engine.relation import Progress, RelationState
from constellationdb.engine.relations import PlannedCatalog
from constellationdb.engine.reply import Reply
from constellationdb.engine.sequencer import POLL_SECONDS, Epoch, Sequencer
from constellationdb.engine.sequences import SequencePosition, SequenceState
from constellationdb.engine.sessions import Client, Sessions
from constellationdb.engine.shared_index import SharedIndex
from constellationdb.engine.side import ERRORS_SCHEMA, errors_name
from constellationdb.engine.sinks.delivery import Delivery
from constellationdb.engine.sinks.targets import open_target
from constellationdb.engine.snapshot_plans import SnapshotPlans
from constellationdb.engine.sources import SourceEnd, SourceState, error_rows
from constellationdb.engine.subscription import Subscription
from constellationdb.engine.successions import Successions, supersede
from constellationdb.engine.tables import TableState
from constellationdb.engine.turn import Turn
from constellationdb.engine.waiting import Condition, Waiting
from constellationdb.engine.worker import Worker
from constellationdb.errors import ConstellationError, FeatureNotSupported, InternalError, ShuttingDown
from constellationdb.planner import plan
from constellationdb.storage.disk import DISK, Disk
from constellationdb.storage.scratch.sizes import bytes_of
from constellationdb.storage.scratch.space import ScratchSpace, open_space

if TYPE_CHECKING:
    from constellationdb.engine.session import Session

_PATIENCE_SECONDS = 10.0
# Epochs a source may be ahead of the views that read it.
_AHEAD = 4
# A poll that brings as many rows left others waiting: the next one need not wait.
_BACKLOG_ROWS = 16_384
_TIDY_EVERY = 256  # epochs, or less when they are of so many rows:
_TIDY_ROWS = 1 << 20


class Engine:
    """``directory`` None: everything in memory. ``start`` recovers and begins; ``close`` ends cleanly.

    ``state_memory_budget``: what is kept beyond it lies on disk, in no more than ``state_disk_limit``.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        workers: int = 1,
        processes: bool = False,
        clock: Clock | None = None,
        python: PythonFunctions | None = None,
        checkpoints: CheckpointSettings = CheckpointSettings(),  # noqa: B008 - frozen
        disk: Disk = DISK,
        unaligned: Unaligned = Unaligned(),  # noqa: B008 - frozen
        state_memory_budget: int | str | None = None,
        state_disk_limit: int | str | None = None,
    ) -> None:
        self._limits = (
            bytes_of("state_memory_budget", state_memory_budget), bytes_of("state_disk_limit", state_disk_limit),
        )  # fmt: skip
        if processes and self._limits[0] is not None:
            raise FeatureNotSupported("state_memory_budget with several workers is not supported")
        self.scratch: ScratchSpace | None = None
        self.python = python or PythonFunctions()
        self.clock = clock or SystemClock()
        self.workers = workers
        self.disk = disk
        self._processes = processes and workers > 1
        self._graphs = 0  # that workers were given
        self.lock = threading.RLock()
        self.waiting = Waiting(self.lock, self.clock)
        self.turn = Turn()
        self.started_us = self.clock.now_us()
        self.alarms = Alarms()
        self.sessions = Sessions()
        self.restored: str | None = None
        self._transients = 0
        self._life = threading.Lock()  # nobody comes while it ends or goes back
        self._set_up()
        self.durability = Durability(self, directory, checkpoints, disk, unaligned)

    def _set_up(self) -> None:
        """With nothing in it."""
        self.catalog = Catalog()
        self.states: dict[str, RelationState] = {}
        self.sources: dict[str, SourceState] = {}  # those of the states that are sources
        self.sequences: dict[str, SequenceState] = {}
        self.subscriptions: dict[str, DurableSubscription] = {}
        self.jobs: dict[str, Job] = {}
        self.sinks: dict[str, Delivery] = {}
        self.lookups = LookupTables(self._deliver, self.submit, self.workers)
        self.planned = PlannedCatalog(self)
        self.objects = ObjectsOf(self.planned)
        self.snapshot_plans = SnapshotPlans()
        self.pins: dict[object, int] = {}  # open transactions → the epoch they read at
        self.progress = Progress()
        self.ticks = RelationState(CLOCK, pa.schema([]), None, 0, self.progress)  # for whom now() means something
        self._untidied = 0  # rows of the epochs since the last time
        self.held_back = False  # sources wait for a view to catch up
        self.sequencer: Sequencer | None = None
        self.successions = Successions(self)
        self.worker = Worker(self)
        self.pool = Pool(self.workers) if self._processes else None

    @property
    def epoch(self) -> int:
        """The last epoch that is published."""
        return self.progress.epoch

    # -- life ----------------------------------------------------------------------------------

    def start(self) -> Engine:
        from constellationdb import jit

        jit.compile_all()
        choose_allocators(self._limits[0])
        self.scratch = open_space(self.durability.scratch, *self._limits)
        self._recover()
        self._run()
        return self

    def _recover(self) -> None:
        if self.pool is not None:
            self.pool.start()
        recover(self)

    def _run(self) -> None:
        self.sequencer = Sequencer(self, self.durability.log, self.clock, self.epoch)
        self.sequencer.start()
        self.worker.start()
        self.lookups.replicas.start()
        self.durability.start()
        for sink in list(self.sinks.values()):
            sink.start()
        self._drop_temporary_tables()

    def _drop_temporary_tables(self) -> None:
        """Those that were there when the process ended."""
        from constellationdb.engine.temporary import drop_all, is_left_behind

        if any(map(is_left_behind, self.catalog.relations.values())):
            drop_all(self, is_left_behind)

    def close(self) -> None:
        with self._life:
            if self.waiting.stopping:
                return
            self.alarms.close()
            for sink in list(self.sinks.values()):
                sink.close()
            self.durability.stop()
            if self.sequencer is not None:
                self._settle_sequences()
                self.sequencer.stop()
            with self.lock:
                self.waiting.stopping = True
                self.waiting.wake_all()
            self._stop_readers()
            self.durability.close()
            self.python.close()
            if self.scratch is not None:
                self.scratch.stop()

    def _stop_readers(self) -> None:
        self.worker.stop()
        if self.pool is not None:
            self.pool.stop()
        self.lookups.close()
        for source in self.sources.values():
            source.close()

    def go_back(self, epoch: int, session: Session, reason: ConstellationError) -> WentBack:
        """To a checkpoint, without an end of the process. Sessions other than this one end, and are told the reason.

        So are those who follow a relation as it was. When it fails the engine stays stopped: a restart finishes it.
        """
        with self._life:
            if self.sequencer is None or self.waiting.stopping:
                raise ShuttingDown("the engine is shutting down")
            self.sessions.end_all_but(session, reason, _PATIENCE_SECONDS)
            try:
                return self._go_back(epoch, self.sequencer, reason)
            except BaseException as error:
                self.failed(error)
                raise

    def _go_back(self, epoch: int, sequencer: Sequencer, reason: ConstellationError) -> WentBack:
        for sink in list(self.sinks.values()):
            with self.lock:
                sink.end()  # what is undone must not be delivered first
            sink.await_end(_PATIENCE_SECONDS)
        self.durability.stop()
        sequencer.stop()
        self._stop_readers()
        went = self.durability.go_back(epoch, self.catalog.next_oid)
        with self.lock:  # whoever still reads sees what was or what is, and nothing between
            before = self.states
            self._set_up()
            self._recover()
            for state in before.values():
                state.end(reason)
            self.moved()
        self._run()
        return went

    def _settle_sequences(self) -> None:
        """After a clean end a sequence goes on without a gap."""

        def work(epoch: Epoch) -> None:
            for sequence in self.sequences.values():
                sequence.settle(epoch)

        try:
            self.submit(work).result()
        except ConstellationError:
            return  # the log is broken: it says what recovery goes on from

    def __enter__(self) -> Engine:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.close()

    def session(
        self,
        user: str = "constellation",
        database: str = "constellation",
        settings: dict[str, str] | None = None,
        client: Client | None = None,
    ) -> Session:
        from constellationdb.engine.session import Session

        with self._life:
            return Session(self, user, database, settings or {}, client)

    # -- requests ------------------------------------------------------------------------------

    def submit(self, work: Any, *, first: bool = False) -> Reply[Any]:
        """Run ``work(epoch)`` on the sequencer's thread as part of the next epoch; ``first`` when it defines."""
        if self.sequencer is None:
            raise InternalError("the engine is not started")
        return self.sequencer.submit(work, first=first)

    def insert(self, name: str, rows: pa.RecordBatch) -> int:
        """Rows into a table or a push source, as one statement: the epoch they are in."""
        from constellationdb.engine.writes import target

        state = target(self, name)
        return self.insert_into(state, zset.conform(rows, state.schema))

    def insert_into(self, state: RelationState, rows: pa.RecordBatch, cancelled: Cancellation | None = None) -> int:
        """The same, of rows that have the relation's columns."""
        if self.sequencer is None:
            raise InternalError("the engine is not started")
        with admitted(self, {state: rows} if isinstance(state, SourceState) else {}, cancelled):
            return self.sequencer.insert(state, rows).result()

    def subscribe(
        self,
        relation: str,
        *,
        snapshot: bool = True,
        progress: bool = False,
        as_of: int | None = None,
        at_least: bool = False,
        cancelled: Cancellation | None = None,
    ) -> Subscription:
        state = self.state(relation)
        return Subscription(
            self, state, snapshot=snapshot, progress=progress, as_of=as_of, at_least=at_least, cancelled=cancelled
        )

    def state(self, name: str) -> RelationState:
        with self.lock:
            self.catalog.get(name)
            return self.states[name]

    # -- definitions (sequencer's thread, and recovery) ----------------------------------------

    def define(self, epoch: Epoch, command: Command) -> None:
        """A DDL request: into the catalog, into the record, and into effect at this epoch."""
        if isinstance(command, Alter):
            redefining.settle(self, command, epoch.number)
        with self.lock:
            catalog = self.catalog.apply(command)
            self.apply_command(command, catalog, epoch.number, epoch.at_us)
        epoch.command(command)

    def apply_command(self, command: Command, catalog: Catalog, epoch: int, at_us: int) -> None:
        with self.lock:
            match command:
                case Create():
                    for relation in command.relations:
                        self._install(catalog.get(relation.name), epoch, at_us)
                case Drop():
                    for name in command.names:
                        self._uninstall(name)
                case Supersede():
                    supersede(self, command, catalog, epoch, at_us)
                case Alter():
                    redefining.apply(self, command, catalog, epoch)
                case CreateFunction():
                    self.python.bind(command.function)
                case _:
                    pass  # the rest is nothing but entries
            self.catalog = catalog
            self.moved()

    def schema_name(self, oid: int) -> str:
        return self.catalog.schema_name(oid)

    def restore_sequences(self, positions: Mapping[int, SequencePosition]) -> None:
        for sequence in self.sequences.values():
            if sequence.relation.oid in positions:
                sequence.restore(positions[sequence.relation.oid])

    def acknowledge(self, positions: Mapping[int, SubscriptionPosition]) -> None:
        """What clients of subscriptions, by oid, have is kept for them no longer."""
        for subscription in self.subscriptions.values() if positions else ():
            if subscription.relation.oid in positions:
                subscription.position = positions[subscription.relation.oid]

    def take_positions(self, record: EpochRecord) -> None:
        """How far the readers of relations are that are part of epochs: subscriptions, and sinks into tables."""
        with self.lock:
            self.acknowledge(record.acknowledged)
            for name, epoch in record.sinks.items():
                if name in self.sinks:
                    self.sinks[name].committed(epoch)

    def _install(self, relation: Relation, epoch: int, at_us: int) -> None:
        before = epoch - 1
        match relation.kind:
            case "table":
                self.states[relation.name] = TableState(relation, before, self.progress, self.schema_name)
            case "source":
                self.add_source(SourceState(relation, before, self.clock, self.progress))
            case "side output":
                self.states[relation.name] = self._relation(relation, before, _contents(relation))
            case "lookup table":
                copy = self.lookups.add(relation, before, self.progress)
                if copy is not None:
                    copy.born = epoch
                    self.states[relation.name] = copy
            case "materialized view":
                lowered = plan.decode(relation.plan)
                self.states[relation.name] = self._relation(
                    relation, before, view_contents(lowered, indexed=bool(relation.indexes))
                )
                self._begin(self.make_job(relation, relation.oid), before, at_us, int(relation.options.get(RATE, 0)))
            case "sequence":
                self.sequences[relation.name] = SequenceState(relation)
            case "sink":
                self.add_sink(Delivery(self, relation, self.states[relation.depends_on[0]], before, self._open_target))
            case "subscription":
                follows = self.states[relation.depends_on[0]]
                self.subscriptions[relation.name] = DurableSubscription(relation, follows, before)
            case "view":
                return
        if (state := self.states.get(relation.name)) is not None:
            state.log.forgotten_us = at_us

    def add_sink(self, sink: Delivery) -> None:
        """Under the lock; it begins at once, but when the log is replayed."""
        self.sinks[sink.relation.name] = sink
        if self.sequencer is not None:
            sink.start()

    def redefine_sink(self, relation: Relation) -> None:
        self.add_sink(self.sinks[relation.name].redefined(relation, self._open_target))

    def _open_target(self, sink: Delivery) -> Sink:
        return open_target(self, sink)

    def _relation(self, relation: Relation, epoch: int, contents: Contents) -> RelationState:
        kept = retained_us(relation.options)
        return RelationState(relation.name, relation.schema, contents, epoch, self.progress, kept)

    def add_source(self, source: SourceState) -> None:
        self.states[source.name] = self.sources[source.name] = source

    def _begin(self, job: Job, epoch: int, at_us: int, rate: int = 0, *, background: bool = False) -> None:
        job.started_us = at_us
        ends = {name: state.here() for name, state in job.inputs.items() if isinstance(state, SourceState)}
        self.begin(job, epoch, BackfillProgress(at_us, rate, ends, background=background or rate > 0))
        self.jobs[job.name] = job

    def begin(self, job: Job, epoch: int, progress: BackfillProgress) -> None:
        """Let a job compute its first answer, or the rest of one."""
        rows = chunk_rows(CHUNK_ROWS, progress.rate)
        job.begin(epoch, lambda state, at: self._read(state, at, rows, progress.ends), progress)
        self.worker.add(job)

    def compute_anew(self, job: Job, epoch: int, at_us: int) -> None:
        """Recovery: a view whose answer was not to be had, as if it were created now."""
        rate = self.catalog.get(job.name).options.get(RATE, 0)
        self._begin(job, epoch, at_us, int(rate), background=True)

    def make_job(self, relation: Relation, oid: int) -> Job:
        """The job of a materialized view whose relations are installed; its side outputs follow it in the catalog."""
        self.python.check(self.catalog, relation)
        lowered = plan.decode(relation.plan)
        graph = self._graph_of(relation, lowered)
        inputs = self._inputs_of(graph)
        outputs = Outputs(self.states[relation.name], self.states[errors_name(relation.name)])
        if lowered.late_to is not None:
            outputs.late = self.states[lowered.late_to]
        return Job(relation.name, lowered, graph, inputs, outputs, 0, self.progress, oid=oid)

    def _graph_of(self, relation: Relation, lowered: plan.Plan) -> Graph | RemoteGraph:
        if self.pool is None or not is_for_workers(lowered.root) or self.python.is_called(self.catalog, relation):
            return self._graph_here(lowered)
        self._graphs += 1
        return RemoteGraph(self.pool, self._graphs, relation.plan, is_kept=self.durability.is_kept)

    def rehome(self, job: Job, home: Home | None) -> None:
        """Before its state is restored: a job's graph is shared by as many workers as that state."""
        if home is not None and home != job.graph.home:
            job.graph.close()
            job.graph = self._graph_here(job.plan, home.workers)

    def _graph_here(self, lowered: plan.Plan, workers: int = 0) -> Graph:
        workers = workers or (self.workers if self.pool is None else 1)
        return Graph(lowered.root, workers=workers, lookups=self.lookups.operator, borrow=self._borrow)

    def _inputs_of(self, graph: Graph | RemoteGraph) -> dict[str, RelationState]:
        return {name: self.ticks if name == CLOCK else self.states[name] for name in graph.relations}

    def _borrow(self, relation: str, keys: tuple[int, ...]) -> SharedIndex | None:
        return self.states[relation].index(keys)

    def _uninstall(self, name: str) -> None:
        self.sequences.pop(name, None)
        sink = self.sinks.pop(name, None)
        if sink is not None:
            sink.end()
        subscription = self.subscriptions.pop(name, None)
        if subscription is not None:
            subscription.end()
        job = self.jobs.pop(name, None)
        if job is not None:
            self.end(job)
        state = self.states.pop(name, None)
        if state is not None:
            state.dropped = True
            state.wake_readers()
        source = self.sources.pop(name, None)
        if source is not None:
            source.close()
        self.lookups.remove(name)

    def end(self, job: Job) -> None:
        """A job is gone, or set up anew."""
        job.close()
        self.worker.remove(job)
        self.lookups.forget(job.oid)

    def transient(
        self, lowered: plan.Plan, cancelled: Cancellation, *, enough: int | None = None
    ) -> tuple[Job, Subscription]:
        """A job nobody named, for one continuous query, and the subscription that reads it; see ``drop_transient``.

        ``enough``: with so many rows the history of its sources is left unread.
        """
        with self.lock:
            self._transients += 1
            name, oid = f"#query{self._transients}", -self._transients

        def work(epoch: Epoch) -> tuple[Job, Subscription]:
            with self.lock:
                before = epoch.number - 1
                contents = view_contents(lowered)
                view = RelationState(name, lowered.output, contents, before, self.progress)
                errors = RelationState(errors_name(name), ERRORS_SCHEMA, Arrangement(ERRORS_SCHEMA), before)
                graph = self._graph_here(lowered)
                inputs = self._inputs_of(graph)
                job = Job(name, lowered, graph, inputs, Outputs(view, errors), 0, self.progress, oid=oid, enough=enough)
                self._begin(job, before, epoch.at_us)
                return job, Subscription(self, view, job=job, cancelled=cancelled)

        made: tuple[Job, Subscription] = self.submit(work).result()
        self.nudge()
        return made

    def drop_transient(self, job: Job) -> None:
        with self.lock:
            self.jobs.pop(job.name, None)
            self.end(job)

    def _read(self, state: RelationState, epoch: int, rows: int, ends: Mapping[str, SourceEnd]) -> Chunks:
        """What a new job reads first: a relation's contents as of an epoch, or a source's history."""
        if isinstance(state, SourceState):
            return state.history(ends[state.name])
        return iter(()) if state is self.ticks else _contents_chunks(state, epoch, rows)

    # -- the sequencer's target ----------------------------------------------------------------

    def poll_sources(self, epoch: Epoch) -> float | None:
        with self.lock:
            sources = [s for s in self.sources.values() if s.active]
            self.held_back = bool(sources) and epoch.number - self.worker.behind() > _AHEAD
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

    def busy(self) -> bool:
        return self.worker.busy

    def due_us(self) -> int | None:
        with self.lock:
            times = [due for s in self.sources.values() if (due := s.due_us) is not None]
            times += self._clock_dues()
        return min(times, default=None)

    def clock_is_due(self, now_us: int) -> bool:
        with self.lock:
            due = min(self._clock_dues(), default=None)
            return due is not None and due <= now_us

    def _clock_dues(self) -> list[int]:
        """When the clock changes views; of one that has epochs before it nobody can tell yet."""
        jobs = [job for job in self.ticks.consumers if isinstance(job, Job) and job.failure is None and job.idle]
        return [job.due_us for job in jobs if job.due_us is not None]

    def insert_parts(
        self, epoch: Epoch, state: RelationState, parts: Sequence[pa.RecordBatch]
    ) -> list[ConstellationError | None]:
        from constellationdb.engine.writes import insert_parts

        return insert_parts(self, epoch, state, parts)

    def publish(self, epoch: Epoch, deltas: dict[str, pa.RecordBatch]) -> None:
        for answer in epoch.record.answers:
            self.take_answer(answer, epoch.number, epoch.at_us)
        self.take_positions(epoch.record)
        self.publish_base(epoch.number, epoch.at_us, deltas, epoch.record.watermarks)
        self._untidied += epoch.rows
        if epoch.number % _TIDY_EVERY == 0 or self._untidied >= _TIDY_ROWS:
            self.tidy_base()

    def freeze_watermarks(self, epoch: Epoch) -> None:
        """Settle every source's watermark for the end of this epoch, into its record."""
        with self.lock:
            for source in self.sources.values():
                if source.tracker.advance(epoch.at_us) > source.watermark:
                    epoch.record.watermarks[source.name] = source.tracker.value

    def publish_base(
        self, number: int, at_us: int, deltas: dict[str, pa.RecordBatch], watermarks: dict[str, int]
    ) -> None:
        """Make an epoch of the base relations visible to jobs and readers."""
        with self.lock:
            self.progress.epoch = number
            changed = [self.states[name] for name in {**deltas, **watermarks} if name in self.states]
            changes = [
                (s, Change(number, deltas.get(s.name), watermarks.get(s.name, s.watermark), at_us)) for s in changed
            ]
            if self.ticks.consumers:
                changes.append((self.ticks, Change(number, None, tick(at_us), at_us)))
            self.show(changes)

    def show(self, changes: Iterable[tuple[RelationState, Change]]) -> None:
        """Under the lock: make changes visible, and let those go on who waited for them."""
        for state, change in changes:
            if state.publish(change):
                self.worker.news(state.consumers)
        self.moved()

    def moved(self) -> None:
        """Under the lock: a frontier, a definition or a job's fate may have changed."""
        self.progress.moves += 1
        self.worker.moved()
        self.waiting.moved()

    def _owned(self, name: str) -> bool:
        """Whether a job writes this side output (a source's errors are written by the sequencer)."""
        relation = self.catalog.relations.get(name)
        return relation is not None and relation.owner in self.jobs

    def tidy_base(self) -> None:
        self._untidied = 0
        with self.lock:
            floor = self.floor()
            self.ticks.tidy(self.clock.now_us(), floor)
            for name, state in self.states.items():
                if name not in self.jobs and not self._owned(name):
                    state.tidy(self.clock.now_us(), floor)

    def forget(self) -> None:
        """Changes that need not be kept: before they are written down."""
        with self.lock:
            floor, now_us = self.floor(), self.clock.now_us()
            for state in self.states.values():
                if state.ready:
                    state.forget(now_us, floor)

    def floor(self) -> int:
        """No snapshot reads below this epoch: the least frontier of what is ready."""
        return min([s.frontier for s in self.states.values() if s.ready] + list(self.pins.values()), default=self.epoch)

    def take_answer(self, answer: Answer, epoch: int, at_us: int) -> None:
        with self.lock:
            job = self.jobs.get(answer.header.job)
            if job is not None and job.oid == answer.header.oid:
                given = LookupAnswer(answer.keys, answer.rows)
                job.answers.append(Answered(epoch, at_us, answer.header.node, given))
                self.worker.add(job)

    def _deliver(self, answer: Answer) -> None:
        try:
            self.submit(lambda epoch: epoch.answer(answer))
        except ConstellationError:
            return  # shutting down: the rows wait in the log and are asked for again

    def failed(self, error: BaseException) -> None:
        with self.lock:
            self.waiting.failure = error
            self.waiting.wake_all()

    def nudge(self) -> None:
        """A source may have got a reader: let the sequencer look again."""
        if self.sequencer is not None:
            self.sequencer.nudge()

    def wait(self, condition: Condition, cancelled: Cancellation | None = None, timeout: float | None = None) -> bool:
        """Until ``condition()`` (called under the lock) is true; False after ``timeout`` seconds."""
        return self.waiting.wait(condition, cancelled, timeout)


def _contents(relation: Relation) -> Contents:
    return AppendedRows(relation.schema) if relation.append_only else Arrangement(relation.schema)


def _contents_chunks(state: RelationState, epoch: int, rows: int) -> Chunks:
    whole = state.version().weighted(epoch)
    if whole.num_rows:
        for chunk in zset.chunks(whole, rows):
            yield chunk, NO_WATERMARK
