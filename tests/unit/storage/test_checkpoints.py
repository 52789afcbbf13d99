"""What every checkpoint store promises, and what the one on disk keeps through restarts and damage."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rocksdict import Rdict

from constellationdb.errors import CorruptState, DirectoryInUse, InternalError, StorageFailure
from constellationdb.storage.checkpoints import CheckpointStore, MemoryCheckpointStore, RocksCheckpointStore
from constellationdb.storage.rocks import open_rocks


@pytest.fixture(params=["memory", "rocks"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CheckpointStore]:
    opened: CheckpointStore = MemoryCheckpointStore() if request.param == "memory" else RocksCheckpointStore(tmp_path)
    yield opened
    opened.close()


def test_begins_without_a_checkpoint(store: CheckpointStore) -> None:
    assert store.latest() is None
    assert (store.get("job/agg/0/1"), store.keys(), list(store.blobs())) == (None, [], [])


def test_a_commit_brings_and_takes_blobs(store: CheckpointStore) -> None:
    store.commit(10, b"first", {"a/1": b"one", "a/2": b"two", "b/1": b""})
    store.commit(20, b"second", {"a/3": b"\0" * 9000}, deleted=["a/1", "never there"])
    assert store.latest() == (20, b"second")
    assert list(store.blobs("a/")) == [("a/2", b"two"), ("a/3", b"\0" * 9000)]
    assert (store.get("a/1"), store.get("b/1")) == (None, b"")
    assert store.keys() == ["a/2", "a/3", "b/1"]


def test_a_blob_can_be_replaced(store: CheckpointStore) -> None:
    store.commit(1, b"", {"a": b"old", "b": b"old"})
    store.commit(2, b"", {"a": b"new"})
    store.commit(3, b"", {"b": b"new"}, deleted=["b"])
    assert dict(store.blobs()) == {"a": b"new", "b": b"new"}


@pytest.mark.parametrize("epoch", [4, 5])
def test_refuses_an_epoch_that_does_not_increase(store: CheckpointStore, epoch: int) -> None:
    store.commit(5, b"five", {"a": b"5"})
    with pytest.raises(InternalError, match=f"checkpoint of epoch {epoch} committed after that of epoch 5"):
        store.commit(epoch, b"", {"a": b"x"})
    assert (store.latest(), store.get("a")) == ((5, b"five"), b"5")


def test_a_reader_is_not_disturbed_by_a_later_commit(store: CheckpointStore) -> None:
    store.commit(1, b"", {"a": b"1", "b": b"1"})
    reader = store.blobs()
    store.commit(2, b"", {"a": b"2"}, deleted=["b"])
    assert list(reader) == [("a", b"1"), ("b", b"1")]


def test_names_and_epochs_of_any_size(store: CheckpointStore) -> None:
    blobs = {"": b"empty name", "job/ñ/☃": b"x", "b": b"looks like a body", "i": b"or an index record"}
    store.commit(2**64 - 1, bytes(range(256)), blobs)
    assert dict(store.blobs()) == blobs
    assert store.latest() == (2**64 - 1, bytes(range(256)))


# ---------------------------------------------------------------------- on disk


def test_reopening_gives_the_same_and_goes_on(tmp_path: Path) -> None:
    for epoch in range(1, 6):
        store = RocksCheckpointStore(tmp_path)
        assert store.latest() == ((epoch - 1, b"m%d" % (epoch - 1)) if epoch > 1 else None)
        store.commit(epoch, b"m%d" % epoch, {f"k/{epoch}": b"x" * 5000 * epoch}, deleted=[f"k/{epoch - 2}"])
        store.close()
        store.close()
    store = RocksCheckpointStore(tmp_path)
    assert dict(store.blobs()) == {"k/4": b"x" * 20000, "k/5": b"x" * 25000}
    store.close()


def test_deleted_blobs_leave_the_disk(tmp_path: Path) -> None:
    store = RocksCheckpointStore(tmp_path)
    for epoch in range(1, 60):
        store.commit(epoch, b"", {str(epoch): random.Random(epoch).randbytes(1 << 20)}, deleted=[str(epoch - 1)])
    store.close()
    store = RocksCheckpointStore(tmp_path)
    used = sum(path.stat().st_size for path in tmp_path.iterdir())
    store.close()
    assert used < 200 << 20  # two write buffers' worth; grows by 1 MB per commit otherwise


def test_a_second_opening_is_refused_with_the_pid(tmp_path: Path) -> None:
    child = "import sys; from constellationdb.storage.checkpoints import *; RocksCheckpointStore(sys.argv[1])"
    store = RocksCheckpointStore(tmp_path)
    done = subprocess.run([sys.executable, "-c", child, str(tmp_path)], capture_output=True, text=True)
    with pytest.raises(DirectoryInUse) as refused:
        RocksCheckpointStore(tmp_path)
    assert refused.value.message in done.stderr
    store.close()


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = RocksCheckpointStore(tmp_path)
    store.close()
    with pytest.raises(InternalError, match="is closed"):
        store.commit(1, b"", {})


def _can_trace() -> bool:
    return (
        shutil.which("strace") is not None and subprocess.run(["strace", "-qq", "-e", "none", "true"]).returncode == 0
    )


@pytest.mark.skipif(not _can_trace(), reason="needs a working strace to see system calls")
def test_a_commit_ends_with_a_sync_of_everything_written(tmp_path: Path) -> None:
    child = """
import os, sys
from constellationdb.storage.checkpoints import RocksCheckpointStore
store = RocksCheckpointStore(sys.argv[1])
os.write(2, b"begin")
store.commit(1, b"m", {"a": b"x" * 100_000})
os.write(2, b"end")
os._exit(0)
"""
    trace = tmp_path / "trace"
    strace = ["strace", "-f", "-qq", "-y", "-e", "trace=write,fdatasync,fsync", "-o", str(trace)]
    subprocess.run([*strace, sys.executable, "-c", child, str(tmp_path / "store")], check=True, stderr=subprocess.PIPE)
    commit = trace.read_text().partition('"begin"')[2].partition('"end"')[0]
    log_calls = [line.split()[1].partition("(")[0] for line in commit.splitlines() if ".log>" in line]
    assert log_calls == ["write", "write", "fdatasync"]


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (lambda db, body, _: db.put(body, b"other"), 'blob "a" fails its checksum'),
        (lambda db, body, _: db.put(body, db.get(body) + b"more"), 'blob "a" fails its checksum'),
        (lambda db, body, other: db.put(body, db.get(other)), 'blob "a" fails its checksum'),
        (lambda db, body, _: db.delete(body), 'blob "a" is missing'),
        (lambda db, *_: db.delete(b"ia"), "the manifest counts 2 blobs, the index has 1"),
        (lambda db, *_: db.put(b"ia", b"short"), "the index record of b'a' has 5 bytes"),
        (lambda db, *_: db.put(b"m", db.get(b"m")[:-1]), "the manifest fails its checksum"),
        (lambda db, *_: db.put(b"m", b""), "the manifest fails its checksum"),
    ],
)
def test_what_rocksdb_thinks_is_whole_is_verified_too(
    tmp_path: Path, change: Callable[[Rdict, bytes, bytes], None], detail: str
) -> None:
    store = RocksCheckpointStore(tmp_path)
    store.commit(7, b"manifest", {"a": b"first", "b": b"third"})
    store.close()
    db = open_rocks(tmp_path)
    body, other = (b"b" + (7).to_bytes(8, "big") + name for name in (b"a", b"b"))
    change(db, body, other)
    db.close()
    with pytest.raises(CorruptState, match=r"the checkpoint in .* is damaged") as found:
        _contents(tmp_path)
    assert found.value.detail == detail


def _contents(directory: Path) -> tuple[tuple[int, bytes] | None, dict[str, bytes]]:
    store = RocksCheckpointStore(directory)
    try:
        return store.latest(), dict(store.blobs())
    finally:
        store.close()


KILLED_CHILD = """
import os, random, signal, sys
from constellationdb.storage.checkpoints import RocksCheckpointStore
store = RocksCheckpointStore(sys.argv[1])
for epoch in (4, 5):
    store.commit(epoch, b"m", {f"k/{epoch}": random.Random(epoch).randbytes(6000)})
os.kill(os.getpid(), signal.SIGKILL)
"""


def _store_with_every_kind_of_file(directory: Path) -> list[tuple[tuple[int, bytes] | None, dict[str, bytes]]]:
    """Table and blob files by closing, a log by being killed. What the store held after each commit."""
    store = RocksCheckpointStore(directory)
    states = [(store.latest(), dict(store.blobs()))]
    for epoch in range(1, 4):
        added = {f"k/{epoch}/{i}": random.Random(10 * epoch + i).randbytes(6000) for i in range(3)}
        store.commit(epoch, b"m", added, deleted=[f"k/{epoch - 1}/0"])
        states.append((store.latest(), dict(store.blobs())))
    store.close()
    subprocess.run([sys.executable, "-c", KILLED_CHILD, str(directory)])
    for epoch in (4, 5):
        states.append(((epoch, b"m"), states[-1][1] | {f"k/{epoch}": random.Random(epoch).randbytes(6000)}))
    return states


def test_a_flipped_bit_is_an_error_or_changes_nothing(tmp_path: Path) -> None:
    """Or, in RocksDB's own log, brings back an earlier checkpoint, whole. Never other bytes."""
    good, chance = tmp_path / "good", random.Random(1)
    states = _store_with_every_kind_of_file(good)
    files = [
        path for path in sorted(good.iterdir()) if path.suffix in {".log", ".sst", ".blob"} and path.stat().st_size
    ]
    assert {path.suffix for path in files} == {".log", ".sst", ".blob"}
    outcomes = set()
    for path in files:
        for trial in range(10):
            bad = tmp_path / f"bad-{path.name}-{trial}"
            shutil.copytree(good, bad)
            data = bytearray(path.read_bytes())
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
            (bad / path.name).write_bytes(data)
            try:
                found = _contents(bad)
            except (CorruptState, StorageFailure):
                outcomes.add("error")
            else:
                outcomes.add("earlier" if found != states[-1] else "unchanged")
                assert found in states if path.suffix == ".log" else found == states[-1]
            shutil.rmtree(bad)
    assert outcomes >= {"error", "earlier"}
