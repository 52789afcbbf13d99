"""Change rows in an order that the rows alone decide, however they were computed.

A replayed epoch has the same changes, but perhaps not in the same sequence. What is taken away comes first, so a client
that applies the rows one by one never has two of what there should be one of.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.engine import batch as zset
from constellationdb.engine.kernels.groupby import consolidate
from constellationdb.engine.kernels.rowcodec import encode_rows
from constellationdb.engine.kernels.rows import I64, Rows

_EPOCH, _DIFF = 0, 1  # the columns of change rows


def ordered(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Change rows of whole epochs, one after the other: each in order, equal rows as one."""
    if rows.num_rows < 2:
        return rows
    keys = encode_rows(rows, [index for index in range(rows.num_columns) if index != _DIFF])
    first, net = consolidate(keys, rows.column(_DIFF).to_numpy())
    columns = {"epoch": rows.column(_EPOCH).to_numpy()[first], "comes": pa.array(net > 0)}
    order = order_of({**columns, "row": bodies(keys.take(first))})
    chosen = zset.take(rows, first[order])
    return chosen.set_column(_DIFF, rows.schema.field(_DIFF), pa.array(net[order]))


def bodies(rows: Rows) -> pa.Array:
    """Encoded rows as a column."""
    buffers = [None, pa.py_buffer(rows.offsets), pa.py_buffer(rows.data)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(rows), buffers)


def order_of(columns: Mapping[str, object]) -> I64:
    """The places of rows in the order of these columns, the first one first."""
    found = pc.sort_indices(pa.table(columns), [(name, "ascending") for name in columns])
    order: I64 = found.to_numpy().astype(np.int64)
    return order
