"""Constants, types and spans of time as SQL writes them."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

from substrait.proto import Expression, Type

_TYPES = {
    "bool": "boolean", "i8": "smallint", "i16": "smallint", "i32": "integer", "i64": "bigint", "fp32": "real",
    "fp64": "double precision", "string": "text", "varchar": "text", "binary": "bytea", "date": "date",
    "precision_timestamp": "timestamp", "precision_timestamp_tz": "timestamptz", "precision_time": "time",
    "interval_year": "interval", "interval_day": "interval", "interval_compound": "interval", "uuid": "uuid",
}  # fmt: skip
_PLAIN = ("i8", "i16", "i32", "i64", "fp32", "fp64")
_UNITS = (
    ("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000), ("ms", 1000), ("µs", 1),
)  # fmt: skip
_EPOCH = datetime.datetime(1970, 1, 1)


def type_name(kind: Type) -> str:
    name = kind.WhichOneof("kind")
    if name == "decimal":
        return f"numeric({kind.decimal.precision},{kind.decimal.scale})"
    return _TYPES.get(name or "", str(name))


def show_literal(literal: Expression.Literal) -> str:
    kind = literal.WhichOneof("literal_type") or "null"
    match kind:
        case "null":
            return "NULL"
        case "boolean":
            return str(literal.boolean).lower()
        case "string":
            return quoted(literal.string)
        case "var_char":
            return quoted(literal.var_char.value)
        case "decimal":
            unscaled = int.from_bytes(literal.decimal.value, "little", signed=True)
            return f"{decimal.Decimal(f'{unscaled}e-{literal.decimal.scale}'):f}"
        case "date":
            return quoted(str((_EPOCH + datetime.timedelta(days=literal.date)).date()))
        case "precision_timestamp":
            return _moment(literal.precision_timestamp)
        case _ if kind in _PLAIN:
            return f"{getattr(literal, kind):g}" if kind.startswith("fp") else str(getattr(literal, kind))
        case _:
            return f"({kind.replace('_', ' ')})" if not kind.startswith("interval") else _span(literal, kind)


def quoted(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _moment(stamp: Any) -> str:
    micros = stamp.value * 10**6 // 10**stamp.precision
    try:
        return quoted(_EPOCH + datetime.timedelta(microseconds=micros))
    except OverflowError:
        return f"(timestamp {stamp.value})"


def _span(literal: Expression.Literal, kind: str) -> str:
    months, days, micros = 0, 0, 0
    compound = literal.interval_compound
    years = literal.interval_year_to_month if kind == "interval_year_to_month" else compound.interval_year_to_month
    day = literal.interval_day_to_second if kind == "interval_day_to_second" else compound.interval_day_to_second
    months = years.years * 12 + years.months
    days = day.days
    micros = day.seconds * 1_000_000 + day.subseconds * 10**6 // 10**day.precision
    parts = [f"{months} mon" if months else "", f"{days} d" if days else "", interval(micros) if micros else ""]
    return f"interval {quoted(' '.join(p for p in parts if p) or '0')}"


def interval(micros: int) -> str:
    """A span in the largest unit that it is a whole number of: 1 min, 90 s."""
    for unit, size in _UNITS:
        if micros % size == 0 and micros:
            return f"{micros // size} {unit}"
    return "0 s"
