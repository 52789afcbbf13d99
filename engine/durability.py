"""The engine's state on disk: the epoch log, checkpoints that shorten it, and the timer between them.

A checkpoint holds, as of one epoch: the catalog, tables and views, every operator's state, source positions and
watermarks. It is taken beside the running epochs (``capture``), of what changed since the last one
(``checkpoint_blobs``), and committed as one; then the log is cut. ``recovery`` brings it all back.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import structlog

from constellationdb.engine.capture import Capture, Cut, mark_of, named_jobs
from constellationdb.engine.checkpoint_blobs import Draft, Written
from constellationdb.engine.checkpoint_settings import CheckpointSettings
from constellationdb.engine.going_back import (
    WentBack,
    finish_going_back,
    plan_going_back,
    require_whole,
    write_order,
)
from constellationdb.engine.graph import CLOCK
from constellationdb.engine.manifest import Manifest
from constellationdb.engine.relation import RelationState
from constellationdb.engine.sequencer import Epoch
from constellationdb.engine.standings import Standings
from constellationdb.errors import DuplicateObject, FeatureNotSupported, ObjectNotReady
from constellationdb.storage.checkpoints.opening import open_checkpoints
from constellationdb.storage.checkpoints.reader import CheckpointInfo
from constellationdb.storage.checkpoints.store import CheckpointStore
from constellationdb.storage.directory import DataDirectory
from constellationdb.storage.disk import DISK, Disk
from constellationdb.storage.epochlog import EpochLog, FileEpochLog, MemoryEpochLog
from constellationdb.storage.spool import Spool

if TYPE_CHECKING:
    from constellationdb.engine.changelog import Change, Undone
    from constellationdb.engine.engine import Engine
    from constellationdb.engine.job import Job

# Definitions make a checkpoint void that they come into; after so many of these they wait for one.
_VOID_IN_A_ROW = 3
_log = structlog.get_logger()


@dataclass(frozen=True)
class _History:
    """The changes of a relation that are to be written, see ``Draft.history``."""

    name: str
    changes: list[Change]
    forgotten: int
    upto: int
    since: int | None
    undone: list[Undone]


class Durability:
    """The log, the checkpoint store and the timer between them. Without a directory only a log in memory."""

    def __init__(
        self,
        engine: Engine,
        directory: Path | None,
        settings: CheckpointSettings = CheckpointSettings(),  # noqa: B008 - frozen
        disk: Disk = DISK,
    ) -> None:
        self._engine = engine
        self._settings = settings
        self._disk = disk
        self._taking = threading.Lock()
        self._directory = None if directory is None else DataDirectory(directory, disk)
        self.log: EpochLog = MemoryEpochLog(keep=directory is not None)
        self._store: CheckpointStore | None = None
        self.went_back: WentBack | None = None  # when it was opened
        self.has_lost_log = False  # as after the loss of the machine: there are only checkpoints, in an object store
        if self._directory is not None:
            try:
                self._open(self._directory)
            except BaseException:
                self.close()
                raise
        self._reset()

    def _open(self, directory: DataDirectory) -> None:
        Spool(directory.state).clear()
        self.went_back = finish_going_back(directory, disk=self._disk)
        self._store = open_checkpoints(directory, self._settings.store, self._disk, self._settings.kept)
        begins = max(self._store.epochs(), default=0) + 1
        self.has_lost_log = begins > 1 and not any(directory.log.glob("*.wal"))
        self.log = FileEpochLog(directory.log, disk=self._disk, begins=begins)

    def _reset(self) -> None:
        """Nothing is known yet of what is on disk."""
        self._written = Written()
        self._redefined: set[str] = set()  # what has to be written as a whole the next time
        self._handed_over: set[str] = set()  # what has to be looked at the next time, whatever its marks say
        self.last: tuple[int, float, int] | None = None  # epoch, seconds, bytes: of this process' own
        self._covered = 0  # the epoch of the newest checkpoint on disk, whoever took it
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)

    def start(self) -> None:
        if self._store is not None:
            self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        with self._engine.lock:
            self._engine.moved()
        if self._thread.is_alive():
            self._thread.join()

    def close(self) -> None:
        self._close_files()
        if self._directory is not None:
            self._directory.close()

    def _close_files(self) -> None:
        self.log.close()
        if self._store is not None:
            self._store.close()

    def go_back(self, epoch: int, next_oid: int) -> WentBack:
        """To its checkpoint, after ``stop``; recovery follows. The directory stays ours all the time."""
        assert self._directory is not None
        with self._taking:
            order = plan_going_back(self._directory, self.store, epoch, next_oid, self._engine.clock)
            write_order(self._directory, order, self._disk)
            self._close_files()
            self._open(self._directory)
            self._reset()
        assert self.went_back is not None
        return self.went_back

    def restored(self, written: Written, epoch: int) -> None:
        """Recovery has loaded the checkpoint of this epoch."""
        self._accept(written, epoch)

    # -- checkpoints ---------------------------------------------------------------------------

    def _run(self) -> None:
        pause = self._settings.pause_seconds(0.0)
        while not self._stopping.wait(pause):
            begin = time.perf_counter()
            try:
                taken = self.checkpoint()
            except Exception as error:
                _log.error("checkpoint failed", error=str(error))
            else:
                pause = self._settings.pause_seconds(0.0 if taken is None else time.perf_counter() - begin)

    @property
    def spool(self) -> Spool | None:
        """Where batches can lie that are too many for the memory."""
        return None if self._directory is None else Spool(self._directory.state)

    @property
    def is_kept(self) -> bool:
        """Whether there are checkpoints at all."""
        return self._store is not None

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

    def savepoint(self, name: str) -> int:
        """The epoch of the checkpoint with this name, which is whole."""
        epoch = self.store.named(name)
        require_whole(self.store, epoch)
        return epoch

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
        self._handed_over |= names

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
        cut: Cut | None = None
        self._engine.forget()
        for attempt in range(_VOID_IN_A_ROW + 1):
            capture = Capture(self._engine, self._known, self._stopping.is_set)
            try:
                if (cut := self._cut(capture, waits=attempt == _VOID_IN_A_ROW)) is None:
                    return None
                if not cut.waiting and (taken := self._assemble(capture, cut)) is not None:
                    return self._write(*taken)
                if capture.holds():
                    return None
            finally:
                capture.release()
                if cut is not None and self._covered < cut.number:  # the changes that jobs have told of are lost
                    self.handed_over({job.name for job, told in cut.jobs.items() if told.state is not None})
        return None

    def _known(self, job: Job) -> tuple[Hashable, bool]:
        """The mark of a job's state that is on disk, and whether changes can be added to that."""
        if job.name in self._handed_over:
            return None, False
        chain = self._written.job_chains.get(job.name)
        return self._written.marks.get(f"job/{job.name}"), chain is not None and not chain.is_long

    def _cut(self, capture: Capture, *, waits: bool) -> Cut | None:
        """``waits``: no epoch begins before all jobs have come to it."""

        def work(epoch: Epoch) -> Cut | None:
            cut = None if self._covered >= epoch.number - 1 else capture.cut(epoch)
            if cut is not None and waits:
                capture.collect()
            return cut

        found: Cut | None = self._engine.submit(work, first=True).result()
        if found is not None and not waits:
            capture.collect()
        return found

    def _has_gone_on(self) -> bool:
        """Whether a first answer has, and nothing else: a checkpoint is of an epoch, so there has to be another one."""
        engine = self._engine
        with engine.lock:
            marks = {f"job/{job.name}": mark_of(job) for job in named_jobs(engine) if job.progress is not None}
            known = self._written.marks
            return self._covered >= engine.epoch and any(known.get(name, mark) != mark for name, mark in marks.items())

    def _assemble(self, capture: Capture, cut: Cut) -> tuple[Draft, Manifest] | None:
        """What to write, once every job has been taken; None when something was defined meanwhile."""
        standings = Standings(
            {job: cut.jobs[job].position for job in cut.order},
            {job: taken.failure for job, taken in cut.jobs.items() if taken.failure is not None},
        )
        since, anew = self._read_since(cut, standings), standings.anew()
        stored = {name for name, state in cut.states.items() if state.contents is not None} - anew
        kept = {name: self._state(cut, name) for name in sorted(stored | since.keys())}
        positions = {out.name: taken.position for job, taken in cut.jobs.items() for out in job.outputs.all()}
        with self._engine.lock:
            if not capture.holds():
                return None
            draft = Draft(self._written, cut.number, self._redefined, self._handed_over)
            self._redefined, self._handed_over = set(), set()
            history = [
                self._history(draft, state, min(cut.number, positions.get(name, cut.number)), since.get(name))
                for name, state in kept.items()
            ]
            forgotten_us = {name: state.log.forgotten_us for name, state in kept.items()}
        for part in history:
            draft.history(part.name, part.changes, part.forgotten, part.upto, part.since)
        for name in sorted(stored):
            draft.contents(name, cut.catalog.relations[name].oid, cut.held[name], since.get(name))
        for job, stands in standings.of.items():
            if not stands.again and stands.failure is None:
                draft.job(job.name, cut.jobs[job])
        manifest = Manifest(
            cut.number,
            cut.catalog.version,
            cut.catalog.next_oid,
            list(cut.catalog.relations.values()),
            cut.sources,
            {
                job.name: msgspec.structs.replace(cut.jobs[job].manifest, again=s.again, failure=s.failure)
                for job, s in standings.of.items()
            },
            draft.names,
            {part.name: part.forgotten for part in history},
            cut.sequences,
            dict(cut.catalog.schemas),
            [(oid, column, text) for (oid, column), text in cut.catalog.comments.items()],
            forgotten_us,
            list(cut.catalog.functions.values()),
            cut.at_us,
            since,
            list(cut.catalog.types.values()),
            cut.sinks,
            cut.subscriptions,
            {part.name: part.undone for part in history if part.undone},
        )
        return draft, manifest

    def _read_since(self, cut: Cut, standings: Standings) -> dict[str, int]:
        """A source keeps only its log, so that is written as far as a sink still needs it."""
        since = standings.read_since(cut.number)
        with self._engine.lock:
            for sink in self._engine.sinks.values():
                known, name = cut.sinks.get(sink.relation.name), sink.follows.name
                if sink.follows.contents is None and known is not None and known.held < cut.number:
                    since[name] = min(since.get(name, cut.number), known.held)
        return since

    def _state(self, cut: Cut, name: str) -> RelationState:
        return self._engine.ticks if name == CLOCK else cut.states[name]

    def _history(self, draft: Draft, state: RelationState, upto: int, since: int | None) -> _History:
        forgotten = state.log.forgotten
        changes = state.log.all_after(max(draft.changes_known(state.name), forgotten), upto)
        undone = [gone for gone in state.log.undone if gone.epoch > forgotten]
        return _History(state.name, changes, forgotten, upto, since, undone)

    def _write(self, draft: Draft, manifest: Manifest) -> int:
        assert self._store is not None
        begin = time.perf_counter()
        dropped = set(self._written.names.values()) - set(draft.names.values())
        try:
            self._store.commit(manifest.epoch, msgspec.msgpack.encode(manifest), draft.fresh, dropped)
        except BaseException:
            self.redefined(draft.redefined)
            self.handed_over(draft.handed_over)
            raise
        self._accept(draft.accept(), manifest.epoch)
        self.log.truncate_before(self._store.oldest_retained() + 1)
        self.last = (manifest.epoch, time.perf_counter() - begin, sum(blob.size for blob in draft.fresh.values()))
        return manifest.epoch

    def _accept(self, written: Written, epoch: int) -> None:
        """From now on the relations remember what has changed since this checkpoint."""
        with self._engine.lock:
            self._written, self._covered = written, epoch
            for name, state in self._engine.states.items():
                chain = written.chains.get(name)
                state.written = -1 if chain is None or chain.epoch is None else chain.epoch
