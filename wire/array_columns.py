"""Arrays in binary: dimensions, whether there are NULLs, the element type, and the elements, each with its length."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from constellationdb.catalog.types import INT2VECTOR, OIDVECTOR, SqlType
from constellationdb.errors import DataException
from constellationdb.wire.cells import I64, Cells, without_nulls_of
from constellationdb.wire.kernels.binaries import put_arrays

_VECTORS = (INT2VECTOR.oid, OIDVECTOR.oid)


def array_cells(array: pa.Array, sql_type: SqlType, element_cells: Callable[[pa.Array], Cells]) -> Cells:
    assert sql_type.element is not None
    shapes, leaves = _shapes(array)
    cells = element_cells(leaves)
    firsts = np.concatenate([[0], np.cumsum(np.prod(shapes, axis=1))]).astype(np.int64)
    vector = sql_type.oid in _VECTORS
    sizes = _element_bytes(cells, firsts)
    sizes += np.where((np.diff(firsts) > 0) | vector, 12 + 8 * shapes.shape[1], 12)
    places = np.cumsum(sizes) - sizes
    out = np.empty(int(sizes.sum()), np.uint8)
    shape = np.ascontiguousarray(shapes).reshape(-1)
    head = (sql_type.element.oid, 0 if vector else 1)
    put_arrays(firsts, shape, shapes.shape[1], *head, cells.data, cells.starts, cells.lengths, out, places)
    return Cells(out, places, without_nulls_of(array, sizes.astype(np.int32)))


def _element_bytes(cells: Cells, firsts: I64) -> I64:
    """Of each row's elements together, their lengths included."""
    before = np.concatenate([[0], np.cumsum(np.maximum(cells.lengths, 0).astype(np.int64) + 4)])
    return np.diff(before[firsts])


def _shapes(array: pa.Array) -> tuple[I64, pa.Array]:
    """One row of dimensions an array, and the elements of all of them one after the other."""
    shapes = _lengths(array)[:, None]
    values = array.flatten()
    while _is_list(values.type):
        inner = _lengths(values)
        owners = np.repeat(np.arange(len(array)), np.prod(shapes, axis=1))
        depth = np.zeros(len(array), np.int64)
        depth[owners[::-1]] = inner[::-1]  # the first one of each array
        if (depth[owners] != inner).any():
            raise DataException("multidimensional arrays must have array expressions with matching dimensions")
        shapes = np.column_stack([shapes, depth])
        values = values.flatten()
    return shapes, values


def _lengths(array: pa.Array) -> I64:
    lengths: I64 = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))
