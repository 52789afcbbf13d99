"""The walk over queries: FROM into a scope, each clause in its place, set operations, VALUES, WITH."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pglast import ast
from pglast.enums import SetOperation

from constellationdb.errors import (
    DatatypeMismatch,
    DuplicateAlias,
    FeatureNotSupported,
    InvalidColumnReference,
    InvalidLimit,
    InvalidOffset,
    SqlSyntaxError,
    UndefinedColumn,
    UndefinedFunction,
)
from constellationdb.planner.analysis import (
    dependent_columns,
    equality,
    forms,
    frames,
    grouped_sets,
    grouping_sets,
    jsonb,
    kinds,
    named_windows,
    set_functions,
    texts,
)
from constellationdb.planner.analysis.expressions import NO_OPERATOR, Expressions
from constellationdb.planner.analysis.recursion import check_recursion, check_types
from constellationdb.planner.analysis.scope import (
    Column,
    Scope,
    Table,
    Visible,
    aliased,
    merge,
    reference,
    renamed,
    visible_of,
)
from constellationdb.planner.analysis.sources import set_query
from constellationdb.planner.analysis.typed import Place, Typed
from constellationdb.planner.analysis.user_calls import (
    UserCalls,
    arguments_scope,
    check_columns,
    columns_of,
    declared,
    is_constant,
)
from constellationdb.planner.analysis.zoning import IN_UTC, Zoning, unknown
from constellationdb.planner.references import split
from constellationdb.planner.rewrite.names import column_name, fresh, mark
from constellationdb.planner.rewrite.series import is_table_function
from constellationdb.planner.rewrite.tree import copied, links, nodes, parse_query, strings, to_sql
from constellationdb.planner.rewrite.tree import replace as substituted
from constellationdb.planner.rewrite.windows import window_call
from constellationdb.planner.syntax.edits import identifier
from constellationdb.planner.window_call import Call

Columns = tuple[Column, ...] | None
# The columns of a relation by name and schema; None when there is none, or they are not known.
Relations = Callable[[str, str | None], Columns]


@dataclass(frozen=True)
class Analysis:
    """A query's columns; ``signatures``: its calls as messages name them, by location in the text."""

    columns: Columns
    signatures: Mapping[int, str] = field(default_factory=dict)
    asking: bool = False  # there are subqueries in expressions
    doubtful: bool = False  # … of which DataFusion might answer one wrong
    guarded: bool = False  # … which fails when it has a second row
    unsure: bool = False  # something might depend on the time zone, for all that is known of its types


def analyse(
    tree: Any,
    relations: Relations,
    offset: int,
    *,
    zoning: Zoning = IN_UTC,
    clause: str = "SELECT",
    checked: bool = False,
    unnesting: bool = False,
    functions: UserCalls | None = None,
) -> Analysis:
    """Check and retouch ``tree`` in place. ``clause``: what a SELECT list stands for (RETURNING).

    ``checked``: say all arithmetic so that it cannot wrap, also where a plan would be corrected later.
    ``unnesting``: leave subqueries as they are, and give every column the alias, which is unique, of its table.
    ``functions``: users' own.
    """
    expressions = Expressions(
        lambda select, scope: walk.subquery(select, scope),
        offset,
        zoning=zoning,
        checked=checked,
        unnesting=unnesting,
        functions=functions,
    )
    walk = _Queries(relations, clause, expressions, unnesting=unnesting, functions=functions)
    columns = walk.query(tree, None, {})
    found = walk.expressions
    return Analysis(columns, found.signatures, found.asking, found.doubtful, found.guarded, found.unsure)


class _Queries:
    def __init__(
        self,
        relations: Relations,
        clause: str,
        expressions: Expressions,
        *,
        unnesting: bool,
        functions: UserCalls | None,
    ) -> None:
        self._relations = relations
        self._functions = functions
        self._clause = clause
        self._ctes: dict[str, Columns] = {}
        self.made: dict[int, tuple[Any, Any]] = {}  # functions in FROM, and the subqueries in their place
        self._recursive: Any = None  # the WITH RECURSIVE query whose body comes next
        self.expressions = expressions
        self._unnesting = unnesting

    def subquery(self, select: Any, scope: Scope) -> Columns:
        clause, self._clause = self._clause, "SELECT"
        try:
            return self.query(select, scope, self._ctes)
        finally:
            self._clause = clause

    def query(self, select: Any, parent: Scope | None, ctes: Mapping[str, Columns]) -> Columns:
        outer, self._ctes = self._ctes, dict(ctes)
        try:
            if select.withClause is not None:
                self._with(select.withClause, parent)
            return self._body(select, parent)
        finally:
            self._ctes = outer

    def _with(self, clause: Any, parent: Scope | None) -> None:
        seen: set[str] = set()
        for cte in clause.ctes:
            if not isinstance(cte.ctequery, ast.SelectStmt):
                raise FeatureNotSupported(
                    "WITH clause containing a data-modifying statement must be at the top level",
                    position=self.expressions.at(cte),
                )
            for part, word in ((cte.search_clause, "SEARCH"), (cte.cycle_clause, "CYCLE")):
                if part is not None:
                    raise FeatureNotSupported(
                        f"{word} of a recursive query is not supported",
                        hint="carry a depth or the path in a column of your own",
                        position=self.expressions.at(part),
                    )
        if clause.recursive:
            check_recursion(clause.ctes, self.expressions.at)
        for cte in clause.ctes:
            if cte.ctename in seen:
                raise DuplicateAlias(
                    f'WITH query name "{cte.ctename}" specified more than once', position=self.expressions.at(cte)
                )
            seen.add(cte.ctename)
            if clause.recursive:
                self._ctes[cte.ctename], self._recursive = None, cte
            columns = self.query(cte.ctequery, parent, self._ctes)
            self._ctes[cte.ctename] = renamed(columns, cte.aliascolnames)

    def _body(self, select: Any, parent: Scope | None) -> Columns:
        if select.op != SetOperation.SETOP_NONE:
            return self._set_operation(select, parent)
        if select.valuesLists:
            return self._values(select, parent)
        return self._select(select, parent)

    # -- set operations and VALUES -------------------------------------------------------------

    def _set_operation(self, select: Any, parent: Scope | None) -> Columns:
        cte, self._recursive = self._recursive, None
        left = self.query(select.larg, parent, self._ctes)
        if cte is not None:  # the first part of a recursive query decides the types of all
            self._ctes[cte.ctename] = renamed(left, cte.aliascolnames)
        right = self.query(select.rarg, parent, self._ctes)
        self._limits(select)
        if left is None or right is None:
            return None
        word = select.op.name.removeprefix("SETOP_")
        if len(left) != len(right):
            first = _first_value(select.rarg)
            raise SqlSyntaxError(
                f"each {word} query must have the same number of columns", position=self.expressions.at(first)
            )
        pairs = zip(left, right, strict=True)
        found = tuple(Column(a.name, self._meet(select, i, word, a.kind, b.kind)) for i, (a, b) in enumerate(pairs))
        if cte is not None:
            first = _target(select.larg, 0)
            check_types(cte, left, found, None if first is None else self.expressions.at(first.val))
        zoning, canonical = self.expressions.zoning, self.expressions.checked and not (select.all and word == "UNION")
        select.larg, select.rarg = (
            _conformed(side, columns, found, zoning, canonical=canonical)
            for side, columns in ((select.larg, left), (select.rarg, right))
        )
        for sort in select.sortClause or ():
            self._output_sort(sort.node, found)
        if equality.any_keyed(column.kind for column in found) and not (select.all and word == "UNION"):
            if cte is not None or select.all:
                word += " ALL" if select.all else ""
                equality.refuse(word, (column.kind for column in found), self.expressions.at(_first_value(select.rarg)))
            select.all = True
            equality.distinct(select, [c.name for c in found], [c.kind for c in found], word)
        elif select.sortClause and any(equality.is_sorted_by_key(column.kind) for column in found):
            equality.sorted_outputs(select, [c.name for c in found], [c.kind for c in found])
        return found

    def _meet(self, select: Any, index: int, word: str, left: kinds.Kind, right: kinds.Kind) -> kinds.Kind:
        """The type of one column of a set operation; a literal on one side is read as the other side's type."""
        if pair := kinds.clash((left, right)):
            node = _target(select.rarg, index)
            raise DatatypeMismatch(
                f"{word} types {pair[0]} and {pair[1]} cannot be matched",
                position=None if node is None else self.expressions.at(node.val),
            )
        for side, mine, other in ((select.larg, left, right), (select.rarg, right, left)):
            target = _target(side, index)
            if mine != kinds.UNKNOWN or target is None or not isinstance(target.val, ast.A_Const):
                continue
            if other is not None and other != kinds.UNKNOWN:
                name = column_name(target)
                target.val = texts.typed(target.val, other, self.expressions.at(target.val))
                target.name = target.name or name
        return kinds.unify((left, right))

    def _output_sort(self, node: Any, columns: tuple[Column, ...]) -> None:
        if not isinstance(node, ast.ColumnRef) and not forms.is_integer(node):
            raise FeatureNotSupported(
                "invalid UNION/INTERSECT/EXCEPT ORDER BY clause",
                detail="Only result column names can be used, not expressions or functions.",
                hint="Add the expression/function to every SELECT, or move the UNION into a FROM clause.",
                position=self.expressions.at(node),
            )
        if not isinstance(node, ast.ColumnRef) or len(strings(node)) != 1:
            self._position(node, len(columns), "ORDER BY")
        elif strings(node)[0] not in {c.name for c in columns}:
            raise UndefinedColumn(f'column "{strings(node)[0]}" does not exist', position=self.expressions.at(node))

    def _values(self, select: Any, parent: Scope | None) -> Columns:
        rows = [list(row) for row in select.valuesLists]
        if any(len(row) != len(rows[0]) for row in rows):
            odd = next(row for row in rows if len(row) != len(rows[0]))
            raise SqlSyntaxError("VALUES lists must all be the same length", position=self.expressions.at(odd[0]))
        place = Place(Scope(parent=parent), "VALUES")
        self.expressions.doubtful |= bool(links(rows))
        columns = []
        for index in range(len(rows[0])):
            settled, kind = self.expressions.together([row[index] for row in rows], "VALUES", place)
            for row, node in zip(rows, settled, strict=True):
                row[index] = node
            columns.append(Column(f"column{index + 1}", kind))
        select.valuesLists = tuple(tuple(row) for row in rows)
        self._limits(select)
        return tuple(columns)

    # -- SELECT --------------------------------------------------------------------------------

    def _select(self, select: Any, parent: Scope | None) -> Columns:
        if not select.targetList and not select.fromClause and parent is None:
            raise FeatureNotSupported("a SELECT without columns is not supported")
        scope = Scope(parent=parent)
        for item in select.fromClause or ():
            self._from(item, scope)
        if (item := grouped_sets.read_before_grouping(select, scope)) is not None:
            self._from(item, scope)
        if self.made:
            select.fromClause = tuple(map(self._replaced, select.fromClause or ())) or None
        named_windows.spell_out(select, self.expressions)
        windows = frozenset(w.name for w in select.windowClause or () if w.name)
        place = Place(scope, self._clause, windows=windows)
        names = self._targets(select, place)
        if select.whereClause is not None:
            select.whereClause = self.expressions.condition(select.whereClause, "WHERE", self._in(place, "WHERE"))
        columns = self._output(select, scope, names)
        self._grouping(select, place, columns)
        self._order(select, place, columns)
        self._limits(select)
        if select.distinctClause == (None,) and columns is not None and _is_keyed(columns, bool(select.sortClause)):
            equality.distinct(select, [c.name for c in columns], [c.kind for c in columns])
        return None if columns is None else tuple(columns)

    def _in(self, place: Place, clause: str) -> Place:
        return Place(place.scope, clause, windows=place.windows)

    def _targets(self, select: Any, place: Place) -> dict[int, Typed]:
        """Types by the target's identity; what is no longer said as it was keeps its name."""
        found: dict[int, Typed] = {}
        targets: list[Any] = []
        for target in select.targetList or ():
            if _is_star(target.val):
                targets += self._expanded(target, place.scope, found, alone=len(select.targetList) == 1)
                continue
            if (fields := self.expressions.rows_fields(target.val, place)) is not None:
                for label, member in fields:
                    targets.append(ast.ResTarget(name=label, val=member.node, location=target.location))
                    found[id(targets[-1])] = member
                continue
            name = column_name(target)
            typed = self.expressions.expression(target.val, place)
            if not (select.groupClause or select.distinctClause):
                typed = replace(typed, node=forms.plain(typed.node))
            node = forms.as_integer(typed.node)
            target.val = node
            if target.name is None and name is not None and (column_name(target) != name or node is not typed.node):
                target.name = mark(len(targets), name) if name == "?column?" else name
            found[id(target)] = typed
            targets.append(target)
        select.targetList = tuple(targets) or None
        return found

    def _expanded(self, target: Any, scope: Scope, found: dict[int, Typed], *, alone: bool) -> list[Any]:
        """A star column by column, where it is not alone, or the columns of FROM are not those that it means."""
        shown = self._shown(target.val, scope)
        if shown is None and self._unnesting:
            raise FeatureNotSupported("* over columns that are not known is not supported here")
        if shown is None or (alone and not self._unnesting and not scope.has_merged):
            return [target]
        made = []
        for visible in shown:
            made.append(ast.ResTarget(name=visible.column.name, val=visible.node, location=target.location))
            found[id(made[-1])] = Typed(visible.node, visible.column.kind, whole=visible.column.whole)
        return made

    def _shown(self, node: Any, scope: Scope) -> list[Visible] | None:
        """The columns that a star stands for."""
        names = strings(node)
        table = scope.table(names[-1]) if names else None
        if names and table is None:
            raise scope.missing(names[-1], self.expressions.at(node))
        return scope.visible if table is None else visible_of(table)

    def _output(self, select: Any, scope: Scope, known: Mapping[int, Typed]) -> list[Column] | None:
        columns: list[Column] = []
        for target in select.targetList or ():
            if _is_star(target.val):
                starred = self._star(target.val, scope)
                if starred is None:
                    return None
                columns += starred
            else:
                typed = known[id(target)]
                columns.append(Column(column_name(target) or "?column?", typed.kind, typed.whole))
        return columns

    def _star(self, node: Any, scope: Scope) -> list[Column] | None:
        names = strings(node)
        if not names:
            return None if scope.visible is None else [v.column for v in scope.visible]
        table = scope.table(names[-1])
        if table is None:
            raise scope.missing(names[-1], self.expressions.at(node))
        return None if table.columns is None else list(table.columns)

    def _grouping(self, select: Any, place: Place, columns: list[Column] | None) -> None:
        found: list[tuple[Any, kinds.Kind]] = []
        if select.groupClause:
            self._keys(select, place, columns, found)
        if select.havingClause is not None:
            outputs = {target.name for target in select.targetList or ()}
            select.havingClause = self._of_inputs(select.havingClause, place.scope, outputs)
            select.havingClause = self.expressions.boolean(select.havingClause, "HAVING", self._in(place, "HAVING"))
        if found:  # in HAVING and ORDER BY, DataFusion takes a bare name for the output column
            select.havingClause = _qualified(select.havingClause, place.scope)
            said = [(node, _qualified(copied(node), place.scope), kind) for node, kind in found]
            equality.grouped(select, {to_sql(text): (full, kind) for node, full, kind in said for text in (node, full)})
        for window in select.windowClause or ():
            frames.define(window, self.expressions, place)

    def _keys(
        self, select: Any, place: Place, columns: list[Column] | None, found: list[tuple[Any, kinds.Kind]]
    ) -> None:
        grouping, clause, distinct = self._in(place, "GROUP BY"), select.groupClause, bool(select.groupDistinct)
        count = None if columns is None else len(columns)
        select.groupDistinct = False

        def key(node: Any) -> Any:
            if self._position(node, count, "GROUP BY") or self._is_output(node, select, place):
                target = _grouped_target(node, select)
                kind = None if target is None or columns is None else columns[select.targetList.index(target)].kind
                equality.refuse("GROUPING SETS", (kind,), self.expressions.at(node))
                return _target_of(node, select.targetList or ()) or node
            typed = self.expressions.expression(node, grouping)
            equality.refuse("GROUPING SETS", (typed.kind,), self.expressions.at(node))
            return typed.node

        if grouping_sets.has_sets(clause):
            select.groupClause = grouping_sets.spelled(clause, key, distinct=distinct) or None
            if select.groupClause is None and not grouping_sets.is_aggregated(select):
                select.groupClause = (grouping_sets.EMPTY,)
        else:
            keys = grouping_sets.listed(clause)
            select.groupClause = tuple(self._group_key(node, select, place, columns, found) for node in keys)
            select.groupClause += tuple(dependent_columns.dependent(select, place.scope))

    def _group_key(
        self, node: Any, select: Any, place: Place, columns: list[Column] | None, found: list[tuple[Any, kinds.Kind]]
    ) -> Any:
        """What is grouped by; ``found`` gets the expressions of which it is but the key."""
        count = None if columns is None else len(columns)
        if self._position(node, count, "GROUP BY") or self._is_output(node, select, place):
            target = _grouped_target(node, select)
            kind = None if target is None or columns is None else columns[select.targetList.index(target)].kind
            if target is None or not equality.is_keyed(kind):
                return node
            typed = Typed(copied(target.val), kind)
        else:
            typed = self.expressions.expression(node, self._in(place, "GROUP BY"))
        if equality.is_keyed(typed.kind):
            found.append((copied(typed.node), typed.kind))
        return equality.key(typed.node, typed.kind)

    def _is_output(self, node: Any, select: Any, place: Place) -> bool:
        """Whether a bare name means an output column: GROUP BY takes it only when no input has it."""
        if not isinstance(node, ast.ColumnRef) or len(strings(node)) != 1 or _is_star(node):
            return False
        name = strings(node)[0]
        return place.scope.named(name) is None and any(t.name == name for t in select.targetList or ())

    def _order(self, select: Any, place: Place, columns: list[Column] | None) -> None:
        names = {c.name for c in columns} if columns is not None else {t.name for t in select.targetList or ()}
        count = None if columns is None else len(columns)
        distinct = [node for node in select.distinctClause or () if node is not None]
        plain = select.distinctClause == (None,)
        said = _texts_of(select.targetList) if select.distinctClause and not distinct and select.sortClause else []
        for sort in select.sortClause or ():
            bare = isinstance(sort.node, ast.ColumnRef) and len(strings(sort.node)) == 1
            if self._position(sort.node, count, "ORDER BY") or (bare and strings(sort.node)[0] in names):
                sort.node = sort.node if plain else _shown_key(sort.node, select, columns)
                continue
            position = self.expressions.at(sort.node)
            sort.node = self._of_inputs(sort.node, place.scope, names)
            typed = self.expressions.expression(sort.node, self._in(place, "ORDER BY"))
            sort.node = typed.node if plain else equality.sort_key(typed.node, typed.kind)
            starred = any(_is_star(t.val) for t in select.targetList or ())
            if plain and not starred and (text := to_sql(sort.node)) in said:
                sort.node = forms.integer(said.index(text) + 1)  # DataFusion does not see that it is the same
            elif plain and not starred:
                raise InvalidColumnReference(
                    "for SELECT DISTINCT, ORDER BY expressions must appear in select list", position=position
                )
        if distinct:
            keys = [self.expressions.expression(node, self._in(place, "DISTINCT ON")) for node in distinct]
            select.distinctClause = tuple(equality.order_key(typed.node, typed.kind) for typed in keys)

    def _of_inputs(self, node: Any, scope: Scope, outputs: set[Any]) -> Any:
        """HAVING, and an expression in ORDER BY: a bare name means a column of FROM, never one of the output."""
        if scope.visible is None:
            return node

        def qualify(part: Any) -> Any | None:
            if not isinstance(part, ast.ColumnRef) or len(part.fields) > 1 or _is_star(part):
                return None
            name = strings(part)[0]
            if name not in outputs:
                return None
            visible = scope.named(name)
            if visible is None and scope.table(name) is None:
                raise UndefinedColumn(f'column "{name}" does not exist', position=self.expressions.at(part))
            return None if visible is None or visible.merged else _placed(copied(visible.node), part)

        return substituted(node, qualify)

    def _position(self, node: Any, count: int | None, clause: str) -> bool:
        """Whether ``node`` is a column's number; InvalidColumnReference when there are not so many."""
        if not forms.is_integer(node):
            return False
        if count is not None and not 1 <= node.val.ival <= count:
            raise InvalidColumnReference(
                f"{clause} position {node.val.ival} is not in select list", position=self.expressions.at(node)
            )
        return True

    def _limits(self, select: Any) -> None:
        for name, error, word in (("limitCount", InvalidLimit, "LIMIT"), ("limitOffset", InvalidOffset, "OFFSET")):
            node = getattr(select, name)
            if isinstance(node, ast.A_Const) and isinstance(node.val, ast.Float):
                node = _rounded(node)
                setattr(select, name, node)
            if isinstance(node, ast.A_Const) and isinstance(node.val, ast.Boolean):
                raise DatatypeMismatch(f"argument of {word} must be type bigint, not type boolean")
            if isinstance(node, ast.A_Const) and isinstance(node.val, ast.String):
                setattr(select, name, texts.typed(node, kinds.BIGINT, self.expressions.at(node)))
            if forms.is_integer(node) and node.val.ival < 0:
                raise error(f"{word} must not be negative")
            if isinstance(node, ast.ColumnRef):
                raise InvalidColumnReference(
                    f"argument of {word} must not contain variables", position=self.expressions.at(node)
                )
            if node is not None and not isinstance(node, ast.A_Const | ast.ColumnRef):
                setattr(select, name, self._bigint(node, word))

    def _bigint(self, node: Any, word: str) -> Any:
        """A constant expression as LIMIT takes it: rounded."""
        position = self.expressions.at(node)
        typed = self.expressions.expression(node, Place(Scope(), word))
        if typed.kind in (kinds.NUMERIC, kinds.REAL, kinds.DOUBLE):
            return kinds.cast(forms.rounded(typed.node, typed.kind), kinds.BIGINT)
        if typed.kind not in (None, kinds.UNKNOWN, *kinds.INTEGERS):
            raise DatatypeMismatch(f"argument of {word} must be type bigint, not type {typed.kind}", position=position)
        return typed.node

    def _replaced(self, item: Any) -> Any:
        return self.made[id(item)][1] if id(item) in self.made else item

    # -- FROM ----------------------------------------------------------------------------------

    def _from(self, item: Any, scope: Scope) -> None:
        tables, visible = self._item(item, scope)
        scope.add(tables, visible, self.expressions.at(item))

    def _item(self, item: Any, scope: Scope) -> tuple[list[Table], list[Visible] | None]:
        match item:
            case ast.RangeVar():
                return self._table(item)
            case ast.JoinExpr():
                return self._join(item, scope)
            case ast.RangeSubselect():
                columns = self._subselect(item, scope)
                alias = item.alias.aliasname if item.alias is not None else ""
                return self._one(item, alias, "", aliased(columns, item.alias), name_all=True)
            case ast.RangeFunction():
                return self._function(item, scope)
            case _:
                return [], None

    def _subselect(self, item: Any, scope: Scope) -> Columns:
        clause, self._clause = self._clause, "SELECT"
        self.expressions.asking |= bool(item.lateral)
        try:
            return self.query(item.subquery, scope if item.lateral else scope.parent, self._ctes)
        finally:
            self._clause = clause

    def _table(self, item: Any) -> tuple[list[Table], list[Visible] | None]:
        is_cte = item.schemaname is None and item.relname in self._ctes
        columns = self._ctes[item.relname] if is_cte else self._relations(item.relname, item.schemaname)
        alias = item.alias.aliasname if item.alias is not None else item.relname
        shown = aliased(columns, item.alias)
        key = () if is_cte else tuple(column.name for column in shown or () if column.key)
        return self._one(item, alias, item.relname, shown, key=key)

    def _one(
        self,
        item: Any,
        alias: str,
        relation: str,
        columns: Columns,
        *,
        name_all: bool = False,
        key: tuple[str, ...] = (),
    ) -> tuple[list[Table], list[Visible] | None]:
        """An item of FROM; ``name_all``: its alias must name its columns, too, where it gets one of its own."""
        table = Table(alias, relation, columns, key=key)
        if item.alias is not None and item.alias.colnames and columns is not None:  # Postgres takes fewer names
            item.alias.colnames = tuple(ast.String(sval=column.name) for column in columns)
        if self._unnesting:
            table = replace(table, own=fresh(alias or "unnamed"))
            given = item.alias.colnames if item.alias is not None else None
            if name_all:
                if columns is None:
                    raise FeatureNotSupported("a subquery whose columns are not known is not supported here")
                given = tuple(ast.String(sval=column.name) for column in columns)
            item.alias = ast.Alias(aliasname=table.own, colnames=given)
        return [table], visible_of(table)

    def _function(self, item: Any, scope: Scope) -> tuple[list[Table], list[Visible] | None]:
        if (users := self._functions) is not None and users.is_set(self.expressions, item, scope):
            return self._user_set(users, item, scope)
        call = window_call(item, 0)
        if call is None and is_table_function(item):
            return [Table(item.alias.aliasname if item.alias is not None else "", "", None)], None
        if call is None:
            return self._set(item, scope)
        schema, name = split(call.relation)
        columns = self._relations(name, schema)
        alias = item.alias.aliasname if item.alias is not None else name
        whole = None if columns is None else (*columns, *_window(columns, call))
        return self._one(item, alias, name, aliased(whole, item.alias))

    def _set(self, item: Any, scope: Scope) -> tuple[list[Table], list[Visible] | None]:
        """Functions in FROM become a subquery, which sees what stands before it."""
        walk = self.expressions
        correlated, walk.correlated = walk.correlated, False
        select, columns, name = set_query(item, walk, Place(Scope(parent=scope), "FROM"), self._functions)
        if walk.correlated and not self._unnesting:
            raise FeatureNotSupported("a function in FROM that mentions what stands before it is not supported here")
        walk.correlated |= correlated
        alias = item.alias.aliasname if item.alias is not None else name
        if item.alias is None:
            item.alias = ast.Alias(aliasname=alias)
        single = name in jsonb.VALUES
        called = self._functions and self._functions.in_python(item.functions[0][0])
        declared_names = single or bool(called and called.columns)
        if len(columns) == 1 + bool(item.ordinality) and not item.alias.colnames and not declared_names:
            columns = (replace(columns[0], name=alias), *columns[1:])
        columns = aliased(columns, item.alias) or ()
        item.alias.colnames = tuple(ast.String(sval=column.name) for column in columns)
        made = ast.RangeSubselect(lateral=False, subquery=select, alias=item.alias)
        self.made[id(item)] = item, made
        tables, visible = self._one(made, alias, "", columns, name_all=True)
        return [replace(table, single=single and not item.ordinality) for table in tables], visible

    def _user_set(self, users: UserCalls, item: Any, scope: Scope) -> tuple[list[Table], list[Visible] | None]:
        """A user's function in FROM becomes the query that is its body, with the types that it declares."""
        call = item.functions[0][0]
        with users.rows(self.expressions, call, scope) as (function, arguments, body):
            if not self._unnesting and not all(map(is_constant, arguments)):
                raise FeatureNotSupported(
                    "a function in FROM that mentions what stands before it is not supported here"
                )
            around = arguments_scope(function, arguments)
            found = self.query(copied(body), around, {})
            check_columns(function, found)
            select = declared(function, body, found)
            self.query(select, around, {})
        alias = item.alias or ast.Alias(aliasname=function.name)
        columns = aliased(tuple(columns_of(function)), alias) or ()
        if not function.columns and item.alias is not None and not item.alias.colnames:
            columns = (replace(columns[0], name=alias.aliasname),)
        made = ast.RangeSubselect(
            lateral=False,
            subquery=copied(select),
            alias=ast.Alias(aliasname=alias.aliasname, colnames=tuple(ast.String(sval=c.name) for c in columns)),
        )
        self.made[id(item)] = item, made
        return self._one(made, alias.aliasname, "", columns, name_all=True)

    def _join(self, join: Any, scope: Scope) -> tuple[list[Table], list[Visible] | None]:
        left_tables, left = self._item(join.larg, scope)
        right_tables, right = self._item(join.rarg, scope.beside(left_tables, left))
        join.larg, join.rarg = self._replaced(join.larg), self._replaced(join.rarg)
        left_tables, right_tables = _nullable(join, left_tables, right_tables)
        inner = Scope(parent=scope)
        inner.add(left_tables, left, self.expressions.at(join.larg))
        inner.add(right_tables, right, self.expressions.at(join.rarg))
        visible = None if left is None or right is None else left + right
        if left is not None and right is not None and join.alias is None and (join.usingClause or join.isNatural):
            names = [name.sval for name in join.usingClause or ()] or _common(left, right)
            if names:
                position = self.expressions.at(join)
                self._check_merged(names, left, right, position)
                visible = merge(join, names, left, right, position, equality.key)
                if join.join_using_alias is not None:
                    alias = join.join_using_alias.aliasname
                    shared = tuple(visible[: len(names)])
                    right_tables = [*right_tables, Table(alias, "", tuple(v.column for v in shared), merged=shared)]
                    join.join_using_alias = None
        elif join.quals is not None:
            place = Place(inner, "JOIN/ON")
            join.quals = self.expressions.condition(join.quals, "JOIN/ON", place)
        return left_tables + right_tables, visible

    def _check_merged(
        self, names: list[str], left: Sequence[Visible], right: Sequence[Visible], position: int | None
    ) -> None:
        """Columns that USING makes one are compared as they are: none may have to be put in a time zone."""
        for name in names:
            found = [v.column.kind for v in (*left, *right) if v.column.name == name]
            if (clash := kinds.clash(found)) is not None:
                raise UndefinedFunction(f"operator does not exist: {clash[0]} = {clash[1]}", hint=NO_OPERATOR)
            if self.expressions.zoning.explicit and kinds.TIMESTAMPTZ in found and len(set(found)) > 1:
                raise unknown(position)


def _nullable(join: Any, left: list[Table], right: list[Table]) -> tuple[list[Table], list[Table]]:
    """The tables of both sides, those that the join may put NULLs for marked."""
    sides = {
        "JOIN_LEFT": (False, True), "JOIN_RIGHT": (True, False), "JOIN_FULL": (True, True),
    }.get(join.jointype.name, (False, False))  # fmt: skip
    marked = [
        [replace(table, nullable=True) for table in side] if outer else side
        for side, outer in zip((left, right), sides, strict=True)
    ]
    return marked[0], marked[1]


def _is_keyed(columns: Sequence[Column], is_sorted: bool) -> bool:
    """Whether rows are told apart, or sorted, by keys of theirs."""
    found = [column.kind for column in columns]
    return equality.any_keyed(found) or (is_sorted and any(map(equality.is_sorted_by_key, found)))


def _window(columns: Sequence[Column], call: Call) -> tuple[Column, Column]:
    """The columns that a window adds, which are of the type of the time that it is over."""
    kind = next((column.kind for column in columns if column.name == call.time_column), kinds.TIMESTAMP)
    return Column("window_start", kind), Column("window_end", kind)


def _common(left: Sequence[Visible], right: Sequence[Visible]) -> list[str]:
    there = {v.column.name for v in right}
    return [v.column.name for v in left if v.column.name in there]


def _placed(node: Any, original: Any) -> Any:
    node.location = original.location
    return node


def _qualified(node: Any, scope: Scope) -> Any:
    def qualify(part: Any) -> Any | None:
        visible = (
            scope.named(part.fields[0].sval) if isinstance(part, ast.ColumnRef) and len(part.fields) == 1 else None
        )
        return None if visible is None else copied(visible.node)

    return substituted(node, qualify)


def _grouped_target(node: Any, select: Any) -> Any | None:
    """The target that GROUP BY means by a number or a name; None among stars."""
    targets = select.targetList or ()
    if any(_is_star(target.val) for target in targets):
        return None
    if forms.is_integer(node):
        return targets[node.val.ival - 1]
    return next((target for target in targets if target.name == strings(node)[0]), None)


def _shown_key(node: Any, select: Any, columns: list[Column] | None) -> Any:
    """What ORDER BY sorts by when it means an output column."""
    place = node.val.ival - 1 if forms.is_integer(node) else None
    for index, column in enumerate(columns or ()):
        if equality.is_sorted_by_key(column.kind) and (
            index == place or (place is None and column.name == strings(node)[0])
        ):
            target = _target(select, index)
            if target is not None and any(set_functions.is_set(part) for part in nodes(target.val)):
                raise FeatureNotSupported(
                    f"ORDER BY of {column.kind} values that a function in the list returns is not supported",
                    hint="call it in FROM",
                )
            shown = reference(column.name) if target is None else copied(target.val)
            return equality.sort_key(shown, column.kind)
    return node


def _texts_of(targets: Any) -> list[str]:
    return [to_sql(target.val) for target in targets or () if not _is_star(target.val)]


def _is_star(node: Any) -> bool:
    return isinstance(node, ast.ColumnRef) and isinstance(node.fields[-1], ast.A_Star)


def _target(select: Any, index: int) -> Any | None:
    """The target that gives column ``index`` of a plain SELECT without stars."""
    targets = select.targetList or ()
    if select.op != SetOperation.SETOP_NONE or any(_is_star(t.val) for t in targets) or index >= len(targets):
        return None
    return targets[index]


def _conformed(
    side: Any, columns: tuple[Column, ...], wanted: tuple[Column, ...], zoning: Zoning, *, canonical: bool
) -> Any:
    """One side of a set operation with its numerics as doubles, its dates as instants, where the other has those.

    ``canonical``: equal doubles are to look the same.
    """
    references = [ast.ColumnRef(fields=(ast.String(sval=f"c{i}"),)) for i in range(len(columns))]
    made = [
        forms.as_float(node, b.kind)
        if b.kind is not None and _becomes_float(a.kind, b.kind) else zoning.met(node, a.kind, b.kind)
        for node, a, b in zip(references, columns, wanted, strict=True)
    ]  # fmt: skip
    if canonical:
        pairs = zip(made, wanted, strict=True)
        made = [forms.canonical(n, c.kind) if c.kind in (kinds.REAL, kinds.DOUBLE) else n for n, c in pairs]
    if all(new is old for new, old in zip(made, references, strict=True)):
        return side
    inner, values = [to_sql(node) for node in references], [to_sql(node) for node in made]
    listed = ", ".join(f"{v} AS {identifier(c.name)}" for v, c in zip(values, columns, strict=True))
    return parse_query(f"SELECT {listed} FROM ({to_sql(side)}) AS side({', '.join(inner)})")


def _becomes_float(mine: kinds.Kind, wanted: kinds.Kind) -> bool:
    return mine == kinds.NUMERIC and wanted in (kinds.REAL, kinds.DOUBLE)


def _rounded(node: Any) -> Any:
    """LIMIT 1.5 is LIMIT 2."""
    return forms.integer(int(Decimal(node.val.fval).to_integral_value(ROUND_HALF_UP)))


def _first_value(select: Any) -> Any:
    while select.op != SetOperation.SETOP_NONE:
        select = select.larg
    return select.targetList[0].val if select.targetList else None


__all__ = ["Analysis", "Typed", "analyse"]


def _target_of(node: Any, targets: Any) -> Any | None:
    """The expression of the output column that a number or a bare name stands for; None for anything else."""
    if forms.is_integer(node):
        found = targets[node.val.ival - 1 :][:1] if not any(_is_star(t.val) for t in targets) else ()
    else:
        found = [target for target in targets if target.name == strings(node)[0]]
    return found[0].val if found else None
