"""``count(x) FILTER (WHERE p)`` as ``count(CASE WHEN p THEN x END)``.

Over an input of which it knows how many rows there are, DataFusion answers the first from that number, and fails.
"""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.planner.rewrite.tree import last_name, nodes


def fold_count_filters(tree: Any) -> None:
    for node in nodes(tree):
        if isinstance(node, ast.FuncCall) and last_name(node) == "count" and node.agg_filter and node.over is None:
            if len(node.args or ()) > 1 or node.agg_distinct:
                continue
            counted = node.args[0] if node.args else ast.A_Const(isnull=False, val=ast.Integer(ival=1))
            when = ast.CaseWhen(expr=node.agg_filter, result=counted)
            node.args, node.agg_star, node.agg_filter = (ast.CaseExpr(args=(when,)),), False, None
