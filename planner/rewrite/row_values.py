"""Comparisons of rows as comparisons of their fields: DataFusion's structs know no NULL inside.

(a, b) = (1, x)        a = 1 AND b = x                    NULL where a field decides nothing
(a, b) < (1, x)        a < 1 OR (a = 1 AND b < x)
(a, b) IN ((1, x), …)  (a = 1 AND b = x) OR …
(a, b) IS NULL         a IS NULL AND b IS NULL
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, BoolExprType

from constellationdb.errors import FeatureNotSupported, SqlSyntaxError
from constellationdb.planner.rewrite.tree import copied, replace

_DISTINCT = {A_Expr_Kind.AEXPR_DISTINCT: BoolExprType.OR_EXPR, A_Expr_Kind.AEXPR_NOT_DISTINCT: BoolExprType.AND_EXPR}
_ORDERED = frozenset({"<", "<=", ">", ">="})


def expand_rows(tree: Any) -> Any:
    return replace(tree, _expand)


def _expand(node: Any) -> Any | None:
    match node:
        case ast.A_Expr() if isinstance(node.lexpr, ast.RowExpr):
            return _comparison(node)
        case ast.NullTest() if isinstance(node.arg, ast.RowExpr):
            return _join(BoolExprType.AND_EXPR, [_null_test(node, field) for field in node.arg.args or ()])
        case _:
            return None


def _null_test(node: Any, field: Any) -> Any:
    return ast.NullTest(arg=field, nulltesttype=node.nulltesttype, argisrow=False, location=node.location)


def _comparison(node: Any) -> Any | None:
    operator = node.name[-1].sval
    if node.kind == A_Expr_Kind.AEXPR_IN:
        if not all(isinstance(member, ast.RowExpr) for member in node.rexpr):
            return None
        equal = [_equal(node, node.lexpr, member) for member in node.rexpr]
        found = _join(BoolExprType.OR_EXPR, equal)
        return _not(found) if operator == "<>" else found
    if not isinstance(node.rexpr, ast.RowExpr):
        return None
    if node.kind in _DISTINCT:
        pairs = _pairs(node, node.lexpr, node.rexpr)
        return _join(_DISTINCT[node.kind], [_compare(node, operator, *pair, kind=node.kind) for pair in pairs])
    if node.kind != A_Expr_Kind.AEXPR_OP:
        return None
    if operator == "=":
        return _equal(node, node.lexpr, node.rexpr)
    if operator == "<>":
        return _not(_equal(node, node.lexpr, node.rexpr))
    return _ordered(node, operator, _pairs(node, node.lexpr, node.rexpr)) if operator in _ORDERED else None


def _ordered(node: Any, operator: str, pairs: Sequence[tuple[Any, Any]]) -> Any:
    """The first fields that differ decide; the last ones may be equal where the operator says so."""
    if len(pairs) == 1:
        return _compare(node, operator, *pairs[0])
    first = _compare(node, operator[0], *pairs[0])
    rest = [_compare(node, "=", *pairs[0]), _ordered(node, operator, pairs[1:])]
    return _join(BoolExprType.OR_EXPR, [first, _join(BoolExprType.AND_EXPR, rest)])


def _equal(node: Any, left: Any, right: Any) -> Any:
    return _join(BoolExprType.AND_EXPR, [_compare(node, "=", *pair) for pair in _pairs(node, left, right)])


def _pairs(node: Any, left: Any, right: Any) -> list[tuple[Any, Any]]:
    position = node.location + 1
    if not isinstance(right, ast.RowExpr):
        raise FeatureNotSupported("a row can only be compared with a row", position=position)
    mine, others = left.args or (), right.args or ()
    if len(mine) != len(others):
        raise SqlSyntaxError("unequal number of entries in row expressions", position=position)
    return list(zip(mine, others, strict=True))


def _compare(node: Any, operator: str, left: Any, right: Any, kind: A_Expr_Kind = A_Expr_Kind.AEXPR_OP) -> Any:
    # Copies: what is written once is said more than once, and the analysis changes it in place.
    sides = {"lexpr": copied(left), "rexpr": copied(right)}
    return ast.A_Expr(kind=kind, name=(ast.String(sval=operator),), location=node.location, **sides)


def _join(operator: BoolExprType, terms: Sequence[Any]) -> Any:
    return terms[0] if len(terms) == 1 else ast.BoolExpr(boolop=operator, args=tuple(terms))


def _not(term: Any) -> Any:
    return ast.BoolExpr(boolop=BoolExprType.NOT_EXPR, args=(term,))
