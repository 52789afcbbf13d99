"""GROUP BY as the sets of expressions that it stands for, in the one spelling that DataFusion knows in full.

GROUP BY a, ROLLUP (b, (c, d))    GROUPING SETS ((a, b, c, d), (a, b), a)
GROUP BY DISTINCT CUBE (a), ROLLUP (a)    GROUPING SETS (a, ())
GROUP BY (a, b)                   a, b
GROUP BY ()                       nothing, where there are aggregates: that is one group
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, product
from typing import Any

from pglast import ast
from pglast.enums import CoercionForm, GroupingSetKind

from constellationdb.errors import LimitExceeded
from constellationdb.planner.analysis.calls import is_aggregate
from constellationdb.planner.rewrite.tree import copied, last_name, nodes, to_sql

_MOST_SETS, _MOST_OF_A_CUBE = 4096, 12  # as Postgres has them
Sets = list[list[Any]]


def spelled(clause: Sequence[Any], key: Callable[[Any], Any], *, distinct: bool) -> tuple[Any, ...]:
    """``key`` says an expression of the clause as it is analysed, and is asked for each once; () is one group."""
    sets = _crossed([_sets(item) for item in clause])
    known = {id(node): key(node) for found in sets for node in found}
    said = [_different([known[id(node)] for node in found]) for found in sets]
    if distinct:
        said = list({frozenset(map(to_sql, found)): found for found in reversed(said)}.values())[::-1]
    if len(said) == 1:
        return tuple(said[0])
    return (ast.GroupingSet(kind=GroupingSetKind.GROUPING_SET_SETS, content=tuple(map(_set, said))),)


def has_sets(clause: Sequence[Any]) -> bool:
    return any(isinstance(item, ast.GroupingSet) for item in clause)


def is_aggregated(select: Any) -> bool:
    """Whether a SELECT without keys is one group."""
    return any(
        isinstance(node, ast.FuncCall) and node.over is None and is_aggregate(last_name(node))
        for node in nodes((select.targetList, select.havingClause))
    )


def listed(clause: Sequence[Any]) -> list[Any]:
    """The expressions of a clause without sets; those in brackets are no row."""
    return [node for item in clause for node in _members(item)]


EMPTY = ast.GroupingSet(kind=GroupingSetKind.GROUPING_SET_EMPTY)


def _sets(item: Any) -> Sets:
    if not isinstance(item, ast.GroupingSet):
        return [_members(item)]
    match item.kind:
        case GroupingSetKind.GROUPING_SET_EMPTY:
            return [[]]
        case GroupingSetKind.GROUPING_SET_SETS:
            return [found for inner in item.content for found in _sets(inner)]
        case GroupingSetKind.GROUPING_SET_ROLLUP:
            return [_flat(item.content[:count]) for count in range(len(item.content), -1, -1)]
        case _:
            if len(item.content) > _MOST_OF_A_CUBE:
                raise LimitExceeded(f"CUBE is limited to {_MOST_OF_A_CUBE} elements")
            counts = range(len(item.content), -1, -1)
            return [_flat(part) for count in counts for part in combinations(item.content, count)]


def _crossed(parts: list[Sets]) -> Sets:
    count = 1
    for part in parts:
        count *= len(part)
    if count > _MOST_SETS:
        raise LimitExceeded(f"too many grouping sets present (maximum {_MOST_SETS})")
    return [_joined(chosen) for chosen in product(*parts)]


def _flat(items: Sequence[Any]) -> list[Any]:
    return [node for item in items for node in _members(item)]


def _joined(sets: Sequence[list[Any]]) -> list[Any]:
    return [node for found in sets for node in found]


def _members(item: Any) -> list[Any]:
    """The elements of brackets, which the grammar takes for a row."""
    if isinstance(item, ast.RowExpr) and item.row_format == CoercionForm.COERCE_IMPLICIT_CAST:
        return [node for inner in item.args for node in _members(inner)]
    return [item]


def _different(nodes: list[Any]) -> list[Any]:
    return [copied(node) for node in {to_sql(node): node for node in nodes}.values()]


def _set(nodes: list[Any]) -> Any:
    if len(nodes) == 1:
        return nodes[0]
    return ast.RowExpr(args=tuple(nodes), row_format=CoercionForm.COERCE_IMPLICIT_CAST) if nodes else EMPTY
