"""Make expressions Postgres': checked arithmetic where DataFusion would wrap (22003, 22012), doubles as they are there.

DataFusion plans ``bigint + 1`` as a wrapping add. The types of the operands are
asked of DataFusion itself, by planning them as a projection; then the function
is replaced by its ``con_`` twin. Division and modulus of integers by a constant
that is neither 0 nor -1 cannot fail and keep the vectorised original.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.types as pt
from substrait.proto import Expression, Rel

from constellationdb.planner import comparisons, doubles, renderings, zone_guard
from constellationdb.planner.functions import SUFFIX_OF
from constellationdb.planner.math_functions import SCALE, WHOLE_SCALE
from constellationdb.planner.renderings import as_string
from constellationdb.planner.shuttle import Shuttle, project, visit

_CHECKED = frozenset({"add", "subtract", "multiply", "divide", "modulus", "negate"})
_SPELLINGS = {"mod": "modulus", "negative": "negate"}


def check(shuttle: Shuttle, source: Rel, width: int, holder: Any) -> None:
    """Correct, in place, every expression inside ``holder``, whose columns are those of ``source``."""
    renderings.render(shuttle, source, width, holder)
    doubles.restore(shuttle, source, width, holder)
    doubles.read_digits(shuttle, source, width, holder)
    comparisons.canonical(shuttle, source, width, holder)
    if shuttle.zoned:
        zone_guard.check(shuttle, source, width, holder)
    calls: list[Expression] = []

    def collect(expression: Expression) -> None:
        if expression.WhichOneof("rex_type") == "scalar_function" and _operation(shuttle, expression) in _CHECKED:
            calls.append(expression)

    visit(holder, collect, enter_relations=False)
    if not calls:
        return
    operands = [argument.value for call in calls for argument in call.scalar_function.arguments]
    types = iter(shuttle.schema_of(project(source, width, operands), len(operands)).types)
    for call in calls:
        _replace(shuttle, call, [next(types) for _ in call.scalar_function.arguments])


def _operation(shuttle: Shuttle, call: Expression) -> str:
    name = shuttle.function_name(call.scalar_function.function_reference)
    return _SPELLINGS.get(name, name)


def _replace(shuttle: Shuttle, call: Expression, types: list[pa.DataType]) -> None:
    suffix = SUFFIX_OF.get(types[0])
    operation = _operation(shuttle, call)
    if operation == "divide" and all(pt.is_decimal(kind) for kind in types):
        _numeric_quotient(shuttle, call, types[0])
        return
    if suffix is None or any(kind != types[0] for kind in types) or _harmless(operation, call):
        return
    if suffix in ("f32", "f64") and operation in ("modulus", "negate"):
        return
    call.scalar_function.function_reference = shuttle.anchor(f"con_{operation}_{suffix}")


def _numeric_quotient(shuttle: Shuttle, call: Expression, dividend: pa.DataType) -> None:
    """The quotient of numerics, by their texts: whatever digits they have, one function divides them."""
    scale = SCALE if dividend.scale else WHOLE_SCALE
    call.scalar_function.function_reference = shuttle.anchor(f"con_quotient_{scale}")
    for argument in call.scalar_function.arguments:
        argument.value.CopyFrom(as_string(argument.value))


def _harmless(operation: str, call: Expression) -> bool:
    if operation not in ("divide", "modulus"):
        return False
    divisor = call.scalar_function.arguments[1].value
    if divisor.WhichOneof("rex_type") != "literal":
        return False
    kind = divisor.literal.WhichOneof("literal_type")
    return kind in ("i16", "i32", "i64") and getattr(divisor.literal, kind) not in (0, -1)
