"""Functions in FROM that are given columns of what stands before them: nothing has to be joined to find their rows.

SELECT t.a, u.x FROM t, unnest(t.b) AS u(x)

SELECT flat.c0, flat.u0 FROM (SELECT t.a AS c0, unnest(t.b) AS u0 FROM t) AS flat
"""

from __future__ import annotations

from typing import Any

from pglast import ast
from pglast.enums import JoinType, SetOperation

from constellationdb.planner.rewrite.names import column_name, fresh
from constellationdb.planner.rewrite.tree import links, nodes, to_sql
from constellationdb.planner.unnest import parts
from constellationdb.planner.unnest.aggregates import is_scalar
from constellationdb.planner.unnest.names import Reference, column, free, references, substituted

_NOT_OF_CALLS = ("fromClause", "whereClause", "withClause", "groupClause", "distinctClause", "sortClause",
                 "limitCount", "limitOffset", "valuesLists")  # fmt: skip


def flatten(select: Any) -> None:
    """Put the functions in FROM of ``select`` into lists of SELECTs, where they only need what stands before them."""
    joined = parts.folded(select.fromClause)
    if not any(map(_is_given, nodes(joined))):
        return
    flat = _Flat(select)
    source = flat.item(joined)
    if not flat.places:
        return
    for target in select.targetList or ():
        target.name = target.name or column_name(target)
    for name in select:
        if name != "fromClause":
            setattr(select, name, flat.moved(getattr(select, name)))
    select.fromClause = (source,)


def _is_given(item: Any) -> bool:
    """Whether ``item`` is a function in FROM that mentions something around it, and has nothing besides."""
    if not isinstance(item, ast.RangeSubselect):
        return False
    select = item.subquery
    plain = select.op == SetOperation.SETOP_NONE and not any(getattr(select, name) for name in _NOT_OF_CALLS)
    return plain and not is_scalar(select) and not links(select.targetList) and bool(free(item))


def _shown(item: Any) -> set[str]:
    """The aliases under which a member of FROM is spoken of."""
    if isinstance(item, ast.JoinExpr):
        return _shown(item.larg) | _shown(item.rarg)
    return {item.alias.aliasname}


class _Flat:
    """``places``: where the columns that ``select`` mentions have gone."""

    def __init__(self, select: Any) -> None:
        self._mentioned = list(dict.fromkeys(references(select)))
        self.places: dict[Reference, Reference] = {}

    def moved(self, node: Any) -> Any:
        return substituted(node, lambda found: column(*self.places[found]) if found in self.places else None)

    def item(self, item: Any) -> Any:
        if not isinstance(item, ast.JoinExpr):
            return item
        item.larg = self.item(item.larg)
        item.rarg = self.item(self.moved(item.rarg))
        inner = item.jointype == JoinType.JOIN_INNER and (item.quals is None or to_sql(item.quals).lower() == "true")
        if inner and _is_given(item.rarg) and {alias for alias, _ in free(item.rarg)} <= _shown(item.larg):
            return self._together(item.larg, item.rarg)
        item.quals = self.moved(item.quals)
        return item

    def _together(self, before: Any, call: Any) -> Any:
        alias, shown = fresh("flat"), _shown(before)
        known = [(found, self.places.get(found, found)) for found in self._mentioned]
        kept = [(found, place) for found, place in known if place[0] in shown]
        targets = [parts.target(column(*place), f"c{i}") for i, (_, place) in enumerate(kept)]
        targets += [parts.target(t.val, f"u{i}") for i, t in enumerate(call.subquery.targetList)]
        self.places |= {found: (alias, f"c{i}") for i, (found, _) in enumerate(kept)}
        own = [(call.alias.aliasname, name.sval) for name in call.alias.colnames]
        self.places |= {found: (alias, f"u{i}") for i, found in enumerate(own)}
        return parts.derived(parts.query(targets, (before,)), alias, [target.name for target in targets])
