"""Columns of names, of regclass and its like, on their way to a client that wants them in binary: as oids."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from constellationdb.engine.result import ResultColumn


def numbered(batch: pa.RecordBatch, columns: Sequence[ResultColumn], formats: Sequence[int]) -> pa.RecordBatch:
    """``formats``: of each column, 0 for text; empty when all are text."""
    for index, code in enumerate(formats):
        oids = columns[index].oids
        if code and oids is not None:
            batch = batch.set_column(index, columns[index].name, oids(batch.column(index)))
    return batch
