"""What a computed value may be stored as: Postgres' assignment casts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa

from constellationdb.catalog.text import cast_to_text
from constellationdb.catalog.text.style import Style
from constellationdb.catalog.text.zones import I64, UTC_ZONE, Zone
from constellationdb.catalog.types import SqlType
from constellationdb.planner.analysis import kinds
from constellationdb.planner.analysis.made_kinds import fields_of, pair_of
from constellationdb.planner.literals import to_array, wrong_type
from constellationdb.planner.snapshot import SnapshotPlan

_MOMENTS = frozenset(kinds.MOMENTS)
_DAY_US = 86_400_000_000
_TO_TIME = frozenset({kinds.TIME, kinds.TIMESTAMP, kinds.TIMESTAMPTZ, kinds.INTERVAL})


def check_assignable(kind: kinds.Kind, target: pa.Field, what: str = "expression") -> None:
    """DatatypeMismatch unless a value of ``kind`` (None: not known) can become one of column ``target``."""
    wanted = kinds.of_field(target)
    if kind is not None and wanted is not None and not _fits(kind, wanted):
        raise wrong_type(target.name, wanted, kind, what)


def check_assignments(
    planned: SnapshotPlan, first: int, schema: pa.Schema, indexes: list[int], what: str = "expression"
) -> None:
    """Whether the plan's columns from ``first`` on can be stored in the columns ``indexes``."""
    if planned.kinds is not None:
        for kind, index in zip(planned.kinds[first : first + len(indexes)], indexes, strict=True):
            check_assignable(kind, schema.field(index), what)


def assigned(column: pa.ChunkedArray | pa.Array, target: pa.Field, zone: Zone) -> pa.Array:
    """A computed column in the type of the column it is stored in (assignment cast)."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if array.type == target.type:
        return array
    if pa.types.is_string(target.type):
        return cast_to_text(array, Style(zone))
    return to_array(by_clocks(array, target.type, zone).to_pylist(), target, zone)


def _fits(kind: str, wanted: str) -> bool:
    if kind in (kinds.UNKNOWN, wanted) or wanted in kinds.TEXTS:
        return True
    if pair_of(wanted) is not None and kind in (kinds.JSON, kinds.JSONB):
        return True
    if (given := pair_of(kind)) is not None and (pair := pair_of(wanted)) is not None:
        return _row_fits(given, pair)
    if kind == "record" and (fields := fields_of(wanted)):
        return _row_fits([sql_type for _, sql_type in fields_of(kind)], [sql_type for _, sql_type in fields])
    if kinds.is_array(kind) and kinds.is_array(wanted):
        return _fits(kinds.element(kind), kinds.element(wanted))
    if wanted in kinds.OIDS:
        return kind in kinds.OIDS or kind in kinds.INTEGERS
    if wanted in kinds.NUMBERS:
        return kind in kinds.NUMBERS
    if wanted == kinds.TIME:
        return kind in _TO_TIME
    if wanted == kinds.INTERVAL:
        return kind == kinds.TIME
    return kind in _MOMENTS and wanted in _MOMENTS


def _row_fits(given: Sequence[SqlType], wanted: Sequence[SqlType]) -> bool:
    """Whether the fields of a row, printed, are values of those of another."""
    pairs = zip(given, wanted, strict=False)
    return len(given) == len(wanted) and all(_field_fits(kinds.of_sql_type(a), kinds.of_sql_type(b)) for a, b in pairs)


def _field_fits(kind: str, wanted: str) -> bool:
    if kind == wanted or kind == kinds.TEXT:  # a literal has become a text in its row
        return True
    if kind == "record":
        return _fits(kind, wanted)
    wider = kind in kinds.INTEGERS and wanted in kinds.NUMBERS
    return wider or (kind == kinds.NUMERIC and wanted in (kinds.REAL, kinds.DOUBLE))


def by_clocks(values: pa.Array, target: pa.DataType, zone: Zone) -> pa.Array:
    """Moments that are stored as ``target``, as far as the zone's clocks tell what they are there."""
    if pa.types.is_time(target) and pa.types.is_timestamp(values.type):
        clocks = zone if _is_zoned(values.type) else UTC_ZONE
        return _counted(values, lambda us: clocks.locals(us) % _DAY_US).cast(pa.time64("us"))
    if zone is UTC_ZONE or not pa.types.is_temporal(values.type) or _is_zoned(values.type) == _is_zoned(target):
        return values
    if _is_zoned(values.type):
        return _counted(values, zone.locals).cast(pa.timestamp("us"))
    if pa.types.is_timestamp(values.type) or pa.types.is_date(values.type):
        return _counted(values.cast(pa.timestamp("us")), zone.instants).cast(pa.timestamp("us", "UTC"))
    return values


def _counted(moments: pa.Array, change: Callable[[I64], I64]) -> pa.Array:
    counts = moments.cast(pa.timestamp("us", moments.type.tz), safe=False).cast(pa.int64())
    changed = change(counts.fill_null(0).to_numpy(zero_copy_only=False))
    return pa.array(changed, pa.int64(), mask=moments.is_null().to_numpy(zero_copy_only=False))


def _is_zoned(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind)) and kind.tz is not None
