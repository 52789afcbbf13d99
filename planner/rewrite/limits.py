"""LIMIT n at the top of a continuous query: it ends the stream, it does not rank."""

from __future__ import annotations

from dataclasses import replace

from pglast import ast

from constellationdb.planner.rewrite.bound import query_tree
from constellationdb.planner.rewrite.tree import to_sql
from constellationdb.planner.statements import Query


def split_limit(query: Query) -> tuple[Query, int | None]:
    """The query without a constant top-level LIMIT that stands alone (no ORDER BY, no OFFSET), and the limit."""
    tree = query_tree(query)
    count = tree.limitCount
    plain = isinstance(count, ast.A_Const) and isinstance(count.val, ast.Integer)
    if not plain or tree.sortClause or tree.limitOffset is not None or tree.limitOption.name != "LIMIT_OPTION_COUNT":
        return query, None
    tree.limitCount, tree.limitOption = None, type(tree.limitOption)["LIMIT_OPTION_DEFAULT"]
    return replace(query, text=to_sql(tree), parameters=()), int(count.val.ival)
