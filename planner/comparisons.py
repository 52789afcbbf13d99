"""Doubles compared as Postgres does: one NaN, which is greatest, and one zero.

DataFusion takes -NaN, which ``-x`` and ``inf - inf`` give, for another value and the least
of all; nullif and CASE x WHEN also tell -0 from 0. So what it compares is made canonical.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from substrait.proto import AggregateFunction, AggregateRel, Expression, FunctionArgument, Rel

from constellationdb.planner.functions import SUFFIX_OF
from constellationdb.planner.shuttle import Shuttle, project, visit

_COMPARING = frozenset(
    {"equal", "not_equal", "gt", "gte", "lt", "lte", "is_distinct_from", "is_not_distinct_from", "nullif", "between",
     "greatest", "least"}
)  # fmt: skip
_FLOATS = (pa.float32(), pa.float64())
_OTHERWISE = frozenset({"i8", "i16", "i32", "i64", "string", "boolean", "decimal", "date", "var_char", "binary"})


def canonical(shuttle: Shuttle, source: Rel, width: int, holder: Any) -> None:
    """In place, in every comparison of ``holder``, whose columns are those of ``source``."""
    found: list[Expression] = []
    visit(holder, found.append, enter_relations=False)
    _make_canonical(shuttle, source, width, [side for expression in found for side in _sides(shuttle, expression)])


def canonical_groups(shuttle: Shuttle, source: Rel, width: int, body: AggregateRel) -> None:
    """In place, what the aggregate ``body`` groups by and counts as distinct."""
    told_apart = list(body.grouping_expressions)
    for measure in body.measures:
        if measure.measure.invocation == AggregateFunction.AGGREGATION_INVOCATION_DISTINCT:
            told_apart += [argument.value for argument in measure.measure.arguments]
    _make_canonical(shuttle, source, width, [e for e in told_apart if not _is_canonical(shuttle, e)])


def _sides(shuttle: Shuttle, expression: Expression) -> list[Expression]:
    """What ``expression`` compares and could be a double that is not canonical."""
    sides: list[Expression] = []
    match expression.WhichOneof("rex_type"):
        case "scalar_function":
            call = expression.scalar_function
            if shuttle.function_name(call.function_reference) in _COMPARING:
                sides = [argument.value for argument in call.arguments]
        case "singular_or_list":
            sides = [expression.singular_or_list.value, *expression.singular_or_list.options]
        case "if_then":
            clauses = list(expression.if_then.ifs)
            if clauses and not clauses[0].HasField("then"):  # CASE x WHEN …: its first clause is x alone
                sides = [getattr(clause, "if") for clause in clauses]
    literals = {s.literal.WhichOneof("literal_type") for s in sides if s.WhichOneof("rex_type") == "literal"}
    if literals & _OTHERWISE:  # then none of them is a double
        return []
    return [side for side in sides if not _is_canonical(shuttle, side)]


def _is_canonical(shuttle: Shuttle, side: Expression) -> bool:
    if side.WhichOneof("rex_type") == "literal":
        return side.literal.WhichOneof("literal_type") not in ("fp32", "fp64") or side.literal.fp64 != 0.0
    if side.WhichOneof("rex_type") != "scalar_function":
        return False
    return shuttle.function_name(side.scalar_function.function_reference).startswith("con_canonical_")


def _make_canonical(shuttle: Shuttle, source: Rel, width: int, expressions: list[Expression]) -> None:
    if not expressions:
        return
    kinds = shuttle.schema_of(project(source, width, expressions), len(expressions)).types
    for expression, kind in zip(expressions, kinds, strict=True):
        if kind in _FLOATS:
            call = Expression()
            call.scalar_function.function_reference = shuttle.anchor(f"con_canonical_{SUFFIX_OF[kind]}")
            call.scalar_function.arguments.append(FunctionArgument(value=expression))
            expression.CopyFrom(call)
