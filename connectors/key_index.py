"""Which rows of a table have a given key: built once over the key columns, asked many times.

One column of integers, dates or times is kept sorted and searched by bisection
(no Python object per row); any other key is a dictionary from canonical tuples.
A row with a NULL in its key is never found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Rows = npt.NDArray[np.int64]


Column: TypeAlias = Any  # pa.Array | pa.ChunkedArray


class KeyIndex(Protocol):
    def rows_of(self, keys: pa.RecordBatch) -> Rows:
        """Row numbers of all rows whose key is one of ``keys``."""
        ...


def index_keys(columns: Sequence[Column]) -> KeyIndex:
    if len(columns) == 1 and _as_integers(columns[0].type):
        return _SortedKeys(columns[0])
    return _HashedKeys(columns)


def fit_keys(keys: pa.RecordBatch, types: Sequence[pa.DataType]) -> pa.RecordBatch:
    """The keys as the types of the key columns; a key that does not fit its type cannot be in the table."""
    if all(column.type.equals(want) for column, want in zip(keys.columns, types, strict=True)):
        return keys
    try:
        columns = [column.cast(want) for column, want in zip(keys.columns, types, strict=True)]
        return pa.RecordBatch.from_arrays(columns, names=keys.schema.names)
    except pa.ArrowInvalid:
        if keys.num_rows <= 1:
            return _no_keys(keys.schema.names, types)
        half = keys.num_rows // 2
        halves = [fit_keys(keys.slice(0, half), types), fit_keys(keys.slice(half), types)]
        return pa.concat_batches(halves)


def rows_with_keys(table: pa.Table, keys: pa.RecordBatch) -> pa.Table:
    """The rows of a table that is looked at once: no index is kept."""
    fitted = fit_keys(keys, [table.schema.field(name).type for name in keys.schema.names])
    columns = [table.column(name) for name in keys.schema.names]
    if len(columns) == 1 and not pa.types.is_floating(columns[0].type):
        return table.filter(pc.is_in(columns[0], value_set=fitted.column(0)))
    return table.take(pa.array(index_keys(columns).rows_of(fitted)))


def canonical(value: Any) -> Any:
    """Two values are equal in Postgres exactly when their canonical forms are equal and hash alike.

    Python already agrees on 1.50 = 1.5 = 1 and on -0 = 0; only NaN needs help.
    """
    return _NAN if isinstance(value, float) and math.isnan(value) else value


_NAN = ("NaN",)  # a NaN does not equal itself, this does


def _no_keys(names: Sequence[str], types: Sequence[pa.DataType]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], want) for want in types], names=list(names))


def _as_integers(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_integer(data_type) or pa.types.is_temporal(data_type)) and not pa.types.is_interval(
        data_type
    )


def _integers(column: Column) -> Rows:
    """The values as int64, without the NULLs."""
    width = pa.int32() if column.type.bit_width == 32 else pa.int64()
    plain = column.cast(pa.int64()) if pa.types.is_integer(column.type) else column.cast(width).cast(pa.int64())
    numbers: Rows = pc.drop_null(plain).to_numpy()
    return numbers


class _SortedKeys:
    def __init__(self, column: Column) -> None:
        valid: Rows = np.flatnonzero(pc.is_valid(column).to_numpy()).astype(np.int64)
        numbers = _integers(column)
        order = np.argsort(numbers, kind="stable")
        self._sorted = numbers[order]
        self._rows = valid[order]

    def rows_of(self, keys: pa.RecordBatch) -> Rows:
        wanted = _integers(keys.column(0))
        left = np.searchsorted(self._sorted, wanted, "left")
        counts = np.searchsorted(self._sorted, wanted, "right") - left
        if not counts.any():
            return np.empty(0, dtype=np.int64)
        # the runs [left, left + count) one after the other
        ends = np.cumsum(counts)
        rows: Rows = self._rows[np.arange(ends[-1]) + np.repeat(left - (ends - counts), counts)]
        return rows


class _HashedKeys:
    def __init__(self, columns: Sequence[Column]) -> None:
        self._rows: dict[tuple[Any, ...], list[int]] = {}
        for row, key in enumerate(_tuples([column.to_pylist() for column in columns])):
            if None not in key:
                self._rows.setdefault(key, []).append(row)

    def rows_of(self, keys: pa.RecordBatch) -> Rows:
        found: list[int] = []
        for key in _tuples([column.to_pylist() for column in keys.columns]):
            found += self._rows.get(key, ())
        return np.array(found, dtype=np.int64)


def _tuples(columns: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    return list(zip(*[[canonical(value) for value in column] for column in columns], strict=True))
