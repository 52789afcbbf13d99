"""The same history to every state store and to a dict: all of them always answer alike."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from constellationdb.storage.state.indexed import IndexedStore
from constellationdb.storage.state.store import StateSnapshot, StateView
from tests.unit.storage.state.stores import BACKENDS, column, content, put_all

_LONG = [b"longer than a word", b"longer than a w"]
_KEYS = st.binary(max_size=3) | st.sampled_from([b"\xff", b"\xff\xff", b"\0", *_LONG])
_VALUES = st.binary(max_size=3) | st.just(b"v" * 40)
Content = dict[bytes, bytes]


class AgainstDict(RuleBasedStateMachine):
    """With batches of two rows, and garbage collected as soon as it is more than the content."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.model: Content = {}
        self.stores = {name: opened(self.directory / name) for name, opened in BACKENDS.items()}
        self.past: list[tuple[Content, dict[str, StateSnapshot]]] = []
        self.committed: Content | None = None

    @rule(items=st.lists(st.tuples(_KEYS, st.none() | _VALUES), max_size=12))
    def put_many(self, items: list[tuple[bytes, bytes | None]]) -> None:
        for key, value in items:
            self.model.pop(key, None)
            if value is not None:
                self.model[key] = value
        for store in self.stores.values():
            store.put_many(column([key for key, _ in items]), column([value for _, value in items]))

    @rule(key=_KEYS, value=_VALUES)
    def put(self, key: bytes, value: bytes) -> None:
        self.model[key] = value
        for store in self.stores.values():
            store.put(key, value)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        for key in data.draw(
            st.lists(st.sampled_from(sorted(self.model)) | _KEYS if self.model else _KEYS, max_size=5)
        ):
            self.model.pop(key, None)
            for store in self.stores.values():
                store.delete(key)

    @rule(items=st.dictionaries(_KEYS, _VALUES, max_size=8))
    def restore(self, items: Content) -> None:
        self.model = dict(items)
        for name, store in self.stores.items():
            source = BACKENDS[name](self.directory / "other")
            put_all(source, dict(items))
            store.restore(source.snapshot().scan())
            source.close()
            shutil.rmtree(self.directory / "other", ignore_errors=True)
        self.committed = None

    @rule()
    def clear(self) -> None:
        self.model, self.committed = {}, None
        for store in self.stores.values():
            store.clear()

    @rule()
    def snapshot(self) -> None:
        self.past = [*self.past[-2:], (dict(self.model), {name: s.snapshot() for name, s in self.stores.items()})]

    @rule()
    def checkpoint(self) -> None:
        """What changed since the last checkpoint, upon that one's content, is the content."""
        for store in self.stores.values():
            snapshot = store.snapshot()
            changes = snapshot.changes()
            if self.committed is None or changes is None:
                assert content(snapshot) == self.model
            else:
                upon = dict(self.committed)
                for batch in changes:
                    for key, value in zip(*(part.to_pylist() for part in batch.columns), strict=True):
                        upon.pop(key, None)
                        if value is not None:
                            upon[key] = value
                assert upon == self.model
            store.committed(snapshot)
            assert not list(store.snapshot().changes() or ())
        self.committed = dict(self.model)

    @rule()
    def flush(self) -> None:
        for store in self.stores.values():
            store.flush()

    @rule()
    def reopen(self) -> None:
        self.past, self.committed = [], None
        for name in ("mapped", "rocks"):
            self.stores[name].close()
            self.stores[name] = BACKENDS[name](self.directory / name)

    def _moments(self) -> list[tuple[Content, Mapping[str, StateView]]]:
        return [(self.model, self.stores), *self.past]

    @rule(start=_KEYS, end=st.none() | _KEYS)
    def scan(self, start: bytes, end: bytes | None) -> None:
        for model, views in self._moments():
            within = sorted(item for item in model.items() if start <= item[0] and (end is None or item[0] < end))
            under = sorted(item for item in model.items() if item[0].startswith(start))
            for view in views.values():
                assert list(view.range_scan(start, end)) == within
                assert list(view.prefix_scan(start)) == under
                assert view.get(start) == model.get(start)

    @precondition(lambda self: self.past)
    @rule(keys=st.lists(_KEYS, max_size=9))
    def get_many(self, keys: list[bytes]) -> None:
        for model, views in self._moments():
            for view in views.values():
                assert view.get_many(column(keys)).to_pylist() == [model.get(key) for key in keys]

    @invariant()
    def sizes_are_exact(self) -> None:
        for store in self.stores.values():
            assert len(store) == len(self.model)
            assert store.size_bytes == sum(len(key) + len(value) for key, value in self.model.items())
            assert list(store.range_scan(b"", None)) == sorted(self.model.items())

    @invariant()
    def the_index_follows(self) -> None:
        indexed = self.stores["indexed"]
        assert isinstance(indexed, IndexedStore)
        by_value = sorted(self.model, key=lambda key: (self.model[key], key))
        assert indexed.find_range("value", None, None).to_pylist() == by_value

    def teardown(self) -> None:
        self.past = []
        for store in self.stores.values():
            store.close()
        shutil.rmtree(self.directory)


TestAgainstDict = AgainstDict.TestCase
TestAgainstDict.settings = settings(max_examples=10, stateful_step_count=25, deadline=None)


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    state = "constellationdb.storage.state"
    for name in ("versions.BATCH_ROWS", "versions._FIRST_ROWS", "rocks._CHUNK"):
        monkeypatch.setattr(f"{state}.{name}", 2)
    for module in ("logged", "mapped"):
        monkeypatch.setattr(f"{state}.{module}.LEAST_GARBAGE", 0)
