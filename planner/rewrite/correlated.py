"""IN and quantified subqueries that mention the outer query, as EXISTS over the subquery's own FROM.

Wrapped into a derived table, as an uncorrelated one may be, such a subquery would
hide the columns by which DataFusion joins it to the outer query.
"""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import SetOperation

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.rewrite.tree import nodes, parse_expression, strings, to_sql

_BESIDES = ("groupClause", "havingClause", "distinctClause", "windowClause", "limitCount", "limitOffset",
            "withClause", "valuesLists")  # fmt: skip


def is_correlated(select: Any) -> bool:
    """Whether ``select`` names a table that is not its own. Columns without a table's name are taken for its own."""
    return bool(_qualifiers(select) - _tables(select))


def exists(value: Any, select: Any, test: str) -> Any:
    """EXISTS (…) for a correlated ``select`` of one column; ``test`` has {value} and {column} in it."""
    columns = [node for node in nodes(value) if isinstance(node, ast.ColumnRef)]
    plain = select.op == SetOperation.SETOP_NONE and not any(getattr(select, name) for name in _BESIDES)
    if not plain or any(isinstance(node, ast.FuncCall) for node in nodes(select.targetList)):
        raise FeatureNotSupported(
            "a correlated subquery with grouping, LIMIT or set operations is not supported after IN, ANY or ALL"
        )
    if any(len(strings(column)) < 2 for column in columns) or _qualifiers(value) & _tables(select):
        raise FeatureNotSupported(
            "what is compared with a correlated subquery must name its table",
            hint="write t.x IN (SELECT …) instead of x IN (SELECT …)",
        )
    condition = test.format(value=f"({to_sql(value)})", column=f"({to_sql(select.targetList[0].val)})")
    where = f"({to_sql(select.whereClause)}) AND " if select.whereClause is not None else ""
    link = parse_expression(f"EXISTS (SELECT 1 FROM __from WHERE {where}{condition})")
    link.subselect.fromClause = select.fromClause
    return link


def _qualifiers(tree: Any) -> set[str]:
    """The names in front of columns."""
    parts = [strings(node) for node in nodes(tree) if isinstance(node, ast.ColumnRef)]
    return {names[-2] for names in parts if len(names) > 1}


def _tables(select: Any) -> set[str]:
    """The names under which ``select`` and what is in it read something."""
    found = {node.aliasname for node in nodes(select) if isinstance(node, ast.Alias)}
    return found | {node.relname for node in nodes(select) if isinstance(node, ast.RangeVar) and node.alias is None}
