"""Numbers of output columns inside grouping sets, which DataFusion takes for constants."""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.errors import InvalidColumnReference
from constellationdb.planner.rewrite.tree import copied, nodes


def spell_set_places(tree: Any) -> None:
    """In place: ``GROUP BY ROLLUP (1)`` is that of the first output."""
    for select in nodes(tree):
        if isinstance(select, ast.SelectStmt):
            for key in select.groupClause or ():
                if isinstance(key, ast.GroupingSet):
                    _spell(key, select.targetList or ())


def _spell(node: Any, targets: Any) -> None:
    for name in ("content", "args"):
        members = getattr(node, name, None)
        if members:
            setattr(node, name, tuple(_spelled(member, targets) for member in members))


def _spelled(node: Any, targets: Any) -> Any:
    if isinstance(node, ast.GroupingSet | ast.RowExpr):
        _spell(node, targets)
    if not (isinstance(node, ast.A_Const) and isinstance(node.val, ast.Integer)):
        return node
    if not 1 <= node.val.ival <= len(targets):
        raise InvalidColumnReference(f"GROUP BY position {node.val.ival} is not in select list")
    return copied(targets[node.val.ival - 1].val)
