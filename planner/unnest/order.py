"""ORDER BY, LIMIT and OFFSET of a query that answers for many values at once: each value has its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, SetOperation

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.rewrite.names import column_name, fresh, leftmost
from constellationdb.planner.rewrite.tree import copied, own_nodes, strings
from constellationdb.planner.unnest import parts
from constellationdb.planner.unnest.aggregates import is_scalar
from constellationdb.planner.unnest.domain import Domain
from constellationdb.planner.unnest.names import column, free

NUMBER = "__n"


def width(select: Any) -> int:
    leaf = leftmost(select)
    return len(leaf.targetList or leaf.valuesLists[0])


def values(select: Any) -> list[str]:
    return [f"__v{i}" for i in range(width(select))]


def spelled_out(select: Any) -> None:
    """ORDER BY and GROUP BY of output columns, by name or number, become the expressions they stand for."""
    for sort in select.sortClause or ():
        sort.node = _expression(sort.node, select.targetList)
    spell_groups(select)


def spell_groups(select: Any) -> None:
    select.groupClause = tuple(_expression(node, select.targetList) for node in select.groupClause or ()) or None


def _expression(node: Any, targets: Any) -> Any:
    place = _place(node, targets)
    return node if place is None else copied(targets[place].val)


def _place(node: Any, targets: Any) -> int | None:
    """The output column that ``node`` is the name or the number of."""
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.Integer):
        return int(node.val.ival) - 1
    if isinstance(node, ast.ColumnRef) and len(strings(node)) == 1:
        names = [column_name(target) for target in targets or ()]
        return names.index(strings(node)[0]) if strings(node)[0] in names else None
    return None


def numbered(select: Any, made: Any, domain: Domain, sorts: Sequence[Any] | None) -> Any:
    """``made``, which answers ``select``, with the column __n: a row's number among those for the same values.

    ``sorts`` are ORDER BY as ``made`` itself would say it; None where it must be said by ``made``'s columns.
    """
    if sorts is not None:
        partition = [target.val for target in made.targetList[: len(domain.names)]]
        number = parts.row_number(copied(partition), sorts)
        made.targetList = (*made.targetList, parts.target(number, NUMBER))
        return made
    alias = fresh("ordered")
    inner = parts.derived(made, alias, [*domain.names, *values(select)])
    order = [_by_column(sort, select, alias) for sort in select.sortClause or ()]
    listed = [parts.target(column(alias, name), name) for name in (*domain.names, *values(select))]
    return parts.query([*listed, parts.target(parts.row_number(domain.columns(alias), order), NUMBER)], (inner,))


def is_plain(select: Any) -> bool:
    """Whether row_number() may stand in the list of ``select`` itself."""
    if select.op != SetOperation.SETOP_NONE or select.valuesLists or select.distinctClause or is_scalar(select):
        return False
    called = (node for node in own_nodes(select.targetList) if isinstance(node, ast.FuncCall))
    return not any(node.funcname[-1].sval == "unnest" for node in called)


def _by_column(sort: Any, select: Any, alias: str) -> Any:
    made, targets = copied(sort), leftmost(select).targetList
    place = _place(sort.node, targets)
    if place is None:
        place = next((i for i, target in enumerate(targets or ()) if target.val == sort.node), None)
    if place is None:
        raise FeatureNotSupported("this ORDER BY in a correlated subquery is not supported")
    made.node = column(alias, f"__v{place}")
    return made


def limited(select: Any, made: Any, domain: Domain, *, keep: bool) -> Any:
    """The rows of ``made``, which are numbered, that LIMIT and OFFSET leave for each value."""
    if set(free((select.limitCount, select.limitOffset))) & set(domain.sought):
        raise FeatureNotSupported("LIMIT by a column of the query around it is not supported")
    alias, shown = fresh("limited"), [*domain.names, *values(select)]
    count, offset, where = select.limitCount, select.limitOffset, []
    if offset is not None and not _is_null(offset):
        where.append(_operation(column(alias, NUMBER), ">", offset))
    if count is not None and not _is_null(count):
        end = _operation(copied(offset), "+", count) if where else count
        where.append(_operation(column(alias, NUMBER), "<=", end))
    targets = [parts.target(column(alias, name), name) for name in (*shown, *([NUMBER] if keep else []))]
    return parts.query(targets, (parts.derived(made, alias, [*shown, NUMBER]),), parts.conjunction(where))


def _is_null(node: Any) -> bool:
    return isinstance(node, ast.A_Const) and bool(node.isnull)


def _operation(left: Any, operator: str, right: Any) -> Any:
    name = (ast.String(sval=operator),)
    return ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP, name=name, lexpr=left, rexpr=right)
