"""The functions behind @?, @@ and jsonb_path_…: a path followed through each value of a column."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

from constellationdb.catalog.text.reading import parse_jsonb, print_jsonb
from constellationdb.planner.jsonpath.evaluation import follow
from constellationdb.planner.jsonpath.parser import parse_path
from constellationdb.planner.raising import ComputationError

_TEXT = pa.string()
_QUIET = frozenset(
    {"22012", "22033", "22036", "22038", "22039", "2203A", "2203B", "42704"}
)  # what @? and @@ do not raise


def definitions() -> list[tuple[Any, list[pa.DataType], pa.DataType, str]]:
    """(function, arguments, result, name) of each: a value, a path, and the variables of the path as an object."""
    made: tuple[tuple[str, pa.DataType, Callable[[str, str, str], Any]], ...] = (
        ("exists", pa.bool_(), lambda *a: bool(_found(*a))),
        ("query", pa.list_(_TEXT), lambda *a: [print_jsonb(value) for value in _found(*a)]),
        ("query_array", _TEXT, lambda *a: print_jsonb(_found(*a))),
        ("query_first", _TEXT, _first),
        ("match", pa.bool_(), _matched),
        ("exists_quietly", pa.bool_(), _quiet(lambda *a: bool(_found(*a)))),
        ("match_quietly", pa.bool_(), _quiet(_matched)),
    )
    return [(_each(function, kind), [_TEXT] * 3, kind, f"con_jsonb_path_{name}") for name, kind, function in made]


def _each(function: Callable[[str, str, str], Any], result: pa.DataType) -> Callable[..., pa.Array]:
    def evaluate(*arguments: pa.Array) -> pa.Array:
        rows = zip(*(argument.to_pylist() for argument in arguments), strict=True)
        return pa.array([None if None in row else function(*row) for row in rows], result)

    return evaluate


def _found(value: str, path: str, variables: str) -> list[Any]:
    known = parse_jsonb(variables)
    if not isinstance(known, dict):
        raise ComputationError("22023", '"vars" argument is not an object')
    return follow(parse_path(path), parse_jsonb(value), known)


def _first(value: str, path: str, variables: str) -> str | None:
    found = _found(value, path, variables)
    return print_jsonb(found[0]) if found else None


def _matched(value: str, path: str, variables: str) -> bool | None:
    found = _found(value, path, variables)
    if len(found) != 1 or not (found[0] is None or isinstance(found[0], bool)):
        raise ComputationError("22038", "single boolean result is expected")
    return found[0]


def _quiet(function: Callable[[str, str, str], bool | None]) -> Callable[[str, str, str], bool | None]:
    def answer(value: str, path: str, variables: str) -> bool | None:
        try:
            return function(value, path, variables)
        except ComputationError as error:
            if error.sqlstate not in _QUIET:
                raise
            return None

    return answer
