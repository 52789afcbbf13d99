"""LIMIT and OFFSET by a subquery, and WITH TIES, as conditions on the numbers of rows.

    SELECT a FROM t ORDER BY b OFFSET 1 FETCH FIRST (SELECT n FROM u) ROWS WITH TIES

    SELECT a FROM (SELECT a, row_number() OVER (ORDER BY b) AS place, rank() OVER (ORDER BY b) AS rank FROM t)
    WHERE place > 1 AND rank <= 1 + (SELECT n FROM u) ORDER BY place

A row that ties with the last one has the rank of the first of its peers, which is no farther than the last row is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, BoolTestType, LimitOption

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.rewrite.names import column_name, fresh, leftmost, mark
from constellationdb.planner.rewrite.tree import copied, links, parse_expression, replace, strings
from constellationdb.planner.unnest import parts
from constellationdb.planner.unnest.names import column
from constellationdb.planner.unnest.order import is_plain

Columns = Callable[[Any], list[str]]
_PLACE, _RANK = "__place", "__rank"
_FUNCTIONS = {_PLACE: "row_number", _RANK: "rank"}


def rank_limits(tree: Any, columns_of: Columns) -> Any:
    """``columns_of`` tells the output names of a SELECT whose relations already have internal names."""

    def change(node: Any) -> Any:
        return _ranked(node, columns_of) if needs_ranks(node) else None

    return replace(tree, change)


def needs_ranks(node: Any) -> bool:
    if not isinstance(node, ast.SelectStmt):
        return False
    return _has_ties(node) or bool(links((node.limitCount, node.limitOffset)))


def _has_ties(select: Any) -> bool:
    return bool(select.limitOption == LimitOption.LIMIT_OPTION_WITH_TIES)


def listed_columns(select: Any) -> list[str]:
    """The output names of a SELECT without stars, as its list says them."""
    leaf = leftmost(select)
    if leaf.valuesLists:
        return [f"column{i + 1}" for i in range(len(leaf.valuesLists[0]))]
    return [column_name(target) or "?column?" for target in leaf.targetList]


def _ranked(select: Any, columns_of: Columns) -> Any:
    sorts, count, offset, ties = select.sortClause or (), select.limitCount, select.limitOffset, _has_ties(select)
    select.sortClause = select.limitCount = select.limitOffset = None
    select.limitOption = LimitOption.LIMIT_OPTION_DEFAULT
    names = _names(select, columns_of)
    ctes, select.withClause = select.withClause, None
    shown, alias = [f"k{i}" for i in range(len(names))], fresh("ranked")
    where = _conditions(alias, _given(count), _given(offset), _RANK if ties else _PLACE)
    numbers = [_RANK] * ties + [_PLACE] * (not ties or _given(offset) is not None)
    inner = _numbered(select, names, shown, sorts, numbers)
    unique = [name if names.count(name) == 1 else mark(i, name) for i, name in enumerate(names)]
    outputs = [parts.target(column(alias, k), name) for k, name in zip(shown, unique, strict=True)]
    made = parts.query(outputs, (parts.derived(inner, alias, [*shown, *numbers]),), parts.conjunction(where))
    made.withClause = ctes
    if sorts:
        made.sortClause = (parts.ascending(column(alias, numbers[-1])),)
    return made


def _names(select: Any, columns_of: Columns) -> list[str]:
    try:
        return columns_of(select)
    except Exception as error:  # DataFusion does not know the columns of a query around this one
        said = "WITH TIES, or LIMIT by a subquery, in a correlated subquery is not supported"
        raise FeatureNotSupported(said, detail=str(error)[:500]) from None


def _given(node: Any) -> Any:
    """LIMIT ALL is LIMIT NULL, and that is none."""
    return None if isinstance(node, ast.A_Const) and node.isnull else node


def _numbered(
    select: Any, names: Sequence[str], shown: Sequence[str], sorts: Sequence[Any], numbers: Sequence[str]
) -> Any:
    """``select`` with the numbers of each row behind its columns."""
    if is_plain(select) and not _says_places(select, sorts):
        said = [column_name(target) for target in select.targetList]
        order = [_resolved(sort, lambda i: copied(select.targetList[i].val), said, alone=False) for sort in sorts]
        select.targetList = (*select.targetList, *_calls(numbers, order))
        return select
    alias = fresh("sorted")
    order = [_resolved(sort, lambda i: column(alias, shown[i]), names, alone=True) for sort in sorts]
    outputs = [parts.target(column(alias, k), k) for k in shown]
    return parts.query([*outputs, *_calls(numbers, order)], (parts.derived(select, alias, shown),))


def _calls(numbers: Sequence[str], order: Sequence[Any]) -> list[Any]:
    return [parts.target(parts.number(_FUNCTIONS[name], (), copied(tuple(order))), name) for name in numbers]


def _says_places(select: Any, sorts: Sequence[Any]) -> bool:
    """Whether a sort by an output column cannot be told from the list, for there is a star in it."""
    starred = any(column_name(target) is None for target in select.targetList)
    return starred and any(not isinstance(sort.node, ast.ColumnRef) for sort in sorts)


def _resolved(sort: Any, output: Callable[[int], Any], names: Sequence[str | None], *, alone: bool) -> Any:
    """The sort with output columns as ``output`` says them; ``alone``: it can be by nothing else."""
    made = copied(sort)
    place = _place(sort.node, names)
    if place is not None:
        made.node = output(place)
    elif alone:
        raise FeatureNotSupported("ORDER BY of what is not in the list is not supported with such a LIMIT")
    return made


def _place(node: Any, names: Sequence[str | None]) -> int | None:
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.Integer):
        return int(node.val.ival) - 1
    if isinstance(node, ast.ColumnRef) and len(strings(node)) == 1 and strings(node)[0] in names:
        return names.index(strings(node)[0])
    return None


def _conditions(alias: str, count: Any, offset: Any, number: str) -> list[Any]:
    """LIMIT 0 has no ties."""
    found = []
    if offset is not None:
        offset = _checked(offset, "con_offset")
        found.append(_compared(column(alias, _PLACE), ">", offset))
    if count is not None:
        count = _checked(count, "con_limit")
        end = count if offset is None else _operation(_or_zero(offset), "+", copied(count))
        found.append(_compared(column(alias, number), "<=", end))
        if number == _RANK and not _is_positive(count):
            found.append(_compared(copied(count), ">", parse_expression("0")))
    return found


def _checked(node: Any, function: str) -> Any:
    return node if isinstance(node, ast.A_Const) else parts.call(function, node)


def _or_zero(node: Any) -> Any:
    return node if isinstance(node, ast.A_Const) else ast.CoalesceExpr(args=(copied(node), parse_expression("0")))


def _is_positive(node: Any) -> bool:
    return isinstance(node, ast.A_Const) and isinstance(node.val, ast.Integer) and node.val.ival > 0


def _compared(left: Any, operator: str, right: Any) -> Any:
    """A comparison; with a NULL, which is no limit, it is true."""
    made = _operation(left, operator, right)
    if isinstance(right, ast.A_Const) and isinstance(left, ast.ColumnRef):
        return made
    return ast.BooleanTest(arg=made, booltesttype=BoolTestType.IS_NOT_FALSE)


def _operation(left: Any, operator: str, right: Any) -> Any:
    name = (ast.String(sval=operator),)
    return ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP, name=name, lexpr=left, rexpr=right)
