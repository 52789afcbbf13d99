"""Rows one at a time, of batches that stay in memory: a table's.

A batch is opened when the first of its rows is asked for, and is known until
it is gone: that it is open does not keep it.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence

import pyarrow as pa

from constellationdb.catalog.text import Style
from constellationdb.engine.result import ResultColumn
from constellationdb.wire.columns import column_encoder
from constellationdb.wire.rows import data_row
from constellationdb.wire.single_cells import Cell

_MOST_OPEN = 64


class RowWriter:
    def __init__(self, columns: Sequence[ResultColumn], formats: Sequence[int], style: Style) -> None:
        self._kinds = [(column.type, code, style) for column, code in zip(columns, formats, strict=True)]
        self._columns: tuple[int, ...] = ()
        self._open: dict[int, tuple[weakref.ref[pa.RecordBatch], list[Cell]]] = {}

    def data_row(self, batch: pa.RecordBatch, row: int, columns: tuple[int, ...]) -> bytes:
        """The DataRow of these columns of one row."""
        if columns is not self._columns:
            self._columns, self._open = columns, {}
        found = self._open.get(id(batch))
        return data_row(self._cells_of(batch) if found is None else found[1], row)

    def _cells_of(self, batch: pa.RecordBatch) -> list[Cell]:
        cells = [
            column_encoder(array.type, *kind).opened(array)
            for array, kind in zip(map(batch.column, self._columns), self._kinds, strict=True)
        ]
        if len(self._open) >= _MOST_OPEN:
            self._open = {}
        open_, number = self._open, id(batch)
        open_[number] = weakref.ref(batch, lambda _: open_.pop(number, None)), cells
        return cells
