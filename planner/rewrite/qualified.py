"""Columns that name their schema: ``s.t.a`` is the ``t.a`` of the item of FROM that is the relation ``s.t``.

SELECT s.t.a, public.t.a FROM s.t, public.t
SELECT t__1.a, t__2.a FROM s.t AS t__1, public.t AS t__2       two of one name are told apart
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pglast import ast

from constellationdb.errors import AmbiguousAlias, UndefinedRelation
from constellationdb.planner.references import reference
from constellationdb.planner.rewrite.names import fresh
from constellationdb.planner.rewrite.tree import nodes, strings

# Which relation (schema, name) is.
Identify = Callable[[str | None, str], str]
# What UPDATE, DELETE and MERGE call the table they change: as it is, its rows by number, and the rows that come of it.
OURS, TARGET, CHANGED = "#table", "#target", "#changed"
_CHANGED_TABLE = (OURS, TARGET, CHANGED)
HASH = "#"  # what the names of all begin with that stands for a relation in the text of a change


def stand_in(name: str) -> str:
    """The reference under which a change's text says which relation it stands for."""
    return reference(HASH, name)


def read_qualified(tree: Any, identify: Identify, offset: int) -> Any:
    ctes = frozenset(node.ctename for node in nodes(tree) if isinstance(node, ast.CommonTableExpr))

    def known(schema: str | None, name: str) -> str:
        """What WITH names is no relation that has a schema."""
        return f"WITH {name}" if schema is None and name in ctes else identify(schema, name)

    qualified = any(isinstance(node, ast.ColumnRef) and _is_qualified(node) for node in nodes(tree))
    tables = [node for node in nodes(tree) if isinstance(node, ast.RangeVar)]
    shared = _shared(tables, known)
    if qualified or shared:
        _Walk(known, offset, shared).visit(tree, ())
    return tree


def _is_qualified(node: Any) -> bool:
    return len(node.fields) > 2 or any(name.startswith(HASH) for name in strings(node)[:1])


def _shared(tables: list[Any], identify: Identify) -> frozenset[str]:
    """The names under which several relations are in sight."""
    known: dict[str, str] = {}
    found = set()
    for table in tables:
        stands = table.alias is not None and table.relname.startswith(HASH)
        if table.alias is None or stands:
            said = table.alias.aliasname if stands else table.relname
            if known.setdefault(said, key := _key(table, identify)) != key:
                found.add(said)
    return frozenset(found)


def _key(table: Any, identify: Identify) -> str:
    if table.relname in _CHANGED_TABLE:
        return identify(None, OURS)
    if table.relname.startswith(HASH):
        return identify(HASH, table.relname)
    return identify(table.schemaname, table.relname)


@dataclass(frozen=True)
class _Item:
    """An item of FROM. ``said``: how columns name it; ``alias``: how they must from now on."""

    said: str
    alias: str
    name: str
    relation: str
    hidden: bool  # under an alias: its own name finds it no more

    def stands_in(self) -> bool:
        return self.name.startswith(HASH)


_Scope = tuple[_Item, ...]


class _Walk:
    def __init__(self, identify: Identify, offset: int, shared: frozenset[str]) -> None:
        self._identify = identify
        self._offset = offset
        self._shared = shared

    def visit(self, node: Any, scopes: tuple[_Scope, ...]) -> None:
        match node:
            case tuple() | list():
                for member in node:
                    self.visit(member, scopes)
            case ast.ColumnRef():
                self._column(node, scopes)
            case ast.Node():
                if isinstance(node, ast.SelectStmt):
                    scopes = (tuple(map(self._item, _items(node.fromClause))), *scopes)
                for name in node:
                    self.visit(getattr(node, name), scopes)

    def _item(self, table: Any) -> _Item:
        if not isinstance(table, ast.RangeVar):
            said = table.alias.aliasname
            return _Item(said, said, "", "", hidden=True)
        relation = _key(table, self._identify)
        if table.alias is not None:
            said = table.alias.aliasname
            if said in self._shared and table.relname.startswith(HASH) and table.relname not in _CHANGED_TABLE:
                table.alias = ast.Alias(aliasname=fresh(said))
            return _Item(said, table.alias.aliasname, table.relname, relation, hidden=True)
        alias = table.relname
        if alias in self._shared:
            alias = fresh(alias)
            table.alias = ast.Alias(aliasname=alias)
        return _Item(table.relname, alias, table.relname, relation, hidden=False)

    def _column(self, node: Any, scopes: tuple[_Scope, ...]) -> None:
        star = isinstance(node.fields[-1], ast.A_Star)
        qualifiers = strings(node) if star else strings(node)[:-1]
        if not qualifiers:
            return
        table = qualifiers[-1]
        marked = next((i for scope in scopes for i in scope if i.stands_in() and i.name == table), None)
        if marked is not None:
            item = marked
        elif len(qualifiers) > 1:
            item = self._qualified(qualifiers[-2], table, scopes, node)
        else:
            found = next((known for scope in scopes if (known := [i for i in scope if i.said == table])), [])
            if len(found) > 1 and table in self._shared:
                raise AmbiguousAlias(f'table reference "{table}" is ambiguous', position=self._at(node))
            if not found:
                return  # of something else in FROM, or of nothing, which is said elsewhere
            item = found[0]
        node.fields = (ast.String(sval=item.alias), node.fields[-1])

    def _qualified(self, schema: str, table: str, scopes: tuple[_Scope, ...], node: Any) -> _Item:
        relation = self._identify(schema, table)
        hidden = None
        for item in (item for scope in scopes for item in scope):
            if item.relation == relation and item.said == table and (item.stands_in() or not item.hidden):
                return item
            if item.relation == relation or item.said == table:
                hidden = hidden or item
        if hidden is None:
            raise UndefinedRelation(f'missing FROM-clause entry for table "{table}"', position=self._at(node))
        aliased = hidden.hidden and hidden.relation == relation
        raise UndefinedRelation(
            f'invalid reference to FROM-clause entry for table "{table}"',
            detail=None
            if aliased
            else f'There is an entry for table "{table}", but it cannot be referenced from this part of the query.',
            hint=f'Perhaps you meant to reference the table alias "{hidden.said}".' if aliased else None,
            position=self._at(node),
        )

    def _at(self, node: Any) -> int:
        return int(node.location) + self._offset + 1


def _items(item: Any) -> Iterator[Any]:
    """The relations of FROM, those in joins too, and whatever else has a name there."""
    match item:
        case tuple() | list():
            for member in item:
                yield from _items(member)
        case ast.JoinExpr():
            yield from _items((item.larg, item.rarg))
        case ast.RangeVar():
            yield item
    if isinstance(item, ast.JoinExpr | ast.RangeSubselect | ast.RangeFunction) and item.alias is not None:
        yield item
