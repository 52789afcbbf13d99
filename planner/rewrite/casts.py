"""Casts that DataFusion would take for one another: it names ``sum(x::text)`` and ``sum(x)`` alike, and refuses both.

Where a query casts a column and also shows it, or casts it to another type, the cast is
put into as many coalesce() of one argument as it takes to tell the names apart.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from pglast import ast

from constellationdb.planner.rewrite.tree import nodes, replace, strings, to_sql

_CLAUSES = ("targetList", "groupClause", "havingClause", "sortClause")


def tell_casts_apart(tree: Any) -> Any:
    def change(node: Any) -> Any:
        if isinstance(node, ast.SelectStmt) and _groups(node):
            _tell_apart(node)
        return None

    return replace(tree, change)


def _groups(select: Any) -> bool:
    return bool(select.groupClause) or any(isinstance(node, ast.FuncCall) for node in nodes(select.targetList))


def _tell_apart(select: Any) -> None:
    clauses = [getattr(select, name) for name in _CLAUSES]
    casts = [node for node in nodes(clauses) if isinstance(node, ast.TypeCast) and isinstance(node.arg, ast.ColumnRef)]
    types: dict[str, list[str]] = defaultdict(list)
    inside = {id(cast.arg) for cast in casts}
    shown = {_name(node) for node in nodes(clauses) if isinstance(node, ast.ColumnRef) and id(node) not in inside}
    for cast in casts:
        known, name = types[_name(cast.arg)], to_sql(cast.typeName)
        if name not in known:
            known.append(name)

    def wrapped(node: Any) -> Any:
        if not isinstance(node, ast.TypeCast) or not isinstance(node.arg, ast.ColumnRef):
            return None
        column = _name(node.arg)
        for _ in range(types[column].index(to_sql(node.typeName)) + (column in shown)):
            node = ast.CoalesceExpr(args=(node,))
        return node

    for name in _CLAUSES:
        setattr(select, name, replace(getattr(select, name), wrapped))


def _name(column: Any) -> str:
    return strings(column)[-1] if strings(column) else "*"
