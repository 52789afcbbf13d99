"""EXCEPT ALL and INTERSECT ALL as their plain twins over numbered copies.

The n-th copy of a row on the left meets the n-th copy on the right, which is
what ALL means; DataFusion's own ALL forms miscount (three 1s from {1,1,1} ∩ {1}).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pglast.enums import SetOperation

from constellationdb.planner.rewrite.refuse import is_set_all
from constellationdb.planner.rewrite.tree import parse_query, replace, to_sql
from constellationdb.planner.syntax.edits import identifier

Columns = Callable[[Any], list[str]]


def rewrite_set_all(tree: Any, columns_of: Columns) -> Any:
    """``columns_of`` tells the output names of a SELECT whose relations already have internal names."""

    def change(node: Any) -> Any:
        return _numbered(node, columns_of) if is_set_all(node) else None

    return replace(tree, change)


def _numbered(node: Any, columns_of: Columns) -> Any:
    names = columns_of(node.larg)
    inner = [f"k{i}" for i in range(len(names))]
    listed = ", ".join(inner)
    word = "EXCEPT" if node.op == SetOperation.SETOP_EXCEPT else "INTERSECT"
    sides = [
        f"SELECT {listed}, row_number() OVER (PARTITION BY {listed} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
        f" AS copy FROM ({to_sql(side)}) AS {name}({listed})"
        for side, name in ((node.larg, "l"), (node.rarg, "r"))
    ]
    outputs = ", ".join(f"{k} AS {identifier(name)}" for k, name in zip(inner, names, strict=True))
    made = parse_query(f"SELECT {outputs} FROM ({sides[0]} {word} {sides[1]}) AS counted({listed}, copy)")
    made.sortClause, made.limitCount, made.limitOffset = node.sortClause, node.limitCount, node.limitOffset
    made.limitOption = node.limitOption
    return made
