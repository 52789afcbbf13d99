"""Window calls in FROM: read the call, in canonical order, with named arguments, or in Flink's spelling."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from pglast import ast

from constellationdb.errors import ConstellationError, InvalidParameter, SqlSyntaxError
from constellationdb.planner.references import reference
from constellationdb.planner.rewrite.intervals import interval_text
from constellationdb.planner.rewrite.tree import last_name, strings
from constellationdb.planner.syntax.intervals import parse_interval
from constellationdb.planner.window_call import Call, Kind


class _Form(NamedTuple):
    """How a kind is written: its intervals in order, of which the offset may be left out."""

    usage: str
    amounts: tuple[str, ...]


FORMS: dict[str, _Form] = {
    "tumble": _Form("TUMBLE(relation, time_column, size [, offset])", ("size", "offset")),
    "hop": _Form("HOP(relation, time_column, slide, size [, offset])", ("slide", "size", "offset")),
    "cumulate": _Form("CUMULATE(relation, time_column, step, size [, offset])", ("step", "size", "offset")),
    "session": _Form("SESSION(relation [PARTITION BY column, …], time_column, gap)", ("gap",)),
}
# The names that Flink gives to the first two arguments.
_RELATION, _TIME = "data", "timecol"


def is_window(function: Any) -> bool:
    """Whether an item of FROM that is a function is a window call."""
    call = function.functions[0][0]
    return isinstance(call, ast.FuncCall) and last_name(call) in FORMS


def relation_argument(function: Any) -> Any:
    """What a window call reads: a name or a subquery; None where nothing is said."""
    arguments = function.functions[0][0].args or ()
    named = [a.arg for a in arguments if isinstance(a, ast.NamedArgExpr) and a.name == _RELATION]
    return next(iter([*named, *arguments]), None)


def window_call(function: Any, offset: int) -> Call | None:
    """The window call that ``function`` (an item of FROM) is, or None when it is another function."""
    if not is_window(function):
        return None
    call = function.functions[0][0]
    name = last_name(call)
    position = call.location + offset + 1
    try:
        return _read(cast(Kind, name), call, position)
    except ConstellationError as error:
        raise error.at(position) from None


def _read(kind: Kind, call: Any, position: int) -> Call:
    usage, order = FORMS[kind]
    rest = [a for a in call.args or () if not isinstance(a, ast.NamedArgExpr)]
    named = {a.name: a.arg for a in call.args or () if isinstance(a, ast.NamedArgExpr)}
    partition: list[Any] = []
    if kind == "session":
        first, behind = _RELATION not in named, (_TIME not in named) + ("gap" not in named)
        partition = rest[first : max(len(rest) - behind, first)]
        del rest[first : first + len(partition)]
    relation, time = (named.pop(n) if n in named else rest.pop(0) if rest else None for n in (_RELATION, _TIME))
    if relation is None or time is None:
        raise SqlSyntaxError(f"{kind.upper()} needs a relation and its time column", hint=usage)
    sizes = dict(zip(order, rest, strict=False)) | named
    if set(sizes) - set(order) or len(rest) > len(order):
        raise SqlSyntaxError(f"{kind.upper()} has too many or unknown arguments", hint=usage)
    amounts = {key: _interval(kind, key, value) for key, value in sizes.items()}
    size = _positive(kind, "gap" if kind == "session" else "size", amounts)
    slide = _positive(kind, order[0], amounts)
    if kind == "cumulate" and size % slide:
        raise InvalidParameter("the size of CUMULATE must be a multiple of its step")
    keys = tuple(_column(node, usage) for item in partition for node in _members(item))
    return Call(
        kind, _relation(relation, usage), _column(_described(time), usage), slide, size, amounts.get("offset", 0), keys,
        position,
    )  # fmt: skip


def _interval(kind: Kind, key: str, node: Any) -> int:
    text = interval_text(node)
    if text is None:
        raise InvalidParameter(f"the {key} of {kind.upper()} must be an interval literal", hint=FORMS[kind].usage)
    return parse_interval(text)


def _positive(kind: Kind, key: str, amounts: dict[str, int]) -> int:
    if key not in amounts:
        raise SqlSyntaxError(f"{kind.upper()} needs a {key}", hint=FORMS[kind].usage)
    if amounts[key] <= 0:
        raise InvalidParameter(f"the {key} of {kind.upper()} must be positive")
    return amounts[key]


def relation_name(argument: Any) -> str | None:
    """The reference that what a window reads is, or None when it is something else."""
    if not isinstance(argument, ast.ColumnRef) or not 1 <= len(names := strings(argument)) <= 2:
        return None
    return reference(*names) if len(names) == 2 else reference(None, names[0])


def _relation(node: Any, usage: str) -> str:
    name = relation_name(node)
    if name is None:
        raise SqlSyntaxError("a window call takes the names of a relation and of its columns", hint=usage)
    return name


def _described(node: Any) -> Any:
    """Flink's DESCRIPTOR(ts)."""
    if isinstance(node, ast.FuncCall) and last_name(node) == "descriptor" and len(node.args or ()) == 1:
        return node.args[0]
    return node


def _members(node: Any) -> tuple[Any, ...]:
    """PARTITION BY (a, b) is PARTITION BY a, b."""
    return tuple(node.args) if isinstance(node, ast.RowExpr) else (node,)


def _column(node: Any, usage: str) -> str:
    if isinstance(node, ast.ColumnRef) and len(strings(node)) == 1:
        return strings(node)[0]
    raise SqlSyntaxError("a window call takes the names of a relation and of its columns", hint=usage)
