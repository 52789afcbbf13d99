"""A stream's key in the type of the lookup table's key column."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def fitted(column: pa.Array, kind: pa.DataType) -> tuple[pa.Array, NDArray[np.bool_] | None]:
    """The values as ``kind``, and which of them are exactly so (None: all).

    The others (a bigint beyond int, 1.5 as an integer) equal no key there can be.
    """
    if column.type == kind:
        return column, None
    texts = (pa.string(), pa.large_string(), pa.string_view())
    if column.type in texts and kind in texts:
        return column.cast(kind), None
    converted = _converted(column, kind)
    same = pc.equal(converted.cast(column.type, safe=False), column)
    exact: NDArray[np.bool_] = pc.fill_null(same, True).to_numpy(zero_copy_only=False)
    return converted, None if exact.all() else exact


def _converted(column: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return column.cast(kind, safe=False)
    except pa.ArrowInvalid:  # a decimal beyond the other's digits: convert what can be, the rest becomes NULL
        if len(column) == 1:
            return pa.nulls(1, kind)
        half = len(column) // 2
        return pa.concat_arrays([_converted(column.slice(0, half), kind), _converted(column.slice(half), kind)])
