"""INTERVAL '10' SECOND as INTERVAL '10 seconds': DataFusion ignores the unit behind the string."""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.planner.rewrite.tree import replace

# The bit of each field in an interval's typmod (Postgres' INTERVAL_MASK); ranges such as
# DAY TO SECOND set several and leave the string complete.
_UNITS = {1 << 2: "years", 1 << 1: "months", 1 << 3: "days", 1 << 10: "hours", 1 << 11: "minutes", 1 << 12: "seconds"}


def normalise_intervals(tree: Any) -> Any:
    return replace(tree, _normalise)


def _normalise(node: Any) -> Any:
    if not isinstance(node, ast.TypeCast) or not _is_interval(node.typeName) or not node.typeName.typmods:
        return None
    mask = node.typeName.typmods[0].val.ival
    node.typeName.typmods = None
    text = _text(node.arg)
    unit = _UNITS.get(mask)
    if text is not None and unit is not None and _bare_number(text):
        node.arg = ast.A_Const(isnull=False, val=ast.String(sval=f"{text.strip()} {unit}"))
    return node


def _is_interval(type_name: Any) -> bool:
    return bool(type_name.names[-1].sval == "interval")


def _text(node: Any) -> str | None:
    if isinstance(node, ast.A_Const) and isinstance(node.val, ast.String):
        value: str = node.val.sval
        return value
    return None


def _bare_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def interval_text(node: Any) -> str | None:
    """The string of an interval literal that ``normalise_intervals`` has seen, else None."""
    if isinstance(node, ast.TypeCast) and _is_interval(node.typeName):
        return _text(node.arg)
    return _text(node)
