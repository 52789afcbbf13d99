"""A SELECT whose list has functions that return sets, in two: what it reads and computes, and what is made of the rows.

SELECT t.a + 1, unnest(t.b) * t.a FROM t WHERE …

SELECT rows.c0, rows.u0 * rows.c1 FROM rows       rows = SELECT t.a + 1 AS c0, t.a AS c1, t.b AS u0 FROM t WHERE …,
                                                         once for each element of u0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pglast import ast
from pglast.enums import LimitOption

from constellationdb.planner.rewrite.names import column_name, fresh
from constellationdb.planner.rewrite.tree import copied, last_name, nodes, own_nodes, to_sql
from constellationdb.planner.unnest import parts
from constellationdb.planner.unnest.names import column

# A query, how many of its columns come before the arrays, and the names of all → the relation with their elements.
Unnested = Callable[[Any, int, Sequence[str]], str]
_OUTSIDE = ("distinctClause", "sortClause", "limitCount", "limitOffset")


def has_sets(select: Any) -> bool:
    """Whether a function that returns a set stands in the list of ``select`` itself."""
    return any(map(_is_set, own_nodes((select.targetList, select.sortClause))))


def _is_set(node: Any) -> bool:
    return isinstance(node, ast.FuncCall) and node.over is None and last_name(node) == "unnest"


def split(select: Any, unnested: Unnested) -> Any:
    """``select`` over the rows that ``unnested`` makes of what it reads."""
    halves = _Halves()
    outer = parts.query((), ())
    outer.targetList = tuple(parts.target(halves.outer(t.val), column_name(t) or "?column?") for t in select.targetList)
    named = {target.name for target in outer.targetList}
    if select.distinctClause:
        outer.distinctClause = tuple(None if n is None else halves.outer(n) for n in select.distinctClause)
    outer.sortClause = tuple(halves.sort(sort, named) for sort in select.sortClause or ()) or None
    outer.limitCount, outer.limitOffset, outer.limitOption = (
        select.limitCount, select.limitOffset, select.limitOption,
    )  # fmt: skip
    inner = copied(select)
    for name in _OUTSIDE:
        setattr(inner, name, None)
    inner.limitOption = LimitOption.LIMIT_OPTION_DEFAULT
    inner.targetList, count, names = halves.inner()
    relation = ast.RangeVar(
        relname=unnested(inner, count, names), inh=True, relpersistence="p", alias=ast.Alias(aliasname=halves.alias)
    )
    outer.fromClause = (relation,)
    return outer


class _Halves:
    """Takes expressions apart: functions that return sets become columns, and so does what stands beside them."""

    def __init__(self) -> None:
        self.alias = fresh("rows")
        self._columns: dict[str, Any] = {}  # by what they say
        self._arrays: dict[str, Any] = {}

    def inner(self) -> tuple[tuple[Any, ...], int, list[str]]:
        """The list of the inner SELECT, how many of it are no arrays, and the names of all."""
        names = [f"c{i}" for i in range(len(self._columns))] + [f"u{i}" for i in range(len(self._arrays))]
        values = [*self._columns.values(), *self._arrays.values()]
        return tuple(map(parts.target, values, names)), len(self._columns), names

    def outer(self, node: Any) -> Any:
        if _is_set(node):
            return self._place(node.args[0], self._arrays, "u")
        if isinstance(node, tuple | list):
            return tuple(map(self.outer, node))
        if not isinstance(node, ast.Node):
            return node
        if not any(map(_is_set, own_nodes(node))):
            computed = any(isinstance(inner, ast.ColumnRef | ast.FuncCall) for inner in nodes(node))
            return self._place(node, self._columns, "c") if computed else node
        made = copied(node)
        for name in made:
            value = getattr(made, name)
            if isinstance(value, ast.Node | tuple | list):
                setattr(made, name, self.outer(value))
        return made

    def sort(self, sort: Any, named: set[str | None]) -> Any:
        """A sort by an output column, by name or number, means the same outside."""
        made, node = copied(sort), sort.node
        output = isinstance(node, ast.ColumnRef) and len(node.fields) == 1 and node.fields[0].sval in named
        if not output and not isinstance(node, ast.A_Const):
            made.node = self.outer(node)
        return made

    def _place(self, node: Any, known: dict[str, Any], letter: str) -> Any:
        said = to_sql(node)
        known.setdefault(said, node)
        return column(self.alias, f"{letter}{list(known).index(said)}")
