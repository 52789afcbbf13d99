"""TUMBLE and HOP in FROM: read the call, in canonical order or with named arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pglast import ast

from constellationdb.errors import ConstellationError, FeatureNotSupported, InvalidParameter, SqlSyntaxError
from constellationdb.planner.references import reference
from constellationdb.planner.rewrite.intervals import interval_text
from constellationdb.planner.rewrite.tree import last_name, strings
from constellationdb.planner.syntax.intervals import parse_interval

_USAGE = {
    "tumble": "TUMBLE(relation, time_column, size [, offset])",
    "hop": "HOP(relation, time_column, slide, size [, offset])",
}
_ORDER = {"tumble": ("size", "offset"), "hop": ("slide", "size", "offset")}
_LATER = frozenset({"session", "cumulate"})


@dataclass(frozen=True)
class Call:
    """A window call as written; µs, position 1-based in the client's text. ``relation`` may name its schema."""

    relation: str
    time_column: str
    slide_us: int
    size_us: int
    offset_us: int
    position: int

    def arguments(self) -> dict[str, Any]:
        return dict(vars(self))


def window_call(function: Any, offset: int) -> Call | None:
    """The window call that ``function`` (an item of FROM) is, or None when it is another function."""
    call = function.functions[0][0]
    if not isinstance(call, ast.FuncCall):
        return None
    name = last_name(call)
    position = call.location + offset + 1
    if name in _LATER:
        raise FeatureNotSupported(f"{name.upper()} windows are not supported yet", position=position)
    if name not in _USAGE:
        return None
    try:
        return _read(name, call, position)
    except ConstellationError as error:
        raise error.at(position) from None


def _read(name: str, call: Any, position: int) -> Call:
    usage = _USAGE[name]
    positional = [a for a in call.args or () if not isinstance(a, ast.NamedArgExpr)]
    named = {a.name: a.arg for a in call.args or () if isinstance(a, ast.NamedArgExpr)}
    if len(positional) < 2:
        raise SqlSyntaxError(f"{name.upper()} needs a relation and its time column", hint=usage)
    sizes = dict(zip(_ORDER[name], positional[2:], strict=False)) | named
    unknown = set(sizes) - set(_ORDER[name])
    if unknown or len(positional) > 2 + len(_ORDER[name]):
        raise SqlSyntaxError(f"{name.upper()} has too many or unknown arguments", hint=usage)
    amounts = {key: _interval(name, key, value) for key, value in sizes.items()}
    size = _positive(name, "size", amounts)
    slide = _positive(name, "slide", amounts) if name == "hop" else size
    column = _name(positional[1], usage)
    return Call(_relation(positional[0], usage), column, slide, size, amounts.get("offset", 0), position)


def _interval(name: str, key: str, node: Any) -> int:
    text = interval_text(node)
    if text is None:
        raise InvalidParameter(f"the {key} of {name.upper()} must be an interval literal", hint=_USAGE[name])
    return parse_interval(text)


def _positive(name: str, key: str, amounts: dict[str, int]) -> int:
    if key not in amounts:
        raise SqlSyntaxError(f"{name.upper()} needs a {key}", hint=_USAGE[name])
    if amounts[key] <= 0:
        raise InvalidParameter(f"the {key} of {name.upper()} must be positive")
    return amounts[key]


def _relation(node: Any, usage: str) -> str:
    if isinstance(node, ast.ColumnRef) and len(strings(node)) == 2:
        return reference(*strings(node))
    return reference(None, _name(node, usage))


def _name(node: Any, usage: str) -> str:
    if isinstance(node, ast.ColumnRef) and len(strings(node)) == 1:
        return strings(node)[0]
    raise SqlSyntaxError("a window call takes the names of a relation and of its time column", hint=usage)
