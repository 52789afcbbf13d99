"""Names of users' types, said so that they tell all of the type: no rule behind this one asks the catalog."""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.catalog.types import describe
from constellationdb.planner.analysis.kinds import SAID
from constellationdb.planner.relations import PlannedTypes
from constellationdb.planner.rewrite.tree import nodes


def tell_types(tree: Any, types: PlannedTypes | None) -> None:
    """In place. A name in another schema than public means none of them."""
    if types is None:
        return
    for node in nodes(tree):
        if not isinstance(node, ast.TypeName) or not node.names:
            continue
        if len(node.names) > 1 and node.names[-2].sval != "public":
            continue
        found = types.named(node.names[-1].sval)
        if found is not None:
            node.names = (ast.String(sval=SAID + describe(found)), node.names[-1])
