"""WITH in a correlated subquery: a common table that mentions what is around it carries the values it is for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pglast import ast
from pglast.enums import JoinType

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.rewrite.names import column_name, leftmost
from constellationdb.planner.rewrite.tree import copied, nodes
from constellationdb.planner.unnest.domain import Domain
from constellationdb.planner.unnest.names import free


def carried(clause: Any, domain: Domain, attached: Callable[[Any, Domain], Any]) -> tuple[Any, Domain]:
    """The clause, and the domain for what reads its tables.

    A recursive table begins with the domain's values, and each step keeps those of the row it goes on from.
    """
    clause = copied(clause)
    for cte in clause.ctes:
        reads = {node.relname for node in nodes(cte.ctequery) if isinstance(node, ast.RangeVar)}
        if not set(free(cte.ctequery)) & set(domain.sought) and not reads & domain.carriers:
            continue
        names = cte.aliascolnames or tuple(ast.String(sval=name) for name in _names(cte.ctequery))
        carrying = replace(domain, carriers=domain.carriers | {cte.ctename})
        if clause.recursive and cte.ctename in reads:
            if cte.ctequery.larg is None or cte.ctequery.withClause is not None:
                raise FeatureNotSupported("this recursion in a correlated subquery is not supported")
            cte.ctequery.larg = attached(cte.ctequery.larg, domain)
            cte.ctequery.rarg = attached(cte.ctequery.rarg, carrying)
        else:
            cte.ctequery = attached(cte.ctequery, domain)
        cte.aliascolnames = (*(ast.String(sval=name) for name in domain.names), *names)
        domain = carrying
    return clause, domain


def _names(select: Any) -> list[str]:
    return [column_name(target) or "?column?" for target in leftmost(select).targetList or ()]


def carriers(select: Any, domain: Domain) -> list[str]:
    """The aliases of the common tables in FROM that carry the domain's values."""
    found = [alias for item in select.fromClause or () for alias in _beside(item, domain)]
    everywhere = [n for n in nodes(select) if isinstance(n, ast.RangeVar) and n.relname in domain.carriers]
    if len(everywhere) > len(found):
        raise FeatureNotSupported("a correlated common table can only be read in the FROM of its own query")
    return found


def _beside(item: Any, domain: Domain) -> list[str]:
    """Not where an outer join may put NULLs in place of the values."""
    if isinstance(item, ast.RangeVar):
        return [item.alias.aliasname] if item.relname in domain.carriers else []
    if not isinstance(item, ast.JoinExpr):
        return []
    found = []
    if item.jointype in (JoinType.JOIN_INNER, JoinType.JOIN_LEFT):
        found += _beside(item.larg, domain)
    if item.jointype == JoinType.JOIN_INNER:
        found += _beside(item.rarg, domain)
    return found
