"""``tableoid`` of a catalog's row: which catalog it is in. The queries of psql match descriptions by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pglast import ast

from constellationdb.catalog.postgres.relations import system_relations
from constellationdb.planner.rewrite.tree import nodes, replace, strings

_NAME = "tableoid"


def read_tableoids(tree: Any) -> Any:
    for select in nodes(tree):
        if isinstance(select, ast.SelectStmt) and (known := dict(_catalogs(select.fromClause))):
            _read(select, known)
    return tree


def _catalogs(item: Any) -> Iterator[tuple[str, int]]:
    """The catalogs that FROM reads, by alias."""
    match item:
        case tuple():
            for member in item:
                yield from _catalogs(member)
        case ast.JoinExpr():
            yield from _catalogs((item.larg, item.rarg))
        case ast.RangeVar() if item.schemaname in (None, "pg_catalog"):
            found = system_relations().get(f"pg_catalog.{item.relname}")
            if found is not None:
                yield item.alias.aliasname if item.alias is not None else item.relname, found.oid


def _read(select: Any, known: Mapping[str, int]) -> None:
    def change(node: Any) -> Any | None:
        if not isinstance(node, ast.ColumnRef) or len(node.fields) != 2:
            return None
        alias, name = strings(node)[0], strings(node)[-1]
        return _oid(known[alias], node.location) if name == _NAME and alias in known else None

    for target in select.targetList or ():
        if isinstance(target.val, ast.ColumnRef) and strings(target.val)[-1:] == [_NAME]:
            target.name = target.name or _NAME
    replace(select, change)


def _oid(oid: int, location: int) -> Any:
    name = ast.TypeName(names=(ast.String(sval="pg_catalog"), ast.String(sval="oid")), typemod=-1)
    return ast.TypeCast(arg=ast.A_Const(isnull=False, val=ast.Integer(ival=oid)), typeName=name, location=location)
