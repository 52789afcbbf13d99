"""Functions in FROM that give the rows of a relation of the system: ``pg_get_keywords()`` is the table of that name."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from pglast import ast

from constellationdb.planner.rewrite.tree import last_name, replace


def read_set_functions(tree: Any, relations: Container[str]) -> Any:
    """``tree`` with a table in the place of each call of a function whose rows are among ``relations``."""

    def change(node: Any) -> Any | None:
        if not isinstance(node, ast.RangeFunction) or len(node.functions) > 1 or node.ordinality:
            return None
        call = node.functions[0][0]
        if not isinstance(call, ast.FuncCall) or call.args:
            return None
        name = f"{last_name(call)}()"
        if f"pg_catalog.{name}" not in relations:
            return None
        alias = node.alias or ast.Alias(aliasname=last_name(call))
        return ast.RangeVar(
            schemaname="pg_catalog", relname=name, inh=True, relpersistence="p", alias=alias, location=call.location
        )

    return replace(tree, change)
