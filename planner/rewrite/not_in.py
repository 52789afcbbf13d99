"""x NOT IN (SELECT …) in WHERE, said so that NULLs count.

It is true when the subquery is empty, or x is not NULL and the subquery holds
neither x nor a NULL. DataFusion plans it as a null-aware anti join, which does
not survive Substrait, so it becomes plain anti joins here.
"""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import BoolExprType, SubLinkType

from constellationdb.planner.rewrite.correlated import exists, is_correlated
from constellationdb.planner.rewrite.tree import parse_expression, replace, to_sql


def rewrite_not_in(tree: Any) -> Any:
    def change(node: Any) -> Any:
        if isinstance(node, ast.SelectStmt) and node.whereClause is not None:
            node.whereClause = _condition(node.whereClause)
        return None

    return replace(tree, change)


def _condition(node: Any) -> Any:
    """The WHERE condition with each top-level NOT IN rewritten."""
    if isinstance(node, ast.BoolExpr) and node.boolop == BoolExprType.AND_EXPR:
        node.args = tuple(_condition(part) for part in node.args)
        return node
    link = _not_in(node)
    return node if link is None else _exists_form(link)


def _not_in(node: Any) -> Any | None:
    if isinstance(node, ast.BoolExpr) and node.boolop == BoolExprType.NOT_EXPR:
        link = node.args[0]
        if isinstance(link, ast.SubLink) and link.subLinkType == SubLinkType.ANY_SUBLINK and not link.operName:
            return link
    return None


def _exists_form(link: Any) -> Any:
    if is_correlated(link.subselect):
        found = exists(link.testexpr, link.subselect, "({value} = {column}) IS NOT FALSE")
        return ast.BoolExpr(boolop=BoolExprType.NOT_EXPR, args=(found,))
    value, rows = f"({to_sql(link.testexpr)})", to_sql(link.subselect)
    return parse_expression(
        f"NOT EXISTS (SELECT 1 FROM ({rows}) AS __in(__v) WHERE __in.__v = {value})"
        f" AND (SELECT count(*) - count(__v) FROM ({rows}) AS __in(__v)) = 0"
        f" AND ({value} IS NOT NULL OR (SELECT count(*) FROM ({rows}) AS __in(__v)) = 0)"
    )
