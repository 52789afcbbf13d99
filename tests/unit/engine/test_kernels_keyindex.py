"""KeyIndex against a dict from bytes to numbers."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine.kernels import keyindex
from constellationdb.engine.kernels.keyindex import KeyIndex
from constellationdb.engine.kernels.rowcodec import Rows, encode_rows
from constellationdb.errors import CorruptState


class Model:
    """The same promises in four lines of Python."""

    def __init__(self) -> None:
        self.slots: dict[bytes, int] = {}

    @staticmethod
    def of(keys: list[bytes]) -> Model:
        model = Model()
        model.slots = {key: slot for slot, key in enumerate(keys)}
        return model

    def upsert(self, rows: Rows) -> list[int]:
        return [self.slots.setdefault(rows.key(i), len(self.slots)) for i in range(len(rows))]

    def probe(self, rows: Rows) -> list[int]:
        return [self.slots.get(rows.key(i), -1) for i in range(len(rows))]


def _integers(rnd: random.Random, count: int, distinct: int) -> Rows:
    values = [None if rnd.random() < 0.02 else rnd.randrange(distinct) - distinct // 2 for _ in range(count)]
    return encode_rows(pa.record_batch([pa.array(values, pa.int64())], ["k"]), [0])


def _close_words(rnd: random.Random, count: int, distinct: int) -> Rows:
    values = [rnd.randrange(distinct) - distinct // 2 for _ in range(count)]
    return encode_rows(pa.record_batch([pa.array(values, pa.int64())], ["k"]), [0])


def _far_words(rnd: random.Random, count: int, distinct: int) -> Rows:
    values = [(rnd.randrange(distinct) - distinct // 2) * 0x1_0000_0001 for _ in range(count)]
    return encode_rows(pa.record_batch([pa.array(values, pa.int64())], ["k"]), [0])


def _word_pairs(rnd: random.Random, count: int, distinct: int) -> Rows:
    left = pa.array([rnd.randrange(distinct) - distinct // 2 for _ in range(count)], pa.int64())
    right = pa.array([rnd.choice([0, -1, 2**63 - 1]) for _ in range(count)], pa.int64())
    return encode_rows(pa.record_batch([left, right], ["a", "b"]), [0, 1])


def _pairs_with_nulls(rnd: random.Random, count: int, distinct: int) -> Rows:
    left = pa.array([rnd.randrange(distinct) for _ in range(count)], pa.int64())
    right = pa.array([rnd.choice([0, None]) for _ in range(count)], pa.int64())
    return encode_rows(pa.record_batch([left, right], ["a", "b"]), [0, 1])


def _texts(rnd: random.Random, count: int, distinct: int) -> Rows:
    values = [
        None if rnd.random() < 0.02 else "x" * rnd.randrange(3) + str(rnd.randrange(distinct)) for _ in range(count)
    ]
    return encode_rows(pa.record_batch([pa.array(values, pa.string())], ["k"]), [0])


def _pairs(rnd: random.Random, count: int, distinct: int) -> Rows:
    left = pa.array([rnd.randrange(distinct) for _ in range(count)])
    right = pa.array([rnd.choice(["", None, "long enough to pass sixteen bytes", "a\0b"]) for _ in range(count)])
    return encode_rows(pa.record_batch([left, right], ["a", "b"]), [0, 1])


def _doubles(rnd: random.Random, count: int, distinct: int) -> Rows:
    values = [rnd.choice([0.0, -0.0, float("nan"), float("inf"), float(rnd.randrange(distinct))]) for _ in range(count)]
    return encode_rows(pa.record_batch([pa.array(values), pa.array(values)], ["a", "b"]), [0, 1])


_MAKERS = [_integers, _close_words, _far_words, _word_pairs, _pairs_with_nulls, _texts, _pairs, _doubles]


def _collide(rows: Rows, bits: int) -> Rows:
    """The same rows under hashes that leave only ``bits`` bits, so that most keys collide."""
    hashes = rows.hashes & np.uint64((1 << bits) - 1)
    return Rows(rows.data, rows.offsets, hashes, rows.null_mask, rows.width, rows.nulls_match)


def _assert_same(index: KeyIndex, model: Model) -> None:
    keys = index.keys_at(np.arange(len(index)))
    assert [keys.key(i) for i in range(len(keys))] == list(model.slots)


@pytest.mark.parametrize("make", _MAKERS)
@pytest.mark.parametrize("distinct", [1, 50, 30_000])
def test_slots_are_numbered_by_first_appearance(make: object, distinct: int) -> None:
    assert callable(make)
    rnd, index, model = random.Random(distinct), KeyIndex(), Model()
    for size in (0, 1, 3, 500, 2_000, 1, 4_000):
        rows = make(rnd, size, distinct)
        assert index.probe(rows).tolist() == model.probe(rows)
        before = len(model.slots)
        expected = model.upsert(rows)
        slots, added = index.upsert(rows)
        assert slots.tolist() == expected
        assert added == len(model.slots) - before
        assert len(index) == len(model.slots)
    _assert_same(index, model)


@pytest.mark.parametrize("make", _MAKERS)
@pytest.mark.parametrize("bits", [0, 1, 8])
def test_identity_is_bytes_and_never_the_hash(make: object, bits: int) -> None:
    assert callable(make)
    rnd, index, model = random.Random(bits), KeyIndex(), Model()
    for _ in range(4):
        rows = _collide(make(rnd, 300, 150), bits)
        assert index.probe(rows).tolist() == model.probe(rows)
        assert index.upsert(rows)[0].tolist() == model.upsert(rows)


@pytest.mark.parametrize("one", [_close_words, _far_words, _word_pairs])
@pytest.mark.parametrize("other", [_integers, _far_words, _word_pairs, _pairs_with_nulls, _texts, _pairs])
@pytest.mark.parametrize("probed_first", [False, True])
def test_keys_of_one_form_meet_any_other_key(one: object, other: object, probed_first: bool) -> None:
    assert callable(one)
    assert callable(other)
    rnd, index, model = random.Random(7), KeyIndex(), Model()
    for size in (40, 2_000, 1, 5_000):
        rows = one(rnd, size, 3_000)
        assert index.upsert(rows)[0].tolist() == model.upsert(rows)
    smaller, remap = index.compact(np.arange(len(index)) % 2 == 0)
    assert remap[::2].tolist() == list(range(len(smaller)))
    _assert_same(smaller, Model.of(list(model.slots)[::2]))
    data, offsets = index.snapshot(10)
    assert [data[a:b].tobytes() for a, b in pairwise(offsets)] == list(model.slots)[10:]
    rows = other(rnd, 500, 3_000)
    if probed_first:
        assert index.probe(rows).tolist() == model.probe(rows)
    assert index.upsert(rows)[0].tolist() == model.upsert(rows)
    _assert_same(index, model)
    assert index.hashes.tolist() == index.keys_at(np.arange(len(index))).hashes.tolist()


@pytest.mark.parametrize("make", [_close_words, _far_words, _word_pairs, _texts])
def test_a_word_is_found_by_itself(make: object) -> None:
    """Whatever other keys there are."""
    assert callable(make)
    rnd, index = random.Random(3), KeyIndex()
    index.upsert(encode_rows(pa.record_batch([pa.array([5, -7, 1 << 40])], ["k"]), [0]))
    index.upsert(make(rnd, 500, 300))
    words = [5, -7, 1 << 40, 0, 1, -1, 299, 300, (1 << 63) - 1, -(1 << 63)]
    rows = encode_rows(pa.record_batch([pa.array(words)], ["k"]), [0])
    assert [index.probe_word(word) for word in words] == index.probe(rows).tolist()
    assert [index.probe_word(word) for word in words[:3]] == [0, 1, 2]


def test_int64_extremes_are_distinct_keys() -> None:
    values = pa.array([2**63 - 1, -(2**63), 0, -1, None, 255, 256, -(2**63)])
    slots, added = KeyIndex().upsert(encode_rows(pa.record_batch([values], ["k"]), [0]))
    assert (slots.tolist(), added) == ([0, 1, 2, 3, 4, 5, 6, 1], 7)


@pytest.mark.parametrize("make", [_integers, _far_words, _word_pairs, _texts])
def test_gradual_growth_gives_the_same_slots(make: object, monkeypatch: pytest.MonkeyPatch) -> None:
    assert callable(make)
    monkeypatch.setattr(keyindex, "_GRADUAL_FROM", 64)
    monkeypatch.setattr(keyindex, "_FIRST_CAPACITY", 64)
    rnd, index, model, gradual = random.Random(5), KeyIndex(), Model(), 0
    for _ in range(700):
        rows = make(rnd, rnd.randrange(1, 40), 100_000)
        assert index.probe(rows).tolist() == model.probe(rows)
        assert index.upsert(rows)[0].tolist() == model.upsert(rows)
        gradual += index._next is not None
    assert gradual > 50
    _assert_same(index, model)


def test_gradual_growth_is_done_before_the_table_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    index, rebuild = KeyIndex(), KeyIndex._rebuild
    rebuilds: list[int] = []

    def noted(index: KeyIndex, expected: int) -> None:
        rebuilds.append(len(index))
        rebuild(index, expected)

    monkeypatch.setattr(KeyIndex, "_rebuild", noted)
    keys = np.arange(600_000) * 1_000  # too far apart for a place each
    for start in range(0, 600_000, 4_000):
        index.upsert(encode_rows(pa.record_batch([pa.array(keys[start : start + 4_000])], ["k"]), [0]))
    assert max(rebuilds) < keyindex._GRADUAL_FROM
    assert len(index._table) // 2 >= 1 << 20
    assert index.probe(encode_rows(pa.record_batch([pa.array(keys)], ["k"]), [0])).tolist() == list(range(600_000))


def test_a_null_matches_nothing_in_a_join() -> None:
    batch = pa.record_batch([pa.array([1, None, 1, None])], ["k"])
    joining, grouping = encode_rows(batch, [0], nulls_equal=False), encode_rows(batch, [0])
    index = KeyIndex()
    assert index.upsert(joining)[0].tolist() == [0, -1, 0, -1]
    assert len(index) == 1
    assert index.upsert(grouping)[0].tolist() == [0, 1, 0, 1]
    assert index.probe(joining).tolist() == [0, -1, 0, -1]


def test_no_columns_are_one_key() -> None:
    rows = encode_rows(pa.record_batch([pa.array([1, 2])], ["k"]), [])
    index = KeyIndex()
    assert index.probe(rows).tolist() == [-1, -1]
    assert index.upsert(rows)[0].tolist() == [0, 0]
    assert index.keys_at(np.array([0])).key(0) == b""


@pytest.mark.parametrize("make", _MAKERS)
def test_snapshots_restore_the_same_slots(make: object) -> None:
    assert callable(make)
    rnd, index = random.Random(1), KeyIndex()
    index.upsert(make(rnd, 700, 400))
    full, since = index.snapshot(), len(index)
    later = make(rnd, 700, 900)
    index.upsert(later)
    restored = KeyIndex()
    restored.restore(*full)
    restored.restore(*index.snapshot(since))
    assert restored.hashes.tolist() == index.hashes.tolist()
    assert restored.probe(later).tolist() == index.probe(later).tolist()
    assert restored.keys_at(np.array([0])).null_mask.tolist() == index.keys_at(np.array([0])).null_mask.tolist()


def test_a_snapshot_of_known_keys_is_corrupt() -> None:
    index = KeyIndex()
    index.upsert(encode_rows(pa.record_batch([pa.array([1, 2])], ["k"]), [0]))
    with pytest.raises(CorruptState, match="2 keys that are already known"):
        index.restore(*index.snapshot())


def test_texts_that_all_have_nine_bytes_may_be_followed_by_others() -> None:
    index = KeyIndex()
    four = encode_rows(pa.record_batch([pa.array(["abcd", "efgh"])], ["k"]), [0])
    index.restore(four.data, four.offsets)
    mixed = encode_rows(pa.record_batch([pa.array(["efgh", "x", "abcd"])], ["k"]), [0])
    assert index.probe(mixed).tolist() == [1, -1, 0]
    assert index.upsert(mixed)[0].tolist() == [1, 2, 0]


@pytest.mark.parametrize("make", _MAKERS)
def test_compaction_keeps_what_it_is_told(make: object) -> None:
    assert callable(make)
    rnd, index = random.Random(3), KeyIndex()
    rows = make(rnd, 3_000, 2_000)
    slots, _ = index.upsert(rows)
    keep = np.array([rnd.random() < 0.3 for _ in range(len(index))])
    smaller, remap = index.compact(keep)
    assert remap.tolist() == [int(keep[:slot].sum()) if keep[slot] else -1 for slot in range(len(index))]
    assert smaller.probe(rows).tolist() == remap[slots].tolist()
    again, added = smaller.upsert(rows)
    assert added == int((~keep).sum())
    assert smaller.probe(rows).tolist() == again.tolist()


def test_compaction_to_nothing_is_an_empty_index() -> None:
    index = KeyIndex()
    rows = encode_rows(pa.record_batch([pa.array(["a", "b"])], ["k"]), [0])
    index.upsert(rows)
    smaller, remap = index.compact(np.zeros(2, np.bool_))
    assert (len(smaller), remap.tolist(), smaller.upsert(rows)[0].tolist()) == (0, [-1, -1], [0, 1])
