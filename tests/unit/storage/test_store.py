"""One suite for every state store, and a state machine that compares them with a dict."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from constellationdb.errors import DirectoryInUse
from constellationdb.storage import sorted_keys
from constellationdb.storage.sorted_keys import SortedKeys
from constellationdb.storage.store import MemoryStateStore, RocksStateStore, StateStore, StateView, prefix_end


@pytest.fixture(params=["memory", "rocks"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    opened: StateStore = MemoryStateStore() if request.param == "memory" else RocksStateStore(tmp_path)
    yield opened
    opened.close()


def _fill(store: StateStore, *keys: bytes) -> None:
    for key in keys:
        store.put(key, b"<" + key + b">")


def test_begins_empty(store: StateStore) -> None:
    assert (len(store), store.size_bytes, store.get(b"a"), list(store.range_scan(b"", None))) == (0, 0, None, [])


def test_puts_replaces_and_deletes(store: StateStore) -> None:
    store.put(b"a", b"1")
    store.put(b"a", b"22")
    store.put(b"b", b"")
    store.delete(b"missing")
    assert (store.get(b"a"), store.get(b"b"), len(store), store.size_bytes) == (b"22", b"", 2, 4)
    store.delete(b"a")
    assert (store.get(b"a"), len(store), store.size_bytes) == (None, 1, 1)


def test_range_is_in_byte_order_without_its_end(store: StateStore) -> None:
    _fill(store, b"b", b"", b"\xff", b"a\x00", b"a", b"\x00")
    assert [key for key, _ in store.range_scan(b"", None)] == [b"", b"\x00", b"a", b"a\x00", b"b", b"\xff"]
    assert list(store.range_scan(b"a", b"b")) == [(b"a", b"<a>"), (b"a\x00", b"<a\x00>")]
    assert list(store.range_scan(b"a", b"a")) == list(store.range_scan(b"b", b"a")) == []


def test_prefix_finds_exactly_its_keys(store: StateStore) -> None:
    _fill(store, b"a", b"ab", b"ab\xff", b"ac", b"\xff", b"\xff\xff", b"\xff\xff\x00")
    assert [key for key, _ in store.prefix_scan(b"ab")] == [b"ab", b"ab\xff"]
    assert [key for key, _ in store.prefix_scan(b"\xff\xff")] == [b"\xff\xff", b"\xff\xff\x00"]
    assert len(list(store.prefix_scan(b""))) == 7
    assert list(store.prefix_scan(b"b")) == []


def test_a_scan_is_of_the_moment_it_was_asked_for(store: StateStore) -> None:
    _fill(store, b"a", b"b")
    scan = store.range_scan(b"", None)
    store.delete(b"a")
    store.put(b"b", b"new")
    _fill(store, b"c")
    assert list(scan) == [(b"a", b"<a>"), (b"b", b"<b>")]


def test_a_snapshot_stays_as_it_was(store: StateStore) -> None:
    _fill(store, b"a", b"ab")
    snapshot = store.snapshot()
    store.clear()
    _fill(store, b"c")
    assert list(snapshot.prefix_scan(b"a")) == [(b"a", b"<a>"), (b"ab", b"<ab>")]
    assert (snapshot.get(b"ab"), snapshot.get(b"c"), snapshot.get(b"nothing")) == (b"<ab>", None, None)
    assert list(store.range_scan(b"", None)) == [(b"c", b"<c>")]


def test_restore_replaces_everything(store: StateStore) -> None:
    _fill(store, b"old")
    store.restore([(b"b", b"1"), (b"a", b"2"), (b"b", b"33")])
    assert list(store.range_scan(b"", None)) == [(b"a", b"2"), (b"b", b"33")]
    assert (len(store), store.size_bytes) == (2, 5)
    store.restore(store.snapshot().range_scan(b"b", None))
    assert list(store.range_scan(b"", None)) == [(b"b", b"33")]
    store.clear()
    assert (len(store), store.size_bytes) == (0, 0)


def test_the_store_on_disk_survives_closing_and_has_one_owner(tmp_path: Path) -> None:
    store = RocksStateStore(tmp_path)
    _fill(store, b"a", b"b")
    with pytest.raises(DirectoryInUse, match="is in use by process"):
        RocksStateStore(tmp_path)
    store.close()
    store = RocksStateStore(tmp_path)
    assert (dict(store.range_scan(b"", None)), len(store), store.size_bytes) == ({b"a": b"<a>", b"b": b"<b>"}, 2, 8)
    store.close()


@given(st.binary(max_size=4), st.binary(max_size=5))
def test_prefix_end_separates(prefix: bytes, key: bytes) -> None:
    end = prefix_end(prefix)
    assert key.startswith(prefix) == (prefix <= key and (end is None or key < end))


_KEYS = st.binary(max_size=3) | st.sampled_from([b"\xff", b"\xff\xff", b"\x00"])


class AgainstDict(RuleBasedStateMachine):
    """The same changes to a dict, a memory store with tiny chunks, and a store on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.model: dict[bytes, bytes] = {}
        self.stores: list[StateStore] = [MemoryStateStore(), RocksStateStore(self.directory)]
        self.past: list[tuple[dict[bytes, bytes], list[StateView]]] = []

    @rule(items=st.lists(st.tuples(_KEYS, st.binary(max_size=3)), max_size=12))
    def put(self, items: list[tuple[bytes, bytes]]) -> None:
        for key, value in items:
            self.model[key] = value
            for store in self.stores:
                store.put(key, value)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        for key in data.draw(st.lists(st.sampled_from(sorted(self.model)) | _KEYS if self.model else _KEYS)):
            self.model.pop(key, None)
            for store in self.stores:
                store.delete(key)

    @rule(data=st.lists(st.tuples(_KEYS, st.binary(max_size=3)), max_size=8))
    def restore(self, data: list[tuple[bytes, bytes]]) -> None:
        self.model = dict(data)
        for store in self.stores:
            store.restore(data)

    @rule()
    def snapshot(self) -> None:
        self.past.append((dict(self.model), [store.snapshot() for store in self.stores]))

    @rule(start=_KEYS, end=st.none() | _KEYS)
    def scan(self, start: bytes, end: bytes | None) -> None:
        moments: list[tuple[dict[bytes, bytes], Sequence[StateView]]] = [(self.model, self.stores), *self.past]
        for model, views in moments:
            within = sorted(item for item in model.items() if start <= item[0] and (end is None or item[0] < end))
            under = sorted(item for item in model.items() if item[0].startswith(start))
            for view in views:
                assert list(view.range_scan(start, end)) == within
                assert list(view.prefix_scan(start)) == under
                assert view.get(start) == model.get(start)

    @invariant()
    def sizes_are_exact(self) -> None:
        for store in self.stores:
            assert len(store) == len(self.model)
            assert store.size_bytes == sum(len(key) + len(value) for key, value in self.model.items())
            assert list(store.range_scan(b"", None)) == sorted(self.model.items())

    def teardown(self) -> None:
        self.stores[1].close()
        shutil.rmtree(self.directory)


TestAgainstDict = AgainstDict.TestCase
TestAgainstDict.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)


@pytest.fixture(autouse=True)
def _tiny_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_keys, "_CHUNK", 2)
    monkeypatch.setattr("constellationdb.storage.store._RocksSnapshot._CHUNK", 2)


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_keys_stay_in_order_over_many_chunks(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_keys, "_CHUNK", chunk)
    keys = [b"%d" % (i * 7919 % 10_007) for i in range(1, 10_007)]
    ordered = SortedKeys(keys[:3])
    for key in keys[3:]:
        ordered.add(key)
    assert list(ordered.range(b"", None)) == sorted(keys)
    for key in keys[::2]:
        ordered.remove(key)
    assert list(ordered.range(b"2", b"5")) == sorted(key for key in keys[1::2] if b"2" <= key < b"5")
