"""Arrays and batches in the files of a scratch space."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.errors import InvalidParameter
from constellationdb.storage.scratch.arrays import enlarged, filled, mapped_bytes, mapping_of, settled, zeros
from constellationdb.storage.scratch.resident import resident_in
from constellationdb.storage.scratch.sizes import bytes_of
from constellationdb.storage.scratch.space import ScratchSpace, current, open_space

_WORD = np.dtype(np.int64)


@pytest.fixture
def space(tmp_path: Path) -> Iterator[ScratchSpace]:
    made = open_space(tmp_path, 1, None)
    assert made is not None
    yield made
    made.stop()


def test_what_grows_keeps_what_it_holds_and_moves_nothing(space: ScratchSpace) -> None:
    array = enlarged(np.arange(100, dtype=np.int64), 100, 1000, -1)
    assert mapping_of(array) is not None
    longer = enlarged(array, len(array), 1_000_000, -1)
    assert longer[:100].tolist() == list(range(100))
    assert (longer[100:] == -1).all()
    longer[5] = 77
    assert array[5] == 77
    assert space.used == mapping_of(longer).size  # type: ignore[union-attr]


@pytest.mark.usefixtures("space")
def test_pages_that_are_let_go_come_back_with_what_they_held() -> None:
    array = filled(1_000_000, _WORD, 3)
    array[::1000] = np.arange(1000)
    mapping = mapping_of(array)
    assert mapping is not None
    mapping.let_go(0, mapping.size)
    assert resident_in(mapping.address, mapping.size) < mapping.size // 2
    assert array[::1000].tolist() == list(range(1000))
    assert array.sum() == 3 * 999_000 + sum(range(1000))


def test_trimming_keeps_the_budget(space: ScratchSpace) -> None:
    array = filled(4_000_000, _WORD, 1)
    space.trim()
    mapping = mapping_of(array)
    assert mapping is not None
    assert resident_in(mapping.address, mapping.size) < mapping.size // 4
    assert array.sum() == 4_000_000


def test_a_settled_batch_is_the_same_and_on_disk(space: ScratchSpace) -> None:
    batch = pa.record_batch(
        {
            "a": pa.array([1, None, 3]),
            "b": pa.array(["x", None, "longer than twelve bytes"]),
            "c": pa.array([[1, 2], None, []], pa.list_(pa.int64())),
            "d": pa.array([True, False, None]),
        }
    ).slice(1)
    there = settled(batch)
    assert there.equals(batch)
    assert mapped_bytes(space.mappings(), there)[0] == there.nbytes
    assert mapped_bytes(space.mappings(), batch) == (0, 0)


def test_files_go_with_the_last_array_that_lies_in_them(space: ScratchSpace, tmp_path: Path) -> None:
    array = zeros(100_000, _WORD)
    part = array[7:9]
    del array
    assert space.used >= 800_000
    assert list(tmp_path.iterdir()) == []
    del part
    gc.collect()
    assert space.used == 0


def test_without_room_it_is_ordinary_memory_and_told(tmp_path: Path) -> None:
    space = open_space(tmp_path, 1, 1 << 20)
    assert space is not None
    try:
        array = zeros(1_000_000, _WORD)
        assert mapping_of(array) is None
        refusal = space.take_refusal()
        assert refusal is not None
        assert (refusal.sqlstate, refusal.message) == ("53100", "state size exceeds state_disk_limit (1024kB)")
        assert space.take_refusal() is None
    finally:
        space.stop()
    assert current() is None


def test_within_half_the_budget_it_is_ordinary_memory(tmp_path: Path) -> None:
    space = open_space(tmp_path, 1 << 30, None)
    assert space is not None
    try:
        assert mapping_of(zeros(1_000_000, _WORD)) is None
        assert space.used == 0
    finally:
        space.stop()


def test_sizes() -> None:
    assert [bytes_of("x", size) for size in (None, 5, "7", "8kB", "512 MB")] == [None, 5, 7, 8192, 512 << 20]
    with pytest.raises(InvalidParameter) as error:
        bytes_of("state_memory_budget", "much")
    assert error.value.message == 'invalid value for parameter "state_memory_budget": "much"'
