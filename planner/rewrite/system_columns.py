"""System columns of a row: ``tableoid``, the relation it is in, is known; of the others there are none.

SELECT tableoid, a FROM t        SELECT 16384::oid AS tableoid, a FROM t
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pglast import ast
from pglast.enums import JoinType

from constellationdb.errors import AmbiguousColumn, FeatureNotSupported
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.rewrite.names import column_name
from constellationdb.planner.rewrite.tree import nodes, replace, strings

_OID = "tableoid"
_OTHERS = frozenset(("ctid", "xmin", "xmax", "cmin", "cmax"))
NAMES = _OTHERS | {_OID}
Find = Callable[[str | None, str], PlannedRelation | None]


def read_system_columns(tree: Any, find: Find, offset: int) -> Any:
    """``find``: the relation that (schema, name) is.

    Inner queries are read first: what they do not know is of outer ones.
    """
    ctes = {node.ctename for node in nodes(tree) if isinstance(node, ast.CommonTableExpr)}

    def known(schema: str | None, name: str) -> PlannedRelation | None:
        return None if schema is None and name in ctes else find(schema, name)

    for select in reversed([node for node in nodes(tree) if isinstance(node, ast.SelectStmt)]):
        items = list(_items(select.fromClause, known, nullable=False))
        if items:
            _read(select, items, offset)
    return tree


@dataclass(frozen=True)
class _Item:
    """An item of FROM; ``oid`` 0: its rows are of no one relation. ``nullable``: an outer join may have none of it."""

    alias: str
    oid: int
    columns: frozenset[str] | None
    nullable: bool

    def may_have(self, name: str) -> bool:
        return self.columns is None or name in self.columns


def _items(item: Any, find: Find, *, nullable: bool) -> Iterator[_Item]:
    match item:
        case tuple() | list():
            for member in item:
                yield from _items(member, find, nullable=nullable)
        case ast.JoinExpr():
            full = item.jointype == JoinType.JOIN_FULL
            yield from _items(item.larg, find, nullable=nullable or full or item.jointype == JoinType.JOIN_RIGHT)
            yield from _items(item.rarg, find, nullable=nullable or full or item.jointype == JoinType.JOIN_LEFT)
        case ast.RangeVar():
            found = find(item.schemaname, item.relname)
            alias = item.relname if item.alias is None else item.alias.aliasname
            renamed = item.alias is not None and item.alias.colnames
            columns = None if found is None or found.query is not None or renamed else frozenset(found.schema.names)
            yield _Item(alias, 0 if found is None else found.oid, columns, nullable)
        case None:
            return
        case _:
            yield _Item("" if item.alias is None else item.alias.aliasname, 0, None, nullable)


def _read(select: Any, items: list[_Item], offset: int) -> None:
    def change(node: Any) -> Any | None:
        if not isinstance(node, ast.ColumnRef) or len(said := strings(node)) != len(node.fields) or len(said) > 2:
            return None
        *qualifier, name = said
        if name not in NAMES or any(i.may_have(name) for i in items if _means(i, qualifier)):
            return None
        found = [item for item in items if item.oid and _means(item, qualifier)]
        if not found:
            return None
        position = node.location + offset + 1
        if len(found) > 1:
            raise AmbiguousColumn(f'column reference "{name}" is ambiguous', position=position)
        if name in _OTHERS:
            raise FeatureNotSupported(f'system column "{name}" is not supported', position=position)
        if found[0].nullable:
            raise FeatureNotSupported("tableoid of an outer join's nullable side is not supported", position=position)
        return _oid(found[0].oid, node.location)

    for target in select.targetList or ():
        if target.name is None and column_name(target) == _OID:
            target.name = _OID
    replace(select, change)


def _means(item: _Item, qualifier: list[str]) -> bool:
    return not qualifier or item.alias == qualifier[0]


def _oid(oid: int, location: int) -> Any:
    name = ast.TypeName(names=(ast.String(sval="pg_catalog"), ast.String(sval="oid")), typemod=-1)
    return ast.TypeCast(arg=ast.A_Const(isnull=False, val=ast.Integer(ival=oid)), typeName=name, location=location)
