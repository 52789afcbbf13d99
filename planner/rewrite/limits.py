"""LIMIT n at the top of a continuous query: it ends the stream, it does not rank."""

from __future__ import annotations

from dataclasses import replace

from pglast import ast

from constellationdb.planner.rewrite.bound import query_tree
from constellationdb.planner.rewrite.tree import to_sql
from constellationdb.planner.statements import Query

_ALL = -1  # LIMIT ALL, LIMIT NULL, and a parameter whose value is not known yet


def split_limit(query: Query) -> tuple[Query, int | None]:
    """The query without a constant top-level LIMIT that stands alone (no ORDER BY, no OFFSET), and the limit."""
    if query.asof or query.temporal:  # clauses that are found by their places in the text
        return query, None
    tree = query_tree(query)
    count, offset = _constant(tree.limitCount), tree.limitOffset
    ranks = tree.sortClause or tree.limitOption.name != "LIMIT_OPTION_COUNT"
    if count is None or ranks or (offset is not None and _constant(offset) not in (0, _ALL)):
        return query, None
    tree.limitCount = tree.limitOffset = None
    tree.limitOption = type(tree.limitOption)["LIMIT_OPTION_DEFAULT"]
    return replace(query, text=to_sql(tree), parameters=()), None if count == _ALL else count


def _constant(node: ast.Node | None) -> int | None:
    """An integer, as it was written or as a parameter is bound."""
    while isinstance(node, ast.TypeCast):
        node = node.arg
    match node:
        case ast.A_Const(isnull=True):
            return _ALL
        case ast.A_Const(val=ast.Integer(ival=number)):
            return int(number)
        case ast.A_Const(val=ast.String(sval=text) | ast.Float(fval=text)) if text.strip().isdecimal():
            return int(text)
    return None
