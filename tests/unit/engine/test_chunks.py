"""Chunks: a take through many chunks is Arrow's take of all of them joined, for every type of column."""

from __future__ import annotations

import datetime as dt
import random
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine.chunks import Chunks

_TEXTS = ["", "a", "ein längerer Text", "\x00", "x" * 300]
VALUES: dict[pa.DataType, list[Any]] = {
    pa.bool_(): [True, False],
    pa.int8(): [-1, 0, 7],
    pa.int16(): [-300, 300],
    pa.int32(): [-(2**31), 5],
    pa.int64(): [-(2**63), 2**63 - 1, 0],
    pa.float32(): [0.5, -2.0],
    pa.float64(): [0.1, float("inf")],
    pa.date32(): [dt.date(2024, 2, 29)],
    pa.timestamp("us"): [dt.datetime(2024, 1, 1, 12), dt.datetime(1969, 1, 1)],
    pa.month_day_nano_interval(): [pa.MonthDayNano([1, 2, 3]), pa.MonthDayNano([0, -1, 5])],
    pa.decimal128(20, 2): [Decimal("1.50"), Decimal("-7.25")],
    pa.decimal256(60, 0): [Decimal(10**50), Decimal(-3)],
    pa.string(): _TEXTS,
    pa.large_string(): _TEXTS,
    pa.binary(): [b"", b"\x00\xff", b"abc"],
    pa.list_(pa.int64()): [[], [1, None, 3]],
    pa.struct([("a", pa.int64()), ("b", pa.string())]): [{"a": 1, "b": "x"}, {"a": None, "b": None}],
    pa.dictionary(pa.int32(), pa.string()): ["one", "two"],
    pa.null(): [None],
}


def _chunk(kind: pa.DataType, size: int, *, nulls: bool, seed: int) -> pa.RecordBatch:
    """A chunk that is a slice of a larger one, so that its buffers begin somewhere else."""
    choice = random.Random(seed)
    values = [None if nulls and choice.random() < 0.3 else choice.choice(VALUES[kind]) for _ in range(size + 13)]
    return pa.record_batch({"v": pa.array(values, kind)}).slice(choice.randrange(13), size)


@pytest.mark.parametrize("kind", VALUES, ids=str)
@pytest.mark.parametrize("with_nulls", [(False, False, False), (False, True, False), (True, True, True)])
def test_a_take_is_that_of_the_joined_chunks(kind: pa.DataType, with_nulls: tuple[bool, ...]) -> None:
    parts = [_chunk(kind, size, nulls=n, seed=size) for size, n in zip((100, 1, 37), with_nulls, strict=True)]
    chunks = Chunks(parts[0].schema)
    chunks.follow(parts)
    every = [value for part in parts for value in part.column(0).to_pylist()]
    numbers = np.random.default_rng(3)
    for asked in (numbers.integers(0, len(every), 300), np.arange(len(every)), np.array([137]), np.zeros(0, np.int64)):
        taken = chunks.take(asked)
        taken.validate(full=True)
        assert taken.schema == parts[0].schema
        assert taken.column(0).to_pylist() == [every[i] for i in asked]


def test_what_follows_may_replace_the_last_chunks() -> None:
    kind = pa.int64()
    parts = [_chunk(kind, size, nulls=False, seed=size) for size in (50, 20, 10)]
    chunks = Chunks(parts[0].schema)
    steps = [
        parts[:1],
        parts,
        [parts[0], pa.concat_batches(parts[1:])],
        [parts[0], pa.concat_batches(parts[1:]), parts[1]],
        [parts[2]],
    ]
    for step in steps:
        chunks.follow(step)
        every = [value for part in step for value in part.column(0).to_pylist()]
        assert chunks.take(np.arange(len(every))).column(0).to_pylist() == every


def test_some_columns_under_other_names() -> None:
    rows = pa.record_batch({"a": [1, 2], "b": ["x", "y"], "c": [True, None]})
    chunks = Chunks(pa.schema([("last", pa.bool_()), ("first", pa.int64())]), (2, 0))
    chunks.follow([rows, rows])
    assert chunks.take(np.array([3, 0])).to_pylist() == [{"last": None, "first": 2}, {"last": True, "first": 1}]


@pytest.mark.parametrize("entry", [-1, 4])
def test_a_row_that_is_not_there_is_told(entry: int) -> None:
    rows = pa.record_batch({"a": [1, 2]})
    chunks = Chunks(rows.schema)
    chunks.follow([rows, rows])
    with pytest.raises(IndexError):
        chunks.take(np.array([0, entry]))


def test_rows_without_columns() -> None:
    rows = pa.RecordBatch.from_struct_array(pa.array([{}] * 3, pa.struct([])))
    chunks = Chunks(pa.schema([]))
    chunks.follow([rows, rows])
    assert chunks.take(np.array([0, 5, 5, 1])).num_rows == 4
