"""``SELECT NULL AS x`` is a text, as in Postgres; a plan has no name for the type of a bare NULL.

In a set operation the other side decides, which the analysis has seen to.
"""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.planner.analysis import kinds
from constellationdb.planner.rewrite.names import column_name
from constellationdb.planner.rewrite.tree import nodes


def name_nulls(tree: Any) -> None:
    selects = [node for node in nodes(tree) if isinstance(node, ast.SelectStmt)]
    members = {id(side) for select in selects for side in (select.larg, select.rarg) if side is not None}
    for select in selects:
        for target in select.targetList or ():
            if id(select) not in members and isinstance(target.val, ast.A_Const) and target.val.isnull:
                target.name = column_name(target)
                target.val = kinds.cast(target.val, kinds.TEXT)
