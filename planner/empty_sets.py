"""GROUP BY (), which DataFusion does not know: the empty set beside other keys is nothing, alone it is one group."""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import GroupingSetKind

from constellationdb.planner.analysis.calls import is_aggregate
from constellationdb.planner.rewrite.tree import last_name, nodes


def drop_empty_sets(tree: Any) -> None:
    """In place, in every SELECT."""
    for select in nodes(tree):
        if not isinstance(select, ast.SelectStmt) or not select.groupClause:
            continue
        kept = tuple(key for key in select.groupClause if not _is_empty(key))
        if kept or any(_is_aggregate(node) for node in nodes((select.targetList, select.havingClause))):
            select.groupClause = kept or None


def _is_empty(key: Any) -> bool:
    return isinstance(key, ast.GroupingSet) and key.kind == GroupingSetKind.GROUPING_SET_EMPTY


def _is_aggregate(node: Any) -> bool:
    return isinstance(node, ast.FuncCall) and node.over is None and is_aggregate(last_name(node))
