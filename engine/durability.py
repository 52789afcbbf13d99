"""Checkpoints and recovery: the engine's state on disk, and back.

A checkpoint holds, as of one epoch: the catalog, tables and views, every
operator's state, source positions and watermarks. It is taken between epochs,
when the jobs have caught up, or have come to rest where they are (``standings``),
and committed as one atomic batch; then the log is
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
from collections.abc import Callable, Hashable, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import structlog

from constellationdb.catalog.model import Alter, Create, Supersede
from constellationdb.engine import batch as zset
from constellationdb.engine.changelog import UNKNOWN_US, marked, packed, packed_marks, unpacked
from constellationdb.engine.contents import Contents
from constellationdb.engine.graph import CLOCK
from constellationdb.engine.job_checkpoints import job_manifest, restore_job
from constellationdb.engine.manifest import Manifest, SourceManifest, catalog_of
from constellationdb.engine.record import EpochRecord, decode_record
from constellationdb.engine.relation import RelationState
from constellationdb.engine.sequencer import Epoch
from constellationdb.engine.sources import SourceState
from constellationdb.engine.standings import named_jobs, read_since, release, settle, standings
from constellationdb.errors import DuplicateObject, FeatureNotSupported, ObjectNotReady
from constellationdb.storage.arrow_blobs import from_ipc, ipc_buffer
from constellationdb.storage.checkpoints.fallback import newest_whole
from constellationdb.storage.checkpoints.opening import open_checkpoints
from constellationdb.storage.checkpoints.reader import CheckpointInfo
from constellationdb.storage.checkpoints.store import CheckpointStore
from constellationdb.storage.directory import DataDirectory
from constellationdb.storage.epochlog import EpochLog, FileEpochLog, MemoryEpochLog

if TYPE_CHECKING:
    from constellationdb.engine.engine import Engine

INTERVAL_SECONDS = 10.0
_log = structlog.get_logger()


class Durability:
    """The log, the checkpoint store and the timer between them. Without a directory only a log in memory."""

    def __init__(self, engine: Engine, directory: Path | None, checkpoint_store: str | None = None) -> None:
        self._engine = engine
        self._directory = None if directory is None else DataDirectory(directory)
        self.log: EpochLog = MemoryEpochLog(keep=directory is not None)
        self._store: CheckpointStore | None = None
        if self._directory is not None:
            try:
                self._store = open_checkpoints(self._directory, checkpoint_store)
                self.log = FileEpochLog(self._directory.log, begins=max(self._store.epochs(), default=0) + 1)
            except BaseException:
                self.close()
                raise
        self._blobs: dict[str, str] = {}
        self._marks: dict[str, Hashable] = {}  # blob group → how much had happened to it when it was last written
        self._written: dict[str, int] = {}  # relation → the last epoch of those whose changes are in blobs
        self._anew: list[str] = []  # the views that recovery found failed
        self._passed_over: tuple[str, ...] = ()  # what was wrong with newer checkpoints at recovery
        self._redefined: set[str] = set()  # what has to be written as a whole the next time
        self.last: tuple[int, float, int] | None = None  # epoch, seconds, bytes: of this process' own
        self._taking = threading.Lock()
        self._covered = 0  # the epoch of the newest checkpoint on disk, whoever took it
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

    @property
    def store(self) -> CheckpointStore:
        """FeatureNotSupported where there is none."""
        if self._store is None:
            raise FeatureNotSupported(
                "there are no checkpoints without a data directory", hint="start the server with --dir"
            )
        return self._store

    def add_savepoint(self, name: str) -> None:
        """A checkpoint of everything acknowledged before the call, or one after it, gets the name."""
        store = self.store
        if store.has_name(name):
            raise DuplicateObject(f'savepoint "{name}" already exists')
        if self._engine.epoch == 0:
            raise ObjectNotReady(f'savepoint "{name}" was not created: nothing has happened yet')
        if not self.checkpoint_now():
            raise ObjectNotReady(
                f'savepoint "{name}" was not created: no checkpoint can be taken now',
                detail="the views have too much to do",
                hint="try again in some seconds",
            )
        with self._taking:
            store.add_name(name)

    def drop_savepoint(self, name: str) -> None:
        with self._taking:
            self.store.drop_name(name)

    def checkpoints(self) -> list[CheckpointInfo]:
        """Those there are, the newest first."""
        return [] if self._store is None else self._store.infos

    def redefined(self, names: set[str]) -> None:
        """What earlier checkpoints hold of these relations is not what they are now, and they have no history."""
        self._redefined |= names

    def handed_over(self, names: set[str]) -> None:
        """Their state is another job's, or was set up anew; their history goes on."""
        for name in names:
            self._marks.pop(f"contents/{name}", None)
            self._marks.pop(f"job/{name}", None)

    def checkpoint(self) -> int | None:
        """Take one now: its epoch, or None when there was nothing new, or the views do not come to rest."""
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
        if self._has_gone_on():
            self._engine.submit(Epoch.stand)
        taken: tuple[Manifest, dict[str, pa.Buffer]] | None = self._engine.submit(self._capture, first=True).result()
        if taken is None:
            return None
        manifest, blobs = taken
        begin = time.perf_counter()
        dropped = set(self._blobs.values()) - set(manifest.blobs.values())
        try:
            self._store.commit(manifest.epoch, msgspec.msgpack.encode(manifest), blobs, dropped)
        except BaseException:
            self._write_everything_anew()
            raise
        self._blobs, self._covered = dict(manifest.blobs), manifest.epoch
        self.log.truncate_before(self._store.oldest_retained() + 1)
        self.last = (manifest.epoch, time.perf_counter() - begin, sum(map(len, blobs.values())))
        return manifest.epoch

    def _write_everything_anew(self) -> None:
        """What a commit that failed had of the changes is in no checkpoint: the next one takes all there is."""
        with self._engine.lock:
            self._marks.clear()
            self._redefined |= {*self._engine.states, CLOCK}

    def _has_gone_on(self) -> bool:
        """Whether a first answer has, and nothing else: a checkpoint is of an epoch, so there has to be another one."""
        engine = self._engine
        with engine.lock:
            steps = {f"job/{job.name}": job.steps + 1 for job in named_jobs(engine) if job.progress is not None}
            return self._covered >= engine.epoch and any(self._marks.get(n, 1) != mark for n, mark in steps.items())

    def _capture(self, epoch: Epoch) -> tuple[Manifest, dict[str, pa.Buffer]] | None:
        """On the sequencer's thread, so that no epoch begins: wait for the jobs, then copy the state."""
        engine = self._engine
        number = epoch.number - 1
        if epoch.changes or epoch.record.commands or epoch.record.sequences:
            return None  # other requests of this epoch have touched tables already; the next try is soon
        if self._covered >= number:
            return None
        try:
            if not settle(engine, number):
                return None
            with engine.lock:
                return self._copy(number, epoch.at_us)
        finally:
            release(engine)

    def _copy(self, number: int, at_us: int) -> tuple[Manifest, dict[str, pa.Buffer]]:
        engine = self._engine
        fresh: dict[str, pa.Buffer] = {}
        names: dict[str, str] = {}
        standing = standings(engine, number)
        since = read_since(engine.jobs, standing, number)
        anew = {
            out.name for name, stands in standing.items() if stands.again for out in engine.jobs[name].outputs.all()
        }
        stored = {
            name: state
            for name, state in engine.states.items()
            if state.contents is not None and not name.startswith("#") and name not in anew
        }
        for name, state in stored.items():
            assert state.contents is not None
            mark = state.contents.changes, since.get(name)
            self._group(f"contents/{name}", mark, _reader(state.contents, since.get(name)), number, fresh, names)
        for name, stands in standing.items():
            job = engine.jobs[name]
            if not stands.again and stands.failure is None:
                self._group(f"job/{name}", job.steps + 1, job.graph.snapshot, number, fresh, names)
        read = {name: self._state(name) for name in since}
        for name, state in (stored | read).items():
            self._history(name, state, since.get(name), number, fresh, names)
        self._written = {name: epoch for name, epoch in self._written.items() if name in stored or name in read}
        manifest = Manifest(
            number,
            engine.catalog.version,
            engine.catalog.next_oid,
            list(engine.catalog.relations.values()),
            {n: _source_manifest(s) for n, s in engine.states.items() if isinstance(s, SourceState)},
            {name: job_manifest(engine.jobs[name], stands) for name, stands in standing.items()},
            names,
            {name: state.log.forgotten for name, state in (stored | read).items()},
            {sequence.relation.oid: sequence.logged for sequence in engine.sequences.values()},
            dict(engine.catalog.schemas),
            [(oid, column, text) for (oid, column), text in engine.catalog.comments.items()],
            {name: state.log.forgotten_us for name, state in (stored | read).items()},
            list(engine.catalog.functions.values()),
            at_us,
            since,
        )
        self._redefined.clear()
        return manifest, fresh

    def _state(self, name: str) -> RelationState:
        return self._engine.ticks if name == CLOCK else self._engine.states[name]

    def _history(
        self,
        name: str,
        state: RelationState,
        since: int | None,
        number: int,
        fresh: dict[str, pa.Buffer],
        names: dict[str, str],
    ) -> None:
        """The changes since the last checkpoint as blobs of their own, beside those that are still kept.

        Where a job has yet to do them (``since``), their watermarks too, and those that had no rows.
        """
        known = 0 if name in self._redefined else self._written.get(name, 0)
        changes = state.log.all_after(max(known, state.log.forgotten), number)
        self._written[name] = min(number, state.frontier)
        parts = {f"history/{name}/": (state.log.forgotten, packed(changes))}
        if since is not None:
            parts[f"marks/{name}/"] = (since, packed_marks(changes) if changes else None)
        for prefix, (forgotten, batch) in parts.items():
            if name not in self._redefined:
                names |= {n: k for n, k in self._blobs.items() if n.startswith(prefix) and _last(n) > forgotten}
            if batch is not None:
                key = f"{prefix}{number}"
                names[key], fresh[key] = key, ipc_buffer(batch)

    def _group(
        self,
        prefix: str,
        mark: Hashable,
        read: Callable[[], Mapping[str, pa.RecordBatch]],
        number: int,
        fresh: dict[str, pa.Buffer],
        names: dict[str, str],
    ) -> None:
        """Name the blobs of one state; write them anew only when something happened to it."""
        known = {n: k for n, k in self._blobs.items() if n.startswith(f"{prefix}/")}
        if known and self._marks.get(prefix) == mark and prefix.partition("/")[2] not in self._redefined:
            names |= known
            return
        for part, batch in read().items():
            name = f"{prefix}/{part}"
            names[name] = f"{name}@{number}"
            fresh[names[name]] = ipc_buffer(batch)
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
            for damage in self._passed_over:
                engine.restored += f"; passed over the damaged {damage}"
            if self._anew:
                engine.restored += f"; computing anew what had failed: {', '.join(self._anew)}"

    def _load_checkpoint(self) -> Manifest | None:
        if self._store is None or (found := newest_whole(self._store, self._read, self.log.first_epoch)) is None:
            return None
        (manifest, blobs), self._passed_over = found.value, found.passed_over
        engine = self._engine
        engine.catalog = catalog_of(manifest)
        for function in manifest.functions:
            engine.python.bind(function)
        engine.progress.epoch = manifest.epoch
        # A view comes after its side outputs, and after what it reads: the catalog keeps that order.
        engine.apply_command(Create(tuple(manifest.relations)), engine.catalog, manifest.epoch + 1, 0)
        for state in engine.states.values():
            state.born = 0
        for name, source in manifest.sources.items():
            state = engine.states[name]
            assert isinstance(state, SourceState)
            state.positions, state.ended = dict(source.positions), set(source.ended)
            state.watermark, state.rows = source.watermark, source.rows
            state.tracker.restore(source.watermark)
        anew = [name for name, job in manifest.jobs.items() if job.again]
        emptied = {out.name for name in anew for out in engine.jobs[name].outputs.all()}
        for name in {*engine.states, *manifest.since} - emptied:
            self._restore_relation(self._state(name), manifest, blobs)
        engine.restore_sequences(manifest.sequences)
        for name, job in manifest.jobs.items():
            restore_job(engine, name, job, _under(f"job/{name}/", blobs), manifest)
        with engine.lock:
            restored = {*engine.states, *manifest.since} - emptied
            self._written = {name: min(manifest.epoch, self._state(name).frontier) for name in restored}
        self._anew = [engine.catalog.get(name).shown for name in anew]
        self._blobs, self._covered = dict(manifest.blobs), manifest.epoch
        return manifest

    def _restore_relation(self, state: RelationState, manifest: Manifest, blobs: Mapping[str, pa.RecordBatch]) -> None:
        since = manifest.since.get(state.name)
        if state.contents is not None:
            rows = blobs[f"contents/{state.name}/"]
            if since is None:
                state.contents.restore(rows, manifest.epoch)
            else:
                state.restore_stamped(rows, since)
        if state.contents is not None or since is not None:
            state.log.forgotten = manifest.forgotten[state.name]
            state.log.forgotten_us = manifest.forgotten_us.get(state.name, UNKNOWN_US)
            history = _in_order(f"history/{state.name}/", blobs)
            changes = chain.from_iterable(map(unpacked, history))
            for change in marked(changes, _in_order(f"marks/{state.name}/", blobs)):
                if change.epoch > state.log.forgotten:
                    state.log.append(change)

    def _read(self, content: bytes) -> tuple[Manifest, dict[str, pa.RecordBatch]]:
        """A checkpoint with all its blobs, in memory."""
        assert self._store is not None
        manifest = msgspec.msgpack.decode(content, type=Manifest)
        parts = self._store.get_all(set(manifest.blobs.values()))
        return manifest, {name: from_ipc(parts[key]) for name, key in manifest.blobs.items()}

    def _replay(self, number: int, record: EpochRecord) -> None:
        """One logged epoch, exactly as it was: the same rows, ranges, answers and watermarks."""
        engine = self._engine
        deltas: dict[str, list[pa.RecordBatch]] = {}
        for command in record.commands:
            if isinstance(command, Alter | Supersede):
                engine.worker.drain(everything=True)  # the views it concerns had their first answers before it
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
        engine.worker.drain(everything=record.gone_back)
        if record.gone_back:
            with engine.lock:
                for state in engine.states.values():
                    state.log.begin_at(number, record.at_us)


def _last(name: str) -> int:
    """The last epoch of a blob of history."""
    return int(name.rpartition("/")[2])


def _in_order(prefix: str, blobs: Mapping[str, pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The blobs of a history or of its marks, oldest first."""
    return [blobs[name] for name in sorted((n for n in blobs if n.startswith(prefix)), key=_last)]


def _under(prefix: str, blobs: Mapping[str, pa.RecordBatch]) -> dict[str, pa.RecordBatch]:
    return {name[len(prefix) :]: batch for name, batch in blobs.items() if name.startswith(prefix)}


def _reader(contents: Contents, since: int | None) -> Callable[[], Mapping[str, pa.RecordBatch]]:
    return lambda: {"": contents.snapshot() if since is None else contents.stamped(since)}


def _source_manifest(state: SourceState) -> SourceManifest:
    return SourceManifest(dict(state.positions), sorted(state.ended), state.watermark, state.rows)
