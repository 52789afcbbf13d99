"""RowStore: entry numbers stay, however the rows came and wherever they lie."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.engine import rowstore
from constellationdb.engine.rowstore import RowStore

SCHEMA = pa.schema([("number", pa.int64()), ("text", pa.string())])


def _rows(first: int, count: int) -> pa.RecordBatch:
    numbers = range(first, first + count)
    return pa.record_batch({"number": list(numbers), "text": [str(n) for n in numbers]}, schema=SCHEMA)


def _filled(sizes: list[int]) -> RowStore:
    store = RowStore(SCHEMA)
    for size in sizes:
        store.append(_rows(store.rows, size))
    return store


@pytest.mark.parametrize("sizes", [[500], [300, 100, 20, 1], [64, 300, 7, 1000]])
def test_a_take_gives_the_rows_asked_for_in_the_order_asked_for(
    sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rowstore, "_MERGED_ROWS", 128)
    store = _filled(sizes)
    assert (len(store.chunks) > 1) == (len(sizes) > 1)
    random = np.random.default_rng(1)
    for asked in (
        random.integers(0, store.rows, 200),
        np.sort(random.integers(0, store.rows, 50)),
        np.array([store.rows - 1, 0]),
        np.zeros(0, np.int64),
    ):
        taken = store.take(asked)
        assert taken.schema == SCHEMA
        assert taken.column("number").to_pylist() == asked.tolist()
        assert taken.column("text").to_pylist() == [str(n) for n in asked]


def test_rows_that_come_one_by_one_make_few_chunks() -> None:
    store = _filled([1] * 1000)
    assert len(store.chunks) <= 11
    assert store.take(np.arange(1000)).column("number").to_pylist() == list(range(1000))


def test_a_large_batch_is_kept_as_it_came() -> None:
    store, batch = RowStore(SCHEMA), _rows(0, rowstore._MERGED_ROWS)
    store.append(batch)
    store.append(batch)
    assert [chunk.column(0).buffers()[1].address for chunk in store.chunks] == [
        batch.column(0).buffers()[1].address
    ] * 2
