"""What a join's condition says of how far a time of one side is from a time of the other.

    a.ts BETWEEN b.ts - i AND b.ts + j      -i <= a.ts - b.ts <= j
    a.ts - b.ts < i                         a.ts - b.ts <= i

A bound need not be tight, for the condition is still computed for each pair: a month
is 28 to 31 days, and a day some hours more or less, for the sake of time zones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pt
from substrait.proto import Expression

from constellationdb.planner.shuttle import Shuttle, field_index

UNBOUNDED = 1 << 62  # µs
_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_FLIPPED = {"lt": "gt", "lte": "gte", "gt": "lt", "gte": "lte", "equal": "equal"}
_ZONED = {"precision_timestamp": False, "precision_timestamp_tz": True}


@dataclass(frozen=True)
class Between:
    """low <= the left's column - the right's column <= high, in µs."""

    left: int
    right: int  # over the right side's own columns
    low: int = -UNBOUNDED
    high: int = UNBOUNDED

    def both(self, other: Between) -> Between:
        return Between(self.left, self.right, max(self.low, other.low), min(self.high, other.high))


@dataclass(frozen=True)
class _Moved:
    """A column, and what is added to it at least and at most."""

    column: int
    least: int = 0
    most: int = 0


def is_time(kind: pa.DataType) -> bool:
    return bool(pt.is_timestamp(kind) and kind.unit == "us")


class Bounds:
    """Reads conditions over the columns of both sides, whose ``types`` are given; the left's come first."""

    def __init__(self, shuttle: Shuttle, types: Sequence[pa.DataType], left_width: int) -> None:
        self._shuttle = shuttle
        self._types = types
        self._left_width = left_width

    def read(self, parts: Sequence[Expression]) -> list[Between]:
        """Of the parts of a condition, those that are bounds."""
        return [found for part in parts if (found := self._between(part)) is not None]

    def _between(self, part: Expression) -> Between | None:
        for name, flipped in _FLIPPED.items():
            terms = self._call(part, name)
            if terms is not None:
                one, other = terms
                return (
                    self._of_times(name, one, other)
                    or self._of_times(flipped, other, one)
                    or self._of_difference(name, one, other)
                    or self._of_difference(flipped, other, one)
                )
        return None

    def _of_times(self, name: str, one: Expression, other: Expression) -> Between | None:
        """left + i OP right + j."""
        mine, theirs = self._moved(one), self._moved(other)
        if mine is None or theirs is None or not mine.column < self._left_width <= theirs.column:
            return None
        least, most = theirs.least - mine.most, theirs.most - mine.least
        return _bounded(name, mine.column, theirs.column - self._left_width, least, most)

    def _of_difference(self, name: str, one: Expression, other: Expression) -> Between | None:
        """left - right OP interval: the planner compares intervals by their length in µs."""
        if other.WhichOneof("rex_type") != "literal" or other.literal.WhichOneof("literal_type") != "i64":
            return None
        length = self._call(one, "con_interval_order")
        terms = None if length is None else self._call(length[0], "con_interval_between")
        if terms is None:
            return None
        a, b = (self._time(term) for term in terms)
        if a is None or b is None:
            return None
        value, width = other.literal.i64, self._left_width
        if a < width <= b:
            return _bounded(name, a, b - width, value, value)
        return _bounded(_FLIPPED[name], b, a - width, -value, -value) if b < width <= a else None

    def _moved(self, expression: Expression) -> _Moved | None:
        column = self._time(expression)
        if column is not None:
            return _Moved(column)
        for name, sign in (("add", 1), ("subtract", -1)):
            terms = self._call(expression, name)
            base = None if terms is None else self._moved(terms[0])
            if terms is None or base is None:
                continue
            length = _length(terms[1], zoned=self._types[base.column].tz is not None)
            if length is not None:
                least, most = sorted(sign * edge for edge in length)
                return _Moved(base.column, base.least + least, base.most + most)
        return None

    def _time(self, expression: Expression) -> int | None:
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

    def _call(self, expression: Expression, name: str) -> list[Expression] | None:
        """The arguments, if it is a call of this function."""
        if expression.WhichOneof("rex_type") != "scalar_function":
            return None
        call = expression.scalar_function
        if self._shuttle.function_name(call.function_reference) != name:
            return None
        return [argument.value for argument in call.arguments]


def _bounded(name: str, left: int, right: int, least: int, most: int) -> Between:
    """left - right OP something between ``least`` and ``most``."""
    low = least if name in ("gt", "gte", "equal") else -UNBOUNDED
    return Between(left, right, low, most if name in ("lt", "lte", "equal") else UNBOUNDED)


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
