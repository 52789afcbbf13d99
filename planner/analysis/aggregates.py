"""What Postgres refuses of an aggregate, and aggregates in the words of others.

first_value(x ORDER BY y)    the first element of array_agg(x ORDER BY y); last_value and nth_value alike
stddev(DISTINCT x)           sqrt(var_samp(DISTINCT x)), for DataFusion has no such stddev
avg(interval)                sum(interval) / count(interval)
"""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.errors import InvalidColumnReference, UndefinedFunction, WrongObjectType
from constellationdb.planner.analysis import forms, kinds
from constellationdb.planner.analysis.overloads import NO_FUNCTION
from constellationdb.planner.analysis.typed import Place, Typed, Walk
from constellationdb.planner.rewrite.tree import copied, last_name, parse_expression, to_sql

PLACED = frozenset({"first_value", "last_value", "nth_value"})
_VARIANCES = {"stddev": "var_samp", "stddev_samp": "var_samp", "stddev_pop": "var_pop"}
_OF_A_SET = frozenset({"approx_percentile_cont", "approx_percentile_cont_with_weight"})  # besides Postgres' own


def check(walk: Walk, node: Any, name: str, arguments: list[Typed], place: Place) -> None:
    """Of an aggregate whose arguments and clauses are analysed."""
    position = walk.at(node)
    if name == "count" and not arguments and not node.agg_star:
        raise WrongObjectType("count(*) must be used to call a parameterless aggregate function", position=position)
    if name == "count" and len(arguments) > 1:
        raise _missing(walk, node, name, arguments, NO_FUNCTION)
    if node.agg_within_group and name not in _OF_A_SET:
        given = [*arguments, *(walk.expression(sort.node, place) for sort in node.agg_order)]
        raise _missing(walk, node, name, given, f"The order stands beside the argument: {name}(… ORDER BY …).")
    for sort in node.agg_order or () if node.agg_distinct else ():
        if not any(_same(sort.node, argument.node) for argument in arguments):
            message = "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list"
            raise InvalidColumnReference(message, position=walk.at(sort.node))


def without_constant_order(node: Any) -> None:
    """In place: a number in the ORDER BY of an aggregate is a value like any, and no column's place to DataFusion."""
    node.agg_order = tuple(sort for sort in node.agg_order or () if not forms.is_constant(sort.node)) or None


def of_nothing(node: Any, name: str) -> None:
    """In place: count(NULL), which DataFusion's plans have no words for, as the count of no rows."""
    if name == "count" and not node.agg_star and len(node.args or ()) == 1 and forms.is_null(node.args[0]):
        node.args, node.agg_star, node.agg_distinct = None, True, False
        node.agg_filter = parse_expression("false")


def _missing(walk: Walk, node: Any, name: str, given: list[Typed], hint: str) -> UndefinedFunction:
    shown = ", ".join(str(argument.kind) for argument in given)
    return UndefinedFunction(f"function {name}({shown}) does not exist", hint=hint, position=walk.at(node))


def _same(sort: Any, argument: Any) -> bool:
    if isinstance(sort, ast.ColumnRef) and isinstance(argument, ast.ColumnRef):
        return bool(sort.fields[-1] == argument.fields[-1])
    return to_sql(sort) == to_sql(argument)


def placed(walk: Walk, node: Any, place: Place) -> Typed | None:
    """A value by its place in an order; None where it is none."""
    name = last_name(node)
    if name not in PLACED or node.over is not None or len(node.args or ()) != 1 + (name == "nth_value"):
        return None
    if not node.agg_order:
        raise WrongObjectType(
            f"window function {name} requires an OVER clause",
            hint=f"As an aggregate it needs an order: {name}(… ORDER BY …).",
            position=walk.at(node),
        )
    listed = copied(node)
    listed.funcname, listed.args = (ast.String(sval="array_agg"),), node.args[:1]
    values = walk.expression(listed, place)
    where = {"first_value": "1", "last_value": "-1"}.get(name) or to_sql(walk.expression(node.args[1], place).node)
    kind = kinds.element(values.kind) if values.kind is not None else None
    return Typed(parse_expression(f"array_element({to_sql(values.node)}, {where})"), kind)


def answered(node: Any, name: str, arguments: list[Typed]) -> Typed | None:
    """An aggregate that is others; None for one that stays."""
    if node.over is not None or len(arguments) != 1:
        return None
    if name in _VARIANCES and node.agg_distinct:
        return Typed(forms.call("sqrt", kinds.cast(_as(node, _VARIANCES[name]), kinds.DOUBLE)), kinds.DOUBLE)
    if name == "avg" and arguments[0].kind == kinds.INTERVAL:
        total, count = (to_sql(_as(node, other)) for other in ("sum", "count"))
        share = f"con_interval_divide({total}, CAST(nullif({count}, 0) AS double precision))"
        return Typed(parse_expression(share), kinds.INTERVAL)
    return None


def _as(node: Any, name: str) -> Any:
    made = copied(node)
    made.funcname = (ast.String(sval=name),)
    return made
