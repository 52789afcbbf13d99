"""The walk over queries: FROM into a scope, then clause after clause as Postgres takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from pglast import ast
from pglast.enums import SetOperation

from constellationdb.planner.inference.expressions import Expressions
from constellationdb.planner.inference.parameters import Parameters, Typed
from constellationdb.planner.inference.scope import Column, Columns, Scope, renamed
from constellationdb.planner.inference.signatures import Signature
from constellationdb.planner.postgres_types import UNKNOWN
from constellationdb.planner.references import split
from constellationdb.planner.rewrite.names import column_name
from constellationdb.planner.rewrite.tree import strings
from constellationdb.planner.rewrite.windows import is_window, relation_argument, relation_name

# The columns of a relation by name and schema; None when they are not known.
Relations = Callable[[str, str | None], Columns]
_WINDOW = tuple(Column(name, Typed("timestamp")) for name in ("window_start", "window_end"))


class Queries:
    """``functions``: users' own."""

    def __init__(
        self,
        parameters: Parameters,
        relations: Relations,
        offset: int,
        functions: Mapping[str, tuple[Signature, ...]] = MappingProxyType({}),
    ) -> None:
        self._parameters = parameters
        self._relations = relations
        self._ctes: Mapping[str, Columns] = {}
        self.expressions = Expressions(parameters, self._subquery, offset, functions)

    def _subquery(self, select: Any, scope: Scope) -> Columns:
        return self.query(select, scope)

    def query(self, select: Any, parent: Scope | None = None, *, resolved: bool = True) -> Columns:
        """``resolved``: columns of no type are texts; else what is around the query decides."""
        outer = self._ctes
        try:
            if select.withClause is not None:
                self.common_tables(select.withClause, parent)
            columns = self._body(select, parent)
        finally:
            self._ctes = outer
        return self._resolved(columns) if resolved else columns

    def _resolved(self, columns: Columns) -> Columns:
        if columns is None:
            return None
        for column in columns:
            self._parameters.become(column.value, "text")
        return tuple(Column(c.name, Typed("text")) if c.type == UNKNOWN else c for c in columns)

    def common_tables(self, clause: Any, parent: Scope | None) -> None:
        for cte in clause.ctes:
            names = [name.sval for name in cte.aliascolnames or ()]
            query = cte.ctequery
            if clause.recursive and query.op != SetOperation.SETOP_NONE:
                # The first part of a recursive query decides the types of all.
                first = self._resolved(self.query(query.larg, parent, resolved=False))
                self._ctes = {**self._ctes, cte.ctename: renamed(first, names)}
            self._ctes = {**self._ctes, cte.ctename: renamed(self.query(query, parent), names)}

    def _body(self, select: Any, parent: Scope | None) -> Columns:
        if select.op != SetOperation.SETOP_NONE:
            return self._set_operation(select, parent)
        if select.valuesLists:
            return self._values(select, parent)
        return self._select(select, parent)

    def _set_operation(self, select: Any, parent: Scope | None) -> Columns:
        left = self.query(select.larg, parent, resolved=False)
        right = self.query(select.rarg, parent, resolved=False)
        word = select.op.name.removeprefix("SETOP_")
        columns: Columns = None
        if left is not None and right is not None and len(left) == len(right):
            columns = tuple(
                Column(a.name, self.expressions.together([a.value, b.value], word, None))
                for a, b in zip(left, right, strict=True)
            )
        self._limits(select, Scope(parent))
        return columns

    def _values(self, select: Any, parent: Scope | None) -> Columns:
        scope = Scope(parent)
        rows = [self.expressions.each(row, scope) for row in select.valuesLists]
        columns = [
            Column(f"column{i}", self.expressions.together(members, "VALUES", None))
            for i, members in enumerate(zip(*rows, strict=False), 1)
        ]
        self._limits(select, scope)
        return tuple(columns)

    def _select(self, select: Any, parent: Scope | None) -> Columns:
        scope = self.from_clause(select.fromClause, parent)
        columns = self.targets(select.targetList, scope)
        self.expressions.boolean(select.whereClause, scope)
        self.expressions.boolean(select.havingClause, scope)
        outputs = {target.name or column_name(target) for target in select.targetList or ()}
        keys = [sort.node for sort in select.sortClause or ()]
        keys += [node for node in (*(select.groupClause or ()), *(select.distinctClause or ())) if node is not None]
        for node in keys:
            self._key(node, outputs, scope)
        self._limits(select, scope)
        for window in select.windowClause or ():
            self.expressions.window(window, scope)
        return columns

    def _key(self, node: Any, outputs: set[str | None], scope: Scope) -> None:
        """A key of ORDER BY, GROUP BY or DISTINCT ON that is neither an output's name nor its number."""
        if isinstance(node, ast.GroupingSet):
            for member in node.content or ():
                self._key(member, outputs, scope)
        elif isinstance(node, ast.ColumnRef):
            return
        elif not (isinstance(node, ast.A_Const) and isinstance(node.val, ast.Integer)):
            self.expressions.key(node, scope)

    def _limits(self, select: Any, scope: Scope) -> None:
        self.expressions.number(select.limitOffset, scope)
        self.expressions.number(select.limitCount, scope)

    def targets(self, targets: Sequence[Any] | None, scope: Scope) -> Columns:
        found: list[Column] = []
        complete = True
        for target in targets or ():
            if isinstance(target.val, ast.ColumnRef) and isinstance(target.val.fields[-1], ast.A_Star):
                names = strings(target.val)
                starred = scope.of(names[-1]) if names else scope.visible()
                complete = complete and starred is not None
                found += starred or ()
                continue
            value = self.expressions.type(target.val, scope)
            found.append(Column(target.name or column_name(target) or "?column?", value))
        return tuple(found) if complete else None

    # -- FROM ----------------------------------------------------------------------------------

    def from_clause(self, items: Sequence[Any] | None, parent: Scope | None) -> Scope:
        scope = Scope(parent)
        for item in items or ():
            scope.add(self.item(item, scope))
        return scope

    def item(self, item: Any, scope: Scope) -> Scope:
        match item:
            case ast.RangeVar():
                return _one(item.alias, item.relname, self._table(item))
            case ast.RangeSubselect():
                around = scope if item.lateral else scope.parent
                return _one(item.alias, "", self.query(item.subquery, around))
            case ast.RangeFunction():
                return self._function(item, scope)
            case ast.JoinExpr():
                return self._join(item, scope)
            case _:
                self.expressions.unknown_here()
                return Scope()

    def _table(self, item: Any) -> Columns:
        if item.schemaname is None and item.relname in self._ctes:
            return self._ctes[item.relname]
        return self._relations(item.relname, item.schemaname)

    def _function(self, item: Any, scope: Scope) -> Scope:
        call = item.functions[0][0]
        if is_window(item):
            return self._window(item, scope)
        result = self.expressions.type(call, scope).type
        name = item.alias.aliasname if item.alias is not None else column_name(ast.ResTarget(val=call)) or ""
        single = result is not None and result != "record" and len(item.functions) == 1
        columns: Columns = (Column(name, Typed(result)),) if single else None
        if columns is not None and item.ordinality:
            columns += (Column("ordinality", Typed("int8")),)
        return _one(item.alias, name, columns)

    def _window(self, item: Any, scope: Scope) -> Scope:
        """A window call over a relation, a CTE or a subquery."""
        over = relation_argument(item)
        columns: Columns
        if isinstance(over, ast.SubLink):
            name, columns = "", self.query(over.subselect, scope.parent)
        else:
            schema, name = split(relation_name(over) or "")
            own = schema is None and name in self._ctes
            columns = self._ctes[name] if own else self._relations(name, schema)
        windowed: Columns = None if columns is None else (*columns, *_WINDOW)
        return _one(item.alias, name, windowed)

    def _join(self, join: Any, scope: Scope) -> Scope:
        inner = Scope(scope.parent)
        inner.add(scope)
        left, right = self.item(join.larg, inner), self.item(join.rarg, inner)
        both = Scope(scope)
        both.add(left)
        both.add(right)
        for name in [part.sval for part in join.usingClause or ()] or _shared(join, left, right):
            both.merged[name] = Column(name, Typed(left.column(name)))
        self.expressions.boolean(join.quals, both)
        return both


def _shared(join: Any, left: Scope, right: Scope) -> list[str]:
    if not join.isNatural:
        return []
    there = {column.name for column in right.visible() or ()}
    return [column.name for column in left.visible() or () if column.name in there]


def _one(alias: Any, name: str, columns: Columns) -> Scope:
    if alias is None:
        return Scope(tables={name: columns})
    return Scope(tables={alias.aliasname: renamed(columns, [part.sval for part in alias.colnames or ()])})
