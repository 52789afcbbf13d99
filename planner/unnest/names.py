"""Which columns of the queries around it a part of a query mentions, by their unique aliases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pglast import ast

from constellationdb.planner.rewrite.names import fresh
from constellationdb.planner.rewrite.tree import copied, nodes, replace, strings

Reference = tuple[str, str]  # alias, column


def column(alias: str, name: str) -> Any:
    return ast.ColumnRef(fields=(ast.String(sval=alias), ast.String(sval=name)))


def aliases(node: Any) -> set[str]:
    """Those defined in ``node``, at any depth."""
    return {inner.aliasname for inner in nodes(node) if isinstance(inner, ast.Alias)}


def references(node: Any) -> Iterator[Reference]:
    for inner in nodes(node):
        if isinstance(inner, ast.ColumnRef) and len(names := strings(inner)) == 2:
            yield names[0], names[1]


def free(node: Any) -> list[Reference]:
    """The columns that ``node`` mentions of what is around it, each once."""
    own = aliases(node)
    return list(dict.fromkeys(found for found in references(node) if found[0] not in own))


def substituted(node: Any, said: Callable[[Reference], Any | None]) -> Any:
    """``node`` with columns in other words; None leaves one as it is."""

    def change(inner: Any) -> Any | None:
        if not isinstance(inner, ast.ColumnRef) or len(names := strings(inner)) != 2:
            return None
        return said((names[0], names[1]))

    return replace(node, change)


def renamed_copy(node: Any) -> Any:
    """A copy whose aliases are its own."""
    copy = copied(node)
    names = {name: fresh(name.split("__")[0]) for name in aliases(copy)}
    for inner in nodes(copy):
        if isinstance(inner, ast.Alias):
            inner.aliasname = names[inner.aliasname]
    return substituted(copy, lambda found: column(names[found[0]], found[1]) if found[0] in names else None)


def replace_own(node: Any, change: Callable[[Any], Any | None]) -> Any:
    """As ``tree.replace``, the outermost first, and not in subqueries."""
    if isinstance(node, tuple | list):
        return tuple(replace_own(member, change) for member in node)
    if not isinstance(node, ast.Node) or isinstance(node, ast.SelectStmt):
        return node
    changed = change(node)
    if changed is not None:
        return changed
    for name in node:
        value = getattr(node, name)
        if isinstance(value, ast.Node | tuple | list):
            setattr(node, name, replace_own(value, change))
    return node
