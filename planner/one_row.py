"""Conditions on an aggregate without groups that name none of its aggregates.

Such an aggregate has its one row whatever the condition lets through below it,
and DataFusion moves a condition below an aggregate when all of its columns are
keys: none at all is enough for that. So a condition of HAVING that computes
nothing from the rows, and a constant that something above may compare, depend on
``count(*)`` here; what runs at once also gets LIMIT 1, which nothing is moved below.
"""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import LimitOption

from constellationdb.planner.analysis.calls import is_aggregate_call
from constellationdb.planner.analysis.grouping_sets import has_sets
from constellationdb.planner.rewrite.tree import last_name, own_nodes, parse_expression, replace
from constellationdb.planner.unnest.parts import conjunction, conjuncts


def keep_above(tree: Any, *, all_of_it: bool = False, limited: bool = False) -> Any:
    """``all_of_it``: the tree is a view's, and something may stand above it, too."""

    def change(node: Any) -> Any:
        if limited and isinstance(node, ast.RangeSubselect):
            _limit(node.subquery)
        if limited and isinstance(node, ast.CommonTableExpr):
            _limit(node.ctequery)
        if not (isinstance(node, ast.SelectStmt) and _has_a_row_of_all(node)):
            return None
        if node.havingClause is not None:
            node.havingClause = conjunction([_tied_if_called(part) for part in conjuncts(node.havingClause)])
        for target in node.targetList if all_of_it or node is not tree else ():
            target.val = _tied(target.val)
        return node

    tree = replace(tree, change)
    if limited and all_of_it:
        _limit(tree)
    return tree


def _limit(select: Any) -> None:
    limited = not isinstance(select, ast.SelectStmt) or select.limitCount is not None
    if not limited and _is_one_row(select) and not _gives_sets(select):
        select.limitCount = ast.A_Const(isnull=False, val=ast.Integer(ival=1))
        select.limitOption = LimitOption.LIMIT_OPTION_COUNT


def _gives_sets(select: Any) -> bool:
    return any(isinstance(part, ast.FuncCall) and last_name(part) in _SETS for part in own_nodes(select.targetList))


def _is_one_row(select: Any) -> bool:
    return not select.groupClause and (select.havingClause is not None or _aggregates(select))


def _has_a_row_of_all(select: Any) -> bool:
    """Also among the groups of grouping sets."""
    return has_sets(select.groupClause or ()) or _is_one_row(select)


def _aggregates(select: Any) -> bool:
    return any(map(is_aggregate_call, own_nodes(select.targetList or ())))


def _tied_if_called(condition: Any) -> Any:
    """Of constants alone DataFusion knows the answer before it moves anything."""
    called = any(isinstance(part, ast.FuncCall | ast.SubLink) for part in own_nodes(condition))
    return _tied(condition) if called else condition


def _tied(value: Any) -> Any:
    """CASE WHEN count(*) >= 0 THEN value END, where the value does not depend on a row or an aggregate."""
    for part in own_nodes(value):
        match part:
            case ast.ColumnRef():
                return value
            case ast.FuncCall() if part.over is not None or is_aggregate_call(part) or last_name(part) in _SETS:
                return value
    case = parse_expression("CASE WHEN count(*) >= 0 THEN 1 END")
    case.args[0].result = value
    return case


_SETS = frozenset({"unnest", "generate_series", "generate_subscripts", "regexp_matches", "regexp_split_to_table"})
