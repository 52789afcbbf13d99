"""Subqueries beside aggregates whose row of everything is also there where nothing is read, and has no key.

SELECT count(*) + (SELECT max(u.x) FROM u) FROM t

SELECT one.__a0 + (SELECT max(u.x) FROM u) FROM (SELECT count(*) FROM t) AS one(__a0)

SELECT t.k, (SELECT max(u.x) FROM u WHERE u.k = t.k) FROM t GROUP BY ROLLUP (t.k)

SELECT one.__a0, (SELECT max(u.x) FROM u WHERE u.k = one.__a0)
FROM (SELECT t.k FROM t GROUP BY ROLLUP (t.k)) AS one(__a0)
"""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.planner.analysis.calls import is_aggregate_call
from constellationdb.planner.analysis.grouping_sets import has_sets
from constellationdb.planner.rewrite.names import fresh
from constellationdb.planner.rewrite.tree import links, nodes, parse_expression, to_sql
from constellationdb.planner.unnest import parts
from constellationdb.planner.unnest.aggregates import is_scalar
from constellationdb.planner.unnest.links import in_calls
from constellationdb.planner.unnest.names import column, replace_own, substituted
from constellationdb.planner.unnest.order import spell_groups

_CLAUSES = ("targetList", "havingClause", "sortClause", "distinctClause", "windowClause")


def asks_above_sets(tree: Any) -> bool:
    """Whether a query with grouping sets has subqueries beside its aggregates."""
    return any(
        isinstance(node, ast.SelectStmt) and has_sets(node.groupClause or ()) and _asks(node) for node in nodes(tree)
    )


def above_aggregates(select: Any) -> None:
    """In place; subqueries in the arguments of the aggregates stay where they are."""
    if not (is_scalar(select) or has_sets(select.groupClause or ())) or not _asks(select):
        return
    spell_groups(select)
    keys = {to_sql(key) for key in _keys(select.groupClause or ())}
    alias, computed = fresh("one"), dict[str, Any]()

    def place(node: Any) -> Any:
        computed.setdefault(to_sql(node), node)
        return column(alias, f"__a{list(computed).index(to_sql(node))}")

    def change(node: Any) -> Any | None:
        own = (
            is_aggregate_call(node)
            or isinstance(node, ast.GroupingFunc)
            or (keys and _is_value(node) and to_sql(node) in keys)
        )
        return place(node) if own else None

    def key(found: tuple[str, str]) -> Any | None:
        named = column(*found)
        return place(named) if to_sql(named) in keys else None

    for name in _CLAUSES:
        clause = replace_own(getattr(select, name), change)
        for link in links(clause):
            link.subselect = substituted(link.subselect, key)
        setattr(select, name, clause)
    if not computed:
        place(parse_expression("count(*)"))
    names = [f"__a{i}" for i in range(len(computed))]
    rows = parts.query([*map(parts.target, computed.values(), names)], select.fromClause or (), select.whereClause)
    rows.groupClause, rows.groupDistinct = select.groupClause, select.groupDistinct
    select.groupClause, select.groupDistinct = None, False
    select.fromClause = (parts.derived(rows, alias, names),)
    select.whereClause, select.havingClause = select.havingClause, None


def _asks(select: Any) -> bool:
    clauses = [getattr(select, name) for name in _CLAUSES]
    return any(id(link) not in in_calls(clause) for clause in clauses for link in links(clause))


def _is_value(node: Any) -> bool:
    """What can be printed alone, and a key can be."""
    return isinstance(node, ast.ColumnRef | ast.A_Expr | ast.FuncCall | ast.TypeCast | ast.CaseExpr | ast.CoalesceExpr)


def _keys(group: Any) -> list[Any]:
    found: list[Any] = []
    for part in group:
        match part:
            case ast.GroupingSet():
                found += _keys(part.content or ())
            case ast.RowExpr():
                found += _keys(part.args or ())
            case _:
                found.append(part)
    return found
