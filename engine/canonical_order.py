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

from constellationdb.engine.kernels.groupby import consolidate
from constellationdb.engine.kernels.rowcodec import encode_rows

_EPOCH, _DIFF, _OWN = 0, 1, 2  # the columns of change rows


def by_epoch(rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Change rows epoch by epoch, each in order, equal rows as one."""
    epochs = rows.column(_EPOCH).to_numpy()
    edges = [0, *(np.flatnonzero(np.diff(epochs)) + 1).tolist(), len(epochs)]
    for start, end in pairwise(edges):
        yield _ordered(rows.slice(start, end - start))


def _ordered(rows: pa.RecordBatch) -> pa.RecordBatch:
    if rows.num_rows < 2:
        return rows
    diffs = rows.column(_DIFF).to_numpy()
    if rows.num_columns == _OWN:
        rows, diffs = rows.slice(0, 1), np.array([diffs.sum()])
        return rows.set_column(_DIFF, rows.schema.field(_DIFF), pa.array(diffs))
    keys = encode_rows(rows, range(_OWN, rows.num_columns))
    first, net = consolidate(keys, diffs)
    found = keys.take(first)
    bodies = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(first), [None, pa.py_buffer(found.offsets), pa.py_buffer(found.data)]
    )
    order = pc.sort_indices(
        pa.table({"comes": pa.array(net > 0), "row": bodies}), [("comes", "ascending"), ("row", "ascending")]
    )
    chosen = rows.take(pa.array(first).take(order))
    return chosen.set_column(_DIFF, rows.schema.field(_DIFF), pa.array(net).take(order))
