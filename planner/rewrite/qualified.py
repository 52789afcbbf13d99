"""Columns that name their schema: ``s.t.a`` is the ``t.a`` of the item of FROM that is the relation ``s.t``.

SELECT s.t.a, public.t.a FROM s.t, public.t
SELECT t.a, t__1.a FROM s.t, public.t AS t__1         two of one name are told apart
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pglast import ast

from constellationdb.errors import AmbiguousAlias, UndefinedRelation
from constellationdb.planner.rewrite.names import fresh
from constellationdb.planner.rewrite.tree import nodes, strings

# Which relation (schema, name) is.
Identify = Callable[[str | None, str], str]
_OURS = "#"  # what the names of relations begin with that stand for the one a statement changes


def read_qualified(tree: Any, identify: Identify, offset: int) -> Any:
    if any(isinstance(node, ast.ColumnRef) and len(node.fields) > 2 for node in nodes(tree)):
        _Walk(identify, offset).visit(tree, ())
    return tree


@dataclass
class _Item:
    """A relation in FROM: ``alias`` is how columns must say it now, ``said`` how they may."""

    said: str
    relation: str | None  # None: under an alias, which hides what it is
    alias: str


@dataclass
class _Scope:
    items: list[_Item] = field(default_factory=list)

    def said(self, name: str) -> list[_Item]:
        return [item for item in self.items if item.said == name]


class _Walk:
    def __init__(self, identify: Identify, offset: int) -> None:
        self._identify = identify
        self._offset = offset

    def visit(self, node: Any, scopes: tuple[_Scope, ...]) -> None:
        match node:
            case tuple() | list():
                for member in node:
                    self.visit(member, scopes)
            case ast.ColumnRef():
                self._column(node, scopes)
            case ast.Node():
                if isinstance(node, ast.SelectStmt):
                    scopes = (self._scope(node), *scopes)
                for name in node:
                    self.visit(getattr(node, name), scopes)

    def _scope(self, select: Any) -> _Scope:
        scope = _Scope()
        for table in _relations(select.fromClause):
            said = table.relname if table.alias is None else table.alias.aliasname
            relation = None if table.alias is not None else self._identify(table.schemaname, table.relname)
            if table.relname.startswith(_OURS):
                relation = table.relname
            item = _Item(said, relation, said)
            if table.alias is None and any(other.relation not in (None, relation) for other in scope.said(said)):
                item.alias = fresh(said)
                table.alias = ast.Alias(aliasname=item.alias)
            scope.items.append(item)
        return scope

    def _column(self, node: Any, scopes: tuple[_Scope, ...]) -> None:
        names = strings(node)
        qualifiers = names if len(names) < len(node.fields) else names[:-1]
        if not qualifiers:
            return
        name = qualifiers[-1]
        found = next((known for scope in scopes if (known := scope.said(name))), [])
        if len(qualifiers) == 1:
            if len({item.alias for item in found}) > 1:
                raise AmbiguousAlias(f'table reference "{name}" is ambiguous', position=self._at(node))
            return
        relation = self._identify(qualifiers[-2], name)
        item = next((i for i in found if i.relation == relation or (i.relation or "").startswith(_OURS)), None)
        if item is None:
            raise self._missing(name, bool(found), node)
        node.fields = (ast.String(sval=item.alias), node.fields[-1])

    def _missing(self, name: str, is_there: bool, node: Any) -> UndefinedRelation:
        if not is_there:
            return UndefinedRelation(f'missing FROM-clause entry for table "{name}"', position=self._at(node))
        return UndefinedRelation(
            f'invalid reference to FROM-clause entry for table "{name}"',
            detail=f'There is an entry for table "{name}", but it cannot be referenced from this part of the query.',
            position=self._at(node),
        )

    def _at(self, node: Any) -> int:
        return int(node.location) + self._offset + 1


def _relations(item: Any) -> Iterator[Any]:
    """The relations of FROM, those in joins too."""
    match item:
        case tuple() | list():
            for member in item:
                yield from _relations(member)
        case ast.JoinExpr():
            yield from _relations((item.larg, item.rarg))
        case ast.RangeVar():
            yield item
