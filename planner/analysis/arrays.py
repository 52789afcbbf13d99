"""``x = ANY (array)`` and ``x <> ALL (array)`` over an array of constants: IN and NOT IN, or one test for each element.

The array is written ARRAY[1, 2], '{1,2}'::int[] or, as a parameter is, just '{1,2}'.
"""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, BoolExprType

from constellationdb.catalog.text.array_literals import array_elements
from constellationdb.planner.analysis import kinds
from constellationdb.planner.analysis.texts import at
from constellationdb.planner.rewrite.tree import copied

_MEMBERSHIP = {(A_Expr_Kind.AEXPR_OP_ANY, "="): "=", (A_Expr_Kind.AEXPR_OP_ALL, "<>"): "<>"}


def expanded(node: Any, position: int | None) -> Any | None:
    """The comparison without its array; None when that is no array of constants."""
    if _is_null(node.rexpr):
        return kinds.cast(ast.A_Const(isnull=True), kinds.BOOLEAN)
    elements = _elements(node.rexpr, position)
    if elements is None:
        return None
    some = node.kind == A_Expr_Kind.AEXPR_OP_ANY
    if not elements:
        return ast.A_Const(isnull=False, val=ast.Boolean(boolval=not some))
    word = _MEMBERSHIP.get((node.kind, node.name[-1].sval))
    if word is not None:
        name = (ast.String(sval=word),)
        return ast.A_Expr(
            kind=A_Expr_Kind.AEXPR_IN, name=name, lexpr=node.lexpr, rexpr=tuple(elements), location=node.location
        )
    tests = tuple(
        ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP, name=node.name, lexpr=copied(node.lexpr), rexpr=e, location=node.location)
        for e in elements
    )
    joined = BoolExprType.OR_EXPR if some else BoolExprType.AND_EXPR
    return tests[0] if len(tests) == 1 else ast.BoolExpr(boolop=joined, args=tests)


def _elements(node: Any, position: int | None) -> list[Any] | None:
    match node:
        case ast.A_ArrayExpr():
            return list(node.elements or ())
        case ast.A_Const() if isinstance(node.val, ast.String):
            with at(position):
                return [_constant(text) for text in array_elements(node.val.sval)]
        case ast.TypeCast() if node.typeName.arrayBounds:
            elements = _elements(node.arg, position)
            return None if elements is None else [_cast(element, node) for element in elements]
        case _:
            return None


def _is_null(node: Any) -> bool:
    while isinstance(node, ast.TypeCast):
        node = node.arg
    return isinstance(node, ast.A_Const) and bool(node.isnull)


def _cast(element: Any, cast: Any) -> Any:
    name = copied(cast.typeName)
    name.arrayBounds = None
    return ast.TypeCast(arg=element, typeName=name, location=cast.location)


def _constant(text: str | None) -> Any:
    return ast.A_Const(isnull=True) if text is None else ast.A_Const(isnull=False, val=ast.String(sval=text))
