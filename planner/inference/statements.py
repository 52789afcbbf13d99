"""``infer_parameters``: the types of a statement's parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pglast
from pglast import ast
from pglast.enums import CmdType

from constellationdb.catalog.types import of_field
from constellationdb.errors import DatatypeMismatch, SqlSyntaxError, UndefinedParameter
from constellationdb.planner import postgres_types as types
from constellationdb.planner import statements as st
from constellationdb.planner.inference.parameters import Parameters, Typed
from constellationdb.planner.inference.queries import Queries, Relations
from constellationdb.planner.inference.scope import Column, Columns, Scope, renamed
from constellationdb.planner.inference.signatures import of_users
from constellationdb.planner.postgres_types import UNKNOWN
from constellationdb.planner.references import Names, find
from constellationdb.planner.relations import PlannedRelation, functions_among
from constellationdb.planner.rewrite.group_windows import expand_group_windows
from constellationdb.planner.syntax.mask import mask
from constellationdb.planner.syntax.tokens import Region, read_tokens

_REWRITE = "You will need to rewrite or cast the expression."


def infer_parameters(
    statement: st.Statement, relations: Mapping[str, PlannedRelation], given_oids: Sequence[int] = ()
) -> tuple[int, ...]:
    """The oid of each $n of ``statement``, by where they stand; an oid the client gave is kept."""
    parameters = Parameters(given_oids)
    if "$" in statement.text:
        _infer(statement, relations, parameters)
    return parameters.oids()


def _infer(statement: st.Statement, relations: Mapping[str, PlannedRelation], parameters: Parameters) -> None:
    match statement:
        case st.Explain():
            _infer(statement.statement, relations, parameters)
        case st.DeclareCursor():
            _infer(statement.source, relations, parameters)
        case st.ChangingWith(change=change, rest=rest):
            _infer(change, relations, parameters)
            _infer(rest, relations, parameters)
        case st.Select() | st.Insert() | st.Update() | st.Delete() | st.Merge():
            source = read_tokens(statement.text)
            tree = pglast.parse_sql(mask(Region(source, 0, len(source.tokens))).text)[0].stmt
            names = statement.query.names if isinstance(statement, st.Select) else statement.meant
            _Statement(parameters, relations, statement.offset, names).statement(tree)
        case st.Subscribe(query=query) | st.CreateTableAs(query=query) if query is not None:
            tree = pglast.parse_sql(query.text)[0].stmt
            _Statement(parameters, relations, query.offset, query.names).statement(tree)
        case st.Prepare():
            pass  # its $1 are its own: EXECUTE gives them
        case _:
            _refuse(statement)


def _refuse(statement: st.Statement) -> None:
    """A statement that takes no parameters."""
    for token in read_tokens(statement.text).tokens:
        if token.name == "PARAM":
            raise UndefinedParameter(
                f"there is no parameter {statement.text[token.start : token.end]}",
                position=statement.offset + token.start + 1,
            )


class _Statement:
    def __init__(
        self, parameters: Parameters, relations: Mapping[str, PlannedRelation], offset: int, names: Names
    ) -> None:
        self._parameters = parameters
        self._known = relations
        self._names = names
        self._functions = of_users(functions_among(relations))
        self._queries = Queries(parameters, self._columns, offset, self._functions)

    def _columns(self, name: str, schema: str | None) -> Columns:
        return self._columns_of(find(self._known, self._names, schema, name))

    def _columns_of(self, found: PlannedRelation | None) -> Columns:
        if found is None:
            return None
        if found.query is None:
            return tuple(Column(field.name, Typed(types.by_oid(of_field(field).oid))) for field in found.schema)
        tree = pglast.parse_sql(found.query.text)[0].stmt
        names = found.query.names
        columns: Relations = lambda n, s: self._columns_of(find(self._known, names, s, n))  # noqa: E731
        inner = Queries(Parameters(()), columns, 0, self._functions)
        return renamed(inner.query(tree), found.column_names)

    def statement(self, tree: Any) -> None:
        expand_group_windows(tree, 0)
        if not isinstance(tree, ast.SelectStmt) and tree.withClause is not None:
            self._queries.common_tables(tree.withClause, None)
        match tree:
            case ast.SelectStmt():
                self._queries.query(tree)
            case ast.InsertStmt():
                self._insert(tree)
            case ast.UpdateStmt():
                self._update(tree)
            case ast.MergeStmt():
                self._merge(tree)
            case ast.DeleteStmt():
                scope = self._target(tree.relation)
                scope.add(self._queries.from_clause(tree.usingClause, None))
                self._queries.expressions.boolean(tree.whereClause, scope)
                self._returning(tree, scope)

    def _merge(self, tree: Any) -> None:
        columns = self._columns(tree.relation.relname, tree.relation.schemaname)
        both = self._target(tree.relation)
        both.add(self._queries.from_clause((tree.sourceRelation,), None))
        self._queries.expressions.boolean(tree.joinCondition, both)
        for clause in tree.mergeWhenClauses:
            self._queries.expressions.boolean(clause.condition, both)
            if clause.commandType == CmdType.CMD_UPDATE:
                self._assignments(clause.targetList, both, columns)
            elif clause.commandType == CmdType.CMD_INSERT:
                self._merge_insert(clause, both, columns)

    def _merge_insert(self, clause: Any, scope: Scope, columns: Columns) -> None:
        by_name = {column.name: column for column in columns or ()}
        listed = [target.name for target in clause.targetList or ()] or list(by_name)
        for node, name in zip(clause.values or (), listed, strict=False):
            if _is_value(node):
                (value,) = self._queries.expressions.each([node], scope)
                self._stored(value, by_name.get(name))

    def _target(self, relation: Any) -> Scope:
        alias = relation.relname if relation.alias is None else relation.alias.aliasname
        return Scope(tables={alias: self._columns(relation.relname, relation.schemaname)})

    def _returning(self, tree: Any, scope: Scope) -> None:
        clause = tree.returningClause
        for column in self._queries.targets(clause.exprs if clause else (), scope) or ():
            self._parameters.become(column.value, "text")

    def _update(self, tree: Any) -> None:
        scope = self._target(tree.relation)
        scope.add(self._queries.from_clause(tree.fromClause, None))
        self._queries.expressions.boolean(tree.whereClause, scope)
        self._returning(tree, scope)
        self._assignments(tree.targetList, scope, self._columns(tree.relation.relname, tree.relation.schemaname))

    def _assignments(self, targets: Any, scope: Scope, columns: Columns) -> None:
        by_name = {column.name: column for column in columns or ()}
        members = [target for target in targets or () if _is_value(target.val)]
        values = self._queries.expressions.each([target.val for target in members], scope)
        for value, target in zip(values, members, strict=True):
            self._stored(value, by_name.get(target.name))

    def _stored(self, value: Typed, column: Column | None) -> None:
        """An expression that ``column`` takes; of others than parameters the planner knows better."""
        if column is None or column.type is None:
            self._queries.expressions.unknown_here()
            return
        self._parameters.become(value, column.type)

    def _insert(self, tree: Any) -> None:
        columns = self._columns(tree.relation.relname, tree.relation.schemaname)
        by_name = {column.name: column for column in columns or ()}
        listed = [column.name for column in tree.cols or columns or ()]
        targets = [by_name.get(name) for name in listed]
        if tree.selectStmt is not None:
            self._insert_source(tree.selectStmt, targets)
        scope = self._target(tree.relation)
        if tree.onConflictClause is not None:
            around = Scope(tables={**scope.tables, "excluded": columns})
            self._assignments(tree.onConflictClause.targetList, around, columns)
            self._queries.expressions.boolean(tree.onConflictClause.whereClause, around)
        self._returning(tree, scope)

    def _insert_source(self, select: Any, targets: list[Column | None]) -> None:
        if select.valuesLists and select.withClause is None and not select.sortClause and select.limitCount is None:
            for row in select.valuesLists:
                self._insert_row(row, targets)
            return
        for output, column in zip(self._queries.query(select, resolved=False) or (), targets, strict=False):
            self._stored(output.value, column)

    def _insert_row(self, row: Any, targets: list[Column | None]) -> None:
        expressions = self._queries.expressions
        if targets and len(row) > len(targets):
            raise SqlSyntaxError(
                "INSERT has more expressions than target columns", position=expressions.at(row[len(targets)])
            )
        members = [(node, column) for node, column in zip(row, targets, strict=False) if _is_value(node)]
        values = expressions.each([node for node, _ in members], Scope())
        for value, (node, column) in zip(values, members, strict=True):
            self._stored(value, column)
            if isinstance(node, ast.ParamRef) and column is not None:
                self._check_storable(value, column, expressions.at(node))

    def _check_storable(self, value: Typed, column: Column, position: int | None) -> None:
        """42804 for a parameter of a type that its column does not take: no plan will look at it."""
        if value.type in (None, UNKNOWN) or column.type is None:
            return
        assert value.type is not None
        if not types.casts(value.type, column.type, assignment=True):
            raise DatatypeMismatch(
                f'column "{column.name}" is of type {types.display(column.type)}'
                f" but expression is of type {types.display(value.type)}",
                hint=_REWRITE,
                position=position,
            )


def _is_value(node: Any) -> bool:
    """Not the word DEFAULT."""
    return not isinstance(node, ast.SetToDefault)
