"""What an expression of a column's definition may be: DEFAULT, GENERATED, CHECK, USING, by Postgres' rules."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pglast import ast

from constellationdb.errors import (
    ConstellationError,
    FeatureNotSupported,
    GroupingError,
    InvalidObjectDefinition,
    UndefinedColumn,
    WindowingError,
)
from constellationdb.planner.analysis.calls import AGGREGATES
from constellationdb.planner.analysis.catalog_functions import is_volatile as is_volatile_function
from constellationdb.planner.rewrite.refuse import VOLATILE
from constellationdb.planner.rewrite.tree import last_name, nodes, parse_expression

Place = Literal["default", "check", "generated", "transform"]

_SUBQUERY = {
    "default": "cannot use subquery in DEFAULT expression",
    "check": "cannot use subquery in check constraint",
    "generated": "cannot use subquery in column generation expression",
    "transform": "cannot use subquery in transform expression",
}
_NAMES = {"default": "DEFAULT expressions", "check": "check constraints", "generated": "column generation expressions",
          "transform": "transform expressions"}  # fmt: skip
# The same within one statement, so that a default of them need not be computed for each row.
_STABLE = frozenset(
    {"now", "statement_timestamp", "transaction_timestamp", "current_date", "current_time", "current_timestamp",
     "localtime", "localtimestamp", "today", "proctime"}
)  # fmt: skip
_SELECT = len("SELECT ")


def check_expression(text: str, place: Place, position: int) -> None:
    """``position``: where ``text`` begins in the client's, from 0."""
    for node in nodes(parse_expression(text)):
        error = _problem(node, place)
        if error is not None:
            placed = not isinstance(error, InvalidObjectDefinition)
            raise error.at(position + _location(node) - _SELECT + 1) if placed else error


def _location(node: Any) -> int:
    location: int = node.location
    return location


def _problem(node: Any, place: Place) -> ConstellationError | None:
    match node:
        case ast.SubLink():
            return FeatureNotSupported(_SUBQUERY[place])
        case ast.ColumnRef() if place == "default":
            return FeatureNotSupported("cannot use column reference in DEFAULT expression")
        case ast.FuncCall() if node.over is not None:
            return WindowingError(f"window functions are not allowed in {_NAMES[place]}")
        case ast.FuncCall() if last_name(node) in AGGREGATES:
            return GroupingError(f"aggregate functions are not allowed in {_NAMES[place]}")
        case ast.FuncCall() | ast.SQLValueFunction() if place == "generated" and _depends_on_time(node):
            return InvalidObjectDefinition("generation expression is not immutable")
        case _:
            return None


def _depends_on_time(node: Any) -> bool:
    if isinstance(node, ast.SQLValueFunction):
        return True
    return last_name(node) in VOLATILE or is_volatile_function(last_name(node))


def check_generated(text: str, generated: Iterable[str], columns: Iterable[str], position: int) -> None:
    """A generated column is computed of those that are not; ``columns`` are all that there are."""
    others, known = set(generated), set(columns)
    check_expression(text, "generated", position)
    for node in nodes(parse_expression(text)):
        if not isinstance(node, ast.ColumnRef) or not isinstance(node.fields[-1], ast.String):
            continue
        name, at = node.fields[-1].sval, position + node.location - _SELECT + 1
        if name in others:
            raise InvalidObjectDefinition(
                f'cannot use generated column "{name}" in column generation expression',
                detail="A generated column cannot reference another generated column.",
                position=at,
            )
        if name not in known:
            raise UndefinedColumn(f'column "{name}" does not exist', position=at)


def column_names(text: str) -> tuple[str, ...]:
    """The columns that an expression names, each once."""
    found = (node.fields[-1] for node in nodes(parse_expression(text)) if isinstance(node, ast.ColumnRef))
    return tuple(dict.fromkeys(name.sval for name in found if isinstance(name, ast.String)))


def is_volatile(text: str) -> bool:
    """Whether each row has to compute the expression anew."""
    return any(
        isinstance(node, ast.FuncCall)
        and (last_name(node) in VOLATILE - _STABLE or is_volatile_function(last_name(node)))
        for node in nodes(parse_expression(text))
    )


def string_constant(text: str) -> str | None:
    """The value of an expression that is nothing but a string."""
    if not text.startswith("'"):
        return None
    value = getattr(parse_expression(text), "val", None)
    return value.sval if isinstance(value, ast.String) else None


def sequence_named(text: str) -> str | None:
    """The sequence's name, as it is written, where an expression is nothing but nextval('name')."""
    node = parse_expression(text)
    if not isinstance(node, ast.FuncCall) or last_name(node) != "nextval" or len(node.args or ()) != 1:
        return None
    argument = node.args[0].arg if isinstance(node.args[0], ast.TypeCast) else node.args[0]
    value = getattr(argument, "val", None)
    return value.sval if isinstance(value, ast.String) else None
