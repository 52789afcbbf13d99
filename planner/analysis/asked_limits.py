"""LIMIT and OFFSET by a subquery: the rows are numbered in their order, and the numbers compared with its answer.

SELECT a FROM t ORDER BY b LIMIT (SELECT n FROM u)

SELECT rows.c0 AS a FROM (SELECT a, row_number() OVER (ORDER BY b) FROM t) AS rows(c0, number)
WHERE rows.number <= coalesce((SELECT n FROM u), all there are) ORDER BY rows.number
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pglast import ast
from pglast.enums import LimitOption, SetOperation

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.analysis import forms
from constellationdb.planner.rewrite.names import fresh, mark
from constellationdb.planner.rewrite.tree import copied, links, parse_expression, parse_query, to_sql

_ALL = (1 << 63) - 1


def is_asked(select: Any) -> bool:
    return bool(links((select.limitCount, select.limitOffset)))


def answer(select: Any, names: Sequence[str]) -> None:
    """``select``, whose output has these names, in place."""
    if select.limitOption == LimitOption.LIMIT_OPTION_WITH_TIES:
        raise FeatureNotSupported("WITH TIES by a subquery is not supported")
    alias, columns, shown = _columns(names)
    made = parse_query(
        f"SELECT {shown} FROM (SELECT) AS {alias}({columns}, number)"
        f" WHERE {_between(alias, select)} ORDER BY {alias}.number"
    )
    for place, (target, name) in enumerate(zip(made.targetList, names, strict=True)):
        target.name = mark(place, name) if name == "?column?" or name in names[:place] else name
    made.fromClause[0].subquery = _numbered(select, names)
    made.withClause = select.withClause
    for part in select:
        setattr(select, part, getattr(made, part))


def _columns(names: Sequence[str]) -> tuple[str, str, str]:
    """An alias, its columns, and how these are read."""
    alias, columns = fresh("rows"), [f"c{i}" for i in range(len(names))]
    return alias, ", ".join(columns), ", ".join(f"{alias}.{column}" for column in columns)


def _between(alias: str, select: Any) -> str:
    number = f"{alias}.number"
    if select.limitOffset is not None:
        number = f"{number} - coalesce({to_sql(select.limitOffset)}, 0)"
    count = str(_ALL) if select.limitCount is None else f"coalesce({to_sql(select.limitCount)}, {_ALL})"
    return f"{number} > 0 AND {number} <= {count}" if select.limitOffset is not None else f"{number} <= {count}"


def _numbered(select: Any, names: Sequence[str]) -> Any:
    inner, sorts = copied(select), tuple(copied(select.sortClause or ()))
    inner.sortClause = inner.limitCount = inner.limitOffset = inner.withClause = None
    if select.op != SetOperation.SETOP_NONE or select.valuesLists or select.distinctClause:
        alias, columns, shown = _columns(names)
        for sort in sorts:
            sort.node = parse_expression(f"{alias}.c{forms.output_place(sort.node, select, names)}")
        inner = parse_query(f"SELECT {shown} FROM ({to_sql(inner)}) AS {alias}({columns})")
    else:
        for sort in sorts:
            sort.node = _said(sort.node, select, names)
    number = parse_expression("row_number() OVER ()")
    number.over.orderClause = sorts or None
    inner.targetList = (*(inner.targetList or ()), ast.ResTarget(name="number", val=number))
    return inner


def _said(node: Any, select: Any, names: Sequence[str]) -> Any:
    """What ORDER BY means by a number or the name of an output column."""
    targets: Any = select.targetList or ()
    named = isinstance(node, ast.ColumnRef) and len(node.fields) == 1 and node.fields[0].sval in names
    if (not named and not forms.is_integer(node)) or len(targets) != len(names):
        return node
    return copied(targets[forms.output_place(node, select, names)].val)
