"""Batches come back equal, pointing into the bytes they were read from; anything else is an error."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from constellationdb.errors import CorruptState
from constellationdb.storage.arrow_blobs import Compression, from_ipc, pack, to_ipc, unpack


def _batches() -> dict[str, pa.RecordBatch]:
    plain = pa.record_batch({"a": [1, None, 3], "s": ["x", "", None], "__weight": [1, -1, 1]})
    labelled = pa.schema([pa.field("a", pa.int64(), metadata={"unit": "µs"})], metadata={"relation": "t"})
    dictionary = pa.array(["x", "y", None, "x"]).dictionary_encode()
    values: dict[str, Any] = {
        "decimal": [decimal.Decimal("1.50")],
        "time": [datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)],
        "list": [[1, 2]],
        "struct": [{"x": 1.5}],
        "null": [None],
    }
    return {
        "plain": plain,
        "slice": plain.slice(1, 1),
        "no rows": plain.slice(0, 0),
        "no columns": plain.select([]),
        "no columns, no rows": plain.slice(0, 0).select([]),
        "metadata": pa.record_batch([pa.array([1])], schema=labelled),
        "metadata, no columns": pa.record_batch([], schema=pa.schema([], metadata={"k": "v"})),
        "dictionary": pa.record_batch({"d": dictionary}),
        "dictionary slice": pa.record_batch({"d": dictionary}).slice(2, 2),
        "nested dictionary": pa.record_batch({"d": pa.ListArray.from_arrays([0, 2, 4], dictionary)}),
        "types": pa.record_batch(values),
    }


BATCHES = _batches()


def _assert_same(found: pa.RecordBatch, expected: pa.RecordBatch) -> None:
    found.validate(full=True)
    assert found.schema.equals(expected.schema, check_metadata=True)
    assert found.num_rows == expected.num_rows
    assert found.to_pylist() == expected.to_pylist()


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_comes_back(name: str, compression: Compression | None) -> None:
    _assert_same(from_ipc(to_ipc(BATCHES[name], compression)), BATCHES[name])


def test_reading_copies_nothing() -> None:
    data = to_ipc(pa.record_batch({"a": range(1000)}))
    start = pa.py_buffer(data).address
    buffer = from_ipc(data).column(0).buffers()[1]
    assert start < buffer.address < start + len(data)


def test_a_slice_is_stored_without_the_rest() -> None:
    batch = pa.record_batch({"a": range(100_000)})
    assert len(to_ipc(batch.slice(500, 10))) < 1000


def test_compression_is_smaller() -> None:
    batch = pa.record_batch({"a": [7] * 10_000})
    assert len(to_ipc(batch, "zstd")) < len(to_ipc(batch)) / 10


class Cut(msgspec.Struct, frozen=True):
    epoch: int
    positions: dict[str, int]


@pytest.mark.parametrize("names", [[], ["plain"], ["no columns"], list(BATCHES)])
def test_header_and_batches_come_back(names: list[str]) -> None:
    header = Cut(epoch=41, positions={"p0": 7})
    data = pack(header, [BATCHES[name] for name in names])
    as_struct, found = unpack(data, Cut)
    assert as_struct == header
    assert len(found) == len(names)
    for batch, name in zip(found, names, strict=True):
        _assert_same(batch, BATCHES[name])
    assert unpack(memoryview(data))[0] == {"epoch": 41, "positions": {"p0": 7}}


def test_buffers_of_every_batch_are_aligned() -> None:
    data = pack({"odd": "x" * 13}, [BATCHES["plain"], pa.record_batch({"a": [1.5]}), BATCHES["types"]])
    start = pa.py_buffer(data).address
    for batch in unpack(data)[1]:
        for column in batch.columns:
            assert all((buffer.address - start) % 8 == 0 for buffer in column.buffers() if buffer is not None)


def test_bytes_that_are_no_batch_are_an_error() -> None:
    for data in (b"", b"garbage!" * 10, to_ipc(BATCHES["plain"])[:40]):
        with pytest.raises(CorruptState, match="stored batch is not a readable arrow stream"):
            from_ipc(data)


def test_a_packed_record_cut_anywhere_is_an_error() -> None:
    data = pack({"epoch": 1}, [BATCHES["plain"], BATCHES["no columns"]])
    for size in range(len(data)):
        with pytest.raises(CorruptState):
            unpack(data[:size])
    with pytest.raises(CorruptState, match="bytes where"):
        unpack(data + b"\0")


def test_a_header_of_another_shape_is_an_error() -> None:
    with pytest.raises(CorruptState, match="no readable header"):
        unpack(pack({"epoch": "not a number"}, []), Cut)


@given(
    st.lists(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1)), max_size=4), st.dictionaries(st.text(), st.text())
)
def test_any_columns_and_any_header(columns: list[list[int | None]], header: dict[str, str]) -> None:
    batches = [pa.record_batch([pa.array(values, pa.int64())], names=["a"]) for values in columns]
    found_header, found = unpack(pack(header, batches))
    assert (found_header, [batch.to_pylist() for batch in found]) == (header, [batch.to_pylist() for batch in batches])
