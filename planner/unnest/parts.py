"""Small pieces of queries, made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, BoolExprType, JoinType, LimitOption, SetOperation, SortByDir, SortByNulls

from constellationdb.planner.rewrite.tree import parse_expression
from constellationdb.planner.unnest.names import Reference, column


def target(value: Any, name: str) -> Any:
    return ast.ResTarget(name=name, val=value)


def query(targets: Sequence[Any], sources: Sequence[Any], where: Any = None) -> Any:
    return ast.SelectStmt(
        targetList=tuple(targets),
        fromClause=tuple(sources) or None,
        whereClause=where,
        op=SetOperation.SETOP_NONE,
        all=False,
        limitOption=LimitOption.LIMIT_OPTION_DEFAULT,
        groupDistinct=False,
    )


def union_all(left: Any, right: Any) -> Any:
    made = query((), ())
    made.targetList, made.op, made.all, made.larg, made.rarg = None, SetOperation.SETOP_UNION, True, left, right
    return made


def derived(select: Any, alias: str, columns: Sequence[str]) -> Any:
    names = tuple(ast.String(sval=name) for name in columns)
    return ast.RangeSubselect(lateral=False, subquery=select, alias=ast.Alias(aliasname=alias, colnames=names))


def joined(left: Any | None, right: Any, *, kind: JoinType = JoinType.JOIN_INNER, quals: Any = None) -> Any:
    """Without a condition a cross join."""
    if left is None:
        return right
    if quals is None and kind != JoinType.JOIN_INNER:
        quals = parse_expression("true")
    return ast.JoinExpr(jointype=kind, isNatural=False, larg=left, rarg=right, quals=quals, rtindex=0)


def folded(items: Any) -> Any | None:
    """The members of FROM as one."""
    made = None
    for item in items or ():
        made = joined(made, item)
    return made


def conjuncts(condition: Any) -> list[Any]:
    if condition is None:
        return []
    if isinstance(condition, ast.BoolExpr) and condition.boolop == BoolExprType.AND_EXPR:
        return [part for argument in condition.args for part in conjuncts(argument)]
    return [condition]


def conjunction(parts: Sequence[Any]) -> Any | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    return ast.BoolExpr(boolop=BoolExprType.AND_EXPR, args=tuple(parts))


def matches(alias: str, names: Sequence[str], sought: Sequence[Reference]) -> list[Any]:
    """That the columns ``names`` of ``alias`` are those ``sought``, NULL being like NULL."""
    return [
        ast.A_Expr(
            kind=A_Expr_Kind.AEXPR_NOT_DISTINCT,
            name=(ast.String(sval="="),),
            lexpr=column(alias, name),
            rexpr=column(*found),
        )
        for name, found in zip(names, sought, strict=True)
    ]


def is_not_null(node: Any) -> Any:
    from pglast.enums import NullTestType

    return ast.NullTest(arg=node, nulltesttype=NullTestType.IS_NOT_NULL, argisrow=False)


def call(name: str, *arguments: Any) -> Any:
    return ast.FuncCall(funcname=(ast.String(sval=name),), args=tuple(arguments))


def ascending(node: Any) -> Any:
    return ast.SortBy(node=node, sortby_dir=SortByDir.SORTBY_DEFAULT, sortby_nulls=SortByNulls.SORTBY_NULLS_DEFAULT)


def row_number(partition: Sequence[Any], order: Sequence[Any]) -> Any:
    return number("row_number", partition, order)


def number(function: str, partition: Sequence[Any], order: Sequence[Any]) -> Any:
    """row_number() or a rank."""
    made = parse_expression(f"{function}() OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)")
    made.over.partitionClause, made.over.orderClause = tuple(partition) or None, tuple(order) or None
    return made
