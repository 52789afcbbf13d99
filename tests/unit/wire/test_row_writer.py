"""Rows written one at a time are the rows of their batch."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from constellationdb.catalog import types
from constellationdb.catalog.text import style_of
from constellationdb.engine.result import ResultColumn
from constellationdb.wire.answer import Encoders
from constellationdb.wire.row_writer import RowWriter
from constellationdb.wire.rows import data_rows

_STYLE = style_of("America/St_Johns", "1", "hex")
_KINDS = {
    "small": types.SMALLINT,
    "name": types.TEXT,
    "score": types.DOUBLE,
    "at": types.TIMESTAMPTZ,
    "raw": types.BYTEA,
    "price": types.numeric(8, 2),
    "flag": types.BOOLEAN,
    "day": types.DATE,
}


def _batch(first: int) -> pa.RecordBatch:
    """Every value is NULL in some row, and none in the first batch's first rows."""
    numbers = range(first, first + 20)
    values: dict[str, list[Any]] = {
        "small": list(numbers),
        "name": ["ü" * (n % 3) + str(n) for n in numbers],
        "score": [n / 7 for n in numbers],
        "at": [n * 1_000_000_007_000 for n in numbers],
        "raw": [bytes([n % 256]) * (n % 4) for n in numbers],
        "price": [None if n % 4 == 3 else n for n in numbers],
        "flag": [n % 2 == 0 for n in numbers],
        "day": [n * 400 for n in numbers],
    }
    columns = []
    for place, (name, kind) in enumerate(_KINDS.items()):
        column = [None if first and (n + place) % 9 == 0 else v for n, v in zip(numbers, values[name], strict=True)]
        columns.append(pa.array(column, kind.arrow))
    return pa.record_batch(columns, list(_KINDS)).slice(3)


@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("columns", [(0, 1, 2, 3, 4, 5, 6, 7), (7, 1), (3, 3, 5, 0)])
def test_each_row_is_what_the_whole_batch_says(columns: tuple[int, ...], code: int) -> None:
    described = [ResultColumn(name, kind) for name, kind in _KINDS.items()]
    chosen, formats = [described[i] for i in columns], (code,) * len(columns)
    writer, encoders = RowWriter(chosen, formats, _STYLE), Encoders(chosen, formats, _STYLE)
    batches = [_batch(100 * n) for n in range(70)]  # more than are open at once
    for batch in [*batches, *batches[:5]]:
        arrays = [batch.column(i) for i in columns]
        together = pa.RecordBatch.from_arrays(arrays, [str(n) for n in range(len(columns))])
        written = b"".join(writer.data_row(batch, row, columns) for row in range(batch.num_rows))
        assert written == bytes(data_rows(together, encoders.of(together)))


def test_another_choice_of_columns_is_written_as_such() -> None:
    writer, batch = RowWriter([ResultColumn("n", types.SMALLINT)], (0,), _STYLE), _batch(0)
    numbers = pa.record_batch([batch.column(0), pa.array([7] * batch.num_rows, pa.int16())], ["a", "b"])
    assert writer.data_row(numbers, 2, (0,)).endswith(b"5")
    assert writer.data_row(numbers, 2, (1,)).endswith(b"7")
    assert writer.data_row(numbers, 2, (0,)).endswith(b"5")


def test_an_open_batch_goes_when_its_table_lets_it_go() -> None:
    """And so does its memory."""
    writer, memory = RowWriter([ResultColumn("n", types.SMALLINT)], (0,), _STYLE), np.arange(30_000, dtype=np.int16)
    column = pa.Array.from_buffers(pa.int16(), len(memory), [None, pa.py_buffer(memory)])
    batch, gone = pa.record_batch([column], ["n"]), weakref.ref(memory)
    assert writer.data_row(batch, 29_999, (0,)).endswith(b"29999")
    del column, memory
    gc.collect()
    assert gone() is not None
    del batch
    gc.collect()
    assert gone() is None
    assert writer.data_row(_batch(0), 0, (0,)).endswith(b"3")
