"""How far the frame of a window function reaches, and whether it goes on from the row before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.types as pt
from substrait.proto import Expression

from constellationdb.planner import plan
from constellationdb.planner.shuttle import field_index

_CARRIED: dict[str, plan.Carry] = {
    "count": "add", "sum": "add", "min": "least", "max": "greatest", "first_value": "keep",
}  # fmt: skip
_FRAMED = frozenset({*_CARRIED, "avg", "last_value", "nth_value"})
FARTHEST = 1 << 20


@dataclass(frozen=True)
class Reach:
    """``before`` and ``after``: by how many rows. ``carry``: it begins at the beginning; ``tied``: ends with a peer."""

    before: int = 0
    after: int = 0
    carry: plan.Carry = "none"
    tied: bool = False


def frame_of(name: str, function: Any, value: pa.DataType) -> Reach | None:
    """The frame of a function whose values are of a type; None where a change reaches the whole partition."""
    if not function.sorts:
        return None
    match name:
        case "row_number":
            return Reach(carry="add")
        case "lag" | "lead":
            return _offset(name, function)
        case _ if name in _FRAMED:
            return _framed(name, function, value)
        case _:
            return None


def _offset(name: str, function: Any) -> Reach | None:
    offset = 1
    if len(function.arguments) > 1:
        literal = function.arguments[1].value.literal
        kind = literal.WhichOneof("literal_type")
        if kind not in ("i8", "i16", "i32", "i64"):
            return None
        offset = int(getattr(literal, kind))
    offset = offset if name == "lag" else -offset
    return Reach(max(offset, 0), max(-offset, 0)) if abs(offset) <= FARTHEST else None


def _framed(name: str, function: Any, value: pa.DataType) -> Reach | None:
    rows = function.bounds_type == Expression.WindowFunction.BOUNDS_TYPE_ROWS
    lower, upper = _distance(function.lower_bound), _distance(function.upper_bound)
    if upper is None:
        return None
    if lower is None:
        carry = _CARRIED.get(name, "none")
        numeric = pt.is_decimal(value) and value.scale == 0
        if (
            upper != 0
            or carry == "none"
            or not (carry == "keep" or pt.is_integer(value) or numeric or _is_moment(value))
        ):
            return None
        return Reach(carry=carry, tied=not rows)
    if not rows or lower > upper or max(-lower, upper) > FARTHEST:
        return None
    return Reach(max(-lower, 0), max(upper, 0))


def _is_moment(kind: pa.DataType) -> bool:
    return bool(pt.is_timestamp(kind) or pt.is_date32(kind))


def _distance(bound: Any) -> int | None:
    """Rows after the current one (negative: before it); None where there is no bound."""
    match bound.WhichOneof("kind"):
        case "preceding":
            return -int(bound.preceding.offset)
        case "following":
            return int(bound.following.offset)
        case "current_row":
            return 0
        case _:
            return None


def cannot_fail(argument: Expression, source: pa.Schema) -> bool:
    """Whether an argument is a column, a constant or an integer made wider."""
    match argument.WhichOneof("rex_type"):
        case "literal":
            return True
        case "cast":
            index = field_index(argument.cast.input)
            return index is not None and bool(pt.is_signed_integer(source.field(index).type))
        case _:
            return field_index(argument) is not None
