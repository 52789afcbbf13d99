"""Expressions as Postgres prints the ones it keeps: with every bracket, or ``pretty`` with those that matter."""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, BoolExprType, NullTestType

from constellationdb.planner.rewrite.tree import last_name, parse_expression, to_sql

_WORDS = {BoolExprType.AND_EXPR: " AND ", BoolExprType.OR_EXPR: " OR "}


def printed(text: str, *, pretty: bool = False) -> str:
    node = parse_expression(text)
    if isinstance(getattr(node, "val", None), ast.Boolean):
        return text.lower()
    return to_sql(node) if pretty else _whole(node)


def _whole(node: Any) -> str:
    match node:
        case ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP) if len(node.name) == 1:
            operator = node.name[-1].sval
            left = "" if node.lexpr is None else f"{_whole(node.lexpr)} "
            shown = "<>" if operator == "!=" else operator
            return f"({left}{shown} {_whole(node.rexpr)})"
        case ast.BoolExpr(boolop=BoolExprType.NOT_EXPR):
            return f"(NOT {_whole(node.args[0])})"
        case ast.BoolExpr():
            return f"({_WORDS[node.boolop].join(map(_whole, node.args))})"
        case ast.NullTest():
            word = "IS NULL" if node.nulltesttype == NullTestType.IS_NULL else "IS NOT NULL"
            return f"({_whole(node.arg)} {word})"
        case ast.FuncCall() if node.over is None and len(node.funcname) == 1 and not _is_special(node):
            return f"{last_name(node)}({', '.join(map(_whole, node.args or ()))})"
        case _:
            return to_sql(node)


def _is_special(call: Any) -> bool:
    """Whether there is more to a call than its arguments."""
    return bool(call.agg_star or call.agg_distinct or call.agg_order or call.agg_filter or call.func_variadic)
