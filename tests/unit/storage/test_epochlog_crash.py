"""The epoch log against torn tails, flipped bits, failing disks and power cuts."""

from __future__ import annotations

import errno
import os
import random
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from constellationdb.errors import CorruptState, StorageFailure
from constellationdb.storage import segment
from constellationdb.storage.buffers import Bytes, as_view, size_of
from constellationdb.storage.disk import Disk
from constellationdb.storage.epochlog import FileEpochLog
from tests.simulation.disk import CrashError, SimulatedDisk, Trouble

SECTOR = 512


def _write(directory: Path, groups: list[list[tuple[int, bytes]]], segment_bytes: int = 1 << 20) -> Path:
    """A log with these commit groups; the path of its last file."""
    log = FileEpochLog(directory, segment_bytes)
    for group in groups:
        for epoch, payload in group:
            log.append(epoch, payload)
        log.sync()
    log.close()
    return max(directory.glob("*.wal"))


def _read(directory: Path) -> tuple[list[tuple[int, bytes]], FileEpochLog]:
    log = FileEpochLog(directory)
    try:
        return list(log.read_from(0)), log
    finally:
        log.close()


def test_a_tail_torn_at_every_byte_is_cut_off_and_reported(tmp_path: Path) -> None:
    kept = [(1, b"first"), (2, b"second")]
    whole = _write(tmp_path, [kept]).stat().st_size
    path = _write(tmp_path, [[(3, b"the last record")]])
    data = path.read_bytes()
    for size in range(whole, len(data)):
        path.write_bytes(data[:size])
        found, log = _read(tmp_path)
        assert found == kept
        assert path.stat().st_size == whole
        if size > whole:
            report = log.recovered
            assert (report.cut_file, report.cut_offset, report.cut_bytes) == (str(path), whole, size - whole)


def test_a_torn_tail_is_written_over(tmp_path: Path) -> None:
    path = _write(tmp_path, [[(1, b"one")], [(2, b"two")]])
    path.write_bytes(path.read_bytes()[:-1])
    _write(tmp_path, [[(2, b"two again")], [(3, b"three")]])
    assert _read(tmp_path)[0] == [(1, b"one"), (2, b"two again"), (3, b"three")]


def test_a_flip_of_any_bit_is_detected(tmp_path: Path) -> None:
    """Also in the last group, where a crash leaves no record with a single wrong bit."""
    content = [(1, b"one"), (2, b"two"), (3, b"three")]
    path = _write(tmp_path, [[record] for record in content])
    data = path.read_bytes()
    for offset in range(len(data)):
        for bit in range(8):
            path.write_bytes(data[:offset] + bytes([data[offset] ^ 1 << bit]) + data[offset + 1 :])
            with pytest.raises(CorruptState, match=f'"{path}".*offset') as stopped:
                FileEpochLog(tmp_path)
            if offset >= len(segment.encode_header(segment.new_header(1))):
                assert "cannot be recovered" in str(stopped.value.detail)


def test_the_epochs_that_are_lost_are_named(tmp_path: Path) -> None:
    _write(tmp_path, [[(epoch, b"x" * 40)] for epoch in range(1, 10)], segment_bytes=300)
    first = min(tmp_path.glob("*.wal"))
    data = bytearray(first.read_bytes())
    data[data.index(b"x" * 40) + 80] ^= 1
    first.write_bytes(data)
    with pytest.raises(CorruptState) as stopped:
        FileEpochLog(tmp_path)
    assert "epochs 2 to 9 were acknowledged" in str(stopped.value.detail)
    assert "checkpoints restore" in str(stopped.value.hint)


def test_a_sector_of_zeros_that_lacks_one_bit_is_a_torn_tail(tmp_path: Path) -> None:
    """It was never written, and what was to be there had a single bit."""
    payload = bytes(2 * SECTOR)
    path = _write(tmp_path, [[(1, b"one")], [(2, b"begin" + payload[:-1] + bytes([4]))]])
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes(1))
    assert _read(tmp_path)[0] == [(1, b"one")]


def test_damage_in_a_file_that_is_not_the_last_is_corruption(tmp_path: Path) -> None:
    _write(tmp_path, [[(epoch, b"x" * 40)] for epoch in range(1, 10)], segment_bytes=100)
    first = min(tmp_path.glob("*.wal"))
    first.write_bytes(first.read_bytes()[:-1])
    with pytest.raises(CorruptState, match="is damaged at offset"):
        FileEpochLog(tmp_path)


def test_damage_after_opening_is_found_by_reading(tmp_path: Path) -> None:
    path = _write(tmp_path, [[(1, b"one")], [(2, b"two")]])
    log = FileEpochLog(tmp_path)
    for damaged in (path.read_bytes()[:-1], path.read_bytes()[:-1] + b"?"):
        path.write_bytes(damaged)
        with pytest.raises(CorruptState, match="is damaged at offset"):
            list(log.read_from(1))
    log.close()


def test_a_payload_that_looks_like_a_log_fools_nobody(tmp_path: Path) -> None:
    """The last record holds a copy of another log's file; torn, it must still read as a torn tail."""
    other = tmp_path / "other"
    decoy = _write(other, [[(epoch, b"x" * 100)] for epoch in range(1, 20)]).read_bytes()
    path = _write(tmp_path, [[(1, b"one")], [(2, decoy)]])
    path.write_bytes(path.read_bytes()[:-1])
    assert _read(tmp_path)[0] == [(1, b"one")]


def test_a_group_torn_in_its_middle_is_a_torn_tail(tmp_path: Path) -> None:
    """A power cut may keep a group's second record and lose its first. Once a later group follows, it may not."""
    path = _write(tmp_path, [[(1, b"one")], [(2, b"two" * 300), (3, b"three")]])
    torn = path.read_bytes().replace(b"two" * 300, bytes(900))
    path.write_bytes(torn)
    assert _read(tmp_path)[0] == [(1, b"one")]
    path.unlink()
    path = _write(tmp_path, [[(1, b"one")], [(2, b"two" * 300), (3, b"three")], [(4, b"four")]])
    path.write_bytes(path.read_bytes().replace(b"two" * 300, bytes(900)))
    with pytest.raises(CorruptState, match=f"is damaged at offset {32 + 32 + 3}"):
        FileEpochLog(tmp_path)


class FaultyDisk(Disk):
    """A real disk that fails on request, and knows what a power cut may take."""

    def __init__(self) -> None:
        self.failing: str | None = None
        self.syncs = 0
        self.synced: dict[int, int] = {}  # inode of a file with unsynced bytes → how many are synced

    def _fail(self, operation: str) -> None:
        if self.failing == operation:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def write(self, fd: int, data: Bytes) -> None:
        stat = os.fstat(fd)
        self.synced.setdefault(stat.st_ino, stat.st_size)
        if self.failing == "write":
            super().write(fd, as_view(data)[: size_of(data) // 2])
        self._fail("write")
        super().write(fd, data)

    def sync(self, fd: int) -> None:
        self._fail("sync")
        self.syncs += 1
        super().sync(fd)
        self.synced.pop(os.fstat(fd).st_ino, None)

    def sync_directory(self, path: Path) -> None:
        self._fail("sync_directory")
        super().sync_directory(path)

    def cut_power(self, directory: Path, data: st.DataObject) -> None:
        """Of bytes never synced, any sectors may be there, be zero, or lie beyond the end of the file."""
        for path in directory.iterdir():
            safe = self.synced.pop(path.stat().st_ino, None)
            if safe is None:
                continue
            content = bytearray(path.read_bytes())
            del content[data.draw(st.integers(safe, len(content)), "size") :]
            for start in range(safe - safe % SECTOR, len(content), SECTOR):
                if data.draw(st.booleans(), "sector lost"):
                    begin, end = max(start, safe), min(start + SECTOR, len(content))
                    content[begin:end] = bytes(end - begin)
            path.write_bytes(content)


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_a_failed_write_or_sync_is_final(tmp_path: Path, operation: str) -> None:
    disk = FaultyDisk()
    log = FileEpochLog(tmp_path, disk=disk)
    log.append(1, b"one")
    log.sync()
    log.append(2, b"two")
    disk.failing = operation
    with pytest.raises(StorageFailure, match=r"could not write the epoch log .*: Input/output error"):
        log.sync()
    disk.failing = None
    for use in (log.sync, lambda: log.append(3, b"three"), lambda: log.truncate_before(2)):
        with pytest.raises(StorageFailure):
            use()
    assert (log.durable_epoch, list(log.read_from(1))) == (1, [(1, b"one")])
    log.close()
    found, log = _read(tmp_path)  # a new process may find epoch 2 or not: nobody was told that it is there
    assert found[0] == (1, b"one")
    assert log.recovered.last_epoch == (1 if operation == "write" else 2)


def test_failing_to_begin_a_file_is_final_too(tmp_path: Path) -> None:
    disk = FaultyDisk()
    log = FileEpochLog(tmp_path, segment_bytes=1, disk=disk)
    log.append(1, b"one")
    log.sync()
    log.append(2, b"two")
    log.sync()
    log.append(3, b"three")
    disk.failing = "sync_directory"
    with pytest.raises(StorageFailure):
        log.sync()
    disk.failing = None
    with pytest.raises(StorageFailure):
        log.append(4, b"four")
    log.close()
    assert _read(tmp_path)[0] == [(1, b"one"), (2, b"two")]


def test_one_sync_makes_many_epochs_durable(tmp_path: Path) -> None:
    disk = FaultyDisk()
    log = FileEpochLog(tmp_path, disk=disk)
    before = disk.syncs
    for epoch in range(1, 101):
        log.append(epoch, b"x")
    log.sync()
    log.sync()
    assert (disk.syncs - before, log.durable_epoch) == (1, 100)
    log.close()


def test_opening_syncs_what_a_killed_process_left(tmp_path: Path) -> None:
    _write(tmp_path, [[(1, b"one")]])
    disk = FaultyDisk()
    FileEpochLog(tmp_path, disk=disk).close()
    assert disk.syncs == 1


class CrashingLog(RuleBasedStateMachine):
    """Appends, syncs, reopenings, truncations and power cuts; what was acknowledged is always there."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.disk = FaultyDisk()
        self.durable: dict[int, bytes] = {}
        self.waiting: dict[int, bytes] = {}
        self.kept_from = 0

    @initialize()
    def open(self) -> None:
        self.log = FileEpochLog(self.directory, segment_bytes=4000, disk=self.disk)

    @rule(step=st.integers(1, 3), payload=st.binary(max_size=40), repeat=st.integers(1, 60))
    def append(self, step: int, payload: bytes, repeat: int) -> None:
        epoch = max([0, *self.durable, *self.waiting]) + step
        self.waiting[epoch] = payload * repeat
        self.log.append(epoch, payload * repeat)

    @rule()
    def sync(self) -> None:
        self.log.sync()
        self.durable |= self.waiting
        self.waiting = {}

    @rule(below=st.integers(0, 5))
    def truncate(self, below: int) -> None:
        epoch = max(self.log.durable_epoch - below, 0)
        self.log.truncate_before(epoch)
        self.kept_from = max(self.kept_from, epoch)

    @rule()
    def reopen(self) -> None:
        self.log.close()
        self.durable |= self.waiting
        self.waiting = {}
        self.open()

    @rule(
        operation=st.sampled_from(["sync", "write", "sync_directory"]),
        sizes=st.lists(st.integers(1, 1500), max_size=4),
        data=st.data(),
    )
    def lose_power(self, operation: str, sizes: list[int], data: st.DataObject) -> None:
        for size in sizes:
            self.append(1, b"p", size)
        self.disk.failing = operation
        try:
            self.log.sync()
            self.durable |= self.waiting  # only the creation of a file was to fail, and none was due
        except StorageFailure:
            pass
        self.log.close()
        self.disk.cut_power(self.directory, data)
        self.disk.failing = None
        self.open()
        found = dict(self.log.read_from(self.kept_from))
        last = self.log.durable_epoch
        assert last >= max(self.durable, default=0)
        self.durable |= {epoch: payload for epoch, payload in self.waiting.items() if epoch <= last}
        self.waiting = {}
        assert set(found) == {epoch for epoch in self.durable if epoch >= self.kept_from}

    @invariant()
    def everything_acknowledged_is_there(self) -> None:
        if hasattr(self, "log"):
            expected = [(e, payload) for e, payload in sorted(self.durable.items()) if e >= self.kept_from]
            assert list(self.log.read_from(self.kept_from)) == expected
            assert self.log.durable_epoch == max(self.durable, default=0)

    def teardown(self) -> None:
        if hasattr(self, "log"):
            self.log.close()
        shutil.rmtree(self.directory)


TestCrashingLog = CrashingLog.TestCase
TestCrashingLog.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_what_the_drive_refused_is_written_anew(tmp_path: Path) -> None:
    """After a failed sync the cache has what the medium has not, and the next sync of the same file says nothing."""
    disk = SimulatedDisk(tmp_path, random.Random(1))
    log = FileEpochLog(tmp_path / "log", disk=disk)
    disk.sync_directory(tmp_path)
    log.append(1, b"one" * 500)
    disk.set_trouble(Trouble("sync in log", 1))
    with pytest.raises(StorageFailure, match="Input/output error"):
        log.sync()
    log.close()
    log = FileEpochLog(tmp_path / "log", disk=disk)
    assert log.durable_epoch == 1  # as the cache has it
    log.append(2, b"two")
    log.sync()
    with suppress(CrashError):
        disk.crash("power cut")
    log.close()
    disk.restart()
    assert _read(tmp_path / "log")[0] == [(1, b"one" * 500), (2, b"two")]


@pytest.mark.parametrize("removal", range(1, 5))
def test_files_go_one_after_the_other_whatever_a_power_cut_keeps(tmp_path: Path, removal: int) -> None:
    """A name that was removed may come back, and a later one not: never so that a file in the middle is missing."""
    for seed in range(20):
        disk = SimulatedDisk(tmp_path / f"{removal}-{seed}", random.Random(seed))
        disk.root.mkdir()
        log = FileEpochLog(disk.root / "log", segment_bytes=50, disk=disk)
        disk.sync_directory(disk.root)
        for epoch in range(1, 8):
            log.append(epoch, b"x")
            log.sync()
        disk.set_trouble(Trouble("remove in log", removal, "power cut"))
        with pytest.raises(CrashError):
            log.truncate_before(6)
        log.close()
        disk.restart()
        log = FileEpochLog(disk.root / "log")
        assert [epoch for epoch, _ in log.read_from(log.first_epoch)] == list(range(log.first_epoch, 8))
        assert log.first_epoch <= 6
        log.close()
