"""What stands in the place of a subquery once its answers are joined to the rows that ask it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pglast import ast
from pglast.enums import A_Expr_Kind, JoinType, SubLinkType

from constellationdb.planner.analysis.calls import is_aggregate_call
from constellationdb.planner.rewrite.names import fresh
from constellationdb.planner.rewrite.row_values import expand_rows
from constellationdb.planner.rewrite.tree import copied, own_nodes, parse_expression, parse_query, replace, to_sql
from constellationdb.planner.unnest import order, parts
from constellationdb.planner.unnest.aggregates import is_scalar
from constellationdb.planner.unnest.attach import attached
from constellationdb.planner.unnest.domain import Domain, domain_of
from constellationdb.planner.unnest.names import column, free

Walk = Callable[[Any], Any]


def answered(link: Any, source: Any | None, asked: Any | None, where: Sequence[Any], walk: Walk) -> tuple[Any, Any]:
    """FROM with the answers of ``link`` beside ``source``, and the expression in its place.

    ``asked`` is what of ``source`` it can mention, ``where`` says which rows of that ask at all.
    ``walk`` makes what the answers read free of subqueries.
    """
    link = _as_value(link)
    sought = free(link.subselect)
    alias = fresh("answers")
    if not sought:
        query, value = _alone(link, alias)
        return parts.joined(source, parts.derived(walk(query), alias, ["__m", "__v"])), value
    domain = domain_of(asked, where, sought)
    query, value = _for_domain(link, domain, alias)
    answers = parts.derived(walk(query), alias, [*domain.names, "__m", "__v"])
    tests = parts.conjunction(parts.matches(alias, domain.names, sought))
    return parts.joined(source, answers, kind=JoinType.JOIN_LEFT, quals=tests), value


def _as_value(link: Any) -> Any:
    """``x op ANY (…)`` and ``x op ALL (…)`` as the one value of an aggregate over the comparisons.

    ANY is true if one is, else NULL if one is, else false; ALL is not ANY of the opposite.
    """
    if link.subLinkType not in (SubLinkType.ANY_SUBLINK, SubLinkType.ALL_SUBLINK):
        return link
    some = link.subLinkType == SubLinkType.ANY_SUBLINK
    rows, test = _compared(link)
    decided, otherwise = ("true", "false") if some else ("false", "true")
    sought = f"({test})" if some else f"NOT ({test})"
    made = parse_query(
        f"SELECT CASE WHEN bool_or({sought}) THEN {decided} WHEN count(*) > count({test}) THEN NULL"
        f" ELSE {otherwise} END FROM __rows"
    )
    made.fromClause = (rows,)
    return ast.SubLink(subLinkType=SubLinkType.EXPR_SUBLINK, subselect=made)


def _compared(link: Any) -> tuple[Any, str]:
    """The rows of a quantified subquery in FROM, and the comparison with one of them."""
    operator = link.operName or (ast.String(sval="="),)
    alias, names = fresh("compared"), order.values(link.subselect)
    columns: tuple[Any, ...] = tuple(column(alias, name) for name in names)
    right = ast.RowExpr(args=columns) if isinstance(link.testexpr, ast.RowExpr) else columns[0]
    test = ast.A_Expr(kind=A_Expr_Kind.AEXPR_OP, name=operator, lexpr=link.testexpr, rexpr=right, location=-1)
    return parts.derived(link.subselect, alias, names), to_sql(expand_rows(test))


def as_condition(link: Any) -> Any:
    """``x IN (…)`` where NULL is as good as false: EXISTS a row that is equal, which is found by its key."""
    plain = link.subLinkType == SubLinkType.ANY_SUBLINK and (not link.operName or link.operName[-1].sval == "=")
    if not plain:
        return link
    rows, test = _compared(link)
    made = parse_query(f"SELECT 1 FROM __rows WHERE {test}")
    made.fromClause = (rows,)
    return ast.SubLink(subLinkType=SubLinkType.EXISTS_SUBLINK, subselect=made)


def _alone(link: Any, alias: str) -> tuple[Any, Any]:
    """The one answer of a subquery that mentions nothing around it: a query of one row."""
    rows, select = fresh("rows"), link.subselect
    if link.subLinkType == SubLinkType.EXISTS_SUBLINK:
        query = parse_query("SELECT count(*) AS __m, NULL AS __v FROM __rows")
        query.fromClause = (parts.derived(select, rows, [f"__v{i}" for i in range(order.width(select))]),)
        return query, parse_expression(f"{alias}.__m > 0")
    if link.subLinkType == SubLinkType.ARRAY_SUBLINK:
        numbered = parts.query(
            [*(parts.target(column(rows, "__v0"), "__v0"),), parts.target(parts.row_number((), ()), "__n")],
            (parts.derived(select, rows, ["__v0"]),),
        )
        outer = fresh("rows")
        query = parse_query(f"SELECT count(*) AS __m, array_agg({outer}.__v0 ORDER BY {outer}.__n) AS __v FROM __rows")
        query.fromClause = (parts.derived(numbered, outer, ["__v0", "__n"]),)
        return query, column(alias, "__v")
    query = parse_query(f"SELECT count(*) AS __m, first_value({rows}.__v0) AS __v FROM __rows")
    query.fromClause = (parts.derived(select, rows, ["__v0"]),)
    return query, _single(alias)


def _for_domain(link: Any, domain: Domain, alias: str) -> tuple[Any, Any]:
    select, rows = link.subselect, fresh("rows")
    columns = [*domain.names, *order.values(select)]
    if link.subLinkType == SubLinkType.EXISTS_SUBLINK:
        # Counted, not just true: DataFusion does not sort by a constant, also where an outer join made it NULL.
        query = _grouped("count(*) AS __m, NULL AS __v", domain, rows)
        query.fromClause = (parts.derived(attached(select, domain), rows, columns),)
        return query, parts.is_not_null(column(alias, "__m"))
    if link.subLinkType == SubLinkType.ARRAY_SUBLINK:
        query = _grouped(f"count(*) AS __m, array_agg({rows}.__v0 ORDER BY {rows}.__n) AS __v", domain, rows)
        query.fromClause = (parts.derived(attached(select, domain, numbered=True), rows, [*columns, order.NUMBER]),)
        return query, column(alias, "__v")
    if is_scalar(select) and select.limitCount is None and select.limitOffset is None:
        listed = ", ".join(f"{rows}.{name}" for name in domain.names)
        query = parse_query(f"SELECT {listed}, 1 AS __m, {rows}.__v0 AS __v FROM __rows")
        query.fromClause = (parts.derived(attached(select, domain), rows, columns),)
        return query, column(alias, "__v")
    query = _grouped(f"count(*) AS __m, first_value({rows}.__v0) AS __v", domain, rows)
    query.fromClause = (parts.derived(attached(select, domain), rows, columns),)
    return query, _single(alias)


def _grouped(values: str, domain: Domain, rows: str) -> Any:
    listed = ", ".join(f"{rows}.{name}" for name in domain.names)
    return parse_query(f"SELECT {listed}, {values} FROM __rows GROUP BY {listed}")


def _single(alias: str) -> Any:
    return parse_expression(f"CASE WHEN con_at_most_one(coalesce({alias}.__m, 0)) THEN {alias}.__v END")


def within_groups(value: Any) -> Any:
    """A value that is the same for all rows of a group, where the group is spoken of."""
    return replace(copied(value), lambda n: parts.call("first_value", n) if isinstance(n, ast.ColumnRef) else None)


def in_calls(node: Any) -> set[int]:
    """The subqueries in the arguments of aggregates, by identity."""
    found: set[int] = set()
    for call in own_nodes(node):
        if is_aggregate_call(call):
            inside = (call.args, call.agg_filter, call.agg_order)
            found |= {id(inner) for inner in own_nodes(inside) if isinstance(inner, ast.SubLink)}
    return found
