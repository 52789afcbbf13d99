"""Snapshots in a directory: one content whatever the strategy, deltas as large as the change, no link missed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from constellationdb.errors import CorruptState, FeatureNotSupported, InternalError, InvalidParameter, StorageFailure
from constellationdb.storage.buffers import Bytes, size_of
from constellationdb.storage.disk import Disk
from constellationdb.storage.state import header
from constellationdb.storage.state.chain import SnapshotChain, Strategy
from constellationdb.storage.state.logged import MemoryStateStore
from constellationdb.storage.state.store import StateStore
from tests.unit.storage.state.stores import BACKENDS, column, content, put_all

STRATEGIES: list[Strategy] = ["full", "versions", "incremental"]


@pytest.fixture(params=list(BACKENDS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    opened = BACKENDS[request.param](tmp_path / "store")
    yield opened
    opened.close()


def _change(store: StateStore, choose: random.Random) -> None:
    changes = {b"%d" % choose.randrange(300): choose.choice([None, b"v%d" % choose.randrange(99)]) for _ in range(40)}
    put_all(store, changes)


def test_every_strategy_holds_the_same_content(store: StateStore, tmp_path: Path) -> None:
    chains = {strategy: SnapshotChain(tmp_path / strategy, strategy) for strategy in STRATEGIES}
    expected: dict[int, dict[bytes, bytes]] = {}
    choose = random.Random(7)
    for epoch in range(10, 10 * 27, 10):
        _change(store, choose)
        expected[epoch] = content(store)
        begun = [chain.begin(store, epoch) for chain in chains.values()]
        _change(store, choose)  # after the barrier: in none of them
        for chain, one in zip(chains.values(), begun, strict=True):
            chain.write(one)
        for chain, one in zip(chains.values(), begun, strict=True):
            chain.commit(one)
    for chain in chains.values():
        for epoch, then in expected.items():
            assert _restored(chain, epoch) == then
        assert _restored(chain) == expected[260]
    kinds = "".join(path.suffix[1] for path in sorted((tmp_path / "incremental").iterdir()))
    assert kinds == "fddddddddddfddddddddddfddd"


def test_every_strategy_holds_the_same_hundred_thousand_items(tmp_path: Path) -> None:
    store = MemoryStateStore()
    put_all(store, {b"%d" % i: b"before" for i in range(100_000)})
    chains = [SnapshotChain(tmp_path / strategy, strategy) for strategy in STRATEGIES]
    for chain in chains:
        chain.save(store, 1)
    put_all(store, {b"%d" % i: b"after" if i % 2 else None for i in range(0, 100_000, 7)})
    expected = content(store)
    begun = [chain.begin(store, 2) for chain in chains]
    put_all(store, {b"%d" % i: b"too late" for i in range(100_000)})
    assert [chain.write(one).rows for chain, one in zip(chains, begun, strict=True)] == [92_857, 92_857, 14_286]
    for chain in chains:
        assert _restored(chain, 2) == expected


def _restored(chain: SnapshotChain, epoch: int | None = None) -> dict[bytes, bytes]:
    store = MemoryStateStore()
    store.put(b"left over", b"x")
    part = chain.restore(store, epoch)
    assert part is not None
    assert epoch in (None, part.epoch)
    return content(store)


def test_a_snapshot_restores_into_every_store(store: StateStore, tmp_path: Path) -> None:
    source, chain = MemoryStateStore(), SnapshotChain(tmp_path / "chain")
    assert chain.restore(store) is None
    for epoch in (1, 2, 3):
        _change(source, random.Random(epoch))
        chain.save(source, epoch)
    put_all(store, {b"left over": b"x"})
    chain.restore(store)
    assert content(store) == content(source)
    assert (len(store), store.size_bytes) == (len(source), source.size_bytes)


@pytest.mark.parametrize("backend", list(BACKENDS))
def test_a_delta_is_as_large_as_the_change(backend: str, tmp_path: Path) -> None:
    store, chain = BACKENDS[backend](tmp_path / "store"), SnapshotChain(tmp_path / "chain")
    keys = [b"%08d" % i for i in range(20_000)]
    put_all(store, {key: key * 10 for key in keys})
    full = chain.save(store, 1)
    for turn in range(50):  # two hundred keys, over and over
        put_all(store, dict.fromkeys(keys[::100], b"%04d" % turn * 20))
    delta = chain.save(store, 2)
    assert (full.rows, full.depth, delta.rows, delta.depth) == (20_000, 0, 200, 1)
    assert delta.bytes <= 0.02 * full.bytes
    store.delete_many(column(keys[:10]))
    nothing_else = chain.save(store, 3)
    assert (nothing_else.rows, nothing_else.depth) == (10, 2)
    assert _restored(chain) == content(store)
    store.close()


def test_what_is_aborted_is_in_the_next(store: StateStore, tmp_path: Path) -> None:
    chain = SnapshotChain(tmp_path / "chain")
    put_all(store, {b"a": b"1"})
    chain.save(store, 1)
    put_all(store, {b"b": b"2"})
    chain.begin(store, 2)
    put_all(store, {b"c": b"3"})
    chain.write(chain.begin(store, 3))  # written, and never committed
    store.delete(b"a")
    part = chain.save(store, 4)
    assert (part.rows, part.base_epoch) == (3, 1)
    assert _restored(chain) == {b"b": b"2", b"c": b"3"}
    assert _restored(chain, 3) == {b"a": b"1", b"b": b"2", b"c": b"3"}


def test_a_chain_opened_again_begins_with_a_full_part(store: StateStore, tmp_path: Path) -> None:
    put_all(store, {b"a": b"1"})
    SnapshotChain(tmp_path / "chain").save(store, 1)
    again = SnapshotChain(tmp_path / "chain")
    assert again.restore(store) is not None
    assert (again.save(store, 2).depth, again.save(store, 3).depth) == (0, 1)


def test_prune_leaves_what_the_last_one_needs(tmp_path: Path) -> None:
    store, chain = MemoryStateStore(), SnapshotChain(tmp_path, most_deltas=2)
    for epoch in range(1, 9):
        store.put(b"%d" % epoch, b"x")
        chain.save(store, epoch)
    chain.prune()
    assert chain.epochs() == [7, 8]
    assert _restored(chain) == content(store)
    with pytest.raises(CorruptState, match=r"part .*6\.delta\" is missing"):
        _restored(chain, 6)


def _chain(directory: Path) -> tuple[SnapshotChain, list[Path]]:
    store, chain = MemoryStateStore(), SnapshotChain(directory)
    for epoch in (1, 2, 3, 4):
        store.put(b"%d" % epoch, b"value")
        chain.save(store, epoch)
    return chain, sorted(directory.iterdir())


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_link_is_an_error(missing: int, tmp_path: Path) -> None:
    chain, parts = _chain(tmp_path)
    parts[missing].unlink()
    with pytest.raises(CorruptState, match="is missing"):
        _restored(chain)


def test_a_link_of_another_history_is_an_error(tmp_path: Path) -> None:
    chain, parts = _chain(tmp_path / "one")
    other = MemoryStateStore()
    other.put(b"other", b"x")
    SnapshotChain(tmp_path / "two").save(other, 1)
    parts[0].write_bytes((tmp_path / "two" / parts[0].name).read_bytes())
    with pytest.raises(CorruptState, match="are no chain"):
        _restored(chain)


def test_a_part_under_another_name_is_an_error(tmp_path: Path) -> None:
    chain, parts = _chain(tmp_path)
    parts[3].write_bytes(parts[2].read_bytes())
    with pytest.raises(CorruptState, match="holds the snapshot part of epoch 3"):
        _restored(chain)
    parts[3].unlink()
    parts[2].rename(parts[2].with_suffix(".full"))
    with pytest.raises(CorruptState, match="holds the snapshot part of epoch 3"):
        _restored(chain)


def test_every_flipped_bit_and_every_cut_is_noticed(tmp_path: Path) -> None:
    chain, parts = _chain(tmp_path)
    whole = parts[2].read_bytes()
    for bit in range(0, 8 * len(whole), 7):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        parts[2].write_bytes(damaged)
        with pytest.raises(CorruptState):
            _restored(chain)
    for length in range(0, len(whole), 13):
        parts[2].write_bytes(whole[:length])
        with pytest.raises(CorruptState):
            _restored(chain)
    parts[2].write_bytes(whole)
    assert len(_restored(chain)) == 4


def test_a_failed_restore_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    chain, parts = _chain(tmp_path)
    parts[0].unlink()
    store = MemoryStateStore()
    store.put(b"mine", b"1")
    with pytest.raises(CorruptState):
        chain.restore(store)
    assert content(store) == {b"mine": b"1"}


def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header, "FORMAT", 2)
    chain, _ = _chain(tmp_path)
    monkeypatch.undo()
    with pytest.raises(FeatureNotSupported, match="has format 2, this release reads up to 1") as refused:
        _restored(chain)
    assert "which wrote it" in str(refused.value.hint)


class _FullDisk(Disk):
    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, fd: int, data: Bytes) -> None:
        self.room -= size_of(data)
        if self.room < 0:
            raise OSError(28, "No space left on device")
        super().write(fd, data)


def test_a_full_disk_is_an_error_and_the_next_attempt_has_all(tmp_path: Path) -> None:
    disk, store = _FullDisk(10_000), MemoryStateStore()
    chain = SnapshotChain(tmp_path, disk=disk)
    store.put(b"a", b"1")
    chain.save(store, 1)
    store.put(b"b", bytes(20_000))
    with pytest.raises(StorageFailure, match="No space left on device"):
        chain.save(store, 2)
    assert (chain.epochs(), _restored(chain)) == ([1], {b"a": b"1"})
    disk.room = 100_000
    assert chain.save(store, 3).base_epoch == 1
    assert _restored(chain) == content(store)


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match='"fork" is not one of full, versions, incremental'):
        SnapshotChain(tmp_path, "fork")  # type: ignore[arg-type]
    store, chain = MemoryStateStore(), SnapshotChain(tmp_path)
    chain.save(store, 5)
    with pytest.raises(InternalError, match="begun after"):
        chain.begin(store, 5)
    with pytest.raises(InternalError, match="before it was written"):
        chain.commit(chain.begin(store, 6))
