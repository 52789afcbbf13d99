"""make_interval, whose arguments may be named and left out, and the functions that justify an interval."""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.errors import SqlSyntaxError, UndefinedFunction
from constellationdb.planner.analysis import forms, kinds, texts
from constellationdb.planner.analysis.kinds import DOUBLE, INTEGER, INTERVAL, UNKNOWN
from constellationdb.planner.analysis.typed import Typed

_PARTS = ("years", "months", "weeks", "days", "hours", "mins", "secs")
_JUSTIFYING = frozenset({"justify_days", "justify_hours", "justify_interval"})


def in_place(node: Any, position: int | None) -> None:
    """The arguments of make_interval in their order, 0 where one is left out; others are left as they are."""
    given = list(node.args or ())
    named = {argument.name: argument.arg for argument in given if isinstance(argument, ast.NamedArgExpr)}
    plain = [argument for argument in given if not isinstance(argument, ast.NamedArgExpr)]
    if len(plain) > len(_PARTS) or not named.keys() <= set(_PARTS[len(plain) :]):
        if named:
            raise UndefinedFunction("function make_interval with these arguments does not exist", position=position)
        return
    if len(plain) + len(named) < len(given):
        raise SqlSyntaxError("argument name used more than once", position=position)
    node.args = (*plain, *(named.get(part, forms.integer(0)) for part in _PARTS[len(plain) :]))


def answered(name: str, arguments: list[Typed], position: int | None) -> Typed | None:
    """What a call is; None when it is none of these, or of other arguments."""
    if name == "make_interval" and len(arguments) == len(_PARTS):
        wanted = [INTEGER] * 6 + [DOUBLE]
        numbers = [(kinds.SMALLINT, INTEGER)] * 6 + [kinds.NUMBERS]
        if any(a.kind not in (None, UNKNOWN, *fit) for a, fit in zip(arguments, numbers, strict=True)):
            return None
        nodes = (kinds.cast(a.node, kind) for a, kind in zip(arguments, wanted, strict=True))
        return Typed(forms.call("con_make_interval", *nodes), INTERVAL)
    if name in _JUSTIFYING and len(arguments) == 1 and arguments[0].kind in (None, UNKNOWN, INTERVAL):
        node = arguments[0].node
        if arguments[0].kind == UNKNOWN and isinstance(node, ast.A_Const) and not node.isnull:
            node = texts.typed(node, INTERVAL, position)
        return Typed(forms.call(f"con_{name}", kinds.cast(node, INTERVAL) if forms.is_null(node) else node), INTERVAL)
    return None
