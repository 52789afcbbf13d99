"""The functions behind calls that return rows, and behind JSON made of values."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from functools import reduce
from itertools import groupby
from operator import xor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from constellationdb.planner.raising import ComputationError


def definitions() -> list[tuple[Any, list[pa.DataType], pa.DataType, str]]:
    """(function, arguments, result, name) of each."""
    texts = pa.list_(pa.string())
    found: list[tuple[Any, list[pa.DataType], pa.DataType, str]] = [
        (_not_negative("LIMIT", "2201W"), [pa.int64()], pa.int64(), "con_limit"),
        (_not_negative("OFFSET", "2201X"), [pa.int64()], pa.int64(), "con_offset"),
        (_step, [pa.int64()], pa.int64(), "con_step"),
        (_json_string, [pa.string()], pa.string(), "con_json_string"),
        (_json_array, [texts, pa.bool_()], pa.string(), "con_json_array"),
        (_json_list, [texts], pa.string(), "con_json_list"),
        (_json_elements, [texts, pa.bool_()], pa.string(), "con_json_elements"),
        (_numeric_series, [pa.string()] * 3, texts, "con_numeric_series"),
        (_json_members, [texts], pa.string(), "con_json_members"),
        (_joined, [texts, texts], pa.string(), "con_joined"),
        (_longest_run, [texts], pa.int64(), "con_longest_run"),
        (_percentile, [pa.list_(pa.float64()), pa.float64()], pa.float64(), "con_percentile_cont"),
    ]
    for suffix, element in {"i16": pa.int16(), "i32": pa.int32(), "i64": pa.int64()}.items():
        row = pa.struct([("x", element), ("n", pa.int32())])
        found.append((_expanded(row), [pa.list_(element)], pa.list_(row), f"con_expand_{suffix}"))
        found.append((_xor, [pa.list_(element)], element, f"con_xor_{suffix}"))
    return found


def _not_negative(word: str, sqlstate: str) -> Callable[[pa.Array], pa.Array]:
    def checked(counts: pa.Array) -> pa.Array:
        if pc.any(pc.less(counts, 0)).as_py():
            raise ComputationError(sqlstate, f"{word} must not be negative")
        return counts

    return checked


def _xor(arrays: pa.Array) -> pa.Array:
    """The elements of each array that are not NULL, combined bit by bit; NULL where there is none."""
    folded = [None if v is None else [x for x in v if x is not None] for v in arrays.to_pylist()]
    return pa.array([reduce(xor, values) if values else None for values in folded], arrays.type.value_type)


def _longest_run(arrays: pa.Array) -> pa.Array:
    """Where the longest run of equal elements begins, from 1: the first of several."""
    return pa.array([_run_of(v) if v else None for v in arrays.to_pylist()], pa.int64())


def _run_of(values: list[str]) -> int:
    lengths = [(len(list(same)), value) for value, same in groupby(values)]
    longest = max(range(len(lengths)), key=lambda i: lengths[i][0])
    return 1 + sum(length for length, _ in lengths[:longest])


def _percentile(arrays: pa.Array, fractions: pa.Array) -> pa.Array:
    """The value at a fraction of the way through each sorted array, on the line between the two it lies between."""
    pairs = zip(arrays, fractions.to_pylist(), strict=True)
    return pa.array([_value_at(array.values, fraction) for array, fraction in pairs], pa.float64())


def _value_at(values: pa.Array | None, fraction: float | None) -> float | None:
    if fraction is None:
        return None
    if not 0 <= fraction <= 1:
        raise ComputationError("22003", f"percentile value {fraction:g} is not between 0 and 1")
    if not values:
        return None
    place = fraction * (len(values) - 1)
    low: float = values[int(place)].as_py()
    if place == int(place):
        return low
    high: float = values[int(place) + 1].as_py()
    return low + (place - int(place)) * (high - low)


_LINE = "\n "  # before each element that is an object or an array, but the first


def _json_list(arrays: pa.Array) -> pa.Array:
    """The first element on the same line as the bracket."""
    return pa.array(
        [None if v is None else f"[{', '.join(v).removeprefix(_LINE)}]" for v in arrays.to_pylist()], pa.string()
    )


def _json_elements(arrays: pa.Array, quoted: pa.Array) -> pa.Array:
    """What json_agg makes of the elements of an array; ``quoted`` as below."""
    say = _quoted if quoted[:1].to_pylist() == [True] else _bare
    return pa.array([None if v is None else f"[{', '.join(map(say, v))}]" for v in arrays.to_pylist()], pa.string())


def _numeric_series(*bounds: pa.Array) -> pa.Array:
    rows = zip(*(bound.to_pylist() for bound in bounds), strict=True)
    return pa.array([_numbers(*map(Decimal, row)) for row in rows], pa.list_(pa.string()))


def _numbers(start: Decimal, end: Decimal, step: Decimal) -> list[str]:
    if not step:
        raise ComputationError("22023", "step size cannot equal zero")
    if (end - start) * step < 0:
        return []
    return [str(start + place * step) for place in range(int((end - start) // step) + 1)]


def _json_array(arrays: pa.Array, quoted: pa.Array) -> pa.Array:
    """An array of SQL as one of JSON; ``quoted``: its elements are strings there."""
    say = _quoted if quoted[:1].to_pylist() == [True] else _bare
    return pa.array([None if v is None else f"[{','.join(map(say, v))}]" for v in arrays.to_pylist()], pa.string())


def _quoted(text: str | None) -> str:
    return json.dumps(text, ensure_ascii=False)


def _bare(text: str | None) -> str:
    return "null" if text is None else text


def _json_members(arrays: pa.Array) -> pa.Array:
    for members in arrays.to_pylist():
        if any(member.startswith(" :") for member in members or ()):  # concat() left out a NULL
            raise ComputationError("22004", "null value not allowed for object key")
    return pa.array([None if v is None else f"{{ {', '.join(v)} }}" for v in arrays.to_pylist()], pa.string())


def _joined(values: pa.Array, delimiters: pa.Array) -> pa.Array:
    """Each text behind its own delimiter, but the first."""
    pairs = zip(values.to_pylist(), delimiters.to_pylist(), strict=True)
    return pa.array([None if v is None else v[0] + _tail(v, d) for v, d in pairs], pa.string())


def _tail(values: list[str], delimiters: list[str | None]) -> str:
    return "".join((d or "") + v for v, d in zip(values[1:], delimiters[1:], strict=True))


def _step(values: pa.Array) -> pa.Array:
    if pc.any(pc.equal(values, 0)).as_py():
        raise ComputationError("22023", "step size cannot equal zero")
    return values


def _json_string(values: pa.Array) -> pa.Array:
    return pa.array([None if v is None else json.dumps(v, ensure_ascii=False) for v in values.to_pylist()], pa.string())


def _expanded(row: pa.StructType) -> Any:
    """Each element with its place, from 1."""

    def expand(arrays: pa.Array) -> pa.Array:
        lengths = pc.list_value_length(arrays).fill_null(0).to_numpy(zero_copy_only=False)
        places = [np.arange(1, length + 1, dtype=np.int32) for length in lengths]
        numbers = pa.array(np.concatenate(places) if places else np.empty(0, np.int32), pa.int32())
        rows = pa.StructArray.from_arrays([arrays.flatten(), numbers], fields=list(row))
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        return pa.ListArray.from_arrays(offsets, rows, mask=arrays.is_null())

    return expand
