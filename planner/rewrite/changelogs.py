"""changelog(t) in FROM, or the CTE that says the same: the changes of a relation as rows that only come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pglast import ast

from constellationdb.errors import SqlSyntaxError
from constellationdb.planner.references import reference
from constellationdb.planner.rewrite.tree import nodes, parse_query, replace
from constellationdb.planner.rewrite.windows import relation_name
from constellationdb.planner.syntax.changelogs import SCHEMA

_NAME = "changelog"


def is_changelog(item: Any) -> bool:
    """Whether an item of FROM is the changes of a relation."""
    if isinstance(item, ast.RangeVar):
        return SCHEMA in (item.schemaname, item.catalogname)
    if not isinstance(item, ast.RangeFunction):
        return False
    call = _call(item)
    return call is not None and [part.sval for part in call.funcname] == [_NAME]


def _call(item: Any) -> Any:
    """The one function that an item of FROM is; None of several."""
    called = [call for call, *_ in item.functions]
    return called[0] if len(called) == 1 and isinstance(called[0], ast.FuncCall) else None


def changelog_relation(item: Any) -> str | None:
    """The reference to the relation whose changes they are; None where something else is said."""
    if isinstance(item, ast.RangeVar):
        return reference(None if item.catalogname is None else item.schemaname, item.relname)
    arguments = list(_call(item).args or ())
    return relation_name(arguments[0]) if len(arguments) == 1 else None


def reads_changelog(text: str) -> bool:
    """Whether a query does, itself."""
    said = _NAME in text.lower() or f'"{SCHEMA}"' in text
    return said and has_changelog(parse_query(text))


def has_changelog(tree: Any) -> bool:
    return any(is_changelog(node) for node in nodes(tree))


def read_changelogs(tree: Any, offset: int, name: Callable[[str, int], str]) -> Any:
    """``tree`` with a table in the place of each; ``name`` gives it one, from the relation and its position."""

    def change(node: Any) -> Any | None:
        if not is_changelog(node):
            return None
        said, at = changelog_relation(node), _location(node) + offset + 1
        if said is None:
            raise SqlSyntaxError("changelog takes the name of a relation", hint="changelog(relation)", position=at)
        alias = node.alias or ast.Alias(aliasname=_NAME)
        return ast.RangeVar(relname=name(said, at), inh=True, relpersistence="p", alias=alias, location=at - offset - 1)

    return replace(tree, change) if has_changelog(tree) else tree


def _location(item: Any) -> int:
    """Where the relation is named, if it is."""
    if isinstance(item, ast.RangeVar):
        return int(item.location) + len(f'"{SCHEMA}".') + 1
    call = _call(item)
    return int(getattr(call.args[0] if call.args else call, "location", call.location))
