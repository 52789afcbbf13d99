"""Rows of a function that returns sets, beside columns that were unique before.

DataFusion 55 takes a column that is unique in what ``unnest`` reads to be so in what it gives, too: it groups by that
column alone, and forgets the others. So what ``unnest`` reads of groups passes an expression that might be anything.
"""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.planner.rewrite.names import column_name, fresh
from constellationdb.planner.rewrite.tree import last_name, nodes, own_nodes, parse_expression, parse_query

HIDDEN = "CASE WHEN random() < 2 THEN {} END"  # always the value, and nobody knows


def kept_apart(tree: Any) -> Any:
    """In place; of the views that ``tree`` reads this has to be said where they are defined."""
    read = read_by_unnest(tree)
    for item in _items(tree):
        if isinstance(item, ast.RangeSubselect) and _makes_unique(item.subquery):
            item.subquery = _hidden(item.subquery) or item.subquery
    for cte in [node for node in nodes(tree) if isinstance(node, ast.CommonTableExpr)]:
        if cte.ctename in read and _makes_unique(cte.ctequery):
            cte.ctequery = _hidden(cte.ctequery) or cte.ctequery
    return tree


def read_by_unnest(tree: Any) -> set[str]:
    """The names of what stands in FROM where a set is made in the list."""
    return {item.relname for item in _items(tree) if isinstance(item, ast.RangeVar)}


def _items(tree: Any) -> list[Any]:
    selects = [node for node in nodes(tree) if isinstance(node, ast.SelectStmt)]
    asking = [select for select in selects if any(map(_is_unnest, own_nodes(select.targetList)))]
    return [item for select in asking for item in own_nodes(select.fromClause)]


def _is_unnest(node: Any) -> bool:
    return isinstance(node, ast.FuncCall) and last_name(node) == "unnest"


def _makes_unique(query: Any) -> bool:
    selects = [node for node in nodes(query) if isinstance(node, ast.SelectStmt)]
    return any(select.distinctClause or select.groupClause for select in selects)


def _hidden(select: Any) -> Any | None:
    """``select`` with columns of which nothing is known; None where their names are not."""
    names = [column_name(target) for target in select.targetList or ()]
    if not names or None in names:
        return None
    alias, columns = fresh("keys"), [f"c{i}" for i in range(len(names))]
    made = parse_query(f"SELECT {', '.join(columns)} FROM (SELECT) AS {alias}({', '.join(columns)})")
    made.fromClause[0].subquery = select
    for target, name in zip(made.targetList, names, strict=True):
        case = parse_expression(HIDDEN.format(1))
        case.args[0].result = target.val
        target.name, target.val = name, case
    return made
