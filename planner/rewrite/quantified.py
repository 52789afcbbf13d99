"""x op ANY (SELECT …) and x op ALL (SELECT …) in WHERE as EXISTS and NOT EXISTS, which DataFusion plans right.

``= ANY`` is IN anywhere. ANY is true when the comparison is true for some row;
ALL when for none it is false or unknown. Only as conditions of WHERE, where
false and unknown are the same; elsewhere DataFusion has no plan for them.
"""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import BoolExprType, SubLinkType

from constellationdb.planner.rewrite.correlated import exists, is_correlated
from constellationdb.planner.rewrite.tree import parse_expression, replace, to_sql

_COMPARISONS = frozenset({"=", "<>", "!=", "<", "<=", ">", ">="})


def rewrite_quantified(tree: Any) -> Any:
    def change(node: Any) -> Any:
        if isinstance(node, ast.SubLink) and node.subLinkType == SubLinkType.ANY_SUBLINK and _operator(node) == "=":
            node.operName = None
        elif isinstance(node, ast.SelectStmt) and node.whereClause is not None:
            node.whereClause = _condition(node.whereClause)
        return None

    return replace(tree, change)


def _condition(node: Any) -> Any:
    if isinstance(node, ast.BoolExpr) and node.boolop == BoolExprType.AND_EXPR:
        node.args = tuple(_condition(part) for part in node.args)
        return node
    if not isinstance(node, ast.SubLink) or _operator(node) not in _COMPARISONS:
        return node
    operator, correlated = _operator(node), is_correlated(node.subselect)
    if correlated and node.subLinkType == SubLinkType.ANY_SUBLINK:
        return exists(node.testexpr, node.subselect, f"{{value}} {operator} {{column}}")
    if correlated and node.subLinkType == SubLinkType.ALL_SUBLINK:
        found = exists(node.testexpr, node.subselect, f"({{value}} {operator} {{column}}) IS NOT TRUE")
        return ast.BoolExpr(boolop=BoolExprType.NOT_EXPR, args=(found,))
    value, rows = to_sql(node.testexpr), to_sql(node.subselect)
    if node.subLinkType == SubLinkType.ANY_SUBLINK:
        return parse_expression(f"EXISTS (SELECT 1 FROM ({rows}) AS __any(__v) WHERE ({value}) {operator} __any.__v)")
    if node.subLinkType == SubLinkType.ALL_SUBLINK:
        return parse_expression(
            f"NOT EXISTS (SELECT 1 FROM ({rows}) AS __all(__v) WHERE (({value}) {operator} __all.__v) IS NOT TRUE)"
        )
    return node


def _operator(link: Any) -> str | None:
    """The operator of a quantified comparison; None for IN, EXISTS and scalar subqueries."""
    return None if not link.operName else str(link.operName[-1].sval)
