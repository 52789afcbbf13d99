"""Queries that name one row by its key: ``SELECT a, b FROM t WHERE id = $1``.

They need no plan: which columns come out and what each key column equals is all
there is to them. Whatever is not exactly this form is not recognised, and planned
like any other query.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import pyarrow as pa
from pglast import ast
from pglast.enums import A_Expr_Kind, BoolExprType, LimitOption, SetOperation

from constellationdb.planner.references import find
from constellationdb.planner.relations import PlannedRelation
from constellationdb.planner.rewrite.tree import parse_query
from constellationdb.planner.statements import Parameter, Query

# What a key column equals: a parameter of the statement, or a constant in it.
KeyValue: TypeAlias = Parameter | int | str

_SIMPLE = {"targetList", "fromClause", "whereClause", "groupDistinct", "limitOption", "op", "all"}


@dataclass(frozen=True)
class PointQuery:
    """``columns`` and the columns of ``equals`` are places in the relation's schema."""

    relation: str
    columns: tuple[int, ...]
    names: tuple[str, ...]
    equals: tuple[tuple[int, KeyValue], ...]


@dataclass(frozen=True)
class _Form:
    """The same before the relation's columns are known. A column is ``(qualifier or None, name or None for *)``."""

    schema: str | None
    relation: str
    alias: str
    outputs: tuple[tuple[tuple[str | None, str | None], str | None], ...]
    equals: tuple[tuple[tuple[str | None, str], KeyValue], ...]


def point_query(query: Query, relations: Mapping[str, PlannedRelation]) -> PointQuery | None:
    """``query`` as one, if it is: over what is stored, each column compared once; a key or not."""
    if query.emit is not None or query.temporal or query.asof or query.looks_back:
        return None
    form = _form(query.text)
    if form is None:
        return None
    relation = find(relations, query.names, form.schema, form.relation)
    if relation is None or relation.kind not in ("table", "materialized view"):
        return None
    return _resolved(form, relation.name, relation.schema)


def _resolved(form: _Form, relation: str, schema: pa.Schema) -> PointQuery | None:
    columns: list[int] = []
    names: list[str] = []
    for (qualifier, name), label in form.outputs:
        if qualifier not in (None, form.alias):
            return None
        found = range(len(schema)) if name is None else [schema.get_field_index(name)]
        columns += found
        names += [label or schema.field(i).name for i in found if i >= 0]
    equals = [(q, schema.get_field_index(name), value) for (q, name), value in form.equals]
    places = [place for _, place, _ in equals]
    if min([*columns, *places]) < 0 or len(set(places)) < len(places):
        return None
    if any(qualifier not in (None, form.alias) for qualifier, _, _ in equals):
        return None
    return PointQuery(relation, tuple(columns), tuple(names), tuple((place, value) for _, place, value in equals))


@lru_cache(maxsize=1024)
def _form(text: str) -> _Form | None:
    head = text[:16].lstrip().lower()
    if not head.startswith("select"):
        return None
    select = parse_query(text)
    if not isinstance(select, ast.SelectStmt) or not _is_plain(select):
        return None
    (source,) = select.fromClause
    if not isinstance(source, ast.RangeVar) or source.catalogname or not source.inh:
        return None
    if source.alias is not None and source.alias.colnames:
        return None
    outputs = [_output(target) for target in select.targetList]
    equals = _conditions(select.whereClause)
    if equals is None or any(output is None for output in outputs):
        return None
    alias = source.relname if source.alias is None else source.alias.aliasname
    shown = tuple(output for output in outputs if output is not None)
    return _Form(source.schemaname, source.relname, alias, shown, tuple(equals))


def _is_plain(select: Any) -> bool:
    if any(getattr(select, name) for name in select if name not in _SIMPLE):
        return False
    if select.limitOption not in (None, LimitOption.LIMIT_OPTION_DEFAULT) or select.op != SetOperation.SETOP_NONE:
        return False
    return len(select.fromClause or ()) == 1 and bool(select.targetList) and select.whereClause is not None


def _output(target: Any) -> tuple[tuple[str | None, str | None], str | None] | None:
    column = _column(target.val)
    if column is None or target.indirection:
        return None
    return column, target.name


def _column(node: Any) -> tuple[str | None, str | None] | None:
    if not isinstance(node, ast.ColumnRef) or not 1 <= len(node.fields) <= 2:
        return None
    words = [None if isinstance(field, ast.A_Star) else field.sval for field in node.fields]
    return (None if len(words) == 1 else words[0]), words[-1]


def _conditions(where: Any) -> list[tuple[tuple[str | None, str], KeyValue]] | None:
    tests = where.args if isinstance(where, ast.BoolExpr) and where.boolop == BoolExprType.AND_EXPR else (where,)
    found = []
    for test in tests:
        equal = _equality(test)
        if equal is None:
            return None
        found.append(equal)
    return found


def _equality(test: Any) -> tuple[tuple[str | None, str], KeyValue] | None:
    if not isinstance(test, ast.A_Expr) or test.kind != A_Expr_Kind.AEXPR_OP:
        return None
    if len(test.name) != 1 or test.name[0].sval != "=":
        return None
    for left, right in ((test.lexpr, test.rexpr), (test.rexpr, test.lexpr)):
        column, value = _column(left), _value(right)
        if column is not None and column[1] is not None and value is not None:
            return (column[0], column[1]), value
    return None


def _value(node: Any) -> KeyValue | None:
    match node:
        case ast.ParamRef():
            return Parameter(node.number)
        case ast.A_Const(isnull=False, val=ast.Integer()):
            return int(node.val.ival)
        case ast.A_Const(isnull=False, val=ast.String()):
            return str(node.val.sval)
        case _:
            return None
