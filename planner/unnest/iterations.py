"""WITH RECURSIVE with a column more: after how many steps a row was found.

r(a) AS (SELECT x FROM t UNION SELECT y FROM r JOIN u …)

r(__i, a) AS (SELECT 0, base.x FROM (SELECT x FROM t) AS base UNION
              SELECT step.__i + 1, step.y FROM (SELECT r.__i, y FROM r JOIN u …) AS step)

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
from constellationdb.planner.rewrite.tree import nodes, parse_expression
from constellationdb.planner.unnest import order, parts
from constellationdb.planner.unnest.attach import attached
from constellationdb.planner.unnest.domain import Domain
from constellationdb.planner.unnest.names import column

ITERATION = "__i"


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
    query.larg = _beside(query.larg, values, "0")
    query.rarg = _beside(attached(query.rarg, iteration), [ITERATION, *values], f"{{alias}}.{ITERATION} + 1")
    cte.aliascolnames = tuple(ast.String(sval=name) for name in (ITERATION, *names))


def _beside(select: Any, columns: list[str], number: str) -> Any:
    """The values of ``select`` behind the number of the step."""
    alias = fresh("step")
    value = parse_expression(f"CAST({number.format(alias=alias)} AS bigint)")
    listed = [parts.target(column(alias, name), name) for name in columns if name != ITERATION]
    return parts.query([parts.target(value, ITERATION), *listed], (parts.derived(select, alias, columns),))
