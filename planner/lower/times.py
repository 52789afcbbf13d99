"""When rows of a join can match nothing any more: bounds on times, compared with the watermark.

    a.ts BETWEEN b.ts - i AND b.ts + j        -i <= a.ts - b.ts <= j
    a row of b is done with when no row of a up to b.ts + j can come, and one of a when none of b up to a.ts + i can

What the conditions say is read by ``bounds``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from constellationdb.planner import plan
from constellationdb.planner.lower.bounds import UNBOUNDED, Between


@dataclass(frozen=True)
class Expiry:
    """What ``plan.Join`` says of its times, and the columns that close, of each side."""

    expiry: tuple[plan.Column | None, plan.Column | None] = (None, None)
    late: tuple[plan.Column | None, plan.Column | None] = (None, None)
    left_closing: tuple[plan.Column, ...] = ()
    right_closing: tuple[plan.Column, ...] = ()

    def closing(self, left_width: int) -> tuple[plan.Column, ...]:
        """Of both sides, side by side."""
        return (*self.left_closing, *(plan.Column(c.index + left_width, c.offset_us) for c in self.right_closing))


def expiry_of(left: plan.AnyNode, right: plan.AnyNode, bounds: list[Between]) -> Expiry:
    """By the bounds that free most."""
    first, second = arrivals(left), arrivals(right)
    merged: dict[tuple[int, int], Between] = {}
    for bound in bounds:
        if bound.left in first and bound.right in second:
            known = merged.get((bound.left, bound.right))
            merged[bound.left, bound.right] = bound if known is None else known.both(bound)
    if not merged:
        return Expiry()
    best = max(merged.values(), key=lambda b: ((b.low > -UNBOUNDED) + (b.high < UNBOUNDED), b.low - b.high))
    return _expiry(left, right, best, first[best.left], second[best.right])


def _expiry(left: plan.AnyNode, right: plan.AnyNode, between: Between, mine: int, theirs: int) -> Expiry:
    """``mine``, ``theirs``: a time to which this is added does not come once the watermark has reached the sum."""
    frees_left, frees_right = between.low > -UNBOUNDED, between.high < UNBOUNDED
    return Expiry(
        (
            plan.Column(between.left, theirs - between.low) if frees_left else None,
            plan.Column(between.right, mine + between.high) if frees_right else None,
        ),
        (
            plan.Column(between.left, mine) if frees_right else None,
            plan.Column(between.right, theirs) if frees_left else None,
        ),
        _closing(left, between.left, theirs - between.low) if frees_left else (),
        _closing(right, between.right, mine + between.high) if frees_right else (),
    )


def _closing(node: plan.AnyNode, time: int, offset_us: int) -> tuple[plan.Column, ...]:
    """The columns of a side that close in the join's output, whose rows come until ``time + offset_us`` is reached."""
    own = dict.fromkeys(node.times, 1) | {c.index: c.offset_us for c in node.closing}
    latest = {time: 0} | {column: above for column, (of, above) in _ceilings(node).items() if of == time}
    return tuple(
        plan.Column(column, max(own[column], offset_us + above)) for column, above in latest.items() if column in own
    )


def arrivals(node: plan.AnyNode) -> Mapping[int, int]:
    """The columns whose old values come no more, by what has to be added: once the watermark has reached the sum.

    Of an input that takes rows back, those that close: then it takes nothing back either.
    """
    found = {c.index: c.offset_us for c in node.closing}
    if node.append_only:
        found = dict.fromkeys(node.times, 1) | {c.index: c.offset_us for c in node.shifted} | found
    match node:
        case plan.WindowAssign() if node.watermarked and node.append_only:
            found.setdefault(node.time_column, node.size_us + node.lateness_us)
        case plan.Fragment() if node.append_only:
            below = arrivals(node.input)
            found |= {j: below[o] for j, o in enumerate(node.passthrough) if o in below and j not in found}
    return found


def _ceilings(node: plan.AnyNode) -> Mapping[int, tuple[int, int]]:
    """The columns that bound a time from above: column → (the time, what is added to the column)."""
    match node:
        case plan.WindowAssign():
            width = len(node.schema)
            return {width - 2: (node.time_column, node.size_us - 1), width - 1: (node.time_column, -1)}
        case plan.Fragment():
            places = {origin: j for j, origin in enumerate(node.passthrough) if origin >= 0}
            below = _ceilings(node.input).items()
            return {places[c]: (places[t], above) for c, (t, above) in below if c in places and t in places}
        case _:
            return {}
