"""Change rows in an order that the rows alone decide, however they were computed.

A replayed epoch has the same changes, but perhaps not in the same sequence. What is taken away comes first, so a client
that applies the rows one by one never has two of what there should be one of.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.engine import batch as zset
from constellationdb.engine.kernels.groupby import consolidate
from constellationdb.engine.kernels.rowcodec import encode_rows

_EPOCH, _DIFF = 0, 1  # the columns of change rows


def ordered(rows: pa.RecordBatch) -> pa.RecordBatch:
    """Change rows of whole epochs, one after the other: each in order, equal rows as one."""
    if rows.num_rows < 2:
        return rows
    keys = encode_rows(rows, [index for index in range(rows.num_columns) if index != _DIFF])
    first, net = consolidate(keys, rows.column(_DIFF).to_numpy())
    found = keys.take(first)
    bodies = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(first), [None, pa.py_buffer(found.offsets), pa.py_buffer(found.data)]
    )
    columns = {"epoch": rows.column(_EPOCH).to_numpy()[first], "comes": pa.array(net > 0), "row": bodies}
    order = pc.sort_indices(pa.table(columns), [(name, "ascending") for name in columns]).to_numpy().astype(np.int64)
    chosen = zset.take(rows, first[order])
    return chosen.set_column(_DIFF, rows.schema.field(_DIFF), pa.array(net[order]))
