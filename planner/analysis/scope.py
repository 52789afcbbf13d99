"""What FROM brings into sight: tables by alias, columns in the order of ``*``, merged columns of USING."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from pglast import ast
from pglast.enums import JoinType

from constellationdb.errors import DuplicateAlias, InvalidColumnReference, UndefinedColumn, UndefinedRelation
from constellationdb.planner.analysis import kinds
from constellationdb.planner.analysis.kinds import Kind


@dataclass(frozen=True)
class Column:
    name: str
    kind: Kind
    whole: bool = False  # as in Typed
    key: bool = False  # part of its table's primary key


@dataclass(frozen=True)
class Table:
    """An item of FROM. ``columns`` None: not known. ``relation``: the name it was written with."""

    alias: str
    relation: str
    columns: tuple[Column, ...] | None
    own: str = ""  # the alias that the tree gives it, where it is not the user's
    single: bool = False  # a function that returns a set of values: a row is its one column
    key: tuple[str, ...] = ()  # the columns of its primary key
    nullable: bool = False  # an outer join may put NULLs in the place of its rows
    merged: tuple[Visible, ...] = ()  # of the alias of a USING: what its columns stand for

    @property
    def name(self) -> str:
        return self.own or self.alias


@dataclass(frozen=True)
class Visible:
    """One column of ``*``: how it is said, and whether USING made it of two."""

    column: Column
    node: Any
    merged: bool = False


@dataclass
class Scope:
    """``visible`` None: some item's columns are not known. ``parent``: the query around a subquery."""

    tables: list[Table] = field(default_factory=list)
    visible: list[Visible] | None = field(default_factory=list)
    parent: Scope | None = None

    @property
    def has_merged(self) -> bool:
        return self.visible is not None and any(v.merged for v in self.visible)

    def add(self, tables: list[Table], visible: list[Visible] | None, position: int | None) -> None:
        for table in tables:
            if any(known.alias == table.alias for known in self.tables):
                raise DuplicateAlias(f'table name "{table.alias}" specified more than once', position=position)
            self.tables.append(table)
        self.visible = None if self.visible is None or visible is None else self.visible + visible

    def named(self, name: str) -> Visible | None:
        """The one column of that name in sight, here or around; None when there is none, several, or no telling."""
        if self.visible is None:
            return None
        found = [v for v in self.visible if v.column.name == name]
        if len(found) == 1:
            return found[0]
        return self.parent.named(name) if not found and self.parent is not None else None

    def lacks(self, name: str) -> bool:
        """Whether there is certainly no such column, here or around."""
        return all(s.visible is not None and all(v.column.name != name for v in s.visible) for s in self.chain())

    def table(self, alias: str) -> Table | None:
        for scope in self.chain():
            for table in scope.tables:
                if table.alias == alias:
                    return table
        return None

    def beside(self, tables: list[Table], visible: list[Visible] | None) -> Scope:
        """What the right side of a join sees when it is LATERAL: all before it, and the left side."""
        seen = None if self.visible is None or visible is None else self.visible + visible
        return Scope([*self.tables, *tables], seen, self.parent)

    def chain(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent

    def missing(self, alias: str, position: int | None) -> UndefinedRelation:
        """The error for a reference through a name that no item of FROM has."""
        for scope in self.chain():
            for table in scope.tables:
                if table.relation == alias:
                    return UndefinedRelation(
                        f'invalid reference to FROM-clause entry for table "{alias}"',
                        hint=f'Perhaps you meant to reference the table alias "{table.alias}".',
                        position=position,
                    )
        return UndefinedRelation(f'missing FROM-clause entry for table "{alias}"', position=position)


def reference(*names: str) -> Any:
    return ast.ColumnRef(fields=tuple(ast.String(sval=name) for name in names))


def visible_of(table: Table) -> list[Visible] | None:
    if table.merged:
        return list(table.merged)
    if table.columns is None:
        return None
    return [Visible(column, reference(table.name, column.name)) for column in table.columns]


Key = Callable[[Any, Kind], Any]


def merge(
    join: Any, names: list[str], left: list[Visible], right: list[Visible], position: int | None, key: Key
) -> list[Visible]:
    """The columns of a USING join; the join itself becomes one with ON. ``key``: what a value is compared by."""
    pairs = [(_side(left, name, "left", position), _side(right, name, "right", position)) for name in names]
    join.usingClause, join.isNatural = None, False
    join.quals = _all_equal(pairs, key)
    merged = [_merged(join.jointype, a, b) for a, b in pairs]
    rest = [v for side in (left, right) for v in side if v.column.name not in names]
    return merged + rest


def _side(columns: list[Visible], name: str, side: str, position: int | None) -> Visible:
    for visible in columns:
        if visible.column.name == name:
            return visible
    raise UndefinedColumn(
        f'column "{name}" specified in USING clause does not exist in {side} table', position=position
    )


def _all_equal(pairs: list[tuple[Visible, Visible]], key: Key) -> Any:
    from pglast.enums import A_Expr_Kind, BoolExprType

    tests = tuple(
        ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP, name=(ast.String(sval="="),), lexpr=left, rexpr=right)
        for left, right in ([key(side.node, side.column.kind) for side in pair] for pair in pairs)
    )
    return tests[0] if len(tests) == 1 else ast.BoolExpr(boolop=BoolExprType.AND_EXPR, args=tests)


def _merged(join: Any, left: Visible, right: Visible) -> Visible:
    """The column that two become, in the type that they meet in: each has room there."""
    common = kinds.unify((left.column.kind, right.column.kind))
    if join != JoinType.JOIN_FULL:
        return replace(_of_kind(right if join == JoinType.JOIN_RIGHT else left, common), merged=True)
    if common != kinds.NUMERIC:  # a numeric keeps its digits beside an integer
        left, right = _of_kind(left, common), _of_kind(right, common)
    node = ast.CoalesceExpr(args=(left.node, right.node))
    return Visible(replace(left.column, kind=common or left.column.kind), node, merged=True)


def _of_kind(side: Visible, kind: Kind) -> Visible:
    if kind is None or side.column.kind == kind:
        return side
    return replace(side, column=replace(side.column, kind=kind), node=kinds.cast(side.node, kind))


def aliased(columns: tuple[Column, ...] | None, alias: Any) -> tuple[Column, ...] | None:
    """The columns of a FROM item under the names its alias gives them."""
    if alias is None:
        return columns
    if columns is not None and len(alias.colnames or ()) > len(columns):
        found, given = len(columns), len(alias.colnames)
        raise InvalidColumnReference(
            f'table "{alias.aliasname}" has {found} columns available but {given} columns specified'
        )
    return renamed(columns, alias.colnames)


def renamed(columns: tuple[Column, ...] | None, names: Any) -> tuple[Column, ...] | None:
    if columns is None or not names:
        return columns
    given = [name.sval for name in names]
    return tuple(replace(c, name=n) for n, c in zip(given, columns, strict=False)) + columns[len(given) :]
