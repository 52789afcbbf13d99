"""Aggregates without GROUP BY: one row for each value of the domain, also where there is nothing to aggregate.

SELECT count(*), sum(u.x) FROM u WHERE u.k = t.k

SELECT flat.k, count(*) FILTER (WHERE flat.real), sum(flat.a0) FILTER (WHERE flat.real)
FROM (SELECT domain.k, u.x AS a0, true AS real FROM domain, u WHERE u.k = domain.k
      UNION ALL SELECT domain.k, NULL, false FROM domain) AS flat
GROUP BY flat.k
"""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import SetOperation

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.analysis.calls import is_aggregate_call
from constellationdb.planner.rewrite.names import fresh
from constellationdb.planner.rewrite.tree import copied, own_nodes, parse_expression, to_sql
from constellationdb.planner.unnest import parts
from constellationdb.planner.unnest.domain import Domain
from constellationdb.planner.unnest.names import column, replace_own, substituted


def is_scalar(select: Any) -> bool:
    """Whether ``select`` aggregates all it reads to one row."""
    if select.op != SetOperation.SETOP_NONE or select.groupClause or select.valuesLists:
        return False
    return select.havingClause is not None or any(map(is_aggregate_call, own_nodes(select.targetList)))


def padded(select: Any, domain: Domain, alias: str) -> Any:
    """The scalar aggregate ``select``, whose FROM has the domain as ``alias``, in one row for each of its values."""
    flat, arguments = fresh("flat"), list[Any]()

    def argument(node: Any) -> Any:
        if not any(isinstance(inner, ast.ColumnRef | ast.SubLink) for inner in own_nodes(node)):
            return node  # DataFusion wants to see constants, as that of string_agg
        arguments.append(node)
        return column(flat, f"__a{len(arguments) - 1}")

    def change(node: Any) -> Any | None:
        return _over_flat(node, flat, argument) if is_aggregate_call(node) else None

    outputs, having = replace_own(select.targetList, change), replace_own(select.havingClause, change)
    rows = _flat_rows(select, domain, alias, arguments)
    columns = [*domain.names, *(f"__a{i}" for i in range(len(arguments))), "__real"]
    made = parts.query((), (parts.derived(rows, flat, columns),))
    made.targetList = (
        *map(parts.target, domain.columns(flat), domain.names),
        *_moved(outputs, domain, alias, flat),
    )
    made.havingClause = _moved(having, domain, alias, flat)
    made.groupClause = tuple(domain.columns(flat))
    return made


def _moved(node: Any, domain: Domain, alias: str, flat: str) -> Any:
    """The domain's columns outside of the calls are those of the flat rows."""
    own = set(domain.names)
    return substituted(node, lambda found: column(flat, found[1]) if found[0] == alias and found[1] in own else None)


def _over_flat(call: Any, flat: str, argument: Any) -> Any:
    if call.agg_within_group:
        raise FeatureNotSupported("WITHIN GROUP in a correlated subquery is not supported")
    made = copied(call)
    said = [to_sql(node) for node in call.args or ()]
    made.args = tuple(argument(node) for node in call.args or ()) or None
    for sort in made.agg_order or ():  # with DISTINCT it has to be one of the arguments
        known = to_sql(sort.node)
        sort.node = copied(made.args[said.index(known)]) if known in said else argument(sort.node)
    real = column(flat, "__real")
    made.agg_filter = real if call.agg_filter is None else parts.conjunction([real, argument(call.agg_filter)])
    return made


def _flat_rows(select: Any, domain: Domain, alias: str, arguments: list[Any]) -> Any:
    true, false = parse_expression("true"), parse_expression("false")
    listed = [parts.target(node, f"__a{i}") for i, node in enumerate(arguments)]
    real = parts.query(
        [*map(parts.target, domain.columns(alias), domain.names), *listed, parts.target(true, "__real")],
        select.fromClause,
        select.whereClause,
    )
    other, table = domain.table()
    nothing = [parts.target(ast.A_Const(isnull=True), f"__a{i}") for i in range(len(arguments))]
    padding = parts.query(
        [*map(parts.target, domain.columns(other), domain.names), *nothing, parts.target(false, "__real")], (table,)
    )
    return parts.union_all(real, padding)
