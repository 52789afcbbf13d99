"""Subqueries beside the aggregates of a query without groups: it has its one row also where it reads none.

SELECT count(*) + (SELECT max(u.x) FROM u) FROM t

SELECT one.__a0 + (SELECT max(u.x) FROM u) FROM (SELECT count(*) FROM t) AS one(__a0)
"""

from __future__ import annotations

from typing import Any

from constellationdb.planner.rewrite.names import fresh
from constellationdb.planner.rewrite.tree import links, parse_expression
from constellationdb.planner.unnest import parts
from constellationdb.planner.unnest.aggregates import is_call, is_scalar
from constellationdb.planner.unnest.links import in_calls
from constellationdb.planner.unnest.names import column, replace_own

_CLAUSES = ("targetList", "havingClause", "sortClause", "distinctClause", "windowClause")


def above_aggregates(select: Any) -> None:
    """In place; subqueries in the arguments of the aggregates stay where they are."""
    if not is_scalar(select) or not any(_asks(getattr(select, name)) for name in _CLAUSES):
        return
    alias, calls = fresh("one"), list[Any]()

    def change(node: Any) -> Any | None:
        if not is_call(node):
            return None
        calls.append(node)
        return column(alias, f"__a{len(calls) - 1}")

    for name in _CLAUSES:
        setattr(select, name, replace_own(getattr(select, name), change))
    if not calls:
        calls.append(parse_expression("count(*)"))
    names = [f"__a{i}" for i in range(len(calls))]
    row = parts.query([*map(parts.target, calls, names)], select.fromClause or (), select.whereClause)
    select.fromClause = (parts.derived(row, alias, names),)
    select.whereClause, select.havingClause = select.havingClause, None


def _asks(clause: Any) -> bool:
    inside = in_calls(clause)
    return any(id(link) not in inside for link in links(clause))
