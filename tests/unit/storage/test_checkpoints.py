"""What the checkpoint store promises: commits as one, what is kept, who may write."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from constellationdb import __version__
from constellationdb.errors import (
    CorruptState,
    DuplicateObject,
    FeatureNotSupported,
    InternalError,
    StorageFailure,
    UndefinedObject,
)
from constellationdb.storage.buffers import Bytes
from constellationdb.storage.checkpoints.manifest import manifest_name
from constellationdb.storage.checkpoints.packing import MAX_PACKS
from constellationdb.storage.checkpoints.reader import CheckpointReader
from constellationdb.storage.checkpoints.store import CheckpointStore
from constellationdb.storage.checkpoints.verifying import verify
from constellationdb.storage.disk import Disk
from constellationdb.storage.objects import format as object_format
from constellationdb.storage.objects.local import LocalObjects


@pytest.fixture
def objects(tmp_path: Path) -> LocalObjects:
    return LocalObjects(tmp_path)


@pytest.fixture
def store(objects: LocalObjects) -> Iterator[CheckpointStore]:
    opened = CheckpointStore(objects)
    yield opened
    opened.close()


def _parts(objects: LocalObjects) -> list[str]:
    return [info.name.partition("/")[2].partition("-")[0].lstrip("0") for info in objects.list("parts/")]


def test_begins_without_a_checkpoint(store: CheckpointStore) -> None:
    assert store.latest() is None
    assert (store.get("job/agg/0/1"), store.keys(), list(store.blobs())) == (None, [], [])
    assert (store.epochs(), store.infos, store.oldest_retained()) == ([], [], 0)


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


def test_names_and_epochs_of_any_size(store: CheckpointStore) -> None:
    blobs = {"": b"empty name", "job/ñ/☃": b"x", "../b": b"looks like a path", ".tmp": b"or a file"}
    store.commit(2**64 - 1, bytes(range(256)), blobs)
    assert dict(store.blobs()) == blobs
    assert store.latest() == (2**64 - 1, bytes(range(256)))


def test_blobs_are_taken_as_they_are(store: CheckpointStore) -> None:
    body = random.Random(1).randbytes(3 << 20)
    batch = pa.array(range(100_000)).buffers()[1]
    store.commit(1, b"", {"buffer": pa.py_buffer(body), "view": memoryview(body)[5:9], "array": batch})
    assert store.get("buffer") == body
    assert store.get("view") == body[5:9]
    assert store.get("array") == batch.to_pybytes()
    assert store.get_all(["array", "view"]) == {"array": batch.to_pybytes(), "view": body[5:9]}
    with pytest.raises(CorruptState, match='the checkpoint of epoch 1 lacks its blob "other"'):
        store.get_all(["view", "other"])


def test_reopening_gives_the_same_and_goes_on(objects: LocalObjects) -> None:
    for epoch in range(1, 6):
        store = CheckpointStore(objects)
        assert store.latest() == ((epoch - 1, b"m%d" % (epoch - 1)) if epoch > 1 else None)
        store.commit(epoch, b"m%d" % epoch, {f"k/{epoch}": b"x" * 5000 * epoch}, deleted=[f"k/{epoch - 2}"])
        store.close()
        store.close()
    assert dict(CheckpointStore(objects).blobs()) == {"k/4": b"x" * 20000, "k/5": b"x" * 25000}


def test_a_closed_store_says_so(store: CheckpointStore) -> None:
    store.close()
    with pytest.raises(InternalError, match="is closed"):
        store.commit(1, b"", {})


def test_the_newest_three_are_kept_and_can_be_gone_back_to(store: CheckpointStore, objects: LocalObjects) -> None:
    for epoch in range(1, 7):
        store.commit(epoch, b"m%d" % epoch, {f"k/{epoch}": b"%d" % epoch}, deleted=[f"k/{epoch - 1}"])
    assert (store.epochs(), store.oldest_retained()) == ([6, 5, 4], 4)
    assert _parts(objects) == ["4", "5", "6"]
    assert store.go_to(4) == b"m4"
    assert dict(store.blobs()) == {"k/4": b"4"}
    with pytest.raises(CorruptState, match="is missing"):
        store.go_to(3)


def test_what_was_gone_back_behind_is_set_aside_by_the_next_commit(
    store: CheckpointStore, objects: LocalObjects
) -> None:
    for epoch in (1, 2, 3):
        store.commit(epoch, b"m%d" % epoch, {f"k/{epoch}": b"%d" % epoch})
    again = CheckpointStore(objects)
    again.go_to(1)
    assert again.epochs() == [3, 2, 1]
    again.commit(2, b"another second", {"l/2": b"two"})
    assert again.epochs() == [2, 1]
    assert dict(again.blobs()) == {"k/1": b"1", "l/2": b"two"}
    for epoch in range(3, 8):
        again.commit(epoch, b"", {}, deleted=["k/1", "l/2"])
    reader = CheckpointReader(objects)
    aside = [manifest for _, manifest in reader.set_aside()]
    assert [manifest.content for manifest in aside] == [b"m2", b"m3"]
    assert all(not finding.damages for finding in verify(objects))  # and nothing of them was collected


def test_orphans_of_an_attempt_that_came_to_nothing_are_collected(objects: LocalObjects) -> None:
    class Failing(LocalObjects):
        def create(self, name: str, pieces: Sequence[Bytes]) -> bool:
            if name.startswith("manifests/"):
                raise StorageFailure("no more")
            return super().create(name, pieces)

    store = CheckpointStore(Failing(objects.place))
    with pytest.raises(StorageFailure, match="no more"):
        store.commit(1, b"", {"a": b"1", "b": bytes(2 << 20)})
    assert _parts(objects) == ["1", "1"]
    again = CheckpointStore(objects)
    assert again.latest() is None
    again.commit(1, b"", {"a": b"one"})
    assert _parts(objects) == ["1"]
    assert dict(again.blobs()) == {"a": b"one"}


def test_parts_that_cannot_all_be_written_go_again(objects: LocalObjects) -> None:
    class Full(Disk):
        def write(self, fd: int, data: Bytes) -> None:
            if len(data) == 3 << 20:
                raise OSError(28, "No space left on device")
            super().write(fd, data)

    store = CheckpointStore(LocalObjects(objects.place, Full()))
    store.commit(1, b"", {"a": b"1"})
    with pytest.raises(StorageFailure, match="No space left on device") as failed:
        store.commit(2, b"", {"b": bytes(2 << 20), "c": bytes(3 << 20)})
    assert failed.value.hint == "free space there; it is tried again"
    assert _parts(objects) == ["1"]
    store.commit(2, b"", {"b": bytes(2 << 20)})
    assert store.keys() == ["a", "b"]


def test_a_pack_that_is_mostly_dead_is_left(store: CheckpointStore, objects: LocalObjects) -> None:
    store.commit(1, b"", {str(n): b"%d" % n * 100 for n in range(10)})
    store.commit(2, b"", {}, deleted=map(str, range(4)))
    assert {place.object[-17:-5] for place in CheckpointReader(objects).manifest(2).blobs.values()} == {
        place.object[-17:-5] for place in CheckpointReader(objects).manifest(1).blobs.values()
    }
    for epoch in range(3, 6):
        store.commit(epoch, b"", {}, deleted=map(str, range(6)))
    assert _parts(objects) == ["3"]
    assert dict(store.blobs()) == {str(n): b"%d" % n * 100 for n in range(6, 10)}


def test_packs_do_not_become_many(store: CheckpointStore, objects: LocalObjects) -> None:
    for epoch in range(1, MAX_PACKS + 20):
        store.commit(epoch, b"", {str(epoch): b"%d" % epoch})
    newest = CheckpointReader(objects).manifest(MAX_PACKS + 19)
    assert len(newest.parts) == MAX_PACKS
    assert len(list(store.blobs())) == MAX_PACKS + 19


def test_a_named_checkpoint_is_kept(store: CheckpointStore, objects: LocalObjects) -> None:
    store.commit(1, b"first", {"a": b"1"})
    store.add_name("before the ☃/..")
    with pytest.raises(DuplicateObject, match=r'savepoint "before the ☃/.." already exists'):
        store.add_name("before the ☃/..")
    for epoch in range(2, 7):
        store.commit(epoch, b"", {"a": b"%d" % epoch})
    assert [(info.epoch, info.names) for info in store.infos] == [
        (6, ()),
        (5, ()),
        (4, ()),
        (1, ("before the ☃/..",)),
    ]
    assert store.oldest_retained() == 4
    assert CheckpointStore(objects).go_to(1) == b"first"
    store = CheckpointStore(objects)
    store.drop_name("before the ☃/..")
    with pytest.raises(UndefinedObject, match=r'savepoint "before the ☃/.." does not exist'):
        store.drop_name("before the ☃/..")
    store.commit(7, b"", {})
    assert store.epochs() == [7, 6, 5]


def test_whoever_opens_a_store_takes_it_over(objects: LocalObjects) -> None:
    former = CheckpointStore(objects)
    former.commit(1, b"first", {"a": b"1"})
    store = CheckpointStore(objects)
    with pytest.raises(StorageFailure, match="another process has taken over the checkpoints"):
        former.commit(2, b"", {"a": b"2"})
    store.commit(2, b"second", {"b": b"2"})
    assert dict(store.blobs()) == {"a": b"1", "b": b"2"}


def test_a_checkpoint_of_a_later_format_is_refused(
    store: CheckpointStore, objects: LocalObjects, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr(object_format, "FORMAT", 2)
        later.setattr(object_format, "WRITER", "9.9")
        store.commit(3, b"", {"a": b"1"})
    with pytest.raises(FeatureNotSupported, match="has format 2, this release reads up to 1") as refused:
        CheckpointStore(objects).latest()
    assert refused.value.detail == "it was written by release 9.9"


def test_objects_say_which_release_wrote_them(store: CheckpointStore, objects: LocalObjects) -> None:
    store.commit(1, b"", {"a": b"1"})
    data = objects.get(manifest_name(1))
    assert data is not None
    header, _ = object_format.decode(data, object_format.Kind.MANIFEST, "")
    assert header.writer == object_format.WRITER == __version__


def _can_trace() -> bool:
    return (
        shutil.which("strace") is not None and subprocess.run(["strace", "-qq", "-e", "none", "true"]).returncode == 0
    )


@pytest.mark.skipif(not _can_trace(), reason="needs a working strace to see system calls")
def test_the_manifest_gets_its_name_when_all_before_it_is_synced(tmp_path: Path) -> None:
    child = """
import os, sys
from constellationdb.storage.checkpoints.store import CheckpointStore
from constellationdb.storage.objects.local import LocalObjects
store = CheckpointStore(LocalObjects(sys.argv[1]))
store.commit(1, b"m", {"a": b"1"})
os.write(2, b"begin")
store.commit(2, b"m", {"a": b"x" * 100_000})
os.write(2, b"end")
os._exit(0)
"""
    trace = tmp_path / "trace"
    calls = "trace=write,fdatasync,fsync,rename,link"
    strace = ["strace", "-f", "-qq", "-y", "-e", calls, "-o", str(trace)]
    subprocess.run([*strace, sys.executable, "-c", child, str(tmp_path / "store")], check=True, stderr=subprocess.PIPE)
    commit = trace.read_text().partition('"begin"')[2].partition('"end"')[0]
    ours = [line.split()[1].partition("(")[0] for line in commit.splitlines() if str(tmp_path) in line]
    part = ["write", "write", "fdatasync", "rename", "fsync"]
    manifest = ["write", "write", "fdatasync", "link", "fsync"]
    assert ours == part + manifest


def test_collected_objects_leave_the_disk(store: CheckpointStore, tmp_path: Path) -> None:
    for epoch in range(1, 20):
        store.commit(epoch, b"", {str(epoch): random.Random(epoch).randbytes(1 << 20)}, deleted=[str(epoch - 1)])
    used = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert used < (3 << 20) + 10_000
    assert os.listdir(tmp_path / "parts")
