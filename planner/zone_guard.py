"""No conversion by UTC where another zone is meant: what the analysis could not put right is refused.

It knows the types of most expressions and says their zone. What it did not know is seen here,
in the plan, where every type is known.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.types as pt
from substrait.proto import Expression, Rel

from constellationdb.planner.analysis.zoning import unknown
from constellationdb.planner.shuttle import Shuttle, project, visit

_BY_CLOCKS = frozenset({"date_part", "date_trunc", "to_char", "extract"})
_MOVING = frozenset({"add", "subtract", "add_intervals"})


def check(shuttle: Shuttle, source: Rel, width: int, holder: Any) -> None:
    """Raise FeatureNotSupported if an expression of ``holder`` takes a timestamptz by the clocks of UTC."""
    casts: list[Expression] = []
    calls: list[Expression] = []

    def collect(expression: Expression) -> None:
        kind = expression.WhichOneof("rex_type")
        if kind == "cast":
            casts.append(expression)
        elif kind == "scalar_function":
            name = shuttle.function_name(expression.scalar_function.function_reference)
            if name.startswith("con_text_timestamptz"):
                raise unknown(None)
            if name in _BY_CLOCKS or name in _MOVING:
                calls.append(expression)

    visit(holder, collect, enter_relations=False)
    asked = [side for cast in casts for side in (cast.cast.input, cast)]
    asked += [argument.value for call in calls for argument in call.scalar_function.arguments]
    if not asked:
        return
    types = iter(shuttle.schema_of(project(source, width, asked), len(asked)).types)
    for before, after in [(next(types), next(types)) for _ in casts]:
        if _is_zoned(before) != _is_zoned(after) and _is_moment(before) and _is_moment(after):
            raise unknown(None)
    for call in calls:
        found = [next(types) for _ in call.scalar_function.arguments]
        name = shuttle.function_name(call.scalar_function.function_reference)
        if any(map(_is_zoned, found)) and (name in _BY_CLOCKS or any(map(pt.is_interval, found))):
            raise unknown(None)


def _is_zoned(kind: pa.DataType) -> bool:
    return bool(pt.is_timestamp(kind)) and kind.tz is not None


def _is_moment(kind: pa.DataType) -> bool:
    """Of what a timestamptz is cast to or from by a zone's clocks; an integer is the instant itself."""
    return bool(pt.is_timestamp(kind) or pt.is_date(kind) or pt.is_time(kind) or pt.is_string(kind))
