"""Two rows encode alike exactly when a plain model says Postgres would group them."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from constellationdb.engine.kernels.rowcodec import (
    Rows,
    concat_rows,
    encode_rows,
    hash_columns,
    rows_of,
    vnodes,
)
from constellationdb.errors import FeatureNotSupported

_INT64 = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63)])
_FLOAT = st.sampled_from([0.0, -0.0, math.nan, math.inf, 1e16, 0.1, 5e-324]) | st.floats()
_DECIMAL = st.builds(lambda n, places: Decimal(n).scaleb(-places), st.integers(-(10**20), 10**20), st.integers(0, 10))
_TEXT = st.text("aé\0b", max_size=20)
_DAY_NS = 86_400_000_000_000


def _number(value: float) -> object:
    return "nan" if value != value else value + 0.0


def _interval(value: Any) -> tuple[int, int, int]:
    return value.months, value.days, value.nanoseconds


def _same(value: object) -> object:
    return value


_INTERVALS = st.builds(
    lambda months, days, ns: pa.MonthDayNano([months, days, ns]),
    st.integers(-2, 2), st.integers(-60, 60), st.sampled_from([0, 1, _DAY_NS, -_DAY_NS, 2**63 - 1, -(2**63)]),
)  # fmt: skip

# Arrow type, values, and what of a value decides its group.
_KINDS: list[tuple[pa.DataType, st.SearchStrategy[Any], Callable[[Any], object]]] = [
    (pa.int64(), _INT64, _same),
    (pa.int32(), st.integers(-3, 3), _same),
    (pa.uint8(), st.integers(0, 255), _same),
    (pa.float64(), _FLOAT, _number),
    (pa.float32(), st.floats(width=32), _number),
    (pa.bool_(), st.booleans(), _same),
    (pa.string(), _TEXT, _same),
    (pa.large_string(), _TEXT, _same),
    (pa.string_view(), _TEXT, _same),
    (pa.binary(), st.binary(max_size=40), _same),
    (pa.binary(2), st.binary(min_size=2, max_size=2), _same),
    (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["a", "", "bb"]), _same),
    (pa.decimal128(38, 10), _DECIMAL, lambda d: d.normalize() + 0),
    (pa.decimal256(50, 10), _DECIMAL, lambda d: d.normalize() + 0),
    (pa.date32(), st.dates(), _same),
    (pa.time64("us"), st.times(), _same),
    (pa.timestamp("us", "UTC"), st.datetimes(timezones=st.just(UTC)), _same),
    (pa.month_day_nano_interval(), _INTERVALS, _interval),
    (pa.null(), st.nothing(), _same),
    (pa.list_(pa.int64()), st.lists(st.none() | st.integers(0, 2), max_size=3), tuple),
    (pa.list_(pa.string(), 2), st.lists(_TEXT, min_size=2, max_size=2), tuple),
    (
        pa.struct([("a", pa.int64()), ("b", pa.string())]),
        st.fixed_dictionaries({"a": st.none() | st.integers(0, 1), "b": st.none() | st.sampled_from(["", "x"])}),
        lambda d: (d["a"], d["b"]),
    ),
]


@st.composite
def _column(draw: st.DrawFn, count: int) -> tuple[pa.Array, list[object]]:
    """An array, often a slice of a larger one, and each row's model key."""
    kind, values, model = draw(st.sampled_from(_KINDS))
    before, after = draw(st.integers(0, 9)), draw(st.integers(0, 3))
    total = before + count + after
    items = draw(st.lists(st.none() | values, min_size=total, max_size=total))
    array = pa.array(items, kind).slice(before, count)
    return array, [None if item is None else model(item) for item in items[before : before + count]]


@st.composite
def _batches(draw: st.DrawFn) -> tuple[pa.RecordBatch, list[tuple[object, ...]]]:
    count = draw(st.integers(0, 8))
    columns = draw(st.lists(_column(count), min_size=1, max_size=9))
    batch = pa.RecordBatch.from_arrays([array for array, _ in columns], [f"c{i}" for i in range(len(columns))])
    return batch, list(zip(*(keys for _, keys in columns), strict=True))


def _bytes(rows: Rows) -> list[bytes]:
    return [rows.key(row) for row in range(len(rows))]


def _encoded(array: pa.Array) -> list[bytes]:
    return _bytes(encode_rows(pa.RecordBatch.from_arrays([array], ["c"]), [0]))


@settings(deadline=None, max_examples=400)
@given(_batches())
def test_equal_bytes_are_equal_keys(case: tuple[pa.RecordBatch, list[tuple[object, ...]]]) -> None:
    batch, keys = case
    rows = encode_rows(batch, range(batch.num_columns))
    encoded = _bytes(rows)
    for i, key in enumerate(keys):
        for j in range(i):
            assert (encoded[i] == encoded[j]) == (key == keys[j]), (key, keys[j])
    assert rows.null_mask.tolist() == [None in key for key in keys]
    assert len(rows.offsets) == len(keys) + 1
    if rows.width >= 0:
        assert {len(key) for key in encoded} <= {rows.width}


@settings(deadline=None, max_examples=100)
@given(_batches())
def test_rows_of_rebuilds_what_was_stored(case: tuple[pa.RecordBatch, list[tuple[object, ...]]]) -> None:
    rows = encode_rows(case[0], range(case[0].num_columns))
    again = rows_of(rows.data, rows.offsets)
    assert again.hashes.tolist() == rows.hashes.tolist()
    assert again.null_mask.tolist() == rows.null_mask.tolist()


def test_types_that_compare_with_each_other_encode_alike() -> None:
    integers = [pa.array([-7, None, 100], kind) for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())]
    assert len({tuple(_encoded(array)) for array in integers}) == 1
    floats = [pa.array([0.5, -0.0, None, math.nan], kind) for kind in (pa.float32(), pa.float64())]
    assert len({tuple(_encoded(array)) for array in floats}) == 1
    texts: list[pa.Array] = [
        pa.array(["x", None, ""], kind) for kind in (pa.string(), pa.large_string(), pa.string_view())
    ]
    texts.append(texts[0].dictionary_encode())
    assert len({tuple(_encoded(array)) for array in texts}) == 1


def test_a_decimal_has_no_trailing_zeros_whatever_its_scale() -> None:
    numbers = ["1.5", "-1.5", "0", "100", "-12300", "99999999999999999999999.5", "-0.1"]
    scales = [pa.array([Decimal(n) for n in numbers], pa.decimal128(38, scale)) for scale in (1, 2, 7, 14)]
    assert len({tuple(_encoded(array)) for array in scales}) == 1
    assert len(set(_encoded(scales[0]))) == len(numbers)
    assert _encoded(pa.array([Decimal("1e30")], pa.decimal128(38, 0))) == _encoded(
        pa.array([Decimal("1e30")], pa.decimal128(38, 5))
    )


def test_intervals_that_look_different_are_different_rows() -> None:
    month, days, hours = pa.MonthDayNano([1, 0, 0]), pa.MonthDayNano([0, 30, 0]), pa.MonthDayNano([0, 29, _DAY_NS])
    less = pa.MonthDayNano([1, -1, 0]), pa.MonthDayNano([-1, 0, 0]), pa.MonthDayNano([0, -1, 0])
    assert len(set(_encoded(pa.array([month, days, hours, *less])))) == 6


def test_durations_compare_by_their_length() -> None:
    durations = [_encoded(pa.array([-1_500], pa.duration("ms"))), _encoded(pa.array([-1_500_000], pa.duration("us")))]
    assert durations[0] == durations[1]


def test_columns_do_not_run_into_each_other() -> None:
    batch = pa.record_batch([pa.array(["ab", "a", "", None]), pa.array(["c", "bc", "abc", "abc"])], ["x", "y"])
    assert len(set(_bytes(encode_rows(batch, [0, 1])))) == 4
    assert len(set(_encoded(pa.array([[["a"], []], [[], ["a"]], [["a"]], [["a"], None]])))) == 4


def test_no_columns_make_the_empty_key() -> None:
    rows = encode_rows(pa.record_batch([pa.array([1, 2])], ["x"]), [])
    assert (_bytes(rows), rows.width, rows.null_mask.tolist()) == ([b"", b""], 0, [False, False])


def test_null_payloads_are_not_part_of_the_key() -> None:
    values = pa.py_buffer(b"hidden")
    offsets = pa.py_buffer(np.array([0, 3, 6], np.int32).tobytes())
    garbage = pa.Array.from_buffers(pa.string(), 2, [pa.py_buffer(b"\0"), offsets, values])
    numbers = pa.Array.from_buffers(pa.int64(), 2, [pa.py_buffer(b"\0"), pa.py_buffer(np.array([7, 8]).tobytes())])
    assert len(set(_encoded(garbage))) == 1
    assert len(set(_encoded(numbers))) == 1


def test_more_columns_than_fit_one_flag_byte() -> None:
    columns = [pa.array([1, None if c == 12 else 1, None if c == 5 else 1]) for c in range(20)]
    rows = encode_rows(pa.RecordBatch.from_arrays(columns, [str(c) for c in range(20)]), range(20))
    assert len(set(_bytes(rows))) == 3
    assert rows.width == 3 + 20 * 8
    assert rows.null_mask.tolist() == [False, True, True]


def test_take_and_concat_keep_every_row() -> None:
    batch = pa.record_batch([pa.array(["a", None, "ccc"]), pa.array([1, 2, 3])], ["x", "y"])
    rows = encode_rows(batch, [0, 1], nulls_equal=False)
    taken = rows.take(np.array([2, 0, 2]))
    assert _bytes(taken) == [rows.key(2), rows.key(0), rows.key(2)]
    joined = concat_rows([rows, taken, rows.take(np.array([], np.int64))])
    assert _bytes(joined) == _bytes(rows) + _bytes(taken)
    assert joined.hashes.tolist() == rows.hashes.tolist() + taken.hashes.tolist()
    assert joined.null_mask.tolist() == [False, True, False, False, False, False]
    assert not joined.nulls_match


def test_what_cannot_be_a_key_is_refused() -> None:
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    with pytest.raises(FeatureNotSupported, match="cannot be a key"):
        _encoded(union)
    wide = pa.array([Decimal(10) ** 45], pa.decimal256(60, 0))
    with pytest.raises(FeatureNotSupported, match="38 digits"):
        _encoded(wide)


def _wyhash(data: bytes) -> int:
    """The documented hash, in plain integers."""
    word, mix_a, mix_b = 2**64 - 1, 0xA0761D6478BD642F, 0xE7037ED1A0B428DB

    def mix(left: int, right: int) -> int:
        return (left * right >> 64) ^ (left * right & word)

    def load(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "little")

    size, seed, a, b = len(data), 0x5CA1AB1E0DDBA115, 0, 0
    if size > 16:
        at = 0
        while size - at > 16:
            seed = mix(load(at, 8) ^ mix_b, load(at + 8, 8) ^ seed)
            at += 16
        a, b = load(size - 16, 8), load(size - 8, 8)
    elif size >= 4:
        middle = (size >> 3) << 2
        a = load(0, 4) << 32 | load(middle, 4)
        b = load(size - 4, 4) << 32 | load(size - 4 - middle, 4)
    elif size:
        a = data[0] << 16 | data[size >> 1] << 8 | data[-1]
    product = (a ^ mix_b) * (b ^ seed)
    return mix((product & word) ^ mix_a ^ size, (product >> 64) ^ mix_b)


def test_the_hash_is_part_of_the_stored_format() -> None:
    texts = [bytes(range(size)) for size in range(70)]
    data = np.frombuffer(b"".join(texts), np.uint8)
    rows = rows_of(data, np.cumsum([0, *map(len, texts)]))
    assert rows.hashes.tolist() == [_wyhash(text) for text in texts]
    assert hash_columns(pa.record_batch([pa.array([42])], ["x"]), [0])[0] == _wyhash(b"\0" + (42).to_bytes(8, "little"))


@pytest.mark.parametrize("columns", [1, 2])
def test_words_without_nulls_take_a_short_cut_to_the_same_bytes_and_hash(columns: int) -> None:
    random = np.random.default_rng(columns)
    edges = np.array([0, 1, -1, 255, 256, 2**63 - 1, -(2**63), 2**40, -(2**40)], np.int64)
    values = [np.concatenate([edges, random.integers(-(2**63), 2**63 - 1, 500)]) for _ in range(columns)]
    batch = pa.record_batch({str(i): random.permutation(v) for i, v in enumerate(values)})
    short = encode_rows(batch, range(columns))
    # a last row with a NULL makes the general way write all rows
    nulls = pa.record_batch({str(i): [None] for i in range(columns)}, schema=batch.schema)
    general = encode_rows(pa.concat_batches([batch, nulls]), range(columns))
    assert [short.key(i) for i in range(len(short))] == [general.key(i) for i in range(len(short))]
    assert (short.hashes == general.hashes[:-1]).all()
    assert (rows_of(short.data, short.offsets).hashes == short.hashes).all()
    assert short.width == 1 + 8 * columns
    assert not short.null_mask.any()


def test_keys_spread_over_all_vnodes() -> None:
    counts = np.bincount(vnodes(hash_columns(pa.record_batch([pa.array(range(100_000))], ["x"]), [0])), minlength=256)
    assert counts.min() > 300
    assert counts.max() < 490
