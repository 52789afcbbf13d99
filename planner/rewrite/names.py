"""What Postgres calls the columns of a SELECT list (FigureColname), and unique names for DataFusion."""

from __future__ import annotations

import itertools
from typing import Any

from pglast import ast
from pglast.enums import SubLinkType

from constellationdb.planner.rewrite.tree import MADE, last_name, nodes, strings

_UNNAMED = "?column?"
_MARK = "__out"
_numbers = itertools.count(1)


def column_name(target: Any) -> str | None:
    """The name of one target; None for a star."""
    if target.name is not None:
        name: str = target.name
        return name
    if isinstance(target.val, ast.ColumnRef) and isinstance(target.val.fields[-1], ast.A_Star):
        return None
    return _figure(target.val) or _UNNAMED


def _figure(node: Any) -> str | None:
    """The name of what a target is made of; else a cast is called like its type, and CASE case."""
    own = _own_name(node)
    if own is not None:
        return own
    match node:
        case ast.TypeCast() if node.location != MADE:
            return _type_name(node.typeName)
        case ast.TypeCast() | ast.CollateClause() | ast.A_Indirection():
            return _figure(node.arg)
        case ast.CaseExpr():
            return "case"
        case _:
            return None


def _own_name(node: Any) -> str | None:
    match node:
        case ast.ColumnRef():
            return strings(node)[-1]
        case ast.FuncCall():
            return last_name(node)
        case ast.TypeCast() | ast.CollateClause() | ast.A_Indirection():
            return _own_name(node.arg)
        case ast.CaseExpr():
            return _own_name(node.defresult)
        case ast.CoalesceExpr():
            return "coalesce"
        case ast.A_ArrayExpr():
            return "array"
        case ast.RowExpr():
            return "row"
        case ast.MinMaxExpr():
            return str(node.op.name).removeprefix("IS_").lower()
        case ast.SQLValueFunction():
            return str(node.op.name).removeprefix("SVFOP_").removesuffix("_N").lower()
        case ast.SubLink():
            return _sublink(node)
        case ast.A_Expr() if node.kind.name == "AEXPR_NULLIF":
            return "nullif"
        case _:
            return None


def _sublink(node: Any) -> str | None:
    if node.subLinkType == SubLinkType.EXISTS_SUBLINK:
        return "exists"
    if node.subLinkType == SubLinkType.ARRAY_SUBLINK:
        return "array"
    if node.subLinkType == SubLinkType.EXPR_SUBLINK:
        leaf = leftmost(node.subselect)
        return column_name(leaf.targetList[0]) if leaf.targetList else "column1"
    return None


def _type_name(type_name: Any) -> str:
    name: str = type_name.names[-1].sval
    return name


def name_outputs(select: Any) -> None:
    """Give each target of the leftmost SELECT a unique alias that ``user_names`` can read back.

    DataFusion refuses two outputs of one name; Postgres does not. A target that keeps its
    own unique name stays as written, so that ORDER BY still finds it.
    """
    leaf = leftmost(select)
    if leaf.targetList is None:
        return
    names = [column_name(target) for target in leaf.targetList]
    starred = None in names
    for number, (target, name) in enumerate(zip(leaf.targetList, names, strict=True)):
        if name is None:
            continue
        plain_column = isinstance(target.val, ast.ColumnRef) and target.name is None
        if names.count(name) > 1 or (starred and not plain_column):
            target.name = mark(number, name)
        elif target.name is None and not plain_column:
            target.name = name


def name_derived(tree: Any) -> None:
    """The same below the top, where an alias names every column: ``(SELECT k, k FROM t) q(x, y)``."""
    for node in nodes(tree):
        if isinstance(node, ast.RangeSubselect) and node.alias is not None:
            _name_under(node.subquery, node.alias.colnames)
        elif isinstance(node, ast.CommonTableExpr):
            _name_under(node.ctequery, node.aliascolnames)
        elif isinstance(node, ast.SelectStmt):
            _name_nameless(node)


def _name_under(select: Any, given: Any) -> None:
    targets = leftmost(select).targetList or ()
    names = [column_name(target) for target in targets]
    if None not in names and len(given or ()) >= len(names) > len(set(names)):
        name_outputs(select)


def _name_nameless(select: Any) -> None:
    """Outputs that nobody can speak of, for they have no name of their own, must be told apart all the same."""
    names = [column_name(target) for target in select.targetList or ()]
    for number, (target, name) in enumerate(zip(select.targetList or (), names, strict=True)):
        if name == _UNNAMED and names.count(name) > 1:
            target.name = mark(number, name)


def fresh(word: str) -> str:
    """An alias that nothing else has."""
    return f"{word}__{next(_numbers)}"


def mark(number: int, name: str) -> str:
    """A name for DataFusion that no other output has."""
    return f"{_MARK}{number}_{name}"


def user_name(name: str) -> str:
    """The name a user sees for an output that DataFusion calls ``name``."""
    if name.startswith(_MARK):
        return name[len(_MARK) :].split("_", 1)[1]
    return name


def leftmost(select: Any) -> Any:
    """The SELECT that names the columns of a set operation."""
    while select.larg is not None:
        select = select.larg
    return select
