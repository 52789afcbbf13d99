"""Window functions whose values follow from sums, or from places, in rows that lie in order: of frames that move, or
grow from the beginning."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.types as pt
from substrait.proto import Expression

from constellationdb.planner import plan
from constellationdb.planner.lower.frames import Reach
from constellationdb.planner.shuttle import field_index

_FUNCTIONS: dict[str, plan.MovingFunction] = {
    "sum": "sum", "count": "count", "min": "least", "max": "greatest", "lag": "value", "lead": "value",
    "first_value": "first", "last_value": "last",
}  # fmt: skip


def moving_of(name: str, function: Any, frame: Reach, value: pa.DataType, source: pa.Schema) -> plan.Moving | None:
    """``value``: the type of what the function says. None where that does not follow from sums or places."""
    running = frame.carry != "none"
    if name == "row_number":
        return plan.Moving("count", -1, 0, 0, running=running)
    if name not in _FUNCTIONS or (frame.tied and not running) or not function.arguments:
        return None
    argument = function.arguments[0].value
    column = field_index(argument.cast.input if argument.WhichOneof("rex_type") == "cast" else argument)
    if name == "count" and argument.WhichOneof("rex_type") == "literal" and not argument.literal.HasField("null"):
        return plan.Moving("count", -1, *_reach(name, function, frame), running, frame.tied)
    if column is None or not _is_known(name, function, argument, source.field(column).type, value):
        return None
    return plan.Moving(_FUNCTIONS[name], column, *_reach(name, function, frame), running, frame.tied)


def _is_known(name: str, function: Any, argument: Expression, kind: pa.DataType, value: pa.DataType) -> bool:
    if name == "sum":
        return bool(pt.is_signed_integer(kind)) and value in (pa.int64(), pa.decimal128(38, 0))
    if argument.WhichOneof("rex_type") == "cast" or (name in ("lag", "lead") and len(function.arguments) > 2):
        return False
    if name in ("min", "max"):
        return bool(pt.is_signed_integer(kind) or pt.is_timestamp(kind) or pt.is_date32(kind))
    return True


def _reach(name: str, function: Any, frame: Reach) -> tuple[int, int]:
    """The first and the last row of the frame, counted from the row itself."""
    if name in ("lag", "lead"):
        distance = frame.after - frame.before
        return distance, distance
    bounds = []
    for bound in (function.lower_bound, function.upper_bound):
        match bound.WhichOneof("kind"):
            case "preceding":
                bounds.append(-int(bound.preceding.offset))
            case "following":
                bounds.append(int(bound.following.offset))
            case _:
                bounds.append(0)
    return bounds[0], bounds[1]
