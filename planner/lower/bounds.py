"""What a join's condition says of how far a time of one side is from a time of the other.

    a.ts BETWEEN b.ts - i AND b.ts + j      -i <= a.ts - b.ts <= j
    a.ts - b.ts < i                         a.ts - b.ts <= i

A bound need not be tight, for the condition is still computed for each pair.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from substrait.proto import Expression

from constellationdb.planner.lower.moments import Moments
from constellationdb.planner.shuttle import Shuttle

UNBOUNDED = 1 << 62  # µs
_FLIPPED = {"lt": "gt", "lte": "gte", "gt": "lt", "gte": "lte", "equal": "equal"}


@dataclass(frozen=True)
class Between:
    """low <= the left's column - the right's column <= high, in µs."""

    left: int
    right: int  # over the right side's own columns
    low: int = -UNBOUNDED
    high: int = UNBOUNDED

    def both(self, other: Between) -> Between:
        return Between(self.left, self.right, max(self.low, other.low), min(self.high, other.high))


class Bounds:
    """Reads conditions over the columns of both sides, whose ``types`` are given; the left's come first."""

    def __init__(self, shuttle: Shuttle, types: Sequence[pa.DataType], left_width: int) -> None:
        self._moments = Moments(shuttle, types)
        self._left_width = left_width

    def read(self, parts: Sequence[Expression]) -> list[Between]:
        """Of the parts of a condition, those that are bounds."""
        return [found for part in parts if (found := self._between(part)) is not None]

    def _between(self, part: Expression) -> Between | None:
        for name, flipped in _FLIPPED.items():
            terms = self._moments.call(part, name)
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
        mine, theirs = self._moments.moved(one), self._moments.moved(other)
        if mine is None or theirs is None or not mine.column < self._left_width <= theirs.column:
            return None
        least, most = theirs.least - mine.most, theirs.most - mine.least
        return _bounded(name, mine.column, theirs.column - self._left_width, least, most)

    def _of_difference(self, name: str, one: Expression, other: Expression) -> Between | None:
        """left - right OP interval: the planner compares intervals by their length in µs."""
        if other.WhichOneof("rex_type") != "literal" or other.literal.WhichOneof("literal_type") != "i64":
            return None
        length = self._moments.call(one, "con_interval_order")
        terms = None if length is None else self._moments.call(length[0], "con_interval_between")
        if terms is None:
            return None
        a, b = (self._moments.time(term) for term in terms)
        if a is None or b is None:
            return None
        value, width = other.literal.i64, self._left_width
        if a < width <= b:
            return _bounded(name, a, b - width, value, value)
        return _bounded(_FLIPPED[name], b, a - width, -value, -value) if b < width <= a else None


def _bounded(name: str, left: int, right: int, least: int, most: int) -> Between:
    """left - right OP something between ``least`` and ``most``."""
    low = least if name in ("gt", "gte", "equal") else -UNBOUNDED
    return Between(left, right, low, most if name in ("lt", "lte", "equal") else UNBOUNDED)
