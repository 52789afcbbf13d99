"""A correlated query made to answer for its whole domain: each of its rows beside the values it is an answer for."""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import JoinType, LimitOption, SetOperation

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.rewrite.tree import copied, own_nodes
from constellationdb.planner.unnest import order, parts
from constellationdb.planner.unnest.aggregates import is_scalar, padded
from constellationdb.planner.unnest.domain import Domain
from constellationdb.planner.unnest.names import free
from constellationdb.planner.unnest.recursion import carried, carriers


def attached(select: Any, domain: Domain, *, numbered: bool = False) -> Any:
    """A query of the domain's columns, then those of ``select``, called __v0, __v1, …

    What it still mentions of others is mentioned by a member of its FROM, of its own domain.
    ``numbered``: one more column, __n, says where a row stands among those for the same values.
    """
    clause = None
    if select.withClause is not None:
        clause, domain = carried(select.withClause, domain, attached)
    made, sorts = _attached(select, domain)
    limited = select.limitCount is not None or select.limitOffset is not None
    if limited or numbered:
        made = order.numbered(select, made, domain, sorts)
    if limited:
        made = order.limited(select, made, domain, keep=numbered)
    made.withClause = clause
    return made


def _attached(select: Any, domain: Domain) -> tuple[Any, Any]:
    """The query without its LIMIT, and its ORDER BY where it can be said in the query itself."""
    if select.op != SetOperation.SETOP_NONE:
        made = parts.query((), ())
        made.targetList, made.op, made.all = None, select.op, select.all
        made.larg, made.rarg = attached(select.larg, domain), attached(select.rarg, domain)
        return made, None
    if select.valuesLists:
        rows = [attached(_row(row), domain) for row in select.valuesLists]
        made = rows[0]
        for row in rows[1:]:
            made = parts.union_all(made, row)
        return made, None
    return _plain(select, domain)


def _row(values: Any) -> Any:
    return parts.query([parts.target(value, f"__v{i}") for i, value in enumerate(values)], ())


def _plain(select: Any, domain: Domain) -> tuple[Any, Any]:
    made = copied(select)
    made.withClause = made.limitCount = made.limitOffset = None
    made.limitOption = LimitOption.LIMIT_OPTION_DEFAULT
    order.spelled_out(made)
    alias, made.fromClause = _sources(made, domain)
    made = domain.read_from(made, alias)
    for i, target in enumerate(made.targetList):
        target.name = f"__v{i}"
    if is_scalar(select):
        return padded(made, domain, alias), None
    made.targetList = (*map(parts.target, domain.columns(alias), domain.names), *made.targetList)
    if made.groupClause:
        if any(isinstance(node, ast.GroupingSet) for node in made.groupClause):
            raise FeatureNotSupported("GROUPING SETS in a correlated subquery are not supported")
        made.groupClause = (*made.groupClause, *domain.columns(alias))
    sorts, made.sortClause = list(made.sortClause or ()), None
    if made.distinctClause and made.distinctClause[0] is not None:
        made.distinctClause = (*domain.columns(alias), *made.distinctClause)
        made.sortClause = (*map(parts.ascending, domain.columns(alias)), *sorts)
    for window in _windows(made):
        window.partitionClause = (*domain.columns(alias), *(window.partitionClause or ()))
    return made, sorts if order.is_plain(select) else None


def _sources(select: Any, domain: Domain) -> tuple[str, tuple[Any, ...]]:
    """FROM with the domain in it, and the alias it has there: its own, or that of a common table that carries it."""
    items = list(select.fromClause or ())
    if found := carriers(select, domain):
        same = [test for other in found[1:] for test in _same(domain, found[0], other)]
        select.whereClause = parts.conjunction([*parts.conjuncts(select.whereClause), *same])
        return found[0], tuple(items)
    alias, table = domain.table()
    for i, item in enumerate(items):
        if isinstance(item, ast.JoinExpr) and set(free(item)) & set(domain.sought):
            items[i] = under(item, table)
            return alias, tuple(items)
    return alias, (table, *items)


def _same(domain: Domain, left: str, right: str) -> list[Any]:
    return parts.matches(left, domain.names, [(right, name) for name in domain.names])


def under(join: Any, table: Any) -> Any:
    """``join`` with ``table`` beside its first member, so that the conditions in it see both."""
    node = join
    while True:
        if node.jointype in (JoinType.JOIN_RIGHT, JoinType.JOIN_FULL):
            raise FeatureNotSupported("a RIGHT or FULL JOIN that mentions a query around it is not supported")
        if not isinstance(node.larg, ast.JoinExpr):
            node.larg = parts.joined(table, node.larg)
            return join
        node = node.larg


def _windows(select: Any) -> list[Any]:
    """Those that must not reach from the rows for one value over to those for another."""
    found = [window for window in select.windowClause or () if window.refname is None]
    called = [node for node in own_nodes((select.targetList, select.sortClause)) if isinstance(node, ast.WindowDef)]
    return found + [window for window in called if window.name is None and window.refname is None]
