"""Functions of moments in a time zone, which is their first argument: a plan says itself which zone it computes in.

    con_zone_local(zone, timestamptz)        what the clocks show
    con_zone_instant(zone, timestamp)        when they show it
    con_zone_add(zone, timestamptz, interval)  a day later is at the same time of day, whatever the clocks did

``con_zone_…`` take a zone's name as SHOW timezone says it, ``con_timezone_…`` what may stand behind AT TIME ZONE.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from constellationdb.catalog import types
from constellationdb.catalog.text import text_encoder
from constellationdb.catalog.text.style import Style
from constellationdb.catalog.text.zones import I64, UTC_ZONE, Zone, offset_text, zone_named, zone_of_expression
from constellationdb.errors import ConstellationError
from constellationdb.planner.interval_functions import INTERVAL, parts_of
from constellationdb.planner.raising import ComputationError
from constellationdb.planner.scalar_texts import instant_us

_TIMESTAMP, _TIMESTAMPTZ = types.TIMESTAMP.arrow, types.TIMESTAMPTZ.arrow
_DAY_US = 86_400_000_000
_LEAST_US, _END_US = -210_866_803_200_000_000, 9_223_371_331_200_000_000  # 4713 BC, 294277
_MOST_STEPS = 10_000_000

Lookup = Callable[[str], Zone | None]


def definitions() -> list[tuple[Any, list[pa.DataType], pa.DataType, str]]:
    """(function, arguments, result, name) of each."""
    name, whole = pa.string(), pa.int64()
    moments = types.array_of(types.TIMESTAMPTZ).arrow
    found: list[tuple[Any, list[pa.DataType], pa.DataType, str]] = [
        (_offset, [name, _TIMESTAMPTZ], whole, "con_zone_offset"),
        (_added, [name, _TIMESTAMPTZ, INTERVAL], _TIMESTAMPTZ, "con_zone_add"),
        (_printed, [name, _TIMESTAMPTZ], pa.string(), "con_zone_text"),
        (_printed, [name, moments], pa.string(), "con_zone_list_text"),
        (_read, [name, pa.string()], _TIMESTAMPTZ, "con_zone_read"),
        (_series, [name, _TIMESTAMPTZ, _TIMESTAMPTZ, INTERVAL], moments, "con_zone_series"),
        (_bare_series, [_TIMESTAMP, _TIMESTAMP, INTERVAL], types.array_of(types.TIMESTAMP).arrow, "con_series"),
        (_of_interval, [INTERVAL], name, "con_zone_of_interval"),
    ]
    for prefix, lookup in (("con_zone", zone_named), ("con_timezone", zone_of_expression)):
        found.append((_truncated(lookup), [name, _TIMESTAMPTZ, whole], _TIMESTAMPTZ, f"{prefix}_trunc"))
        found.append((_local(lookup), [name, _TIMESTAMPTZ], _TIMESTAMP, f"{prefix}_local"))
        found.append((_instant(lookup), [name, _TIMESTAMP], _TIMESTAMPTZ, f"{prefix}_instant"))
    return found


def _local(lookup: Lookup) -> Callable[[pa.Array, pa.Array], pa.Array]:
    return lambda names, moments: _moments(
        _by_zone(names, lookup, moments, lambda zone, us: zone.locals(us)), _TIMESTAMP, names, moments
    )


def _instant(lookup: Lookup) -> Callable[[pa.Array, pa.Array], pa.Array]:
    return lambda names, moments: _moments(
        _by_zone(names, lookup, moments, lambda zone, us: zone.instants(us)), _TIMESTAMPTZ, names, moments
    )


def _offset(names: pa.Array, moments: pa.Array) -> pa.Array:
    """Seconds east of UTC."""
    found = _by_zone(names, zone_named, moments, lambda zone, us: np.broadcast_to(zone.offsets(us), us.shape))
    return pa.array(found, mask=_nulls(names, moments))


def _truncated(lookup: Lookup) -> Callable[[pa.Array, pa.Array, pa.Array], pa.Array]:
    """To a unit of less than a day, which begins when the clocks show so: the offset stays what it is."""

    def truncated(names: pa.Array, moments: pa.Array, units: pa.Array) -> pa.Array:
        unit = units[0].as_py() if len(units) else 1
        found = _by_zone(names, lookup, moments, lambda zone, us: us - zone.locals(us) % unit)
        return _moments(found, _TIMESTAMPTZ, names, moments)

    return truncated


def _added(names: pa.Array, moments: pa.Array, spans: pa.Array) -> pa.Array:
    parts = parts_of(spans)
    found = _values(moments)
    for name in names.unique().drop_null().to_pylist():
        chosen = np.array(names.to_pylist(), object) == name
        found[chosen] = _later(_zone(name, zone_named), found[chosen], parts[chosen])
    return _moments(found, _TIMESTAMPTZ, names, moments, spans)


def _later(zone: Zone, us: I64, parts: NDArray[Any]) -> I64:
    """Months, then days by the clocks of the zone; then the time that passes."""
    months, days = parts["months"].astype(np.int64), parts["days"].astype(np.int64)
    rough = us + months * 2_629_746e6 + days * float(_DAY_US) + parts["nanos"] / 1e3
    if np.any((rough < _LEAST_US) | (rough >= _END_US)):
        raise ComputationError("22008", "timestamp out of range")
    if months.any():
        us = np.where(months != 0, zone.instants(_months_later(zone.locals(us), months)), us)
    if days.any():
        us = np.where(days != 0, zone.instants(zone.locals(us) + days * _DAY_US), us)
    later: I64 = us + parts["nanos"] // 1000
    return later


def _months_later(local: I64, months: I64) -> I64:
    """The same day of another month, or its last one."""
    day, clock = np.divmod(local, _DAY_US)
    date = day.astype("M8[D]")
    month = date.astype("M8[M]")
    wanted = month + months
    first = wanted.astype("M8[D]").astype(np.int64)
    last = (wanted + 1).astype("M8[D]").astype(np.int64) - 1
    found: I64 = np.minimum(first + (day - month.astype("M8[D]").astype(np.int64)), last) * _DAY_US + clock
    return found


def _printed(names: pa.Array, values: pa.Array) -> pa.Array:
    if not len(names):
        return pa.array([], pa.string())
    style = Style(_zone(names[0].as_py(), zone_named))
    sql_type = types.array_of(types.TIMESTAMPTZ) if pa.types.is_list(values.type) else types.TIMESTAMPTZ
    return text_encoder(values.type, sql_type, style)(values).cast(pa.string())


def _read(names: pa.Array, texts: pa.Array) -> pa.Array:
    zone = _zone(names[0].as_py(), zone_named) if len(names) else None
    try:
        found = [None if t is None or zone is None else instant_us(t, zone, None) for t in texts.to_pylist()]
    except ConstellationError as error:
        raise ComputationError(error.sqlstate, error.message) from None
    return pa.array(found, pa.int64()).cast(_TIMESTAMPTZ)


def _series(names: pa.Array, starts: pa.Array, stops: pa.Array, steps: pa.Array) -> pa.Array:
    """From each start to its stop, both of them among the moments."""
    zone = _zone(names[0].as_py(), zone_named) if len(names) else UTC_ZONE
    return _series_of(zone, starts, stops, steps).cast(types.array_of(types.TIMESTAMPTZ).arrow)


def _bare_series(starts: pa.Array, stops: pa.Array, steps: pa.Array) -> pa.Array:
    return _series_of(UTC_ZONE, starts, stops, steps).cast(types.array_of(types.TIMESTAMP).arrow)


def _series_of(zone: Zone, starts: pa.Array, stops: pa.Array, steps: pa.Array) -> pa.Array:
    rows = zip(_values(starts), _values(stops), _nulls(starts, stops, steps), strict=True)
    parts = parts_of(steps)
    found = [None if null else _steps(zone, a, b, parts[i : i + 1]) for i, (a, b, null) in enumerate(rows)]
    return pa.array(found, pa.list_(pa.int64()))


def _steps(zone: Zone, start: int, stop: int, step: NDArray[Any]) -> list[int]:
    size = int(step["months"][0]) * 30 * _DAY_US + int(step["days"][0]) * _DAY_US + int(step["nanos"][0]) // 1000
    if size == 0:
        raise ComputationError("22023", "step size cannot equal zero")
    made, moment = [], int(start)
    while moment <= stop if size > 0 else moment >= stop:
        made.append(moment)
        if len(made) > _MOST_STEPS:
            raise ComputationError("54000", f"generate_series gives more than {_MOST_STEPS} rows")
        moment = int(_later(zone, np.array([moment], np.int64), step)[0])
    return made


def _of_interval(spans: pa.Array) -> pa.Array:
    """The name of the zone that is so far east of UTC."""
    encode = text_encoder(INTERVAL)
    found: list[str | None] = []
    for place, span in enumerate(spans.to_pylist()):
        if span is not None and (span.months or span.days):
            shown = encode(spans.slice(place, 1))[0].as_py().decode()
            raise ComputationError("22023", f'interval time zone "{shown}" must not include months or days')
        seconds = 0 if span is None else int(span.nanoseconds / 1e9)
        found.append(None if span is None else f"<{offset_text(seconds)}>{offset_text(-seconds)}")
    return pa.array(found, pa.string())


def _zone(name: str, lookup: Lookup) -> Zone:
    zone = lookup(name)
    if zone is None:
        raise ComputationError("22023", f'time zone "{name}" not recognized')
    return zone


def _by_zone(names: pa.Array, lookup: Lookup, moments: pa.Array, compute: Callable[[Zone, I64], I64]) -> I64:
    """``compute`` for the rows of each zone."""
    us = _values(moments)
    asked = names.unique().drop_null().to_pylist()
    if len(asked) == 1 and not names.null_count:
        return compute(_zone(asked[0], lookup), us)
    every = np.array(names.to_pylist(), object)
    for name in asked:
        chosen = every == name
        us[chosen] = compute(_zone(name, lookup), us[chosen])
    return us


def _values(moments: pa.Array) -> I64:
    values: I64 = moments.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False).copy()
    return values


def _nulls(*columns: pa.Array) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = np.logical_or.reduce([c.is_null().to_numpy(zero_copy_only=False) for c in columns])
    return mask


def _moments(values: I64, kind: pa.DataType, *given: pa.Array) -> pa.Array:
    return pa.array(values, pa.int64(), mask=_nulls(*given)).cast(kind)
