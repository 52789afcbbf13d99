"""Commits that end at every step of theirs, by a power cut or a failing disk: the checkpoint before, or the new one."""

from __future__ import annotations

import errno
import os
import random
from contextlib import suppress
from pathlib import Path

import pytest

from constellationdb.errors import StorageFailure
from constellationdb.storage.buffers import Bytes, as_view, size_of
from constellationdb.storage.checkpoints import packing
from constellationdb.storage.checkpoints.opening import open_checkpoints
from constellationdb.storage.checkpoints.store import CheckpointStore
from constellationdb.storage.checkpoints.verifying import verify
from constellationdb.storage.directory import DataDirectory
from constellationdb.storage.disk import Disk
from constellationdb.storage.objects.local import LocalObjects
from tests.simulation.disk import CrashError, SimulatedDisk, Trouble

_STEPS = 20  # more than a commit has


class PowerCut(BaseException):
    pass


class FailingDisk(Disk):
    """Ends at its ``steps``-th call, and knows what of it a power cut may take."""

    def __init__(self, steps: int, error: BaseException) -> None:
        self.left = steps
        self.error = error
        self.unsynced: set[int] = set()  # inodes
        self.durable: set[Path] = set()  # names

    def _step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise self.error

    def write(self, fd: int, data: Bytes) -> None:
        self.unsynced.add(os.fstat(fd).st_ino)
        if self.left == 0:
            super().write(fd, as_view(data)[: size_of(data) // 2])
        self._step()
        super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._step()
        super().sync(fd)
        self.unsynced.discard(os.fstat(fd).st_ino)

    def sync_directory(self, path: Path) -> None:
        self._step()
        super().sync_directory(path)
        self.durable |= set(path.iterdir())

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)

    def cut_power(self, root: Path, before: set[Path]) -> None:
        """The worst that may be left: new names that were not synced are gone, content that was not is torn."""
        for path in [path for path in root.rglob("*") if path.is_file()]:
            if path not in self.durable | before:
                path.unlink()
            elif path.stat().st_ino in self.unsynced:
                os.truncate(path, path.stat().st_size // 2)


_BLOBS = [{"a": b"1" * 50, "b": b"1" * 2000}, {"b": b"2" * 3000, "c": b"2" * 50}, {"a": b"3" * 60}]
_STATES = [_BLOBS[0], {"a": b"1" * 50, **_BLOBS[1]}, {"b": b"2" * 3000, "a": b"3" * 60}]


def _commit(store: CheckpointStore, number: int) -> None:
    store.commit(number + 1, b"m%d" % number, _BLOBS[number], deleted=["c"] if number == 2 else ())


@pytest.fixture(autouse=True)
def _small_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "PACKED_BELOW", 1000)
    monkeypatch.setattr("constellationdb.storage.checkpoints.reader.PARALLEL", 1)  # the same steps in the same order


@pytest.mark.parametrize("steps", range(_STEPS))
def test_a_power_cut_at_any_step(tmp_path: Path, steps: int) -> None:
    root, cut = tmp_path / "store", PowerCut()
    store = CheckpointStore(LocalObjects(root), retained=1)
    _commit(store, 0)
    _commit(store, 1)
    disk = FailingDisk(10**9, cut)
    store = CheckpointStore(LocalObjects(root, disk), retained=1)
    before = set(root.rglob("*"))
    disk.left = steps
    try:
        _commit(store, 2)
        allowed = {2}
    except PowerCut:
        allowed = {1, 2}
    disk.cut_power(root, before)
    objects = LocalObjects(root)
    objects.settle()
    store = CheckpointStore(objects, retained=1)
    epoch, manifest = store.latest() or (0, b"")
    assert epoch - 1 in allowed
    assert (manifest, dict(store.blobs())) == (b"m%d" % (epoch - 1), _STATES[epoch - 1])
    assert not any(finding.damages for finding in verify(objects))
    store.commit(10, b"next", {"d": b"4"})
    assert dict(store.blobs()) == {**_STATES[epoch - 1], "d": b"4"}
    assert not list(root.rglob("*.tmp"))


@pytest.mark.parametrize("steps", range(_STEPS))
def test_a_disk_that_fails_at_any_step(tmp_path: Path, steps: int) -> None:
    """And works again afterwards: the same process goes on."""
    root = tmp_path / "store"
    disk = FailingDisk(10**9, OSError(errno.EIO, os.strerror(errno.EIO)))
    store = CheckpointStore(LocalObjects(root, disk), retained=1)
    _commit(store, 0)
    _commit(store, 1)
    disk.left = steps
    done = 2
    try:
        _commit(store, 2)
    except StorageFailure:
        done = 1
    disk.left = 10**9
    assert dict(store.blobs()) == _STATES[done]
    store.commit(10, b"next", {"d": b"4"})
    assert dict(CheckpointStore(LocalObjects(root)).blobs()) == {**_STATES[done], "d": b"4"}


def test_a_commit_has_fewer_steps(tmp_path: Path) -> None:
    disk = FailingDisk(10**9, PowerCut())
    store = CheckpointStore(LocalObjects(tmp_path, disk), retained=1)
    _commit(store, 0)
    _commit(store, 1)
    begin = disk.left
    _commit(store, 2)
    assert 10 < begin - disk.left < _STEPS


@pytest.mark.parametrize("steps", range(4))
def test_a_disk_that_fails_when_a_directory_gets_its_identity(tmp_path: Path, steps: int) -> None:
    with DataDirectory(tmp_path) as directory:
        disk = FailingDisk(steps, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        with pytest.raises(StorageFailure, match=r"could not .*: No space left on device"):
            open_checkpoints(directory, disk=disk)
        open_checkpoints(directory).commit(1, b"", {"a": b"1"})


def test_a_name_that_was_seen_after_a_kill_stays(tmp_path: Path) -> None:
    """It was not synced when the process that made it was killed; whoever opens the directory syncs it."""
    for seed in range(10):
        disk = SimulatedDisk(tmp_path / str(seed), random.Random(seed))
        disk.root.mkdir()
        with DataDirectory(disk.root / "data", disk) as directory:
            store = open_checkpoints(directory, disk=disk)
            store.commit(1, b"", {"a": b"1"})
            disk.set_trouble(Trouble("sync names in data/checkpoints/names", 1, "kill"))
            with pytest.raises(CrashError):
                store.add_name("before")
        disk.restart()
        with DataDirectory(disk.root / "data", disk) as directory:
            seen = open_checkpoints(directory, disk=disk).has_name("before")
            with suppress(CrashError):
                disk.crash("power cut")
        disk.restart()
        with DataDirectory(disk.root / "data", disk) as directory:
            assert open_checkpoints(directory, disk=disk).has_name("before") == seen
