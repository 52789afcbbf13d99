"""Change rows in an order that the rows alone decide, however they were computed.

A replayed epoch has the same changes, but perhaps not in the same sequence. What is taken away comes first, so a client
that applies the rows one by one never has two of what there should be one of.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.engine import batch as zset
from constellationdb.engine.kernels.groupby import consolidate
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import I64

_EPOCH, _DIFF, _OWN = 0, 1, 2  # the columns of change rows


def by_epoch(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Change rows epoch by epoch, each in order, equal rows as one."""
    epochs = rows.column(_EPOCH).to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(epochs)) + 1).tolist(), len(epochs)]
    for start, end in pairwise(edges):
        ordered = _ordered(rows.slice(start, end - start))
        if ordered.num_rows:
            yield ordered


def _ordered(rows: pa.RecordBatch) -> pa.RecordBatch:
    if rows.num_rows < 2:
        return rows
    diffs = rows.column(_DIFF).to_numpy()
    if rows.num_columns == _OWN:
        return _with_diffs(rows.slice(0, 1), np.array([diffs.sum()]))
    keys = encode_rows(rows, range(_OWN, rows.num_columns))
    first, net = consolidate(keys, diffs)
    found = keys.take(first)
    bodies = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(first), [None, pa.py_buffer(found.offsets), pa.py_buffer(found.data)]
    )
    table = pa.table({"comes": pa.array(net > 0), "row": bodies})
    order = pc.sort_indices(table, [("comes", "ascending"), ("row", "ascending")]).to_numpy()
    return _with_diffs(zset.take(rows, first[order]), net[order])


def _with_diffs(rows: pa.RecordBatch, diffs: I64) -> pa.RecordBatch:
    return rows.set_column(_DIFF, rows.schema.field(_DIFF), pa.array(diffs))
