"""Grouping and netting of one batch, against dicts."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constellationdb.engine.kernels.groupby import consolidate, first_rows, group, touched
from constellationdb.engine.kernels.rowcodec import encode_rows

_VALUES = st.none() | st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63)])
_ROWS = st.lists(st.tuples(_VALUES, st.none() | st.sampled_from(["", "a", "aa"]), st.integers(-2, 2)), max_size=40)


@settings(deadline=None, max_examples=300)
@given(_ROWS, st.booleans())
def test_netting_drops_what_cancels(case: list[tuple[int | None, str | None, int]], collide: bool) -> None:
    numbers = pa.array([number for number, _, _ in case], pa.int64())
    texts = pa.array([text for _, text, _ in case], pa.string())
    rows = encode_rows(pa.record_batch([numbers, texts], ["a", "b"]), [0, 1])
    if collide:
        rows = dataclasses.replace(rows, hashes=np.zeros(len(rows), np.uint64))
    first: dict[tuple[int | None, str | None], int] = {}
    net: dict[tuple[int | None, str | None], int] = {}
    for row, (number, text, weight) in enumerate(case):
        first.setdefault((number, text), row)
        net[number, text] = net.get((number, text), 0) + weight
    rows_left, weights = consolidate(rows, np.array([weight for _, _, weight in case], np.int64))
    assert list(zip(rows_left.tolist(), weights.tolist(), strict=True)) == [
        (first[key], weight) for key, weight in net.items() if weight
    ]
    groups, firsts = group(rows)
    assert firsts.tolist() == list(first.values())
    assert groups.tolist() == [list(first).index((number, text)) for number, text, _ in case]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(-1, 30), max_size=60), st.sampled_from([None, 31, 1_000_000]))
def test_touched_slots_come_in_order_of_appearance(slots: list[int], capacity: int | None) -> None:
    unique, inverse = touched(np.array(slots, np.int64), capacity)
    expected = list(dict.fromkeys(slot for slot in slots if slot >= 0))
    assert unique.tolist() == expected
    assert inverse.tolist() == [expected.index(slot) if slot >= 0 else -1 for slot in slots]


@pytest.mark.parametrize("capacity", [None, 200_000])
def test_touched_slots_of_a_large_batch(capacity: int | None) -> None:
    slots = np.random.default_rng(1).integers(0, 150_000, 100_000)
    unique, inverse = touched(slots, capacity)
    assert len(unique) == len(np.unique(slots))
    assert (unique[inverse] == slots).all()
    assert (np.diff([int(np.flatnonzero(slots == slot)[0]) for slot in unique[:200]]) > 0).all()


def test_grouping_a_large_batch() -> None:
    values = np.random.default_rng(2).integers(0, 50_000, 100_000)
    groups, firsts = group(encode_rows(pa.record_batch([pa.array(values)], ["k"]), [0]))
    assert (values[firsts][groups] == values).all()
    assert len(firsts) == len(np.unique(values))
    assert (np.diff(firsts) > 0).all()


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(-1, 12), max_size=60), st.integers(0, 6))
def test_first_rows_are_those_where_a_new_slot_appears(slots: list[int], known: int) -> None:
    fresh = sorted({slot for slot in slots if slot >= known})
    count = fresh[-1] + 1 if fresh else known
    found = first_rows(np.array(slots, np.int64), known, count).tolist()
    assert found == [slots.index(slot) if slot in slots else -1 for slot in range(known, count)]
