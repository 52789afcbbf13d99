"""Columns of oids on their way to a client that wants text: as the names of what they stand for."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from constellationdb.engine.result import ResultColumn


def named(batch: pa.RecordBatch, columns: Sequence[ResultColumn], formats: Sequence[int]) -> pa.RecordBatch:
    """``formats``: of each column, 0 for text; empty when all are text."""
    for index, column in enumerate(columns):
        if column.names is not None and not (formats and formats[index]):
            batch = batch.set_column(index, column.name, column.names(batch.column(index)))
    return batch
