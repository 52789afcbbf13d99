"""The time by which rows in order come late, and what the watermark frees of them.

A key that is such a time goes as a whole. Where the order begins with one, a row goes when no frame of a row that can
still come reaches it.
"""

from __future__ import annotations

from collections.abc import Iterable

from constellationdb.planner import plan
from constellationdb.planner.frame import Bound
from constellationdb.planner.lower.core import Lowering
from constellationdb.planner.lower.moments import is_time
from constellationdb.planner.lower.times import arrivals

_DAY = 86_400_000_000


def key_expiry(lowering: Lowering, node: plan.AnyNode, keys: Iterable[int]) -> plan.Column | None:
    """Of ``keys`` the one whose old values are the first to come no more; None where all may."""
    offsets = _offsets(lowering, node)
    found = [plan.Column(key, offsets[key]) for key in keys if key in offsets]
    return min(found, key=lambda c: (c.offset_us, c.index), default=None)


def order_expiry(lowering: Lowering, node: plan.AnyNode, order: tuple[plan.Order, ...]) -> plan.Column | None:
    """The first term of an order, where rows come in that order but for late ones."""
    if not order or order[0].descending or order[0].nulls_first:
        return None
    return key_expiry(lowering, node, [order[0].column])


def closing_with(node: plan.AnyNode, keys: Iterable[int], expiry: plan.Column | None) -> tuple[plan.Column, ...]:
    """The keys that close: those of ``node`` that do, and the one by which rows come late."""
    found = tuple(c for c in node.closing if c.index in keys)
    return found if expiry is None or any(c.index == expiry.index for c in found) else (*found, expiry)


def _offsets(lowering: Lowering, node: plan.AnyNode) -> dict[int, int]:
    coming = {*node.times, *(c.index for c in node.shifted)} - {c.index for c in node.closing}
    return {
        column: offset_us + (lowering.lateness_us if column in coming else 0)
        for column, offset_us in arrivals(node).items()
        if is_time(node.schema.field(column).type)
    }


def range_reach(sets: Iterable[plan.FrameSet]) -> tuple[int, int] | None:
    """How far back and ahead in time the frames reach; None where that is not said in time, or has no bound."""
    reaches = [_reach(part) for part in sets]
    known = [reach for reach in reaches if reach is not None]
    if len(known) < len(reaches):
        return None
    return max(behind for behind, _ in known), max(ahead for _, ahead in known)


def _reach(part: plan.FrameSet) -> tuple[int, int] | None:
    places = [_place(bound) for bound in (part.frame.start, part.frame.end)]
    start, end = places
    if part.frame.mode != "range" or start is None or end is None:
        return None
    return max(0, -start), max(0, end)


def _place(bound: Bound) -> int | None:
    """µs after the row itself, or more; before it: as many or fewer."""
    if bound.side == "current row":
        return 0
    if not isinstance(bound.offset, tuple):
        return None
    months, days, micros = bound.offset
    length = (31 * months + days) * _DAY + micros  # rather too far than not far enough
    return -length if bound.side == "preceding" else length
