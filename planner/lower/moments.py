"""Expressions that are a time and some more: how much is added to the column they are of, at least and at most.

A month is 28 to 31 days, and a day some hours more or less where the column has a time zone. What the clocks of a
zone show is ahead of UTC by what they ever were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pt
from substrait.proto import Expression

from constellationdb.catalog.text.zones import zone_named, zone_of_expression
from constellationdb.planner.shuttle import Shuttle, field_index

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_ZONED = {"precision_timestamp": False, "precision_timestamp_tz": True}
_ZONES = {"con_zone": zone_named, "con_timezone": zone_of_expression}


@dataclass(frozen=True)
class Moved:
    """A column, and what is added to it at least and at most."""

    column: int
    least: int = 0
    most: int = 0

    def further(self, least: int, most: int) -> Moved:
        return Moved(self.column, self.least + least, self.most + most)


def is_time(kind: pa.DataType) -> bool:
    return bool(pt.is_timestamp(kind) and kind.unit == "us")


class Moments:
    """Reads expressions over columns of these types."""

    def __init__(self, shuttle: Shuttle, types: Sequence[pa.DataType]) -> None:
        self._shuttle = shuttle
        self._types = types

    def moved(self, expression: Expression) -> Moved | None:
        column = self.time(expression)
        if column is not None:
            return Moved(column)
        return self._by_interval(expression) or self._by_zone(expression)

    def _by_interval(self, expression: Expression) -> Moved | None:
        for name, sign in (("add", 1), ("subtract", -1)):
            terms = self.call(expression, name)
            base = None if terms is None else self.moved(terms[0])
            if terms is None or base is None:
                continue
            length = _length(terms[1], zoned=self._types[base.column].tz is not None)
            if length is not None:
                least, most = sorted(sign * edge for edge in length)
                return base.further(least, most)
        return None

    def _by_zone(self, expression: Expression) -> Moved | None:
        """AT TIME ZONE: what the clocks show, and when they show it."""
        for prefix, lookup in _ZONES.items():
            for name, sign in ((f"{prefix}_local", 1), (f"{prefix}_instant", -1)):
                terms = self.call(expression, name)
                base = None if terms is None else self.moved(terms[1])
                if terms is None or base is None:
                    continue
                zone = lookup(_text(terms[0]))
                if zone is not None:
                    least, most = sorted(sign * edge for edge in zone.reach_us())
                    return base.further(least, most)
        return None

    def time(self, expression: Expression) -> int | None:
        """The timestamp column that it is, perhaps cast to what it is already."""
        zoned = None
        if expression.WhichOneof("rex_type") == "cast":
            zoned = _ZONED.get(expression.cast.type.WhichOneof("kind") or "")
            expression = expression.cast.input
            if zoned is None:
                return None
        column = field_index(expression)
        if column is None or not is_time(self._types[column]):
            return None
        return column if zoned is None or zoned == (self._types[column].tz is not None) else None

    def call(self, expression: Expression, name: str) -> list[Expression] | None:
        """The arguments, if it is a call of this function."""
        if expression.WhichOneof("rex_type") != "scalar_function":
            return None
        call = expression.scalar_function
        if self._shuttle.function_name(call.function_reference) != name:
            return None
        return [argument.value for argument in call.arguments]


def _text(expression: Expression) -> str:
    while expression.WhichOneof("rex_type") == "cast":
        expression = expression.cast.input
    return str(expression.literal.string)


def _length(expression: Expression, *, zoned: bool) -> tuple[int, int] | None:
    """The least and the most µs of an interval literal, added to a time that is ``zoned`` or not."""
    if expression.WhichOneof("rex_type") != "literal":
        return None
    if expression.literal.WhichOneof("literal_type") != "interval_compound":
        return None
    whole = expression.literal.interval_compound
    months = 12 * whole.interval_year_to_month.years + whole.interval_year_to_month.months
    time = whole.interval_day_to_second
    part = time.subseconds * 1_000_000
    scale = 10**time.precision
    lengths = [(months * days + time.days) * _DAY + time.seconds * 1_000_000 for days in (28, 31)]
    slack = 3 * _HOUR if zoned and (months or time.days) else 0
    return min(lengths) + part // scale - slack, max(lengths) - (-part // scale) + slack
