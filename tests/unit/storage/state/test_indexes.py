"""Secondary indexes: what they find is what a search through all items finds."""

from __future__ import annotations

from functools import cmp_to_key
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constellationdb.storage.kernels.orderedkeys import FALLING, RISING
from constellationdb.storage.state.indexed import IndexedStore
from constellationdb.storage.state.logged import MemoryStateStore
from constellationdb.storage.state.secondary_index import SecondaryIndex
from constellationdb.storage.state.store import ITEMS
from tests.unit.storage.state.stores import BACKENDS, column


def _city(_: pa.Array, values: pa.Array) -> list[pa.Array]:
    """The value up to its comma; nothing is NULL."""
    cities = [value.split(b",")[0].decode() or None for value in values.to_pylist()]
    return [pa.array(cities, pa.string())]


def _city_and_age(keys: pa.Array, values: pa.Array) -> list[pa.Array]:
    ages = [int(value.split(b",")[1]) for value in values.to_pylist()]
    return [*_city(keys, values), pa.array(ages, pa.int32())]


@pytest.mark.parametrize("backend", list(BACKENDS))
def test_finds_points_and_ranges(backend: str, tmp_path: Path) -> None:
    entries = BACKENDS[backend](tmp_path)
    people = IndexedStore(MemoryStateStore(), {"city": SecondaryIndex(entries, _city)})
    keys = pa.array([b"ann", b"bob", b"cid", b"dan", b"eve"])
    people.put_many(keys, pa.array([b"Oslo,1", b"Bonn,2", b"Oslo,3", b",4", b"Oslo,5"]))
    assert people.find("city", [pa.array(["Oslo"])]).to_pylist() == [b"ann", b"cid", b"eve"]
    assert people.find("city", [pa.array(["Osl"])]).to_pylist() == []
    assert people.find("city", [pa.array([None, "Bonn"], pa.string())]).to_pylist() == [b"dan", b"bob"]
    people.put_many(pa.array([b"cid", b"eve"]), column([b"Bonn,3", None]))
    assert people.find("city", [pa.array(["Oslo"])]).to_pylist() == [b"ann"]
    assert people.find_range("city", [pa.array(["Bonn"])], [pa.array(["Oslo"])]).to_pylist() == [b"bob", b"cid"]
    assert people.find_range("city", [pa.array(["C"])], None).to_pylist() == [b"ann", b"dan"]
    assert people.find_range("city", None, [pa.array(["C"])]).to_pylist() == [b"bob", b"cid"]
    people.delete_many(keys)
    assert len(people) == len(entries) == 0
    entries.close()


def test_of_equal_keys_in_a_batch_the_last_counts() -> None:
    people = IndexedStore(MemoryStateStore(), {"city": SecondaryIndex(MemoryStateStore(), _city)})
    people.put_many(column([b"a", b"b", b"a"]), column([b"Oslo,1", b"Oslo,1", b"Bonn,1"]))
    assert people.find("city", [pa.array(["Oslo"])]).to_pylist() == [b"b"]
    assert people.find("city", [pa.array(["Bonn"])]).to_pylist() == [b"a"]
    people.put_many(column([b"b", b"b"]), column([b"Rome,1", None]))
    assert people.find_range("city", None, None).to_pylist() == [b"a"]


_People = dict[bytes, tuple[str, int]]
_PEOPLE = st.dictionaries(
    st.binary(min_size=1, max_size=2),
    st.tuples(st.text("ab", max_size=2), st.integers(-3, 3)),
    max_size=10,
)


def _items(people: _People) -> tuple[pa.Array, pa.Array]:
    return column(list(people)), column([f"{city},{age}".encode() for city, age in people.values()])


@settings(deadline=None, max_examples=100)
@given(_PEOPLE, _PEOPLE, st.lists(st.binary(min_size=1, max_size=2), max_size=5), st.text("ab", max_size=2))
def test_finds_what_a_search_finds(first: _People, second: _People, gone: list[bytes], city: str) -> None:
    """By city rising and age falling, where no city is NULL and so comes last."""
    index = SecondaryIndex(MemoryStateStore(), _city_and_age, [RISING, FALLING])
    people = IndexedStore(MemoryStateStore(), {"i": index})
    people.put_many(*_items(first))
    people.put_many(*_items(second))
    people.delete_many(column(gone))
    left = {key: person for key, person in (first | second).items() if key not in gone}
    _compare(people, left, city)
    batch = pa.RecordBatch.from_arrays(list(_items(first)), schema=ITEMS)
    people.restore([batch])
    _compare(people, first, city)


def _compare(people: IndexedStore, left: _People, city: str) -> None:
    def before(a: bytes, b: bytes) -> int:
        def place(key: bytes) -> tuple[bool, str, int, bytes]:
            return not left[key][0], left[key][0], -left[key][1], key

        return (place(a) > place(b)) - (place(a) < place(b))

    order = sorted(left, key=cmp_to_key(before))
    assert people.find_range("i", None, None).to_pylist() == order
    wanted = city or None
    point = [pa.array([wanted], pa.string())]
    assert people.find("i", point).to_pylist() == [key for key in order if left[key][0] == city]
    both = [*point, pa.array([1], pa.int32())]
    assert people.find("i", both).to_pylist() == [key for key in order if left[key] == (city, 1)]
    above = [key for key in order if city and (not left[key][0] or left[key][0] >= city)]
    if city:
        assert people.find_range("i", point, None).to_pylist() == above
