"""ORDER BY of what is not shown, beside a function that returns sets: sorted above the rows, where DataFusion can.

SELECT a, unnest(c) AS x FROM t ORDER BY b
SELECT s.c0 AS a, s.c1 AS x FROM (SELECT a, unnest(c), b FROM t) AS s(c0, c1, c2) ORDER BY s.c2
"""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.planner.rewrite.names import column_name, fresh
from constellationdb.planner.rewrite.tree import copied, last_name, nodes, own_nodes, parse_query, strings, to_sql

_ABOVE = ("sortClause", "limitCount", "limitOffset", "limitOption", "withClause")


def sort_above_sets(tree: Any) -> None:
    """In place, in every SELECT whose output columns have names."""
    for select in [node for node in nodes(tree) if isinstance(node, ast.SelectStmt)]:
        targets = list(select.targetList or ())
        if select.sortClause and not select.distinctClause and any(map(_is_set, own_nodes(targets))):
            places = [_shown(sort.node, targets) for sort in select.sortClause]
            if None in places and all(map(column_name, targets)):
                _sort_above(select, places)


def _is_set(node: Any) -> bool:
    return isinstance(node, ast.FuncCall) and last_name(node) == "unnest"


def _shown(node: Any, targets: list[Any]) -> int | None:
    """Which output column a sort is by; None where it is by none."""
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.Integer):
        return int(node.val.ival) - 1
    if isinstance(node, ast.ColumnRef) and len(node.fields) == 1:
        named = [place for place, target in enumerate(targets) if [column_name(target)] == strings(node)]
        if named:
            return named[0]
    said = to_sql(node)
    return next((place for place, target in enumerate(targets) if to_sql(target.val) == said), None)


def _sort_above(select: Any, places: list[int | None]) -> None:
    shown, inner, alias = list(select.targetList), copied(select), fresh("sets")
    for part in _ABOVE:
        setattr(inner, part, None)
    hidden = [sort.node for sort, place in zip(select.sortClause, places, strict=True) if place is None]
    inner.targetList = (*inner.targetList, *(ast.ResTarget(name=fresh("sort"), val=copied(node)) for node in hidden))
    columns = [f"c{place}" for place in range(len(inner.targetList))]
    listed = ", ".join(f"{alias}.{column}" for column in columns[: len(shown)])
    above = parse_query(f"SELECT {listed} FROM (SELECT) AS {alias}({', '.join(columns)})")
    above.fromClause[0].subquery = inner
    for target, of in zip(above.targetList, shown, strict=True):
        target.name = column_name(of)
    rest = iter(columns[len(shown) :])
    for sort, place in zip(select.sortClause, places, strict=True):
        name = next(rest) if place is None else columns[place]
        sort.node = ast.ColumnRef(fields=(ast.String(sval=alias), ast.String(sval=name)))
    for part in select:
        if part not in _ABOVE:
            setattr(select, part, getattr(above, part))
