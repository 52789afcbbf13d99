"""A window that is built on another has all of it in its own words: DataFusion would leave the other one out.

OVER (p ORDER BY v) … WINDOW p AS (PARTITION BY g)      OVER (PARTITION BY g ORDER BY v)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pglast import ast
from pglast.enums import FRAMEOPTION_NONDEFAULT

from constellationdb.errors import UndefinedObject, WindowingError
from constellationdb.planner.analysis.typed import Walk
from constellationdb.planner.rewrite.tree import copied, own_nodes


def spell_out(select: Any, walk: Walk) -> None:
    """In place. A window of the WINDOW clause may be built on those before it."""
    known: dict[str, Any] = {}
    for window in select.windowClause or ():
        if window.name in known:
            raise WindowingError(f'window "{window.name}" is already defined', position=walk.at(window))
        _inherit(window, known, walk)
        known[window.name] = window
    for node in own_nodes((select.targetList, select.sortClause)):
        if isinstance(node, ast.FuncCall) and node.over is not None:
            _inherit(node.over, known, walk)


def _inherit(window: Any, known: Mapping[str, Any], walk: Walk) -> None:
    if window.refname is None:
        return
    base, name = known.get(window.refname), window.refname
    position = walk.at(window)
    if base is None:
        raise UndefinedObject(f'window "{name}" does not exist', position=position)
    if window.partitionClause:
        raise WindowingError(f'cannot override PARTITION BY clause of window "{name}"', position=position)
    if window.orderClause and base.orderClause:
        raise WindowingError(f'cannot override ORDER BY clause of window "{name}"', position=position)
    if base.frameOptions & FRAMEOPTION_NONDEFAULT:
        bare = not window.orderClause and not window.frameOptions & FRAMEOPTION_NONDEFAULT and window.name is None
        hint = "Omit the parentheses in this OVER clause." if bare else None
        raise WindowingError(f'cannot copy window "{name}" because it has a frame clause', position=position, hint=hint)
    window.refname, window.partitionClause = None, copied(base.partitionClause)
    window.orderClause = window.orderClause or copied(base.orderClause)
