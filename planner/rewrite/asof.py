"""Joins in time in the parse tree: ASOF JOIN, and FOR SYSTEM_TIME AS OF an event time, which is one, too.

    t JOIN q       ON t.k = q.k AND t.ts >= q.ts                 before the types are known
    t LEFT JOIN q  ON con_asof_inner(t.ts >= q.ts, t.k = q.k)    after: what DataFusion plans

The call is opaque, and a LEFT JOIN keeps the optimizer from moving conditions
on the right side below it, where they would change which row is the closest.
``join.rtindex``, which nothing else uses, says between the steps what a join is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, BoolExprType, JoinType

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.rewrite.tree import last_name, nodes
from constellationdb.planner.statements import AsofClause

ORDERS = frozenset({">=", ">", "<=", "<"})
_KINDS = {1: "con_asof_inner", 2: "con_asof_left", 3: "con_asof_inner_nearest", 4: "con_asof_left_nearest"}
_NEAREST = 2
_HINT = "write ON l.key = r.key AND l.ts >= r.ts"


def mark_asof_joins(tree: Any, clauses: tuple[AsofClause, ...], offset: int) -> None:
    """Mark the join of each clause, and divide its condition into the order of times and the keys."""
    joins = [(begin, join) for join in nodes(tree) if (begin := _condition_begins(join)) is not None]
    for clause in clauses:
        found = min((j for j in joins if j[0] > clause.condition_position), key=lambda j: j[0], default=None)
        if found is None:  # never said as another join than it is
            raise FeatureNotSupported("an ASOF JOIN is not supported here", position=clause.position + 1)
        mark(found[1], list(_conjuncts(found[1].quals)), clause.position + 1, offset, conditions=True)


def mark(join: Any, parts: list[Any], position: int, offset: int, *, conditions: bool = False) -> None:
    """Make ``join`` an ASOF join on these conjuncts: one order of times, equalities, and conditions if they may be."""
    if join.jointype not in (JoinType.JOIN_INNER, JoinType.JOIN_LEFT) or isinstance(join.rarg, ast.JoinExpr):
        raise FeatureNotSupported(
            "the right side of an ASOF JOIN must be one relation or subquery",
            hint="put the inner join into a subquery",
            position=position,
        )
    orders = [part for part in parts if _is_order(part)]
    if conditions and len(orders) > 1:
        orders = [part for part in orders if _is_of_columns(part)] or orders
    keys = [part for part in parts if all(part is not order for order in orders)]
    if len(orders) != 1:
        raise FeatureNotSupported(
            "an ASOF JOIN needs exactly one comparison of times by >=, >, <= or <",
            hint=_HINT,
            position=position if len(orders) < 2 else _position(orders[1], offset) or position,
        )
    for key in keys:
        if not _is_equality(key) and not (conditions and not any(isinstance(n, ast.SubLink) for n in nodes(key))):
            raise FeatureNotSupported(
                "besides its comparison of times an ASOF JOIN can only compare for equality",
                hint="put other conditions into WHERE, or into a subquery of the right side",
                position=_position(key, offset) or position,
            )
    nearest = _nearest(orders[0])
    whole = keys[0] if len(keys) == 1 else _all(keys) if keys else _true()
    join.quals = _all([nearest or orders[0], whole])
    join.rtindex = 1 + (join.jointype == JoinType.JOIN_LEFT) + (_NEAREST if nearest is not None else 0)


def call_asof_joins(tree: Any) -> None:
    """The marked joins, whose conditions have been analysed, as calls that DataFusion plans."""
    for join in nodes(tree):
        if isinstance(join, ast.JoinExpr) and join.rtindex in _KINDS:
            order, keys = join.quals.args
            name = (ast.String(sval=_KINDS[join.rtindex]),)
            join.quals = ast.FuncCall(funcname=name, args=(order, keys))
            join.jointype, join.rtindex = JoinType.JOIN_LEFT, 0


def _conjuncts(node: Any) -> Iterator[Any]:
    if isinstance(node, ast.BoolExpr) and node.boolop == BoolExprType.AND_EXPR:
        for part in node.args:
            yield from _conjuncts(part)
    else:
        yield node


def conjuncts(node: Any) -> list[Any]:
    """The parts of an AND, flattened."""
    return [] if node is None else list(_conjuncts(node))


def _is_order(node: Any) -> bool:
    if isinstance(node, ast.FuncCall):
        return last_name(node) == "nearest" and len(node.args or ()) == 2
    return is_operator(node, ORDERS)


def _is_of_columns(node: Any) -> bool:
    """Whether both that are compared are more than constants."""
    sides = node.args if isinstance(node, ast.FuncCall) else (node.lexpr, node.rexpr)
    return all(any(isinstance(part, ast.ColumnRef) for part in nodes(side)) for side in sides)


def is_operator(node: Any, names: frozenset[str]) -> bool:
    return isinstance(node, ast.A_Expr) and node.kind == A_Expr_Kind.AEXPR_OP and node.name[-1].sval in names


def _is_equality(node: Any) -> bool:
    same = isinstance(node, ast.A_Expr) and node.kind == A_Expr_Kind.AEXPR_NOT_DISTINCT
    return same or is_operator(node, frozenset({"="}))


def _nearest(node: Any) -> Any | None:
    """NEAREST(a, b) is typed as a >= b is."""
    return order(node.args[0], node.args[1], node.location) if isinstance(node, ast.FuncCall) else None


def order(left: Any, right: Any, location: int) -> Any:
    """left >= right."""
    name = (ast.String(sval=">="),)
    return ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP, name=name, lexpr=left, rexpr=right, location=location)


def _all(parts: list[Any]) -> Any:
    return ast.BoolExpr(boolop=BoolExprType.AND_EXPR, args=tuple(parts), location=-1)


def _true() -> Any:
    return ast.A_Const(isnull=False, val=ast.Boolean(boolval=True))


def _condition_begins(join: Any) -> int | None:
    """Where the condition of a join begins in the text: at the first of its parts."""
    if not isinstance(join, ast.JoinExpr) or join.quals is None:
        return None
    return min((at for part in nodes(join.quals) if (at := _location(part)) is not None), default=None)


def _location(node: Any) -> int | None:
    location = getattr(node, "location", None)
    return None if location is None or location < 0 else location


def _position(node: Any, offset: int) -> int | None:
    location = _location(node)
    return None if location is None else location + offset + 1
