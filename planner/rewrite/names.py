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
    return _figure(target.val)[0] or _UNNAMED


_Named = tuple[str | None, bool]  # a name, and whether it is better than that of a type or "case"


def _figure(node: Any) -> _Named:
    match node:
        case ast.ColumnRef():
            return strings(node)[-1], True
        case ast.FuncCall():
            return last_name(node), True
        case ast.GroupingFunc():
            return "grouping", True
        case ast.TypeCast() if node.location == MADE:
            return _figure(node.arg)
        case ast.TypeCast():
            name, good = _figure(node.arg)
            return (name, True) if good else (str(node.typeName.names[-1].sval), False)
        case ast.CollateClause():
            return _figure(node.arg)
        case ast.A_Indirection():
            fields = [step.sval for step in node.indirection if isinstance(step, ast.String)]
            return (fields[-1], True) if fields else _figure(node.arg)
        case ast.CaseExpr():
            name, good = _figure(node.defresult)
            return (name, True) if good else ("case", False)
        case ast.CoalesceExpr():
            return "coalesce", True
        case ast.A_ArrayExpr():
            return "array", True
        case ast.RowExpr():
            return "row", True
        case ast.MinMaxExpr():
            return str(node.op.name).removeprefix("IS_").lower(), True
        case ast.SQLValueFunction():
            return str(node.op.name).removeprefix("SVFOP_").removesuffix("_N").lower(), True
        case ast.SubLink():
            return _sublink(node)
        case ast.A_Expr() if node.kind.name == "AEXPR_NULLIF":
            return "nullif", True
        case _:
            return None, False


def _sublink(node: Any) -> _Named:
    if node.subLinkType == SubLinkType.EXISTS_SUBLINK:
        return "exists", True
    if node.subLinkType == SubLinkType.ARRAY_SUBLINK:
        return "array", True
    if node.subLinkType == SubLinkType.EXPR_SUBLINK:
        leaf = leftmost(node.subselect)
        if not leaf.targetList:
            return "column1", True
        target = leaf.targetList[0]
        return (target.name, True) if target.name is not None else _figure(target.val)
    return None, False


def name_outputs(select: Any) -> None:
    """Give each target of every SELECT a unique alias that ``user_names`` can read back.

    DataFusion refuses two outputs of one name; Postgres does not. A target that keeps its
    own unique name stays as written, so that ORDER BY still finds it.
    """
    if select.larg is not None:
        name_outputs(select.larg)
        name_outputs(select.rarg)
        return
    leaf = select
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
    """The same below the top: all where an alias names them, ``(SELECT k, k FROM t) q(x, y)``, else what is unique."""
    for node in nodes(tree):
        if isinstance(node, ast.RangeSubselect):
            _name_under(node.subquery, None if node.alias is None else node.alias.colnames)
        elif isinstance(node, ast.CommonTableExpr):
            _name_under(node.ctequery, node.aliascolnames)


def _name_under(select: Any, given: Any) -> None:
    targets = leftmost(select).targetList or ()
    names = [column_name(target) for target in targets]
    if None not in names and len(given or ()) >= len(names) > len(set(names)):
        name_outputs(select)
        return
    for number, (target, name) in enumerate(zip(targets, names, strict=True)):
        named = target.name is not None or isinstance(target.val, ast.ColumnRef)
        if name is not None and not named:
            target.name = name if names.count(name) == 1 else mark(number, name)


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
