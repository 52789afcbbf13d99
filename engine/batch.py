"""Z-sets as Arrow: a RecordBatch whose last column ``__weight`` counts copies, +n added, -n taken away.

Append-only edges leave the column out: every row counts +1. A delta is such a
batch; ``None`` stands for no change.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from constellationdb.engine.kernels.groupby import consolidate
from constellationdb.engine.kernels.rowcodec import encode_rows

WEIGHT = "__weight"
_WEIGHT_FIELD = pa.field(WEIGHT, pa.int64())
I64: TypeAlias = NDArray[np.int64]
Delta: TypeAlias = pa.RecordBatch | None


def is_weighted(batch: pa.RecordBatch) -> bool:
    names = batch.schema.names
    return bool(names) and names[-1] == WEIGHT


def weights(batch: pa.RecordBatch) -> I64 | None:
    """The weights as numpy, or None when every row counts +1."""
    if not is_weighted(batch):
        return None
    column: I64 = batch.column(batch.num_columns - 1).to_numpy(zero_copy_only=False)
    return column


def data_width(batch: pa.RecordBatch) -> int:
    return int(batch.num_columns) - is_weighted(batch)


def data(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without its weight column."""
    if not is_weighted(batch):
        return batch
    if batch.num_columns == 1:
        return rows_of_nothing(batch.num_rows)
    return batch.remove_column(batch.num_columns - 1)


def with_weights(rows: pa.RecordBatch, weight: I64 | int) -> pa.RecordBatch:
    """Unweighted ``rows`` with a weight column (one number for all, or one each)."""
    values = np.full(rows.num_rows, weight, np.int64) if isinstance(weight, int) else weight
    return rows.append_column(_WEIGHT_FIELD, pa.array(values, pa.int64()))


def weighted(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch if is_weighted(batch) else with_weights(batch, 1)


def negate(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows taken away instead of added."""
    own = weights(batch)
    return with_weights(data(batch), -1 if own is None else -own)


def concat(batches: Sequence[pa.RecordBatch]) -> Delta:
    """The sum of deltas of one schema; weighted when one of them is."""
    full = [b for b in batches if b is not None and b.num_rows]
    if not full:
        return None
    if len(full) == 1:
        return full[0]
    if any(is_weighted(b) for b in full):
        full = [weighted(b) for b in full]
    return pa.concat_batches([named_like(b, full[0].schema) for b in full])


def named_like(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The same columns under the names (and types, which are equal) of ``schema``."""
    if batch.schema.equals(schema):
        return batch
    columns = [c if c.type == f.type else c.cast(f.type) for c, f in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def micros(column: pa.Array | pa.ChunkedArray) -> I64:
    """Times as microseconds; 0 for a NULL."""
    whole = column.cast(pa.int64())
    if whole.null_count:
        whole = whole.fill_null(0)
    numbers: I64 = whole.to_numpy(zero_copy_only=False)
    return numbers


def canonical_floats(rows: pa.RecordBatch) -> pa.RecordBatch:
    """One NaN and one zero, as in our keys: DataFusion ranks, partitions and counts -0.0 and -NaN apart."""
    floating = [i for i, kind in enumerate(rows.schema.types) if pt.is_floating(kind)]
    if not floating or not rows.num_rows:
        return rows
    columns = list(rows.columns)
    for i in floating:
        kind = columns[i].type
        canonical = pc.add(columns[i], pa.scalar(0.0, kind))
        columns[i] = pc.if_else(pc.is_nan(canonical), pa.scalar(np.nan, kind), canonical)
    return pa.RecordBatch.from_arrays(columns, schema=rows.schema)


def take(batch: pa.RecordBatch, indices: I64) -> pa.RecordBatch:
    return batch.take(pa.array(indices, pa.int64()))


def netted(batch: pa.RecordBatch) -> Delta:
    """Equal rows summed, zeros dropped: what an epoch really changed. Always weighted."""
    own = weights(batch)
    if batch.num_rows == 1:
        return weighted(batch) if own is None or own[0] else None
    rows = data(batch)
    counts = np.ones(batch.num_rows, np.int64) if own is None else own
    if rows.num_columns == 0:
        total = int(counts.sum())
        return None if total == 0 else with_weights(take(rows_of_nothing(1), np.zeros(1, np.int64)), total)
    first, net = consolidate(encode_rows(rows, range(rows.num_columns)), counts)
    if len(first) == 0:
        return None
    if len(first) == batch.num_rows:
        return batch if own is not None else with_weights(rows, net)
    return with_weights(take(rows, first), net)


def all_different(rows: pa.RecordBatch, columns: Iterable[int]) -> bool:
    """Whether a look at single columns is enough to tell that no two rows agree in ``columns``: one of them rises."""
    return any(_rises(rows.column(index)) for index in columns)


def _rises(column: pa.Array) -> bool:
    if column.null_count or not (pa.types.is_integer(column.type) or pa.types.is_timestamp(column.type)):
        return False
    values = column.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return bool((values[1:] > values[:-1]).all())


def rows_of_nothing(count: int) -> pa.RecordBatch:
    """``count`` rows without columns, as a weighted batch's data part."""
    return pa.RecordBatch.from_struct_array(pa.array([{}] * count, pa.struct([])))


def expanded(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Each row as often as its weight says (all positive), without the weight: a plain table's rows."""
    own = weights(batch)
    rows = data(batch)
    if own is None or bool((own == 1).all()):
        return rows
    return take(rows, np.repeat(np.arange(len(own), dtype=np.int64), own))


def conform(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The data columns cast to ``schema`` (names, types), the weight kept."""
    if batch.schema.equals(schema):
        return batch
    own = weights(batch)
    columns = [c if c.type == f.type else c.cast(f.type) for c, f in zip(data(batch).columns, schema, strict=True)]
    rows = pa.RecordBatch.from_arrays(columns, schema=schema) if columns else rows_of_nothing(batch.num_rows)
    return rows if own is None else with_weights(rows, own)


def chunks(batch: pa.RecordBatch, size: int) -> list[pa.RecordBatch]:
    return [batch.slice(at, size) for at in range(0, batch.num_rows, size)] if batch.num_rows > size else [batch]
