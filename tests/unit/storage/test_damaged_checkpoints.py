"""Damage to checkpoints: every flipped bit shows, and recovery takes the newest one that is whole."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from constellationdb.errors import CorruptState
from constellationdb.storage.checkpoints import packing
from constellationdb.storage.checkpoints.fallback import newest_whole
from constellationdb.storage.checkpoints.opening import open_checkpoints
from constellationdb.storage.checkpoints.reader import CheckpointReader
from constellationdb.storage.checkpoints.store import CheckpointStore
from constellationdb.storage.checkpoints.verifying import verify
from constellationdb.storage.directory import DataDirectory
from constellationdb.storage.objects.format import HEADER_SIZE
from constellationdb.storage.objects.local import LocalObjects


@pytest.fixture(autouse=True)
def _small_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "PACKED_BELOW", 1000)


def _database(root: Path) -> Path:
    """A data directory with one checkpoint of every kind of object."""
    with DataDirectory(root) as directory:
        store = open_checkpoints(directory)
        store.commit(1, b"first", {"a": b"one", "b": b"two", "large": random.Random(1).randbytes(2000)})
        store.add_name("savepoint")
        store.close()
    return root


def _everything(root: Path) -> object:
    """All that can be read of it."""
    with DataDirectory(root) as directory:
        store = open_checkpoints(directory)
        content = (
            store.latest(),
            dict(store.get_all(store.keys())),
            CheckpointReader(LocalObjects(directory.checkpoints)).infos(),
        )
        store.close()
        return content


def _verified(root: Path) -> bool:
    return all(not finding.damages for finding in verify(LocalObjects(root / "checkpoints")))


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    root = _database(tmp_path / "data")
    chance = random.Random(3)
    files = [path for path in (root / "checkpoints").rglob("*") if path.is_file()]
    assert len({path.parent for path in files}) == 5  # the database's own, manifests, names, owners, parts
    for path in files:
        content = path.read_bytes()
        for offset in range(len(content)):
            for bit in range(8) if offset < HEADER_SIZE and path.parent.name == "manifests" else (chance.randrange(8),):
                path.write_bytes(_flipped(content, offset, bit))
                assert not _verified(root), (path, offset, bit)
        path.write_bytes(content)
    assert _verified(root)


def test_a_flipped_bit_is_found_by_whoever_restores(tmp_path: Path) -> None:
    root = _database(tmp_path / "data")
    good, chance = _everything(root), random.Random(4)
    folders = [root / "checkpoints" / name for name in ("manifests", "names", "parts")]
    files = [root / "identity", root / "checkpoints" / "database", *(f for folder in folders for f in folder.iterdir())]
    for path in files:
        content = path.read_bytes()
        for offset in (chance.randrange(HEADER_SIZE), chance.randrange(len(content))):
            path.write_bytes(_flipped(content, offset, chance.randrange(8)))
            assert _outcome(root, good) == "refused", (path, offset)
        path.write_bytes(content)
    assert _outcome(root, good) == "unchanged"


def _flipped(content: bytes, offset: int, bit: int) -> bytes:
    return content[:offset] + bytes([content[offset] ^ 1 << bit]) + content[offset + 1 :]


def _outcome(root: Path, good: object) -> str:
    try:
        found = _everything(root)
    except CorruptState:
        return "refused"
    return "unchanged" if found == good else "wrong"


@pytest.mark.parametrize("change", ["shorter", "longer", "of another object", "gone"])
def test_files_that_are_not_what_they_were(tmp_path: Path, change: str) -> None:
    root = _database(tmp_path / "data")
    good = _everything(root)
    pack, large = sorted((root / "checkpoints" / "parts").iterdir(), key=lambda path: path.stat().st_size)
    (manifest,) = (root / "checkpoints" / "manifests").iterdir()
    others = {pack: large, large: pack}
    if change != "gone":  # without a manifest there is no checkpoint, rather than a damaged one
        others[manifest] = pack
    for path, other in others.items():
        content = path.read_bytes()
        match change:
            case "shorter":
                path.write_bytes(content[:-1])
            case "longer":
                path.write_bytes(content + b"\0")
            case "of another object":
                path.write_bytes(other.read_bytes())
            case "gone":
                path.unlink()
        assert not _verified(root)
        assert _outcome(root, good) == "refused"
        path.write_bytes(content)


# ---------------------------------------------------------------------- falling back


def _store(root: Path, count: int) -> CheckpointStore:
    store = CheckpointStore(LocalObjects(root), retained=6)
    for number in range(1, count + 1):
        store.commit(10 * number, b"m%d" % number, {f"{number}": b"%d" % number}, deleted=[f"{number - 1}"])
    return store


def _damage(root: Path, *epochs: int) -> None:
    for epoch in epochs:
        for path in (root / "parts").glob(f"{epoch:020}-*"):
            path.write_bytes(path.read_bytes()[:-1] + b"?")


def _load(store: CheckpointStore) -> Callable[[bytes], tuple[bytes, dict[str, bytes]]]:
    def load(manifest: bytes) -> tuple[bytes, dict[str, bytes]]:
        return manifest, {key: bytes(blob) for key, blob in store.get_all(store.keys()).items()}

    return load


def test_nothing_is_restored_where_there_is_nothing(tmp_path: Path) -> None:
    assert newest_whole(_store(tmp_path, 0), lambda _: 1, 1) is None


def test_the_newest_is_taken(tmp_path: Path) -> None:
    store = _store(tmp_path, 4)
    restored = newest_whole(store, _load(store), 1)
    assert restored is not None
    assert (restored.epoch, restored.value, restored.passed_over) == (40, (b"m4", {"4": b"4"}), ())


def test_damaged_ones_are_passed_over_and_named(tmp_path: Path) -> None:
    store = _store(tmp_path, 4)
    _damage(tmp_path, 40, 20)
    (tmp_path / "manifests" / f"{30:020}").write_bytes(b"")
    store = CheckpointStore(LocalObjects(tmp_path), retained=6)
    restored = newest_whole(store, _load(store), 11)
    assert restored is not None
    assert (restored.epoch, restored.value) == (10, (b"m1", {"1": b"1"}))
    assert [text.partition(" object")[0] for text in restored.passed_over] == [
        "checkpoint of epoch 40:",
        "checkpoint of epoch 30:",
        "checkpoint of epoch 20:",
    ]
    store.commit(25, b"", {"5": b"5"})
    assert store.epochs() == [25, 10]
    assert len(list((tmp_path / "set-aside").iterdir())) == 3


def test_after_three_it_stops_and_names_the_files(tmp_path: Path) -> None:
    store = _store(tmp_path, 5)
    _damage(tmp_path, 50, 40, 30, 20)
    with pytest.raises(CorruptState, match=r"no checkpoint in .* can be restored") as stopped:
        newest_whole(store, _load(store), 1)
    detail = stopped.value.detail or ""
    assert all(f"{epoch:020}-" in detail for epoch in (50, 40, 30, 20))
    assert "constellation checkpoints restore" in (stopped.value.hint or "")


def test_none_is_taken_from_which_the_log_does_not_go_on(tmp_path: Path) -> None:
    store = _store(tmp_path, 3)
    _damage(tmp_path, 30)
    restored = newest_whole(store, _load(store), 21)
    assert restored is not None
    assert restored.epoch == 20
    with pytest.raises(CorruptState) as stopped:
        newest_whole(store, _load(store), 22)
    assert "checkpoint of epoch 20: the epoch log begins at 22, too late to go on from it" in str(stopped.value.detail)


def test_what_a_damaged_manifest_may_refer_to_is_not_collected(tmp_path: Path) -> None:
    store = _store(tmp_path, 2)
    store.add_name("kept")
    path = tmp_path / "manifests" / f"{20:020}"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    store = CheckpointStore(LocalObjects(tmp_path), retained=1)
    store.go_to(10)
    store.commit(30, b"", {}, deleted=["1"])
    (tmp_path / "set-aside").rename(tmp_path / "elsewhere")
    path.write_bytes(content)
    assert all(not finding.damages for finding in verify(LocalObjects(tmp_path)))


def test_every_damage_is_listed(tmp_path: Path) -> None:
    store = _store(tmp_path, 1)
    store.commit(20, b"", {"large": bytes(1 << 20), "2": b"2"})
    _damage(tmp_path, 10, 20)
    (tmp_path / "owners" / f"{1:020}").write_bytes(b"?")
    found = [(finding.what, len(finding.damages)) for finding in verify(LocalObjects(tmp_path))]
    assert found == [("checkpoint of epoch 20", 3), ("checkpoint of epoch 10", 1), ("all other objects", 1)]
