"""One suite for every state store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constellationdb.errors import DirectoryInUse, NullNotAllowed
from constellationdb.storage.state.mapped import MappedStateStore
from constellationdb.storage.state.rocks import RocksStateStore
from constellationdb.storage.state.store import ITEMS, StateStore, prefix_end
from tests.unit.storage.state.stores import BACKENDS, column, content, put_all


@pytest.fixture(params=list(BACKENDS))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    opened = BACKENDS[request.param](tmp_path)
    yield opened
    opened.close()


def _fill(store: StateStore, *keys: bytes) -> None:
    for key in keys:
        store.put(key, b"<" + key + b">")


def test_begins_empty(store: StateStore) -> None:
    assert (len(store), store.size_bytes, store.get(b"a"), list(store.range_scan(b"", None))) == (0, 0, None, [])
    assert store.get_many(column([])).to_pylist() == []
    store.put_many(column([]), column([]))
    assert len(store) == 0


def test_puts_replaces_and_deletes(store: StateStore) -> None:
    store.put(b"a", b"1")
    store.put(b"a", b"22")
    store.put(b"b", b"")
    store.delete(b"missing")
    assert (store.get(b"a"), store.get(b"b"), len(store), store.size_bytes) == (b"22", b"", 2, 4)
    store.delete(b"a")
    assert (store.get(b"a"), len(store), store.size_bytes) == (None, 1, 1)
    store.put(b"a", b"333")
    assert (store.get(b"a"), len(store), store.size_bytes) == (b"333", 2, 5)


def test_many_at_once_in_order_and_null_removes(store: StateStore) -> None:
    store.put_many(column([b"a", b"b", b"a", b"c", b"c"]), column([b"1", b"2", b"3", b"4", None]))
    assert (content(store), len(store), store.size_bytes) == ({b"a": b"3", b"b": b"2"}, 2, 4)
    assert store.get_many(column([b"c", b"b", b"a", b"b"])).to_pylist() == [None, b"2", b"3", b"2"]
    store.delete_many(column([b"b", b"missing", b"b"]))
    assert (content(store), len(store), store.size_bytes) == ({b"a": b"3"}, 1, 2)


def test_takes_every_arrow_column_of_bytes_and_slices(store: StateStore) -> None:
    keys = pa.array(["x", "a", "b"]).slice(1)
    store.put_many(keys, pa.array([b"1", b"2"], pa.binary_view()))
    store.put_many(pa.array(["c", "c"]).dictionary_encode(), pa.array(["3", "4"], pa.large_string()))
    assert content(store) == {b"a": b"1", b"b": b"2", b"c": b"4"}
    assert store.get_many(keys).to_pylist() == [b"1", b"2"]


def test_a_null_key_is_an_error_and_changes_nothing(store: StateStore) -> None:
    with pytest.raises(NullNotAllowed, match="must not be null"):
        store.put_many(column([b"a", None]), column([b"1", b"2"]))
    with pytest.raises(ValueError, match="1 keys for 2 values"):
        store.put_many(column([b"a"]), column([b"1", b"2"]))
    with pytest.raises(NullNotAllowed, match="must not be null"):
        store.get_many(column([None]))
    with pytest.raises(TypeError, match="not of int64"):
        store.put_many(pa.array([1]), column([b"1"]))
    assert len(store) == 0


def test_range_is_in_byte_order_without_its_end(store: StateStore) -> None:
    _fill(store, b"b", b"", b"\xff", b"a\x00", b"a", b"\x00")
    assert [key for key, _ in store.range_scan(b"", None)] == [b"", b"\x00", b"a", b"a\x00", b"b", b"\xff"]
    assert list(store.range_scan(b"a", b"b")) == [(b"a", b"<a>"), (b"a\x00", b"<a\x00>")]
    assert list(store.range_scan(b"a", b"a")) == list(store.range_scan(b"b", b"a")) == []
    assert list(store.range_scan(b"", b"")) == []


def test_prefix_finds_exactly_its_keys(store: StateStore) -> None:
    _fill(store, b"a", b"ab", b"ab\xff", b"ac", b"\xff", b"\xff\xff", b"\xff\xff\x00")
    assert [key for key, _ in store.prefix_scan(b"ab")] == [b"ab", b"ab\xff"]
    assert [key for key, _ in store.prefix_scan(b"\xff\xff")] == [b"\xff\xff", b"\xff\xff\x00"]
    assert len(list(store.prefix_scan(b""))) == 7
    assert list(store.prefix_scan(b"b")) == []


def test_a_scan_is_of_the_moment_it_was_asked_for(store: StateStore) -> None:
    _fill(store, *(b"%04d" % i for i in range(1000)))
    scan = store.range_scan(b"", None)
    assert next(scan) == (b"0000", b"<0000>")
    store.delete(b"0500")
    store.put(b"0501", b"new")
    store.put(b"0000x", b"new")
    assert list(scan) == [(b"%04d" % i, b"<%04d>" % i) for i in range(1, 1000)]
    store.clear()
    assert content(store) == {}


def test_a_snapshot_stays_as_it_was(store: StateStore) -> None:
    _fill(store, b"a", b"b", b"c")
    past = store.snapshot()
    store.put(b"a", b"new")
    store.delete(b"b")
    store.put(b"d", b"new")
    assert content(past) == {b"a": b"<a>", b"b": b"<b>", b"c": b"<c>"}
    assert past.get_many(column([b"d", b"b", b"a"])).to_pylist() == [None, b"<b>", b"<a>"]
    assert (past.get(b"d"), past.get(b"b"), list(past.prefix_scan(b"b"))) == (None, b"<b>", [(b"b", b"<b>")])
    store.clear()
    assert content(past) == {b"a": b"<a>", b"b": b"<b>", b"c": b"<c>"}


def test_changes_are_counted_from_the_committed_snapshot(store: StateStore) -> None:
    _fill(store, b"a", b"b")
    first = store.snapshot()
    assert first.changes() is None
    store.put(b"a", b"1")
    store.committed(first)
    store.put(b"c", b"2")
    aborted = store.snapshot()
    assert _changes(aborted) == {b"a": b"1", b"c": b"2"}
    store.delete(b"b")
    store.put(b"c", b"3")
    second = store.snapshot()
    store.put(b"c", b"4")
    store.put(b"later", b"5")
    assert _changes(second) == {b"a": b"1", b"b": None, b"c": b"3"}
    store.committed(second)
    assert _changes(store.snapshot()) == {b"c": b"4", b"later": b"5"}
    store.clear()
    assert store.snapshot().changes() is None
    store.committed(second)  # of what is there no more
    assert store.snapshot().changes() is None


def _changes(snapshot: object) -> dict[bytes, bytes | None]:
    batches = list(snapshot.changes())  # type: ignore[attr-defined]
    rows = [row for batch in batches for row in zip(*(part.to_pylist() for part in batch.columns), strict=True)]
    assert len(dict(rows)) == len(rows)
    return dict(rows)


def test_restore_replaces_everything(store: StateStore) -> None:
    _fill(store, b"x", b"b")
    first = pa.record_batch([column([b"b", b"a", b"b", b"d"]), column([b"1", b"2", b"33", b"4"])], schema=ITEMS)
    second = pa.record_batch([column([b"d", b"e"]), column([None, b"5"])], schema=ITEMS)
    store.restore([first, second])
    assert content(store) == {b"a": b"2", b"b": b"33", b"e": b"5"}
    assert (len(store), store.size_bytes) == (3, 7)
    store.restore(store.snapshot().scan(b"b"))
    assert content(store) == {b"b": b"33", b"e": b"5"}
    store.clear()
    assert (len(store), store.size_bytes, content(store)) == (0, 0, {})


def test_many_keys_with_a_long_common_beginning_and_long_values(store: StateStore) -> None:
    items = {b"prefix/" * 9 + b"%d" % (i * 7919 % 10_007): b"%d" % i * (i % 50) for i in range(1, 10_007)}
    put_all(store, items)
    kept = {key: value for i, (key, value) in enumerate(items.items()) if i % 2}
    store.delete_many(column([key for key in items if key not in kept]))
    kept[b"big"] = bytes(range(256)) * 4096
    store.put(b"big", kept[b"big"])
    assert list(store.range_scan(b"", None)) == sorted(kept.items())
    assert (len(store), store.size_bytes) == (len(kept), sum(len(k) + len(v) for k, v in kept.items()))
    assert store.get_many(column(list(items))).to_pylist() == [kept.get(key) for key in items]


def test_content_is_the_same_after_ten_times_as_much_garbage(store: StateStore) -> None:
    for turn in range(10):
        put_all(store, {b"%d" % i: b"%d" % turn * 100 for i in range(5_000)})
        store.delete_many(column([b"%d" % i for i in range(turn, 5_000, 10)]))
        if turn == 4:
            store.committed(store.snapshot())
            store.put(b"since", b"x")
    expected = {b"%d" % i: b"9" * 100 for i in range(5_000) if i % 10 != 9} | {b"since": b"x"}
    assert content(store) == expected
    changed = _changes(store.snapshot())
    assert {key: value for key, value in changed.items() if value is not None} == expected
    assert {key for key, value in changed.items() if value is None} == {b"%d" % i for i in range(9, 5_000, 10)}
    store.flush()
    assert content(store) == expected


def test_removals_since_the_committed_snapshot_outlive_garbage(
    store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("logged", "mapped"):
        monkeypatch.setattr(f"constellationdb.storage.state.{module}.LEAST_GARBAGE", 0)
    _fill(store, b"a", b"b", b"c", b"d")
    store.delete(b"d")
    store.flush()
    store.committed(store.snapshot())
    store.put(b"b", b"1")
    store.delete_many(column([b"a", b"c"]))
    store.put(b"b", b"2")
    store.flush()
    assert _changes(store.snapshot()) == {b"a": None, b"b": b"2", b"c": None}
    store.put(b"a", b"3")
    assert _changes(store.snapshot()) == {b"a": b"3", b"b": b"2", b"c": None}
    assert content(store) == {b"a": b"3", b"b": b"2"}


def test_a_snapshot_of_before_garbage_was_collected_may_be_committed(
    store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("logged", "mapped"):
        monkeypatch.setattr(f"constellationdb.storage.state.{module}.LEAST_GARBAGE", 0)
    put_all(store, {b"%d" % i: b"1" for i in range(20)})
    before = store.snapshot()
    for turn in (b"22", b"333"):
        put_all(store, {b"%d" % i: turn for i in range(20)})
    store.flush()
    store.committed(before)
    changes = store.snapshot().changes()
    assert changes is None or {row for batch in changes for row in batch.column(1).to_pylist()} == {b"333"}


def test_a_snapshot_is_read_by_another_thread_while_the_store_changes(store: StateStore) -> None:
    put_all(store, {b"%05d" % i: b"old" for i in range(3_000)})
    past = store.snapshot()
    seen: list[dict[bytes, bytes]] = []
    reader = threading.Thread(target=lambda: seen.extend(content(past) for _ in range(5)))
    reader.start()
    for turn in range(20):
        put_all(store, {b"%05d" % i: b"new" * turn for i in range(turn, 6_000, 7)})
    reader.join()
    assert seen == [{b"%05d" % i: b"old" for i in range(3_000)}] * 5


@pytest.mark.parametrize("opened", [MappedStateStore, RocksStateStore])
def test_a_store_on_disk_survives_closing_and_has_one_owner(opened: type[MappedStateStore], tmp_path: Path) -> None:
    store = opened(tmp_path)
    _fill(store, b"a", b"b", b"c")
    store.delete(b"c")
    with pytest.raises(DirectoryInUse, match="is in use by process"):
        opened(tmp_path)
    store.close()
    for _ in range(2):
        store = opened(tmp_path)
        assert (content(store), len(store), store.size_bytes) == ({b"a": b"<a>", b"b": b"<b>"}, 2, 8)
        assert store.snapshot().changes() is None
        store.close()


@given(st.binary(max_size=4), st.binary(max_size=5))
def test_prefix_end_separates(prefix: bytes, key: bytes) -> None:
    end = prefix_end(prefix)
    assert key.startswith(prefix) == (prefix <= key and (end is None or key < end))
