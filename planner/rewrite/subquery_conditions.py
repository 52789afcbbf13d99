"""IN, ANY and ALL over subqueries as conditions, said so that NULLs count.

DataFusion makes of ``x IN (SELECT …)`` a column that is true or false, never NULL, and its
null-aware anti join for NOT IN does not survive Substrait. That is right where false and NULL are
the same: in a condition, under AND and OR. So NOT is pushed down to where it can be said otherwise:

    x IN (…)            as it is
    NOT x IN (…)        no row equals x, and none of them, nor x, is NULL
    x op ANY (…)        EXISTS a row for which it is true
    x op ALL (…)        no row for which it is not true

Where NULL would be told from false (``(x IN (…)) IS NULL``, an operand) such a subquery is refused.
"""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import BoolExprType, BoolTestType, JoinType, SubLinkType

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.rewrite.correlated import exists, is_correlated
from constellationdb.planner.rewrite.tree import nodes, parse_expression, replace, to_sql

_COMPARISONS = frozenset({"=", "<>", "!=", "<", "<=", ">", ">="})
_QUANTIFIED = (SubLinkType.ANY_SUBLINK, SubLinkType.ALL_SUBLINK)
_NOT = {
    BoolTestType.IS_TRUE: BoolTestType.IS_NOT_TRUE, BoolTestType.IS_NOT_TRUE: BoolTestType.IS_TRUE,
    BoolTestType.IS_FALSE: BoolTestType.IS_NOT_FALSE, BoolTestType.IS_NOT_FALSE: BoolTestType.IS_FALSE,
}  # fmt: skip


def rewrite_conditions(tree: Any) -> Any:
    """Every WHERE, HAVING, FILTER and ON of ``tree``; an error where such a subquery stands in none of them."""

    def change(node: Any) -> Any:
        match node:
            case ast.SelectStmt():
                node.whereClause = _condition(node.whereClause)
                node.havingClause = _having(node.havingClause)
                for clause in (node.targetList, node.groupClause, node.sortClause):
                    _value(clause)
            case ast.JoinExpr() if node.jointype == JoinType.JOIN_INNER:
                node.quals = _condition(node.quals)
            case ast.FuncCall():
                node.agg_filter = _condition(node.agg_filter)
            case ast.JoinExpr():
                _value(node.quals)
        return None

    return replace(tree, change)


def _condition(node: Any) -> Any:
    return node if node is None or not _mentions(node) else _true(node)


def _having(node: Any) -> Any:
    """A HAVING; what its subqueries are compared with cannot go inside them, where an aggregate would be theirs."""
    called = [link for link in nodes(node) if _is_quantified(link) and _has_calls(link.testexpr)]
    changed = _condition(node)
    kept = {id(link) for link in nodes(changed)}
    if any(id(link) not in kept for link in called):
        raise FeatureNotSupported(
            "a function before NOT IN, ANY or ALL (SELECT …) is not supported in HAVING",
            hint="compute it in a subquery in FROM, and compare in the WHERE around it",
        )
    return changed


def _is_quantified(node: Any) -> bool:
    return isinstance(node, ast.SubLink) and node.subLinkType in _QUANTIFIED


def _has_calls(value: Any) -> bool:
    return any(isinstance(node, ast.FuncCall) for node in nodes(value))


def _mentions(node: Any) -> bool:
    """Whether an IN, ANY or ALL stands in ``node`` itself, not in a query inside it."""
    if isinstance(node, tuple | list):
        return any(_mentions(member) for member in node)
    if not isinstance(node, ast.Node) or isinstance(node, ast.SelectStmt):
        return False
    return _is_quantified(node) or any(_mentions(getattr(node, name)) for name in node)


def _true(node: Any) -> Any:
    """What is true exactly where ``node`` is; false or NULL elsewhere."""
    if not _mentions(node):
        return node
    match node:
        case ast.BoolExpr(boolop=BoolExprType.NOT_EXPR):
            return _false(node.args[0])
        case ast.BoolExpr():
            return _joined(node.boolop, [_true(part) for part in node.args])
        case ast.BooleanTest(booltesttype=BoolTestType.IS_TRUE):
            return _true(node.arg)
        case ast.BooleanTest(booltesttype=BoolTestType.IS_FALSE):
            return _false(node.arg)
        case ast.BooleanTest(booltesttype=BoolTestType.IS_NOT_TRUE):
            return _is_not_true(_true(node.arg))
        case ast.BooleanTest(booltesttype=BoolTestType.IS_NOT_FALSE):
            return _is_not_true(_false(node.arg))
        case ast.CaseExpr(arg=None):
            for when in node.args:
                when.expr, when.result = _true(when.expr), _true(when.result)
            node.defresult = None if node.defresult is None else _true(node.defresult)
            return node
        case ast.SubLink():
            return _found(node)
    return _value(node)


def _false(node: Any) -> Any:
    """What is true exactly where ``node`` is false."""
    if not _mentions(node):
        return _not(node)
    match node:
        case ast.BoolExpr(boolop=BoolExprType.NOT_EXPR):
            return _true(node.args[0])
        case ast.BoolExpr():
            other = BoolExprType.OR_EXPR if node.boolop == BoolExprType.AND_EXPR else BoolExprType.AND_EXPR
            return _joined(other, [_false(part) for part in node.args])
        case ast.BooleanTest() if node.booltesttype in _NOT:
            node.booltesttype = _NOT[node.booltesttype]
            return _true(node)
        case ast.SubLink():
            return _missed(node)
    return _not(_value(node))


def _value(node: Any) -> Any:
    if _mentions(node):
        raise FeatureNotSupported(
            "IN, ANY and ALL over a subquery are supported only in conditions joined by AND, OR and NOT",
            hint="write EXISTS, or compare with a scalar subquery",
        )
    return node


def _found(link: Any) -> Any:
    """``x op ANY`` or ``x op ALL`` is true."""
    operator = _operator(link)
    if link.subLinkType == SubLinkType.ANY_SUBLINK:
        if operator == "=":
            link.operName = None
            return link
        return _exists(link, f"{{value}} {operator} {{column}}")
    return _not(_exists(link, f"({{value}} {operator} {{column}}) IS NOT TRUE"))


def _missed(link: Any) -> Any:
    """``x op ANY`` or ``x op ALL`` is false."""
    operator = _operator(link)
    if link.subLinkType == SubLinkType.ALL_SUBLINK:
        return _exists(link, f"({{value}} {operator} {{column}}) IS FALSE")
    if operator != "=" or isinstance(link.testexpr, ast.RowExpr) or is_correlated(link.subselect):
        return _not(_exists(link, f"({{value}} {operator} {{column}}) IS NOT FALSE"))
    # By key: an anti join without a residual. What is said of all rows seldom changes, and only then touches every row.
    value, rows = f"({to_sql(link.testexpr)})", to_sql(link.subselect)
    return parse_expression(
        f"NOT EXISTS (SELECT 1 FROM ({rows}) AS __in(__v) WHERE __in.__v = {value})"
        f" AND (SELECT count(*) - count(__v) = 0 FROM ({rows}) AS __in(__v))"
        f" AND ({value} IS NOT NULL OR (SELECT count(*) = 0 FROM ({rows}) AS __in(__v)))"
    )


def _exists(link: Any, test: str) -> Any:
    """EXISTS a row for which ``test`` is true."""
    if is_correlated(link.subselect):
        return exists(link.testexpr, link.subselect, test)
    condition = test.format(value=f"({to_sql(link.testexpr)})", column="__some.__v")
    return parse_expression(f"EXISTS (SELECT 1 FROM ({to_sql(link.subselect)}) AS __some(__v) WHERE {condition})")


def _operator(link: Any) -> str:
    """The comparison of a quantified subquery; IN has none written."""
    operator = "=" if not link.operName else str(link.operName[-1].sval)
    if operator not in _COMPARISONS:
        raise FeatureNotSupported(f"{operator} before ANY or ALL (SELECT …) is not supported")
    return operator


def _not(node: Any) -> Any:
    return ast.BoolExpr(boolop=BoolExprType.NOT_EXPR, args=(node,))


def _is_not_true(node: Any) -> Any:
    return ast.BooleanTest(arg=node, booltesttype=BoolTestType.IS_NOT_TRUE)


def _joined(operator: Any, parts: list[Any]) -> Any:
    return ast.BoolExpr(boolop=operator, args=tuple(parts))
