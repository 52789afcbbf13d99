"""Checkpoints and recovery: the engine's state on disk, and back.

A checkpoint holds, as of one epoch: the catalog, tables and views, every
operator's state, source positions and watermarks. It is taken between epochs,
when all jobs have caught up, and committed as one atomic batch; then the log is
cut. Recovery restores the last one and replays the log's epochs with their own
numbers, so nothing that was acknowledged or seen is different afterwards. The
changes that are still kept go with it: a token that was good before a restart
is good after it.

Simplification: a checkpoint writes the whole state of what changed since the
last one, not the changed rows.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import structlog

from constellationdb.catalog.catalog import Catalog
from constellationdb.catalog.model import Alter, Create, Function, Relation
from constellationdb.connectors.api import Position
from constellationdb.engine import batch as zset
from constellationdb.engine.changelog import UNKNOWN_US, packed, unpacked
from constellationdb.engine.job import Job
from constellationdb.engine.record import EpochRecord, decode_record
from constellationdb.engine.relation import RelationState
from constellationdb.engine.sequences import SequencePosition
from constellationdb.engine.sources import SourceState
from constellationdb.errors import CorruptState
from constellationdb.storage.arrow_blobs import from_ipc, to_ipc
from constellationdb.storage.checkpoints import CheckpointStore, RocksCheckpointStore
from constellationdb.storage.directory import DataDirectory
from constellationdb.storage.epochlog import EpochLog, FileEpochLog, MemoryEpochLog

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine
    from constellationdb.engine.sequencer import Epoch

INTERVAL_SECONDS = 10.0
_log = structlog.get_logger()


class SourceManifest(msgspec.Struct, frozen=True):
    positions: dict[str, Position]
    ended: list[str]
    watermark: int
    rows: int


class JobManifest(msgspec.Struct, frozen=True):
    watermarks: dict[str, int]
    view_watermark: int
    used: int
    late: int
    windowed: dict[int, tuple[int, int]] = {}  # by node: used and late


class Manifest(msgspec.Struct, frozen=True):
    """``blobs``: name → the key it is stored under; unchanged ones keep the key of an earlier checkpoint."""

    epoch: int
    catalog_version: int
    next_oid: int
    relations: list[Relation]
    sources: dict[str, SourceManifest]
    jobs: dict[str, JobManifest]
    blobs: dict[str, str]
    forgotten: dict[str, int]  # relation → the changes up to this epoch are no longer kept
    sequences: dict[int, SequencePosition] = {}  # by oid
    schemas: dict[str, int] | None = None  # None: written when there was public alone, and no comments
    comments: list[tuple[int, str, str]] = []
    forgotten_us: dict[str, int] = {}  # … which all were made by that time
    functions: list[Function] = []


def catalog_of(manifest: Manifest) -> Catalog:
    relations = {r.name: r for r in manifest.relations}
    functions = {f.oid: f for f in manifest.functions}
    catalog = Catalog(manifest.catalog_version, manifest.next_oid, relations, functions=functions)
    if manifest.schemas is None:
        return catalog
    comments = {(oid, column): text for oid, column, text in manifest.comments}
    return replace(catalog, schemas=manifest.schemas, comments=comments)


class Durability:
    """The log, the checkpoint store and the timer between them. Without a directory only a log in memory."""

    def __init__(self, engine: Engine, directory: Path | None) -> None:
        self._engine = engine
        self._directory = None if directory is None else DataDirectory(directory)
        self.log: EpochLog = MemoryEpochLog(keep=directory is not None)
        self._store: CheckpointStore | None = None
        if self._directory is not None:
            self.log = FileEpochLog(self._directory.log)
            self._store = RocksCheckpointStore(self._directory.checkpoints)
        self._blobs: dict[str, str] = {}
        self._marks: dict[str, int] = {}  # blob group → how much had happened to it when it was last written
        self._redefined: set[str] = set()  # what has to be written as a whole the next time
        self.last: tuple[int, float, int] | None = None  # epoch, seconds, bytes: of this process' own
        self._taking = threading.Lock()
        self._covered = -1  # the epoch of the newest checkpoint on disk, whoever took it
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        if self._store is not None:
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def close(self) -> None:
        self.log.close()
        if self._store is not None:
            self._store.close()
        if self._directory is not None:
            self._directory.close()

    # -- checkpoints ---------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL_SECONDS):
            try:
                self.checkpoint()
            except Exception as error:
                _log.error("checkpoint failed", error=str(error))

    def redefined(self, names: set[str]) -> None:
        """What earlier checkpoints hold of these relations is not what they are now, and they have no history."""
        self._redefined |= names

    def handed_over(self, names: set[str]) -> None:
        """Their state is another job's, or was set up anew; their history goes on."""
        for name in names:
            self._marks.pop(f"contents/{name}", None)
            self._marks.pop(f"job/{name}", None)

    def checkpoint(self) -> int | None:
        """Take one now: its epoch, or None when there was nothing new, or a view is still being built."""
        with self._taking:
            return self._take()

    def checkpoint_now(self) -> bool:
        """Whether everything that was acknowledged before the call is in a checkpoint, if there are any here."""
        epoch = self._engine.epoch
        return self._store is None or self._covered >= epoch or self.checkpoint() is not None or self._covered >= epoch

    def _take(self) -> int | None:
        if self._store is None:
            return None
        # As if it defined something: before any change of its epoch.
        taken: tuple[Manifest, dict[str, bytes]] | None = self._engine.submit(self._capture, first=True).result()
        if taken is None:
            return None
        manifest, blobs = taken
        begin = time.perf_counter()
        dropped = set(self._blobs.values()) - set(manifest.blobs.values())
        self._store.commit(manifest.epoch, msgspec.msgpack.encode(manifest), blobs, dropped)
        self._blobs, self._covered = dict(manifest.blobs), manifest.epoch
        self.log.truncate_before(manifest.epoch + 1)
        self.last = (manifest.epoch, time.perf_counter() - begin, sum(map(len, blobs.values())))
        return manifest.epoch

    def _capture(self, epoch: Epoch) -> tuple[Manifest, dict[str, bytes]] | None:
        """On the sequencer's thread, so that no epoch begins: wait for the jobs, then copy the state."""
        engine = self._engine
        number = epoch.number - 1
        if epoch.changes or epoch.record.commands or epoch.record.sequences:
            return None  # other requests of this epoch have touched tables already; the next try is soon
        if self._covered >= number:
            return None
        jobs = list(engine.jobs.values())
        if any(j.starting or j.failure is not None for j in jobs):
            return None
        if not engine.wait(lambda: all(j.reached() >= number for j in jobs), timeout=2.0):
            return None
        with engine.lock:
            return self._copy(number)

    def _copy(self, number: int) -> tuple[Manifest, dict[str, bytes]]:
        engine = self._engine
        fresh: dict[str, bytes] = {}
        names: dict[str, str] = {}
        for name, state in engine.states.items():
            if state.contents is not None and not name.startswith("#"):
                mark = state.contents.changes
                self._group(f"contents/{name}", mark, lambda s=state: {"": s.contents.snapshot()}, number, fresh, names)
        for name, job in engine.jobs.items():
            if not name.startswith("#"):
                self._group(f"job/{name}", job.counters.epochs + 1, job.graph.snapshot, number, fresh, names)
        stored = {n: s for n, s in engine.states.items() if s.contents is not None and not n.startswith("#")}
        for name, state in stored.items():
            self._history(name, state, number, fresh, names)
        manifest = Manifest(
            number,
            engine.catalog.version,
            engine.catalog.next_oid,
            list(engine.catalog.relations.values()),
            {n: _source_manifest(s) for n, s in engine.states.items() if isinstance(s, SourceState)},
            {name: _job_manifest(job) for name, job in engine.jobs.items() if not name.startswith("#")},
            names,
            {name: state.log.forgotten for name, state in stored.items()},
            {sequence.relation.oid: sequence.logged for sequence in engine.sequences.values()},
            dict(engine.catalog.schemas),
            [(oid, column, text) for (oid, column), text in engine.catalog.comments.items()],
            {name: state.log.forgotten_us for name, state in stored.items()},
            list(engine.catalog.functions.values()),
        )
        self._redefined.clear()
        return manifest, fresh

    def _history(
        self, name: str, state: RelationState, number: int, fresh: dict[str, bytes], names: dict[str, str]
    ) -> None:
        """The changes since the last checkpoint as a blob of their own, beside those that are still kept."""
        prefix = f"history/{name}/"
        if name not in self._redefined:
            names |= {n: k for n, k in self._blobs.items() if n.startswith(prefix) and _last(n) > state.log.forgotten}
        batch = packed(state.log.all_after(max(self._covered, state.log.forgotten), number))
        if batch is not None:
            key = f"{prefix}{number}"
            names[key], fresh[key] = key, to_ipc(batch)

    def _group(
        self, prefix: str, mark: int, read: object, number: int, fresh: dict[str, bytes], names: dict[str, str]
    ) -> None:
        """Name the blobs of one state; write them anew only when something happened to it."""
        known = {n: k for n, k in self._blobs.items() if n.startswith(f"{prefix}/")}
        if known and self._marks.get(prefix) == mark and prefix.partition("/")[2] not in self._redefined:
            names |= known
            return
        for part, batch in read().items():  # type: ignore[operator]
            name = f"{prefix}/{part}"
            names[name] = f"{name}@{number}"
            fresh[names[name]] = to_ipc(batch)
        self._marks[prefix] = mark

    # -- recovery ------------------------------------------------------------------------------

    def recover(self) -> None:
        """Bring the engine to the last acknowledged epoch. Called before its threads run."""
        begin = time.perf_counter()
        manifest = self._load_checkpoint()
        replayed = 0
        start = 1 if manifest is None else manifest.epoch + 1
        for number, payload in self.log.read_from(start):
            self._replay(number, decode_record(payload))
            replayed += 1
        engine = self._engine
        for state in engine.states.values():
            if isinstance(state, SourceState):
                state.reopen()
        if manifest is not None or replayed:
            at = f"checkpoint of epoch {manifest.epoch}" if manifest else "the log alone"
            engine.restored = (
                f"restored epoch {engine.epoch} from {at} and {replayed} replayed epochs"
                f" in {time.perf_counter() - begin:.2f} s"
            )

    def _load_checkpoint(self) -> Manifest | None:
        if self._store is None or (latest := self._store.latest()) is None:
            return None
        manifest = msgspec.msgpack.decode(latest[1], type=Manifest)
        engine = self._engine
        engine.catalog = catalog_of(manifest)
        for function in manifest.functions:
            engine.python.bind(function)
        engine.progress.epoch = manifest.epoch
        # A view comes after its side outputs, and after what it reads: the catalog keeps that order.
        engine.apply_command(Create(tuple(manifest.relations)), engine.catalog, manifest.epoch + 1, 0)
        for state in engine.states.values():
            state.born = 0
        blobs = {n: from_ipc(self._need(k)) for n, k in manifest.blobs.items()}
        for name, source in manifest.sources.items():
            state = engine.states[name]
            assert isinstance(state, SourceState)
            state.positions, state.ended = dict(source.positions), set(source.ended)
            state.watermark, state.rows = source.watermark, source.rows
            state.tracker.restore(source.watermark)
        for name, state in engine.states.items():
            if state.contents is not None:
                state.contents.restore(blobs[f"contents/{name}/"], manifest.epoch)
                self._restore_history(state, manifest, blobs)
        engine.restore_sequences(manifest.sequences)
        for name, job_manifest in manifest.jobs.items():
            self._restore_job(name, job_manifest, blobs, manifest.epoch)
        self._blobs, self._covered = dict(manifest.blobs), manifest.epoch
        return manifest

    def _restore_history(self, state: RelationState, manifest: Manifest, blobs: Mapping[str, pa.RecordBatch]) -> None:
        state.log.forgotten = manifest.forgotten[state.name]
        state.log.forgotten_us = manifest.forgotten_us.get(state.name, UNKNOWN_US)
        for name in sorted((n for n in blobs if n.startswith(f"history/{state.name}/")), key=_last):
            for change in unpacked(blobs[name]):
                if change.epoch > state.log.forgotten:
                    state.log.append(change)

    def _restore_job(self, name: str, manifest: JobManifest, blobs: Mapping[str, pa.RecordBatch], epoch: int) -> None:
        job = self._engine.jobs[name]
        prefix = f"job/{name}/"
        state = {n[len(prefix) :]: b for n, b in blobs.items() if n.startswith(prefix)}
        job.graph.restore(state, manifest.watermarks, epoch)
        job.reload(epoch)
        job.backfill = None
        job.position = epoch
        job.counters.used, job.counters.late = manifest.used, manifest.late
        job.graph.windowed |= manifest.windowed
        for out in job.outputs.all():
            out.ready = True
        job.outputs.view.watermark = manifest.view_watermark
        for given in job.inputs.values():
            given.consumers.add(job)
        job.look_at_clock()

    def _need(self, key: str) -> bytes:
        assert self._store is not None
        data = self._store.get(key)
        if data is None:
            raise CorruptState(f"the checkpoint lacks its part {key}")
        return data

    def _replay(self, number: int, record: EpochRecord) -> None:
        """One logged epoch, exactly as it was: the same rows, ranges, answers and watermarks."""
        engine = self._engine
        deltas: dict[str, list[pa.RecordBatch]] = {}
        for command in record.commands:
            if isinstance(command, Alter):
                engine.worker.drain()  # a view that the same epoch brought has its first answer before, as it had then
            engine.apply_command(command, engine.catalog.apply(command), number, record.at_us)
        for name, delta in record.deltas:
            state = engine.states.get(name)
            if state is None:
                continue  # changed and dropped within one epoch
            if state.contents is not None:
                state.contents.apply(delta, number)
            elif isinstance(state, SourceState):
                state.push(delta)
            deltas.setdefault(name, []).append(delta)
        for read in record.ranges:
            source = engine.states.get(read.source)
            if isinstance(source, SourceState):
                deltas.setdefault(read.source, []).extend(source.replay_range(read))
        for answer in record.answers:
            engine.take_answer(answer, number, record.at_us)
        whole = {name: w for name, parts in deltas.items() if (w := zset.concat(parts)) is not None}
        engine.restore_sequences(record.sequences)
        for name, watermark in record.watermarks.items():
            source = engine.states.get(name)
            if isinstance(source, SourceState):
                source.tracker.restore(watermark)
        engine.publish_base(number, record.at_us, whole, record.watermarks)
        engine.worker.drain()


def _last(name: str) -> int:
    """The last epoch of a blob of history."""
    return int(name.rpartition("/")[2])


def _job_manifest(job: Job) -> JobManifest:
    counted = job.counters.used, job.counters.late
    return JobManifest(job.graph.watermarks(), job.outputs.view.watermark, *counted, dict(job.graph.windowed))


def _source_manifest(state: SourceState) -> SourceManifest:
    return SourceManifest(dict(state.positions), sorted(state.ended), state.watermark, state.rows)
