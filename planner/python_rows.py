"""Functions in Python that return rows, as DataFusion's: an array of rows for each call, which plans then unnest.

pairs(s text) RETURNS TABLE (a int, b text)

con_python_…(s)      the rows as an array of structs: one call of the function, whatever is read of it
con_python_…_0(s)    the column a as an array, for plans that cannot carry a struct; _1 is the column b

Columns that are asked for of the same arguments one after the other share one call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.catalog.model import Function

Rows = Callable[..., pa.ListArray]


def column_name(internal: str, place: int) -> str:
    """What plans call the function that gives one column."""
    return f"{internal}_{place}"


def field_name(place: int) -> str:
    """What a column is called inside the structs."""
    return f"c{place}"


def by_row(does: Callable[..., Any], function: Function, types: Mapping[str, pa.DataType]) -> Rows:
    """``does`` is called for each row, and gives the rows one after the other."""

    def evaluate(*columns: pa.Array) -> pa.ListArray:
        lengths: list[int] = []
        found: list[Sequence[Any]] = []
        for arguments in zip(*(column.to_pylist() for column in columns), strict=True):
            rows = () if function.strict and None in arguments else does(*arguments)
            before = len(found)
            found += [_values(row, types) for row in rows or ()]
            lengths.append(len(found) - before)
        by_column: Iterable[Sequence[Any]] = zip(*found, strict=True) if found else [()] * len(types)
        values = [pa.array(c, kind, from_pandas=True) for c, kind in zip(by_column, types.values(), strict=True)]
        return _lists(lengths, values)

    return evaluate


def _values(row: Any, types: Mapping[str, pa.DataType]) -> Sequence[Any]:
    """A row as what stands in its columns: a mapping, a sequence, or the value of the only column."""
    if isinstance(row, Mapping):
        _check_names(row.keys(), types)
        return [row[name] for name in types]
    if isinstance(row, tuple | list) and not (len(types) == 1 and pa.types.is_list(*types.values())):
        if len(row) != len(types):
            raise ValueError(f"a row of {len(row)} values was returned for {len(types)} columns")
        return row
    if len(types) != 1:
        raise TypeError(f"a row must be a tuple or a mapping, not {type(row).__name__}")
    return [row]


def whole(does: Callable[..., Any], function: Function, types: Mapping[str, pa.DataType]) -> Rows:
    """``does`` is called with arrays, and gives an array of arrays: of structs where there are several columns."""

    def evaluate(*columns: pa.Array) -> pa.ListArray:
        found = does(*columns)
        if isinstance(found, pa.ChunkedArray):
            found = found.combine_chunks()
        if not isinstance(found, pa.ListArray | pa.LargeListArray):
            raise TypeError(f"an array of arrays of rows must be returned, not {_shown(found)}")
        if len(found) != len(columns[0]):
            raise ValueError(f"{len(found)} arrays of rows were returned for {len(columns[0])} rows")
        if function.strict:
            known = reduce(pc.and_, [column.is_valid() for column in columns])
            found = pc.if_else(known, found, pa.scalar(None, found.type))
        lengths = pc.fill_null(pc.list_value_length(found), 0).to_pylist()
        return _lists(lengths, _columns(pc.list_flatten(found), types))

    return evaluate


def _shown(found: Any) -> str:
    return str(found.type) if isinstance(found, pa.Array) else type(found).__name__


def _columns(rows: pa.Array, types: Mapping[str, pa.DataType]) -> list[pa.Array]:
    if pa.types.is_struct(rows.type):
        _check_names([field.name for field in rows.type], types)
        parts = [pc.struct_field(rows, name) for name in types]
    elif len(types) == 1:
        parts = [rows]
    else:
        raise TypeError(f"rows must be structs of {', '.join(types)}, not {rows.type}")
    return [part.cast(kind) for part, kind in zip(parts, types.values(), strict=True)]


def _check_names(names: Iterable[str], types: Mapping[str, pa.DataType]) -> None:
    found = list(names)
    if sorted(found) != sorted(types):
        raise ValueError(f"a row has {', '.join(found)}, where {', '.join(types)} are declared")


def _lists(lengths: Sequence[int], values: Sequence[pa.Array]) -> pa.ListArray:
    if len(values) > 1:
        rows: pa.Array = pa.StructArray.from_arrays(values, [field_name(i) for i in range(len(values))])
    else:
        (rows,) = values
    ends = [0]
    for length in lengths:
        ends.append(ends[-1] + length)
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), rows)


def list_type(types: Mapping[str, pa.DataType]) -> pa.DataType:
    kinds = list(types.values())
    return pa.list_(kinds[0] if len(kinds) == 1 else pa.struct([(field_name(i), kind) for i, kind in enumerate(kinds)]))


class SharedCall:
    """The rows of the last call of each thread: the columns of one call are asked for one after the other."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._last = threading.local()

    def column(self, place: int) -> Rows:
        def evaluate(*arguments: pa.Array) -> pa.ListArray:
            found = self._called(arguments)
            return pa.ListArray.from_arrays(found.offsets, found.values.field(place))

        return evaluate

    def _called(self, arguments: Sequence[pa.Array]) -> pa.ListArray:
        last = getattr(self._last, "call", None)
        if last is None or not all(map(pa.Array.equals, arguments, last[0])):
            last = self._last.call = arguments, self._rows(*arguments)
        return last[1]
