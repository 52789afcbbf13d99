"""The chain of a state store's snapshots on the disk that forgets: the newest part is what the store held then."""

from __future__ import annotations

import errno
import random
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from unittest import mock

import pyarrow as pa

from constellationdb.errors import StorageFailure
from constellationdb.storage.state import logged
from constellationdb.storage.state.chain import SnapshotChain
from constellationdb.storage.state.logged import MemoryStateStore
from constellationdb.storage.state.store import BYTES
from tests.simulation.disk import CRASHES, CrashError, SimulatedDisk, Trouble
from tests.simulation.simulation import BASE

_KEYS = 30


class Snapshots:
    """``run`` one seed; AssertionError, or an error of the chain, when a store comes back as it never was."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.base = Path(tempfile.mkdtemp(prefix="simulated-", dir=BASE))
        self.disk = SimulatedDisk(self.base, self.draw)
        self.store = MemoryStateStore()
        self.held: dict[bytes, bytes] = {}
        self.then: dict[int, dict[bytes, bytes]] = {0: {}}  # by epoch, of every snapshot that was begun
        self.epoch = self.committed = 0

    def run(self) -> None:
        with mock.patch.object(logged, "LEAST_GARBAGE", 150):
            try:
                for _ in range(self.draw.randint(2, 5)):
                    self._live()
                    self.disk.restart()
            finally:
                shutil.rmtree(self.base, ignore_errors=True)

    def _live(self) -> None:
        folder = self.base / "chain"
        folder.mkdir(exist_ok=True)
        with suppress(CrashError):
            self.disk.sync_directory(self.base)
            chain = SnapshotChain(folder, most_deltas=self.draw.choice([2, 10]), disk=self.disk)
            self._restore(chain)
            for _ in range(self.draw.randint(1, 15)):
                self._change()
                if self.draw.random() < 0.5:
                    self._save(chain)
            self.disk.crash(self.draw.choice(CRASHES))

    def _restore(self, chain: SnapshotChain) -> None:
        self.store = MemoryStateStore()
        part = chain.restore(self.store)
        epoch = part.epoch if part else 0
        self.held = dict(self.store.range_scan(b"", None))
        assert epoch >= self.committed, f"epoch {self.committed} was committed, {epoch} is the newest"
        assert self.held == self.then[epoch], f"epoch {epoch} came back as {self.held}, it was {self.then[epoch]}"

    def _change(self) -> None:
        for _ in range(self.draw.randint(0, 12)):
            key = b"%d" % self.draw.randrange(_KEYS)
            value = b"%d" % self.draw.randrange(1000) if self.draw.random() < 0.6 else None
            self.store.put_many(pa.array([key], BYTES), pa.array([value], BYTES))
            self.held[key] = value or b""
            if value is None:
                del self.held[key]

    def _save(self, chain: SnapshotChain) -> None:
        """Written a while after it was begun, perhaps given up, perhaps in vain."""
        self.epoch += 1
        begun = chain.begin(self.store, self.epoch)
        self.then[self.epoch] = dict(self.held)
        if self.draw.random() < 0.3:
            self._change()
        if self.draw.random() < 0.1:
            return
        if self.draw.random() < 0.2:
            crash = self.draw.choice([None, *CRASHES])
            self.disk.set_trouble(Trouble(None, self.draw.randint(1, 12), crash, errno.ENOSPC))
        try:
            chain.write(begun)
        except StorageFailure as failure:
            if self.disk.has_crashed:
                raise CrashError from failure
            return
        finally:
            self.disk.set_trouble(None)
        chain.commit(begun)
        self.committed = self.epoch
        if self.draw.random() < 0.3:
            chain.prune()
