"""Which row groups of a Parquet file can hold a wanted row, judged by their statistics alone.

Never prunes on a guess: statistics that are missing, or that do not compare
with the value, keep the group. Parquet leaves NaN out of its minima and
maxima, and texts may be cut in them; both are bounds still, except where noted.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from constellationdb.connectors.api import LookupPredicate


@dataclass(frozen=True)
class Bounds:
    """Of one column in one row group. ``low`` and ``high`` are None when unknown."""

    low: Any
    high: Any
    nulls: int | None
    rows: int
    floating: bool = False
    exact: bool = True


def group_bounds(metadata: pq.FileMetaData, group: int, schema: pa.Schema) -> dict[str, Bounds]:
    """The bounds of every flat column that has statistics, by name."""
    row_group = metadata.row_group(group)
    result: dict[str, Bounds] = {}
    for index in range(row_group.num_columns):
        chunk = row_group.column(index)
        name = chunk.path_in_schema
        statistics = chunk.statistics if chunk.is_stats_set else None
        if statistics is None or name not in schema.names:
            continue
        kind = schema.field(name).type
        floating = pa.types.is_floating(kind)
        has_bounds = statistics.has_min_max and not (floating and _any_nan(statistics.min, statistics.max))
        low: Any = statistics.min if has_bounds else None
        high: Any = statistics.max if has_bounds else None
        if floating and has_bounds:
            low, high = float(low), float(high)  # a decimal in the file, read as double
        result[name] = Bounds(
            low,
            high,
            statistics.null_count if statistics.has_null_count else None,
            row_group.num_rows,
            floating,
            exact=pa.types.is_integer(kind),
        )
    return result


def may_match(bounds: Bounds, predicate: LookupPredicate) -> bool:
    """False only when no row of the group can make the predicate true."""
    if predicate.op == "is null":
        return bounds.nulls is None or bounds.nulls > 0
    if predicate.op == "is not null":
        return bounds.nulls is None or bounds.nulls < bounds.rows
    values = [value.as_py() for value in predicate.values if value.is_valid]
    if not values:
        return False  # nothing compares with NULL
    if bounds.low is None or bounds.high is None or _any_nan(*values):
        return True
    try:
        return any(_overlaps(bounds, predicate.op, value) for value in values)
    except TypeError:
        return True


def may_hold_keys(bounds: Mapping[str, Bounds], sorted_keys: Mapping[str, Sequence[Any]]) -> bool:
    """False only when, for some key column, no wanted key lies between the group's bounds."""
    for name, keys in sorted_keys.items():
        known = bounds.get(name)
        if known is None or known.low is None or known.high is None:
            continue
        try:
            first = bisect.bisect_left(keys, known.low)
            if first == len(keys) or keys[first] > known.high:
                return False
        except TypeError:
            continue
    return True


def sorted_keys(keys: pa.RecordBatch) -> dict[str, list[Any]]:
    """Each key column sorted; one with a NaN is left out, since bounds say nothing about NaN."""
    columns = {name: keys.column(name).to_pylist() for name in keys.schema.names}
    return {name: sorted(values) for name, values in columns.items() if not _any_nan(*values)}


def _overlaps(bounds: Bounds, op: str, value: Any) -> bool:
    low, high = bounds.low, bounds.high
    if isinstance(value, float) and not isinstance(low, float):
        low, high = float(low), float(high)  # compared as doubles, which round towards each other, never past
    if op in ("=", "in"):
        return bool(low <= value <= high)
    if op == "<":
        return bool(low < value)
    if op == "<=":
        return bool(low <= value)
    if bounds.floating:
        return True  # a NaN that no bound shows is greater than the value and not equal to it
    if op == ">":
        return bool(high > value)
    if op == ">=":
        return bool(high >= value)
    return not (bounds.exact and low == value == high)


def _any_nan(*values: Any) -> bool:
    return any(isinstance(value, float) and math.isnan(value) for value in values)
