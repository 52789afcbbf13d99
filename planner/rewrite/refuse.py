"""What a continuous query cannot contain: refused by name and position, before planning."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from pglast import ast
from pglast.enums import SetOperation

from constellationdb.errors import FeatureNotSupported
from constellationdb.planner.rewrite.tree import last_name, nodes

CLOCK_HINT = "compare a time of the row with it, as one of the conditions of WHERE: ts > now() - INTERVAL '1 hour'"
CHANGING_HINT = "its answer is another each time: let a column's DEFAULT keep one, and read that"
VOLATILE = frozenset(
    {"now", "random", "gen_random_uuid", "uuid", "clock_timestamp", "statement_timestamp", "transaction_timestamp",
     "timeofday", "current_date", "current_time", "current_timestamp", "localtime", "localtimestamp", "proctime",
     "today", "setseed", "nextval"}
)  # fmt: skip


def refuse(tree: Any, offset: int, *, continuous: bool, accepted: Collection[int] = ()) -> None:
    """Raise FeatureNotSupported for the first construct that would not be answered right.

    ``accepted``: the ids of nodes that are part of something that is.
    """
    for node in nodes(tree):
        if id(node) in accepted:
            continue
        message = _anywhere(node) or (_continuous(node) if continuous else None)
        if message:
            location = getattr(node, "location", None)
            position = None if location is None or location < 0 else location + offset + 1
            raise FeatureNotSupported(message, hint=_hint(node), position=position)


def _hint(node: Any) -> str | None:
    if _is_clock(node):
        return CLOCK_HINT
    changing = isinstance(node, ast.FuncCall) and last_name(node) in VOLATILE
    return CHANGING_HINT if changing and last_name(node) != "proctime" else None


def _is_clock(node: Any) -> bool:
    if isinstance(node, ast.SQLValueFunction):
        return bool(node.op.name == "SVFOP_CURRENT_TIMESTAMP")
    return isinstance(node, ast.FuncCall) and last_name(node) == "now"


def _anywhere(node: Any) -> str | None:
    return "TABLESAMPLE is not supported" if isinstance(node, ast.RangeTableSample) else None


def _continuous(node: Any) -> str | None:
    match node:
        case ast.FuncCall() if last_name(node) in VOLATILE:
            return f"{last_name(node)}() is not supported in a continuous query"
        case ast.SQLValueFunction():
            return "the current date, time or user is not supported in a continuous query"
        case ast.SelectStmt() if node.lockingClause:
            return "FOR UPDATE and FOR SHARE are not supported in a continuous query"
        case _:
            return None


def is_set_all(node: Any) -> bool:
    """EXCEPT ALL or INTERSECT ALL, which DataFusion answers wrongly."""
    return (
        isinstance(node, ast.SelectStmt)
        and bool(node.all)
        and node.op in (SetOperation.SETOP_EXCEPT, SetOperation.SETOP_INTERSECT)
    )
