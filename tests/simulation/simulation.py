"""One seed: some lives of a database on a disk that forgets, each with its clients, checkpoints, faults and its end.

    open ─▶ check ─▶ change, poll, work, follow, checkpoint, define, … ─▶ crash ─▶ open (crash ─▶ open …) ─▶ check …

What holds always: nothing acknowledged is lost, and nothing else is there but the one statement that was not answered,
all of it or none. Every view is the model's answer at every epoch that it tells of, told again it is the same. Every
checkpoint on the disk is whole after a crash, and says how far the source was read by the end of its epoch.
"""

from __future__ import annotations

import errno
import os
import random
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import TypeVar
from unittest import mock

import msgspec

from constellationdb.clock import ManualClock
from constellationdb.connectors import registry
from constellationdb.connectors.api import Options, SinkShape
from constellationdb.connectors.file_sink.sink import FileSink
from constellationdb.engine import batch as zset
from constellationdb.engine.manifest import Manifest
from constellationdb.errors import ConstellationError, StorageFailure
from constellationdb.storage.checkpoints import packing, reader
from constellationdb.storage.checkpoints.verifying import verify
from constellationdb.storage.disk import Disk
from constellationdb.storage.objects.local import LocalObjects
from tests.simulation.clients import Change, drawn_change, drawn_definition
from tests.simulation.disk import CRASHES, CrashError, Left, SimulatedDisk, Trouble
from tests.simulation.feed import Feed
from tests.simulation.follower import Follower
from tests.simulation.model import (
    OPTIONAL,
    SINKS,
    SOURCES,
    SUBSCRIPTION,
    TABLES,
    TARGET,
    VIEWS,
    History,
    Rows,
    State,
)
from tests.simulation.outputs import SimulatedReader, SimulatedSink
from tests.simulation.stepped import SteppedEngine

T = TypeVar("T")
FILES = [name for name, sink in SINKS.items() if sink.into is None]
BASE = "/dev/shm" if os.path.isdir("/dev/shm") else None

# Everything that is done to the disk, by the kind of file. Crashes and errors are aimed at these.
STEPS = [
    *("write in data/log", "sync in data/log", "rename in data/log", "sync names in data/log", "remove in data/log"),
    *("write in data/checkpoints/parts", "sync in data/checkpoints/parts", "rename in data/checkpoints/parts"),
    *("sync names in data/checkpoints/parts", "remove in data/checkpoints/parts"),
    *("write in data/checkpoints/manifests", "sync in data/checkpoints/manifests"),
    *("link in data/checkpoints/manifests", "sync names in data/checkpoints/manifests"),
    *("remove in data/checkpoints/manifests", "remove in data/checkpoints/owners"),
    *("write in data/checkpoints/owners", "sync in data/checkpoints/owners", "link in data/checkpoints/owners"),
    *("sync names in data/checkpoints/owners", "sync names in data/checkpoints/names"),
    *("write in data/checkpoints/names", "sync in data/checkpoints/names", "link in data/checkpoints/names"),
    "remove in data/checkpoints/names",
    *(f"{what} in out/{sink}/_constellation" for sink in FILES for what in ("write", "sync", "rename", "remove")),
    *(f"sync names in out/{sink}/_constellation" for sink in FILES),
    *(f"{what} in out/{sink}" for sink in FILES for what in ("rename", "sync names")),
]
RETENTION = ("remove in data/checkpoints/parts", "remove in data/checkpoints/manifests", "remove in data/log")


class Simulation:
    """``run`` one seed; AssertionError, or an error of the engine, when something is not as it must be."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.draw = random.Random(seed)
        self.trace: list[str] = []
        self.base = Path(tempfile.mkdtemp(prefix="simulated-", dir=BASE))
        self.data = self.base / "data"
        self.disk = SimulatedDisk(self.base, self.draw)
        self.clock = ManualClock(1_700_000_000_000_000)
        self.feed = Feed()
        self.focus = STEPS[seed % len(STEPS)]  # where it rather crashes than elsewhere
        self.sinks = [SimulatedSink(name, self.base / "out") for name in SINKS]
        self.reader = SimulatedReader("kept", "by_k")
        self.history = History()
        self.followers = [Follower(view) for view in VIEWS]
        self.engine: SteppedEngine | None = None
        self.under_way: tuple[State, State] | None = None  # what a statement that was not answered may have made of it
        self.published = 0
        self.damaged = False  # the newest manifest, and no other since
        self.flipped: set[str] = set()
        self.savepoints: set[str] = set()
        self.unsure: set[str] = set()  # savepoints of which nobody knows
        self.jumped = False  # the clock has, so that old changes may be forgotten
        self.counts: Counter[str] = Counter()

    # ------------------------------------------------------------------ a run

    def run(self) -> None:
        try:
            with self._surroundings():
                if self.draw.random() < 0.95:
                    self._begin_defined()
                for _ in range(self.draw.randint(1, 3)):
                    self._live()
                self._open(calm=True)
                self._finish()
        finally:
            self._abandon()
            shutil.rmtree(self.base, ignore_errors=True)

    @contextmanager
    def _surroundings(self) -> Iterator[None]:
        """One thread, chance of our own, and parts and packs so small that there are many."""
        with (
            mock.patch.dict(registry.SOURCES, {"simulated": lambda *_: self.feed}),
            mock.patch.dict(registry.SINKS, {"file": self._files}),
            mock.patch.object(os, "urandom", self.draw.randbytes),
            mock.patch.object(packing, "in_parallel", self._in_any_order),
            mock.patch.object(reader, "in_parallel", self._in_any_order),
            mock.patch.object(packing, "PACKED_BELOW", 2048),
            mock.patch.object(packing, "MAX_PACKS", 4),
        ):
            (self.base / "out").mkdir()
            self.disk.sync_directory(self.base)
            yield

    def _files(self, shape: SinkShape, options: Options, _: Disk) -> FileSink:
        return FileSink(shape, {**options, "path": str(self.base / "out" / options["path"])}, self.disk)

    def _in_any_order(self, work: Callable[[str], T], names: list[str]) -> list[T]:
        """One after the other, as they might come to an end."""
        done = {name: work(name) for name in self.draw.sample(names, len(names))}
        return [done[name] for name in names]

    def _begin_defined(self) -> None:
        """Most seeds begin with everything defined, as it takes its time."""
        self.disk.left, self.published = deepcopy(defined())
        self.disk.restart()

    def define(self) -> tuple[Left, int]:
        """What is left of a process that has defined everything."""
        with self._surroundings(), suppress(CrashError):
            self._open(calm=True)
            self.disk.crash("kill")
        left, engine = self.disk.left, self._running
        engine.abandon()
        assert left is not None
        return left, engine.epoch

    def _live(self) -> None:
        self._open()
        engine = self._running
        try:
            self._aim()
            for _ in range(self.draw.randint(2, 18)):
                self._arm(0.05)
                self._act()
                if engine.stepped._failure is not None:
                    break
            self._end()
        except CrashError:
            pass
        self._note_end()

    def _aim(self) -> None:
        """At the step that this seed crashes at, and do what leads there."""
        if self.draw.random() < 0.6 and not self.disk.crashed_at[self.focus]:
            self.disk.set_trouble(Trouble(self.focus, 1, self.draw.choice(CRASHES)))
            self._say(f"aimed: {self.focus}")
            for _ in range(5):
                self._change()
                if self.focus in RETENTION:
                    self._checkpoint()
                elif "/names" in self.focus:
                    self._savepoint()
                elif "out/" in self.focus:
                    self._running.work(20)
                    self._deliver()

    def _finish(self) -> None:
        """Everything that is to be delivered is."""
        self.disk.meanwhile = None
        while any(job.runnable() for job in self._running.jobs.values()):
            self._running.work(100)
        for _ in range(3):  # what one sink writes may be what another reads
            self._deliver(calm=True)
        for _ in range(2):
            self._read(1_000_000)
        assert not any(sink._is_behind() or sink.state == "failed" for sink in self._running.sinks.values())

    def _end(self) -> None:
        self.disk.set_trouble(None)
        self._say("ends")
        self.disk.crash(self.draw.choice(CRASHES))

    def _note_end(self) -> None:
        assert self.engine is not None
        self.published = max(self.published, self.engine.epoch)
        self._abandon()
        self.counts["crashes"] += 1
        self.disk.restart()

    def _abandon(self) -> None:
        """The process is gone, and what it had open."""
        self.disk.meanwhile = None
        for sink in self.sinks:
            sink.abandon()
        self.reader.attach()
        if self.engine is not None:
            self.engine.abandon()
            self.engine = None

    @property
    def _running(self) -> SteppedEngine:
        assert self.engine is not None
        return self.engine

    def _arm(self, probability: float, *folders: str) -> None:
        """Something will go wrong soon, perhaps: at what is done to a kind of file, or at any operation."""
        if self.draw.random() >= probability or self.disk.trouble is not None:
            return
        steps = [step for step in STEPS if step.endswith(folders)] if folders else STEPS
        step = self.draw.choice(steps) if folders or self.draw.random() < 0.6 else None
        count = self.draw.randint(1, 3 if step else 25)
        crash = self.draw.choice([None, *CRASHES, "power cut"])
        self.disk.set_trouble(Trouble(step, count, crash, self.draw.choice([errno.EIO, errno.ENOSPC])))
        self._say(f"armed: {self.disk.trouble}")

    def _say(self, what: str) -> None:
        self.trace.append(what)

    def told(self) -> list[str]:
        """What happened, without where it was and how long it took."""
        return [re.sub(r"simulated-\w+| in \d+\.\d+ s", "", what) for what in self.trace]

    # ------------------------------------------------------------------ opening

    def _open(self, *, calm: bool = False) -> None:
        """Until it succeeds: crashes and faults in between, no more than three."""
        if not calm:
            self._damage()
        for attempt in range(4):
            self._check_checkpoints()
            if not calm and attempt < 3:
                self._arm(0.35)
                if self.disk.trouble is None and "owners" in self.focus and self.draw.random() < 0.3:
                    self.disk.set_trouble(Trouble(self.focus, 1, self.draw.choice(CRASHES)))
            try:
                self.engine = None
                self.engine = SteppedEngine(self.data, self.disk, self.clock, self.draw)
                self.engine.start()
                self.disk.set_trouble(None)
                self._recovered()
                self.disk.meanwhile = self._meanwhile
                return
            except CrashError:
                self._say("crashed while it opened")
            except StorageFailure as failure:
                if self.disk.has_crashed:
                    self._say("crashed while it opened")
                else:
                    self._say(f"was not opened: {failure.message}")
                    with suppress(CrashError):
                        self.disk.crash(self.draw.choice(CRASHES))
            assert attempt < 3, "it does not open"
            self.counts["crashes while opening"] += 1
            self._abandon()
            self.disk.restart()

    def _damage(self) -> None:
        """A bit of the newest manifest flips, where there is another one to go back to."""
        manifests = sorted((self.data / "checkpoints/manifests").glob("0*[0-9]"))
        if len(manifests) < 2 or self.damaged or self.draw.random() > 0.3:
            return
        self.disk.flip(manifests[-1], self.draw)
        self.damaged = True
        self.flipped.add(manifests[-1].name)
        self._say(f"damaged: {manifests[-1].name}")

    def _check_checkpoints(self) -> None:
        folder = self.data / "checkpoints"
        if folder.exists():
            findings = [damage for finding in verify(LocalObjects(folder)) for damage in finding.damages]
            found = [damage for damage in findings if not any(name in damage for name in self.flipped)]
            assert not found, f"after a crash: {found}"

    def _recovered(self) -> None:
        engine = self._running
        self._say(str(engine.restored))
        assert self.published <= engine.epoch <= self.published + 1, f"{self.published} became {engine.epoch}"
        assert self.damaged or "passed over" not in (engine.restored or "")
        if self.damaged and "passed over" in (engine.restored or ""):
            self.counts["fallbacks"] += 1
        self._settle(engine.epoch)
        self._define_missing()
        self._check_tables()
        self._check_names()
        for follower in self.followers:
            follower.attach(engine, self.draw, forgets=self.jumped)
        self._follow_all()

    def _settle(self, epoch: int) -> None:
        """What was under way has happened, or it has not."""
        if self.under_way is not None:
            before, after = self.under_way
            there = frozenset(name for name in OPTIONAL if name in self._running.catalog.relations)
            state = after if epoch > self.published and after.there == there else before
            if after.there != before.there:
                state = after if there == after.there else before
            self.history.add(max(epoch, self.published), state)
            self.under_way = None
        self.published = epoch
        self._note_position()

    def _define_missing(self) -> None:
        """What the first life did not come to define."""
        engine = self._running
        for name, statement in {**TABLES, **SOURCES}.items():
            if name not in engine.catalog.relations and name not in OPTIONAL:
                self._execute(statement, self.history.now)
        for name, query in VIEWS.items():
            if name not in engine.catalog.relations and name not in OPTIONAL:
                self._execute(f"CREATE MATERIALIZED VIEW {name} AS {query}", self.history.now)
        sinks = {name: sink.definition(name) for name, sink in SINKS.items()}
        for name, statement in {"ours": TARGET, "kept": SUBSCRIPTION, **sinks}.items():
            if name not in engine.catalog.relations:
                self._execute(statement, self.history.now)

    def _check_tables(self) -> None:
        engine, now = self._running, self.history.now
        assert frozenset(name for name in OPTIONAL if name in engine.catalog.relations) == now.there
        for name in TABLES:
            if name in engine.states:
                batch = zset.weighted(engine.states[name].version().weighted(engine.epoch))
                *columns, weights = [column.to_pylist() for column in batch.columns]
                rows: Rows = Counter()
                for row, n in zip(zip(*columns, strict=True), weights, strict=True):
                    rows[row] += n
                assert rows == now.rows(name, 0), f"{name} holds {rows} instead of {now.rows(name, 0)}"

    def _check_names(self) -> None:
        store = self._running.durability.store
        names = {name for info in store.infos for name in info.names}
        if not self.flipped:  # the name of a checkpoint that was damaged goes with it
            assert self.savepoints - self.unsure <= names <= self.savepoints | self.unsure
        self.savepoints, self.unsure = names, set()

    # ------------------------------------------------------------------ what happens in a life

    def _act(self) -> None:
        actions: list[tuple[int, Callable[[], None]]] = [
            (40, self._change),
            (12, self._poll),
            (20, lambda: self._running.work(self.draw.randint(1, 12))),
            (12, self._follow_all),
            (12, self._deliver),
            (8, lambda: self._read(self.draw.randint(1, 9))),
            (16, self._checkpoint),
            (5, self._define),
            (4, self._savepoint),
            (3, self._tidy),
        ]
        weights, works = zip(*actions, strict=True)
        self.draw.choices(works, weights)[0]()

    def _between(self) -> None:
        """While a checkpoint is taken."""
        if self.draw.random() < 0.8:
            self._change()
        else:
            self._poll()

    def _meanwhile(self) -> None:
        """Before something is done to a slow disk."""
        if not self._running.stepped.busy:
            self.clock.advance(0.05)
            works: list[Callable[[], None]] = [self._between, self._follow_all, lambda: self._running.work(3)]
            self.draw.choice(works)()

    def _change(self) -> None:
        change = drawn_change(self.history.now, self.draw)
        if change is not None:
            self._execute_change(change)

    def _execute_change(self, change: Change) -> None:
        self.clock.advance(0.001)
        self._execute(change.text, change.after)

    def _execute(self, text: str, after: State) -> None:
        """A statement or transaction that is acknowledged, or under way for ever."""
        engine, before = self._running, self.history.now
        self.under_way = (before, after)
        session = engine.session()
        self._say(text)
        try:
            for statement in text.split("; "):
                list(session.execute(statement))
        except ConstellationError as error:
            self._require_reason(error)
            return
        epoch = session.last_epoch or engine.epoch
        if after is not before:
            self.history.add(max(epoch, max(self.history._states)), after)
        self.under_way = None
        self._note_position()

    def _require_reason(self, error: ConstellationError) -> None:
        """Of an error: the disk was in the way. A crash is told on."""
        self._say(f"error: {error.message}")
        if self.disk.has_crashed:
            raise CrashError from error
        assert self._running.stepped._failure is not None, f"{error.message}: {error.detail}"

    def _note_position(self) -> None:
        """How far the source was read at an epoch, which is the same whenever it is told."""
        engine = self._running
        state = engine.sources.get("feed")
        if state is not None:
            at = state.positions.get("0", {}).get("n", 0)
            assert self.history.fed.setdefault(engine.epoch, at) == at, f"epoch {engine.epoch} read up to {at}"

    def _poll(self) -> None:
        self.feed.there += self.draw.randint(0, 9)
        self.clock.advance(0.01)
        engine = self._running
        engine.stepped.step()
        self._say(f"polled, epoch {engine.epoch}")
        if self.disk.has_crashed:
            raise CrashError
        if engine.stepped._failure is None:
            self._note_position()

    def _follow_all(self) -> None:
        for follower in self.followers:
            if follower.relation not in self._running.states:
                follower.restart()
            else:
                follower.follow(self._running, self.history, forgets=self.jumped)

    def _deliver(self, *, calm: bool = False) -> None:
        """Some commits of each sink, in any order; all that there is to commit when it is ``calm``."""
        most = 1000 if calm else 5
        for sink in self.draw.sample(self.sinks, len(self.sinks)):
            self._say(f"delivers: {sink.name}")
            if not calm:
                self._arm(0.1, "log", "_constellation")
            try:
                while most and sink.step(self._running):
                    most -= 1
            except ConstellationError as error:
                self._require_reason(error)
                return
            if self.disk.has_crashed:
                raise CrashError
            self._note_position()
            self.counts["sinks compared"] += sink.check(self._running, self.history)

    def _read(self, count: int) -> None:
        self._say(f"reads {count}")
        try:
            self.reader.step(self._running, self.history, count)
        except ConstellationError as error:
            self._require_reason(error)
        else:
            self._note_position()
            self.counts["reads"] += 1

    def _checkpoint(self) -> None:
        engine = self._running
        self._say("checkpoint")
        self._arm(0.35, "parts", "manifests", "log")
        try:
            engine.between = self._between
            epoch = engine.durability.checkpoint()
        except ConstellationError as error:
            self._say(f"error: {error.message}")
            if self.disk.has_crashed:
                raise CrashError from error
            self.counts["failed checkpoints"] += 1
            return
        finally:
            engine.between = None
        if self.disk.has_crashed:
            raise CrashError
        self._say(f"checkpoint of epoch {epoch}")
        if epoch is not None:
            self.counts["checkpoints"] += 1
            self.damaged = False
            self._check_manifest(epoch)

    def _check_manifest(self, epoch: int) -> None:
        latest = self._running.durability.store.latest()
        assert latest is not None
        assert latest[0] == epoch
        manifest = msgspec.msgpack.decode(latest[1], type=Manifest)
        if "feed" in manifest.sources and epoch in self.history.fed:
            assert manifest.sources["feed"].positions.get("0", {}).get("n", 0) == self.history.fed[epoch]

    def _define(self) -> None:
        definition = drawn_definition(self.history.now, self.draw)
        self._execute(definition.text, definition.after)
        if self.under_way is None:
            for follower in self.followers:
                if follower.relation == "extra":
                    follower.restart()

    def _savepoint(self) -> None:
        durability = self._running.durability
        name = f"s{self.draw.randrange(2)}"
        self._say(f"savepoint {name}")
        self._arm(0.5, "names")
        self.unsure.add(name)
        try:
            if name in self.savepoints:
                durability.drop_savepoint(name)
                self.savepoints.discard(name)
            else:
                durability.add_savepoint(name)
                self.savepoints.add(name)
        except ConstellationError as error:
            self._say(f"error: {error.message}")
            if self.disk.has_crashed:
                raise CrashError from error
            return
        self.unsure.discard(name)

    def _tidy(self) -> None:
        """As after many epochs; sometimes old changes are forgotten."""
        engine = self._running
        seconds = self.draw.choice([0.0, 0.0, 200.0, 400.0])
        self.jumped |= seconds > 0
        self.clock.advance(seconds)
        engine.tidy_base()
        engine.worker._tidy_views()


@cache
def defined() -> tuple[Left, int]:
    simulation = Simulation(0)
    try:
        return simulation.define()
    finally:
        shutil.rmtree(simulation.base)
