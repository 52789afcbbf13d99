"""extract, date_part and date_trunc: Postgres' fields in the words of DataFusion's date_part.

An extract is numeric, with the digits Postgres gives it, so that ``extract(hour from t) / 5``
is no division of integers; date_part is a double.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pglast import ast

from constellationdb.errors import FeatureNotSupported, InvalidParameter
from constellationdb.planner.analysis import forms, kinds
from constellationdb.planner.analysis.kinds import Kind
from constellationdb.planner.analysis.zoning import Zoning, in_utc
from constellationdb.planner.rewrite.tree import parse_expression, to_sql

_DATES = frozenset({"year", "quarter", "month", "week", "day", "dow", "doy", "isodow"})
_CLOCKS = frozenset({"hour", "minute"})
_MICROSECONDS = {"second": 1_000_000, "milliseconds": 1000, "microseconds": 1}  # how many there are in one
_SPELLED = {
    "years": "year", "months": "month", "weeks": "week", "days": "day", "hours": "hour", "minutes": "minute",
    "seconds": "second", "millisecond": "milliseconds", "microsecond": "microseconds",
}  # fmt: skip
_MISSING = frozenset({"century", "decade", "millennium", "isoyear", "julian"})
_OFFSETS = {
    "timezone": "{0}", "timezone_hour": "{0} / 3600", "timezone_minute": "({0} / 60) % 60",
}  # fmt: skip
_UNITS_US = {"hour": 3_600_000_000, "minute": 60_000_000, "second": 1_000_000, "milliseconds": 1000, "microseconds": 1}
_TRUNCATED = frozenset(
    {"year", "quarter", "month", "week", "day", "hour", "minute", "second", "milliseconds", "microseconds"}
)


def _field(node: Any) -> str | None:
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.String):
        word: str = node.val.sval.lower()
        return _SPELLED.get(word, word)
    return None


def part(node: Any, name: str, shown: list[Kind], zoning: Zoning, position: int | None) -> Any:
    """``extract(field from moment)`` or ``date_part('field', moment)``."""
    field = _field(node.args[0]) if len(shown) == 2 else None
    if field is None:
        raise FeatureNotSupported(f"{name} is only supported of a constant field", position=position)
    _check(field, name, shown[1], position)
    value = node.args[1]
    if field in _OFFSETS:
        seconds = to_sql(zoning.call("offset", value))
        scaled = f"CAST({_OFFSETS[field].format(seconds)} AS numeric(10,0))"
        return parse_expression(scaled if name == "extract" else f"CAST({scaled} AS float8)")
    if zoning.explicit and shown[1] == kinds.TIMESTAMPTZ:
        value = in_utc(value) if field == "epoch" else zoning.local(value)
        shown = [shown[0], kinds.TIMESTAMP]
    moment = to_sql(value)
    if name == "date_part" and field in _MICROSECONDS:
        return parse_expression(
            f"CAST({_in_minute(moment, shown[1])} AS float8) / CAST({_MICROSECONDS[field]} AS float8)"
        )
    text = _numeric(field, moment, shown[1])
    return parse_expression(text if name == "extract" else f"CAST({text} AS float8)")


def _numeric(field: str, moment: str, kind: Kind) -> str:
    if field in _MICROSECONDS:
        unit = str(Decimal(1) / _MICROSECONDS[field])
        return f"CAST({_in_minute(moment, kind)} AS numeric(10,0)) * {unit}"
    if field == "epoch" and kind == kinds.INTERVAL:
        return f"CAST(con_interval_epoch({moment}) AS numeric(20,6))"
    scale = 6 if field == "epoch" and kind != kinds.DATE else 0
    return f"CAST(date_part('{field}', {moment}) AS numeric({20 if field == 'epoch' else 10},{scale}))"


def _in_minute(moment: str, kind: Kind) -> str:
    """Microseconds since the minute began; DataFusion's date_part of an interval leaves out its fraction."""
    if kind == kinds.INTERVAL:
        return f"con_interval_minute({moment})"
    moment = moment if kind in (kinds.TIME, *kinds.MOMENTS) else f"CAST({moment} AS timestamp(6))"
    return f"date_part('microsecond', {moment})"


def _check(field: str, name: str, kind: Kind, position: int | None) -> None:
    shown = kind if kind not in (None, kinds.UNKNOWN) else "this type"
    if field in _MISSING:
        raise FeatureNotSupported(f'unit "{field}" is not supported yet', position=position)
    if field in _OFFSETS and kind == kinds.TIMESTAMPTZ:
        return
    if field in _OFFSETS:
        raise FeatureNotSupported(f'unit "{field}" not supported for type {shown}', position=position)
    if field not in _DATES and field not in _CLOCKS and field not in _MICROSECONDS and field != "epoch":
        raise InvalidParameter(f'unit "{field}" not recognized for type {shown}', position=position)
    clock = field in _CLOCKS or field in _MICROSECONDS
    if (kind == kinds.DATE and clock and name == "extract") or (kind == kinds.TIME and field in _DATES):
        raise FeatureNotSupported(f'unit "{field}" not supported for type {shown}', position=position)
    if kind == kinds.INTERVAL and field in ("week", "dow", "doy", "isodow"):
        raise FeatureNotSupported(f'unit "{field}" not supported for type {shown}', position=position)


def truncated_in(prefix: str, zone: Any, unit: Any, moment: Any, position: int | None) -> Any:
    """date_trunc of a timestamptz by the clocks of ``zone``; ``prefix``: of the functions that know its name."""
    field = _field(unit)
    if field is None:
        raise FeatureNotSupported("date_trunc is only supported of a constant field", position=position)
    if field in _UNITS_US:
        return forms.call(f"{prefix}_trunc", zone, moment, kinds.cast(forms.text(str(_UNITS_US[field])), kinds.BIGINT))
    local = forms.call(f"{prefix}_local", zone, moment)
    node = truncated(forms.call("date_trunc", unit, local), [None, kinds.TIMESTAMPTZ], position)
    return forms.call(f"{prefix}_instant", zone, kinds.cast(node, kinds.TIMESTAMP))


def truncated(node: Any, shown: list[Kind], position: int | None) -> Any:
    """``date_trunc('field', moment)`` with a field that DataFusion knows."""
    field = _field(node.args[0]) if len(shown) == 2 else None
    if field is None or field in _TRUNCATED:
        if field is not None:
            node.args = (forms.text(field.removesuffix("s") if field in _MICROSECONDS else field), node.args[1])
        return node
    if field in _MISSING:
        raise FeatureNotSupported(f'date_trunc to "{field}" is not supported yet', position=position)
    kind = kinds.TIMESTAMPTZ if shown[1] == kinds.DATE else shown[1]
    raise InvalidParameter(f'unit "{field}" not recognized for type {kind}', position=position)
