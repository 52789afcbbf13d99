"""WITH RECURSIVE with a column more: after how many steps a row was found.

r(a) AS (SELECT x FROM t UNION SELECT y FROM r JOIN u …)

r(__i, a) AS (SELECT 0, x FROM t UNION SELECT r.__i + 1, y FROM r JOIN u …)

A step is asked of the rows that the one before has found, and of no others. With their number in every row, all
steps can be kept in one place, and a change says which of them it concerns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pglast import ast
from pglast.enums import SetOperation

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.rewrite.names import column_name, fresh, leftmost
from constellationdb.planner.rewrite.tree import nodes, parse_expression, to_sql
from constellationdb.planner.unnest import order, parts
from constellationdb.planner.unnest.attach import attached
from constellationdb.planner.unnest.domain import Domain
from constellationdb.planner.unnest.names import column

ITERATION = "__i"
_BY_PLACE = ("valuesLists", "groupClause", "distinctClause", "sortClause", "limitCount", "limitOffset", "withClause")


@dataclass(frozen=True)
class _Iteration(Domain):
    """The number of the step, which only the recursive table itself has."""

    @property
    def names(self) -> tuple[str, ...]:
        return (ITERATION,)

    def table(self) -> tuple[str, Any]:
        raise FeatureNotSupported("every SELECT of a recursive term must read the recursive query in its FROM")


def count_iterations(tree: Any) -> Any:
    for node in nodes(tree):
        if isinstance(node, ast.WithClause) and node.recursive:
            for cte in node.ctes:
                if _reads(cte.ctequery, cte.ctename):
                    _count(cte)
    return tree


def _reads(tree: Any, name: str) -> bool:
    return any(isinstance(node, ast.RangeVar) and node.relname == name for node in nodes(tree))


def _count(cte: Any) -> None:
    query = cte.ctequery
    if query.op != SetOperation.SETOP_UNION or query.withClause is not None:
        raise FeatureNotSupported("a recursive query is only supported as base UNION [ALL] step")
    for node in nodes(query.rarg):
        if isinstance(node, ast.RangeSubselect) and _reads(node, cte.ctename):
            raise FeatureNotSupported("a recursive query can only be read in the FROM of its own step")
    names = [name.sval for name in cte.aliascolnames or ()]
    targets = leftmost(query).targetList
    if targets is None:
        names += [f"column{i + 1}" for i in range(len(names), order.width(query))]
    else:
        names += [column_name(target) or "?column?" for target in targets[len(names) :]]
    iteration = _Iteration(None, (("", ITERATION),), frozenset({cte.ctename}))
    values = order.values(query)
    query.larg = _begun(query.larg, values)
    query.rarg = _gone_on(attached(query.rarg, iteration))
    cte.aliascolnames = tuple(ast.String(sval=name) for name in (ITERATION, *names))


def _begun(select: Any, columns: list[str]) -> Any:
    """The base, whose rows took no step."""
    first = parts.target(_bigint("0"), ITERATION)
    if select.op == SetOperation.SETOP_NONE and not any(getattr(select, name) for name in _BY_PLACE):
        select.targetList = (first, *select.targetList)
        return select
    alias = fresh("base")
    listed = [parts.target(column(alias, name), name) for name in columns]
    return parts.query([first, *listed], (parts.derived(select, alias, columns),))


def _gone_on(select: Any) -> Any:
    """The step: one more than the row that it goes on from."""
    if select.op != SetOperation.SETOP_NONE:
        select.larg, select.rarg = _gone_on(select.larg), _gone_on(select.rarg)
    else:
        target = select.targetList[0]
        target.val = _bigint(f"{to_sql(target.val)} + 1")
    return select


def _bigint(value: str) -> Any:
    return parse_expression(f"CAST({value} AS bigint)")
