"""A stream's key in the type of the lookup table's key column.

The two are compared in the wider type, which is the stream's: an integer with
more bits, a numeric or a double that holds all values of the table's column.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

_TEXTS = (pa.string(), pa.large_string(), pa.string_view())


def fitted(column: pa.Array, kind: pa.DataType) -> tuple[pa.Array, NDArray[np.bool_] | None]:
    """The values as ``kind``, and which of them are exactly so (None: all).

    The others (a bigint beyond int, 1.5 as an integer) equal no key there can be.
    """
    if column.type == kind:
        return column, None
    if column.type in _TEXTS and kind in _TEXTS:
        return column.cast(kind), None
    fits = _in_range(column, kind)
    # out of range, a cast would wrap around, perhaps to the key of another row
    inside = column if fits is None else pc.if_else(fits, column, pa.scalar(None, column.type))
    converted = inside.cast(kind, safe=False)
    same = pc.equal(converted.cast(column.type, safe=False), column)
    if pt.is_floating(kind):
        same = pc.or_kleene(same, pc.is_nan(column))
    if fits is not None:
        same = pc.and_kleene(same, fits)
    exact: NDArray[np.bool_] = pc.fill_null(same, True).to_numpy(zero_copy_only=False)
    return converted, None if exact.all() else exact


def _in_range(column: pa.Array, kind: pa.DataType) -> pa.Array | None:
    """Which values do not go beyond the digits of ``kind``; None when none of the type can."""
    have = column.type
    if pt.is_decimal(kind):
        digits = kind.precision - kind.scale
        if digits >= have.precision - have.scale:
            return None
        return pc.less(pc.abs(column), pa.scalar(Decimal(f"1e{digits}"), have))
    if not pt.is_integer(kind):
        return None
    end = 1 << (kind.bit_width - 1)
    first, beyond = (pa.scalar(Decimal(v) if pt.is_decimal(have) else v).cast(have) for v in (-end, end))
    return pc.and_(pc.greater_equal(column, first), pc.less(column, beyond))
