"""Columns that depend on what is grouped by: those of a table whose whole primary key is among the keys.

SELECT t.id, t.name, count(*) FROM t JOIN u ON u.t = t.id GROUP BY t.id    is grouped by t.id, t.name
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pglast import ast

from constellationdb.planner.analysis.calls import is_aggregate_call
from constellationdb.planner.analysis.scope import Scope, Table
from constellationdb.planner.rewrite.tree import copied, strings

_Named = tuple[str, str]  # a table as the tree calls it, a column


def dependent(select: Any, scope: Scope) -> list[Any]:
    """What ``select`` says of such columns outside of aggregates, each once."""
    keys = {named for node in select.groupClause or () if (named := _named(node, scope)) is not None}
    covered = {t.name for t in scope.tables if t.key and all((t.name, column) in keys for column in t.key)}
    found: dict[_Named, Any] = {}
    for node in _outside_of_aggregates((select.targetList, select.havingClause, select.sortClause)) if covered else ():
        named = _named(node, scope)
        if named is not None and named[0] in covered and named not in keys:
            found.setdefault(named, copied(node))
    return list(found.values())


def _named(node: Any, scope: Scope) -> _Named | None:
    """Which column of the query's own FROM a reference means; None where there is no telling."""
    if not isinstance(node, ast.ColumnRef) or any(isinstance(part, ast.A_Star) for part in node.fields):
        return None
    *qualifier, name = strings(node)
    tables = [table for table in scope.tables if _has(table, name)]
    if qualifier:
        tables = [table for table in tables if qualifier == [table.alias] or qualifier == [table.own]]
    return (tables[0].name, name) if len(tables) == 1 else None


def _has(table: Table, name: str) -> bool:
    return any(column.name == name for column in table.columns or ())


def _outside_of_aggregates(node: Any) -> Iterator[Any]:
    """References, but those in subqueries and in the arguments of aggregates."""
    if isinstance(node, tuple | list):
        for member in node:
            yield from _outside_of_aggregates(member)
    elif isinstance(node, ast.ColumnRef):
        yield node
    elif isinstance(node, ast.Node) and not isinstance(node, ast.SelectStmt) and not is_aggregate_call(node):
        for name in node:
            yield from _outside_of_aggregates(getattr(node, name))
