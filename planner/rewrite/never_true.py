"""Conditions that are true of no row: FALSE, and not NULL or what DataFusion makes of it.

It writes ``NOT (x = x)`` as ``x IS NULL AND NULL``, takes that apart, and moves the
NULL below whatever is read: below an aggregate, whose row of everything stays.
"""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, BoolExprType, NullTestType

from constellationdb.planner.rewrite.tree import last_name, nodes, parse_expression, to_sql

_UNEQUAL, _EQUAL = frozenset({"<>", "!=", "<", ">"}), frozenset({"=", "<=", ">="})
_PURE = frozenset({"count", "sum", "min", "max", "avg"})


def settle_conditions(tree: Any) -> None:
    """In place, in WHERE, HAVING and ON."""
    for node in nodes(tree):
        match node:
            case ast.SelectStmt():
                node.whereClause, node.havingClause = _settled(node.whereClause), _settled(node.havingClause)
            case ast.JoinExpr():
                node.quals = _settled(node.quals)


def _settled(condition: Any) -> Any:
    """The same where it is a condition: there NULL is as good as false."""
    match condition:
        case ast.BoolExpr(boolop=BoolExprType.AND_EXPR | BoolExprType.OR_EXPR):
            condition.args = tuple(map(_settled, condition.args))
        case ast.BoolExpr(boolop=BoolExprType.NOT_EXPR):
            compared = _compared(condition.args[0])
            if compared is not None:
                return _answer(condition.args[0], compared in _EQUAL)
        case ast.A_Const(isnull=True):
            return parse_expression("false")
        case _:
            compared = _compared(condition)
            if compared is not None:
                return _answer(condition, compared in _UNEQUAL)
    return condition


def _answer(comparison: Any, never: bool) -> Any:
    if never or _is_null(comparison.lexpr) or _is_null(comparison.rexpr):
        return parse_expression("false")
    return ast.NullTest(arg=comparison.lexpr, nulltesttype=NullTestType.IS_NOT_NULL, argisrow=False, location=-1)


def _compared(node: Any) -> str | None:
    """The operator of a comparison of a value with itself, or with NULL."""
    if not isinstance(node, ast.A_Expr) or node.kind != A_Expr_Kind.AEXPR_OP or node.lexpr is None:
        return None
    name = node.name[-1].sval
    if name not in _UNEQUAL | _EQUAL or any(isinstance(side, ast.RowExpr) for side in (node.lexpr, node.rexpr)):
        return None
    if _is_null(node.lexpr) or _is_null(node.rexpr):
        return str(name)
    return str(name) if to_sql(node.lexpr) == to_sql(node.rexpr) and _is_pure(node.lexpr) else None


def _is_null(node: Any) -> bool:
    while isinstance(node, ast.TypeCast):
        node = node.arg
    return isinstance(node, ast.A_Const) and bool(node.isnull)


def _is_pure(node: Any) -> bool:
    """Columns and their aggregates: they are the same each time, and cannot fail."""
    if isinstance(node, ast.FuncCall):
        return node.over is None and last_name(node) in _PURE
    return isinstance(node, ast.ColumnRef)
