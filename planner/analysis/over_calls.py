"""Calls with OVER in words that DataFusion's windows know.

sum(x) FILTER (WHERE c) OVER w    sum(CASE WHEN c THEN x END) OVER w, for all that leave NULLs out
lag(x, 1, y) OVER w               CASE WHEN lag(1, 1) OVER w IS NULL THEN y ELSE lag(x, 1) OVER w END, where y varies
lag(x, 1, 2.5) OVER w              the same, where y has another type
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pglast import ast

from constellationdb.errors import FeatureNotSupported, UndefinedFunction
from constellationdb.planner.analysis import calls, forms, kinds
from constellationdb.planner.analysis.kinds import UNKNOWN
from constellationdb.planner.analysis.overloads import NO_FUNCTION
from constellationdb.planner.analysis.typed import Typed, Walk
from constellationdb.planner.rewrite.tree import copied, nodes, parse_expression, to_sql

_KEEP_NULLS = frozenset({"array_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg"})


def filtered(walk: Walk, node: Any, name: str, arguments: list[Typed]) -> list[Typed]:
    """The arguments, with the FILTER of a call with OVER in the first of them."""
    if node.over is None or node.agg_filter is None:
        return arguments
    if not calls.is_aggregate(name):
        message = "FILTER is not implemented for non-aggregate window functions"
        raise FeatureNotSupported(message, position=walk.at(node))
    if name in _KEEP_NULLS or name.startswith(calls.USER_AGGREGATE):
        raise FeatureNotSupported(f"FILTER of {name}() with OVER is not supported", position=walk.at(node))
    value = "1" if node.agg_star else to_sql(arguments[0].node)
    first = parse_expression(f"CASE WHEN {to_sql(node.agg_filter)} THEN {value} END")
    made = [replace(arguments[0], node=first) if arguments else Typed(first, kinds.INTEGER), *arguments[1:]]
    node.agg_filter, node.agg_star, node.args = None, False, tuple(argument.node for argument in made)
    return made


def with_default(walk: Walk, node: Any, name: str, arguments: list[Typed]) -> Typed | None:
    """lag and lead with a default that is not a constant of the value's type; None for anything else."""
    if node.over is None or name not in ("lag", "lead"):
        return None
    if len(arguments) > 1 and any(isinstance(part, ast.ColumnRef | ast.SubLink) for part in nodes(arguments[1].node)):
        message = f"{name} with a distance that is not the same for all rows is not supported"
        raise FeatureNotSupported(message, position=walk.at(node))
    if len(arguments) != 3:
        return None
    value, _, default = arguments
    if _is_constant(default.node) and default.kind in (None, UNKNOWN, value.kind):
        return None
    if kinds.clash([value.kind, default.kind]) is not None:
        shown = ", ".join(str(argument.kind) for argument in arguments)
        raise UndefinedFunction(f"function {name}({shown}) does not exist", hint=NO_FUNCTION, position=walk.at(node))
    there, given = copied(node), copied(node)
    there.args, given.args = (forms.integer(1), node.args[1]), node.args[:2]
    text = f"CASE WHEN {to_sql(there)} IS NULL THEN {to_sql(default.node)} ELSE {to_sql(given)} END"
    return Typed(parse_expression(text), kinds.unify([value.kind, default.kind]))


def _is_constant(node: Any) -> bool:
    while isinstance(node, ast.TypeCast):
        node = node.arg
    return isinstance(node, ast.A_Const)
