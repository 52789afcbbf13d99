"""Functions that return sets among the values that a query is grouped by: their rows are made before the groups.

SELECT unnest(t.tags) AS tag, count(*) FROM t GROUP BY tag

SELECT rows.c0 AS tag, count(*) FROM t, ROWS FROM (unnest(t.tags)) AS rows(c0) GROUP BY rows.c0
"""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.planner.analysis import set_functions
from constellationdb.planner.analysis.scope import Scope
from constellationdb.planner.rewrite.names import column_name, fresh
from constellationdb.planner.rewrite.tree import copied, own_nodes, replace, to_sql


def read_before_grouping(select: Any, scope: Scope) -> Any | None:
    """Changes ``select``, and gives the new item of its FROM; None when there is nothing to do."""
    if not select.groupClause or any(isinstance(node, ast.GroupingSet) for node in select.groupClause):
        return None
    grouped = [_meant(node, select, scope) for node in select.groupClause]
    calls = {to_sql(node): node for node in own_nodes(grouped) if set_functions.is_set(node)}
    if not calls:
        return None
    alias = fresh("rows")
    places = {text: i for i, text in enumerate(calls)}

    def column(node: Any) -> Any | None:
        place = places.get(to_sql(node)) if isinstance(node, ast.FuncCall) else None
        return None if place is None else ast.ColumnRef(fields=(_string(alias), _string(f"c{place}")))

    for target in select.targetList:
        name = column_name(target)
        changed = replace(copied(target.val), column)
        if name is not None and to_sql(changed) != to_sql(target.val):
            target.name, target.val = name, changed
    select.groupClause = tuple(replace(copied(node), column) for node in grouped)
    for sort in select.sortClause or ():
        sort.node = replace(sort.node, column)
    select.havingClause = replace(select.havingClause, column)
    columns = tuple(_string(f"c{i}") for i in places.values())
    item = ast.RangeFunction(
        lateral=False,
        ordinality=False,
        is_rowsfrom=True,
        functions=tuple((copied(call), None) for call in calls.values()),
        alias=ast.Alias(aliasname=alias, colnames=columns),
    )
    select.fromClause = (*(select.fromClause or ()), item)
    return item


def _meant(node: Any, select: Any, scope: Scope) -> Any:
    """What GROUP BY means by a number, or by the name of an output column that holds a call."""
    targets: Any = select.targetList or ()
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.Integer) and 1 <= node.val.ival <= len(targets):
        return targets[node.val.ival - 1].val
    bare = isinstance(node, ast.ColumnRef) and len(node.fields) == 1
    if bare and scope.visible is not None and scope.named(node.fields[0].sval) is None:
        for target in targets:
            if target.name == node.fields[0].sval and not isinstance(target.val, ast.ColumnRef):
                return target.val
    return node


def _string(text: str) -> Any:
    return ast.String(sval=text)
