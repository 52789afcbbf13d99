"""OVER (w ROWS …): what a window takes from another one by its name is written out, for DataFusion forgets it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from pglast import ast

from constellationdb.errors import WindowingError
from constellationdb.planner.rewrite.tree import nodes

_NON_DEFAULT, _DEFAULTS = 0x1, 0x422  # whether a frame is written; RANGE UNBOUNDED PRECEDING TO CURRENT ROW


def spell_windows(tree: Any, offset: int) -> None:
    """In place, in every SELECT."""
    for select in list(nodes(tree)):
        if isinstance(select, ast.SelectStmt):
            named: dict[str, Any] = {}
            for window in select.windowClause or ():
                if window.name in named:
                    position = window.location + offset + 1
                    raise WindowingError(f'window "{window.name}" is already defined', position=position)
                _spell(window, named, offset)
                named[window.name] = window
            for call in _calls((select.targetList, select.sortClause, select.distinctClause)):
                _spell(call.over, named, offset)


def _calls(tree: Any) -> Iterator[Any]:
    """The window functions of one SELECT, not of those within it."""
    if isinstance(tree, ast.SelectStmt):
        return
    if isinstance(tree, tuple | list):
        for member in tree:
            yield from _calls(member)
    elif isinstance(tree, ast.Node):
        if isinstance(tree, ast.FuncCall) and tree.over is not None:
            yield tree
        for name in tree:
            yield from _calls(getattr(tree, name))


def _spell(window: Any, named: Mapping[str, Any], offset: int) -> None:
    other = named.get(window.refname)
    if window.refname is None or other is None:  # a name that there is not is refused with its position, later
        return
    _check(window, other, window.location + offset + 1)
    window.refname = None
    window.partitionClause = deepcopy(other.partitionClause)
    if other.orderClause:
        window.orderClause = deepcopy(other.orderClause)


def _check(window: Any, other: Any, position: int) -> None:
    name = window.refname
    if window.partitionClause:
        raise WindowingError(f'cannot override PARTITION BY clause of window "{name}"', position=position)
    if window.orderClause and other.orderClause:
        raise WindowingError(f'cannot override ORDER BY clause of window "{name}"', position=position)
    if int(other.frameOptions) & _NON_DEFAULT:
        bare = not window.orderClause and int(window.frameOptions) == _DEFAULTS
        hint = "Omit the parentheses in this OVER clause." if bare else None
        raise WindowingError(f'cannot copy window "{name}" because it has a frame clause', hint=hint, position=position)
