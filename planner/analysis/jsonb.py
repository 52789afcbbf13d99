"""Operators and functions of jsonb, as calls of what computes them."""

from __future__ import annotations

from typing import Any

from pglast import ast

from constellationdb.errors import FeatureNotSupported, SqlSyntaxError, UndefinedFunction
from constellationdb.planner.analysis import forms, kinds, texts
from constellationdb.planner.analysis.kinds import BIGINT, BOOLEAN, INTEGER, JSON, JSONB, TEXT, UNKNOWN, Kind
from constellationdb.planner.analysis.typed import Typed
from constellationdb.planner.jsonpath.parser import parse_path
from constellationdb.planner.raising import ComputationError
from constellationdb.planner.rewrite.tree import parse_expression

_TEXT_ARRAY = "text[]"
_SUFFIXES = {"->": ("", JSONB), "->>": ("_text", TEXT), "#>": ("", JSONB), "#>>": ("_text", TEXT)}
_BY_KEYS = {"?|": "has_any", "?&": "has_all"}
_OPERATORS = frozenset({*_SUFFIXES, *_BY_KEYS, "?", "@>", "<@", "||", "-", "#-"})
_PATHS = frozenset({"@?", "@@"})
_WHOLES = (kinds.SMALLINT, INTEGER)
# What stands on the right of those that do not take an array of texts alone.
_RIGHT: dict[str, tuple[Kind, ...]] = {
    "->": (UNKNOWN, *kinds.TEXTS, *_WHOLES), "->>": (UNKNOWN, *kinds.TEXTS, *_WHOLES), "?": (UNKNOWN, *kinds.TEXTS),
    "-": (UNKNOWN, *kinds.TEXTS, *_WHOLES, _TEXT_ARRAY),
}  # fmt: skip


def operated(name: str, left: Typed, right: Typed, position: int | None) -> Typed | None:
    """What an operator with a jsonb on its left (of <@ and ||: on one side) is; None when it is none of jsonb."""
    if JSON in (left.kind, right.kind) and name in _OPERATORS:
        raise FeatureNotSupported(f"{name} of json is not supported", hint="cast it to jsonb", position=position)
    if JSONB not in (left.kind, right.kind) or name not in _OPERATORS | _PATHS:
        return None
    if name in _PATHS:
        word = {"@?": "exists_quietly", "@@": "match_quietly"}[name]
        return _along(word, BOOLEAN, left, [right], position) if left.kind == JSONB else None
    if name in ("@>", "<@", "||"):
        return _of_two(name, left, right, position)
    if left.kind != JSONB:
        return None
    if right.kind not in _RIGHT.get(name, (UNKNOWN, _TEXT_ARRAY)):
        raise UndefinedFunction(
            f"operator does not exist: jsonb {name} {right.kind}",
            hint="No operator matches the given name and argument types. You might need to add explicit type casts.",
            position=position,
        )
    if name in _SUFFIXES:
        suffix, kind = _SUFFIXES[name]
        if name.startswith("#"):
            return _called(f"path{suffix}", kind, left, _as(right, _TEXT_ARRAY, position))
        if right.kind in kinds.INTEGERS:
            return _called(f"element{suffix}", kind, left, kinds.cast(right.node, BIGINT))
        return _called(f"field{suffix}", kind, left, _as(right, TEXT, position))
    if name in _BY_KEYS:
        return _called(_BY_KEYS[name], BOOLEAN, left, _as(right, _TEXT_ARRAY, position))
    if name == "?":
        return _called("has", BOOLEAN, left, _as(right, TEXT, position))
    if name == "#-":
        return _called("without_path", JSONB, left, _as(right, _TEXT_ARRAY, position))
    if right.kind in kinds.INTEGERS:
        return _called("without_element", JSONB, left, kinds.cast(right.node, BIGINT))
    if right.kind == _TEXT_ARRAY:
        return _called("without_keys", JSONB, left, right.node)
    return _called("without", JSONB, left, _as(right, TEXT, position))


def _along(word: str, kind: Kind, value: Typed, others: list[Typed], position: int | None) -> Typed:
    """A path, and perhaps its variables, followed through ``value``."""
    path = others[0].node
    if isinstance(path, ast.A_Const) and isinstance(path.val, ast.String):
        try:
            parse_path(path.val.sval)
        except ComputationError as error:
            kind_of = SqlSyntaxError if error.sqlstate == SqlSyntaxError.sqlstate else FeatureNotSupported
            raise kind_of(error.message, position=position) from None
    variables = _as(others[1], JSONB, position) if len(others) > 1 else parse_expression("'{}'")
    return _called(f"path_{word}", kind, value, kinds.cast(path, TEXT), variables)


def element(value: Typed, index: Typed, position: int | None) -> Typed:
    """``value[index]``: of an object the field, of an array what stands there."""
    step = kinds.cast(_as(index, TEXT, position), TEXT)
    return _called("path", JSONB, value, kinds.cast(ast.A_ArrayExpr(elements=(step,)), _TEXT_ARRAY))


def _of_two(name: str, left: Typed, right: Typed, position: int | None) -> Typed | None:
    if not {left.kind, right.kind} <= {JSONB, UNKNOWN}:
        return None
    word, kind = {"@>": ("contains", BOOLEAN), "<@": ("contained", BOOLEAN), "||": ("concat", JSONB)}[name]
    return Typed(forms.call(f"con_jsonb_{word}", _as(left, JSONB, position), _as(right, JSONB, position)), kind)


def _called(word: str, kind: Kind, value: Typed, *others: Any) -> Typed:
    return Typed(forms.call(f"con_jsonb_{word}", value.node, *others), kind)


def _as(value: Typed, kind: str, position: int | None) -> Any:
    """An operand, a literal read as ``kind``."""
    if value.kind == UNKNOWN and isinstance(value.node, ast.A_Const):
        return kinds.cast(value.node, TEXT) if value.node.isnull else texts.typed(value.node, kind, position)
    return value.node


_RESULTS = {
    "jsonb_typeof": ("typeof", TEXT), "jsonb_array_length": ("length", INTEGER), "jsonb_pretty": ("pretty", TEXT),
    "jsonb_strip_nulls": ("strip_nulls", JSONB),
}  # fmt: skip
_ALONG = {
    "jsonb_path_exists": ("exists", BOOLEAN), "jsonb_path_match": ("match", BOOLEAN),
    "jsonb_path_query_array": ("query_array", JSONB), "jsonb_path_query_first": ("query_first", JSONB),
}  # fmt: skip
_PATH_CALLS = {
    "jsonb_extract_path": ("path", JSONB), "jsonb_extract_path_text": ("path_text", TEXT),
}  # fmt: skip
# Functions that return sets: the arrays of their columns, and what these are called.
SETS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "jsonb_array_elements": (("elements", "value", JSONB),),
    "jsonb_array_elements_text": (("elements_text", "value", TEXT),),
    "jsonb_object_keys": (("keys", "jsonb_object_keys", TEXT),),
    "jsonb_each": (("each_keys", "key", TEXT), ("each_values", "value", JSONB)),
    "jsonb_each_text": (("each_keys", "key", TEXT), ("each_texts", "value", TEXT)),
    "jsonb_path_query": (("path_query", "jsonb_path_query", JSONB),),
}

VALUES = frozenset({"jsonb_array_elements", "jsonb_array_elements_text"})  # these call their column "value"


def _is_along(arguments: list[Typed]) -> bool:
    return len(arguments) in (2, 3) and arguments[0].kind in (JSONB, UNKNOWN) and arguments[1].kind in (UNKNOWN, None)


def arrays_of(name: str, arguments: list[Typed], position: int | None) -> list[tuple[Typed, str]] | None:
    """The arrays whose elements are the rows of a call, with the names of their columns."""
    if name == "jsonb_path_query" and _is_along(arguments):
        value = Typed(_as(arguments[0], JSONB, position), JSONB)
        return [(_along("query", JSONB, value, arguments[1:], position), name)]
    if name not in SETS or len(arguments) != 1 or arguments[0].kind not in (JSONB, UNKNOWN):
        return None
    value = _as(arguments[0], JSONB, position)
    return [(Typed(forms.call(f"con_jsonb_{word}", value), kind), column) for word, column, kind in SETS[name]]


def answered(name: str, arguments: list[Typed], position: int | None) -> Typed | None:
    if name in _ALONG and _is_along(arguments):
        word, kind = _ALONG[name]
        value = Typed(_as(arguments[0], JSONB, position), JSONB)
        return _along(word, kind, value, arguments[1:], position)
    known = name in _RESULTS or name in _PATH_CALLS or name in ("jsonb_set", "jsonb_insert")
    if not known or not arguments or arguments[0].kind not in (JSONB, UNKNOWN):
        return None
    value = Typed(_as(arguments[0], JSONB, position), JSONB)
    if name in _RESULTS and len(arguments) == 1:
        word, kind = _RESULTS[name]
        made = _called(word, kind, value)
        return Typed(kinds.cast(made.node, INTEGER), INTEGER) if kind == INTEGER else made
    if name in _PATH_CALLS and len(arguments) > 1:
        word, kind = _PATH_CALLS[name]
        steps = tuple(_as(argument, TEXT, position) for argument in arguments[1:])
        return _called(word, kind, value, kinds.cast(ast.A_ArrayExpr(elements=steps), _TEXT_ARRAY))
    if name == "jsonb_insert" and len(arguments) in (3, 4):
        path, new = _as(arguments[1], _TEXT_ARRAY, position), _as(arguments[2], JSONB, position)
        after = arguments[3].node if len(arguments) == 4 else parse_expression("false")
        return _called("insert", JSONB, value, path, new, after)
    if name == "jsonb_set" and len(arguments) in (3, 4):
        path, new = _as(arguments[1], _TEXT_ARRAY, position), _as(arguments[2], JSONB, position)
        create = arguments[3].node if len(arguments) == 4 else parse_expression("true")
        return _called("set", JSONB, value, path, new, create)
    return None
