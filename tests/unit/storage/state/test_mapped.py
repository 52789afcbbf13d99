"""The mapped file: what a crash leaves, what damage does, and what a full disk says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from constellationdb.errors import CorruptState, FeatureNotSupported, InternalError, StorageFailure
from constellationdb.storage.disk import Disk
from constellationdb.storage.state import arena, header, mapped
from constellationdb.storage.state.header import SIZE, Header, encode_header
from constellationdb.storage.state.mapped import MAGIC, MappedStateStore
from tests.unit.storage.state.stores import content, put_all

_CHILD = """
import os, signal, sys
from constellationdb.storage.state.mapped import MappedStateStore
store = MappedStateStore(sys.argv[1])
for i in range(1000):
    store.put(b"%d" % i, b"flushed")
store.flush()
for i in range(500, 2000):
    store.put(b"%d" % i, b"not flushed")
if sys.argv[2] == "cleared":
    store.clear()
    store.put(b"0", b"not flushed")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("after", ["changed", "cleared"])
def test_a_kill_goes_back_to_the_last_flush(after: str, tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", _CHILD, str(tmp_path), after], check=False)
    assert ended.returncode == -signal.SIGKILL
    store = MappedStateStore(tmp_path)
    assert content(store) == {b"%d" % i: b"flushed" for i in range(1000)}
    store.put(b"more", b"1")
    store.close()
    store = MappedStateStore(tmp_path)
    assert len(store) == 1001
    store.close()


def _file(directory: Path) -> Path:
    store = MappedStateStore(directory)
    put_all(store, {b"%d" % i: b"value" for i in range(20)})
    store.flush()
    store.put(b"1", b"new")
    store.delete(b"2")
    store.close()
    return directory / "versions"


def test_every_flipped_bit_and_every_cut_is_noticed(tmp_path: Path) -> None:
    file = _file(tmp_path)
    whole = file.read_bytes()
    for bit in [*range(8 * SIZE), *range(8 * SIZE, 8 * len(whole), 29)]:
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        file.write_bytes(damaged)
        with pytest.raises(CorruptState):
            MappedStateStore(tmp_path)
    for length in range(0, len(whole), 17):
        file.write_bytes(whole[:length])
        with pytest.raises(CorruptState):
            MappedStateStore(tmp_path)
    file.write_bytes(whole)
    store = MappedStateStore(tmp_path)
    assert (len(store), store.get(b"1"), store.get(b"2")) == (19, b"new", None)
    store.close()


@pytest.mark.parametrize("log", [bytes(15), bytes(8) + b"\xff" * 4 + bytes(4)], ids=["half a head", "a key too long"])
def test_records_that_are_not_whole_are_damage_though_the_checksum_fits(log: bytes, tmp_path: Path) -> None:
    file = _file(tmp_path)
    file.write_bytes(encode_header(MAGIC, Header(SIZE + len(log), 0, 0, zlib.crc32(log))) + log)
    with pytest.raises(CorruptState, match="does not hold the 0 keys"):
        MappedStateStore(tmp_path)


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header, "FORMAT", 7)
    _file(tmp_path)
    monkeypatch.undo()
    with pytest.raises(FeatureNotSupported, match="has format 7, this release reads up to 1"):
        MappedStateStore(tmp_path)


def test_garbage_is_collected_by_flush_and_the_file_gets_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "LEAST_GARBAGE", 0)
    store = MappedStateStore(tmp_path)
    for turn in range(20):
        put_all(store, {b"%04d" % i: b"%d" % turn * 300 for i in range(1000)})
    past, before = store.snapshot(), (tmp_path / "versions.new").stat().st_size
    store.flush()
    assert store.garbage_bytes == 0
    assert (tmp_path / "versions").stat().st_size < before / 2
    assert not (tmp_path / "versions.new").exists()
    assert content(past) == content(store) == {b"%04d" % i: b"19" * 300 for i in range(1000)}
    store.committed(past)  # of the log before: nothing is known of its moment
    assert store.snapshot().changes() is None
    store.close()
    assert content(past)[b"0000"] == b"19" * 300


class _Failing(Disk):
    def __init__(self) -> None:
        self.failing = False

    def sync(self, fd: int) -> None:
        if self.failing:
            raise OSError(5, "Input/output error")
        super().sync(fd)


def test_a_failed_flush_is_final(tmp_path: Path) -> None:
    disk = _Failing()
    store = MappedStateStore(tmp_path, disk)
    store.put(b"a", b"1")
    store.flush()
    store.put(b"a", b"2")
    disk.failing = True
    with pytest.raises(StorageFailure, match=r"could not flush state in .*: Input/output error"):
        store.flush()
    disk.failing = False
    for attempt in (store.flush, store.close):
        with pytest.raises(StorageFailure, match=r"an earlier flush of state in .* failed"):
            attempt()
    store = MappedStateStore(tmp_path)
    assert content(store) == {b"a": b"1"}
    store.close()


def test_a_full_disk_is_an_error_and_the_content_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = MappedStateStore(tmp_path)
    put_all(store, {b"%d" % i: b"v" * 100 for i in range(1000)})

    def no_space(*_: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(arena, "_allocate", no_space)
    with pytest.raises(StorageFailure, match=r"could not enlarge .*versions.new\": No space left on device"):
        store.put(b"large", bytes(2 << 20))
    store.put(b"small", b"1")
    assert (len(store), store.get(b"large"), store.get(b"small")) == (1001, None, b"1")
    monkeypatch.undo()
    store.put(b"large", bytes(2 << 20))
    store.close()
    store = MappedStateStore(tmp_path)
    assert len(store) == 1002
    store.close()


@pytest.mark.parametrize("flushed_before", [False, True])
def test_without_room_for_a_new_file_the_garbage_stays(
    flushed_before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "LEAST_GARBAGE", 0)
    store = MappedStateStore(tmp_path)
    store.put(b"big", bytes(2 << 20))
    if flushed_before:
        store.flush()
    for turn in range(3):
        store.put(b"small", b"%d" % turn)
        store.put(b"big", b"%d" % turn * (2 << 20))
    allocate = arena._allocate

    def no_space(fd: int, size: int) -> None:
        if size > 2 << 20:
            raise OSError(28, os.strerror(28))
        allocate(fd, size)

    monkeypatch.setattr(arena, "_allocate", no_space)
    store.flush()
    assert store.garbage_bytes > 4 << 20
    monkeypatch.setattr(arena, "_allocate", allocate)
    store.put(b"small", b"last")
    store.flush()
    assert store.garbage_bytes == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["owner.lock", "versions"]
    store.close()
    store = MappedStateStore(tmp_path)
    assert content(store) == {b"small": b"last", b"big": b"2" * (2 << 20)}
    store.close()


def test_a_closed_store_takes_nothing_more(tmp_path: Path) -> None:
    store = MappedStateStore(tmp_path)
    store.close()
    store.close()
    with pytest.raises(InternalError, match="is closed"):
        store.put(b"a", b"1")
